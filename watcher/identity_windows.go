package watcher

import (
	"io/fs"
	"os"
	"syscall"
)

// identity returns nothing: Windows says nothing without opening the file. Size, time and bytes must
// do.
func identity(fs.FileInfo) (id fileID, ctime int64) { return fileID{}, 0 }

// hardLinks always returns 0: Windows does not say without opening the file.
func hardLinks(fs.FileInfo) uint64 { return 0 }

// bornAt returns when an open file was made, in ns. Windows gives a file that is made within 15 s
// after another of its name was removed the time of that file.
func bornAt(_ *os.File, fi fs.FileInfo) int64 {
	st, ok := fi.Sys().(*syscall.Win32FileAttributeData)
	if !ok {
		return 0
	}
	return st.CreationTime.Nanoseconds()
}
