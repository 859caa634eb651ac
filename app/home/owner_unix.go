//go:build unix

package home

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUser reports whether a file or folder belongs to this user.
func ownedByUser(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}

// trustedOwner reports whether a file or folder belongs to this user or to root.
func trustedOwner(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ownedByUser(info) || ok && st.Uid == 0
}
