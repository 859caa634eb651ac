package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// guard takes a read lease, which the kernel gives only when nobody has the file open or
// mapped for writing, through whatever name. Whoever opens it for writing after that waits
// until f is closed, so what is read from f is one whole. The wait is that of reading one
// script; only a writer that opens without blocking is refused, and none is known that does.
// still is true at the end: the lease lasts longer than any reading (45 s).
//
// There is no lease on a file of another user, nor on some file systems.
func guard(f *os.File, _ string) (state holding, still func() bool) {
	still = func() bool { return true }
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		return nobody, still
	case errors.Is(err, unix.EAGAIN):
		return somebody, still
	}
	return unknown, still
}
