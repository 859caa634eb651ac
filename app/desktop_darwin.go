//go:build !headless

package app

import "os/exec"

func needDisplay() error { return nil }

func opener(path string) (program string, args []string) { return "open", []string{path} }

// standAlone has a program that may have a window go on when the terminal of this program ends.
func standAlone(cmd *exec.Cmd) { detach(cmd) }
