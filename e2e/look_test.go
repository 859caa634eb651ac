//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/control"
)

// allData has Blender return everything of the scene that a look must leave alone, without the users of
// collections: Blender 3.4 goes on counting those of a copied scene after its removal.
const allData = `
import bpy
result = {kind: sorted(b.name + (str(b.users) if kind != "collections" else "") for b in getattr(bpy.data, kind))
          for kind in ("objects", "meshes", "cameras", "lights", "worlds", "scenes", "images", "materials", "collections")}
scene = bpy.context.scene
for owner in (scene, scene.render, scene.render.image_settings, scene.cycles, scene.display.shading, scene.camera.data):
    for prop in owner.bl_rna.properties:
        if prop.type in ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM") and not prop.identifier.startswith("is_"):
            try:
                result[type(owner).__name__ + "." + prop.identifier] = str(getattr(owner, prop.identifier))
            except Exception:
                pass
result["selected"] = [o.name for o in bpy.context.selected_objects]
result["camera"] = [list(row) for row in scene.camera.matrix_world]
result["names"] = sorted(n for n in globals() if not n.startswith("__") and n not in ("result", "prop", "owner", "scene"))
`

func TestAProgramLooksAtTheSceneOfASessionAndChangesNothing(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	client := control.NewClient(p.socket())
	look := func(l api.Look) (map[string]any, error) {
		t.Helper()
		done, err := client.DoInSession(t.Context(), api.SessionRequest{Session: "chair", Operation: api.SessionLook, Look: &l, Client: "test"})
		if err != nil {
			return nil, err
		}
		var seen map[string]any
		if err := json.Unmarshal(done.Run.Result, &seen); err != nil || len(done.Run.Outputs) > 0 {
			t.Fatalf("%s, %s: %v", done.Run.Result, done.Run.Outputs, err)
		}
		return seen, nil
	}
	// A look begins the session.
	seen, err := look(api.Look{What: "summary"})
	if err != nil || seen["objects_total"] != 3.0 || seen["camera"] != "Camera" || seen["changed"] != nil {
		t.Fatalf("%v, %v", seen, err)
	}
	run := func(code string) api.Run {
		t.Helper()
		got, _ := p.runJSON("--session", "chair", "-c", code)
		if got.State != api.Succeeded {
			t.Fatalf("%+v", got.Error)
		}
		return got
	}
	// A checkpoint keeps what nothing uses, and gives it a user meanwhile.
	run(`import bpy; bpy.data.materials.new("spare"); bpy.data.images.new("painted", 2, 2).pixels[0] = 0.5`)
	if _, err := client.DoInSession(t.Context(), api.SessionRequest{Session: "chair", Operation: api.SessionCheckpoint}); err != nil {
		t.Fatal(err)
	}
	seen, err = look(api.Look{What: "summary"})
	if changed, _ := json.Marshal(seen["changed"]); err != nil || string(changed) != `{"added":[],"changed":[],"removed":[]}` {
		t.Errorf("nothing has changed since the checkpoint: %s, %v", changed, err)
	}
	marks, err := look(api.Look{What: "marks"})
	if err != nil {
		t.Fatal(err)
	}
	run(`
import bpy
bpy.data.meshes["Cube"].vertices[0].co.x = 3
bpy.data.images["painted"].pixels[0] = 0.25
bpy.data.lights["Light"].energy = 7
bpy.data.cameras["Camera"].lens = 20
bpy.data.worlds["World"].node_tree.nodes["Background"].inputs["Strength"].default_value = 0.9
bpy.data.collections["Collection"].color_tag = "COLOR_01"
bpy.data.materials["Material"].use_fake_user = True  # this is no change of the scene
`)
	now, err := look(api.Look{What: "marks"})
	if err != nil {
		t.Fatal(err)
	}
	var differ []string
	for kind, names := range now {
		for name, mark := range names.(map[string]any) {
			if mark != marks[kind].(map[string]any)[name] {
				differ = append(differ, kind+" "+name)
			}
		}
	}
	slices.Sort(differ)
	if got := strings.Join(differ, ", "); got != "cameras Camera, collections Collection, images painted, lights Light, meshes Cube, worlds World" {
		t.Errorf("the marks of these differ: %s", got)
	}
	run(`
legs = 4
cube = bpy.data.objects["Cube"]
cube.location.x = 2
bpy.data.objects.remove(bpy.data.objects["Light"])
for i in range(5):
    bpy.context.collection.objects.link(bpy.data.objects.new(f"leg {i}", cube.data))
cube.modifiers.new("Rounded", "BEVEL").width = 0.25
cube["maker"] = "ada"
material = bpy.data.materials["Material"]
material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.75
image = bpy.data.images.new("gone", 1, 1)
image.source = "FILE"
image.filepath = "/none/there.png"
`)
	before := string(run(allData).Result)

	seen, err = look(api.Look{What: "summary", From: 1, Max: 3})
	if err != nil {
		t.Fatal(err)
	}
	changed, _ := json.Marshal(seen["changed"])
	for _, want := range []string{`"added":["object leg 0"`, `"removed":["object Light"]`, `"object Cube"`, `"material Material"`} {
		if !strings.Contains(string(changed), want) {
			t.Errorf("%s is not among the changes: %s", want, changed)
		}
	}
	if objects := seen["objects"].([]any); len(objects) != 3 || objects[0].(map[string]any)["name"] != "Cube" || seen["next"] != 4.0 {
		t.Errorf("objects: %v, next %v", objects, seen["next"])
	}
	if missing, _ := json.Marshal(seen["missing"]); string(missing) != `["/none/there.png"]` {
		t.Errorf("missing: %s", missing)
	}

	for path, want := range map[string]string{
		`bpy.data.objects["Cube"]`:                            `"custom":{"maker":"ada"`,
		`objects['Cube'].modifiers["Rounded"]`:                `"width":0.25`,
		`D.objects["Cube"].location`:                          `"value":[2,0,0]`,
		`bpy.data.materials["Material"]`:                      `Principled BSDF.BSDF → Material Output.Surface`,
		`bpy.data.materials["Material"].node_tree`:            `"Roughness":0.75`,
		`bpy.context.scene.render.engine`:                     `"value":"`,
		`bpy.data.objects`:                                    `"total":7`,
		`bpy.data.objects["Cube"].modifiers[0].show_viewport`: `"value":true`,
	} {
		seen, err := look(api.Look{What: "inspect", Path: path})
		text, _ := json.Marshal(seen)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v; want %s", path, text, err, want)
		}
	}
	for _, path := range []string{
		`bpy.data.objects["None"]`, `bpy.data.objects["Cube"].locaton`, `__import__("os").getcwd()`, `bpy.ops.wm.quit_blender()`,
		`bpy.data.objects["Cube"].__class__`, `bpy.data.objects[legs]`, `bpy.data.objects.remove`, `bpy.context.__init__`, `x y`,
	} {
		if seen, err := look(api.Look{What: "inspect", Path: path}); !errors.Is(err, api.ErrSession) {
			t.Errorf("%s: %v, %v", path, seen, err)
		}
	}

	seen, err = look(api.Look{What: "picture", Views: []string{"front", "right", "top", "three-quarter"}, Size: 128, Focus: "Cube"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(seen["file"].(string))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := jpeg.Decode(file)
	if err != nil || picture.Bounds().Dx() != 256 || picture.Bounds().Dy() != 144 {
		t.Fatalf("%v, %v", picture.Bounds(), err)
	}
	shades := map[uint32]bool{}
	for x := range 256 {
		for y := range 144 {
			r, _, _, _ := picture.At(x, y).RGBA()
			shades[r>>12] = true
		}
	}
	if len(shades) < 4 {
		t.Errorf("the picture has %d shades", len(shades))
	}
	if _, err := look(api.Look{What: "picture", Focus: "None"}); !errors.Is(err, api.ErrSession) {
		t.Errorf("no such object: %v", err)
	}
	for _, l := range []api.Look{
		{},
		{What: "steal"},
		{What: "inspect"},
		{What: "summary", Path: "a"},
		{What: "summary", Max: 5000},
		{What: "picture", Views: []string{"below"}},
		{What: "picture", Style: "toon"},
		{What: "picture", Size: 9},
		{What: "picture", Views: slices.Repeat([]string{"top"}, 9)},
	} {
		if seen, err := look(l); !errors.Is(err, api.ErrBad) {
			t.Errorf("%+v: %v, %v", l, seen, err)
		}
	}
	if after := string(run(allData).Result); after != before {
		var was, is map[string]any
		_, _ = json.Unmarshal([]byte(before), &was), json.Unmarshal([]byte(after), &is) // both are JSON
		for key := range was {
			if a, b := fmt.Sprint(was[key]), fmt.Sprint(is[key]); a != b {
				t.Errorf("the looks have changed %s: %s, %s", key, a, b)
			}
		}
	}
}
