//go:build wine

package wine

import (
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// linuxBlender is a Blender for Linux of the same version.
var linuxBlender = os.Getenv("LINUX_BLENDER")

// smallRender is a script that renders a small picture with Cycles, beside itself.
const smallRender = `
import bpy, os
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", 16, 1
scene.render.resolution_x = scene.render.resolution_y = 48
scene.render.filepath = os.path.join(os.path.dirname(os.path.abspath(__file__)), "picture.png")
bpy.ops.render.render(write_still=True)
result = [bpy.app.version_string, scene.render.filepath]
`

func TestInBlenderASaveRendersWhatItRendersOnLinux(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.save("render.py", smallRender)
	m.eventually("it has run", func() bool { return strings.Contains(m.said(), "succeeded  render.py") })
	var status struct {
		Blenders []struct{ Loop string }
	}
	if err := json.Unmarshal([]byte(m.wants(0, []string{"status", "--json"})), &status); err != nil || len(status.Blenders) == 0 {
		t.Fatalf("%v, %v", status, err)
	}
	if loop := status.Blenders[0].Loop; loop != "ProactorEventLoop" {
		t.Errorf("the loop is %s", loop)
	}
	picture := filepath.Join(m.folder, "picture.png")
	m.wants(0, []string{"runs", "show", "1"}, windows(picture), "result", version)

	there := t.TempDir()
	script := filepath.Join(there, "render.py")
	if err := os.WriteFile(script, []byte(smallRender), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(linuxBlender, "--background", "--factory-startup", "--python", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", linuxBlender, err, out)
	}
	// Compilers and processors round differently, which a sample of light may turn into another path.
	if d := difference(t, picture, filepath.Join(there, "picture.png")); d > 2 {
		t.Errorf("the pixels differ by %.2f of 255", d)
	}
}

// difference returns by how much the channels of two pictures differ, as the root of the mean square,
// in parts of 255.
func difference(t *testing.T, a, b string) float64 {
	t.Helper()
	read := func(path string) (size [2]int, at func(x, y int) color.RGBA) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		picture, err := png.Decode(file)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return [2]int{picture.Bounds().Dx(), picture.Bounds().Dy()}, func(x, y int) color.RGBA {
			return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)
		}
	}
	size, here := read(a)
	other, there := read(b)
	if size != other {
		t.Fatalf("the sizes are %v and %v", size, other)
	}
	sum := 0.0
	for y := range size[1] {
		for x := range size[0] {
			p, q := here(x, y), there(x, y)
			for _, d := range []float64{float64(p.R) - float64(q.R), float64(p.G) - float64(q.G), float64(p.B) - float64(q.B)} {
				sum += d * d
			}
		}
	}
	return math.Sqrt(sum / float64(3*size[0]*size[1]))
}

func TestInBlenderTheEndOfARunIsNamedAsOnLinux(t *testing.T) {
	m := newMachine(t)
	m.serve()
	for _, test := range []struct {
		what, code string
		args       []string
		exit       int
		says       []string
		never      string
	}{
		{
			what: "a fault of the processor", code: "import faulthandler\nprint('before')\nfaulthandler._read_null()", exit: 5,
			says: []string{"before", "Blender crashed: access violation (0xC0000005) (line 3)", `File "<command line>", line 3 in <module>`},
		},
		{
			what: "abort()", code: "import os\nos.abort()", exit: 5,
			says:  []string{"Blender crashed: aborted", "(line 2)", "Fatal Python error: Aborted"},
			never: "os._exit",
		},
		{what: "an exit", code: "import os\nos._exit(3)", exit: 5, says: []string{"ended Blender, with exit code 3, as os._exit"}},
		{what: "sys.exit", code: "import sys\nsys.exit(3)", exit: 1},
		{
			what: "a fault that is guarded", code: "import ctypes\ntry: ctypes.string_at(0)\nexcept OSError as error: print('lived:', error)",
			says: []string{"lived: exception: access violation"}, never: "fatal exception",
		},
		{
			what: "an exit after a fault that is guarded", exit: 5,
			code: "import ctypes, os\ntry: ctypes.string_at(0)\nexcept OSError: os._exit(7)",
			says: []string{"ended Blender, with exit code 7"}, never: "most recent call",
		},
		{what: "a limit", code: "while True: pass", args: []string{"--timeout", "2s"}, exit: 4, says: []string{"over its time limit of 2.00 s"}},
		{
			what: "a lock, which nothing wakes", code: "import threading\nlock = threading.Lock()\nlock.acquire(); lock.acquire()",
			args: []string{"--timeout", "2s"}, exit: 4, says: []string{"over its time limit", "so Blender was killed"},
		},
	} {
		r := m.run(append(append([]string{"run"}, test.args...), "-c", test.code)...)
		if r.code != test.exit {
			t.Errorf("%s: ends with %d, not %d:\n%s", test.what, r.code, test.exit, r.out)
		}
		for _, text := range test.says {
			if !strings.Contains(r.out, text) {
				t.Errorf("%s: does not say %q:\n%s", test.what, text, r.out)
			}
		}
		if test.never != "" && strings.Contains(r.out, test.never) {
			t.Errorf("%s: says %q:\n%s", test.what, test.never, r.out)
		}
	}
}

