//go:build linux

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blendtray/api"
	"blendtray/farm/flamenco/flamencotest"
)

// flamencoEnded waits until a task has ended, and returns the task.
func flamencoEnded(p *program, m *flamencotest.Manager, id string) flamencotest.Task {
	p.t.Helper()
	p.eventually("the task has ended", func() bool {
		switch m.Task(id).Status {
		case "completed", "failed":
			return true
		}
		return false
	})
	return m.Task(id)
}

// simpleRender is a task as Flamenco's own job type simple-blender-render writes it.
func simpleRender(scene, out, frames string) flamencotest.Command {
	return flamencotest.Command{Name: "blender-render", Parameters: map[string]any{
		"exe": "blender", "exeArgs": "-b -y", "argsBefore": []string{}, "blendfile": scene,
		"args": []string{"--render-output", out, "--render-format", "PNG", "--render-frame", frames},
	}}
}

func TestAnEngineWorksForAManagerOfFlamenco(t *testing.T) {
	t.Parallel()
	scene, want := blend(t, "-f", "1..3")
	out := t.TempDir()
	m := flamencotest.New(t)
	p := started(t, "[flamenco]\nmanager = \""+m.URL+"\"\nname = \"desk\"\n")

	task := flamencoEnded(p, m, m.AddTask(flamencotest.Task{
		Name: "render-1-3", JobType: "simple-blender-render", Type: "blender",
		Commands: []flamencotest.Command{simpleRender(scene, filepath.Join(out, "p_###"), "1..3")},
	}))
	if task.Status != "completed" || !strings.Contains(task.Log, "Saved: ") || strings.Contains(task.Log, "Sample ") {
		t.Errorf("the task is %s: %v\n%s", task.Status, task.Activities, task.Log)
	}
	got := pictures(t, out)
	if len(got) != len(want) || len(want) != 3 {
		t.Errorf("%d pictures, and a cold Blender has made %d", len(got), len(want))
	}
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s differs from what a cold Blender has rendered", name)
		}
	}
	p.eventually("the manager has a picture", func() bool { return m.Task(task.ID).Pictures > 0 })

	// The job types of this program, as Flamenco compiles them.
	frames := t.TempDir()
	for _, task := range flamencotest.Compile(t, filepath.Join("..", "packaging", "flamenco", "blendtray_render.js"), map[string]any{
		"frames": "1-2", "chunk_size": 1, "blendfile": scene, "format": "JPEG", "render_engine": "CYCLES",
		"render_output": filepath.Join(frames, "q_####"),
	}) {
		if task := flamencoEnded(p, m, m.AddTask(task)); task.Status != "completed" {
			t.Errorf("%s: %s", task.Status, task.Log)
		}
	}
	for _, name := range []string{"q_0001.jpg", "q_0002.jpg"} {
		if _, err := os.Stat(filepath.Join(frames, name)); err != nil {
			t.Error(err)
		}
	}
	script := filepath.Join(t.TempDir(), "plant.py")
	if err := os.WriteFile(script, []byte("import bpy, sys\nprint(sys.argv[-1], len(bpy.data.objects))\nassert sys.argv[-1] != 'ash', 'no ash'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, task := range flamencotest.Compile(t, filepath.Join("..", "packaging", "flamenco", "blendtray_script.js"), map[string]any{
		"script": script, "each": "oak,ash", "arguments": "--tree {item}", "blendfile": scene,
	}) {
		ended := flamencoEnded(p, m, m.AddTask(task))
		wantStatus, wantLog := "completed", "oak 3\n"
		if strings.HasSuffix(task.Name, "ash") {
			wantStatus, wantLog = "failed", "AssertionError: no ash"
		}
		if ended.Status != wantStatus || !strings.Contains(ended.Log, wantLog) {
			t.Errorf("%s is %s, want %s:\n%s", task.Name, ended.Status, wantStatus, ended.Log)
		}
	}

	// A task that is cancelled ends its run; its Blender is there for the next task.
	id := m.Add("blendtray", flamencotest.Command{Name: "blendtray-script", Parameters: map[string]any{"code": "print('begun', flush=True)\nwhile True: pass"}})
	p.eventually("the script is running", func() bool { return strings.Contains(m.Task(id).Log, "begun") })
	m.Cancel(id)
	p.eventually("its run is cancelled", func() bool {
		runs := p.runs()
		return len(runs) > 0 && runs[0].State == api.Cancelled && strings.HasPrefix(runs[0].Client, "Flamenco: ")
	})

	// With the setting taken away, the engine is no worker any more.
	if r := p.call("settings", "flamenco.manager", ""); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	p.eventually("the worker is offline", func() bool { return m.Workers()[0].Status == "offline" })
}

func TestAWorkerOfFlamencoHasAnEngineOfItsOwnWhereNoneRuns(t *testing.T) {
	t.Parallel()
	m := flamencotest.New(t)
	m.AddTag("gpu")
	p := newProgram(t, "")
	p.cmd = p.command("flamenco", "worker", m.URL, "--name", "desk", "--tags", "gpu")
	p.cmd.Stdout, p.cmd.Stderr = lockedWriter{p}, lockedWriter{p}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = p.cmd.Process.Kill() // it has ended, where all went well
		if t.Failed() {
			t.Logf("it printed:\n%s", p.printed())
		}
	}()
	task := flamencoEnded(p, m, m.Add("blendtray", flamencotest.Command{Name: "blendtray-script", Parameters: map[string]any{"code": "print(6 * 7)"}}))
	if task.Status != "completed" || !strings.Contains(task.Log, "42\n") {
		t.Errorf("%s: %s", task.Status, task.Log)
	}
	if w := m.Workers()[0]; w.Name != "desk" || len(w.Tags) != 1 || w.Tags[0] != "gpu" {
		t.Errorf("%+v", w)
	}
	files, err := filepath.Glob(filepath.Join(p.home, "flamenco", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the credentials are in %v: %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("they have the mode %v: %v", info.Mode(), err)
	}
	if r := p.call("flamenco", "worker", m.URL); r.code != 1 || !strings.Contains(r.stderr, "works for "+m.URL+" already") {
		t.Errorf("a second worker: %+v", r)
	}
	id := m.Add("blendtray", flamencotest.Command{Name: "blendtray-script", Parameters: map[string]any{"code": "print('begun', flush=True)\nwhile True: pass"}})
	p.eventually("the script is running", func() bool { return strings.Contains(m.Task(id).Log, "begun") })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if task := m.Task(id); task.Status != "queued" {
		t.Errorf("the task is %s, and should have been handed back", task.Status)
	}
	if w := m.Workers()[0]; w.Status != "offline" {
		t.Errorf("the worker is %s", w.Status)
	}
}
