package home

import (
	"os"
	"path/filepath"
	"strings"
)

// withoutConsole returns the program beside this one that opens no console, if it is there: the
// installer puts blendtrayw.exe beside blendtray.exe, as Python does with its own programs.
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
