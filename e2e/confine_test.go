//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// escapes tries what a confined script must not be able to do, each with what it is tried on. The
// result has what has worked.
const escapes = `
import ctypes, os, signal, socket, subprocess, sys, urllib.request
HOME, PORT, ENGINE, LISTENER = sys.argv[-4:]
result = {}

def attempt(name, act):
    try:
        result[name] = repr(act())
    except BaseException as error:
        print(name, "is refused:", error)

def bind_over():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, 4096 | 32, None):  # MS_BIND | MS_REMOUNT, to write
        raise OSError(ctypes.get_errno(), "mount")

def new_user():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")

def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return path

def others():
    mine = [p for p in os.listdir("/proc") if p.isdigit() and b"blendtray" in open(f"/proc/{p}/cmdline", "rb").read().split(b"\0")[0]]
    if not mine:
        raise OSError("none is seen")
    return mine

open(os.path.join(HOME, "escaped"), "w").close()  # where walls are, it is in a private /tmp
attempt("write /usr", lambda: open("/usr/escaped", "w"))
attempt("write /etc", lambda: open("/etc/escaped", "a"))
attempt("compiled files of others", lambda: open(os.path.join(HOME, "cache/blenders/default/compiled/x.pyc"), "w"))
attempt("the add-on of others", lambda: open(os.path.join(HOME, "cache/blenders/default/addon/launcher.py"), "a"))
attempt("the journals", lambda: os.listdir(os.path.join(HOME, "data/journals")) or os.listdir(os.path.join(HOME, "journals")))
attempt("the database", lambda: [open(os.path.join(d, f)) for d, _, fs in os.walk(HOME) for f in fs if f == "runs.db"][0])
attempt("a port", lambda: socket.create_connection(("127.0.0.1", int(PORT)), timeout=5))
attempt("a page", lambda: urllib.request.urlopen("http://127.0.0.1:" + PORT, timeout=5))
attempt("the control socket", lambda: connect(ENGINE))
attempt("another socket", lambda: connect(LISTENER))
attempt("an abstract socket", lambda: connect("\0blendtray"))
attempt("the engine's process", others)
attempt("a signal to the engine", lambda: os.kill(int(sys.argv[-5]), 0))
attempt("to remount", bind_over)
attempt("a new user namespace", new_user)
attempt("a program that connects", lambda: subprocess.run(["python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", LISTENER], check=True, stderr=subprocess.DEVNULL))
`

func TestAConfinedSessionRendersAndReachesNothingElse(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	p := started(t, fmt.Sprintf("[mcp]\nworkspace = %q\n", work))
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// A socket where the confined script sees it, not hidden as /tmp is.
	open := filepath.Join("/var/tmp", fmt.Sprintf("blendtray-%d.sock", os.Getpid()))
	other, err := net.Listen("unix", open)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	st, _ := p.status()
	script := filepath.Join(t.TempDir(), "escapes.py")
	if err := os.WriteFile(script, []byte(escapes), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		script, "--", fmt.Sprint(st.Engine.PID), p.home, fmt.Sprint(listener.Addr().(*net.TCPAddr).Port), p.socket(), open,
	}
	tried := func(session ...string) map[string]string {
		t.Helper()
		run, code := p.runJSON(append(session, args...)...)
		got := map[string]string{}
		if err := json.Unmarshal(run.Result, &got); err != nil || code != 0 {
			t.Fatalf("%v, code %d: %s", err, code, run.Output)
		}
		return got
	}
	escaped := filepath.Join(p.home, "escaped")
	if got := tried("--session", "inside", "--confined"); len(got) != 0 {
		t.Errorf("a confined script has done: %v", got)
	}
	if _, err := os.Stat(escaped); err == nil {
		t.Error("a confined script has written into the home")
	}
	// The same tries do work without walls, but for what is of no use to try.
	free := tried("--session", "outside")
	for _, what := range []string{"a port", "the control socket", "another socket", "the engine's process", "the database"} {
		if free[what] == "" {
			t.Errorf("the test does not really try: %s", what)
		}
	}
	if _, err := os.Stat(escaped); err != nil {
		t.Error("the test does not really try to write")
	}

	run, code := p.runJSON("--session", "inside", "-c", `
import bpy, os, tempfile
assert bpy.data.objects.get("Cube")
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_percentage = 5
scene.render.filepath = os.path.join(`+fmt.Sprintf("%q", work)+`, "picture.png")
bpy.ops.render.render(write_still=True)
with tempfile.TemporaryDirectory() as folder:
    open(os.path.join(folder, "x"), "w").close()
bpy.data.objects.remove(bpy.data.objects["Cube"])
`)
	if code != 0 || len(run.Outputs) != 1 {
		t.Fatalf("code %d, %v: %s", code, run.Outputs, run.Output)
	}
	if _, err := os.Stat(filepath.Join(work, "picture.png")); err != nil {
		t.Error(err)
	}
	for _, command := range [][]string{
		{"session", "save", "inside", filepath.Join(work, "copy.blend")},
		{"session", "checkpoint", "inside"},
		{"run", "--session", "inside", "-c", "import bpy; bpy.ops.mesh.primitive_cube_add(); bpy.context.object.name = 'Late'"},
		{"session", "undo", "inside"},
		{"run", "--session", "inside", "-c", "import bpy; assert not bpy.data.objects.get('Late')"},
	} {
		if r := p.call(command...); r.code != 0 {
			t.Errorf("%v: %+v", command, r)
		}
	}
	if r := p.call("run", "--session", "outside", "--confined", "-c", "1"); r.code == 0 || !strings.Contains(r.stderr, "is not confined") {
		t.Errorf("a session that is not confined: %+v", r)
	}

	// It crashes, begins anew as confined, and has its checkpoint.
	if r := p.call("run", "--session", "inside", "-c", "import os; os.abort()"); r.code != 5 {
		t.Errorf("a crash: %+v", r)
	}
	if r := p.call("session", "undo", "inside"); r.code != 0 {
		t.Errorf("undo after a crash: %+v", r)
	}
	if r := p.call("session", "checkpoint", "inside"); r.code != 0 {
		t.Errorf("a checkpoint after a crash: %+v", r)
	}
	if got := tried("--session", "inside"); len(got) != 0 {
		t.Errorf("after a crash, a confined script has done: %v", got)
	}

	// What it has started ends with it, also in a session of the system of its own.
	mark := fmt.Sprintf("sleep 98%d", os.Getpid())
	if r := p.call("run", "--session", "inside", "-c", "import subprocess\nsubprocess.Popen("+fmt.Sprintf("%q", mark)+".split(), start_new_session=True)"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if len(processesWith(t, "^"+mark)) == 0 {
		t.Error("the test has started nothing")
	}
	if r := p.call("session", "end", "inside"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	p.eventually("nothing is left of it", func() bool { return len(processesWith(t, "^"+mark)) == 0 })
	p.eventually("its Blender is gone", func() bool { return len(processesWith(t, "bwrap.*"+work)) == 0 })
}

func TestASessionIsRefusedThatCantBeConfined(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	bin := t.TempDir()
	for _, name := range []string{"blender"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.env = []string{"PATH=" + bin}
	p.start()
	p.waitReady()
	r := p.call("run", "--session", "walls", "--confined", "-c", "open('/tmp/never', 'w')")
	if r.code == 0 || !strings.Contains(r.stderr, "install bubblewrap") {
		t.Errorf("%+v", r)
	}
	if r := p.call("session", "list"); strings.Contains(r.stdout, "walls") {
		t.Errorf("%+v", r)
	}
}
