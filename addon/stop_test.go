//go:build unix

package addon

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// soon is how long Blender may take to end when its lifeline is cut. A script that holds Python's
// lock for ever takes a second; the rest is for a busy machine.
const soon = 10 * time.Second

func TestBlenderEndsByItselfWhenItsSupervisorIsGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what, code string
		killed     bool // the alarm kills Blender, because no Python code can run any more
	}{
		{"nothing", "", false},
		{"a loop", "while True: pass", false},
		{"a loop that ignores interrupts", "while True:\n  try:\n    while True: pass\n  except BaseException: pass", false},
		{"sleep", "import time; time.sleep(1000)", false},
		{"a child process", "import subprocess; subprocess.run(['sleep', '5'], stdout=-3, stderr=-3)", false},
		{"a thread that stays", "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()", false},
		{"an exit handler that stays", "import atexit, time; atexit.register(time.sleep, 1000)", false},
		{"its own handlers of signals", "import signal\nfor n in (1, 2, 14, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass", false},
		{"an await", "import asyncio; await asyncio.sleep(1000)", false},
		{"C that holds the lock", "import itertools; sum(itertools.repeat(0))", true},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			p := startSupervised(t)
			s := connect(t, p)
			if test.killed {
				s.startToHold(test.code)
			} else if test.code != "" {
				// The progress comes after the script has begun.
				s.start("import tcp_echo; tcp_echo.progress(0)\n" + test.code)
				s.receiveType("started")
				for {
					// A script that ends at once may send nothing but its end.
					m := s.receive()
					if m == nil {
						t.Fatal("closed before the script began")
					}
					if kind := m.text("type"); kind == "progress" || kind == "finished" {
						break
					}
				}
			}
			began := time.Now()
			if err := p.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			code := p.exitCode(t)
			if took := time.Since(began); took > soon {
				t.Errorf("took %v", took)
			}
			if !test.killed {
				check(t, "the exit code", code, 0)
				return
			}
			status := p.command.ProcessState.Sys().(syscall.WaitStatus)
			if code != 0 && status.Signal() != syscall.SIGALRM {
				t.Errorf("ended with %v", p.command.ProcessState)
			}
		})
	}
}

// startToHold starts a run of code that holds Python's lock for ever. The code begins when the message
// "started" has come, which Blender may send a little later, on a thread that needs the lock.
func (s *session) startToHold(code string) {
	s.t.Helper()
	gate := filepath.Join(s.t.TempDir(), "gate")
	s.start(fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.001)\n", gate) + code)
	s.receiveType("started")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestBlenderEndsInAForeignFunctionThatHoldsTheLock(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	s.startToHold("import ctypes\nsleep = ctypes.PyDLL(None).sleep\nwhile True: sleep(1000)")
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.exitCode(t) // 0, or the alarm has killed it: the signal wakes this function
	if took := time.Since(began); took > soon {
		t.Errorf("took %v", took)
	}
}

func TestSIGTERMEndsBlenderWithZero(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"", "tcp_echo.progress(0)\nwhile True: pass", "import time; tcp_echo.progress(0); time.sleep(1000)",
		// The signal comes while the main thread is in a system call that the signal does not end.
		"import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); tcp_echo.progress(0); time.sleep(1000)",
	} {
		t.Run(fmt.Sprintf("%q", code), func(t *testing.T) {
			t.Parallel()
			p := startSupervised(t)
			s := connect(t, p)
			if code != "" {
				s.start("import tcp_echo\n" + code)
				s.receiveType("progress")
			}
			if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			check(t, "the exit code", p.exitCode(t), 0)
		})
	}
}

func TestSIGTERMIsAsUnderPlainBlenderForChildrenAndIsolatedRuns(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	check(t, "the child's handler is the default, and nothing hears of its signals", s.succeed(`
import os, signal
child = os.fork()
if child == 0:
    os._exit(7 if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and signal.set_wakeup_fd(-1) == -1 else 1)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
`), 7.0)
	s.start("import signal; result = [signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.set_wakeup_fd(-1)]", message{"isolation": "scene"})
	check(t, "an isolated run", fmt.Sprint(s.receiveType("finished")["result"]), "[true -1]")
}

