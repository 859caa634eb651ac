//go:build !headless

package app

import (
	"os"

	"blendtray/app/fault"
)

// needDisplay fails when no window can be shown.
func needDisplay() error {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return fault.New(fault.Failed, "`blendtray serve` needs none, and `blendtray --help` lists what else there is",
			"the tray needs a display, and there is none (neither DISPLAY nor WAYLAND_DISPLAY is set)")
	}
	return nil
}

func opener(path string) (program string, args []string) { return "xdg-open", []string{path} }
