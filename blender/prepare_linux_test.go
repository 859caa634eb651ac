package blender

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// hangs has the next fresh scene of a Blender made for ever.
const hangs = `import gc, sys, time
def hang(*_):
    if sys._getframe(1).f_code.co_name == "forget_scripts":
        time.sleep(1000)
gc.callbacks.append(hang)`

func TestASceneThatIsMadeForEverEndsBlenderAndNotTheRun(t *testing.T) {
	was := freshTime
	freshTime = 2 * time.Second
	defer func() { freshTime = was }()
	s := serve(t, Config{})
	do(t, s, Request{Code: []byte(hangs)})
	_, err := s.Run(context.Background(), Request{ID: "1", Scene: "fresh", Isolation: api.IsolateScene, Code: []byte("pass")}, newRecorder())
	var preparing *PreparingError
	if !errors.Is(err, ErrNotStarted) || !errors.As(err, &preparing) {
		t.Fatalf("Run: %v", err)
	}
	if out, _ := do(t, s, Request{Code: []byte("pass")}); out.Verdict != Succeeded {
		t.Errorf("the next run: %+v", out)
	}
}

func TestABlenderThatIsKilledBeforeARunBeginsIsNotTheRunsFault(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	for name, scene := range map[string]string{"while it makes the scene": "fresh", "before it takes the run": ""} {
		if scene != "" {
			do(t, s, Request{Code: []byte(hangs)})
		}
		ready(t, s)
		pid := s.Status().PID
		if scene == "" {
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.Run(context.Background(), Request{ID: "1", Scene: scene, Isolation: api.IsolateScene, Code: []byte("pass")}, newRecorder())
			done <- err
		}()
		eventually(t, "the run is taken", func() bool { return s.Status().Run == "1" })
		if scene != "" {
			eventually(t, "the scene is being made", func() bool {
				s.mu.Lock()
				inst := s.current
				s.mu.Unlock()
				inst.mu.Lock()
				defer inst.mu.Unlock()
				return inst.active != nil && inst.active.isUnderway()
			})
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, ErrNotStarted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABlenderThatSomebodyKillsIsNotTheScriptsFault(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	for code, want := range map[string]bool{
		"import os, signal; os.kill(os.getpid(), signal.SIGKILL)": true,
		"import os; os.abort()":                                   false,
	} {
		if out, _ := do(t, s, Request{Code: []byte(code)}); out.Verdict != Crashed || out.FromOutside != want {
			t.Errorf("%s: %+v, %+v", code, out, out.Error)
		}
	}
}
