//go:build unix

package watcher

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// withIdentities are the methods that tell a file from other files of its name.
func withIdentities() map[string]set {
	all := maps.Clone(methods)
	delete(all, "polling a file server")
	return all
}

func TestARenameCarriesWhatIsKnownAlong(t *testing.T) {
	t.Parallel()
	for name, method := range withIdentities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			for n := range 40 {
				r.write(fmt.Sprintf("tree/d%d/s%d.py", n%3, n), fmt.Sprintf("n = %d\n", n))
			}
			r.write("one.py", "one\n")
			r.write("fresh.py", "fresh\n")
			r.until("all of them", func() bool { return len(r.saves) == 42 })
			r.forget()
			rename(t, r.path("tree"), r.path("wood"))
			rename(t, r.path("fresh.py"), r.path("meant.py")) // right after it was written: the name that is meant
			r.gets("meant.py", "fresh\n")
			for n := range 40 {
				name := fmt.Sprintf("d%d/s%d.py", n%3, n)
				if s := r.once(r.path("wood/"+name), fmt.Sprintf("n = %d\n", n)); s.From != r.path("tree/"+name) {
					t.Fatalf("%s was renamed from %q", s.Path, s.From)
				}
			}
			if s := r.once(r.path("meant.py"), "fresh\n"); s.From != "" {
				t.Errorf("meant.py was renamed from %q", s.From)
			}
			r.settled("one.py")
			rename(t, r.path("one.py"), r.path("two.py"))
			r.gets("two.py", "one\n")
			if s := r.once(r.path("two.py"), "one\n"); s.From != r.path("one.py") {
				t.Errorf("two.py was renamed from %q", s.From)
			}
			r.write("wood/d0/s0.py", "changed\n")
			r.gets("wood/d0/s0.py", "changed\n")
			for _, s := range r.saves {
				if string(s.Code) == "changed\n" && s.From != "" {
					t.Error("a save is said to be a rename")
				}
			}
		})
	}
}

// settled waits until a script was left alone for longer than goneFor.
func (r *rig) settled(name string) {
	r.t.Helper()
	r.until(name+" was left alone", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		s, ok := r.w.recallLocked(r.path(name))
		return ok && time.Since(s.at) > goneFor
	})
}

// away waits until the watcher counts a name as gone for long enough.
func (r *rig) away(name string) {
	r.t.Helper()
	gone := time.Now()
	r.until(name+" to be gone for long", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		_, seen := r.w.recallLocked(r.path(name))
		at, left := r.w.left[r.path(name)]
		return !seen && (left && time.Since(at) > goneFor || !left && time.Since(gone) > goneFor)
	})
}

func TestAScriptThatIsMovedToAnotherWatchedFolderIsASave(t *testing.T) {
	t.Parallel()
	one, two := t.TempDir(), t.TempDir()
	h := watch(t, append(recursive(one), recursive(two)...))
	write(t, filepath.Join(one, "tree/a.py"), "a\n")
	h.wants(filepath.Join(one, "tree/a.py"), "a\n")
	rename(t, filepath.Join(one, "tree"), filepath.Join(two, "tree"))
	h.wants(filepath.Join(two, "tree/a.py"), "a\n")
	if s := h.once(filepath.Join(two, "tree/a.py"), "a\n"); s.From != "" {
		t.Errorf("it was renamed from %q", s.From)
	}
}

func TestAScriptThatIsDroppedAgainIsNew(t *testing.T) {
	t.Parallel()
	for name, method := range withIdentities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method, func(c *Config, _ *options) { c.Folders[0].Settle = api.Duration(time.Millisecond) })
			drop := func(name string, isNew bool) {
				t.Helper()
				r.forget()
				r.write(name, "same\n")
				r.gets(name, "same\n")
				if s := r.once(r.path(name), "same\n"); s.New != isNew {
					t.Errorf("%s is new: %v, want %v", name, s.New, isNew)
				}
			}
			remove := func(name string) {
				t.Helper()
				if err := os.RemoveAll(r.path(name)); err != nil {
					t.Fatal(err)
				}
			}
			drop("a.py", true)
			nextTick(t, r.path("a.py"))
			drop("a.py", false)
			remove("a.py")
			drop("a.py", false) // as an editor saves
			remove("a.py")
			r.away("a.py")
			drop("a.py", true)

			// An empty file holds the place.
			remove("a.py")
			r.away("a.py")
			r.write("a.py", "")
			r.settle()
			nextTick(t, r.path("a.py"))
			drop("a.py", true)

			// The whole folder is gone.
			drop("sub/b.py", true)
			remove("sub")
			r.away("sub/b.py")
			drop("sub/b.py", true)
		})
	}
}

