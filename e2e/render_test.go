//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// sceneCode makes a scene of 20 frames that differ, and saves it as the argument.
const sceneCode = `
import bpy, sys
scene = bpy.context.scene
render = scene.render
render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
render.resolution_x = render.resolution_y = 32
scene.frame_start, scene.frame_end = 1, 20
render.filepath = "//out/p_###"
cube = bpy.data.objects["Cube"]
cube.keyframe_insert("rotation_euler", frame=1)
cube.rotation_euler.z = 2
cube.keyframe_insert("rotation_euler", frame=20)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
`

// blend makes a scene of 20 frames, and returns its path and what a cold Blender renders of it.
func blend(t *testing.T, args ...string) (path string, want map[string][]byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shot.blend")
	cold := func(args ...string) {
		t.Helper()
		out, err := exec.Command("blender", append([]string{"--background", "--factory-startup"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("blender %v: %v\n%s", args, err, out)
		}
	}
	script := filepath.Join(t.TempDir(), "make.py")
	if err := os.WriteFile(script, []byte(sceneCode), 0o600); err != nil {
		t.Fatal(err)
	}
	cold("--python-exit-code", "1", "--python", script, "--", path)
	cold(append([]string{path}, args...)...)
	out := filepath.Join(filepath.Dir(path), "out")
	want = pictures(t, out)
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// pictures returns the pixels of the pictures in a folder, by their names.
func pictures(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
		all[entry.Name()] = fmt.Append(nil, picture)
	}
	return all
}

func expectSamePictures(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d pictures, not %d", len(got), len(want))
	}
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s is not what a cold Blender renders", name)
		}
	}
}

