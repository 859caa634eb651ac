//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// ownBlender returns the environment of a person's Blender, whose user files lie in dir.
func ownBlender(t testing.TB, p *program) (env []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	return []string{
		"BLENDER_USER_SCRIPTS=" + filepath.Join(dir, "scripts"), "BLENDER_USER_CONFIG=" + filepath.Join(dir, "config"),
		"BLENDER_USER_EXTENSIONS=" + filepath.Join(dir, "extensions"), "BLENDTRAY_HOME=" + p.home,
	}, dir
}

// tree lists everything in dir, except Blender's own notes about its extensions, and the kept copy
// of a changed add-on.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".cache" || entry.Name() == ".blendtray-backups":
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s: %.60q\n", path, text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all.String()
}

// with calls the program with further variables in its environment.
func (p *program) with(env []string, args ...string) result {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code says how it went
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func TestTheAddonIsInstalledProvedAndRemoved(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	env, dir := ownBlender(t, p)
	// A Blender from 4.2 on has extensions.
	where := filepath.Join(dir, "scripts", "addons", "tcp_echo")
	if out, err := exec.Command("blender", "--version").Output(); err != nil {
		t.Fatal(err)
	} else if version := strings.Fields(string(out)); len(version) < 2 || version[1] >= "4.2" {
		where = filepath.Join(dir, "extensions", "user_default", "tcp_echo")
	}
	beside := filepath.Join(filepath.Dir(where), "another.py")
	if err := os.MkdirAll(filepath.Dir(where), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(beside, []byte("# another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	report := func(code int, args ...string) map[string]any {
		t.Helper()
		r := p.with(env, append(args, "--json", "--blender", "blender")...)
		if r.code != code {
			t.Errorf("%v ends with %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
		var all []map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all) != 1 {
			t.Fatalf("%v: %v, %s%s", args, err, r.stdout, r.stderr)
		}
		return all[0]
	}
	if r := report(1, "addon", "status"); r["state"] != "not installed" || r["path"] != where {
		t.Errorf("before: %v", r)
	}
	r := report(0, "addon", "install")
	if r["state"] != "installed" || r["verified"] != true || r["loop_in_use"] != "SelectorEventLoop" || r["loop"] != "auto" {
		t.Errorf("installed: %v", r)
	}
	if r := report(0, "addon", "status"); r["state"] != "installed" {
		t.Errorf("then: %v", r)
	}
	// An add-on that can't work is reported.
	file := filepath.Join(where, "server.py")
	if err := os.WriteFile(file, []byte("raise RuntimeError('broken')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := report(1, "addon", "status"); r["state"] != "modified" {
		t.Errorf("changed: %v", r)
	}
	if r := report(0, "addon", "install"); r["state"] != "installed" || r["kept"] == "" {
		t.Errorf("installed again: %v", r)
	}
	if r := report(0, "addon", "uninstall"); r["state"] != "not installed" {
		t.Errorf("removed: %v", r)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("after it was removed, there is\n%s\nwhere there was\n%s", after, before)
	}
	// Files of somebody else stay, unless the call says otherwise.
	if err := os.MkdirAll(where, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(where, "__init__.py")
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := report(1, "addon", "install"); r["state"] != "foreign" || !strings.Contains(r["error"].(string), "--replace") {
		t.Errorf("over another's: %v", r)
	}
	if r := report(0, "addon", "install", "--replace"); r["verified"] != true {
		t.Errorf("in its place: %v", r)
	}
	report(0, "addon", "uninstall")
	if text, err := os.ReadFile(mine); err != nil || string(text) != "# mine\n" {
		t.Errorf("it is not back: %q, %v", text, err)
	}
	if r := p.with(env, "addon", "install", "--loop", "proactor"); r.code != 2 {
		t.Errorf("the Proactor loop here: %d, %s", r.code, r.stderr)
	}
	if r := p.with(env, "addon", "install", "--blender", "/bin/true"); r.code != 1 {
		t.Errorf("no Blender: %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// blender opens a Blender with a window and the add-on, which then runs the code then.
func (d *desktop) blender(env []string, then string) *exec.Cmd {
	d.t.Helper()
	cmd := exec.Command("blender", "--factory-startup", "--no-window-focus", "--window-geometry", "0", "0", "600", "400", "--python-expr", `
import bpy
# A Blender from 4.2 on has extensions.
addon = "bl_ext.user_default.tcp_echo" if bpy.app.version >= (4, 2) else "tcp_echo"
bpy.ops.preferences.addon_enable(module=addon)
`+then)
	cmd.Env = append(append([]string{}, d.env...), env...)
	printed := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		err := cmd.Wait()
		if d.t.Failed() {
			d.t.Logf("the Blender with a window ended with %v, and printed:\n%s", err, printed)
		}
	})
	return cmd
}

// servesSoon is code that starts serving, as the button in the preferences does.
const servesSoon = "bpy.app.timers.register(lambda: bpy.ops.tcp_echo.start_server() and None, first_interval=0.2)"

func TestSavesRunInTheBlenderThatIsOpen(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p := newProgram(t, "[blender]\nattach = true\ncancel_grace = '1s'\n")
	env, _ := ownBlender(t, p)
	if r := p.with(env, "addon", "install", "--blender", "blender"); r.code != 0 {
		t.Fatalf("install: %s%s", r.stdout, r.stderr)
	}
	p.start()
	state := func() (state, reason string) {
		s, ok := p.status()
		if !ok || len(s.Blenders) != 1 {
			return "", ""
		}
		return string(s.Blenders[0].State), s.Blenders[0].Reason
	}
	p.eventually("it says what it waits for", func() bool {
		is, reason := state()
		return is == "starting" && strings.Contains(reason, "Start Serving Scripts")
	})
	early := p.save("early.py", "import bpy\nbpy.ops.mesh.primitive_monkey_add()\nprint('early', bpy.app.background)\n")
	doctor := func(says string) {
		t.Helper()
		if r := p.call("doctor", "--config", p.config); !strings.Contains(r.stdout, says) {
			t.Errorf("the doctor does not say %q:\n%s", says, r.stdout)
		}
	}
	doctor("wrong  blender    no Blender with a window takes scripts")
	open := d.blender(env, servesSoon)
	if r := p.lastOf(early); r.State != api.Succeeded || r.Output != "early False\n" || r.Scene != "keep" {
		t.Errorf("it printed %q, in the scene %q", r.Output, r.Scene)
	}
	if s, _ := p.status(); s.Blenders[0].PID != open.Process.Pid || s.Blenders[0].Version == "" {
		t.Errorf("the status is %+v, and the process %d", s.Blenders, open.Process.Pid)
	}
	doctor("right  blender    the open Blender ")
	later := p.save("later.py", "import bpy\nresult = 'Suzanne' in bpy.data.objects\n")
	if r := p.lastOf(later); r.State != api.Succeeded || string(r.Result) != "true" {
		t.Errorf("the scene was not kept: %s", r.Result)
	}
	if r, code := p.runJSON("-c", "1 / 0"); code != 1 || r.Error == nil || r.Error.Type != "ZeroDivisionError" {
		t.Errorf("a failure: %d, %+v", code, r)
	}
	if r, code := p.runJSON(p.save("_by_hand.py", "result = 3")); code != 0 || r.Scene != "keep" {
		t.Errorf("a file by hand: %d, scene %s", code, r.Scene)
	}
	if r, code := p.runJSON("--scene", p.save("other.blend", "not read"), "-c", "1"); code != 1 || r.Error == nil || !strings.Contains(r.Error.Message, "what is open") {
		t.Errorf("with another scene: %d, %+v", code, r)
	}
	if r, code := p.runJSON("--timeout", "200ms", "-c", "while True: pass"); code != 4 || r.State != api.TimedOut {
		t.Errorf("over its time: %d, %+v", code, r)
	}
	if r, code := p.runJSON("--timeout", "200ms", "-c", "import time\nend = time.time() + 3\nwhile time.time() < end:\n  try: time.sleep(3)\n  except BaseException: pass"); code != 4 || r.Error == nil || !strings.Contains(r.Error.Message, "left alone") {
		t.Errorf("one that does not stop: %d, %+v", code, r)
	}
	if r, code := p.runJSON("-c", "result = 1"); code != 0 || string(r.Result) != "1" {
		t.Errorf("after that: %d, %+v", code, r)
	}

	// Stop leaves the open Blender alone, and start finds it again.
	if r := p.call("stop"); r.code != 0 {
		t.Errorf("stop: %s%s", r.stdout, r.stderr)
	}
	if is, _ := state(); is != "stopped" || !alive(open.Process.Pid) {
		t.Errorf("after stop it is %s", is)
	}
	if r := p.call("start"); r.code != 0 {
		t.Errorf("start: %s%s", r.stdout, r.stderr)
	}
	if r, code := p.runJSON("-c", "import os; os._exit(7)"); code != 5 || r.State != api.Crashed {
		t.Errorf("one that ends it: %d, %+v", code, r)
	}
	p.eventually("it waits for another one", func() bool { is, _ := state(); return is == "starting" })
	open = d.blender(env, servesSoon)
	if r, code := p.runJSON("-c", "result = 2"); code != 0 || string(r.Result) != "2" {
		t.Errorf("in the next one: %d, %+v", code, r)
	}

	// The settings may ask for a Blender of the engine, and then for the open Blender again.
	for _, step := range []struct {
		settings, background, scene string
		open                        bool
	}{
		{"", "true", "fresh", false},
		{"[blender]\nattach = true\n", "false", "keep", true},
	} {
		p.configure(step.settings)
		if r := p.call("reload"); r.code != 0 {
			t.Fatalf("reload: %s%s", r.stdout, r.stderr)
		}
		r := p.lastOf(p.save("which.py", fmt.Sprintf("import bpy\nresult = bpy.app.background # %v", step.open)))
		if r.State != api.Succeeded || string(r.Result) != step.background || r.Scene != step.scene {
			t.Errorf("with %q: in the background %s, scene %s, %+v", step.settings, r.Result, r.Scene, r.Error)
		}
		if s, _ := p.status(); (s.Blenders[0].PID == open.Process.Pid) != step.open || !alive(open.Process.Pid) {
			t.Errorf("with %q it is %+v", step.settings, s.Blenders[0])
		}
	}
	if left := processesWith(t, p.home+".*--supervised"); len(left) > 0 {
		t.Errorf("one that was started is left: %v", left)
	}
}

func TestAScriptRunsInTheBlenderThatOneLooksAt(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p := newProgram(t, "")
	env, _ := ownBlender(t, p)
	if r := p.with(env, "run", "--attach", "-c", "1"); r.code != 3 || !strings.Contains(r.stderr, "Start Serving Scripts") {
		t.Errorf("without one: %d, %s", r.code, r.stderr)
	}
	if r := p.with(env, "addon", "install", "--blender", "blender"); r.code != 0 {
		t.Fatalf("install: %s%s", r.stdout, r.stderr)
	}
	window := func(then string) *exec.Cmd { return d.blender(env, then) }
	files := func() []string {
		all, err := filepath.Glob(filepath.Join(p.home, "windows", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	run := func(code int, args ...string) result {
		t.Helper()
		r := p.with(env, append([]string{"run", "--attach"}, args...)...)
		if r.code != code {
			t.Errorf("%q ends with %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
		return r
	}

	// An open Blender accepts no scripts before its user says so.
	off := window("")
	window(servesSoon)
	d.eventually("it can be reached", func() bool { return len(files()) == 1 })
	info, err := os.Stat(files()[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file has mode %v, %v", info.Mode(), err)
	}
	_ = off.Process.Kill()

	r := run(0, "-c", "import bpy, sys; print('grüß', bpy.app.background); print('an error', file=sys.stderr); bpy.ops.mesh.primitive_monkey_add()")
	if !strings.Contains(r.stdout, "grüß False\n") || !strings.Contains(r.stdout, "an error\n") {
		t.Errorf("it prints %q", r.stdout)
	}
	script := p.save("count.py", "import bpy, sys\nprint(len(bpy.data.objects), sys.argv[sys.argv.index('--') + 1:])\nresult = 'Suzanne' in bpy.data.objects\n")
	if r := run(0, script, "--", "a b"); !strings.Contains(r.stdout, "4 ['a b']") {
		t.Errorf("the open scene: %q", r.stdout)
	}
	if r := run(1, "-c", "1 / 0"); !strings.Contains(r.stderr, "ZeroDivisionError") {
		t.Errorf("a failure: %q", r.stderr)
	}
	run(4, "--timeout", "300ms", "-c", "while True: pass")
	run(2, "--scene", "fresh", "-c", "1")
	var told api.Run
	if r := run(0, "--json", "-c", "print(1); result = [1]"); json.Unmarshal([]byte(r.stdout), &told) != nil || told.Output != "1\n" || string(told.Result) == "null" {
		t.Errorf("as JSON: %s", r.stdout)
	}

	// With two open Blenders the command must say which.
	window(servesSoon)
	d.eventually("there are two", func() bool { return len(files()) == 2 })
	if r := run(2, "-c", "1"); !strings.Contains(r.stderr, "--pid") {
		t.Errorf("with two: %q", r.stderr)
	}
	pid := strings.TrimSuffix(filepath.Base(files()[0]), ".json")
	if r := run(0, "--pid", pid, "-c", "import os; print(os.getpid())"); strings.TrimSpace(r.stdout) != pid {
		t.Errorf("in %s: %q", pid, r.stdout)
	}

	// The user stops serving in the first; the second dies.
	for _, file := range files() {
		if file == filepath.Join(p.home, "windows", pid+".json") {
			run(0, "--pid", pid, "-c", "import bpy; bpy.ops.tcp_echo.stop_server()")
		}
	}
	d.eventually("one is left", func() bool { return len(files()) == 1 })
	left := strings.TrimSuffix(filepath.Base(files()[0]), ".json")
	run(5, "--pid", left, "-c", "import os; os._exit(7)")
	d.eventually("nobody can be reached", func() bool {
		run(3, "-c", "1")
		return len(files()) == 0
	})
}

// never runs C code that holds Python's lock and does not return before the test is over.
const never = "import ctypes; ctypes.PyDLL(None).sleep(600)"

func TestARunThatNeverReturnsIsGivenUpInAnOpenBlender(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p := newProgram(t, "[blender]\ncancel_grace = '500ms'\n")
	env, _ := ownBlender(t, p)
	env = append(env, "BLENDTRAY_BLENDER_CANCEL_GRACE=500ms") // which counts without an engine
	if r := p.with(env, "addon", "install", "--blender", "blender"); r.code != 0 {
		t.Fatalf("install: %s%s", r.stdout, r.stderr)
	}
	given := func() {
		t.Helper()
		open := d.blender(env, servesSoon)
		d.eventually("it can be reached", func() bool {
			return p.with(env, "run", "--attach", "--pid", fmt.Sprint(open.Process.Pid), "-c", "1").code == 0
		})
		r := p.with(env, "run", "--attach", "--pid", fmt.Sprint(open.Process.Pid), "--timeout", "300ms", "-c", never)
		if r.code != 4 || !strings.Contains(r.stderr, "did not stop within 500ms when asked. The open Blender was left alone") {
			t.Errorf("it ends with %d: %s%s", r.code, r.stdout, r.stderr)
		}
		if !alive(open.Process.Pid) {
			t.Error("the open Blender is gone")
		}
		_ = open.Process.Kill()
	}
	given() // without an engine
	p.start()
	before := p.waitReady().Blenders[0]
	kept := p.runs()
	if len(kept) == 0 || kept[0].State != api.TimedOut || kept[0].Client != "blendtray run" || !kept[0].InOpenBlender() {
		t.Errorf("what was run without an engine is not in the history: %+v", kept)
	}
	given() // by the engine
	if all := p.runs(); len(all) < len(kept)+2 || all[0].State != api.TimedOut || !all[0].InOpenBlender() {
		t.Errorf("what the engine ran: %+v", all[0])
	}
	if r, code := p.runJSON("-c", "result = 1"); code != 0 || string(r.Result) != "1" {
		t.Errorf("a run in the engine's own Blender: %d, %+v", code, r)
	}
	p.eventually("the open Blender is out of the status", func() bool {
		s, ok := p.status()
		return ok && len(s.Blenders) == 1 && s.Blenders[0].PID == before.PID
	})
}
