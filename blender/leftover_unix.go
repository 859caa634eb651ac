//go:build unix && !linux

package blender

// kin would be a number that all descendants of a Blender carry; only Linux has such a number.
type kin struct{}

func (kin) String() string    { return "" }
func (kin) kill(int, running) {}

// killKinOf does nothing: these systems do not tell which processes an engine has left.
func killKinOf(string) {}

// startTime is the time when a process was started, in ns since 1970.
type startTime int64
