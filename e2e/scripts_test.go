//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// One Blender runs all of these scripts. After each script, that Blender or its successor must be
// ready for the next.
func TestWhateverAScriptDoesTheNextOneRuns(t *testing.T) {
	p := started(t, "")
	next := func(t *testing.T) {
		t.Helper()
		run, code := p.runJSON("-c", "result = 6 * 7")
		if code != 0 || string(run.Result) != "42" {
			t.Errorf("the next run: exit %d, %+v", code, run)
		}
	}
	cases := []struct {
		name, code string
		args       []string
		exit       int
		state      api.State
		errorType  string
		line       int
		output     string
	}{
		{name: "prints and returns", code: "import bpy\nprint('hello from', bpy.app.version_string)\nresult = {'a': [1, 2.5, None]}", state: api.Succeeded, output: "hello from"},
		{name: "raises", code: "def f():\n    raise ValueError('no good')\n\nf()", exit: 1, state: api.Failed, errorType: "ValueError", line: 2},
		{name: "exits with 3", code: "import sys\nsys.exit(3)", exit: 1, state: api.Failed, errorType: "SystemExit", line: 2},
		{name: "exits with 0", code: "import sys\nsys.exit(0)", state: api.Succeeded},
		{name: "is no Python", code: "x = 1\nfor in y:\n", exit: 1, state: api.Failed, errorType: "SyntaxError", line: 2},
		{name: "recurses for ever", code: "def f():\n    return f()\nf()", exit: 1, state: api.Failed, errorType: "RecursionError", line: 2},
		{name: "runs for ever", code: "while True: pass", args: []string{"--timeout", "500ms"}, exit: 4, state: api.TimedOut},
		{name: "hangs in C with the interpreter locked", code: "import ctypes\nctypes.PyDLL(None).sleep(1000)", args: []string{"--timeout", "500ms"}, exit: 4, state: api.TimedOut},
		{name: "aborts", code: "import os\n\nos.abort()", exit: 5, state: api.Crashed, errorType: "Crash", line: 3},
		{name: "reads address zero", code: "import ctypes\nctypes.string_at(0)", exit: 5, state: api.Crashed, errorType: "Crash", line: 2},
		{name: "leaves the process", code: "import os\nprint('last words')\nos._exit(7)", exit: 1, state: api.Failed, errorType: "Exit", output: "last words"},
		{name: "asks for input", code: "input('name? ')", exit: 1, state: api.Failed, errorType: "EOFError", line: 1},
		{name: "raises a keyboard interrupt", code: "raise KeyboardInterrupt", exit: 1, state: api.Failed, errorType: "KeyboardInterrupt", line: 1},
		{name: "closes its output", code: "import os\nos.close(1)\nos.close(2)", state: api.Succeeded},
		{name: "is in latin-1", code: "# -*- coding: latin-1 -*-\nresult = '\xe9'", state: api.Succeeded},
		{name: "has a null byte", code: "x = 1\x00\n", exit: 1, state: api.Failed},
		{name: "awaits", code: "import asyncio\nawait asyncio.sleep(0.01)\nresult = 'slept'", state: api.Succeeded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script.py")
			if err := os.WriteFile(path, []byte(c.code), 0o644); err != nil {
				t.Fatal(err)
			}
			run, exit := p.runJSON(append(c.args, path)...)
			if exit != c.exit || run.State != c.state {
				t.Errorf("exit %d and state %s, want %d and %s; %+v", exit, run.State, c.exit, c.state, run.Error)
			}
			if !strings.Contains(run.Output, c.output) {
				t.Errorf("output %q does not hold %q", run.Output, c.output)
			}
			switch {
			case c.errorType == "" && c.exit == 0 && run.Error != nil:
				t.Errorf("a run that succeeded has the error %+v", run.Error)
			case c.errorType != "" && (run.Error == nil || run.Error.Type != c.errorType):
				t.Errorf("error %+v, want type %s", run.Error, c.errorType)
			case c.line != 0 && (run.Error == nil || run.Error.Line != c.line):
				t.Errorf("error %+v, want line %d", run.Error, c.line)
			}
			next(t)
		})
	}
}

func TestASavedScriptRunsAndAnUnchangedOneDoesNot(t *testing.T) {
	p := started(t, "")
	path := p.save("cube.py", "import bpy\nresult = ' '.join(sorted(o.name for o in bpy.data.objects))\n")
	run := p.lastOf(path)
	if run.State != api.Succeeded || string(run.Result) != `"Camera Cube Light"` {
		t.Errorf("a saved script: %+v", run)
	}
	p.save("cube.py", "import bpy\nresult = ' '.join(sorted(o.name for o in bpy.data.objects))\n")
	// A save of another script shows that the save before it has been dealt with.
	p.lastOf(p.save("other.py", "result = 1"))
	if runs := p.runs(); len(runs) != 2 {
		t.Errorf("the same bytes ran again: %+v", runs)
	}
}

func TestScenesAreKeptOrFreshAsAsked(t *testing.T) {
	p := started(t, "")
	count := "import bpy\nresult = len(bpy.data.objects)"
	add := "import bpy\nbpy.ops.mesh.primitive_cube_add()\n" + count[len("import bpy\n"):]
	blend := filepath.Join(t.TempDir(), "empty.blend")
	save := "import bpy, sys\nfor o in list(bpy.data.objects): bpy.data.objects.remove(o)\n" +
		"bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])"
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--scene", "fresh", "-c", add}, "4"},
		{[]string{"-c", add}, "5"}, // code on the command line keeps what was there
		{[]string{"--scene", "fresh", "-c", count}, "3"},
		{[]string{"-c", save, "--", blend}, "null"},
		{[]string{"--scene", blend, "-c", count}, "0"},
		{[]string{"-c", add}, "1"},
	} {
		run, code := p.runJSON(step.args...)
		if code != 0 || string(run.Result) != step.want {
			t.Errorf("run %q: exit %d, result %s, want %s; %+v", step.args, code, run.Result, step.want, run.Error)
		}
		if strings.Contains(strings.Join(step.args, " "), "save_as_mainfile") && (len(run.Outputs) != 1 || run.Outputs[0] != blend) {
			t.Errorf("outputs %q, want the saved %s", run.Outputs, blend)
		}
	}
	if r := p.call("run", "--scene", filepath.Join(t.TempDir(), "none.blend"), "-c", "pass"); r.code == 0 || !strings.Contains(r.stderr, "none.blend") {
		t.Errorf("a scene that is not there: exit %d, %s", r.code, r.stderr)
	}
}
