package login

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"

	"blendtray/app/home"
)

// Switch starts the tray when the user logs in, or does not: a value of the user's Run key.
type Switch struct{ program home.Program }

const (
	// runKey lists what starts at login.
	runKey = `Software\Microsoft\Windows\CurrentVersion\Run`
	// approvedKey tells for each value of runKey whether the user has switched it off, in the
	// task manager or the settings of Windows.
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
	// runName is the name of our value in both keys.
	runName = "Blendtray"
)

// New returns the switch for this program. It fails when the system does not say which program
// this is.
func New() (Switch, error) {
	program, err := home.ThisProgram()
	return Switch{program}, err
}

// Enabled tells whether Windows starts a program for our value at login, be it this program or
// another. It reads the registry each time, and fails when the registry can't be read.
func (s Switch) Enabled() (bool, error) {
	var command string
	err := readRegistry(runKey, func(key registry.Key) (err error) {
		command, _, err = key.GetStringValue(runName)
		return err
	})
	var approval []byte
	if err == nil {
		err = readRegistry(approvedKey, func(key registry.Key) (err error) {
			approval, _, err = key.GetBinaryValue(runName)
			return err
		})
	}
	if err != nil {
		return false, fmt.Errorf("find out whether Blendtray starts at login: %w", err)
	}
	return command != "" && approves(approval), nil
}

// readRegistry reads from a key of the user. A key or value that is not there is no error.
func readRegistry(path string, read func(registry.Key) error) error {
	key, err := registry.OpenKey(registry.CURRENT_USER, path, registry.QUERY_VALUE)
	if err == nil {
		defer key.Close()
		err = read(key)
	}
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return err
}

// Set writes the value and removes the mark of a user who has switched it off, or removes the
// value. It fails when the registry can't be written.
func (s Switch) Set(on bool) error {
	if !on {
		if err := deleteValue(runKey); err != nil {
			return fmt.Errorf("no longer start at login: %w", err)
		}
		return nil
	}
	command, err := runValue(s.program)
	if err == nil {
		err = writeValue(command)
	}
	if err == nil {
		err = deleteValue(approvedKey)
	}
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// writeValue writes our value to the Run key, which a new user may not have yet.
func writeValue(command string) error {
	key, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer key.Close()
	return key.SetStringValue(runName, command)
}

// deleteValue removes our value from a key, if it is there.
func deleteValue(path string) error {
	key, err := registry.OpenKey(registry.CURRENT_USER, path, registry.SET_VALUE)
	if err == nil {
		defer key.Close()
		err = key.DeleteValue(runName)
	}
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return err
}
