//go:build !linux && !windows

package app

import (
	"context"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// findGPU returns "": what the machine has is not looked up here. A label in the settings says it.
func findGPU() string { return "" }

// hidIdle is where ioreg says for how many nanoseconds nobody has used keyboard and mouse.
var hidIdle = regexp.MustCompile(`"HIDIdleTime" = (\d+)`)

// unused returns for how long nobody has used the machine. ok is false where the system does not say.
func unused() (d time.Duration, ok bool) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	out, err := exec.CommandContext(ctx, "ioreg", "-c", "IOHIDSystem", "-d", "4").Output()
	if err != nil {
		return 0, false
	}
	found := hidIdle.FindSubmatch(out)
	if found == nil {
		return 0, false
	}
	ns, err := strconv.ParseInt(string(found[1]), 10, 64)
	return time.Duration(ns), err == nil
}
