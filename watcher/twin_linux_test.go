package watcher

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func quickly(_ *Config, o *options) {
	o.checkEvery, o.retryEvery = 20*time.Millisecond, 20*time.Millisecond
}

func TestAFolderThatIsWatchedUnderTwoNamesRunsEachSaveOnce(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir, link := filepath.Join(top, "dir"), filepath.Join(top, "link")
	write(t, filepath.Join(dir, "sub/a.py"), "0\n")
	for name, test := range map[string]struct {
		target  string
		folders func(link string) []api.WatchSettings
		runs    func(link string) string // the script's path as it is handed on
	}{
		"the same folder": {
			dir, func(l string) []api.WatchSettings { return append(recursive(dir), recursive(l)...) },
			func(string) string { return filepath.Join(dir, "sub/a.py") },
		},
		"a folder in it": {
			filepath.Join(dir, "sub"), func(l string) []api.WatchSettings { return append(recursive(dir), recursive(l)...) },
			func(string) string { return filepath.Join(dir, "sub/a.py") },
		},
		"a folder in it, first": {
			filepath.Join(dir, "sub"), func(l string) []api.WatchSettings { return append(recursive(l), recursive(dir)...) },
			func(l string) string { return filepath.Join(l, "a.py") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			link := link + strings.ReplaceAll(name, " ", "_")
			if err := os.Symlink(test.target, link); err != nil {
				t.Fatal(err)
			}
			folders := test.folders(link)
			h := newHarness(t, folders, quickly)
			serve(t, h.w)
			said := func() bool {
				for _, st := range h.w.Status() {
					if strings.Contains(st.Error+st.Note, "is the same folder as") {
						return true
					}
				}
				return false
			}
			h.until("a status that says so", said)
			h.until("the first look", func() bool { return len(h.saves) > 0 })
			h.forget()
			code := name + "\n"
			write(t, filepath.Join(dir, "sub/a.py"), code)
			h.once(test.runs(link), code)
			if all := h.list(); len(all) != 1 {
				t.Errorf("handed on: %q", all)
			}
			if !said() {
				t.Error("the status does not say so any more")
			}

			// When the first is watched no more, the second takes over.
			if err := h.w.SetFolders(folders[1:]); err != nil {
				t.Fatal(err)
			}
			h.until("a status without it", func() bool { return !said() && h.w.Status()[0].Method != "" })
			h.settle()
			h.forget()
			write(t, filepath.Join(dir, "sub/a.py"), code+"again\n")
			h.until("the save", func() bool { return len(h.saves) == 1 && string(h.saves[0].Code) == code+"again\n" })
			h.settle()
			if all := h.list(); len(all) != 1 {
				t.Errorf("handed on: %q", all)
			}
		})
	}
}

func TestAFolderThatIsMountedTwiceRunsEachSaveOnce(t *testing.T) {
	t.Parallel()
	if !withMounts(t) {
		return
	}
	r := prepare(t, quickly)
	r.mkdir("one")
	r.mkdir("two")
	r.tool("mount", "--bind", "one", "two")
	r.serve()
	r.write("two/a.py", "a\n")
	r.gets("one/a.py", "a\n")
	r.settle()
	if all := r.list(); len(all) != 1 {
		t.Errorf("handed on: %q", all)
	}
	if note := r.w.Status()[0].Note; !strings.Contains(note, r.path("two")+" is the same folder as "+r.path("one")) {
		t.Errorf("the status says %q", note)
	}
	r.tool("umount", "two")
	r.until("a status without it", func() bool { return r.w.Status()[0].Note == "" })
	r.settle()
	r.write("two/b.py", "b\n")
	r.gets("two/b.py", "b\n")
}
