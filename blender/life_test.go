//go:build unix

package blender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// program writes a shell script that stands for a Blender which is broken.
func program(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blender")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// failure waits until a supervisor is failed, and returns why.
func failure(t *testing.T, s *Supervisor) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.Ready(ctx)
	var failed *FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("Ready: %v, want a failure", err)
	}
	if s.Status().State != api.BlenderFailed {
		t.Errorf("state %s, want failed", s.Status().State)
	}
	return failed.Reason
}

// ready waits until a supervisor can take a run.
func ready(t *testing.T, s *Supervisor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

func TestWhatCannotBeABlenderFailsAtOnceAndSaysWhy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "blender.txt")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"no such file", filepath.Join(folder, "none"), "there is no such file"},
		{"a folder", folder, "is a folder"},
		{"a text", file, "can't be started"},
		{"another program", program(t, "echo hello"), "is no Blender"},
		{"an old one", program(t, "echo 'Blender 2.79 (sub 0)'"), "the oldest that works"},
		{"a broken one", program(t, "echo 'error while loading shared libraries' >&2; exit 127"), "shared libraries"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, with(api.BlenderSettings{Path: c.path}))
			if reason := failure(t, s); !strings.Contains(reason, c.want) || !strings.Contains(reason, folderOf(c.path)) {
				t.Errorf("the reason is %q, and should hold %q and the path", reason, c.want)
			}
			if _, err := s.Run(context.Background(), Request{ID: "1", Code: []byte("pass")}, newRecorder()); err == nil {
				t.Error("a run was taken")
			}
		})
	}
}

func TestWhatCannotBeABlenderNamesTheSettingThatNamesAnother(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for name, want := range map[string]string{
		api.DefaultBlender: "`blendtray settings blender.path PATH` names another program",
		"old":              "`blendtray settings blenders.old.path PATH` names another program",
		"4.5.1":            none + ": there is no such file", // which only the machine has
		none:               none + ": there is no such file",
	} {
		cfg := with(api.BlenderSettings{Path: none})
		cfg.Name = name
		if reason := failure(t, serve(t, cfg)); !strings.HasSuffix(reason, want) {
			t.Errorf("of %s it says %q, want %q", name, reason, want)
		}
	}
}

func folderOf(path string) string { return filepath.Dir(path) }

func TestABlenderThatAlwaysEndsAtItsStartIsGivenUpAndTriedAgainWhenAsked(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "starts")
	s := serve(t, with(api.BlenderSettings{Path: program(t, `[ "$2" = --version ] && { echo "Blender 4.2.0"; exit; }
echo >> `+trace+`
echo "out of order"; exit 11`)}))
	reason := failure(t, s)
	for _, want := range []string{"5 times", "exit code 11", "out of order"} {
		if !strings.Contains(reason, want) {
			t.Errorf("the reason is %q, and should hold %q", reason, want)
		}
	}
	starts := func() int { text, _ := os.ReadFile(trace); return len(text) }
	if starts() != 5 {
		t.Errorf("it was started %d times, want 5", starts())
	}
	s.Start()
	eventually(t, "it is started again", func() bool { return starts() > 5 })
}

func TestABlenderThatIsNeverReadyIsKilled(t *testing.T) {
	t.Parallel()
	s := serve(t, with(api.BlenderSettings{StartTimeout: api.Duration(50 * time.Millisecond), Path: program(t, `[ "$2" = --version ] && { echo "Blender 4.2.0"; exit; }
sleep 1000`)}))
	if reason := failure(t, s); !strings.Contains(reason, "not ready") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestATakenPortIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	var door door
	cfg := with(api.BlenderSettings{Port: uint16(port)})
	cfg.Announce = door.open
	s := serve(t, cfg)
	eventually(t, "the status names the port", func() bool {
		st := s.Status()
		return st.State == api.BlenderStarting && strings.Contains(st.Reason, fmt.Sprint(port)) && strings.Contains(st.Reason, "blender.port")
	})
	l.Close()
	ready(t, s)
	addr, token := door.address()
	if addr != fmt.Sprintf("127.0.0.1:%d", port) || token == "" {
		t.Errorf("it is reached at %s, %q", addr, token)
	}
	if err := s.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, again := door.address(); again == token || door.shut != 1 {
		t.Errorf("after %d ends the token is %s, and was %s", door.shut, again, token)
	}
}

func TestOtherProgramsCantConnectToABlenderThatIsNotAnnounced(t *testing.T) {
	t.Parallel()
	s := serve(t, with(api.BlenderSettings{Port: 1})) // which needs rights that tests may not have
	ready(t, s)
	if port := s.Status().Port; port != 0 {
		t.Errorf("it listens on %d", port)
	}
}

