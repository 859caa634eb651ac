//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"blendtray/api"
)

// looked is what an observer in an open Blender has seen.
type looked struct {
	Objects []string `json:"objects"`
	X       float64  `json:"x"`
	Windows int      `json:"windows"`
}

// observes is code for an open Blender that writes again and again to a file what there is, without a
// run, which would itself be a step for Ctrl-Z.
func observes(file string) string {
	return fmt.Sprintf(`
import json, os
bpy.context.preferences.view.show_splash = False
def observe():
    cube = bpy.data.objects.get("Cube")
    seen = {"objects": sorted(bpy.data.objects.keys()), "x": cube.location.x if cube else 0,
            "windows": len(bpy.context.window_manager.windows)}
    with open(%[1]q + ".new", "w") as file:
        json.dump(seen, file)
    os.replace(%[1]q + ".new", %[1]q)
    return 0.05
bpy.app.timers.register(observe, persistent=True)
`, file)
}

// openWindow is a Blender that a person has open, and that takes scripts.
type openWindow struct {
	*desktop
	p    *program
	env  []string
	cmd  *exec.Cmd
	file string
}

// openBlender installs the add-on and opens a Blender that takes scripts.
func openBlender(t *testing.T, p *program) *openWindow {
	t.Helper()
	w := &openWindow{desktop: newDesktop(t), p: p, file: filepath.Join(t.TempDir(), "seen.json")}
	w.env, _ = ownBlender(t, p)
	if r := p.with(w.env, "addon", "install", "--blender", "blender"); r.code != 0 {
		t.Fatalf("install: %s%s", r.stdout, r.stderr)
	}
	w.open()
	t.Cleanup(func() {
		if folder := picturesOfTests(); folder != "" {
			w.picture(filepath.Join(folder, t.Name()+".png"))
		}
	})
	return w
}

// open opens a Blender, and waits until it takes scripts.
func (w *openWindow) open() {
	w.t.Helper()
	w.cmd = w.blender(w.env, observes(w.file)+servesSoon)
	w.eventually("the open Blender takes scripts", func() bool {
		_, err := os.Stat(filepath.Join(w.p.home, "windows", fmt.Sprintf("%d.json", w.cmd.Process.Pid)))
		return err == nil
	})
}

// seen waits until what the observer sees fits.
func (w *openWindow) seen(what string, fits func(looked) bool) {
	w.t.Helper()
	var last looked
	defer func() {
		if w.t.Failed() {
			w.t.Logf("%s: there is %+v", what, last)
		}
	}()
	w.eventually(what, func() bool {
		text, err := os.ReadFile(w.file)
		if errors.Is(err, os.ErrNotExist) {
			return false
		}
		last = looked{}
		return json.Unmarshal(text, &last) == nil && fits(last)
	})
}

// objects waits until there are the objects with these names, beside the camera and the light.
func (w *openWindow) objects(what string, names ...string) {
	w.t.Helper()
	want := append([]string{"Camera", "Light"}, names...)
	slices.Sort(want)
	w.seen(what, func(l looked) bool { return slices.Equal(l.Objects, want) })
}

// run runs code in the open Blender and returns what came of the run.
func (w *openWindow) run(code int, args ...string) result {
	w.t.Helper()
	r := w.p.with(w.env, append([]string{"run", "--attach"}, args...)...)
	if r.code != code {
		w.t.Fatalf("%q ends with %d: %s%s", args, r.code, r.stdout, r.stderr)
	}
	return r
}

// keys types keys while the pointer is over the 3D view.
func (w *openWindow) keys(keys ...string) {
	w.t.Helper()
	// The window is in the lower left corner of the screen, whose height is 800.
	args := append([]string{"mousemove", "200", "600", "sleep", "0.1", "mousemove", "210", "610", "sleep", "0.1", "key"}, keys...)
	if _, err := w.xdotool(args...); err != nil {
		w.t.Fatal(err)
	}
}