// What a run waits for ends with the run, and Blender goes on.
func TestInBlenderARunThatWaitsIsEndedAlone(t *testing.T) {
	m := newMachine(t)
	m.serve()
	const keep = "import os; globals().setdefault('first', os.getpid()); print('the same:', os.getpid() == first)"
	m.wants(0, []string{"run", "--isolation", "keep", "-c", keep})
	const pair = "import socket\na = socket.socket(); a.bind(('127.0.0.1', 0)); a.listen()\n"
	const child = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(1000)']"
	for what, code := range map[string]string{
		"sleep":                   "import time; time.sleep(1000)",
		"a pipe":                  "import os; os.read(os.pipe()[0], 1)",
		"a socket":                pair + "socket.create_connection(a.getsockname()).recv(1)",
		"a socket with a limit":   pair + "socket.create_connection(a.getsockname(), timeout=1000).makefile('rb').read()",
		"a caller":                pair + "a.accept()",
		"a child":                 child + ")",
		"what a child has to say": child + ", capture_output=True)",
	} {
		r := m.run("run", "--isolation", "keep", "--timeout", "2s", "-c", code)
		if r.code != 4 || strings.Contains(r.out, "was killed") {
			t.Errorf("%s: ends with %d:\n%s", what, r.code, r.out)
		}
	}
	m.wants(0, []string{"run", "--isolation", "keep", "-c", keep}, "the same: True")
}

func TestInBlenderOutputsOnTheDriveOfTheSystemAreReported(t *testing.T) {
	m := newMachine(t)
	m.serve()
	for _, path := range []string{`/tmp/blendtray out/`, `blendtray out\\pic`} {
		code := strings.Replace(smallRender, `os.path.join(os.path.dirname(os.path.abspath(__file__)), "picture.png")`, fmt.Sprintf("%q", path), 1)
		m.wants(0, []string{"run", "-c", code})
	}
	m.wants(0, []string{"runs", "show", "1"}, `C:\tmp\blendtray out\.png`)
	m.wants(0, []string{"runs", "show", "2"}, `C:\blendtray out\pic.png`)
}

func TestInBlenderTheDoctorAgreesWithTheEngine(t *testing.T) {
	m := newMachine(t)
	m.serve()
	out := m.run("doctor").out
	for _, text := range []string{"right  blender    Blender " + version + " is used: " + windows(blender), "its Blender is ready"} {
		if !strings.Contains(out, text) {
			t.Errorf("the doctor does not say %q:\n%s", text, out)
		}
	}
	if strings.Contains(out, "no Blender is found") {
		t.Errorf("the doctor finds no Blender:\n%s", out)
	}
}

func TestInBlenderASessionKeepsItsScene(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.wants(0, []string{"run", "--session", "mine", "-c", "import bpy; bpy.ops.mesh.primitive_monkey_add()"})
	m.wants(0, []string{"session", "checkpoint", "mine"})
	m.wants(0, []string{"run", "--session", "mine", "-c", "bpy.ops.object.delete(); print('there:', 'Suzanne' in bpy.data.objects)"}, "there: False")
	m.wants(0, []string{"session", "undo", "mine"})
	scene := filepath.Join(t.TempDir(), "mine.blend")
	m.wants(0, []string{"session", "save", "mine", windows(scene)})
	m.wants(0, []string{"session", "end", "mine"})
	m.wants(0, []string{"run", "--scene", windows(scene), "-c", "import bpy; print('there:', 'Suzanne' in bpy.data.objects)"}, "there: True")
}

// The other examples draw with OpenGL, which the module does not find under Wine.
func TestInBlenderTheExamplesRun(t *testing.T) {
	m := newMachine(t)
	m.serve()
	example := func(name string, args ...string) {
		t.Helper()
		code, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(filepath.Dir(m.home), name)
		if err := os.WriteFile(path, code, 0o600); err != nil {
			t.Fatal(err)
		}
		m.wants(0, append([]string{"run", windows(path), "--"}, args...))
	}
	example("procedural_scene.py", "--houses", "5", "--size", "64", "--samples", "1")
	towns, err := filepath.Glob(filepath.Join(filepath.Dir(m.home), "*", "town_1.blend"))
	if err != nil || len(towns) != 1 {
		t.Fatalf("the towns are %v, %v", towns, err)
	}
	m.wants(0, []string{"runs", "show", "1"}, windows(towns[0]), "town_1.png")
	example("export_gltf.py", windows(filepath.Dir(towns[0])))
	m.wants(0, []string{"runs", "show", "2"}, "town_1.glb")
	example("scene_report.py", windows(towns[0]))
	m.wants(0, []string{"runs", "show", "3"}, "scene_report.json", `"MESH"`)
}

// These tests are for Windows alone, and need no Blender.
func TestWhatOnlyWindowsHasIsTested(t *testing.T) {
	m := newMachine(t)
	for room, names := range map[string][]string{
		"blender": {"TestTheExitCodeOfACrashNamesIt", "TestAnExitCodeThatScriptsUseIsACrashOnlyWithProof"},
		"logfile": {"TestFollowingALogGoesOnOverItsRotation"},
	} {
		tests := filepath.Join(t.TempDir(), room+".test.exe")
		build := exec.Command("go", "test", "-c", "-tags", "headless", "-o", tests, "blendtray/"+room)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		r := m.runProgram(tests, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$")
		for _, name := range names {
			// A test may fail because Wine 8 does not let it remove its files: that is no error of its own.
			if !strings.Contains(r.out, "=== RUN   "+name) || strings.Contains(r.out, "_test.go:") {
				t.Errorf("%s in %s:\n%s", name, room, r.out)
			}
		}
	}
}
