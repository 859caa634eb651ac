//go:build unix

package blender

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blendtray/api"
)

// put writes a file, with its folders.
func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// setBack makes a file a minute older than it is.
func setBack(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	older := info.ModTime().Add(-time.Minute)
	if err := os.Chtimes(path, older, older); err != nil {
		t.Fatal(err)
	}
}

func TestABlenderIsOutdatedWhenWhatItHasReadHasChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scene, linked, deep := filepath.Join(dir, "scene.blend"), filepath.Join(dir, "parts", "linked.blend"), filepath.Join(dir, "parts", "deep.blend")
	maker := serve(t, Config{})
	out, _ := do(t, maker, Request{Code: fmt.Appendf(nil, `import bpy, os
def save(path, links):
    bpy.ops.wm.save_as_mainfile(filepath=path)
    if links:
        with bpy.data.libraries.load(links, link=True, relative=True) as (there, here):
            here.collections = there.collections[:]
        bpy.context.scene.collection.children[0].children.link(here.collections[0])
        bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
scene, linked, deep = %q, %q, %q
os.mkdir(os.path.dirname(deep))
save(deep, None)
save(linked, deep)
save(scene, linked)`, scene, linked, deep)})
	if out.Verdict != Succeeded {
		t.Fatalf("%+v, %+v", out, out.Error)
	}
	for _, path := range []string{scene, linked, deep} {
		setBack(t, path) // else they might have been changed while they are read
	}
	user := filepath.Join(dir, "user")
	put(t, filepath.Join(user, "startup", "mine.py"), "def register(): pass\n")
	s := serve(t, Config{
		BlenderSpec: api.BlenderSpec{BlenderSettings: api.BlenderSettings{Args: []string{scene}}},
		Env:         []string{"BLENDER_USER_SCRIPTS=" + user},
	})
	ready(t, s)
	if out, _ := do(t, s, Request{Code: []byte("import bpy\nresult = bpy.data.filepath")}); string(out.Result) != fmt.Sprintf("%q", scene) {
		t.Fatalf("it has opened %s", out.Result)
	}
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	if libraries := inst.session.Welcome.Libraries; len(libraries) != 2 {
		t.Errorf("libraries %q", libraries)
	}
	check := func(what string, want bool) {
		t.Helper()
		if is := s.Outdated(); is != want {
			t.Errorf("%s: outdated is %v", what, is)
		}
	}
	check("at first", false)
	for _, path := range []string{scene, linked, deep, filepath.Join(user, "startup", "mine.py")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		setBack(t, path)
		check("with another "+path, true)
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		check("with the old "+path, false)
	}
	spec := inst.spec
	spec.Args = nil
	s.Configure(spec)
	check("with other arguments", true)
	s.Configure(inst.spec)
	check("with the old arguments", false)
	put(t, filepath.Join(user, "addons", "new", "__init__.py"), "")
	check("with a new add-on", true)
}

func TestWhatAStartOfBlenderReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "blender", "3.4", "config")
	program := filepath.Join(dir, "bin", "blender")
	base := start{program: program, version: "3.4.1", environ: []string{"XDG_CONFIG_HOME=" + dir, "HOME=" + dir, "BLENDER_USER_RESOURCES=" + filepath.Join(dir, "blender", "3.4")}}
	put(t, program, "")
	elsewhere := filepath.Join(dir, "elsewhere")
	put(t, filepath.Join(elsewhere, "addon.py"), "")
	put(t, filepath.Join(elsewhere, "__pycache__", "other.pyc"), "")
	put(t, filepath.Join(dir, "blender", "3.4", "scripts", "addons", "a", "__init__.py"), "")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "blender", "3.4", "scripts", "addons", "linked")); err != nil {
		t.Fatal(err)
	}
	factory := base
	factory.factoryStartup = true
	for _, c := range []struct {
		name          string
		change        func()
		base, factory bool // whether the fingerprint is another one
	}{
		{name: "nothing", change: func() {}},
		{name: "the program", change: func() { put(t, program, "longer") }, base: true, factory: true},
		{name: "the preferences", change: func() { put(t, filepath.Join(config, "userpref.blend"), "") }, base: true},
		{name: "the startup file", change: func() { put(t, filepath.Join(config, "startup.blend"), "") }, base: true},
		{name: "recent files", change: func() { put(t, filepath.Join(config, "recent-files.txt"), "") }},
		{name: "an add-on that is a link", change: func() { put(t, filepath.Join(elsewhere, "addon.py"), "pass") }, base: true, factory: true},
		{name: "compiled files", change: func() { put(t, filepath.Join(elsewhere, "__pycache__", "addon.pyc"), "pass") }},
		{name: "an extension", change: func() { put(t, filepath.Join(dir, "blender", "3.4", "extensions", "e", "__init__.py"), "") }, base: true, factory: true},
	} {
		before, factoryBefore := base.fingerprint(), factory.fingerprint()
		c.change()
		if is := base.fingerprint() != before; is != c.base {
			t.Errorf("%s: the fingerprint is another one: %v", c.name, is)
		}
		if is := factory.fingerprint() != factoryBefore; is != c.factory {
			t.Errorf("%s: without preferences the fingerprint is another one: %v", c.name, is)
		}
	}
	other := base
	other.environ = append([]string{"LANG=de"}, base.environ...)
	if other.fingerprint() == base.fingerprint() {
		t.Error("with another environment the fingerprint is the same")
	}
}

// BenchmarkFingerprint is of a user with 1,000 files of add-ons.
func BenchmarkFingerprint(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		put(b, filepath.Join(dir, "scripts", "addons", fmt.Sprint("a", i/20), fmt.Sprint("m", i, ".py")), "pass")
	}
	s := start{program: "/usr/bin/blender", version: "3.4.1", environ: append(os.Environ(), "BLENDER_USER_RESOURCES="+dir)}
	for b.Loop() {
		s.fingerprint()
	}
}
