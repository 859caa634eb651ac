//go:build unix && !linux && !darwin

package blender

// killOthers does nothing: these systems do not tell which processes are in the group.
func (group) killOthers(startTime) {}
