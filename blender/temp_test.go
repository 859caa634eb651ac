//go:build unix

package blender

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// temps returns what lies in the folder for Blenders' temporary files.
func temps(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// alongside serves a second supervisor in the folder of another one until the function that it
// returns is called.
func alongside(dir string) (s *Supervisor, end func()) {
	s = New(Config{BlenderSpec: api.BlenderSpec{Dir: dir, BlenderSettings: api.BlenderSettings{FactoryStartup: true}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx) }()
	return s, func() { cancel(); <-done }
}

func TestTemporaryFilesOfAScriptLieWhereOtherProgramsHaveThem(t *testing.T) {
	t.Parallel()
	want := t.TempDir()
	s := serve(t, Config{Env: []string{"TMPDIR=" + want}})
	code := `import bpy, os, subprocess, tempfile
child = "import os, tempfile; print(tempfile.gettempdir(), os.environ['TMPDIR'])"
result = [
    tempfile.gettempdir(), os.environ["TMPDIR"],
    *subprocess.run(["python3", "-c", child], capture_output=True, text=True).stdout.split(),
    *subprocess.run(["sh", "-c", "echo $TMPDIR"], capture_output=True, text=True).stdout.split(),
    bpy.app.tempdir,
]`
	for _, scene := range []string{"keep", "fresh"} {
		out, _ := do(t, s, Request{Scene: scene, Code: []byte(code)})
		var is []string
		if err := json.Unmarshal(out.Result, &is); err != nil {
			t.Fatalf("%+v, %+v", out, out.Error)
		}
		for _, folder := range is[:len(is)-1] {
			if folder != want {
				t.Errorf("a script or its child has %s, want %s", folder, want)
			}
		}
		if own := is[len(is)-1]; !strings.HasPrefix(own, filepath.Join(s.cfg.Dir, "tmp")+"/") {
			t.Errorf("Blender has %s, want a folder in %s", own, s.cfg.Dir)
		}
	}
}

func TestACrashThatPythonCantTellOfIsReadFromBlendersReport(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	out, _ := do(t, s, Request{Name: "it", Code: []byte("import ctypes, faulthandler\nfaulthandler.disable()\nctypes.string_at(0)")})
	if out.Verdict != Crashed || out.Error == nil || out.Error.Line != 3 || !strings.Contains(out.Error.Traceback, `File "it", line 3`) {
		t.Errorf("%+v, %+v", out, out.Error)
	}
}

func TestTheTemporaryFilesOfABlenderGoWithIt(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	s := serve(t, with(api.BlenderSettings{Args: []string{"--python-expr", "import bpy; bpy.context.preferences.filepaths.temporary_directory = '" + elsewhere + "'"}}))
	out, _ := do(t, s, Request{Code: []byte("import bpy, os\nopen(os.path.join(bpy.app.tempdir, 'large'), 'w').close()\nresult = bpy.app.tempdir")})
	if !strings.Contains(string(out.Result), elsewhere) || len(temps(t, s.cfg.Dir)) != 2 {
		t.Fatalf("%+v, %+v, temporary files in %s, and %v", out, out.Error, out.Result, temps(t, s.cfg.Dir))
	}
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	inst.proc.kill()
	<-inst.proc.exited
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("in the folder of its settings it left %v, %v", left, err)
	}
	if _, err := os.Stat(inst.temp.path); err == nil {
		t.Errorf("%s is left", inst.temp.path)
	}
}

func TestAFolderForTemporaryFilesThatBlenderBeginsLaterGoesWithIt(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	s := serve(t, Config{Env: []string{"TMPDIR=" + elsewhere}})
	out, _ := do(t, s, Request{Code: []byte("import bpy\nbpy.ops.wm.read_factory_settings()\nresult = bpy.app.tempdir")})
	if !strings.Contains(string(out.Result), elsewhere) {
		t.Fatalf("%+v, %+v, temporary files in %s", out, out.Error, out.Result)
	}
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	inst.proc.kill()
	<-inst.proc.exited
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestNoFolderIsRemovedThatIsNotBlendersOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, project, link := filepath.Join(dir, "blender_a1B2c3"), filepath.Join(dir, "blender_project"), filepath.Join(dir, "blender_linked")
	for _, folder := range []string{own, project} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(project, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{own + "/", project, link, dir, "", "blender_a1B2c3"} {
		removeSession(path)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

func TestTwoBlendersInOneFolderLeaveEachOthersFilesAlone(t *testing.T) {
	t.Parallel()
	first := serve(t, Config{})
	second, end := alongside(first.cfg.Dir)
	code := Request{Code: []byte("import bpy, os\nresult = os.path.isdir(bpy.app.tempdir)")}
	for range 2 {
		for _, s := range []*Supervisor{first, second} {
			if out, _ := do(t, s, code); string(out.Result) != "true" {
				t.Errorf("%+v, %+v", out, out.Error)
			}
		}
		if err := second.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	}
	end()
	if found := temps(t, first.cfg.Dir); len(found) != 2 {
		t.Errorf("with one Blender there is %v", found)
	}
}

// killedEngine starts an engine with a Blender in a folder, kills it, and returns its Blender's
// process id.
func killedEngine(t *testing.T, program, dir string) (printed string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), program+"="+dir)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	n, err := pipe.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it is meant to be
	return strings.TrimSpace(string(buf[:n]))
}

func TestTheFilesOfAnEngineThatWasKilledAreRemovedAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killedEngine(t, parentVariable, dir)
	left := temps(t, dir)
	if len(left) != 2 {
		t.Fatalf("the engine that was killed left %v", left)
	}
	s, end := alongside(dir)
	ready(t, s)
	for _, path := range left {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	end()
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("after a clean end there is %v", left)
	}
}
