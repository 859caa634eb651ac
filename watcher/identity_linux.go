package watcher

import (
	"io/fs"
	"syscall"
)

// identity returns the id of a file, and when its inode last changed, in ns.
func identity(fi fs.FileInfo) (id fileID, ctime int64) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0
	}
	return fileID{uint64(st.Dev), st.Ino}, st.Ctim.Nano()
}
