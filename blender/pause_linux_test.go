package blender

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// stopped tells whether a process is stopped.
func stopped(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "T")
}

// paused waits until a supervisor starts a process, pauses it, and returns its process id.
func paused(t *testing.T, s *Supervisor) int {
	t.Helper()
	eventually(t, "a Blender is paused", s.Pause)
	pid := 0
	eventually(t, "it is stopped", func() bool { // the status has the process a moment later
		pid = s.Status().PID
		return stopped(pid)
	})
	return pid
}

func TestABlenderThatStartsCanBePausedForLongerThanAStartMayTake(t *testing.T) {
	t.Parallel()
	timeout := time.Minute
	s := serve(t, with(api.BlenderSettings{StartTimeout: api.Duration(timeout)}))
	pid := paused(t, s)
	s.mu.Lock()
	process := s.starting.proc
	s.mu.Unlock()
	// As if the pause had begun that much earlier.
	process.pauses.mu.Lock()
	process.pauses.since = process.pauses.since.Add(-2 * timeout)
	process.pauses.mu.Unlock()
	if s.Pause(); process.paused() < 2*timeout || !stopped(pid) {
		t.Errorf("paused for %s", process.paused())
	}
	s.Resume()
	if out, _ := do(t, s, Request{Code: []byte("pass")}); out.Verdict != Succeeded || s.Status().PID != pid {
		t.Errorf("%+v, %+v", out, out.Error)
	}
	if s.Pause() || stopped(pid) {
		t.Error("a Blender that is ready can be paused")
	}
	s.Resume()
}

func TestAPauseDoesNotCountAsTimeToStart(t *testing.T) {
	t.Parallel()
	// A shell that waits for a stopped child in vfork does not count as stopped: so exec.
	s := serve(t, with(api.BlenderSettings{StartTimeout: api.Duration(6 * time.Second), Path: program(t, `[ "$2" = --version ] && { echo "Blender 4.2.0"; exit; }
exec sleep 1000`)}))
	pid := paused(t, s)
	select {
	case <-time.After(8 * time.Second): // what is tested is that nothing happens
	case <-gone(pid):
		t.Error("it was killed in its pause")
	}
	s.Resume()
	select {
	case <-time.After(patience):
		t.Error("it was not killed after its pause")
	case <-gone(pid):
	}
}

// gone is closed when a process is gone.
func gone(pid int) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for alive(pid) {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return done
}

func TestABlenderThatIsPausedCanBeStopped(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	pid := paused(t, s)
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it lives on")
	}
}
