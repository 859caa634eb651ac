package app

import (
	"fmt"
	"os"
	"path/filepath"
)

// autostart is the switch that starts the tray when the user logs in: a launch agent. What
// the user forbids in the system settings can't be read; it goes before this.
type autostart struct{ loginFile }

// newAutostart is the switch for this program, as it is. It fails when there is no home
// folder, or when the system does not say which program this is.
func newAutostart() (autostart, error) {
	start, err := thisProgram()
	if err != nil {
		return autostart{}, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return autostart{}, fmt.Errorf("no folder for what starts at login: %w", err)
	}
	return autostart{loginFile{
		path:   filepath.Join(home, "Library", "LaunchAgents", agentLabel+".plist"),
		text:   func() ([]byte, error) { return launchAgent(start) },
		starts: agentStarts,
	}}, nil
}
