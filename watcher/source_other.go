//go:build !linux

package watcher

func newSource(h hintFunc) (source, error) { return newPortable(h) }

func watchError(error) string { return "" }
