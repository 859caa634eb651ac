package watcher

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// hourAgo is a time of modification that a copier gives to a file.
var hourAgo = time.Now().Add(-time.Hour)

// remake removes a folder and makes it again at once. It returns true when the file system gave
// the new folder the identity of the old one.
func remake(t *testing.T, path string) (same bool) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(before, after)
}

func TestAFolderThatIsRemovedAndMadeAgainIsWatched(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir := filepath.Join(top, "watched")
			if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o777); err != nil {
				t.Fatal(err)
			}
			h := watch(t, recursive(dir), func(_ *Config, o *options) {
				o.retryEvery, o.checkEvery = 10*time.Millisecond, 50*time.Millisecond
			}, method)
			same := 0
			for n := range 20 {
				which := dir
				if n%2 == 0 {
					which = filepath.Join(dir, "sub")
					if err := os.MkdirAll(which, 0o777); err != nil {
						t.Fatal(err)
					}
				}
				if remake(t, which) {
					same++
				}
				code := fmt.Sprintf("n = %d\n", n)
				write(t, filepath.Join(which, "at_once.py"), code)
				h.wants(filepath.Join(which, "at_once.py"), code)
				write(t, filepath.Join(which, "then.py"), code)
				h.wants(filepath.Join(which, "then.py"), code)
			}
			t.Logf("%d of 20 folders had the identity of the folder before", same)
		})
	}
}

func TestTheRegularLookChecksThatTheWatchesExist(t *testing.T) {
	t.Parallel()
	r := prepare(t, func(_ *Config, o *options) { o.checkEvery = 300 * time.Millisecond })
	r.mkdir("sub/deep")
	r.serve()
	for _, dir := range []string{"", "sub", "sub/deep"} {
		// The watch is lost, and no event says so.
		r.w.mu.Lock()
		r.w.src.remove(r.path(dir))
		r.w.mu.Unlock()
		name := filepath.Join(dir, "a.py")
		r.write(name, "saved while nothing was watched\n")
		r.gets(name, "saved while nothing was watched\n")
		for _, s := range r.saves {
			if s.Scan {
				t.Errorf("%s was saved while it was watched, and is said to have been found", s.Path)
			}
		}
		r.write(name, "and then\n")
		r.gets(name, "and then\n")
	}
}

// late returns a folder's path at which nothing is yet, and a watcher that waits for it.
func late(t *testing.T, sets ...set) (*harness, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "late")
	h := watch(t, recursive(dir), append([]set{func(_ *Config, o *options) {
		o.retryEvery, o.checkEvery = 10*time.Millisecond, 20*time.Millisecond
	}}, sets...)...)
	h.until("a status that says it is missing", func() bool { return strings.Contains(h.w.Status()[0].Error, "does not exist") })
	return h, dir
}

func TestTheFirstLookAtAFolderIsAFirstLookWheneverItComes(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"nothing in it is known": false, "a script in it is known": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir, drive := filepath.Join(top, "mounted"), filepath.Join(top, "drive")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				path := filepath.Join(drive, fmt.Sprintf("s%d.py", n))
				write(t, path, "old\n")
			}
			nextStep(t, filepath.Join(drive, "s2.py"))
			h := watch(t, recursive(dir), func(c *Config, o *options) {
				o.checkEvery = 20 * time.Millisecond
				if known {
					c.Known = func(path string) (Stamp, bool) { return Stamp{}, filepath.Base(path) == "s1.py" }
				}
			})
			rename(t, dir, dir+" before") // the mount point; now the drive lies over it
			rename(t, drive, dir)
			for n := range 3 {
				s := h.once(filepath.Join(dir, fmt.Sprintf("s%d.py", n)), "old\n")
				if !s.Scan || s.First == known {
					t.Errorf("%s: found %v, by a first look %v", s.Path, s.Scan, s.First)
				}
			}
			write(t, filepath.Join(dir, "s1.py"), "new\n")
			if all := h.wants(filepath.Join(dir, "s1.py"), "new\n"); all[len(all)-1].Scan {
				t.Error("a save is said to have been found")
			}
		})
	}
}

// nextStep waits until what is saved now is saved later than path, also for those who do not trust
// the last bit of a file's time.
func nextStep(t testing.TB, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for time.Since(fi.ModTime()) < 3*clockStep {
		nextTick(t, path)
	}
}

func TestWhatAScanFindsIsHandedOnInTheOrderOfTheSaves(t *testing.T) {
	t.Parallel()
	one, two := t.TempDir(), t.TempDir()
	h := newHarness(t, append(recursive(one), recursive(two)...))
	var want []string
	for n := range 500 {
		dir := []string{one, two}[rand.IntN(2)]
		want = append(want, filepath.Join(dir, fmt.Sprintf("%d/s%d.py", rand.IntN(5), rand.Int())))
		write(t, want[n], "x = 1\n")
		at := hourAgo.Add(time.Duration(n) * time.Second)
		if err := os.Chtimes(want[n], at, at); err != nil {
			t.Fatal(err)
		}
	}
	h.serve()
	h.until("all", func() bool { return len(h.saves) == len(want) })
	var got []string
	for _, s := range h.saves {
		got = append(got, s.Path)
	}
	if !slices.Equal(got, want) {
		wrong := 0
		for n := range want {
			if got[n] != want[n] {
				wrong++
			}
		}
		t.Errorf("%d of %d are in the wrong place", wrong, len(want))
	}
}

// A poll of a folder is on its way when the folder gets other settings. It finds no scripts, because
// they belong to the folder with the new settings.
func TestAPollThatComesTooLateForgetsNothing(t *testing.T) {
	t.Parallel()
	r := start(t, methods["polling"])
	r.write("a.py", "a\n")
	r.gets("a.py", "a\n")
	r.settle()
	r.w.mu.Lock()
	old, d := r.w.folders[0], r.w.dirs[r.dir]
	r.w.mu.Unlock()
	f := old.WatchSettings
	f.Poll = api.Duration(time.Hour)
	if err := r.w.SetFolders([]api.WatchSettings{f}); err != nil {
		t.Fatal(err)
	}
	r.w.list(t.Context(), old, d, r.dir, look{mode: scanPoll})
	r.settle()
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if _, left := r.w.left[r.path("a.py")]; left {
		t.Error("the script counts as gone")
	}
}
