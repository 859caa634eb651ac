package addon

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

func TestVersionIsTheSameForAddOnsAndExtensions(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("tcp_echo/__init__.py")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"version": \((\d+), (\d+), (\d+)\)`).FindSubmatch(source)
	if found == nil {
		t.Fatal("bl_info has no version")
	}
	if inAddOn := string(found[1]) + "." + string(found[2]) + "." + string(found[3]); inAddOn != Version() {
		t.Errorf("bl_info says %s, the manifest %s", inAddOn, Version())
	}
}

func TestPurePythonTests(t *testing.T) {
	t.Parallel()
	command := exec.Command("python3", "-m", "unittest", "discover", "-s", "tests")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func unpack(t *testing.T, dir string) string {
	t.Helper()
	launcher, err := Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	return launcher
}

// checkUnpacked fails unless dir holds exactly what is embedded.
func checkUnpacked(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tcp_echo"))
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := files.ReadDir("tcp_echo")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(embedded) {
		t.Errorf("tcp_echo holds %v", entries)
	}
	for _, entry := range embedded {
		want, _ := files.ReadFile("tcp_echo/" + entry.Name())
		got, err := os.ReadFile(filepath.Join(dir, "tcp_echo", entry.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not as embedded: %v", entry.Name(), err)
		}
	}
}

func TestUnpackWritesWhatIsEmbeddedForTheUserAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "addon")
	launcher := unpack(t, dir)
	if launcher != filepath.Join(dir, "launcher.py") {
		t.Errorf("launcher is %s", launcher)
	}
	checkUnpacked(t, dir)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUnpackLeavesGoodFilesAloneAndRepairsOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	launcher := unpack(t, dir)
	before, err := os.Stat(launcher)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(name string) string { return filepath.Join(dir, "tcp_echo", name) }
	for _, step := range []error{
		os.WriteFile(inside("runner.py"), []byte("import os"), 0o600),
		os.Remove(inside("server.py")),
		os.Chmod(inside("scene.py"), 0o666),
		os.WriteFile(inside("stale.py"), []byte("x"), 0o600),
		os.MkdirAll(inside("__pycache__/deep"), 0o700),
		os.Remove(inside("runs.py")),
		os.Mkdir(inside("runs.py"), 0o700),
		os.WriteFile(filepath.Join(dir, "mine.txt"), nil, 0o600),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	unpack(t, dir)
	checkUnpacked(t, dir)
	after, err := os.Stat(launcher)
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("launcher.py was written again: %v", err)
	}
	if info, err := os.Stat(inside("scene.py")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("scene.py is still open to others: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine.txt")); err != nil {
		t.Errorf("a file beside tcp_echo was touched: %v", err)
	}
}

func TestUnpackByManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := Unpack(dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	checkUnpacked(t, dir)
}
