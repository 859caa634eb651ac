//go:build unix

package addon

import (
	"io/fs"
	"os"
	"syscall"
)

// trustedOwner reports whether a folder belongs to this user or to root.
func trustedOwner(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Getuid())
}
