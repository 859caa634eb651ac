//go:build !headless && !linux

package tray

// trayHost tells whether something shows tray icons: these systems always do.
func trayHost() (ok bool, why string) { return true, "" }
