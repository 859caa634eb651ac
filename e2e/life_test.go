//go:build linux

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/control"
)

func TestAKilledEngineLeavesNoBlenderAndForgetsNothing(t *testing.T) {
	p := started(t, "")
	done := p.lastOf(p.save("done.py", "result = 1"))
	// Blender hangs in C with the interpreter locked: no Python in it can notice the death.
	hanging := p.save("hanging.py", "import ctypes\nprint('hangs', flush=True)\nctypes.PyDLL(None).sleep(1000)")
	var blenderPID int
	p.eventually("the hanging run is on", func() bool {
		s, _ := p.status()
		blenderPID = s.Blenders[0].PID
		return s.Running == 1
	})
	queued := p.save("queued.py", "result = 3")
	p.eventually("the other one waits", func() bool {
		s, _ := p.status()
		return s.Queued == 1
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the test has killed it
	died := time.Now()
	p.eventually("Blender is gone too", func() bool { return !alive(blenderPID) })
	if took := time.Since(died); took > 10*time.Second {
		t.Errorf("Blender lived on for %s", took)
	}
	if r := p.call("run", "-c", "pass"); r.code != 3 {
		t.Errorf("run without an engine: exit %d, want 3; %s", r.code, r.stderr)
	}

	p.start()
	p.waitReady()
	if run := p.lastOf(queued); run.State != api.Succeeded || string(run.Result) != "3" {
		t.Errorf("what was queued: %+v", run)
	}
	if run := p.lastOf(hanging); run.State != api.Interrupted {
		t.Errorf("what was running: %+v", run)
	}
	if run := p.show(done.ID); run.State != api.Succeeded || string(run.Result) != "1" {
		t.Errorf("what had ended: %+v", run)
	}
	if runs := p.runs(); len(runs) != 3 {
		t.Errorf("%d runs are known, want 3: %+v", len(runs), runs)
	}
}

func TestWhatChangedWhileNobodyLookedRunsAtTheNextStart(t *testing.T) {
	p := newProgram(t, "")
	old := p.save("old.py", "result = 'old'")
	p.start()
	p.waitReady()
	changed := p.save("changed.py", "result = 1")
	p.lastOf(changed)
	if runs := p.runs(); len(runs) != 1 {
		t.Errorf("a folder watched for the first time is only noted, yet: %+v", runs)
	}
	p.terminate()

	p.save("changed.py", "result = 2")
	added := p.save("added.py", "result = 3")
	p.start()
	p.waitReady()
	p.eventually("both have run", func() bool { return len(p.runs("--state", "succeeded")) == 3 })
	if run := p.lastOf(changed); string(run.Result) != "2" {
		t.Errorf("the changed script: %+v", run)
	}
	if run := p.lastOf(added); string(run.Result) != "3" {
		t.Errorf("the added script: %+v", run)
	}
	for _, run := range p.runs() {
		if run.Script == old {
			t.Errorf("a script that did not change ran: %+v", run)
		}
	}
}

// terminate ends the engine with SIGTERM and checks that it ends well.
func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("SIGTERM ended the engine with %v", err)
	}
}

func TestSIGTERMEndsEverythingCleanly(t *testing.T) {
	p := started(t, "")
	status, _ := p.status()
	p.terminate()
	if alive(status.Blenders[0].PID) {
		t.Error("Blender lives on")
	}
	if r := p.call("status"); r.code != 3 {
		t.Errorf("status without an engine: exit %d, want 3; %s%s", r.code, r.stdout, r.stderr)
	}
}

func TestASecondEngineSaysWhoIsThere(t *testing.T) {
	p := started(t, "")
	r := p.call("serve", "--config", p.config)
	status, _ := p.status()
	if r.code != 1 || !strings.Contains(r.stderr, fmt.Sprint(status.Engine.PID)) || status.Engine.PID != p.cmd.Process.Pid {
		t.Errorf("a second serve: exit %d, %s", r.code, r.stderr)
	}
}