// Blender executes what lies in these folders, compiled files among it.
func TestABlenderIsNotStartedFromAFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	for _, name := range []string{".", "tmp", "compiled", "addon"} {
		dir := t.TempDir()
		theirs := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(theirs, 0o700), os.Chown(theirs, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		s, end := alongside(dir)
		if reason := failure(t, s); !strings.Contains(reason, theirs+" belongs to another user") {
			t.Errorf("with %s of another user: %s", name, reason)
		}
		end()
	}
}

func TestABlenderWhoseWrapperClosesTheSocketIsReachedByItsPort(t *testing.T) {
	t.Parallel()
	blender, err := exec.LookPath("blender")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, with(api.BlenderSettings{Path: program(t, "exec '"+blender+"' \"$@\" 3>&-\n")}))
	ready(t, s)
	if s.Status().Port == 0 {
		t.Error("it has no port")
	}
	if out, _ := do(t, s, Request{Code: []byte("result = 7")}); string(out.Result) != "7" {
		t.Errorf("it is %+v, %+v", out, out.Error)
	}
}

func TestStopStartAndRestart(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	ready(t, s)
	first := s.Status().PID
	ctx := context.Background()
	running := make(chan Outcome, 1)
	r := newRecorder()
	go func() {
		out, err := s.Run(ctx, Request{ID: "1", Code: []byte("print('on', flush=True)\nwhile True: pass")}, r)
		if err != nil {
			t.Errorf("the run that is stopped: %v", err)
		}
		running <- out
	}()
	<-r.printed
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if out := <-running; out.Verdict != Cancelled {
		t.Errorf("a run whose Blender is stopped is %+v, want cancelled", out)
	}
	if st := s.Status(); st.State != api.BlenderStopped || st.PID != 0 || alive(first) {
		t.Errorf("after Stop: %+v", st)
	}
	if err := s.Ready(ctx); !errors.Is(err, ErrStopped) {
		t.Errorf("Ready of a stopped Blender: %v", err)
	}
	if _, err := s.Run(ctx, Request{ID: "2", Code: []byte("pass")}, newRecorder()); !errors.Is(err, ErrStopped) {
		t.Errorf("Run in a stopped Blender: %v", err)
	}
	s.Start()
	ready(t, s)
	second := s.Status().PID
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if third := s.Status().PID; third == second || alive(second) {
		t.Errorf("after Restart the process is %d, before it was %d", third, second)
	}
}

func TestABlenderThatDoesNotMoveIsStoppedAllTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{StopGrace: 50 * time.Millisecond})
	ready(t, s)
	pid := s.Status().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it lives on")
	}
}

func TestACrashWhileIdleIsMadeGood(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	ready(t, s)
	first := s.Status().PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another Blender is ready", func() bool {
		st := s.Status()
		return st.State == api.BlenderReady && st.PID != first
	})
}

func TestABlenderIsReplacedAfterItsNumberOfRuns(t *testing.T) {
	t.Parallel()
	s := serve(t, with(api.BlenderSettings{MaxRuns: 2}))
	pids := map[string]int{}
	for range 4 {
		out, _ := do(t, s, Request{Code: []byte("import os\nresult = os.getpid()")})
		pids[string(out.Result)]++
	}
	if len(pids) != 2 {
		t.Errorf("four runs, two for each Blender, were in %v", pids)
	}
}

func TestABlenderIsReplacedWhenItHasTooMuchMemory(t *testing.T) {
	t.Parallel()
	s := serve(t, with(api.BlenderSettings{MaxMemory: 1 << 20})) // which no Blender fits into
	first, _ := do(t, s, Request{Code: []byte("import os\nresult = os.getpid()")})
	second, _ := do(t, s, Request{Code: []byte("import os\nresult = os.getpid()")})
	if string(first.Result) == string(second.Result) {
		t.Error("a Blender over its limit goes on")
	}
}

func TestStatusChangesAreToldInOrder(t *testing.T) {
	t.Parallel()
	told := make(chan api.BlenderStatus, 100)
	s := serve(t, Config{Changed: func(st api.BlenderStatus) { told <- st }})
	do(t, s, Request{Code: []byte("pass")})
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	var states []api.BlenderState
	for len(told) > 0 {
		if st := <-told; len(states) == 0 || states[len(states)-1] != st.State {
			states = append(states, st.State)
		}
	}
	want := []api.BlenderState{api.BlenderStarting, api.BlenderReady, api.BlenderRunning, api.BlenderReady, api.BlenderStopping, api.BlenderStopped}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("told %v, want %v", states, want)
	}
}
