//go:build linux

package e2e

import (
	"bytes"
	"image"
	_ "image/jpeg" // pictures of scenes
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// picture returns the picture of an answer.
func (a *agent) picture(res *sdk.CallToolResult) image.Image {
	a.t.Helper()
	for _, c := range res.Content {
		if p, ok := c.(*sdk.ImageContent); ok {
			decoded, _, err := image.Decode(bytes.NewReader(p.Data))
			if err != nil {
				a.t.Fatal(err)
			}
			return decoded
		}
	}
	a.t.Fatalf("there is no picture in %s", textIn(res))
	return nil
}

// difference returns how much two pictures of one size differ: the mean over their points, of 65535.
func difference(t *testing.T, a, b image.Image, from, to image.Rectangle) int {
	t.Helper()
	if from.Size() != to.Size() {
		t.Fatalf("the pictures are %v and %v", from, to)
	}
	sum := 0
	for y := range from.Dy() {
		for x := range from.Dx() {
			r1, g1, b1, _ := a.At(from.Min.X+x, from.Min.Y+y).RGBA()
			r2, g2, b2, _ := b.At(to.Min.X+x, to.Min.Y+y).RGBA()
			for _, d := range []int{int(r1) - int(r2), int(g1) - int(g2), int(b1) - int(b2)} {
				sum += max(d, -d)
			}
		}
	}
	return sum / 3 / (from.Dx() * from.Dy())
}

// An agent models something, looks at it from four sides, asks for the API, mends an error, goes back,
// and exports.
func TestAnAgentWorksOnAScene(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]func(*program) (*agent, string){
		"over a pipe": func(p *program) (*agent, string) { return p.agentOnAPipe(), "" },
		"over HTTP":   func(p *program) (*agent, string) { return p.agentOverHTTP(), "scripted" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, session := connect(started(t, ""))
			with := func(pairs ...any) map[string]any {
				all := map[string]any{}
				if session != "" {
					all["session"] = session
				}
				for i := 0; i < len(pairs); i += 2 {
					all[pairs[i].(string)] = pairs[i+1]
				}
				return all
			}
			a.says(false, "run_python", with("code", `
import bpy
bpy.ops.mesh.primitive_cone_add(location=(3, 0, 0)); bpy.context.object.name = "Tower"
bpy.context.object.scale = (0.5, 1, 3)`))
			a.says(false, "scene_summary", with(), "Tower", "Cube", `"camera"`)
			a.says(false, "inspect", with("path", `bpy.data.objects["Tower"]`), "scale")
			a.says(true, "inspect", with("path", `bpy.data.objects["Nothing"]`), "Nothing")

			whole := a.picture(a.says(false, "render_preview", with("views", []string{"front", "right", "top", "three-quarter"}, "size", 128), "front"))
			box := whole.Bounds()
			var views []image.Rectangle
			for y := range 2 {
				for x := range 2 {
					views = append(views, image.Rect(0, 0, box.Dx()/2, box.Dy()/2).Add(image.Pt(x*box.Dx()/2, y*box.Dy()/2)))
				}
			}
			for i := range views {
				for j := range i {
					if d := difference(t, whole, whole, views[i], views[j]); d < 300 {
						t.Errorf("views %d and %d differ by %d", j, i, d)
					}
				}
			}

			a.says(false, "api_docs", map[string]any{"query": "bpy.context.scene.objects.link"}, "collection")
			a.says(false, "api_docs", map[string]any{"query": "bpy.ops.mesh.primitive_cone_add"}, "vertices")
			failed := a.says(true, "run_python", with("code", "import bpy\nbpy.context.scene.objects.link(bpy.data.objects['Tower'])"), "AttributeError", "line: 2", "hint: ")
			if !strings.Contains(textIn(failed), "api_docs") {
				t.Errorf("the hint names no tool: %s", textIn(failed))
			}
			a.says(false, "run_python", with("code", "import bpy\nbpy.context.collection.objects.link(bpy.data.objects['Tower'].copy())\nresult = len(bpy.data.objects)"), "result: 5")
			a.says(false, "restore", with(), "objects gone: Tower.001")
			solid := a.picture(a.says(false, "render_preview", with("size", 128, "style", "solid")))
			rendered := a.picture(a.says(false, "render_preview", with("size", 128, "style", "rendered"))) // with the scene's lights
			if d := difference(t, solid, rendered, solid.Bounds(), rendered.Bounds()); d < 300 {
				t.Errorf("the rendered picture differs by %d from the solid picture", d)
			}
			a.says(false, "run_python", with("code", "import bpy\nbpy.data.objects.remove(bpy.data.objects['Tower'])\nresult = 'Tower' in bpy.data.objects"), "result: false")
			before := a.picture(a.says(false, "render_preview", with("views", []string{"front"}, "size", 128)))
			a.says(false, "restore", with(), "Tower")
			after := a.picture(a.says(false, "render_preview", with("views", []string{"front"}, "size", 128)))
			if d := difference(t, before, after, before.Bounds(), after.Bounds()); d < 300 {
				t.Errorf("the scene looks as before it was restored; the pictures differ by %d", d)
			}
			file := filepath.Join(t.TempDir(), "tower.obj")
			a.says(false, "open_save_export", with("action", "export", "file", file), filepath.Base(file))
		})
	}
}

func TestTheAPIIsAnsweredWhileBlenderIsBusy(t *testing.T) {
	t.Parallel()
	a := started(t, "").agentOnAPipe()
	a.says(false, "api_docs", map[string]any{"query": "Object.location"}, "location")
	a.says(false, "run_python", map[string]any{"code": "while True: pass", "wait": 0.1, "checkpoint": false})
	a.says(false, "api_docs", map[string]any{"query": "bevel edges"}, "bevel")
	a.says(true, "scene_summary", map[string]any{"session": ""}, "busy")
}

func TestAnImportOrExportThatFailsSaysTheReasonAlone(t *testing.T) {
	t.Parallel()
	a := started(t, "").agentOnAPipe()
	dir := t.TempDir()
	missing, broken := filepath.Join(dir, "missing.obj"), filepath.Join(dir, "broken.fbx")
	if err := os.WriteFile(broken, []byte("Kaydara FBX Binary  \x00\x1a\x00\xe8\x1c\x00\x00garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.says(true, "open_save_export", args{"action": "import", "file": missing}, "there is no file to import", missing)
	a.says(true, "open_save_export", args{"action": "import", "file": dir + ".obj"}, "there is no file to import")
	if runs, err := a.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "blendtray://runs"}); err != nil || strings.Contains(runs.Contents[0].Text, "begin session") {
		t.Errorf("a run was made for a file that is not there: %v, %v", runs, err)
	}
	res := a.says(true, "open_save_export", args{"action": "import", "file": broken}, "error: ", "/output")
	if text := textIn(res); strings.Contains(text, "lambda names") || strings.Contains(text, "Traceback") || len(text) > 600 {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
