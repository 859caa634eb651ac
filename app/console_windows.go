package app

import (
	"os"
	"path/filepath"
	"strings"
)

// withoutConsole is the program beside this one that opens no console, if there is one: the
// installer puts blendtrayw.exe beside blendtray.exe, as Python does with its own.
func withoutConsole(program string) string {
	dir, name := filepath.Split(program)
	if !strings.EqualFold(name, "blendtray.exe") {
		return program
	}
	other := filepath.Join(dir, "blendtrayw.exe")
	if _, err := os.Stat(other); err != nil {
		return program
	}
	return other
}
