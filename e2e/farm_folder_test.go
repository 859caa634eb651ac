//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

func TestScriptsThatAreSavedInAFolderOfTheFarmRunThere(t *testing.T) {
	shared := t.TempDir()
	h := newHallOf(t, 1, fmt.Sprintf("[[folder]]\npath = %q\nfarm = true\n", shared))
	desk := h.server
	desk.saveIn(shared, "_helper.py", "NAME = 'helper'")
	script := desk.saveIn(shared, "main.py", `import os, bpy, tcp_echo, _helper
print(_helper.NAME, __file__)
folder = os.path.dirname(__file__)
os.makedirs(os.path.join(folder, "out"), exist_ok=True)
for name in "words.txt", "made.py", "out/deep.txt":
    with open(os.path.join(folder, name), "w") as file:
        file.write("print('what a run has made')")
    tcp_echo.add_output(os.path.join(folder, name))
bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
result = 7
`)
	run := desk.lastOf(script)
	if run.State != api.Succeeded || !strings.HasPrefix(run.Output, "helper /") || string(run.Result) != "7" ||
		!strings.Contains(run.Reason, "executed by machine1") || !strings.Contains(run.Reason, "1 Python files") || run.BlenderVersion == "" {
		t.Errorf("%+v", run)
	}
	for _, name := range []string{"words.txt", "out/deep.txt", "scene.blend"} {
		path := filepath.Join(shared, name)
		if _, err := os.Stat(path); err != nil || !strings.Contains(fmt.Sprint(run.Outputs), path) {
			t.Errorf("%s: %v, of %v", name, err, run.Outputs)
		}
	}
	if _, err := os.Stat(filepath.Join(shared, "made.py")); err == nil {
		t.Error("a script that a machine of the farm has made is in the watched folder")
	}
	if text := desk.call("status").stdout; !strings.Contains(text, "farm") {
		t.Errorf("the status says nothing of the farm:\n%s", text)
	}

	// A change of a module runs the script again that has imported the module on the other machine, and a change of
	// another module runs nothing.
	before := len(desk.runs())
	desk.saveIn(shared, "_unused.py", "NAME = 'nobody'")
	desk.saveIn(shared, "_helper.py", "NAME = 'another'")
	desk.eventually("the script runs again with the new module", func() bool {
		last := desk.runs()[0]
		return last.Script == script && last.Source == api.FromModule && last.State == api.Succeeded
	})
	if run := desk.lastOf(script); !strings.HasPrefix(run.Output, "another /") || len(desk.runs()) != before+1 {
		t.Errorf("%d runs after %d, the last printed %q", len(desk.runs()), before, run.Output)
	}

	failing := desk.lastOf(desk.saveIn(shared, "fails.py", "print('before')\n1 / 0\n"))
	if failing.State != api.Failed || failing.Error == nil || failing.Error.Type != "ZeroDivisionError" || !strings.Contains(failing.Error.Traceback, "line 2") {
		t.Errorf("%+v", failing)
	}

	// What is running there when this machine's engine dies is not begun a second time.
	begun := filepath.Join(t.TempDir(), "begun")
	times := func() int {
		text, _ := os.ReadFile(begun) // nothing has begun yet
		return strings.Count(string(text), "x")
	}
	gate := filepath.Join(t.TempDir(), "gate")
	long := desk.saveIn(shared, "long.py", fmt.Sprintf(`import os, time
os.write(os.open(%q, os.O_WRONLY | os.O_APPEND | os.O_CREAT), b"x")
while not os.path.exists(%q):
    time.sleep(0.01)
print("over")
`, begun, gate))
	desk.eventually("it has begun", func() bool { return times() == 1 })
	if err := desk.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = desk.cmd.Wait() // it was killed
	desk.start()
	desk.eventually("it is on the farm again", func() bool {
		s, ok := desk.status()
		return ok && s.OnFarm == 1
	})
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if run := desk.lastOf(long); run.State != api.Succeeded || run.Output != "over\n" || times() != 1 {
		t.Errorf("begun %d times: %+v", times(), run)
	}

	cancelled := desk.saveIn(shared, "cancelled.py", fmt.Sprintf(`import os, time
os.write(os.open(%q, os.O_WRONLY | os.O_APPEND | os.O_CREAT), b"x")
while True:
    time.sleep(0.01)
`, begun))
	desk.eventually("it has begun", func() bool { return times() == 2 })
	id := desk.runs()[0].ID
	if r := desk.call("cancel", id); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if run := desk.lastOf(cancelled); run.ID != id || run.State != api.Cancelled {
		t.Errorf("%+v", run)
	}
	h.server.eventually("the machine is free again", func() bool {
		s, ok := h.machines[0].status()
		return ok && s.Running == 0
	})

	// Without a farm, saves wait.
	if r := desk.call("farm", "leave", "--now"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	desk.saveIn(shared, "waits.py", "pass")
	desk.eventually("the folder says why its runs wait", func() bool {
		s, ok := desk.status()
		for _, f := range s.Folders {
			if f.Path == shared && strings.Contains(f.Error, "this machine has joined no farm") {
				return ok
			}
		}
		return false
	})
}