func TestStopStartAndRestart(t *testing.T) {
	p := started(t, "")
	first := p.waitReady().Blenders[0].PID
	if r := p.call("stop"); r.code != 0 {
		t.Fatalf("stop: exit %d, %s", r.code, r.stderr)
	}
	if s, _ := p.status(); s.Blenders[0].State != api.BlenderStopped || alive(first) {
		t.Errorf("after stop: %+v", s.Blenders[0])
	}
	waiting := p.save("waiting.py", "result = 'at last'")
	p.eventually("the save is queued", func() bool {
		s, _ := p.status()
		return s.Queued == 1
	})
	if r := p.call("start"); r.code != 0 {
		t.Fatalf("start: exit %d, %s", r.code, r.stderr)
	}
	if run := p.lastOf(waiting); run.State != api.Succeeded {
		t.Errorf("what waited: %+v", run)
	}
	second := p.waitReady().Blenders[0].PID
	if r := p.call("restart"); r.code != 0 {
		t.Fatalf("restart: exit %d, %s", r.code, r.stderr)
	}
	if third := p.waitReady().Blenders[0].PID; third == second || alive(second) {
		t.Errorf("after restart the process is %d, before it was %d", third, second)
	}
}

func TestWithoutBlenderTheEngineSaysSoAndStays(t *testing.T) {
	p := newProgram(t, "[blender]\npath = \"/nonexistent/blender\"\n")
	p.start()
	p.eventually("the status says failed", func() bool {
		s, ok := p.status()
		return ok && s.Blenders[0].State == api.BlenderFailed
	})
	s, _ := p.status()
	if !strings.Contains(s.Blenders[0].Reason, "/nonexistent/blender") {
		t.Errorf("the reason is %q", s.Blenders[0].Reason)
	}
	p.terminate()
}

func TestCtrlCCancelsTheRun(t *testing.T) {
	p := started(t, "")
	cmd := p.command("run", "-c", "print('on', flush=True)\nwhile True: pass")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the test checks the exit code
	if code := cmd.ProcessState.ExitCode(); code != 6 {
		t.Errorf("Ctrl-C: exit %d, want 6", code)
	}
	run := p.runs("-n", "1")[0]
	if run.State != api.Cancelled {
		t.Errorf("the run: %+v", run)
	}
	if s, _ := p.status(); s.Blenders[0].PID != p.waitReady().Blenders[0].PID {
		t.Error("a soft cancel cost a Blender")
	}
}

func TestFilesAreOpenToTheirUserAlone(t *testing.T) {
	p := started(t, "")
	p.lastOf(p.save("x.py", "result = 1"))
	err := filepath.WalkDir(p.home, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		if d.IsDir() && d.Name() == "compiled" {
			return fs.SkipDir // Python makes what is in it, and nobody else gets that far
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A second user of the machine can neither read the status nor run a script, whatever the file
// modes are.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test changes its user, so it must run as root; CI does")
	}
	p := started(t, "")
	for dir := p.home; dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // so that only the socket itself refuses the user
			t.Fatal(err)
		}
		if dir == os.TempDir() {
			break
		}
	}
	for _, args := range [][]string{{"status"}, {"run", "-c", "open('/tmp/never', 'w')"}} {
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("blendtray %s as another user: %s", strings.Join(args, " "), out)
		}
	}
	if runs := p.runs(); len(runs) != 0 {
		t.Errorf("another user's run: %+v", runs)
	}
}

// apiClient is the control interface as another program uses it: HTTP on the socket.
type apiClient struct{ *control.Client }

func (p *program) apiClient() apiClient {
	p.t.Helper()
	return apiClient{control.NewClient(p.socket())}
}

// wait submits code and waits for the end of its run.
func (a apiClient) wait(code string) (api.Run, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	run, err := a.Submit(ctx, api.Submission{Code: []byte(code), Name: "test", Scene: "keep"})
	for err == nil && !run.State.Final() {
		time.Sleep(10 * time.Millisecond) // between two requests
		run, err = a.Run(ctx, run.ID)
	}
	return run, err
}
