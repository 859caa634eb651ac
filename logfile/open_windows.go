package logfile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// openLog opens a log to be read, as [os.Open] does, but lets others rename and remove the log
// meanwhile: whoever writes the log puts it aside when it is full.
func openLog(path string) (*os.File, error) {
	fails := func(err error) (*os.File, error) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return fails(err)
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return fails(err)
	}
	return os.NewFile(uintptr(handle), path), nil
}
