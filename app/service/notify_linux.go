package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// Notifier tells the systemd that has started this process how the engine is: sd_notify(3). The
// zero value tells nobody.
type Notifier struct {
	socket string
	// watchdog is after how long without a message systemd ends the process; 0 is never.
	watchdog time.Duration
}

// FindNotifier returns the notifier for the service manager that has started this process. It
// removes what systemd has put into the environment for that, because Blender and what scripts
// start must not speak for the engine.
func FindNotifier() Notifier {
	n := Notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // it can't fail for these names
	}
	return n
}

// Patience returns how long a process that systemd has started may take until it is ready; it is 0
// where nobody waits. The units give a start a minute.
func (n Notifier) Patience() time.Duration {
	if n.socket == "" {
		return 0
	}
	return 45 * time.Second
}

// StartsAgain tells whether the manager starts this process again when the process fails.
func (n Notifier) StartsAgain() bool { return n.socket != "" }

// say sends lines to systemd. When systemd does not listen, the engine can't help that.
func (n Notifier) say(lines ...string) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// Inform asks client how the engine is until ctx ends. It tells systemd when the engine is ready and,
// as long as the engine answers, that the engine is alive, with a line on how it is. When ctx has
// ended, it asks systemd for the time that stopTime returns, in which the engine ends.
func (n Notifier) Inform(ctx context.Context, client *control.Client, stopTime func() time.Duration) {
	if n.socket == "" {
		return
	}
	every := 10 * time.Second
	if n.watchdog > 0 {
		every = min(every, n.watchdog/3)
	}
	ready := false
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, max(every, time.Second))
		st, err := client.Status(asking)
		cancel()
		if err == nil {
			lines := []string{"STATUS=" + summary(st), "WATCHDOG=1"}
			if !ready {
				lines = append(lines, "READY=1")
			}
			n.say(lines...)
			ready = true
		}
		wait := every
		switch {
		case !ready:
			wait = 50 * time.Millisecond
		case changing(st):
			wait = min(every, 500*time.Millisecond)
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
	n.say("STOPPING=1", "STATUS=ending", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", stopTime().Microseconds()))
}

// changing tells whether what systemd was told of the engine will soon be wrong.
func changing(st api.Status) bool {
	return slices.ContainsFunc(st.Blenders, func(b api.BlenderStatus) bool {
		return b.State == api.BlenderStarting || b.State == api.BlenderStopping
	})
}

// summary returns a line on how the engine is.
func summary(st api.Status) string {
	var parts []string
	for _, b := range st.Blenders {
		if b.Resting {
			continue
		}
		parts = append(parts, strings.TrimSpace("Blender "+b.Version)+" "+string(b.State))
	}
	parts = append(parts, strconv.Itoa(st.Queued)+" waiting", strconv.Itoa(len(st.Folders))+" folders")
	return strings.ReplaceAll(strings.Join(parts, ", "), "\n", " ")
}
