//go:build unix

package engine

import (
	"io/fs"
	"syscall"
)

// keepsJournalsOpen is whether the engine keeps the journals of runs open, so that it need not open them
// again: an open file can be renamed here.
const keepsJournalsOpen = true

// hasNoName reports whether an open file was removed.
func hasNoName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}
