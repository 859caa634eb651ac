//go:build !linux

package watcher

// holderOf always returns "" and 0: these systems do not say who has a file open.
func holderOf(string) (name string, pid int) { return "", 0 }
