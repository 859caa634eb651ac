package watcher

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// methods are the ways to watch a folder that the system of the test has.
var methods = map[string]set{
	"the system's best": func(*Config, *options) {},
	"without asking who writes": func(_ *Config, o *options) {
		o.adaptive = true
	},
	"portable events": func(_ *Config, o *options) {
		o.adaptive, o.newSource = true, newPortable
	},
	"polling": func(c *Config, _ *options) {
		c.Folders = slices.Clone(c.Folders)
		for i := range c.Folders {
			c.Folders[i].Poll = api.Duration(20 * time.Millisecond)
		}
	},
	"polling a file server": func(_ *Config, o *options) {
		o.newSource = func(hintFunc) (source, error) { return deafSource{}, nil } // other machines write
		o.pollEvery = 20 * time.Millisecond
		o.isRemote = func(string) bool { return true }
	},
}

func TestNoMethodHandsOnATornSaveOrLosesTheLast(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			last := ""
			for version := range 18 {
				// Each is longer or shorter than the one before.
				last = script(version, 40+version%5*30)
				write := []func(string, string) (time.Time, error){writeRename, writeTruncate, writeSlowly}[version%3]
				if _, err := write(r.path("a.py"), last); err != nil {
					t.Fatal(err)
				}
				if version%4 == 3 { // the others follow each other as fast as they can
					r.gets("a.py", last)
				}
			}
			r.gets("a.py", last)
			r.settle()
			for _, text := range r.texts("a.py") {
				first, _, _ := strings.Cut(text, "\n")
				var version, line, lines int
				if _, err := fmt.Sscanf(first, "version %d line %d of %d", &version, &line, &lines); err != nil || text != script(version, lines) {
					t.Errorf("a torn save of %d bytes was handed on: %q…", len(text), first)
				}
			}
		})
	}
}

func TestATreeThatIsMovedInIsFoundByEachMethod(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			tree := filepath.Join(filepath.Dir(r.dir), "tree")
			for n := range 200 {
				write(t, filepath.Join(tree, fmt.Sprintf("%d/%d/x.py", n%10, n)), "x = 1\n")
			}
			rename(t, tree, r.path("tree"))
			r.until("all of it", func() bool { return len(r.saves) == 200 })
			rename(t, r.path("tree"), r.path("wood"))
			r.gets("wood/0/0/x.py", "x = 1\n")
			r.write("wood/0/0/x.py", "x = 2\n")
			r.gets("wood/0/0/x.py", "x = 2\n")
			if err := os.RemoveAll(r.path("wood")); err != nil {
				t.Fatal(err)
			}
			r.write("wood/0/0/x.py", "x = 3\n")
			r.gets("wood/0/0/x.py", "x = 3\n")
		})
	}
}

