//go:build darwin || freebsd

package watcher

import (
	"strings"

	"golang.org/x/sys/unix"
)

// IsRemote reports whether a folder lies where the system's events can't be relied on.
func IsRemote(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false // it is gone or can't be read, which the caller finds out next
	}
	kind := strings.ToLower(unix.ByteSliceToString(st.Fstypename[:]))
	return st.Flags&unix.MNT_LOCAL == 0 || strings.Contains(kind, "fuse")
}
