package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// guard returns who has the file open for writing, and a function that reports whether that still
// holds. It opens the file in a way that excludes writers. It closes the file at once, because a
// writer that comes meanwhile is refused; so still asks again, after reading. It does not notice
// a file that is written through a mapping whose handle was closed.
func guard(_ *os.File, path string) (state holding, still func() bool) {
	state = holder(path)
	return state, func() bool { return state != nobody || holder(path) == nobody }
}

func holder(path string) holding {
	h, err := open(path, windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE)
	switch {
	case err == nil:
		_ = windows.CloseHandle(h) // read only
		return nobody
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return somebody
	}
	return unknown
}