func TestAFolderThatComesLaterGoesAndComesBack(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "not", "yet")
			h := watch(t, recursive(dir), func(_ *Config, o *options) {
				o.retryEvery, o.checkEvery = 10*time.Millisecond, 50*time.Millisecond
			}, method)
			path := filepath.Join(dir, "x.py")
			for round := range 2 {
				h.until("a status that says it is missing", func() bool {
					st := h.w.Status()[0]
					return st.Method == "" && strings.Contains(st.Error, "does not exist")
				})
				code := fmt.Sprintf("round = %d\n", round)
				write(t, path, code)
				h.wants(path, code)
				h.until("a status without an error", func() bool {
					st := h.w.Status()[0]
					return st.Method != "" && st.Error == ""
				})
				write(t, path, code+"# again\n")
				h.wants(path, code+"# again\n")
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestLostEventsAreMadeGoodByAScan(t *testing.T) {
	t.Parallel()
	var hints hintFunc
	r := start(t, func(_ *Config, o *options) {
		o.newSource = func(h hintFunc) (source, error) {
			hints = h
			return deafSource{}, nil
		}
	})
	r.write("a.py", "unseen\n")
	r.settle()
	if all := r.texts("a.py"); len(all) != 0 {
		t.Fatalf("a source without events brought %q", all)
	}
	hints(hintLost, "", time.Now())
	r.gets("a.py", "unseen\n")
}

// deafSource is a source whose events are all lost.
type deafSource struct{}

func (deafSource) name() string             { return methodInotify }
func (deafSource) exact() bool              { return true }
func (deafSource) add(string) (bool, error) { return false, nil }
func (deafSource) remove(string)            {}
func (deafSource) drain()                   {}
func (deafSource) close()                   {}

func TestWithoutEventsFoldersArePolledAndTheStatusSaysWhy(t *testing.T) {
	t.Parallel()
	r := start(t, func(_ *Config, o *options) {
		o.pollEvery = 20 * time.Millisecond
		o.newSource = func(hintFunc) (source, error) { return nil, os.ErrInvalid }
	})
	r.write("a.py", "a = 1\n")
	r.gets("a.py", "a = 1\n")
	if st := r.w.Status()[0]; st.Method != methodPoll || !strings.Contains(st.Error, "polled") {
		t.Errorf("the status is %+v", st)
	}
}

func TestAFolderIsPolledAsOftenAsItsSettingsSay(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config, o *options) {
		c.Folders = slices.Clone(c.Folders)
		c.Folders[0].Poll = api.Duration(20 * time.Millisecond)
		o.pollEvery = time.Hour                                                   // for folders that say nothing
		o.newSource = func(hintFunc) (source, error) { return deafSource{}, nil } // and no event says it sooner
	})
	for _, text := range []string{"a = 1\n", "a = 2\n"} {
		r.write("a.py", text)
		r.gets("a.py", text)
	}
}

// Not parallel, for the same reason as TestServeMayBeCalledAgain.
func TestAScanHandsOnOnlyWhatIsNotKnown(t *testing.T) {
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	var stamp Stamp
	r := prepare(t, func(c *Config, _ *options) {
		c.Known = func(path string) (Stamp, bool) {
			s := stamp
			switch filepath.Base(path) {
			case "same.py":
			case "older.py": // put back by a copier that keeps times
				s.ModTime, s.Hash = old.Add(time.Minute), strings.Repeat("00", 32)
			case "touched.py": // other times, the same bytes
				s.ModTime = old.Add(time.Minute)
			default:
				return Stamp{}, false
			}
			return s, true
		}
	})
	for _, name := range []string{"same.py", "older.py", "touched.py", "new.py"} {
		r.write(name, "x = 1\n")
		if err := os.Chtimes(r.path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	_, s := mustRead(t, r.path("same.py"))
	stamp = s.stamp()
	r.serve()
	got := map[string]bool{}
	for _, s := range r.saves {
		got[filepath.Base(s.Path)] = s.Scan
	}
	if len(got) != 2 || !got["older.py"] || !got["new.py"] {
		t.Errorf("the scan handed on %v", got)
	}
}

func mustRead(t *testing.T, path string) ([]byte, snapshot) {
	t.Helper()
	f, fi, _, err := openScript(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	code, s, err := read(f, fi)
	if err != nil {
		t.Fatal(err)
	}
	return code, s
}

func TestAFileThatIsTooLargeIsNotReadAndTheStatusSaysSo(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config, _ *options) { c.MaxFileBytes = 1000 })
	r.write("a.py", strings.Repeat("#", 1001))
	r.until("a status that says so", func() bool { return strings.Contains(r.w.Status()[0].Error, "1001 bytes") })
	r.wantTexts("a.py")
	r.write("a.py", strings.Repeat("#", 1000))
	r.gets("a.py", strings.Repeat("#", 1000))
	r.until("a status without an error", func() bool { return r.w.Status()[0].Error == "" })
}

func TestAScriptOfManyMegabytesArrivesWhole(t *testing.T) {
	t.Parallel()
	r := start(t)
	text := bytes.Repeat([]byte("x = 'sixteen byte'\n"), 300_000)
	r.write("a.py", string(text))
	r.gets("a.py", string(text))
	r.wantTexts("a.py", string(text))
}
