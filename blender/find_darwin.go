package blender

import (
	"os"
	"path/filepath"
)

var (
	programNames  = []string{"blender", "Blender"}
	programInside = []string{"Contents/MacOS/Blender", "Blender.app/Contents/MacOS/Blender"}
)

// places returns the two folders for applications, the folder of Steam, and the folder of Homebrew.
func places() []place {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/nonexistent" // a service may have no home
	}
	const program = "Contents/MacOS/Blender"
	all := []place{
		{filepath.Join("/Applications/Blender*.app", program), "the applications"},
		{filepath.Join("/Applications/Blender*/Blender.app", program), "the applications"},
		{filepath.Join(home, "Applications/Blender*.app", program), "the user's applications"},
		{"/opt/homebrew/bin/blender", "Homebrew"},
		{"/usr/local/bin/blender", "/usr/local"},
	}
	return append(all, steamPlaces(filepath.Join(home, "Library/Application Support/Steam"), filepath.Join("Blender.app", program))...)
}

// userResources returns the folder in which each version of Blender has a folder for the files of
// the user. The variables of the environment say where that folder is.
func userResources(variable func(name string) string) string {
	return filepath.Join(variable("HOME"), "Library", "Application Support", "Blender")
}
