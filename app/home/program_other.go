//go:build !windows

package home

// withoutConsole returns the program itself: on this system no program opens a console.
func withoutConsole(program string) string { return program }
