//go:build !linux && !darwin && !freebsd && !windows

package watcher

// IsRemote knows nothing here; [Folder.Poll] is for such folders.
func IsRemote(string) bool { return false }
