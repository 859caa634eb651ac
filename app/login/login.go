// Package login starts the tray when the user logs in, in the way of each system: an autostart
// entry of XDG desktops, the Run key of Windows, a launch agent of macOS. It keeps no engine
// running; a service does (package service).
//
// [New] returns the [Switch] for this program. The switch is read from the system each time, so
// that it shows what the user has changed elsewhere.
package login

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"blendtray/app/home"
)

// This file holds what the systems have in common. The texts that are written are in desktop.go,
// agent.go and runkey.go, and are the same whichever system runs the tests. Each system's own way
// is in the file that ends in its name, and has
//
//	type Switch struct
//	New() (Switch, error)
//	(Switch) Enabled() (bool, error)
//	(Switch) Set(on bool) error

// check fails for paths that no login entry can hold.
func check(p home.Program) error {
	for _, path := range []string{p.Path, p.Home} {
		if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			return fmt.Errorf("the path %q has characters in it that can't be written to a login entry", path)
		}
	}
	return nil
}

// loginFile is a file that the system looks for at login.
type loginFile struct {
	path string
	// text returns the text of a file that starts this program.
	text func() ([]byte, error)
	// starts tells whether the system starts a program for a file with this text.
	starts func(text []byte) bool
}

// Enabled tells whether the file is there and starts a program, be it this program or another. It
// reads the file each time, and fails when the file can't be read.
func (f loginFile) Enabled() (bool, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find out whether Blendtray starts at login: %w", err)
	}
	return f.starts(text), nil
}

// Set writes the file, in place of what was there, or removes the file. When it fails, nothing
// has changed.
func (f loginFile) Set(on bool) error {
	if !on {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no longer start at login: %w", err)
		}
		return nil
	}
	text, err := f.text()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.path), 0o700)
	}
	if err == nil {
		err = home.Replace(f.path, text, 0o644, nil)
	}
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// file returns the path of the file.
func (f loginFile) file() string { return f.path }
