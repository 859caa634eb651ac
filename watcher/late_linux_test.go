package watcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blendtray/api"
)

// inMounts is set in the processes of the tests that mount.
const inMounts = "BLENDTRAY_TEST_MOUNTS"

// withMounts runs the test that calls it again in a process of its own that may mount, without
// anybody else seeing that. It returns true in that process.
func withMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inMounts) != "" {
		return true
	}
	args := []string{"--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	cmd := exec.Command("unshare", append(args, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), inMounts+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func TestAMountOverAFolderIsLookedThroughAnew(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	r := prepare(t, func(c *Config, o *options) { o.checkEvery = 20 * time.Millisecond })
	r.write("sub/below.py", "below\n")
	r.write("drive/.old", "old\n")
	rename(t, r.path("drive"), r.path("_drive"))
	rename(t, r.path("_drive/.old"), r.path("_drive/old.py"))
	nextStep(t, r.path("_drive/old.py"))
	r.serve()
	r.forget()
	r.tool("mount", "--bind", "_drive", "sub")
	r.gets("sub/old.py", "old\n")
	if s := r.once(r.path("sub/old.py"), "old\n"); !s.Scan || !s.First {
		t.Errorf("it was found %v, by a first look %v", s.Scan, s.First)
	}
	r.write("sub/new.py", "new\n")
	r.gets("sub/new.py", "new\n")
	r.forget()
	r.tool("umount", "sub")
	r.write("sub/mark.py", "mark\n")
	r.gets("sub/mark.py", "mark\n")
	for _, s := range r.saves {
		if s.Path == r.path("sub/below.py") && !s.Scan {
			t.Error("a script below the mount is said to have been saved")
		}
	}
}

// busy is a source in whose folders a script is saved as soon as they are watched, and told of, before
// anybody can look into them.
type busy struct {
	source
	saved sync.Map
	t     *testing.T
}

func (b *busy) add(dir string) (bool, error) {
	fresh, err := b.source.add(dir)
	if _, was := b.saved.LoadOrStore(dir, true); err == nil && !was {
		write(b.t, filepath.Join(dir, "job.py"), "same\n")
		b.source.drain()
	}
	return fresh, err
}

func TestAScriptIsNewThatIsSavedWhileItsFolderIsEntered(t *testing.T) {
	t.Parallel()
	for name, poll := range map[string]time.Duration{"watched": 0, "polled": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, dir := late(t, func(c *Config, o *options) {
				c.Folders[0].Poll = api.Duration(poll)
				o.newSource = func(h hintFunc) (source, error) {
					s, err := newSource(h)
					return &busy{source: s, t: t}, err
				}
			})
			if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"job.py", "sub/job.py"} {
				if s := h.once(filepath.Join(dir, name), "same\n"); s.Scan || !s.New {
					t.Errorf("%s was found %v, is new %v", name, s.Scan, s.New)
				}
			}
		})
	}
}

func TestWhatComesIntoBeingWhileItIsWaitedForIsASave(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	tools := &rig{&harness{t: t}, source}
	for n := range 5 {
		tools.write(fmt.Sprintf("d%d/s%d.py", n%2, n), fmt.Sprintf("n = %d\n", n))
		if err := os.Chtimes(tools.path(fmt.Sprintf("d%d/s%d.py", n%2, n)), hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	tools.python(`import shutil; shutil.make_archive("../all", "zip", ".")`)
	archive := filepath.Join(filepath.Dir(source), "all.zip")
	tools.tool("git", "init", "-q")
	tools.tool("git", "add", ".")
	tools.tool("git", "commit", "-q", "-m", "one")
	for name, args := range map[string][]string{
		"git clone": {"git", "clone", "-q", source},
		"unzip":     {"unzip", "-q", archive, "-d"},
		"rsync":     {"rsync", "-a", source + "/"},
		"cp":        {"cp", "-a", source},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, dir := late(t)
			(&rig{h, source}).tool(args[0], append(args[1:], dir)...)
			for n := range 5 {
				path := filepath.Join(dir, fmt.Sprintf("d%d/s%d.py", n%2, n))
				if s := h.once(path, fmt.Sprintf("n = %d\n", n)); s.Scan {
					t.Errorf("%s is said to have been there before", path)
				}
			}
		})
	}
}