func TestARenderMakesThePicturesThatBlenderMakes(t *testing.T) {
	t.Parallel()
	path, want := blend(t, "-a")
	p := started(t, "")
	r := p.call("render", path, "--json")
	var run api.Run
	if err := json.Unmarshal([]byte(r.stdout), &run); err != nil || r.code != 0 {
		t.Fatalf("render: %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	expectSamePictures(t, pictures(t, filepath.Join(filepath.Dir(path), "out")), want)
	if run.Script != path || run.Render == nil || len(run.Outputs) != 20 || run.State != api.Succeeded {
		t.Errorf("the run is %+v", run)
	}
	p.eventually("its last picture is its preview", func() bool { return p.runs("-n", "1")[0].Preview != "" })
	if list := p.call("runs").stdout; !strings.Contains(list, "shot.blend (all frames)") {
		t.Errorf("the list:\n%s", list)
	}
	// Relative to the folder of the caller, and of the .blend.
	if r := p.call("render", path, "--frames", "5,+1", "--output", "mine/", "--engine", "CYCLES"); r.code != 0 || !strings.Contains(r.stdout, "Saved: ") {
		t.Errorf("with an output: %+v", r)
	}
	if got := pictures(t, filepath.Join(p.folder, "mine")); !bytes.Equal(got["0005.png"], want["p_005.png"]) || !bytes.Equal(got["0002.png"], want["p_002.png"]) || len(got) != 2 {
		t.Errorf("%d pictures, or others", len(got))
	}
	if r := p.call("render", path, "--frame", "3", "--output", "//other/x#"); r.code != 0 {
		t.Errorf("beside the .blend: %+v", r)
	}
	if got := pictures(t, filepath.Join(filepath.Dir(path), "other")); !bytes.Equal(got["x3.png"], want["p_003.png"]) {
		t.Error("there is no picture beside the .blend")
	}
	if r := p.call("render", path, "--engine", "LUXCORE"); r.code != 1 || !strings.Contains(r.stderr, "there is no render engine LUXCORE; this Blender has BLENDER_EEVEE, BLENDER_WORKBENCH, CYCLES") {
		t.Errorf("an engine that is not there: %+v", r)
	}
	for _, args := range [][]string{{"--frames", "9-1"}, {"--frame", "1-2"}, {"--frame", "1", "--frames", "2"}, {"--frames", ""}} {
		if r := p.call(append([]string{"render", path}, args...)...); r.code != 2 || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// renderer returns the process of the Blender that executes a run, and 0 while none does.
func (p *program) renderer() int {
	s, ok := p.status()
	if !ok {
		return 0
	}
	for _, one := range s.Processes {
		if one.Run != "" {
			return one.PID
		}
	}
	return 0
}

func TestAKilledRenderGoesOnWithTheFrameThatIsMissing(t *testing.T) {
	t.Parallel()
	path, want := blend(t, "--python-expr", "import bpy; bpy.context.scene.cycles.samples = 2000; bpy.ops.wm.save_mainfile()", "-a")
	out := filepath.Join(filepath.Dir(path), "out")
	p := started(t, "")
	render := p.command("render", path, "--json")
	var stdout bytes.Buffer
	render.Stdout = &stdout
	if err := render.Start(); err != nil {
		t.Fatal(err)
	}
	victim := 0
	p.eventually("Blender renders", func() bool {
		victim = p.renderer()
		return victim != 0
	})
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(victim, s); err != nil {
			t.Fatalf("the render was over before it was killed: %v", err)
		}
	}
	var entries []os.DirEntry
	p.eventually("some frames are there", func() bool { // and no more while this looks
		signal(syscall.SIGSTOP)
		entries, _ = os.ReadDir(out) // the folder comes with the first picture
		if len(entries) < 3 {
			signal(syscall.SIGCONT)
		}
		return len(entries) >= 3
	})
	signal(syscall.SIGKILL)
	first := map[string]time.Time{}
	for _, entry := range entries[:len(entries)-1] { // the last may be half-written
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		first[entry.Name()] = info.ModTime()
	}
	if err := render.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stdout.String())
	}
	var run api.Run
	if err := json.Unmarshal(stdout.Bytes(), &run); err != nil {
		t.Fatal(err)
	}
	if len(entries) == 20 || !strings.Contains(p.printed(), "another Blender goes on") {
		t.Errorf("%d pictures were there when Blender was killed", len(entries))
	}
	expectSamePictures(t, pictures(t, out), want)
	for name, at := range first {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || !info.ModTime().Equal(at) {
			t.Errorf("%s was rendered again", name)
		}
	}
	if run.State != api.Succeeded || len(run.Outputs) != 20 || !slices.Contains(run.Outputs, filepath.Join(out, "p_001.png")) {
		t.Errorf("the run is %s with %v", run.State, run.Outputs)
	}
}

func TestFramesOfAFolderFollowItsScripts(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	more := fmt.Sprintf("frames = \"2-3\"\nargs = [%q, \"--draft\"]\n", p.folder)
	text, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.config, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.waitReady()
	path := p.save("shot.py", `
import bpy, sys
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_x = scene.render.resolution_y = 16
result = sys.argv[sys.argv.index("--") + 1:]
scene.render.filepath = result[0] + "/pictures/"
`)
	p.eventually("its frames are rendered", func() bool { return p.lastOf(path).State.Final() })
	run := p.lastOf(path)
	var args []string
	if err := json.Unmarshal(run.Result, &args); err != nil || !slices.Equal(args, []string{p.folder, "--draft"}) {
		t.Errorf("its arguments are %q, %v", args, err)
	}
	if run.State != api.Succeeded || len(run.Outputs) != 2 {
		t.Errorf("the run is %s with %v", run.State, run.Outputs)
	}
	if got := pictures(t, filepath.Join(p.folder, "pictures")); got["0002.png"] == nil || got["0003.png"] == nil || len(got) != 2 {
		t.Errorf("%d pictures", len(got))
	}
	// The same by hand, with another frame.
	r := p.call("run", path, "--frame", "7", "--", p.folder, "x")
	if r.code != 0 || pictures(t, filepath.Join(p.folder, "pictures"))["0007.png"] == nil {
		t.Errorf("run with a frame: %+v", r)
	}
}
