//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// hall is a farm of the test: its server, and machines with homes of their own.
type hall struct {
	t        *testing.T
	server   *program // the home that administers, which submits and whose engine takes no jobs
	machines []*program
}

// newHall starts a server and so many machines that have joined, and waits until all are idle.
func newHall(t *testing.T, machines int) *hall { t.Helper(); return newHallOf(t, machines, "") }

// newHallOf does what newHall does, with further settings of the home that administers.
func newHallOf(t *testing.T, machines int, settings string) *hall {
	t.Helper()
	h := &hall{t: t, server: newProgram(t, "[farm]\nwork = false\n"+settings)}
	cmd := h.server.command("farm", "serve", "--listen", "127.0.0.1:0", "--name", "desk")
	said := &program{}
	cmd.Stdout, cmd.Stderr = lockedWriter{said}, lockedWriter{said}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()                          // its exit code is of no interest here
		if t.Failed() {
			t.Logf("blendtray farm serve printed:\n%s", said.printed())
		}
	})
	var token string
	h.server.eventually("the server prints how to join", func() bool {
		token = regexp.MustCompile(`bt1\.\S+\n`).FindString(said.printed())
		return token != ""
	})
	h.server.start()
	h.server.waitReady()
	for i := range machines {
		p := newProgram(t, "")
		if r := p.call("farm", "join", "--yes", "--name", fmt.Sprintf("machine%d", i+1), token[:len(token)-1]); r.code != 0 {
			t.Fatalf("join: %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		p.start()
		h.machines = append(h.machines, p)
	}
	h.server.eventually("all machines are idle", func() bool {
		var all []struct{ State string }
		h.json(&all, "farm", "workers", "--json")
		idle := 0
		for _, m := range all {
			if m.State == "idle" {
				idle++
			}
		}
		return idle == machines
	})
	return h
}

// json reads what a command prints for the machine that submits.
func (h *hall) json(to any, args ...string) {
	h.t.Helper()
	r := h.server.call(args...)
	if err := json.Unmarshal([]byte(r.stdout), to); err != nil {
		h.t.Fatalf("blendtray %v: %v\n%d %s%s", args, err, r.code, r.stdout, r.stderr)
	}
}

// pixels returns the pixels of a picture: its file also says when it was made.
func pixels(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	bounds := picture.Bounds()
	all := image.NewRGBA(bounds)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			all.Set(x, y, picture.At(x, y))
		}
	}
	return all.Pix
}

