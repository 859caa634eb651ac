package blender

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"blendtray/api"
)

// daemon is a script that starts a program which leaves the script's group, session, parent and
// environment, and that prints the program's process id.
const daemon = `import os, warnings
warnings.simplefilter("ignore") # Python 3.12 and later warn of a fork beside threads
reads, writes = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writes, b"%d" % os.getpid())
        os.closerange(0, 100)
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os._exit(0)
os.waitpid(child, 0)
print(os.read(reads, 100).decode(), flush=True)
`

// startDaemon has a run leave such a program behind.
func startDaemon(t *testing.T, s *Supervisor, req Request) (pid int) {
	t.Helper()
	req.Code = []byte(daemon)
	out, r := do(t, s, req)
	pid, err := strconv.Atoi(strings.TrimSpace(r.text()))
	if err != nil {
		t.Fatalf("%+v, %+v, printed %q", out, out.Error, r.text())
	}
	return pid
}

func TestWhatARunLeavesRunningEndsWithItsBlender(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	ends := map[string]func(){
		"stopped": func() {
			if err := s.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			s.Start()
		},
		"crashed": func() { do(t, s, Request{Code: []byte("import os\nos.abort()")}) },
	}
	for how, end := range ends {
		pid := startDaemon(t, s, Request{})
		do(t, s, Request{Code: []byte("pass")})
		if !alive(pid) {
			t.Error("it did not outlive its run")
		}
		end()
		eventually(t, "it ends with the Blender that was "+how, func() bool { return !alive(pid) })
	}
}

func TestWhatARunLeavesRunningEndsWithTheRunWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	before := startDaemon(t, s, Request{})
	pid := startDaemon(t, s, Request{Leftover: LeftoverRun})
	eventually(t, "it ends", func() bool { return !alive(pid) })
	if !alive(before) {
		t.Error("what another run has left is gone, too")
	}
	blender := s.Status().PID
	if out, _ := do(t, s, Request{Code: []byte("pass"), Leftover: LeftoverRun}); out.Verdict != Succeeded || s.Status().PID != blender {
		t.Errorf("the next run: %+v", out)
	}
}

func TestANewNumberOfKinIsLowerThanTheFirst(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	numbers := []kin{1 << 63}
	for range 10 {
		number := markKin(cmd.Process.Pid)
		if number == 0 || number >= numbers[len(numbers)-1] || !number.has(cmd.Process.Pid) {
			t.Fatalf("after %v comes %d", numbers, number)
		}
		numbers = append(numbers, number)
	}
	tooLow := unix.Rlimit{Cur: leastKin, Max: leastKin}
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_LOCKS, &tooLow, nil); err != nil {
		t.Fatal(err)
	}
	if number := markKin(cmd.Process.Pid); number != 0 {
		t.Errorf("a process with a limit of its own got the number %d", number)
	}
	kin(leastKin-1).kill(0, nil)
	kin(leastKin).kill(0, nil)
	if err := cmd.Wait(); !strings.Contains(fmt.Sprint(err), "killed") {
		t.Error(err)
	}
}

// daemonVariable makes the test binary an engine whose script has left a program running, whose
// process id it prints before it waits to be killed.
const daemonVariable = "BLENDTRAY_TEST_DAEMON"

func init() {
	programs[daemonVariable] = func(dir string) {
		s := New(Config{BlenderSpec: api.BlenderSpec{Dir: dir, BlenderSettings: api.BlenderSettings{FactoryStartup: true}}})
		go func() { _ = s.Serve(context.Background()) }()
		r := newRecorder()
		_, _ = s.Run(context.Background(), Request{ID: "1", Code: []byte(daemon)}, r) // what it printed is looked at
		fmt.Print(r.text())
		select {}
	}
}

func TestWhatTheRunsOfAKilledEngineLeftEndsAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, err := strconv.Atoi(killedEngine(t, daemonVariable, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if !alive(pid) {
		t.Error("it ended with the engine") // then this tests nothing
	}
	s, end := alongside(dir)
	defer end()
	ready(t, s)
	eventually(t, "it is gone", func() bool { return !alive(pid) })
	if left := temps(t, dir); len(left) != 2 {
		t.Errorf("there is %v", left)
	}
}

func TestADiscardedBlenderIsGoneAtOnceWithAllItHasLeft(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{StopGrace: time.Hour}) // it is not asked to quit
	pid := startDaemon(t, s, Request{})
	blender := s.Status().PID
	do(t, s, Request{Code: []byte("import atexit, time\natexit.register(time.sleep, 1000)")})
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	s.Discard("it has done its run")
	<-inst.proc.exited
	if alive(blender) {
		t.Error("it lives on")
	}
	eventually(t, "what it has left is gone", func() bool { return !alive(pid) })
	if _, err := os.Stat(inst.temp.path); err == nil {
		t.Error("its temporary files are left")
	}
	ready(t, s)
	if next, _ := do(t, s, Request{Code: []byte("pass")}); next.Verdict != Succeeded || s.Status().PID == blender {
		t.Errorf("the next run: %+v", next)
	}
}
