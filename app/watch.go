package app

import (
	"blendtray/engine"
	"blendtray/watcher"
)

// newWatcher makes the watcher that an engine asks for.
func newWatcher(c engine.WatcherConfig) (engine.Watcher, error) {
	return watcher.New(watcher.Config{
		Folders: c.Folders,
		Known:   c.Known,
		Save:    c.Save,
		Scanned: c.Scanned,
		Changed: c.Changed,
		Logger:  c.Logger,
	})
}
