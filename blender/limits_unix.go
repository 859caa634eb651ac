//go:build unix

package blender

import "syscall"

// lowerPriority lowers the priority of the processes of the group, with all their threads. It
// returns what [process.limit] returns.
func (g group) lowerPriority(nice int) (undo func() bool) {
	if nice <= 0 || g.id <= 0 {
		return func() bool { return true }
	}
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, g.id)
	before = niceness(before)
	if err != nil || syscall.Setpriority(syscall.PRIO_PGRP, g.id, min(before+nice, 19)) != nil {
		return func() bool { return true }
	}
	return func() bool { return syscall.Setpriority(syscall.PRIO_PGRP, g.id, before) == nil }
}
