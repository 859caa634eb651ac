package watcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// mountDrive mounts an empty drive over a folder for the time of the test.
func (r *rig) mountDrive(name string) {
	r.t.Helper()
	r.tool("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", r.path(name))
	r.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", r.path(name)).CombinedOutput(); err != nil {
			r.t.Errorf("umount: %v\n%s", err, out)
		}
	})
}

// A drive is mounted over a folder, or over a folder in it, while no watcher runs.
func TestADriveThatIsMountedBetweenTwoLivesIsLookedAtForTheFirstTime(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	for name, test := range map[string]struct {
		mounts string // the folder over which a drive is mounted
		before bool   // the drive is there in the first life, too, and empty
		known  bool   // a script on it is known
		first  bool
	}{
		"over the folder":                 {mounts: ".", first: true},
		"over a folder in it":             {mounts: "sub", first: true},
		"over the folder, known":          {mounts: ".", known: true},
		"over a folder in it, known":      {mounts: "sub", known: true},
		"over the folder, as before":      {mounts: ".", before: true},
		"over a folder in it, as before":  {mounts: "sub", before: true},
		"over no folder, but saved there": {mounts: ""},
	} {
		t.Run(name, func(t *testing.T) {
			places := map[string]Places{}
			r := prepare(t, func(c *Config, _ *options) {
				c.Places = func(folder string) Places { return places[folder] }
				c.Placed = func(folder string, now Places) { places[folder] = now }
				c.Known = func(path string) (Stamp, bool) { return Stamp{}, test.known && filepath.Base(path) == "known.py" }
			})
			r.mkdir("sub")
			mount := func() {
				if test.mounts != "" {
					r.mountDrive(test.mounts)
				}
			}
			if test.before {
				mount()
			}
			r.serve()()
			if !test.before {
				mount()
			}
			r.write(test.mounts+"/old.py", "old\n")
			r.write(test.mounts+"/known.py", "known\n")
			r.scanned = nil
			r.serve()
			if s := r.once(r.path(test.mounts+"/old.py"), "old\n"); !s.Scan || s.First != test.first {
				t.Errorf("it was found %v, by a first look %v", s.Scan, s.First)
			}
		})
	}
}

// A drive that is mounted over a folder in a watched folder is told to the owner at once, so that what
// is saved on it while no watcher runs is a save.
func TestADriveThatIsMountedMeanwhileIsRemembered(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	var places Places
	r := prepare(t, func(c *Config, o *options) {
		o.checkEvery = 20 * time.Millisecond
		c.Places = func(string) Places { return places }
		c.Placed = func(_ string, now Places) { places = now }
	})
	r.mkdir("sub")
	stop := r.serve()
	r.mountDrive("sub")
	r.until("the mount is told", func() bool { return slices.Contains(r.scanned[1:], r.dir) })
	stop()
	if len(places) != 2 || places["sub"] == places["."] {
		t.Fatalf("it lies on %v", places)
	}
	r.write("sub/a.py", "a\n")
	r.scanned = nil
	r.serve()
	if s := r.once(r.path("sub/a.py"), "a\n"); !s.Scan || s.First {
		t.Errorf("it was found %v, by a first look %v", s.Scan, s.First)
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
