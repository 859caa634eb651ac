//go:build linux

package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command returns a call of Blender that ends when Blender hangs.
func command(t *testing.T, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, "blender", args...)
}

// blender runs a copy of a script in a folder of its own, with arguments. It returns what the
// script printed, and whether it succeeded.
func blender(t *testing.T, dir, script string, args ...string) (string, bool) {
	t.Helper()
	code, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, script)
	if err := os.WriteFile(path, code, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, append([]string{"--background", "--factory-startup", "--python-exit-code", "1", "--python", path, "--"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("run Blender: %v\n%s", err, out)
	}
	return string(out), err == nil
}

func succeeds(t *testing.T, dir, script string, args ...string) string {
	t.Helper()
	out, ok := blender(t, dir, script, args...)
	if !ok {
		t.Fatalf("%s failed:\n%s", script, out)
	}
	return out
}

func fails(t *testing.T, script, want string, args ...string) {
	t.Helper()
	if out, ok := blender(t, t.TempDir(), script, args...); ok || !strings.Contains(out, want) {
		t.Errorf("%s %v should fail and say %q:\n%s", script, args, want, out)
	}
}

// scene writes a .blend file with what the code adds to the factory scene.
func scene(t *testing.T, path, code string) {
	t.Helper()
	out, err := command(t, "--background", "--factory-startup", "--python-exit-code", "1", "--python-expr",
		"import bpy\n"+code+fmt.Sprintf("\nbpy.ops.wm.save_as_mainfile(filepath=%q)", path)).CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", path, err, out)
	}
}

// picture fails unless a file is a PNG of this size, in pixels square, that shows something.
func picture(t *testing.T, path string, size int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, _, err := image.Decode(file)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if b := img.Bounds(); b.Dx() != size || b.Dy() != size {
		t.Errorf("%s has %v", path, b)
	}
	colors := map[[3]uint32]bool{}
	for y := range size {
		for x := range size {
			r, g, b, _ := img.At(x, y).RGBA()
			colors[[3]uint32{r >> 12, g >> 12, b >> 12}] = true
		}
	}
	if len(colors) < 5 {
		t.Errorf("%s shows %d colours", path, len(colors))
	}
}

func TestFirstLightRendersAPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	succeeds(t, dir, "first_light.py")
	picture(t, filepath.Join(dir, "out", "first_light.png"), 480)
}

func TestTurntableGoesAroundAModel(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"workbench", "eevee", "cycles"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out := succeeds(t, dir, "turntable.py", "--frames", "3", "--size", "64", "--engine", engine)
			if !strings.Contains(out, "67%  frame 3 of 3") {
				t.Errorf("it does not tell how far it is:\n%s", out)
			}
			var frames []string
			for n := 1; n <= 3; n++ {
				path := filepath.Join(dir, "out", fmt.Sprintf("turntable_%04d.png", n))
				picture(t, path, 64)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				frames = append(frames, string(data))
			}
			if frames[0] == frames[1] || frames[1] == frames[2] {
				t.Error("the model stands still")
			}
		})
	}
	dir := t.TempDir()
	scene(t, filepath.Join(dir, "model.blend"), "bpy.data.objects['Cube'].location = (100, 0, 0)")
	succeeds(t, dir, "turntable.py", "model.blend", "--frames", "1", "--size", "64")
	picture(t, filepath.Join(dir, "out", "turntable_0001.png"), 64)
	fails(t, "turntable.py", "there is no file", "none.blend")
	fails(t, "turntable.py", "at least 1 frame", "--frames", "0")
}

func TestExportGLTFExportsWhatItCanAndNamesTheRest(t *testing.T) {
	t.Parallel()
	dir, models := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(models, "props"), 0o700); err != nil {
		t.Fatal(err)
	}
	scene(t, filepath.Join(models, "cube.blend"), "")
	scene(t, filepath.Join(models, "props", "monkey.blend"), "bpy.ops.mesh.primitive_monkey_add()")
	succeeds(t, dir, "export_gltf.py", models)
	for _, name := range []string{"cube.glb", "props/monkey.glb"} {
		data, err := os.ReadFile(filepath.Join(dir, "out", name))
		if err != nil || !strings.HasPrefix(string(data), "glTF") {
			t.Errorf("%s is %.20q, %v", name, data, err)
		}
	}

	if err := os.WriteFile(filepath.Join(models, "broken.blend"), []byte("no scene"), 0o600); err != nil {
		t.Fatal(err)
	}
	glb := filepath.Join(dir, "out", "cube.glb")
	before, err := os.Stat(glb)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := blender(t, dir, "export_gltf.py", models)
	if ok || !strings.Contains(out, "1 could not be exported: "+filepath.Join(models, "broken.blend")) {
		t.Errorf("it should name broken.blend:\n%s", out)
	}
	if after, err := os.Stat(glb); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("cube.glb was up to date and was exported again: %v", err)
	}
	other := filepath.Join(models, "props", "cube.blend")
	scene(t, other, "")
	out, ok = blender(t, t.TempDir(), "export_gltf.py", filepath.Join(models, "cube.blend"), other)
	if ok || !strings.Contains(out, "1 could not be exported: "+other) {
		t.Errorf("one of two files of a name should not replace the other's:\n%s", out)
	}
	fails(t, "export_gltf.py", "there is no file or folder", "nowhere")
}

func TestProceduralSceneIsAnotherOneForEachSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var pictures []string
	for _, seed := range []string{"1", "2"} {
		succeeds(t, dir, "procedural_scene.py", "--seed", seed, "--houses", "10", "--size", "64", "--samples", "1")
		path := filepath.Join(dir, "out", "town_"+seed)
		picture(t, path+".png", 64)
		data, err := os.ReadFile(path + ".png")
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, string(data))
		if _, err := os.Stat(path + ".blend"); err != nil {
			t.Error(err)
		}
	}
	if pictures[0] == pictures[1] {
		t.Error("two seeds gave one picture")
	}
	fails(t, "procedural_scene.py", "no fewer than", "--samples", "0")
}

func TestThumbnailsAreMadeOnceAndShownOnAPage(t *testing.T) {
	t.Parallel()
	dir, models := t.TempDir(), t.TempDir()
	scene(t, filepath.Join(models, "a<b #.blend"), "")
	scene(t, filepath.Join(models, "nocamera.blend"), "bpy.data.objects.remove(bpy.data.objects['Camera'])")
	if err := os.WriteFile(filepath.Join(models, "broken.blend"), []byte("no scene"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := succeeds(t, dir, "thumbnails.py", models, "--size", "64"); !strings.Contains(out, "2 made, 0 kept, 1 failed") {
		t.Errorf("the first time:\n%s", out)
	}
	thumbnails := filepath.Join(dir, "out", "thumbnails")
	picture(t, filepath.Join(thumbnails, "a<b #.png"), 64)
	picture(t, filepath.Join(thumbnails, "nocamera.png"), 64)
	page, err := os.ReadFile(filepath.Join(thumbnails, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`src="a%3Cb%20%23.png"`, "a&lt;b #<", `src="nocamera.png"`, "broken: "} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not hold %s:\n%s", want, page)
		}
	}
	if out := succeeds(t, dir, "thumbnails.py", models, "--size", "64"); !strings.Contains(out, "0 made, 2 kept, 1 failed") {
		t.Errorf("the second time:\n%s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(thumbnails, "*unfinished*")); left != nil {
		t.Errorf("%q were left behind", left)
	}
	fails(t, "thumbnails.py", "there is no folder", "nowhere")
	fails(t, "thumbnails.py", "a thumbnail needs 16 pixels", "--size", "1")
}

func TestSceneReportFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scene(t, filepath.Join(dir, "odd.blend"), `
bpy.data.objects["Cube"].scale.x = -2
bpy.data.objects.remove(bpy.data.objects["Camera"])
image = bpy.data.images.new("gone", 8, 8)
image.source, image.filepath = "FILE", "/nowhere/gone.png"
image.use_fake_user = True
`)
	succeeds(t, dir, "scene_report.py", "odd.blend")
	text, err := os.ReadFile(filepath.Join(dir, "out", "scene_report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var reports []struct {
		Objects  map[string]int
		Geometry struct{ Vertices, Faces int }
		Missing  struct{ Images, Libraries []string }
		Problems []string
	}
	if err := json.Unmarshal(text, &reports); err != nil || len(reports) != 1 {
		t.Fatalf("%v in %s", err, text)
	}
	r := reports[0]
	if len(r.Missing.Images) != 1 || len(r.Missing.Libraries) != 0 {
		t.Errorf("missing are %+v", r.Missing)
	}
	if r.Objects["MESH"] != 1 || r.Geometry.Faces != 6 {
		t.Errorf("the report is %s", text)
	}
	for _, want := range []string{"no camera", "Cube has a negative scale", "image is missing: /nowhere/gone.png"} {
		if !strings.Contains(strings.Join(r.Problems, "\n"), want) {
			t.Errorf("%q is not among %q", want, r.Problems)
		}
	}
	fails(t, "scene_report.py", "there is no file", "none.blend")
}
