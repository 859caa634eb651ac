//go:build unix

package addon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// isolations are those in which the end of a script is the end of its run.
var isolations = []string{"scene", "process"}

// inIsolation returns a session with a Blender for runs with this isolation: one in which nothing
// has run for "process".
func inIsolation(t *testing.T, isolation string) (*process, *session, message) {
	t.Helper()
	p := sharedBlender(t)
	if isolation == "process" {
		p = startSupervised(t)
	}
	return p, connect(t, p), message{"isolation": isolation, "scene": "fresh"}
}

func TestEndOfAScriptIsTheEndOfItsRun(t *testing.T) {
	for _, isolation := range isolations {
		t.Run(isolation, func(t *testing.T) {
			p, s, fields := inIsolation(t, isolation)
			file := filepath.Join(t.TempDir(), "left.txt")
			id := s.start(fmt.Sprintf(`
import atexit, concurrent.futures, logging.handlers, multiprocessing.util, queue, sys, tempfile, threading, time, weakref
class Left:
    def __del__(self): print("taken apart")
left = Left()
def generator():
    try: yield
    finally: print("generator closed")
going = generator(); next(going)
file = open(%q, "w"); file.write("written")
folder = tempfile.TemporaryDirectory()
atexit.register(print, "first registered")
atexit.register(print, "last registered")
atexit.register(lambda: 1 / 0)
weakref.finalize(folder, print, "finalized")
target = logging.StreamHandler(sys.stdout)
log = logging.getLogger("end of script"); log.addHandler(logging.handlers.MemoryHandler(100, target=target))
log.warning("logged")
at_end, ended = threading.Event(), threading.Event()
def later():
    at_end.wait()
    time.sleep(0.1)  # the script has ended long before
    print("thread ended")
    global result
    result = "of the thread"
    ended.set()
threading.Thread(target=later).start()
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(lambda: (ended.wait(), print("future done")))
print("end of script")
at_end.set()
`, file), fields)
			m := s.receiveType("finished")
			out := p.outputOf(t, s, id)
			check(t, "how it ended", []any{m["state"], m["exit_code"], m["error"], m["result"]}, []any{"succeeded", 0.0, nil, "of the thread"})
			at := 0
			for _, want := range []string{
				"end of script\n", "thread ended\n", "future done\n", "ZeroDivisionError", "last registered\n", "first registered\n",
			} {
				next := strings.Index(out[at:], want)
				if next < 0 {
					t.Fatalf("%q is missing or comes too early:\n%s", want, out)
				}
				at += next
			}
			for _, want := range []string{"logged\n", "finalized\n", "taken apart\n", "generator closed\n", "Exception ignored in atexit callback"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing:\n%s", want, out)
				}
			}
			if text, err := os.ReadFile(file); string(text) != "written" {
				t.Errorf("the file that was left open has %q, %v", text, err)
			}
			// The libraries are good for another run, and what the last run registered is gone.
			id = s.start(`
import concurrent.futures, logging, multiprocessing.util, threading, weakref
with concurrent.futures.ThreadPoolExecutor(1) as pool: print(pool.submit(len, "abc").result())
class Mine: pass
mine = Mine()
weakref.finalize(mine, print, "finalized again")
del mine
result = multiprocessing.util._exiting
`, message{"isolation": "keep"})
			m = s.receiveType("finished")
			check(t, "the next run", []any{m["state"], m["result"]}, []any{"succeeded", false})
			check(t, "its output", p.outputOf(t, s, id), "3\nfinalized again\n")
		})
	}
}

// Python lets executors end at the end of the process, and here each run has such an end.
func TestExecutorsEndAtTheEndOfEachRun(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	for range 2 {
		id := s.start(`
import concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(print, "done")
`, message{"isolation": "scene", "scene": "fresh"})
		m := s.receiveType("finished")
		check(t, "how it ended", []any{m["state"], m["recycle"]}, []any{"succeeded", false})
		check(t, "the output", p.outputOf(t, s, id), "done\n")
	}
}

func TestExitCodeIsThatOfACommand(t *testing.T) {
	s := connect(t, sharedBlender(t))
	for _, test := range []struct {
		code, state, output string
		exit                float64
	}{
		{"", "succeeded", "", 0},
		{"import sys; sys.exit(3)", "failed", "", 3},
		{"import sys; sys.exit()", "succeeded", "", 0},
		{"import sys; sys.exit(False)", "succeeded", "", 0},
		{"import sys; sys.exit(256)", "succeeded", "", 0},
		{"import sys; sys.exit(-1)", "failed", "", 255},
		{"import sys; sys.exit(1 << 200)", "failed", "", 255},
		{"import sys; sys.exit('no file given')", "failed", "no file given\n", 1},
		{"import sys; sys.exit([1])", "failed", "[1]\n", 1},
		{"exit()", "succeeded", "", 0},
		{"1/0", "failed", "", 1},
		{"import sys\nsys.excepthook = lambda kind, value, trace: print('hook:', kind.__name__, trace.tb_lineno)\n1/0", "failed", "hook: ZeroDivisionError 3\n", 1},
		{"import argparse; argparse.ArgumentParser(prog='tool').parse_args()", "failed", "usage: tool [-h]\ntool: error: unrecognized arguments: -- a\n", 2},
		{"import atexit, sys; atexit.register(sys.exit, 5)", "succeeded", "", 0},
	} {
		if wineLoop != "" && (test.exit == 255 || strings.Contains(test.code, "256")) {
			// An exit code has 32 bits on Windows, and 8 elsewhere.
			test.exit, test.state = map[float64]float64{0: 256, 255: 1<<32 - 1}[test.exit], "failed"
		}
		p := sharedBlender(t)
		id := s.start(test.code, message{"args": []string{"a"}})
		m := s.receiveType("finished")
		check(t, test.code, []any{m["state"], m["exit_code"]}, []any{test.state, test.exit})
		if strings.Contains(test.code, "argparse") {
			test.output = strings.Replace(test.output, "-- a", strings.Join([]string{"--background", "--factory-startup", "--python"}, " "), 1)
			out := p.outputOf(t, s, id)
			if !strings.HasPrefix(out, test.output[:len(test.output)-1]) {
				t.Errorf("%s prints %q, not %q", test.code, out, test.output)
			}
		} else {
			check(t, "the output of "+test.code, p.outputOf(t, s, id), test.output)
		}
		if trace := m.failure().text("traceback"); (trace != "") != (test.code == "1/0") {
			t.Errorf("%s: the traceback is %q", test.code, trace)
		}
	}
	check(t, "the exit code of a cancelled run", cancelled(t, s, "import time\ntcp_echo.progress(0)\ntime.sleep(1000)", nil)["exit_code"], 1.0)
}

