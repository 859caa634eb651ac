package app

import (
	"os"

	"blendtray/app/fault"
)

// needWindow fails when no window can be shown.
func needWindow() error {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return fault.New(fault.Failed, "`blendtray open --save FILE` needs none",
			"Blender needs a display for its window, and there is none (neither DISPLAY nor WAYLAND_DISPLAY is set)")
	}
	return nil
}
