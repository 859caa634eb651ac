package app

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// serviceManager is the systemd that started this process and wants to hear of it:
// sd_notify(3). The zero value is none.
type serviceManager struct {
	socket   string
	watchdog time.Duration // how often it wants to hear; 0: it does not
}

// findServiceManager takes what systemd has put into the environment out of it: Blender and
// what scripts start must not speak for the engine.
func findServiceManager() serviceManager {
	m := serviceManager{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // it can't fail for these
	}
	return m
}

// say tells systemd something; that it does not hear is its own trouble.
func (m serviceManager) say(lines ...string) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// inform tells systemd that the engine is ready and, as long as it answers, that it is alive,
// with a line on how it is, until ctx ends.
func (m serviceManager) inform(ctx context.Context, client *control.Client) {
	if m.socket == "" {
		return
	}
	every := 10 * time.Second
	if m.watchdog > 0 {
		every = min(every, m.watchdog/3)
	}
	ready := false
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, max(every, time.Second))
		st, err := client.Status(asking)
		cancel()
		if err == nil {
			lines := []string{"STATUS=" + oneLineStatus(st), "WATCHDOG=1"}
			if !ready {
				lines = append(lines, "READY=1")
			}
			m.say(lines...)
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
	m.say("STOPPING=1", "STATUS=ending")
}

// changing tells whether what is said of the engine will soon be wrong.
func changing(st api.Status) bool {
	return slices.ContainsFunc(st.Blenders, func(b api.BlenderStatus) bool {
		return b.State == api.BlenderStarting || b.State == api.BlenderStopping
	})
}

// oneLineStatus is an engine in a line.
func oneLineStatus(st api.Status) string {
	var parts []string
	for _, b := range st.Blenders {
		parts = append(parts, strings.TrimSpace("Blender "+b.Version)+" "+string(b.State))
	}
	parts = append(parts, strconv.Itoa(st.Queued)+" waiting", strconv.Itoa(len(st.Folders))+" folders")
	return strings.ReplaceAll(strings.Join(parts, ", "), "\n", " ")
}
