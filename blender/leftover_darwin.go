package blender

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// others returns the processes of the group that are running, except its leader. A process that has
// left the group can't be told from other programs here.
func (g group) others() running {
	list := running{}
	if g.id <= 0 {
		return list
	}
	members, _ := unix.SysctlKinfoProcSlice("kern.proc.pgrp", g.id) // what is listed is used
	for _, member := range members {
		if pid := int(member.Proc.P_pid); pid != g.id {
			list[pid] = startTime(member.Proc.P_starttime.Nano())
		}
	}
	return list
}

// killOthers kills the processes of the group that are not in the list, except its leader.
func (g group) killOthers(spared running) {
	for pid, began := range g.others() {
		if !spared.has(pid, began) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}
