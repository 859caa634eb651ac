package watcher

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"blendtray/api"
)

func TestAWatcherOfSomeFilesTellsOfThemWhateverTheyAreCalled(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "_lib")
			path, later, other := filepath.Join(dir, "_a.py"), filepath.Join(dir, "b.txt"), filepath.Join(dir, "c.py")
			write(t, path, "1\n")
			write(t, later, "1\n")
			var both atomic.Bool
			h := watch(t, []api.WatchSettings{{Path: dir}}, method, func(c *Config, _ *options) {
				c.Only = func(p string) bool { return p == path || both.Load() && p == later }
			})
			if s := h.once(path, "1\n"); !s.Scan {
				t.Errorf("it is there at the first look: %+v", s)
			}
			write(t, other, "2\n")
			write(t, path, "2\n")
			h.wants(path, "2\n")
			// Another file counts from now on: a look tells what it is.
			both.Store(true)
			h.w.Rescan()
			h.wants(later, "1\n")
			write(t, later, "2\n")
			h.wants(later, "2\n")
			for _, s := range h.saves {
				if s.Path == other {
					t.Error("a file that does not count was told of")
				}
			}
		})
	}
}

func TestIsScriptKnowsTheScriptsOfAFolder(t *testing.T) {
	t.Parallel()
	f := api.WatchSettings{Path: "/w", Recursive: true, Exclude: []string{"lib/**"}}
	flat := api.WatchSettings{Path: "/w"}
	for path, want := range map[string][2]bool{
		"/w/a.py": {true, true}, "/w/sub/a.py": {true, false}, "/w/_a.py": {}, "/w/_sub/a.py": {}, "/w/lib/a.py": {}, "/v/a.py": {}, "/w/a.txt": {},
	} {
		if got := [2]bool{IsScript(f, path), IsScript(flat, path)}; got != want {
			t.Errorf("%s: %v and not %v", path, got, want)
		}
	}
}
