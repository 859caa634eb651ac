package login

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"

	"blendtray/app/home"
)

// Switch starts the tray when the user logs in, or does not: an entry in the autostart folder of
// XDG desktops.
type Switch struct{ loginFile }

// New returns the switch for this program. It fails when there is no home folder, or when the
// system does not say which program this is.
func New() (Switch, error) {
	program, err := home.ThisProgram()
	if err != nil {
		return Switch{}, err
	}
	xdg.Reload() // the environment may have changed since the process began
	if _, err := os.UserHomeDir(); err != nil && !filepath.IsAbs(os.Getenv("XDG_CONFIG_HOME")) {
		return Switch{}, fmt.Errorf("no folder for what starts at login: %w", err)
	}
	return Switch{loginFile{
		path:   filepath.Join(xdg.ConfigHome, "autostart", "blendtray.desktop"),
		text:   func() ([]byte, error) { return desktopEntry(program) },
		starts: desktopStarts,
	}}, nil
}
