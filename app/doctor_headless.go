//go:build headless

package app

// examineDisplay has nothing to look for: this build shows nothing.
func examineDisplay() []finding { return []finding{right("tray", "this build has none")} }
