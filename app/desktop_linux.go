//go:build !headless

package app

import "os/exec"

// needDisplay fails when the tray can show no window.
func needDisplay() error {
	return displayFor("the tray needs a display", "`blendtray serve` needs none, and `blendtray --help` lists what else there is")
}

func opener(path string) (program string, args []string) { return "xdg-open", []string{path} }

// standAlone has a program that may have a window go on when the terminal of this program ends.
func standAlone(cmd *exec.Cmd) { detach(cmd) }
