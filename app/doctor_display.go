//go:build !headless

package app

import "blendtray/tray"

// examineDisplay looks whether the tray can show itself. A machine without a screen is right
// as it is.
func examineDisplay() []finding {
	if err := needDisplay(); err != nil {
		return []finding{right("display", "there is none: `blendtray serve` needs none")}
	}
	if ok, why := tray.IconHost(); !ok {
		return []finding{right("tray", "the window opens instead: %s", why)}
	}
	return []finding{right("tray", "the desktop shows tray icons")}
}
