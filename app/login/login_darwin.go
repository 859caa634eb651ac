package login

import (
	"fmt"
	"os"
	"path/filepath"

	"blendtray/app/home"
)

// Switch starts the tray when the user logs in, or does not: a launch agent. The user may also
// forbid the start in the system settings, which no program can read and which overrule the agent.
type Switch struct{ loginFile }

// New returns the switch for this program. It fails when there is no home folder, or when the
// system does not say which program this is.
func New() (Switch, error) {
	program, err := home.ThisProgram()
	if err != nil {
		return Switch{}, err
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return Switch{}, fmt.Errorf("no folder for what starts at login: %w", err)
	}
	return Switch{loginFile{
		path:   filepath.Join(user, "Library", "LaunchAgents", agentLabel+".plist"),
		text:   func() ([]byte, error) { return launchAgent(program) },
		starts: agentStarts,
	}}, nil
}
