//go:build unix

package blender

import (
	"context"
	"errors"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

func TestAPreviewShowsWhatARunLeftAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	picture := filepath.Join(t.TempDir(), "preview.part")
	if err := s.Preview(t.Context(), picture, Drawing{Engine: "cycles"}); !errors.Is(err, ErrNoPreview) {
		t.Errorf("before the first run: %v", err)
	}

	// A scene that forgot everything but its objects, with a handler that would count.
	out, _ := do(t, s, Request{Scene: "fresh", Code: []byte(`
import bpy
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 300, 600
scene.render.filepath = "//mine"
bpy.ops.mesh.primitive_monkey_add(location=(30, 5, 2))
bpy.ops.object.modifier_add(type='SUBSURF')
heard = []
for handlers in (bpy.app.handlers.render_pre, bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.frame_change_post):
    handlers.append(lambda *_: heard.append(1))
bpy.context.view_layer.update()
heard.clear()
bpy.app.driver_namespace["heard"] = heard
`)})
	if out.Verdict != Succeeded {
		t.Fatalf("the run: %+v", out.Error)
	}
	for _, engine := range []string{"cycles", "workbench"} {
		if err := s.Preview(t.Context(), picture, Drawing{Engine: engine}); err != nil {
			t.Fatalf("%s: %v", engine, err)
		}
		f, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close() // only read
		if err != nil {
			t.Fatal(err)
		}
		size := img.Bounds().Size()
		if size.X != 240 || size.Y != 480 {
			t.Errorf("%s: a picture of %v", engine, size)
		}
		// There is more to see than a background.
		darkest, brightest := uint32(0xffff), uint32(0)
		for y := range size.Y {
			for x := range size.X {
				r, _, _, _ := img.At(x, y).RGBA()
				darkest, brightest = min(darkest, r), max(brightest, r)
			}
		}
		if brightest-darkest < 0x6000 {
			t.Errorf("%s: from %x to %x", engine, darkest, brightest)
		}
	}
	out, _ = do(t, s, Request{Scene: "keep", Code: []byte(`
import bpy
scene = bpy.context.scene
result = [
    len(bpy.app.driver_namespace["heard"]), len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.cameras),
    len(bpy.data.lights), len(bpy.data.worlds), scene.render.resolution_x, scene.render.filepath,
    scene.render.engine.replace("_NEXT", ""), scene.camera is None, len(bpy.app.handlers.render_pre),
]
`)})
	if want := `[0,1,1,0,0,0,300,"//mine","BLENDER_EEVEE",true,1]`; strings.ReplaceAll(string(out.Result), " ", "") != want {
		t.Errorf("the scene after it: %s, want %s", out.Result, want)
	}

	do(t, s, Request{Scene: "fresh", Code: []byte("import bpy\nfor o in list(bpy.data.objects): bpy.data.objects.remove(o)\n")})
	if err := s.Preview(t.Context(), picture, Drawing{Engine: "cycles"}); !errors.Is(err, ErrNoPreview) || !strings.Contains(err.Error(), "nothing to see") {
		t.Errorf("of an empty scene: %v", err)
	}
	if err := s.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Preview(t.Context(), picture, Drawing{Engine: "cycles"}); !errors.Is(err, ErrNoPreview) {
		t.Errorf("of another Blender: %v", err)
	}
}

func TestThePreviewOfARenderIsItsLastPicture(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	dir := t.TempDir()
	for _, special := range []string{"", "render.use_multiview = True", `render.image_settings.file_format = "OPEN_EXR"`} {
		out, _ := do(t, s, Request{ID: "1", Scene: "fresh", Isolation: api.IsolateScene, Render: &Render{Render: api.Render{Output: dir + "/p_"}}, Code: []byte(`
import bpy
scene = bpy.context.scene
render = scene.render
render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
render.resolution_x, render.resolution_y = 960, 16
scene.frame_end = 1
` + special)})
		if out.Verdict != Succeeded {
			t.Fatalf("the run: %+v", out.Error)
		}
		picture := filepath.Join(t.TempDir(), "preview.part")
		if err := s.Preview(t.Context(), picture, Drawing{Engine: "picture"}); err != nil {
			t.Fatalf("%s: %v", special, err)
		}
		f, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close() // only read
		if err != nil || img.Bounds().Size().X != 480 || img.Bounds().Size().Y != 8 {
			t.Errorf("%s: a picture of %v, %v", special, img.Bounds(), err)
		}
		if files, err := os.ReadDir(filepath.Dir(picture)); err != nil || len(files) != 1 {
			t.Errorf("%s: beside it are %v, %v", special, files, err)
		}
	}
	do(t, s, Request{ID: "2", Scene: "fresh", Isolation: api.IsolateScene, Code: []byte("pass")})
	if err := s.Preview(t.Context(), filepath.Join(dir, "none.part"), Drawing{Engine: "picture"}); !errors.Is(err, ErrNoPreview) {
		t.Errorf("where nothing was rendered: %v", err)
	}
}

