//go:build !linux

package doctor

// examineWatching finds nothing: this system has no limit on watching that is ever reached.
func examineWatching() []Finding { return nil }
