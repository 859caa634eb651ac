//go:build unix

package blender

import (
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// formats makes the Blender of a supervisor render a white plane on black in many formats, in a folder.
const formats = `
import os, sys, bpy
out = sys.argv[-1]
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
scene = bpy.context.scene
def render(name, kind, width=1000, **more):
    scene.render.resolution_x, scene.render.resolution_y = width, width // 2
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # since 5.0
        settings.media_type = {"OPEN_EXR_MULTILAYER": "MULTI_LAYER_IMAGE", "FFMPEG": "VIDEO"}.get(kind, "IMAGE")
    settings.file_format = kind
    for key, value in more.items():
        setattr(settings, key, value)
    scene.render.filepath = os.path.join(out, name)
    bpy.ops.render.render(write_still=kind != "FFMPEG", animation=kind == "FFMPEG")
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.render.resolution_percentage = 100
scene.render.threads_mode, scene.render.threads = 'FIXED', 1
world = bpy.data.worlds.new("w")
world.color = (0.6, 0.05, 0.05)
for node in world.node_tree.nodes if world.node_tree else ():  # there from 5.0 on
    if node.type == "BACKGROUND":
        node.inputs[0].default_value = (0.6, 0.05, 0.05, 1)
scene.world = world
bpy.ops.object.camera_add()
scene.camera = bpy.context.object
scene.render.use_file_extension = False
scene.frame_end = 3
scene.view_settings.view_transform = "Filmic"
render("a.tif", "TIFF", color_depth="16")
render("b.exr", "OPEN_EXR")
render("c.hdr", "HDR")
render("d.bmp", "BMP", 40)
render("e.exr", "OPEN_EXR_MULTILAYER")
scene.render.ffmpeg.format = "MPEG4"
scene.render.ffmpeg.codec = "H264"
render("f.mp4", "FFMPEG", 400)
scene.render.ffmpeg.format = "AVI"
render("g.avi", "FFMPEG", 400)
`

func TestThePicturesOfARenderAreToldWhileItGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	dir := t.TempDir()
	out, r := do(t, s, Request{Scene: "fresh", Args: []string{dir}, Code: []byte(`
import os, sys, time, bpy
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.render.resolution_x, scene.render.resolution_y = 32, 18
scene.frame_end = 8
scene.render.filepath = os.path.join(sys.argv[-1], "still.png")
bpy.ops.render.render(write_still=True)
time.sleep(0.6)  # longer than between two pictures that are told
scene.render.filepath = os.path.join(sys.argv[-1], "frame_")
before = [getattr(scene.render.image_settings, name) for name in ("file_format", "color_mode", "quality")]
bpy.ops.render.render(animation=True)
assert before == [getattr(scene.render.image_settings, name) for name in ("file_format", "color_mode", "quality")]
`)})
	if out.Verdict != Succeeded {
		t.Fatalf("the run: %+v", out.Error)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// At most two in a second, so that most of these quick frames are left out.
	n := len(r.rendered)
	if n < 2 || n > 2+2*int(out.Finished.Sub(out.Started).Seconds()+1) {
		t.Fatalf("told were %q, in %s", r.rendered, out.Finished.Sub(out.Started))
	}
	if r.rendered[0] != filepath.Join(dir, "still.png") || r.rendered[1] != filepath.Join(dir, "frame_0001.png") {
		t.Errorf("told were %q", r.rendered)
	}
}

func TestTheBlenderOfThumbnailsHasTheEnvironmentOfTheOthers(t *testing.T) {
	t.Setenv("PYTHONHOME", "/nowhere")
	dir := t.TempDir()
	told := filepath.Join(dir, "environ")
	left := filepath.Join(dir, "thumbnailer", makerTemp+"123", "blender_x")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(dir, "a.png")
	if err := os.WriteFile(picture, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	th := NewThumbnailer(filepath.Join(dir, "thumbnailer"))
	defer th.Close()
	if err := th.Make(t.Context(), program(t, "env > '"+told+"'"), picture, filepath.Join(dir, "to"), false); err == nil {
		t.Error("a program that answers nothing has made a thumbnail")
	}
	eventually(t, "the program has told its environment", func() bool {
		text, err := os.ReadFile(told)
		return err == nil && strings.Contains(string(text), "PYTHONDONTWRITEBYTECODE=1\n")
	})
	if text, err := os.ReadFile(told); err != nil || strings.Contains(string(text), "PYTHONHOME=") {
		t.Errorf("it was %s, %v", text, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what an engine that was killed has left is there: %v", err)
	}
}

func TestBlenderMakesThumbnailsOfWhatItWrites(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	dir := t.TempDir()
	if out, _ := do(t, s, Request{Scene: "fresh", Code: []byte(formats), Args: []string{dir}}); out.Verdict != Succeeded {
		t.Fatalf("the run: %+v", out.Error)
	}
	program := s.Status().Path
	th := NewThumbnailer(filepath.Join(t.TempDir(), "thumbnailer"))
	defer th.Close()
	to := filepath.Join(t.TempDir(), "small.part")
	make := func(name string) error {
		return th.Make(t.Context(), program, filepath.Join(dir, name), to, strings.HasSuffix(name, ".mp4") || strings.HasSuffix(name, ".avi"))
	}
	for name, want := range map[string]image.Point{
		"a.tif": image.Pt(960, 480), "b.exr": image.Pt(960, 480), "c.hdr": image.Pt(960, 480), "d.bmp": image.Pt(40, 20),
		"e.exr": image.Pt(960, 480), "f.mp4": image.Pt(400, 200), "g.avi": image.Pt(400, 200),
	} {
		_ = os.Remove(to) // of the format before
		if err := make(name); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, err := os.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close() // only read
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, g, b, _ := img.At(want.X/2, want.Y/2).RGBA()
		// Each looks as the render does, with one view transform and no two.
		if img.Bounds().Size() != want || r>>8 < 165 || r>>8 > 195 || g>>8 < 65 || g>>8 > 110 || b>>8 > 110 {
			t.Errorf("%s is %v, with the colour %x, %x, %x", name, img.Bounds().Size(), r, g, b)
		}
	}

	// A file that is none costs nothing but its thumbnail, nor does one that is gone.
	maker := func() *maker {
		th.mu.Lock()
		defer th.mu.Unlock()
		return th.maker
	}
	pid := maker()
	for _, name := range []string{"bad.exr", "bad.mp4"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("v/1\x01 no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := make(name); !errors.Is(err, ErrNoThumbnail) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := make("gone.exr"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
	if maker() != pid || pid == nil {
		t.Fatal("another Blender was started")
	}

	// A Blender that dies is replaced.
	pid.cancel()
	for range pid.answers {
	}
	if err := make("a.tif"); err != nil {
		t.Errorf("after its Blender had died: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := th.Make(cancelled, program, filepath.Join(dir, "a.tif"), to, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := th.Make(t.Context(), filepath.Join(dir, "no-blender"), filepath.Join(dir, "a.tif"), to, false); err == nil || errors.Is(err, ErrNoThumbnail) {
		t.Errorf("without a Blender: %v", err)
	}
	th.Close()
	if left, err := filepath.Glob(filepath.Join(th.dir, "tmp*")); err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if err := make("a.tif"); err == nil {
		t.Error("a thumbnail was made after the end")
	}
}
