package watcher

import (
	"io/fs"
	"os"
	"syscall"
)

// identity returns the id of a file, and when its inode last changed, in ns.
func identity(fi fs.FileInfo) (id fileID, ctime int64) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0
	}
	return fileID{uint64(st.Dev), st.Ino}, st.Ctimespec.Nano()
}

// hardLinks returns how many names a file has, or 0 when the system does not say.
func hardLinks(fi fs.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(st.Nlink)
}

// bornAt returns when an open file was made, in ns, or 0 when the system does not say.
func bornAt(_ *os.File, fi fs.FileInfo) int64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Birthtimespec.Nano()
}
