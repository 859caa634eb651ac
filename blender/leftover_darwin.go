package blender

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// killOthers kills the processes of the group that were started since a time, but not its leader. A
// process that has left the group can't be told from other programs here.
func (g group) killOthers(since startTime) {
	if g.id <= 0 {
		return
	}
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", g.id)
	if err != nil {
		return
	}
	for _, member := range members {
		began := startTime(member.Proc.P_starttime.Nano())
		if pid := int(member.Proc.P_pid); pid != g.id && began >= since {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}
