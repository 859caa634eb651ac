package cargo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/farm/files"
)

// run runs a script in a Blender of its own and returns what the Blender has printed.
func run(ctx context.Context, script string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "blender", append([]string{
		"--background", "--factory-startup", "--python-exit-code", "3", "--python", script, "--",
	}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%w\n%s", err, out)
	}
	return string(out), nil
}

// cold is a Blender that is started for each script.
func cold(ctx context.Context, s api.Submission) (api.Run, error) {
	script := filepath.Join(s.Dir, "script.py")
	if err := os.WriteFile(script, s.Code, 0o600); err != nil {
		return api.Run{}, err
	}
	if _, err := run(ctx, script, s.Args...); err != nil {
		return api.Run{State: api.Failed, Error: &api.ScriptError{Message: err.Error()}}, nil
	}
	return api.Run{State: api.Succeeded}, nil
}

// project makes the project of testdata and returns its folder.
func project(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a", "project")
	if err := os.MkdirAll(root, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), filepath.Join("testdata", "project.py"), root); err != nil {
		t.Fatal(err)
	}
	return root
}

func look(t *testing.T, blend, frames string) Scene {
	t.Helper()
	f, err := api.FramesOf(frames)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Look(t.Context(), cold, blend, f, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatABlendUsesGoesAlongAndIsFoundOnAnotherMachine(t *testing.T) {
	t.Parallel()
	root := project(t)
	blend := filepath.Join(root, "shots", "scene.blend")
	scene := look(t, blend, "")
	var want []string
	for _, name := range strings.Fields(`../outside/absolute.png cache/a.pc2 cache/fluid/data/f.vdb lib/deep/deep.blend lib/deep/deep.png
		lib/lib.blend lib/tex/lib.png snd/a.wav textures/a.ies textures/a.osl textures/udim.1001.png textures/udim.1002.png
		textures/udim.1011.png textures/wood.png`) {
		want = append(want, filepath.Join(root, name))
	}
	for n := 1; n <= 5; n++ {
		for _, name := range []string{"seq/s_%04d.png", "seq/v_%04d.png", "cache/smoke_%04d.vdb"} {
			want = append(want, filepath.Join(root, fmt.Sprintf(name, n)))
		}
	}
	for _, path := range want {
		if !slices.Contains(scene.Files, path) {
			t.Errorf("%s does not go along", path)
		}
	}
	for _, path := range scene.Files {
		if !slices.Contains(want, path) && !strings.Contains(path, "fluid") { // Blender has made more there
			t.Errorf("%s goes along", path)
		}
	}
	if want := []string{filepath.Join(root, "textures", "gone.png")}; !slices.Equal(scene.Missing, want) {
		t.Errorf("missing are %v", scene.Missing)
	}
	if want := []string{blend, filepath.Join(root, "lib", "deep", "deep.blend")}; !slices.Equal(scene.Absolute, want) {
		t.Errorf("absolute paths are in %v", scene.Absolute)
	}

	copies := filepath.Join(t.TempDir(), "copies")
	packed, err := Pack(t.Context(), cold, scene, copies)
	if err != nil {
		t.Fatal(err)
	}
	if packed.Main != "project/shots/scene.blend" {
		t.Errorf("the .blend is %s", packed.Main)
	}
	again, err := Pack(t.Context(), func(context.Context, api.Submission) (api.Run, error) {
		t.Error("Blender is asked again")
		return api.Run{}, nil
	}, scene, copies)
	if err != nil || !slices.Equal(again.Sources, packed.Sources) {
		t.Errorf("the second time other files go along: %v", err)
	}

	// The other machine has the files elsewhere, and not those of this machine.
	other := t.TempDir()
	for _, s := range packed.Sources {
		data, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(other, s.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Dir(root), filepath.Dir(root)+".away"); err != nil {
		t.Fatal(err)
	}
	there := look(t, filepath.Join(other, packed.Main), "")
	if len(there.Absolute) > 0 || len(there.Missing) != 1 || len(there.Files) != len(scene.Files) {
		t.Errorf("there, absolute paths are in %v, missing are %v, and there are %d of %d files",
			there.Absolute, there.Missing, len(there.Files), len(scene.Files))
	}
}

func TestABlendWhosePathsHoldEverywhereGoesAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blend := filepath.Join(dir, "plain.blend")
	script := filepath.Join(dir, "make.py")
	if err := os.WriteFile(script, []byte("import bpy, sys\nbpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), script, blend); err != nil {
		t.Fatal(err)
	}
	scene := look(t, blend, "+0..+4,-1,300-310x5")
	packed, err := Pack(t.Context(), cold, scene, filepath.Join(dir, "copies"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []files.Source{{Name: "plain.blend", Path: blend}}; !slices.Equal(packed.Sources, want) {
		t.Errorf("what goes along is %v", packed.Sources)
	}
	var numbers []int
	for _, f := range scene.Frames {
		numbers = append(numbers, f.Number)
	}
	if want := []int{1, 2, 3, 4, 5, 250, 300, 305, 310}; !slices.Equal(numbers, want) {
		t.Errorf("the frames are %v", numbers)
	}
	if scene.Frames[0].Pictures[0] != "0001.png" || scene.Movie || scene.Version == "" {
		t.Errorf("the scene is %+v", scene)
	}
	chunks, err := Chunks(scene.Frames, 6)
	if err != nil || len(chunks) != 2 || chunks[0].String() != "1-5,250" || chunks[1].String() != "300,305,310" {
		t.Errorf("the chunks are %v: %v", chunks, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "0003.png"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := scene.Skip(dir); err != nil || len(left) != 8 || left[2].Number != 4 {
		t.Errorf("left are %v: %v", left, err)
	}
}

func TestAScriptTakesItsModulesAlong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range strings.Fields("main.py helper.py pack/__init__.py pack/sub/data.json pack/__pycache__/x.pyc other/no.py notes.txt data/points.csv") {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	names := func(extra ...string) string {
		p, err := PackScript(filepath.Join(dir, "main.py"), extra)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, s := range p.Sources {
			fmt.Fprint(&b, s.Name, " ")
		}
		return b.String()
	}
	if got := names(); got != "helper.py main.py pack/__init__.py pack/sub/data.json " {
		t.Errorf("what goes along is %s", got)
	}
	if got := names(filepath.Join(dir, "data"), filepath.Join(dir, "notes.txt")); got != "data/points.csv helper.py main.py notes.txt pack/__init__.py pack/sub/data.json " {
		t.Errorf("with more it is %s", got)
	}
	if _, err := PackScript(filepath.Join(dir, "main.py"), []string{filepath.Join(dir, "..")}); err == nil {
		t.Error("a folder above the script goes along")
	}
}

func TestTheNamesOfWhatARunHasMade(t *testing.T) {
	t.Parallel()
	places := []string{"/attempts/a-1", "/trees/x/shots", "/trees/x"}
	for path, want := range map[string]string{
		"/attempts/a-1/shot_001.png": "shot_001.png", "/trees/x/shots/passes/z.exr": "passes/z.exr",
		"/trees/x/cache/p.bphys": "cache/p.bphys", "/tmp/passes/z.exr": "passes/z.exr", "/z.exr": "z.exr",
	} {
		if got := nameFor(path, places); got != want {
			t.Errorf("%s is called %s", path, got)
		}
	}
	for pattern, want := range map[string]string{"shot_###": "/a/shot_###", "": "/a/", "../../x_#": "/a/x_#", `..\x`: "/a/x", "dir/": "/a/"} {
		if got := into(&api.Render{Output: pattern}, "/a").Output; got != want {
			t.Errorf("%q goes to %q", pattern, got)
		}
	}
}
