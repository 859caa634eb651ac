package blender

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// IsProcess returns whether a process id still stands for the process of this user that noted when it was
// started: ticks is its start time in /proc.
func IsProcess(pid int, ticks uint64, _ time.Time) bool {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Getuid() && uint64(startedAt(pid)) == ticks
}
