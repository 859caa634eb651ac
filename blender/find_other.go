//go:build unix && !linux && !darwin

package blender

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
