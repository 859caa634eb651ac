//go:build unix && !linux && !darwin

package blender

// others returns nothing: these systems do not tell which processes are in the group.
func (group) others() running { return nil }

// killOthers does nothing, for the same reason.
func (group) killOthers(running) {}
