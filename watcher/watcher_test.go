package watcher

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestASavedScriptIsHandedOnOnceWithItsBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, recursive(dir))
	path := filepath.Join(dir, "a.py")
	before := time.Now()
	write(t, path, "print(1)\n")
	s := h.once(path, "print(1)\n")
	sum := sha256.Sum256(s.Code)
	if s.Folder != dir || s.Scan || s.Seen.Before(before) || s.Stamp.Size != 9 || s.Stamp.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("save is %+v", s)
	}
	write(t, path, "print(2)\n")
	h.wants(path, "print(2)\n")
}

func TestWhatIsNoScriptIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, recursive(dir))
	for _, name := range []string{"a.txt", ".a.py", "_a.py", "a.py~", "__pycache__/a.py", "_lib/a.py", ".git/a.py", "#a.py#", ".#a.py"} {
		write(t, filepath.Join(dir, name), "no\n")
	}
	write(t, filepath.Join(dir, "b.py"), "yes\n")
	h.once(filepath.Join(dir, "b.py"), "yes\n")
	if all := h.list(); len(all) != 1 {
		t.Errorf("handed on: %q", all)
	}
}

func TestPatternsSayWhatCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, []api.WatchSettings{{Path: dir, Recursive: true, Include: []string{"*.py", "jobs/**/*.blendpy"}, Exclude: []string{"lib/**", "skip*.py"}}})
	for _, name := range []string{"lib/a.py", "skip1.py", "jobs/a.py", "deep/a.py"} {
		write(t, filepath.Join(dir, name), "no\n")
	}
	write(t, filepath.Join(dir, "a.py"), "a\n")
	write(t, filepath.Join(dir, "jobs/x/y.blendpy"), "y\n")
	h.once(filepath.Join(dir, "a.py"), "a\n")
	h.once(filepath.Join(dir, "jobs/x/y.blendpy"), "y\n")
	if all := h.list(); len(all) != 2 {
		t.Errorf("handed on: %q", all)
	}
}

func TestAFolderThatIsNotRecursiveHoldsOnlyWhatLiesDirectlyInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, []api.WatchSettings{{Path: dir}})
	write(t, filepath.Join(dir, "sub/a.py"), "no\n")
	write(t, filepath.Join(dir, "a.py"), "yes\n")
	h.once(filepath.Join(dir, "a.py"), "yes\n")
	h.nothing(filepath.Join(dir, "sub/a.py"))
}

func TestOfNestedFoldersTheInnermostOwnsAFile(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	inner := filepath.Join(outer, "in", "ner")
	write(t, filepath.Join(inner, "old.py"), "old\n")
	h := watch(t, []api.WatchSettings{{Path: outer, Recursive: true}, {Path: inner, Recursive: true}})
	if s := h.once(filepath.Join(inner, "old.py"), "old\n"); s.Folder != inner {
		t.Errorf("old.py was found in %s", s.Folder)
	}
	for path, want := range map[string]string{
		filepath.Join(outer, "a.py"):     outer,
		filepath.Join(outer, "in/a.py"):  outer,
		filepath.Join(inner, "a.py"):     inner,
		filepath.Join(inner, "new/a.py"): inner,
	} {
		write(t, path, path)
		if s := h.once(path, path); s.Folder != want {
			t.Errorf("%s was handed on for %s, want %s", path, s.Folder, want)
		}
	}

	// The outer one takes over when the inner one is watched no more.
	if err := h.w.SetFolders(recursive(outer)); err != nil {
		t.Fatal(err)
	}
	h.forget()
	path := filepath.Join(inner, "a.py")
	write(t, path, "again\n")
	if s := h.once(path, "again\n"); s.Folder != outer {
		t.Errorf("then it was handed on for %s", s.Folder)
	}
}

func TestFoldersThatAreNotWatchedAnyMoreAreQuiet(t *testing.T) {
	t.Parallel()
	one, two := t.TempDir(), t.TempDir()
	h := watch(t, recursive(one))
	if err := h.w.SetFolders(recursive(two)); err != nil {
		t.Fatal(err)
	}
	h.until("the scan of the new folder", func() bool { return len(h.scanned) == 2 })
	write(t, filepath.Join(one, "a.py"), "one\n")
	write(t, filepath.Join(two, "a.py"), "two\n")
	h.once(filepath.Join(two, "a.py"), "two\n")
	h.nothing(filepath.Join(one, "a.py"))
}

func TestFoldersThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, recursive(dir))
	for want, folders := range map[string][]api.WatchSettings{
		"absolute":      {{Path: "a"}},
		"twice":         {{Path: dir}, {Path: dir}},
		"valid pattern": {{Path: dir, Include: []string{"[a"}}},
		"negative":      {{Path: dir, Poll: -1}},
	} {
		if err := h.w.SetFolders(folders); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SetFolders(%+v) = %v, want an error on %q", folders, err, want)
		}
	}
	write(t, filepath.Join(dir, "a.py"), "still watched\n")
	h.once(filepath.Join(dir, "a.py"), "still watched\n")
}

