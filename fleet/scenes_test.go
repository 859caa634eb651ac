package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// saveScene has a fleet save a .blend with one object of that name.
func saveScene(t *testing.T, f *Fleet, path, object string) {
	t.Helper()
	do(t, f, blender.Request{Isolation: api.IsolateProcess, Code: []byte(fmt.Sprintf(
		"import bpy\nbpy.ops.mesh.primitive_cube_add()\nbpy.context.object.name = %q\nbpy.ops.wm.save_as_mainfile(filepath=%q)", object, path))})
}

// waiting returns the process that waits with a file, or a process without an id.
func waiting(f *Fleet, path string) api.ProcessStatus {
	for _, p := range f.Processes() {
		if p.Use == "waiting" && p.State == api.BlenderReady && p.Scene == path {
			return p
		}
	}
	return api.ProcessStatus{}
}

// awaitScene waits until a process other than the given ones waits with a file, and returns its id.
func awaitScene(t *testing.T, f *Fleet, path string, others ...int) (pid int) {
	t.Helper()
	eventually(t, "a Blender waits with "+path, func() bool {
		pid = waiting(f, path).PID
		for _, other := range others {
			if pid == other {
				return false
			}
		}
		return pid != 0
	})
	return pid
}

// objects tells the process, the file and the objects.
const objects = "import os, bpy; print(os.getpid(), os.path.basename(bpy.data.filepath), *sorted(bpy.data.objects.keys()))"

func TestABlenderWaitsWithTheFileThatAFolderNames(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	path := filepath.Join(t.TempDir(), "shot.blend")
	saveScene(t, f, path, "First")
	f.Expect(0, []string{path})
	run := blender.Request{Isolation: api.IsolateProcess, Scene: path, Code: []byte(objects)}
	var pids []int
	for range 2 {
		pid := awaitScene(t, f, path, pids...)
		if got, want := do(t, f, run), fmt.Sprintf("%d shot.blend Camera Cube First Light", pid); got != want {
			t.Errorf("it finds %s, want %s", got, want)
		}
		pids = append(pids, pid)
	}
	old := awaitScene(t, f, path, pids...)
	saveScene(t, f, path, "Second")
	pid := awaitScene(t, f, path, append(pids, old)...)
	if got, want := do(t, f, run), fmt.Sprintf("%d shot.blend Camera Cube Light Second", pid); got != want {
		t.Errorf("after the file has changed it finds %s, want %s", got, want)
	}
	if got := do(t, f, blender.Request{Isolation: api.IsolateProcess, Code: []byte(objects)}); !strings.HasSuffix(got, " Camera Cube Light") {
		t.Errorf("a run without a file finds %s", got)
	}
	f.Expect(0, nil)
	f.mu.Lock()
	f.sceneLocked(path).used = time.Now().Add(-sceneTime)
	f.mu.Unlock()
	f.Expect(1, nil)
	f.Expect(0, nil)
	eventually(t, "no Blender waits with a file that is not used any more", func() bool { return waiting(f, path).PID == 0 })
}

func TestNoBlenderWaitsWithASceneThatIsOnlyRendered(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	path := filepath.Join(t.TempDir(), "none.blend")
	for name, c := range map[string]struct {
		req  blender.Request
		used bool
	}{
		"rendered alone": {blender.Request{Render: &blender.Render{}}, false},
		"a script":       {blender.Request{Render: &blender.Render{}, Code: []byte("x")}, true},
	} {
		c.req.Isolation, c.req.Scene = api.IsolateProcess, path
		if _, err := f.Run(t.Context(), c.req, newRecorder()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.mu.Lock()
		used := f.sceneLocked(path) != nil
		f.scenes = nil
		f.mu.Unlock()
		if used != c.used {
			t.Errorf("%s: a Blender is to wait with the scene is %v", name, used)
		}
	}
}

func TestAChangedLibraryOfAWaitingFileIsRead(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	dir := t.TempDir()
	library, path := filepath.Join(dir, "library.blend"), filepath.Join(dir, "shot.blend")
	saveScene(t, f, library, "First")
	do(t, f, blender.Request{Isolation: api.IsolateProcess, Code: []byte(fmt.Sprintf(`import bpy
with bpy.data.libraries.load(%q, link=True) as (there, here):
    here.meshes = [there.meshes[0]]
for mesh in here.meshes:
    mesh.id_data
    bpy.context.collection.objects.link(bpy.data.objects.new("Linked", mesh))
bpy.ops.wm.save_as_mainfile(filepath=%q)`, library, path))})
	f.Expect(0, []string{path})
	first := awaitScene(t, f, path)
	saveScene(t, f, library, "Second")
	second := awaitScene(t, f, path, first)
	run := blender.Request{Isolation: api.IsolateProcess, Scene: path, Code: []byte("import os; print(os.getpid())")}
	if got := do(t, f, run); got != fmt.Sprint(second) {
		t.Errorf("the run was executed in %s, want %d", got, second)
	}
}

func TestAFileThatCantBeOpenedIsAnErrorOfTheScene(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	path := filepath.Join(t.TempDir(), "shot.blend")
	if err := os.WriteFile(path, []byte("BLENDER-v304 and then nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Expect(0, []string{path})
	eventually(t, "it says so", func() bool {
		st := f.Status()
		return st.State == api.BlenderReady && strings.Contains(st.Reason, path)
	})
	run := blender.Request{ID: "broken", Isolation: api.IsolateProcess, Scene: path, Code: []byte(objects)}
	out, err := f.Run(t.Context(), run, newRecorder())
	if err != nil || out.Verdict != blender.Errored || !strings.Contains(out.Error.Message, "can't be opened") {
		t.Errorf("a run: %+v %+v, %v", out, out.Error, err)
	}
	if st := f.Status(); st.State == api.BlenderFailed {
		t.Errorf("%+v", st)
	}
	other := run
	other.Scene = filepath.Join(filepath.Dir(path), "other.blend")
	if err := os.Link(path, other.Scene); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run(t.Context(), other, newRecorder()); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	why := f.sceneLocked(other.Scene).unopened
	f.mu.Unlock()
	if !strings.Contains(why, other.Scene) {
		t.Errorf("the run has told of the other file: %q", why)
	}
	if err := os.Remove(path); err != nil { // so that the other file stays as it is
		t.Fatal(err)
	}
	saveScene(t, f, path, "Whole")
	if got := do(t, f, run); !strings.HasSuffix(got, " Whole") {
		t.Errorf("the whole file has %s", got)
	}
	awaitScene(t, f, path)
	if reason := f.Status().Reason; strings.Contains(reason, path) {
		t.Errorf("still: %s", reason)
	}
}

func TestMemoryBoundsTheFilesWithWhichBlendersWait(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.blend"), filepath.Join(dir, "b.blend")
	saveScene(t, f, a, "A")
	saveScene(t, f, b, "B")
	eventually(t, "the next waits", func() bool { return f.Status().Waiting == 1 })
	f.Expect(0, []string{a})
	awaitScene(t, f, a)
	// As much as there is now, which is not enough for one more file.
	f.Status()
	f.mu.Lock()
	spec := f.spec
	spec.Fleet.MaxMemory = api.Bytes(f.memoryLocked() + 10<<20)
	f.mu.Unlock()
	f.Configure(spec)
	do(t, f, blender.Request{Isolation: api.IsolateProcess, Scene: b, Code: []byte("pass")})
	f.Expect(0, []string{a, b})
	awaitScene(t, f, b)
	eventually(t, "the other one is closed", func() bool { return waiting(f, a).PID == 0 })
}
