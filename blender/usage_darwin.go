package blender

import "golang.org/x/sys/unix"

// families returns the processes of each Blender, itself included.
func families(leaders []int) map[int][]int {
	all, _ := unix.SysctlKinfoProcSlice("kern.proc.all") // what is listed is used
	parents := map[int]int{}
	leads := map[int]bool{}
	for _, pid := range leaders {
		leads[pid] = true
	}
	for _, p := range all {
		pid, parent, group := int(p.Proc.P_pid), int(p.Eproc.Ppid), int(p.Eproc.Pgid)
		if pid != group && leads[group] { // it is of the Blender, whoever is its parent now
			parent = group
		}
		parents[pid] = parent
	}
	return withDescendants(leaders, parents)
}
