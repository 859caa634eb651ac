package watcher

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// IsRemote reports whether a folder lies where the system's events can't be relied on.
func IsRemote(dir string) bool {
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(dir) + `\`)
	if err != nil {
		return false // there is no such folder, which the caller finds out next
	}
	return windows.GetDriveType(root) == windows.DRIVE_REMOTE
}