func TestPortIsFreeAgainWhenBlenderHasEnded(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	connect(t, p).succeed("")
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, "the exit code", p.exitCode(t), 0)
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p.port))
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // the test only needs that it could listen
}

func TestScriptThatTracesCanBeCancelled(t *testing.T) {
	s := connect(t, sharedBlender(t))
	cases := map[string]string{
		"a tracer":                    "sys.settrace(lambda *a: None)",
		"a tracer of lines":           "def f(*a): return f\nsys.settrace(f)",
		"a tracer that goes on":       "def f(*a):\n  try: len('x')\n  except BaseException: pass\n  return f\nsys.settrace(f)",
		"a profiler":                  "sys.setprofile(lambda *a: None)",
		"a profiler that goes on":     "def f(*a):\n  try: len('x')\n  except BaseException: pass\nsys.setprofile(f)",
		"a tracer of opcodes":         "def f(frame, *a):\n  frame.f_trace_opcodes = True\n  return f\nsys.settrace(f)",
		"a long switch interval":      "sys.setswitchinterval(0.05)",
		"a timer that goes on":        "import signal\ndef f(*a):\n  try: len('x')\n  except BaseException: pass\nsignal.signal(14, f); signal.setitimer(0, 0.001, 0.001)",
		"a handler of the wake-up":    "import signal\nsignal.signal(signal.SIGURG, lambda *a: None)",
		"a cancel that it has caught": "import time\ntry:\n  tcp_echo.progress(1, 'ready')\n  time.sleep(1000)\nexcept KeyboardInterrupt: pass",
	}
	if onWindows { // Windows has neither of these signals
		delete(cases, "a timer that goes on")
		delete(cases, "a handler of the wake-up")
	}
	for what, hooks := range cases {
		for range 5 {
			id := s.start("import sys, tcp_echo\n" + hooks + "\ntcp_echo.progress(1, 'ready')\nwhile True: pass")
			if got := s.receiveType("progress"); got.text("text") != "ready" {
				t.Fatalf("%s: %v", what, got)
			}
			// A hook that goes on may have caught the exception, so the cancel is repeated.
			for done := false; !done; {
				s.send(message{"type": "cancel", "id": id})
				s.send(message{"type": "ping", "id": id})
				for {
					got := s.receive()
					if got == nil {
						t.Fatalf("%s: closed:\n%s", what, sharedBlender(t).text())
					}
					if got.text("type") == "finished" {
						check(t, what, []any{got["id"], got["state"]}, []any{id, "cancelled"})
						done = true
					}
					if got.text("type") == "pong" {
						break
					}
				}
			}
			skipRest(t, s)
			check(t, "the next run's tracer", s.succeed("import sys; result = [sys.gettrace() is None, sys.getprofile() is None]"), []any{true, true})
		}
	}
}

func TestScriptThatIsCancelledAsItEndsLeavesTheNextOneAlone(t *testing.T) {
	p := sharedBlender(t)
	s, other := connect(t, p), connect(t, p)
	for i := range 200 {
		// The script ends by itself at about the time when the cancel comes.
		id := s.start(fmt.Sprintf("for _ in range(%d): pass", i*100))
		next := s.start("for _ in range(10_000): pass\nresult = 1")
		s.receiveType("started")
		s.send(message{"type": "cancel", "id": id})
		for {
			got := s.receive()
			if got == nil {
				t.Fatalf("closed:\n%s", p.text())
			}
			if got.text("type") == "finished" && got.text("id") == next {
				check(t, "the next one", []any{got["state"], got["result"]}, []any{"succeeded", 1.0})
				break
			}
		}
		skipRest(t, s)
		other.succeed("")
	}
}

// skipRest skips all answers that are still to come, errors too.
func skipRest(t *testing.T, s *session) {
	t.Helper()
	s.send(message{"type": "ping", "id": "rest"})
	for got := s.receive(); got["id"] != "rest"; got = s.receive() {
		if got == nil {
			t.Fatal("closed")
		}
	}
}
