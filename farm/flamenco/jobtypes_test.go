package flamenco

import (
	"path/filepath"
	"slices"
	"testing"

	"blendtray/farm/flamenco/flamencotest"
)

func jobType(name string) string { return filepath.Join("..", "..", "packaging", "flamenco", name) }

func TestTheJobTypeOfRendersMakesTasksThatAWorkerTakes(t *testing.T) {
	t.Parallel()
	w := started(t)
	tasks := flamencotest.Compile(t, jobType("blendtray_render.js"), map[string]any{
		"frames": "1-5, 9-12", "chunk_size": 4, "render_output": "/out/p_######", "blendfile": "/a.blend", "format": "JPEG",
	})
	var frames []string
	for _, task := range tasks {
		w.ended(w.manager.AddTask(task), "completed")
	}
	for _, run := range w.engine.runs() {
		frames = append(frames, run.Render.Frames.String())
		if run.Scene != "/a.blend" || run.Render.Output != "/out/p_######" || run.Render.Format != "JPEG" || run.Render.Engine != "" {
			t.Errorf("%+v", run)
		}
	}
	if want := []string{"1-4", "5,9-11", "12"}; !slices.Equal(frames, want) {
		t.Errorf("the frames are %q, want %q", frames, want)
	}
}

func TestTheJobTypeOfScriptsMakesATaskForEachItem(t *testing.T) {
	t.Parallel()
	w := started(t)
	script, err := filepath.Abs(filepath.Join("..", "..", "examples", "first_light.py"))
	if err != nil {
		t.Fatal(err)
	}
	tasks := flamencotest.Compile(t, jobType("blendtray_script.js"), map[string]any{
		"script": filepath.ToSlash(script), "each": "oak, ash", "arguments": "--tree {item}", "blendfile": "/a.blend", "on_this_file": false,
	})
	tasks = append(tasks, flamencotest.Compile(t, jobType("blendtray_script.js"), map[string]any{
		"script": filepath.ToSlash(script), "blendfile": "/a.blend", "frames": "1-2", "time_limit": 30,
	})...)
	for _, task := range tasks {
		w.ended(w.manager.AddTask(task), "completed")
	}
	runs := w.engine.runs()
	if len(runs) != 3 || !slices.Equal(runs[1].Args, []string{"--tree", "ash"}) || runs[0].Scene != "fresh" || runs[0].Render != nil ||
		runs[2].Scene != "/a.blend" || runs[2].Render.Frames.String() != "1-2" || runs[2].TimeLimitSeconds != 30 || len(runs[2].Code) == 0 {
		t.Errorf("%+v", runs)
	}
}
