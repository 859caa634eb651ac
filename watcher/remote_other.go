//go:build !linux && !darwin && !freebsd && !windows

package watcher

// IsRemote knows nothing here; the setting poll is for such folders.
func IsRemote(string) bool { return false }
