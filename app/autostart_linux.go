package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
)

// autostart is the switch that starts the tray when the user logs in: an entry in the
// autostart folder of XDG desktops.
type autostart struct{ loginFile }

// newAutostart is the switch for this program, as it is. It fails when there is no home
// folder, or when the system does not say which program this is.
func newAutostart() (autostart, error) {
	start, err := thisProgram()
	if err != nil {
		return autostart{}, err
	}
	xdg.Reload() // the environment may have changed since the process began
	if _, err := os.UserHomeDir(); err != nil && !filepath.IsAbs(os.Getenv("XDG_CONFIG_HOME")) {
		return autostart{}, fmt.Errorf("no folder for what starts at login: %w", err)
	}
	return autostart{loginFile{
		path:   filepath.Join(xdg.ConfigHome, "autostart", "blendtray.desktop"),
		text:   func() ([]byte, error) { return desktopEntry(start) },
		starts: desktopStarts,
	}}, nil
}
