package blender

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// limit sets limits for all descendants of the leader of the group. It returns what [process.limit]
// returns.
func (g group) limit(l Limits) (undo func() bool) {
	var undos []func() bool
	if l.Memory > 0 {
		undos = append(undos, g.limitEach(unix.RLIMIT_DATA, l.Memory))
	}
	if l.Processes > 0 {
		undos = append(undos, g.limitEach(unix.RLIMIT_NPROC, uint64(userTasks()+l.Processes)))
	}
	undos = append(undos, g.lowerPriority(l.Nice))
	return func() bool {
		good := true
		for _, undo := range undos {
			good = undo() && good
		}
		return good
	}
}

// limitEach sets a limit for each present process of the group; the processes that these start
// inherit it. It changes only the soft limit, not the hard limit, so that undo can remove it again.
// undo returns whether all limits are as before.
func (g group) limitEach(resource int, most uint64) (undo func() bool) {
	before := map[int]unix.Rlimit{}
	for _, pid := range processes() {
		var old unix.Rlimit
		if pid != g.id && !g.kin.has(pid) || unix.Prlimit(pid, resource, nil, &old) != nil {
			continue
		}
		limited := unix.Rlimit{Cur: min(most, old.Max), Max: old.Max}
		if unix.Prlimit(pid, resource, &limited, nil) == nil {
			before[pid] = old
		}
	}
	return func() bool {
		good := true
		for pid, old := range before {
			err := unix.Prlimit(pid, resource, &old, nil)
			good = good && (err == nil || err == unix.ESRCH)
		}
		return good
	}
}

// niceness returns the nice value for what the system call for priorities returns: 40 stands for
// -20, 1 for 19.
func niceness(told int) int { return 20 - told }

// userTasks returns how many processes and threads the user has.
func userTasks() int {
	count, user := 0, uint32(os.Getuid())
	for _, pid := range processes() {
		info, err := os.Stat(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			continue // the process has just ended
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == user {
			count += int(stat.Nlink) - 2 // each thread is a folder
		}
	}
	return count
}
