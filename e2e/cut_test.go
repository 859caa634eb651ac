//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blendtray/api"
)

// waiting returns the process of the Blender that waits for the next run.
func (p *program) waiting() int {
	p.t.Helper()
	pid := 0
	p.eventually("a Blender waits", func() bool {
		s, _ := p.status()
		for _, b := range s.Processes {
			if b.Use == "waiting" && b.State == api.BlenderReady {
				pid = b.PID
			}
		}
		return pid != 0
	})
	return pid
}

// signal sends a signal to a process.
func (p *program) signal(pid int, s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		p.t.Fatal(err)
	}
}

// isRunning waits until a script is running, and returns its run.
func (p *program) isRunning(path string) (found api.Run) {
	p.t.Helper()
	p.eventually(path+" is running", func() bool {
		for _, run := range p.runs("--state", "running") {
			if run.Script == path {
				found = run
			}
		}
		return found.ID != ""
	})
	return found
}

// counting is a script that counts in a file how often it has begun.
const counting = "open(__file__ + '.begun', 'a').write('x')\n"

// begun returns how often a script of counting has begun.
func (p *program) begun(path string) int {
	text, err := os.ReadFile(path + ".begun")
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	return len(text)
}

func TestWhatHadNotBegunWhenTheEngineOrBlenderDiedRunsOnce(t *testing.T) {
	p := started(t, "[fleet]\nahead = 1\n")
	for name, who := range map[string]func(blender int) int{
		"engine.py":  func(int) int { return p.cmd.Process.Pid },
		"blender.py": func(blender int) int { return blender },
	} {
		pid := p.waiting()
		p.signal(pid, syscall.SIGSTOP) // it takes the run and does not begin
		path := p.save(name, counting+"result = 'once'")
		p.isRunning(path)
		p.signal(who(pid), syscall.SIGKILL)
		if who(pid) != pid {
			_ = p.cmd.Wait() // the test has killed it
			p.start()
			p.waitReady()
		}
		if run := p.lastOf(path); run.State != api.Succeeded || string(run.Result) != `"once"` {
			t.Errorf("%s: %+v", name, run)
		}
		if n := p.begun(path); n != 1 {
			t.Errorf("%s has begun %d times", name, n)
		}
	}
	for _, run := range p.runs() {
		if run.State != api.Succeeded {
			t.Errorf("%+v", run)
		}
	}
}

func TestAFolderMayHaveRunsRepeatedThatWereCutOff(t *testing.T) {
	p := newProgram(t, "")
	text, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.config, append(text, "retries = 2\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.waitReady()
	path := p.save("a.py", counting+"import os, time\nwhile os.path.getsize(__file__ + '.begun') < 3: time.sleep(0.01)\nresult = 'at last'")
	run := p.isRunning(path)
	p.eventually("it has begun", func() bool { return p.begun(path) == 1 })
	p.signal(p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // the test has killed it
	p.start()
	p.eventually("the engine answers", func() bool { _, ok := p.status(); return ok })
	p.eventually("it has begun again", func() bool { return p.begun(path) == 2 })
	blender := 0
	p.eventually("its Blender is known", func() bool {
		s, _ := p.status()
		for _, b := range s.Processes {
			if b.Run != "" {
				blender = b.PID
			}
		}
		return blender != 0
	})
	p.signal(blender, syscall.SIGKILL)
	p.eventually("it has ended", func() bool {
		runs := p.runs()
		return len(runs) == 3 && runs[0].State == api.Succeeded
	})
	runs := p.runs()
	if runs[2].State != api.Interrupted || runs[1].State != api.Crashed || runs[1].RetryOf != run.ID || runs[0].RetryOf != runs[1].ID {
		t.Errorf("%+v", runs)
	}
}

func TestASaveOfTheSameBytesRunsAfterSomebodyHasKilledBlender(t *testing.T) {
	p := started(t, "")
	const code = counting + "import os, time\nwhile os.path.getsize(__file__ + '.begun') < 2: time.sleep(0.01)"
	path := p.save("a.py", code)
	p.isRunning(path)
	p.eventually("it has begun", func() bool { return p.begun(path) == 1 })
	s, _ := p.status()
	p.signal(s.Blenders[0].PID, syscall.SIGKILL)
	if run := p.lastOf(path); run.State != api.Crashed {
		t.Errorf("%+v", run)
	}
	p.save("a.py", code)
	p.eventually("it has run again", func() bool { return len(p.runs("--state", "succeeded")) == 1 })
}

func TestACleanStopLetsTheRunEnd(t *testing.T) {
	p := started(t, "")
	path := p.save("a.py", counting+"import os, time\nwhile not os.path.exists(__file__ + '.go'): time.sleep(0.01)\nresult = 1")
	p.eventually("it has begun", func() bool { return p.begun(path) == 1 })
	p.signal(p.cmd.Process.Pid, syscall.SIGTERM)
	p.eventually("the engine says what it waits for", func() bool { return strings.Contains(p.printed(), "(a.py) has ended") })
	if err := os.WriteFile(path+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM ended the engine with %v", err)
	}
	p.start()
	p.waitReady()
	if run := p.lastOf(path); run.State != api.Succeeded || string(run.Result) != "1" || len(p.runs()) != 1 {
		t.Errorf("%+v", run)
	}
}

func TestACleanStopMayQueueTheRunAgain(t *testing.T) {
	p := started(t, "[runs]\non_stop = \"requeue\"\n")
	path := p.save("a.py", counting+"import os, time\nwhile os.path.getsize(__file__ + '.begun') < 2: time.sleep(0.01)\nresult = 1")
	p.eventually("it has begun", func() bool { return p.begun(path) == 1 })
	p.terminate()
	p.start()
	p.waitReady()
	if run := p.lastOf(path); run.State != api.Succeeded || len(p.runs()) != 1 || p.begun(path) != 2 {
		t.Errorf("%+v; it has begun %d times", run, p.begun(path))
	}
	if left, err := filepath.Glob(filepath.Join(p.home, "journals", "*")); err != nil || len(left) != 0 {
		t.Errorf("journals are left: %v %v", left, err)
	}
}
