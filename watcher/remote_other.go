//go:build !linux && !darwin && !freebsd && !windows

package watcher

// isRemote knows nothing here; [Folder.Poll] is for such folders.
func isRemote(string) bool { return false }
