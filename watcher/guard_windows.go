package watcher

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// guard asks whether anybody has the file open for writing, by opening it in a way that does
// not go together with writers. That is over at once, for a writer that comes just then is
// refused; so still asks again, after reading. A file that is written through a mapping whose
// handle was closed is not found out.
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
