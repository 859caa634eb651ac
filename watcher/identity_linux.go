package watcher

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// identity returns the id of a file, and when its inode last changed, in ns.
func identity(fi fs.FileInfo) (id fileID, ctime int64) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0
	}
	return fileID{uint64(st.Dev), st.Ino}, st.Ctim.Nano()
}

// hardLinks returns how many names a file has, or 0 when the system does not say.
func hardLinks(fi fs.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(st.Nlink)
}

// bornAt returns when an open file was made, in ns, or 0 when the file system does not say. File
// systems give the number of a removed file to the next file that is made; by this they differ.
func bornAt(f *os.File, _ fs.FileInfo) int64 {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}
