package watcher

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// oldScripts writes scripts into a folder and returns their paths.
func oldScripts(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for _, name := range []string{"a.py", "b.py", "sub/c.py"} {
		path := filepath.Join(dir, name)
		write(t, path, "old\n")
		if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// mend takes the right to write from others in a whole folder, as chmod -R go-w does. The inodes of
// the files have new times then, later than all that the watcher has noted before.
func mend(t testing.TB, dir string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		nextStep(t, path)
		chmod(t, path, 0o600)
		chmod(t, path, 0o644)
		if filepath.Dir(path) != dir {
			chmod(t, filepath.Dir(path), 0o755)
		}
	}
	chmod(t, dir, 0o755)
}

// soon has the watcher check its folders often.
func soon(_ *Config, o *options) {
	o.retryEvery, o.checkEvery = 10*time.Millisecond, 20*time.Millisecond
}

// isFound fails unless each script was handed on once, as found by a scan.
func (h *harness) isFound(first bool, paths ...string) {
	h.t.Helper()
	for _, path := range paths {
		if s := h.once(path, "old\n"); !s.Scan || s.First != first {
			h.t.Errorf("%s: found %v, by a first look %v, want %v", path, s.Scan, s.First, first)
		}
	}
}

func TestAMendedFolderIsLookedThroughForTheFirstTime(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for name, waited := range map[string]bool{"that was there": false, "that was waited for": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := reachable(t)
			dir, made := filepath.Join(top, "shared"), filepath.Join(top, "made")
			if !waited {
				made = dir
			}
			paths := oldScripts(t, made)
			chmod(t, made, 0o777)
			h := newHarness(t, recursive(dir), soon)
			serve(t, h.w)
			if waited {
				h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, "does not exist") })
				rename(t, made, dir)
				for n := range paths {
					paths[n] = filepath.Join(dir, strings.TrimPrefix(paths[n], made))
				}
			}
			h.refusal("everybody may write to")
			mend(t, dir, paths...)
			h.noRefusal()
			h.isFound(waited, paths...)
			mine := filepath.Join(dir, "mine.py")
			write(t, mine, "mine\n")
			if s := h.once(mine, "mine\n"); s.Scan {
				t.Error("a save is said to have been found")
			}
		})
	}
}

func TestAFolderThatIsRefusedForAWhileKeepsWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := mkdir(t, reachable(t)+"/watched", 0o755)
	h := watch(t, recursive(dir), soon)
	chmod(t, dir, 0o777)
	h.refusal("everybody may write to")
	path := filepath.Join(dir, "a.py")
	write(t, path, "saved meanwhile\n")
	mend(t, dir, path)
	h.noRefusal()
	if s := h.once(path, "saved meanwhile\n"); s.First {
		t.Error("a script that was saved after the first look is said to have been found by it")
	}
}

func TestAFolderThatCanBeExaminedAgainIsLookedThroughForTheFirstTime(t *testing.T) {
	t.Parallel()
	top, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	locked := mkdir(t, filepath.Join(top, "locked"), 0o755)
	dir := filepath.Join(locked, "scripts")
	paths := oldScripts(t, dir)
	chmod(t, locked, 0)
	h := newHarness(t, []api.WatchSettings{{Path: dir, Recursive: true}}, soon)
	serve(t, h.w)
	h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, "cannot be examined") })
	chmod(t, locked, 0o755)
	h.until("a status without an error", func() bool { st := h.w.Status()[0]; return st.Error == "" && st.Method != "" })
	h.isFound(false, paths...)
}

func TestTheOldScriptsOfAFolderThatCanBeReadAgainWereNotSaved(t *testing.T) {
	t.Parallel()
	top, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	for name, rescan := range map[string]bool{"by a poll": false, "by a scan": true} {
		t.Run(name, func(t *testing.T) {
			dir := mkdir(t, filepath.Join(top, strings.ReplaceAll(name, " ", "_")), 0o755)
			closed := filepath.Join(dir, "closed")
			paths := oldScripts(t, closed)
			chmod(t, closed, 0o300)
			h := watch(t, recursive(dir), func(_ *Config, o *options) {
				if rescan {
					o.pollEvery = time.Hour
				} else {
					o.pollEvery = 10 * time.Millisecond
				}
			})
			h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, "closed cannot be read") })
			mend(t, closed, paths...)
			if rescan {
				h.w.Rescan()
			}
			h.isFound(true, paths...)
		})
	}
}

// mends are the ways by which a person has the watcher take what it has refused. The watched folder
// is dir, and sub is a folder in it that everybody may write to.
var mends = map[string]func(h *harness, dir, sub string, paths []string){
	"chmod": func(h *harness, _, sub string, paths []string) { mend(h.t, sub, paths...) },
	"chmod and a scan": func(h *harness, _, sub string, paths []string) {
		mend(h.t, sub, paths...)
		h.w.Rescan()
	},
	"chmod of all of it": func(h *harness, dir, sub string, paths []string) {
		chmod(h.t, dir, 0o777)
		h.refusal(dir + ",")
		mend(h.t, sub, paths...)
		chmod(h.t, dir, 0o755)
	},
	"trust": func(h *harness, dir, _ string, _ []string) {
		f := h.w.cfg.Folders[0]
		f.Trust = api.TrustAnyone
		if err := h.w.SetFolders([]api.WatchSettings{f}); err != nil {
			h.t.Fatal(err)
		}
	},
}

func TestWhatWasRefusedAtTheFirstLookWasNotSavedWhenItIsMended(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for name, method := range map[string]set{"events": methods["the system's best"], "polling": methods["polling"]} {
		for how, mends := range mends {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				dir := mkdir(t, reachable(t)+"/watched", 0o755)
				sub, file := filepath.Join(dir, "shared"), filepath.Join(dir, "open.py")
				paths := append(oldScripts(t, sub), file)
				write(t, file, "old\n")
				chmod(t, sub, 0o777)
				chmod(t, file, 0o666)
				h := watch(t, recursive(dir), soon, method)
				h.until("two refusals", func() bool { return h.w.Status()[0].Refused == 2 })
				mends(h, dir, sub, paths)
				h.noRefusal()
				h.isFound(true, paths...)
				mine := filepath.Join(sub, "mine.py")
				write(t, mine, "mine\n")
				if s := h.once(mine, "mine\n"); s.Scan {
					t.Error("a save is said to have been found")
				}
			})
		}
	}
}

func TestAScriptThatCouldNotBeReadAtTheFirstLookWasNotSavedWhenItCan(t *testing.T) {
	t.Parallel()
	top, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	for name, method := range map[string]set{"events": methods["the system's best"], "polling": methods["polling"]} {
		for how, rescan := range map[string]bool{"alone": false, "and a scan": true} {
			t.Run(name+", "+how, func(t *testing.T) {
				dir := mkdir(t, filepath.Join(top, name+how), 0o755)
				path := filepath.Join(dir, "a.py")
				write(t, path, "old\n")
				chmod(t, path, 0)
				h := watch(t, recursive(dir), soon, method)
				h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, "a.py cannot be read") })
				mend(t, dir, path)
				if rescan {
					h.w.Rescan()
				}
				h.isFound(true, path)
			})
		}
	}
}
