package app

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// findGPU returns the name of a graphics card that can compute, or "".
func findGPU() string {
	if cards, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information"); len(cards) > 0 {
		text, _ := os.ReadFile(cards[0]) // then the name is not known
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "Model:"); ok {
				return strings.TrimSpace(name)
			}
		}
		return "NVIDIA"
	}
	if nodes, _ := filepath.Glob("/dev/dri/renderD*"); len(nodes) > 0 {
		return filepath.Base(nodes[0])
	}
	return ""
}

// unused returns for how long no session of the machine was used, as the login manager says. ok is false where
// there is no login manager, or no session.
func unused() (d time.Duration, ok bool) {
	bus, err := dbus.SystemBus()
	if err != nil {
		return 0, false
	}
	login := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	var sessions []any
	if err := login.Call("org.freedesktop.login1.Manager.ListSessions", 0).Store(&sessions); err != nil || len(sessions) == 0 {
		return 0, false
	}
	idle, err := login.GetProperty("org.freedesktop.login1.Manager.IdleHint")
	if err != nil {
		return 0, false
	}
	if is, _ := idle.Value().(bool); !is {
		return 0, true
	}
	since, err := login.GetProperty("org.freedesktop.login1.Manager.IdleSinceHint")
	µs, known := since.Value().(uint64)
	if err != nil || !known {
		return 0, false
	}
	return time.Since(time.UnixMicro(int64(µs))), true
}
