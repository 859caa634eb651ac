//go:build !unix

package watcher

// quoted returns a path as a person would type it in a shell. No path of Windows has a quote.
func quoted(path string) string { return `"` + path + `"` }
