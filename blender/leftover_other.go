//go:build unix && !linux && !darwin

package blender

// killOthers does nothing: nothing tells which processes are of the group.
func (group) killOthers(startTime) {}