func TestTheSameFileThatComesBackIsNoSave(t *testing.T) {
	t.Parallel()
	stamps := map[string]Stamp{}
	var r *rig
	r = start(t, func(c *Config, _ *options) {
		c.Known = func(path string) (Stamp, bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			s, ok := stamps[path]
			return s, ok
		}
	})
	names := []string{"a.py", "tree/b.py"}
	for _, name := range names {
		r.write(name, "same\n")
		r.gets(name, "same\n")
		s := r.once(r.path(name), "same\n")
		r.mu.Lock()
		stamps[s.Path] = s.Stamp
		r.mu.Unlock()
	}
	outside := filepath.Join(filepath.Dir(r.dir), "outside")
	for _, name := range []string{"a.py", "tree"} {
		rename(t, r.path(name), outside)
		r.away(name)
		r.forget()
		rename(t, outside, r.path(name))
		r.write("mark.py", "mark "+name)
		r.gets("mark.py", "mark "+name)
		r.settle()
	}
	for _, name := range names {
		r.wantTexts(name)
	}
}

func TestARenameIsKnownUntilItIsTaken(t *testing.T) {
	t.Parallel()
	for name, method := range withIdentities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			names := []string{"one.py", "tree/two.py"}
			for _, name := range names {
				r.write(name, name+"\n")
				r.gets(name, name+"\n")
			}
			r.settled("one.py")
			r.settled("tree/two.py")
			r.forget()
			tries := map[string]int{}
			r.mu.Lock()
			r.refuse = func(s Save) bool { tries[s.Path]++; return tries[s.Path] < 3 }
			r.mu.Unlock()
			rename(t, r.path("one.py"), r.path("three.py"))
			rename(t, r.path("tree"), r.path("wood"))
			for from, to := range map[string]string{"one.py": "three.py", "tree/two.py": "wood/two.py"} {
				if s := r.once(r.path(to), from+"\n"); s.From != r.path(from) {
					t.Errorf("%s was renamed from %q", to, s.From)
				}
			}
			// What is written into it after that is no rename.
			r.mu.Lock()
			clear(tries)
			r.mu.Unlock()
			r.forget()
			r.write("three.py", "other\n")
			if s := r.once(r.path("three.py"), "other\n"); s.From != "" {
				t.Errorf("a save is said to be a rename from %q", s.From)
			}
		})
	}
}

func TestAScriptIsNewInAFolderThatIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, method := range withIdentities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stamps := map[string]Stamp{}
			var h *harness
			h, dir := late(t, method, func(c *Config, _ *options) {
				c.Known = func(path string) (Stamp, bool) {
					h.mu.Lock()
					defer h.mu.Unlock()
					s, ok := stamps[path]
					return s, ok
				}
			})
			r := &rig{h, dir}
			drop := func(make func()) {
				t.Helper()
				r.forget()
				make()
				for _, name := range []string{"job.py", "sub/job.py"} {
					s := r.once(r.path(name), "same\n")
					if s.Scan || !s.New {
						t.Errorf("%s was found %v, is new %v", name, s.Scan, s.New)
					}
					r.mu.Lock()
					stamps[s.Path] = s.Stamp
					r.mu.Unlock()
				}
			}
			away := func() {
				t.Helper()
				r.away("job.py")
				r.away("sub/job.py")
				h.until("a status that says it is missing", func() bool { return strings.Contains(h.w.Status()[0].Error, "does not exist") })
			}
			put := func() {
				r.write("job.py", "same\n")
				r.write("sub/job.py", "same\n")
			}
			drop(put)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			away()
			drop(put)

			// The files that were there come back, with other rights.
			r.forget()
			rename(t, dir, dir+" elsewhere")
			away()
			chmod(t, dir+" elsewhere/job.py", 0o600)
			chmod(t, dir+" elsewhere/sub/job.py", 0o600)
			rename(t, dir+" elsewhere", dir)
			r.write("mark.py", "mark\n")
			r.gets("mark.py", "mark\n")
			r.wantTexts("job.py")
			r.wantTexts("sub/job.py")
		})
	}
}

// ext4 may leave out a file of a folder that grows while it is listed. The file is not gone, so it is no new script when
// the next look finds it.
func TestAScriptThatAListingLeavesOutIsNotGone(t *testing.T) {
	t.Parallel()
	r := start(t, methods["polling"])
	r.write("a.py", "a\n")
	r.write("b.py", "b\n")
	r.gets("a.py", "a\n")
	r.gets("b.py", "b\n")
	r.w.mu.Lock()
	d := r.w.dirs[r.dir]
	r.w.mu.Unlock()
	r.w.prune(d.folder, d, r.dir, map[string]bool{"b.py": true}, scanPoll)
	r.write("c.py", "c\n")
	r.gets("c.py", "c\n") // a look has come since
	r.wantTexts("a.py", "a\n")
	r.remove("a.py")
	r.until("it is gone", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		_, seen := r.w.recallLocked(r.path("a.py"))
		return !seen
	})
}
