//go:build !headless && !windows

package tray

// letRaise does nothing: these systems let each process bring its window to the front.
func letRaise(int) {}
