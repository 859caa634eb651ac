//go:build unix

package addon

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// aScene is the code that makes a scene whose frames differ and take milliseconds, and saves it as
// NAME.blend in DIR: fill in both, and what is special about the scene.
const aScene = `
import bpy
bpy.ops.wm.read_homefile(use_factory_startup=True)
scene = bpy.context.scene
render = scene.render
render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
render.resolution_x = render.resolution_y = 16
scene.frame_start, scene.frame_end = 1, 4
render.filepath = "//NAME/picture_"
cube = bpy.data.objects["Cube"]
cube.keyframe_insert("location", frame=1)
cube.location.x = 3
cube.keyframe_insert("location", frame=10)
SPECIAL
bpy.ops.wm.save_as_mainfile(filepath="DIR/NAME.blend")
`

// scenesIn makes .blend files in a folder, by name and by what is special about each.
func scenesIn(t *testing.T, dir string, special map[string]string) {
	t.Helper()
	var code strings.Builder
	for name, lines := range special {
		code.WriteString(strings.NewReplacer("NAME", name, "DIR", dir, "SPECIAL", lines).Replace(aScene))
	}
	out, err := exec.Command("blender", "--background", "--factory-startup", "--python-exit-code", "1",
		"--python", writeFile(t, filepath.Join(t.TempDir(), "make.py"), spelled(code.String(), true).(string))).CombinedOutput()
	if err != nil {
		t.Fatalf("make the scenes: %v\n%s", err, out)
	}
}

// coldRender has a cold Blender render a scene, and returns its files, which it moves away.
func coldRender(t *testing.T, dir, name string, args ...string) map[string][]byte {
	t.Helper()
	args = append([]string{"--background", "--factory-startup", spelled(filepath.Join(dir, name+".blend"), false).(string)}, args...)
	if out, err := exec.Command("blender", args...).CombinedOutput(); err != nil {
		t.Fatalf("blender %v: %v\n%s", args, err, out)
	}
	files := filesIn(t, filepath.Join(dir, name))
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return files
}

// duration matches how long a render took, which an EXR says.
var duration = regexp.MustCompile(`\d\d:\d\d\.\d\d`)

// filesIn returns the files of a folder by their names: pictures as their pixels, because a PNG
// also has the date.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(bytes.NewReader(content)); err == nil {
			content = fmt.Append(nil, picture)
		}
		content = duration.ReplaceAll(content, []byte("00:00.00"))
		files[entry.Name()] = content
	}
	return files
}

