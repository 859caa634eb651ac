package app

import (
	"os"

	"blendtray/app/fault"
)

// needWindow fails when Blender can show no window.
func needWindow() error {
	return displayFor("Blender needs a display for its window", "`blendtray open --save FILE` needs none")
}

// displayFor fails with a text and a hint when there is no display.
func displayFor(text, hint string) error {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return fault.New(fault.Failed, hint, "%s, and there is none (neither DISPLAY nor WAYLAND_DISPLAY is set)", text)
	}
	return nil
}
