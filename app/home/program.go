package home

import (
	"fmt"
	"os"
	"path/filepath"
)

// Program is this program, as the system is to start it at login or as a service.
type Program struct {
	// Path is the absolute path of the executable.
	Path string
	// Home is BLENDTRAY_HOME, absolute, or "" when the variable is not set.
	Home string
}

// ThisProgram returns the executable of this process, with the BLENDTRAY_HOME that the process
// was given. It fails where the system does not say which executable that is.
func ThisProgram() (Program, error) {
	path, err := os.Executable()
	if err != nil {
		return Program{}, fmt.Errorf("find out where this program lies: %w", err)
	}
	home := os.Getenv("BLENDTRAY_HOME")
	if home != "" {
		if home, err = filepath.Abs(home); err != nil {
			return Program{}, fmt.Errorf("BLENDTRAY_HOME: %w", err)
		}
	}
	return Program{withoutConsole(path), home}, nil
}