func names(files map[string][]byte) []string {
	var all []string
	for name := range files {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func expectSameFiles(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	check(t, "the files", names(got), names(want))
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// render has a Blender render a scene and returns the finished frame.
func (s *session) render(dir, name string, render message) message {
	s.t.Helper()
	return s.run("", message{"scene": filepath.Join(dir, name+".blend"), "isolation": "scene", "name": name, "render": render})
}

func TestFramesAreRenderedAsBlendersCommandLineDoes(t *testing.T) {
	dir := t.TempDir()
	special := map[string]string{
		"digits": `scene.frame_start, scene.frame_end, scene.frame_step = 0, 7, 3; render.filepath = "//digits/a_##_b.png"`,
		"bare":   `render.filepath, render.use_file_extension = "//bare/p", False`,
		"stereo": `render.use_multiview = True; render.use_placeholder = True`,
		"exr":    `render.image_settings.file_format = "OPEN_EXR"; [setattr(render, n, False) for n in dir(render) if n.startswith("use_stamp")]`,
		"movie":  `[setattr(i, "media_type", "VIDEO") for i in (render.image_settings,) if hasattr(i, "media_type")]; render.image_settings.file_format = "FFMPEG"; render.ffmpeg.format = "MKV"; [setattr(render, n, False) for n in dir(render) if n.startswith("use_stamp")]`,
	}
	scenesIn(t, dir, special)
	s := rendering(t)
	for name := range special {
		want := coldRender(t, dir, name, "-a")
		m := s.render(dir, name, message{})
		if m.text("state") != "succeeded" {
			t.Errorf("%s: %v", name, m)
			continue
		}
		got := filesIn(t, filepath.Join(dir, name))
		if name == "movie" { // which has the date, and how long it took, in a few bytes more or less
			const file, bytesMore = "picture_0001-0004.mkv", 64
			if more := len(got[file]) - len(want[file]); max(more, -more) > bytesMore || len(want[file]) < 4*bytesMore {
				t.Errorf("the movie has %d bytes, and %d where Blender renders it by itself", len(got[file]), len(want[file]))
			}
			check(t, "the files", names(got), names(want))
		} else {
			expectSameFiles(t, got, want)
		}
		var outputs []string
		for _, path := range m["outputs"].([]any) {
			outputs = append(outputs, filepath.Base(path.(string)))
		}
		slices.Sort(outputs)
		check(t, "the outputs of "+name, outputs, names(want))
	}
	m := s.render(dir, "movie", message{"frames": []any{[]any{1, 2, 1}, []any{4, 4, 1}}})
	if got := m.failure(); !strings.Contains(got.text("message"), "has frames in one row") {
		t.Errorf("a movie of two rows: %v", got)
	}
}

// rendering returns a session with a Blender of its own.
func rendering(t *testing.T) *session {
	t.Helper()
	p := startProcess(t, nil, "blender", "--background", "--factory-startup", "--python", launcherPath(t), "--", "--supervised")
	return connect(t, greet(t, p))
}

func TestARenderThatWasCutOffGoesOn(t *testing.T) {
	dir := t.TempDir()
	scenesIn(t, dir, map[string]string{
		"over":    `scene.frame_end = 5`,
		"stereo":  `scene.frame_end = 5; render.use_multiview = True`,
		"keeping": `scene.frame_end = 5; render.use_overwrite, render.use_placeholder = False, True`,
	})
	s := rendering(t)
	for _, name := range []string{"over", "stereo", "keeping"} {
		want := coldRender(t, dir, name, "-a")
		suffixes := []string{""}
		if name == "stereo" {
			suffixes = []string{"_L", "_R"}
		}
		path := func(frame int, suffix string) string {
			return filepath.Join(dir, name, fmt.Sprintf("picture_%04d%s.png", frame, suffix))
		}
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		// The render has finished frames 1 and 3, was writing frame 2, and found an old picture 5.
		for _, suffix := range suffixes {
			for _, frame := range []int{1, 2, 3, 5} {
				writeFile(t, path(frame, suffix), fmt.Sprint("as it was: ", frame))
			}
		}
		journal := writeFile(t, filepath.Join(t.TempDir(), "journal"), "")
		m := s.run("", message{
			"scene": filepath.Join(dir, name+".blend"), "isolation": "scene", "journal": journal,
			"render": message{"done": []int{1, 3}, "begun": []int{2}, "since": 1},
		})
		check(t, name+" ends", m.text("state"), "succeeded")
		got := filesIn(t, filepath.Join(dir, name))
		check(t, "the files", names(got), names(want))
		told := "begun\nrendering 2\nrendered 2\nrendering 4\nrendered 4\n"
		if name != "keeping" {
			told += "rendering 5\nrendered 5\n"
		}
		if text, err := os.ReadFile(journal); err != nil || !strings.HasPrefix(string(text), told+"ended") {
			t.Errorf("%s: the journal says %q, %v", name, text, err)
		}
		for _, suffix := range suffixes {
			for frame := 1; frame <= 5; frame++ {
				file := filepath.Base(path(frame, suffix))
				old := string(got[file]) == fmt.Sprint("as it was: ", frame)
				switch stays := frame == 1 || frame == 3 || frame == 5 && name == "keeping"; {
				case stays && !old:
					t.Errorf("%s: %s was rendered again", name, file)
				case !stays && !bytes.Equal(got[file], want[file]):
					t.Errorf("%s: %s is not what a cold Blender renders", name, file)
				}
			}
		}
		made := len(m["outputs"].([]any))
		if all := len(want); name != "keeping" && made != all || name == "keeping" && made != all-1 {
			t.Errorf("%s: %d outputs of %d", name, made, all)
		}
	}
}

func TestOtherFramesThanThoseOfTheScene(t *testing.T) {
	dir := t.TempDir()
	scenesIn(t, dir, map[string]string{"rows": `scene.frame_start, scene.frame_end, scene.frame_step = 3, 8, 5`})
	s := rendering(t)
	rows := func(rows ...[]any) message { return message{"frames": rows} }
	for _, c := range []struct {
		render message
		cold   []string
		want   []int
	}{
		{rows([]any{1, 5, 2}, []any{4, 5, 1}, []any{30, 30, 1}), []string{"-f", "1,3..5,30"}, []int{1, 3, 4, 5, 30}},
		{rows([]any{"+1", "+2", 1}, []any{"-1", "-1", 1}), []string{"-f", "+1..+2,-1"}, []int{4, 5, 8}},
	} {
		want := coldRender(t, dir, "rows", c.cold...)
		m := s.render(dir, "rows", c.render)
		check(t, "the end", m.text("state"), "succeeded")
		expectSameFiles(t, filesIn(t, filepath.Join(dir, "rows")), want)
		check(t, "the frames", len(want), len(c.want))
		check(t, "what is left of the scene's own frames",
			s.succeed("s = bpy.context.scene; result = [s.frame_start, s.frame_end, s.frame_step]"), []any{3.0, 8.0, 5.0})
		if err := os.RemoveAll(filepath.Join(dir, "rows")); err != nil {
			t.Fatal(err)
		}
	}
	for text, render := range map[string]message{
		"go from a later to an earlier frame":                 rows([]any{"-1", "+0", 1}),
		"there is no render engine LUXCORE; this Blender has": {"engine": "LUXCORE"},
		"BLENDER_WORKBENCH":                                   {"engine": "luxcore"},
		"there is no format GIF; this Blender has":            {"format": "GIF"},
	} {
		m := s.render(dir, "rows", render)
		if got := m.failure().text("message"); m.text("state") != "failed" || !strings.Contains(got, text) {
			t.Errorf("%v: %v", render, m)
		}
	}
	for what, bad := range map[string]message{
		"a row of two":         {"render": rows([]any{1, 2})},
		"a step of 0":          {"render": rows([]any{1, 2, 0})},
		"an end that is words": {"render": rows([]any{"first", 2, 1})},
		"no object":            {"render": []any{}},
		"a debugger's folder":  {"debug": message{"path": "relative"}},
	} {
		bad["type"], bad["id"], bad["code"] = "run", "bad", ""
		s.send(bad)
		check(t, what, s.receive()["code"], "bad_run")
	}
	m := s.run("bpy.context.scene.camera = None", message{"scene": "fresh", "render": message{"output": dir + "/none_"}})
	if got := m.failure(); got.text("type") != "RenderError" || !strings.Contains(got.text("message"), "camera") {
		t.Errorf("without a camera: %v", got)
	}
	blocked := writeFile(t, filepath.Join(dir, "file"), "")
	m = s.run("bpy.context.scene.render.engine = 'CYCLES'", message{"scene": "fresh", "render": message{"frames": []any{[]any{1, 1, 1}}, "output": blocked + "/p_", "engine": "BLENDER_WORKBENCH"}})
	if got := m.failure(); got.text("type") != "RenderError" {
		t.Errorf("where nothing can be written: %v", got)
	}
}

func TestFramesHaveTheFormatThatTheCommandLineNames(t *testing.T) {
	dir := t.TempDir()
	scenesIn(t, dir, map[string]string{"formats": `[setattr(render, n, False) for n in dir(render) if n.startswith("use_stamp")]`})
	s := rendering(t)
	for format, cold := range map[string]string{"JPEG": "JPEG", "TGA": "TGA", "TARGA": "TGA", "OPEN_EXR": "EXR", "MULTILAYER": "MULTILAYER"} {
		want := coldRender(t, dir, "formats", "-F", cold, "-f", "2")
		m := s.render(dir, "formats", message{"format": format, "frames": []any{[]any{2, 2, 1}}})
		check(t, "the end", m.text("state"), "succeeded")
		expectSameFiles(t, filesIn(t, filepath.Join(dir, "formats")), want)
		if err := os.RemoveAll(filepath.Join(dir, "formats")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAScriptIsFollowedByItsFrames(t *testing.T) {
	s := rendering(t)
	dir := t.TempDir()
	code := fmt.Sprintf(`
import atexit, bpy, os
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_x = scene.render.resolution_y = 16
scene.render.filepath = %q
atexit.register(lambda: print("at the end:", sorted(os.listdir(%q))))
result = "done"
`, dir+"/p_", dir)
	frames := message{"scene": "fresh", "render": message{"frames": []any{[]any{7, 8, 1}}}}
	id := s.start(code, frames)
	var last message
	for {
		m := s.receive()
		if m.text("type") == "finished" {
			check(t, "the end", m.text("state"), "succeeded")
			check(t, "the result", m["result"], "done")
			break
		}
		if m.text("type") == "progress" && m["frames"] != nil { // and not of a sample
			last = m
		}
	}
	_ = id
	check(t, "the files", names(filesIn(t, dir)), []string{"p_0007.png", "p_0008.png"})
	if last["frames"] != 2.0 {
		t.Errorf("the last progress is %v", last)
	}
	m := s.run(strings.ReplaceAll(code, "p_", "q_")+"raise ValueError('no')", frames)
	check(t, "what ended it", m.failure().text("type"), "ValueError")
	m = s.run(strings.ReplaceAll(code, "p_", "q_")+"raise SystemExit", frames)
	check(t, "after sys.exit()", m.text("state"), "succeeded")
	check(t, "the files after a script that failed, or ended Python", names(filesIn(t, dir)), []string{"p_0007.png", "p_0008.png"})
}
