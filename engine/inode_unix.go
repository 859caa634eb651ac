//go:build unix

package engine

import (
	"os"
	"syscall"
)

// inodeOf returns the number of a file on its disk, or 0 when it has none or is gone.
func inodeOf(path string) uint64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
