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

// userResources returns the folder where each version of Blender has a folder for what is the
// user's, by the variables of its environment.
func userResources(variable func(name string) string) string {
	return filepath.Join(variable("HOME"), ".config", "blender")
}
