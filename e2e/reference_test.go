//go:build linux

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/control"
)

func TestTheAPIIsAnsweredAtOnceWhileEveryBlenderIsBusy(t *testing.T) {
	t.Parallel()
	p := started(t, "[runs]\nparallel = 1\n")
	p.runJSON("--session", "busy", "-c", "x = 1")
	loops := p.command("run", "--session", "busy", "-c", "while True: pass")
	if err := loops.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loops.Process.Kill(); _ = loops.Wait() }() // the run ends with the program
	p.eventually("the session is busy", func() bool {
		return slices.ContainsFunc(p.runs("--state", "running"), func(r api.Run) bool { return r.Session == "busy" })
	})
	// The first question has the API written down, by a Blender of its own.
	r := p.call("api", "--json", "-n", "5", "bpy.context.object.data.vertices")
	var found api.Reference
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil || r.code != 0 {
		t.Fatalf("%v: %+v", err, r)
	}
	if len(found.Entries) != 1 || found.Entries[0].Path != "bpy.types.Mesh.vertices" || found.Blender != "default" {
		t.Errorf("%+v", found)
	}
	if r := p.call("api", "bevel", "edges"); r.code != 0 || !strings.Contains(r.stdout, "bpy.ops.mesh.bevel(") {
		t.Errorf("words: %+v", r)
	}
	if r := p.call("api", "Object.select"); r.code != 0 || !strings.Contains(r.stdout, "ob.select_set(True)") {
		t.Errorf("a name that is gone: %+v", r)
	}
	if r := p.call("api", "nothing_is_called_so"); r.code != 1 || !strings.Contains(r.stderr, "has nothing like nothing_is_called_so") {
		t.Errorf("nothing: %+v", r)
	}
	if r := p.call("api", "--blender", "1.0", "Object"); r.code == 0 || !strings.Contains(r.stderr, "there is no Blender") {
		t.Errorf("no such Blender: %+v", r)
	}
	client := control.NewClient(p.socket())
	for _, query := range []api.ReferenceQuery{{Path: `bpy.data.objects["Cube"].location`}, {Words: "insert a keyframe"}, {Path: "bpy.context.scene.objects.link"}} {
		// The machine may be busy: the best of many answers counts, beside another question in turn. To start a Blender
		// takes a thousand times as long.
		best, status := time.Hour, time.Hour
		for range 50 {
			began := time.Now()
			if _, err := client.API(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			answered := time.Now()
			if _, err := client.Status(t.Context()); err != nil {
				t.Fatal(err)
			}
			best, status = min(best, answered.Sub(began)), min(status, time.Since(answered))
		}
		if best > 100*status {
			t.Errorf("%+v takes %s, and the status %s", query, best, status)
		}
	}
	if left := slices.ContainsFunc(p.runs("--state", "running"), func(r api.Run) bool { return r.Session == "busy" }); !left {
		t.Error("the run that loops has ended")
	}
}
