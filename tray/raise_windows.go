//go:build !headless

package tray

import "golang.org/x/sys/windows"

var allowSetForegroundWindow = windows.NewLazySystemDLL("user32.dll").NewProc("AllowSetForegroundWindow")

// letRaise lets a process bring its window to the front. Windows lets only the program do so that a
// person has used last, which is the tray after a click on the icon.
func letRaise(pid int) {
	_, _, _ = allowSetForegroundWindow.Call(uintptr(pid)) // where it is refused, the window blinks in the task bar
}
