package app

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// examineAccess says what is wrong with who may use a folder of the program, or nil. Here the
// folders are in the user's profile, whose rights they inherit.
func examineAccess(string, fs.FileInfo, bool) *finding { return nil }

// examineSocket looks at who may connect to the engine: the pipe's descriptor names the user
// alone and can't be changed from outside.
func examineSocket(string) []finding { return nil }

// diskFree is how many bytes this user may still write where dir is.
func diskFree(dir string) (free uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, err
}
