package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// guard returns who has f open for writing, and a function that reports whether that still holds.
// It takes a read lease, which the kernel grants only when nobody has the file open or mapped for
// writing, under any name. A program that opens the file for writing after that waits until f is
// closed, so what is read from f is whole. It waits no longer than reading one script takes; only
// a program that opens without blocking is refused, and no such program is known. still always
// returns true: the lease lasts longer than any reading (45 s).
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
