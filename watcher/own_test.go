package watcher

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"blendtray/api"
)

func TestNoFileOfTheEngineItselfIsAScript(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			home := filepath.Join(top, "user", "home")
			addon := filepath.Join(home, "cache", "addon.py")
			mine := filepath.Join(top, "user", "homework", "a.py")
			write(t, addon, "1\n")
			write(t, mine, "1\n")
			user := filepath.Join(top, "user")
			if runtime.GOOS != "windows" { // which lets few users make links
				user = filepath.Join(top, "link")
				if err := os.Symlink(filepath.Join(top, "user"), user); err != nil {
					t.Fatal(err)
				}
				mine = filepath.Join(user, "homework", "a.py")
			}
			folders := []api.WatchSettings{{Path: user, Recursive: true}, {Path: home, Recursive: true}, {Path: filepath.Join(home, "cache")}}
			h := newHarness(t, folders, method, func(c *Config, _ *options) { c.Own = []string{home} })
			serve(t, h.w)
			h.once(mine, "1\n")
			write(t, addon, "2\n")
			write(t, filepath.Join(home, "new", "b.py"), "2\n")
			write(t, mine, "2\n")
			h.wants(mine, "2\n")
			h.w.Rescan()
			write(t, mine, "3\n")
			h.wants(mine, "3\n")
			for _, s := range h.saves {
				if s.Path != mine {
					t.Errorf("a file of the engine was told of: %s", s.Path)
				}
			}
			h.until("a status", func() bool { return h.w.Status()[2].Error != "" })
			for i, st := range h.w.Status() {
				if own := i > 0; own != strings.Contains(st.Error, "Blendtray keeps its own files in") || own != (st.Method == "") {
					t.Errorf("%+v", st)
				}
			}
		})
	}
}

func TestAFolderOfTheEngineIsRefused(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	own := []string{filepath.Join(top, "home")}
	for path, want := range map[string]bool{
		"home": true, "home/cache/not yet": true, "homework": false, ".": false,
	} {
		if got := OwnRefusal(filepath.Join(top, path), own); (got != "") != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
