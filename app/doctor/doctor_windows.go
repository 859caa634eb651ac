package doctor

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// examineAccess returns what is wrong with the access to a folder of the program, or nil. On
// Windows it returns nil: the folders are in the user's profile and inherit its rights.
func examineAccess(string, fs.FileInfo, bool) *Finding { return nil }

// examineSocket examines who may connect to the engine: the pipe's descriptor names the user
// alone and can't be changed from outside.
func examineSocket(string) []Finding { return nil }

// diskFree returns how many bytes this user may still write where dir is.
func diskFree(dir string) (free uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, err
}
