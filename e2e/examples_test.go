//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"blendtray/api"
)

// The same Blender does them all, one after the other, as it would for a person who tries
// them. That each also runs under plain Blender is tried beside them.
func TestTheExamplesRunInRealBlender(t *testing.T) {
	p := started(t, "")
	p.waitReady()
	example := func(name string, args ...string) api.Run {
		t.Helper()
		code, err := os.ReadFile(filepath.Join("..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name) // not watched, or the script would run twice
		if err := os.WriteFile(path, code, 0o600); err != nil {
			t.Fatal(err)
		}
		run, exit := p.runJSON(append([]string{path, "--"}, args...)...)
		if exit != 0 {
			t.Fatalf("%s: exit %d, %+v\n%s", name, exit, run.Error, run.Output)
		}
		return run
	}
	made := func(run api.Run, names ...string) {
		t.Helper()
		var got []string
		for _, path := range run.Outputs {
			got = append(got, filepath.Base(path))
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: its outputs are %q, want %q", run.Script, got, names)
		}
	}

	town := example("procedural_scene.py", "--houses", "5", "--size", "64", "--samples", "1")
	made(town, "town_1.png", "town_1.blend")
	blends := filepath.Dir(town.Outputs[1])
	made(example("turntable.py", town.Outputs[1], "--frames", "2", "--size", "64"), "turntable_0001.png", "turntable_0002.png")
	made(example("export_gltf.py", blends), "town_1.glb")
	made(example("thumbnails.py", blends, "--size", "64"), "town_1.png", "index.html")
	report := example("scene_report.py", town.Outputs[1])
	made(report, "scene_report.json")
	var told []struct {
		Objects map[string]int `json:"objects"`
	}
	if err := json.Unmarshal(report.Result, &told); err != nil || len(told) != 1 || told[0].Objects["MESH"] != 3 {
		t.Errorf("the report is %s, %v", report.Result, err)
	}
}
