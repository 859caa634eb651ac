//go:build !windows

package app

// withoutConsole is the program itself: here it opens none.
func withoutConsole(program string) string { return program }