func TestAPreviewOfTooMuchIsNotMade(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	out, _ := do(t, s, Request{Scene: "fresh", Code: []byte(`
import bpy
bpy.ops.mesh.primitive_grid_add(x_subdivisions=1100, y_subdivisions=1100)
for mod in range(2):
    bpy.context.object.modifiers.new("array", "ARRAY").count = 2
`)})
	if out.Verdict != Succeeded {
		t.Fatalf("the run: %+v", out.Error)
	}
	err := s.Preview(t.Context(), filepath.Join(t.TempDir(), "p"), Drawing{Engine: "cycles"})
	if !errors.Is(err, ErrNoPreview) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("of five million faces: %v", err)
	}
}

func TestAPreviewIsAsLargeAndFromWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	// A tall red box left of a low blue box, which a camera looks away from.
	out, _ := do(t, s, Request{Scene: "fresh", Code: []byte(`
import bpy
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 400, 200
for name, at, size, color in (("a", (-3, 0, 2), (1, 1, 2), (1, 0, 0, 1)), ("b", (3, 0, 0.5), (1, 1, 0.5), (0, 0, 1, 1))):
    bpy.ops.mesh.primitive_cube_add(location=at, scale=size)
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    emission = material.node_tree.nodes.new("ShaderNodeEmission")
    emission.inputs[0].default_value = color
    material.node_tree.links.new(emission.outputs[0], material.node_tree.nodes["Material Output"].inputs[0])
    bpy.context.object.data.materials.append(material)
bpy.ops.object.camera_add(location=(0, -50, 0), rotation=(0, 0, 0))
scene.camera = bpy.context.object
scene.view_settings.view_transform = "Standard"
`)})
	if out.Verdict != Succeeded {
		t.Fatalf("the run: %+v", out.Error)
	}
	for _, c := range []struct {
		how       Drawing
		red, blue bool
	}{
		{Drawing{Engine: "cycles", View: "front", Size: 600}, true, true},
		{Drawing{Engine: "cycles", View: "top"}, true, true},
		{Drawing{Engine: "cycles", View: "right"}, true, true}, // the low box hides only a part
		{Drawing{Engine: "cycles", View: "three-quarter"}, true, true},
		{Drawing{Engine: "eevee", View: "front", Size: 160}, true, true},
		{Drawing{Engine: "cycles", View: "camera"}, false, false},
	} {
		// From Blender 4.2 on, Eevee compiles its shaders for longer than a preview may take where there is no GPU.
		if c.how.Engine == "eevee" && Newer(s.Status().Version, "4.2") <= 0 {
			continue
		}
		picture := filepath.Join(t.TempDir(), "preview.part")
		if err := s.Preview(t.Context(), picture, c.how); err != nil {
			t.Errorf("%+v: %v", c.how, err)
			continue
		}
		f, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close() // only read
		if err != nil {
			t.Fatal(err)
		}
		red, blue, edge := 0, 0, 0
		size := img.Bounds().Size()
		for y := range size.Y {
			for x := range size.X {
				r, _, b, _ := img.At(x, y).RGBA()
				isRed, isBlue := r > 0xa000 && b < 0x5000, b > 0xa000 && r < 0x5000
				if isRed {
					red++
				}
				if isBlue {
					blue++
				}
				if (isRed || isBlue) && (x == 0 || y == 0 || x == size.X-1 || y == size.Y-1) {
					edge++
				}
			}
		}
		want := max(c.how.Size, 0)
		if want == 0 {
			want = SmallPreview
		}
		if size.X != want || size.Y != want/2 || (red > 100) != c.red || (blue > 100) != c.blue || edge > 20 {
			t.Errorf("%+v: a picture of %v with %d red and %d blue, %d at the edge", c.how, size, red, blue, edge)
		}
	}
	out, _ = do(t, s, Request{Scene: "keep", Code: []byte(`
import bpy
scene = bpy.context.scene
result = [len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.cameras), tuple(scene.camera.location)[1], scene.render.resolution_x]
`)})
	if want := `[1,3,1,-50.0,400]`; strings.ReplaceAll(string(out.Result), " ", "") != want {
		t.Errorf("the scene after it: %s, want %s", out.Result, want)
	}
}