// cancelled executes a script, cancels it at its first progress, and returns its finished frame.
func cancelled(t *testing.T, s *session, code string, fields message) message {
	t.Helper()
	id := s.start("import tcp_echo\n"+code, fields)
	s.receiveType("progress")
	s.send(message{"type": "cancel", "id": id})
	m := s.receiveType("finished")
	check(t, "the state of "+code, m["state"], "cancelled")
	return m
}

func TestEndOfAScriptCanBeCancelled(t *testing.T) {
	t.Parallel()
	s := connect(t, startSupervised(t))
	fields := message{"isolation": "scene"}
	file := filepath.Join(t.TempDir(), "cleaned.txt")
	m := cancelled(t, s, fmt.Sprintf(`
import atexit, threading
atexit.register(lambda: open(%q, "w").close())
threading.Thread(target=threading.Event().wait).start()
tcp_echo.progress(0)
`, file), fields)
	check(t, "whether Blender is good for another run", m["recycle"], true)
	check(t, "whether the exit function was called", exists(file), true)
	// A cancel that comes before the exit functions ends the script alone; a supervisor's grace is for
	// functions that then go on.
	s = connect(t, startSupervised(t)) // the first is to be replaced, and may take no further run
	m = cancelled(t, s, "import atexit, time\natexit.register(lambda: (tcp_echo.progress(0), time.sleep(1000)))", fields)
	check(t, "whether Blender is good for another run", m["recycle"], false)
}

func TestBlenderThatKeepsItsStateKeepsNamesThreadsAndExitFunctions(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	file := filepath.Join(t.TempDir(), "s.py")
	s.succeed(`
import atexit, threading
seen, result = 1, "first"
atexit.register(print, "at the end of Blender", flush=True)
go = threading.Event()
thread = threading.Thread(target=go.wait)
thread.start()
`)
	check(t, "what the next code finds", s.succeed("result = [seen, thread.is_alive(), 'result' in globals()]"), []any{1.0, true, false})
	check(t, "what a file finds", s.succeed("result = 'seen' in globals(); of_file = 2", message{"file": file}), false)
	check(t, "what code after the file finds", s.succeed("go.set(); result = [seen, of_file, __file__]", message{"name": "n"}), []any{1.0, 2.0, "n"})
	if strings.Contains(p.text(), "at the end of Blender") {
		t.Error("the exit function was called before the end")
	}
	s.send(message{"type": "quit"})
	check(t, "the exit code", p.exitCode(t), 0)
	p.await(t, "at the end of Blender\n")
}

func TestIsolatedRunFindsAProcessThatNothingHasRunIn(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	const look = `
import atexit, bpy, signal, sys
print("mine")
result = [sorted(o.name for o in bpy.data.objects), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, sys.stdin.read()]
`
	id := s.start(look, message{"isolation": "process", "scene": "fresh"})
	first := s.receive()
	check(t, "the first frame: nothing has to be prepared", first["type"], "started")
	check(t, "what it found", s.receiveType("finished")["result"], []any{[]any{"Camera", "Cube", "Light"}, true, ""})
	check(t, "its output", p.outputOf(t, s, id), "mine\n")
	check(t, "what is left to look at", s.succeed("import bpy; result = len(bpy.data.objects)"), 3.0)
	check(t, "whether there was a preparation", strings.Contains(p.text(), testMark+" preparing"), false)
	s.start("", message{"isolation": "other"})
	check(t, "an isolation that is not known", s.receive()["code"], "bad_run")
}

func TestWhatCanNotBePutBackIsToldAndEndsNothing(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	s.succeed("import os; os.environ = dict(os.environ)")
	s.succeed("import sys; sys.modules.clear()")
	check(t, "the next run", s.run("import json, os; result = type(os.environ).__name__")["result"], "_Environ")
	m := s.run("import threading; threading.setprofile = None")
	check(t, "how it ended", []any{m["state"], m["recycle"]}, []any{"succeeded", false})
	reason := s.receiveType("recycle").text("reason")
	if !strings.HasPrefix(reason, "can't put back tracing after a run: TypeError") {
		t.Errorf("the reason is %q", reason)
	}
	s.start("")
	check(t, "whether Blender takes another run", s.receive()["code"], "quitting")
	s.send(message{"type": "quit"})
	check(t, "the exit code", p.exitCode(t), 0)
}