// farmProject makes the project with one use of each kind of file, and returns its .blend with a folder of
// what a cold Blender renders of it, which has the project's pictures no more.
func farmProject(t *testing.T) (blend, want string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a", "project")
	script, err := filepath.Abs("../farm/cargo/testdata/project.py")
	if err != nil {
		t.Fatal(err)
	}
	blend = filepath.Join(root, "shots", "scene.blend")
	for _, args := range [][]string{{"--python-exit-code", "1", "--python", script, "--", root}, {blend, "-a"}} {
		if out, err := exec.Command("blender", append([]string{"--background", "--factory-startup"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("blender %v: %v\n%s", args, err, out)
		}
	}
	want = filepath.Join(t.TempDir(), "want")
	if err := os.Rename(filepath.Join(root, "shots", "pictures"), want); err != nil {
		t.Fatal(err)
	}
	return blend, want
}

func TestAnAnimationOverThreeEnginesIsThatOfOne(t *testing.T) {
	blend, want := farmProject(t)
	h := newHall(t, 3)
	to := filepath.Join(t.TempDir(), "to")
	r := h.server.call("farm", "render", blend, "--chunk", "1", "--to", to, "--detach")
	if r.code != 0 {
		t.Fatalf("render: %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	group := regexp.MustCompile(`\S+`).FindString(r.stdout)
	// What the .blend uses is on no machine any more, but for the farm.
	project := filepath.Dir(filepath.Dir(filepath.Dir(blend)))
	if err := os.Rename(project, project+".away"); err != nil {
		t.Fatal(err)
	}
	var jobs []struct{ State, Machine, Reason string }
	for n := 1; n <= 20; n++ { // a busy machine may take long for all of them
		h.server.eventually(fmt.Sprintf("%d frames are rendered", n), func() bool {
			h.json(&jobs, "farm", "status", group, "-n", "100", "--json")
			over := 0
			for _, j := range jobs {
				if j.State != "waiting" && j.State != "running" {
					over++
				}
			}
			return over >= n
		})
	}
	by := map[string]int{}
	for _, j := range jobs {
		by[j.Machine]++
		if j.State != "succeeded" {
			t.Errorf("a job on %s is %s: %s", j.Machine, j.State, j.Reason)
		}
	}
	if len(jobs) != 20 || len(by) != 3 {
		t.Errorf("%d jobs were on %v", len(jobs), by)
	}
	if r := h.server.call("farm", "fetch", group); r.code != 0 {
		t.Fatalf("fetch: %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for n := 1; n <= 20; n++ {
		name := fmt.Sprintf("shot_%03d.png", n)
		if !bytes.Equal(pixels(t, filepath.Join(to, name)), pixels(t, filepath.Join(want, name))) {
			t.Errorf("%s has other pixels", name)
		}
	}
	if bytes.Equal(pixels(t, filepath.Join(to, "shot_001.png")), pixels(t, filepath.Join(to, "shot_020.png"))) {
		t.Error("all frames are the same")
	}
}

func TestFramesThatAreThereAreNotRenderedAgain(t *testing.T) {
	blend, _ := farmProject(t)
	h := newHall(t, 1)
	type report struct {
		Frames, Skipped int
		SentBytes       int64 `json:"sent_bytes"`
		To              string
		Missing         []string
		Jobs            []struct{ Frames, State string }
	}
	var first, second, none report
	h.json(&first, "farm", "render", blend, "--frames", "1-3", "--json")
	if first.Frames != 3 || first.Skipped != 0 || first.SentBytes == 0 || len(first.Jobs) != 1 || first.Jobs[0].State != "succeeded" || len(first.Missing) != 1 {
		t.Errorf("the first render is %+v", first)
	}
	if first.To != filepath.Join(filepath.Dir(blend), "pictures") {
		t.Errorf("the pictures come to %s", first.To)
	}
	before := pixels(t, filepath.Join(first.To, "shot_002.png"))
	if err := os.Remove(filepath.Join(first.To, "shot_002.png")); err != nil {
		t.Fatal(err)
	}
	h.json(&second, "farm", "render", blend, "--frames", "1-4", "--chunk", "1", "--shared", "--json")
	if second.Skipped != 2 || second.SentBytes != 0 || len(second.Jobs) != 2 || second.Jobs[0].Frames != "2" || second.Jobs[1].Frames != "4" {
		t.Errorf("the second render is %+v", second)
	}
	if !bytes.Equal(before, pixels(t, filepath.Join(first.To, "shot_002.png"))) {
		t.Error("with shared storage, the frame has other pixels")
	}
	found, err := os.ReadDir(first.To)
	if err != nil || len(found) != 4 {
		t.Errorf("there are %v: %v", found, err)
	}
	h.json(&none, "farm", "render", blend, "--frames", "1-4", "--json")
	if none.Skipped != 4 || len(none.Jobs) != 0 {
		t.Errorf("the last render is %+v", none)
	}
}

func TestAScriptTakesItsModulesToAnotherMachineAndItsFilesComeBack(t *testing.T) {
	h := newHall(t, 1)
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for name, text := range map[string]string{
		"main.py": `import bpy, os, sys
import helper
from pack import part
with open(os.path.join(os.path.dirname(__file__), "data", "words.txt")) as file:
    print(helper.NAME, part.NAME, file.read())
scene = bpy.context.scene
scene.render.engine = "BLENDER_WORKBENCH"
scene.render.resolution_x = scene.render.resolution_y = 16
scene.render.filepath = "//" + sys.argv[-1]
bpy.ops.wm.save_as_mainfile(filepath=os.path.join(os.path.dirname(__file__), sys.argv[-1] + ".blend"))
`,
		"helper.py": "NAME = 'helper'", "pack/__init__.py": "", "pack/part.py": "NAME = 'part'", "data/words.txt": "words",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(dir, "main.py")
	r := h.server.call("farm", "run", script, "--with", filepath.Join(dir, "data"), "--to", to, "--", "one")
	if r.code != 0 || !strings.Contains(r.stdout, "helper part words") {
		t.Fatalf("%d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(to, "one.blend")); err != nil {
		t.Errorf("what the script has made: %v", err)
	}
	if r := h.server.call("farm", "run", script, "--with", os.TempDir()); r.code != 2 || !strings.Contains(r.stderr, "is not below") {
		t.Errorf("a folder elsewhere: %d\n%s", r.code, r.stderr)
	}
}
