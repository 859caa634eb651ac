package app

import "golang.org/x/sys/unix"

// niceness returns how nice this process is.
func niceness() int {
	// It fails only for a process that is not there. Linux returns 20 less the niceness.
	n, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	return 20 - n
}