func TestAPersonWorksOnInTheBlenderThatIsOpen(t *testing.T) {
	t.Parallel()
	w := openBlender(t, newProgram(t, ""))

	// Each run is one step for Ctrl-Z, whatever it did and however it ended.
	w.run(0, "-c", "import bpy\nfor i in range(3): bpy.ops.mesh.primitive_monkey_add()")
	w.objects("the run has made three monkeys", "Cube", "Suzanne", "Suzanne.001", "Suzanne.002")
	w.run(1, "-c", "import bpy\nbpy.data.objects.remove(bpy.data.objects['Cube'])\n1 / 0")
	w.objects("the run has removed the cube", "Suzanne", "Suzanne.001", "Suzanne.002")
	w.keys("ctrl+z")
	w.objects("the second run is taken back", "Cube", "Suzanne", "Suzanne.001", "Suzanne.002")
	w.keys("ctrl+z")
	w.objects("the first run is taken back", "Cube")
	w.keys("ctrl+shift+z")
	w.objects("the first run is there again", "Cube", "Suzanne", "Suzanne.001", "Suzanne.002")
	w.keys("ctrl+z")
	w.objects("and taken back again", "Cube")

	// A run that comes at once after Ctrl-Z begins with what Ctrl-Z has left.
	for range 5 {
		w.run(0, "-c", "import bpy; bpy.ops.mesh.primitive_monkey_add()")
		w.objects("the run has made a monkey", "Cube", "Suzanne")
		w.keys("ctrl+z")
		w.run(0, "-c", "import bpy; bpy.data.objects['Cube'].update_tag()")
		w.objects("the monkey is taken back", "Cube")
	}

	// A run comes while a person moves the cube, and the person goes on.
	w.run(0, "-c", "import bpy\nbpy.ops.object.select_all(action='DESELECT')\ncube = bpy.data.objects['Cube']\ncube.select_set(True)\nbpy.context.view_layer.objects.active = cube")
	w.keys("g")
	w.eventually("the cube follows the pointer", func() bool {
		if _, err := w.xdotool("mousemove_relative", "--", "4", "0"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(w.file)
		var l looked
		return err == nil && json.Unmarshal(text, &l) == nil && l.X != 0
	})
	if r := w.run(0, "-c", "import bpy; bpy.ops.mesh.primitive_cone_add(); print(bpy.data.objects['Cube'].location.x != 0)"); r.stdout != "True\n" {
		t.Errorf("in the middle of a move: %q", r.stdout)
	}
	w.objects("there is a cone", "Cone", "Cube")
	if _, err := w.xdotool("key", "Escape"); err != nil {
		t.Fatal(err)
	}
	w.seen("Escape has put the cube back", func(l looked) bool { return l.X == 0 && len(l.Objects) == 4 })

	// Windows come and go. What drives the runs was in the first window.
	w.run(0, "-c", "import bpy; bpy.ops.wm.window_new_main()")
	w.seen("there are two windows", func(l looked) bool { return l.Windows == 2 })
	w.run(0, "-c", `
import bpy
def close():
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.window_close()
bpy.app.timers.register(close)
`)
	w.seen("the first window is closed", func(l looked) bool { return l.Windows == 1 })
	if r := w.run(0, "-c", "import bpy; print(len(bpy.context.window_manager.windows))"); r.stdout != "1\n" {
		t.Errorf("in the window that is left: %q", r.stdout)
	}
}

// segfault makes Blender crash as a fault in its own code does.
const segfault = "import ctypes\nprint('before')\nctypes.string_at(0)"

func TestTheBlenderThatIsOpenCrashes(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	w := openBlender(t, p)
	// Blender's own handler of crashes may take its time. Who looks at the process sees that it is gone.
	crashes := func() {
		t.Helper()
		r := w.run(5, p.save("_crash.py", segfault))
		if !strings.Contains(r.stdout, "before") || !strings.Contains(r.stderr, "Blender") || strings.Contains(r.stderr, "Traceback") {
			t.Errorf("the crash is told as %q, %q", r.stdout, r.stderr)
		}
		_ = w.cmd.Wait() // a crash is an error
		if r := w.run(3, "-c", "1"); !strings.Contains(r.stderr, "Start Serving Scripts") {
			t.Errorf("after the crash: %q", r.stderr)
		}
	}
	crashes() // without an engine
	p.start()
	before := p.waitReady().Blenders[0]
	w.open()
	crashes() // by the engine
	if all := p.runs(); len(all) < 2 || all[0].State != api.Crashed || !all[0].InOpenBlender() || all[1].State != api.Crashed {
		t.Errorf("the history has %+v", all)
	}
	if r, code := p.runJSON("-c", "result = 1"); code != 0 || string(r.Result) != "1" {
		t.Errorf("a run in the engine's own Blender: %d, %+v", code, r)
	}
	if s := p.waitReady(); s.Blenders[0].PID != before.PID {
		t.Errorf("the engine's own Blender was %d, and is %d", before.PID, s.Blenders[0].PID)
	}

	// A Blender that crashes while it does nothing, and the Blender that a person opens in its place.
	w.open()
	if err := w.cmd.Process.Signal(syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	_ = w.cmd.Wait()
	w.open()
	if r := w.run(0, "-c", "import os; print(os.getpid())"); strings.TrimSpace(r.stdout) != fmt.Sprint(w.cmd.Process.Pid) {
		t.Errorf("the run was in %s, and open is %d", r.stdout, w.cmd.Process.Pid)
	}
}
