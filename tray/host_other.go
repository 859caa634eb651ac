//go:build !headless && !linux

package tray

// IconHost tells whether something shows tray icons: these systems always do.
func IconHost() (ok bool, why string) { return true, "" }
