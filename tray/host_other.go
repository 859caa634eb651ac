//go:build !headless && !linux && !windows

package tray

// IconHost reports whether something shows tray icons. These systems always do.
func IconHost() (ok bool, why string) { return true, "" }
