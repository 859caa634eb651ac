//go:build unix && !linux && !darwin

package blender

import "path/filepath"

var (
	programNames  = []string{"blender"}
	programInside = []string{"blender"}
)

func places() []place {
	return []place{
		{"/usr/local/bin/blender", "the system's packages"},
		{"/usr/pkg/bin/blender", "the system's packages"},
	}
}

// userResources returns the folder in which each version of Blender has a folder for the files of
// the user. The variables of the environment say where that folder is.
func userResources(variable func(name string) string) string {
	return filepath.Join(variable("HOME"), ".config", "blender")
}