func TestWhatIsSavedInAPauseIsHandedOnOnceAfterIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := watch(t, recursive(dir))
	path := filepath.Join(dir, "a.py")
	h.w.Pause(true)
	for i := range 5 {
		write(t, path, strings.Repeat("x\n", i+1))
	}
	gone := filepath.Join(dir, "gone.py")
	write(t, gone, "gone\n")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	h.until("the marks", func() bool {
		h.w.mu.Lock()
		defer h.w.mu.Unlock()
		return len(h.w.dirty) == 2
	})
	if all := h.list(); len(all) != 0 {
		t.Errorf("handed on in a pause: %q", all)
	}
	h.w.Pause(false)
	h.once(path, strings.Repeat("x\n", 5))
	h.nothing(gone)
}

func TestSavesOfOnePathBecomeOneWhileSaveIsBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.py")
	started, goOn := make(chan struct{}, 1), make(chan struct{})
	h := watch(t, recursive(dir), func(c *Config, _ *options) {
		inner := c.Save
		c.Save = func(ctx ctx, s Save) bool {
			select {
			case started <- struct{}{}:
				<-goOn
			default:
			}
			return inner(ctx, s)
		}
	})
	write(t, path, "first\n")
	<-started
	for i := range 20 {
		write(t, path, strings.Repeat("x\n", i+1))
	}
	close(goOn)
	all := h.wants(path, strings.Repeat("x\n", 20))
	h.settle()
	if len(all) != 2 {
		t.Errorf("handed on %d times, want 2: %q", len(all), h.list())
	}
}

// Not parallel: a process that another test is just starting holds for a moment the files that
// this test has open, and when it closes them, that is a save.
func TestServeMayBeCalledAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.py")
	saves := make(chan Save, 10)
	w, err := New(Config{Folders: recursive(dir), Save: func(_ ctx, s Save) bool { saves <- s; return true }})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"one\n", "two\n", "three\n"} {
		write(t, path, code)
		stop := serve(t, w)
		select {
		case s := <-saves:
			if string(s.Code) != code || !s.Scan {
				t.Errorf("save is %q (scan %v), want %q by a scan", s.Code, s.Scan, code)
			}
		case <-time.After(patience):
			t.Fatal("nothing was handed on")
		}
		stop()
	}
}

func TestTheSameBytesSavedAgainAreHandedOnAgain(t *testing.T) {
	t.Parallel()
	r := start(t)
	for n := range 10 {
		r.write("a.py", "same\n")
		r.until("another save of a.py", func() bool { return len(r.savesLocked(r.path("a.py"))) == n+1 })
		nextTick(t, r.path("a.py"))
	}
	if err := os.Remove(r.path("a.py")); err != nil {
		t.Fatal(err)
	}
	r.write("a.py", "same\n")
	r.until("a save of the new file", func() bool { return len(r.savesLocked(r.path("a.py"))) == 11 })
}

// nextTick waits until a file that is written now has another time than path.
func nextTick(t testing.TB, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(t.TempDir(), "probe")
	for {
		write(t, probe, "")
		now, err := os.Stat(probe)
		if err != nil {
			t.Fatal(err)
		}
		if now.ModTime().After(fi.ModTime()) {
			return
		}
	}
}

func TestTenThousandFilesInABurstAllArrive(t *testing.T) {
	t.Parallel()
	r := start(t)
	const count = 10_000
	for n := range count {
		r.write(fmt.Sprintf("d%d/f%d.py", n/1000, n), fmt.Sprintf("n = %d\n", n))
	}
	r.until("all files", func() bool { return len(r.saves) >= count })
	r.settle()
	if len(r.saves) != count {
		t.Errorf("%d saves of %d files", len(r.saves), count)
	}
	seen := map[string]bool{}
	for _, s := range r.saves {
		var n int
		if _, err := fmt.Sscanf(string(s.Code), "n = %d\n", &n); err != nil || s.Path != r.path(fmt.Sprintf("d%d/f%d.py", n/1000, n)) || seen[s.Path] {
			t.Fatalf("%s was handed on (before: %v) with %q", s.Path, seen[s.Path], s.Code)
		}
		seen[s.Path] = true
	}
}

func TestOtherPatternsMakeNoSavesOfWhatWasThere(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.write("a.blendpy", "a\n")
	r.write("mark.py", "mark\n")
	r.gets("mark.py", "mark\n")
	if err := r.w.SetFolders([]api.WatchSettings{{Path: r.dir, Recursive: true, Include: []string{"*.blendpy"}}}); err != nil {
		t.Fatal(err)
	}
	if s := r.once(r.path("a.blendpy"), "a\n"); !s.Scan || s.First {
		t.Errorf("it was found %v, by a first look %v", s.Scan, s.First)
	}
}
