package blender

import (
	"bytes"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// inCrashHandler returns whether a thread of a process is in Blender's handler for crashes. The
// kernel blocks a signal while its handler runs. Threads of sound libraries block all signals.
func inCrashHandler(pid int) (is, known bool) {
	const signals = 1<<(unix.SIGSEGV-1) | 1<<(unix.SIGABRT-1) | 1<<(unix.SIGBUS-1) | 1<<(unix.SIGFPE-1) | 1<<(unix.SIGILL-1)
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return false, false // the pattern is always right
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := bytes.Cut(status, []byte("\nSigBlk:\t"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		blocked, err := strconv.ParseUint(string(line), 16, 64)
		if err != nil {
			return false, false
		}
		if bits.OnesCount64(blocked&signals) == 1 {
			return true, true
		}
		known = true
	}
	return false, known
}
