//go:build !headless

package tray

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var findWindow = windows.NewLazySystemDLL("user32.dll").NewProc("FindWindowW")

// IconHost reports whether Windows shows tray icons, and if not, why. The taskbar shows them. At login, a program may
// start before the taskbar, and a server without a desktop has none.
func IconHost() (ok bool, why string) {
	// Shell_NotifyIcon, which shows an icon, looks for a window of this class, too.
	class, err := windows.UTF16PtrFromString("Shell_TrayWnd")
	if err != nil {
		return true, "" // nobody knows
	}
	if found, _, _ := findWindow.Call(uintptr(unsafe.Pointer(class)), 0); found == 0 {
		return false, english("the taskbar of Windows is not running.")
	}
	return true, ""
}
