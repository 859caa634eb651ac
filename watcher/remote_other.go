//go:build !linux && !darwin && !freebsd && !windows

package watcher

// IsRemote always returns false: these systems do not say. Such folders need the setting poll.
func IsRemote(string) bool { return false }
