package app

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// findGPU returns "": what the machine has is not looked up here. A label in the settings says it.
func findGPU() string { return "" }

var (
	lastInput = windows.NewLazySystemDLL("user32.dll").NewProc("GetLastInputInfo")
	tickCount = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetTickCount")
)

// unused returns for how long no key was pressed and no mouse was moved in the session of this process. ok is false
// where the system does not say.
func unused() (d time.Duration, ok bool) {
	info := struct{ size, time uint32 }{size: 8}
	if done, _, _ := lastInput.Call(uintptr(unsafe.Pointer(&info))); done == 0 {
		return 0, false
	}
	now, _, _ := tickCount.Call()
	return time.Duration(uint32(now)-info.time) * time.Millisecond, true
}
