package watcher

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
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
	for name, method := range methods {
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

// A folder on the way to a script refuses access: the folder of a link's target, or the script's own.
func TestAScriptBehindAFolderThatRefusesIsToldAndRunsWhenItWasSaved(t *testing.T) {
	t.Parallel()
	top, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	for name, method := range map[string]set{"events": methods["the system's best"], "polling": methods["polling"]} {
		for what, test := range map[string]struct {
			linked, late, written, known bool
		}{
			"a link":                         {linked: true},
			"a link that is made later":      {linked: true, late: true},
			"a link, its target written":     {linked: true, written: true},
			"a link, its target known":       {linked: true, known: true},
			"a script in a folder in it":     {},
			"a script there that is written": {written: true},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				dir := mkdir(t, filepath.Join(top, name+what), 0o755)
				locked := mkdir(t, filepath.Join(dir, "locked"), 0o755)
				if test.linked {
					locked = mkdir(t, filepath.Join(top, name+what+" elsewhere"), 0o755)
				}
				target := filepath.Join(locked, "a.py")
				write(t, target, "old\n")
				if err := os.Chtimes(target, hourAgo, hourAgo); err != nil {
					t.Fatal(err)
				}
				_, s := mustRead(t, target)
				s.young = false
				flag := os.O_RDONLY
				if test.written {
					flag = os.O_WRONLY // the close of such a file is an event
				}
				open, err := os.OpenFile(target, flag, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer open.Close()
				path := target
				if test.linked {
					path = filepath.Join(dir, "a.py")
				}
				chmod(t, locked, 0o400)
				if test.linked && !test.late {
					link(t, target, path)
				}
				h := watch(t, recursive(dir), soon, func(c *Config, o *options) {
					o.pollEvery = 20 * time.Millisecond
					c.Known = func(string) (Stamp, bool) { return s.stamp(), test.known }
				}, method)
				if test.late {
					link(t, target, path)
				}
				h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, path+" cannot be read") })
				h.settle()
				if test.written {
					if _, err := open.WriteString("new\n"); err != nil {
						t.Fatal(err)
					}
				}
				if err := open.Close(); err != nil {
					t.Fatal(err)
				}
				chmod(t, locked, 0o755)
				h.until("a status without an error", func() bool { return h.w.Status()[0].Error == "" })
				switch {
				case test.known:
					h.nothing(path)
				case test.written:
					if s := h.once(path, "new\n"); s.Scan {
						t.Error("a save is said to have been found")
					}
				case test.late:
					if s := h.once(path, "old\n"); s.Scan {
						t.Error("a save is said to have been found")
					}
				default:
					h.isFound(true, path)
				}
			})
		}
	}
}

// Not parallel, because it changes what the system says about groups.
func TestAScriptRunsWhenTheSystemSaysAtLastWhoMayWriteIt(t *testing.T) {
	asRoot(t)
	const gid = 3999999998
	var silent atomic.Bool
	silent.Store(true)
	defer func(ask func(string, string) ([]string, error)) { groups.ask = ask }(groups.ask)
	groups.ask = func(database, key string) ([]string, error) {
		switch {
		case silent.Load():
			return nil, errors.New("no answer")
		case database == "group" && key == fmt.Sprint(gid):
			return []string{fmt.Sprintf("mine:x:%d:root", gid)}, nil
		}
		return nil, nil
	}
	dir := mkdir(t, reachable(t)+"/watched", 0o755)
	grouped := func(path string) string {
		t.Helper()
		write(t, filepath.Join(dir, "_new"), "old\n")
		chown(t, filepath.Join(dir, "_new"), 0, gid)
		chmod(t, filepath.Join(dir, "_new"), 0o664)
		rename(t, filepath.Join(dir, "_new"), path)
		return path
	}
	found := grouped(filepath.Join(dir, "found.py"))
	h := watch(t, recursive(dir), soon)
	saved := grouped(filepath.Join(dir, "saved.py"))
	h.until("two refusals", func() bool { return h.w.Status()[0].Refused == 2 })
	silent.Store(false)
	h.noRefusal()
	h.isFound(true, found)
	if s := h.once(saved, "old\n"); s.Scan {
		t.Error("a save is said to have been found")
	}
}

func TestAScriptRunsWhenTheFolderOfItsTargetIsMended(t *testing.T) {
	t.Parallel()
	asRoot(t)
	top := reachable(t)
	dir, targets := mkdir(t, top+"/watched", 0o755), mkdir(t, top+"/targets", 0o777)
	write(t, targets+"/target.py", "old\n")
	found, saved := link(t, "../targets/target.py", dir+"/found.py"), dir+"/saved.py"
	h := watch(t, recursive(dir), soon)
	link(t, "../targets/target.py", saved)
	h.until("two refusals", func() bool { return h.w.Status()[0].Refused == 2 })
	h.settle()
	chmod(t, targets, 0o755)
	h.noRefusal()
	h.isFound(true, found)
	if s := h.once(saved, "old\n"); s.Scan {
		t.Error("a save is said to have been found")
	}
}

func TestAScriptThatMayBeReadAtOnceAfterItWasWrittenRuns(t *testing.T) {
	t.Parallel()
	top, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	for name, method := range map[string]set{"events": methods["the system's best"], "polling": methods["polling"]} {
		t.Run(name, func(t *testing.T) {
			dir := mkdir(t, filepath.Join(top, name), 0o755)
			h := watch(t, recursive(dir), soon, method)
			for n := range 500 {
				f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("s%d.py", n)), os.O_WRONLY|os.O_CREATE, 0o200)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString("x = 1\n"); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				for range rand.IntN(40) { // so that the watcher comes before, in between and after
					runtime.Gosched()
				}
				chmod(t, f.Name(), 0o600)
			}
			for n := range 500 {
				if s := h.once(filepath.Join(dir, fmt.Sprintf("s%d.py", n)), "x = 1\n"); s.Scan {
					t.Errorf("%s is said to have been found", s.Path)
				}
			}
		})
	}
}

// examining pauses the watcher, writes a file, and returns its entry as the watcher examines it.
func (r *rig) examining(name, text string) (e *entry, v verdict, fi os.FileInfo) {
	r.t.Helper()
	r.write("mark.py", "mark\n")
	r.gets("mark.py", "mark\n")
	r.settle()
	r.w.Pause(true)
	r.write(name, text)
	r.until("the event", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		e = r.w.dirty[r.path(name)]
		return e != nil && !e.closedAt.IsZero()
	})
	fi, err := os.Stat(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	heap.Remove(&r.w.queue, e.at)
	e.due, r.w.examining = time.Time{}, e
	return e, verdict{marks: e.marks}, fi
}

// The event that a script is gone comes while the script, which is too large, is being examined.
func TestTheStatusForgetsAScriptThatGoesDuringTheExamination(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config, _ *options) { c.MaxFileBytes = 5 })
	e, v, fi := r.examining("a.py", "too large\n")
	r.remove("a.py")
	r.until("the event that it is gone", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		return e.marks > v.marks
	})
	if !r.w.tooLarge(e, fi) {
		t.Fatal("it is not too large")
	}
	r.w.finish(t.Context(), e, v)
	r.w.Pause(false)
	r.says("")
}

// The event of a chmod comes while the script is being examined, which had no right to read it.
func TestARightThatIsGivenDuringTheExaminationIsSeen(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]bool{"saved": false, "found": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			e, v, fi := r.examining("a.py", "old\n")
			if found {
				r.w.mu.Lock()
				r.w.findLocked(e)
				r.w.mu.Unlock()
			}
			v = r.w.cannotRead(e, v, fi, &os.PathError{Op: "open", Path: e.path, Err: os.ErrPermission})
			r.w.noteHint(hintRights, e.path, time.Now())
			r.w.finish(t.Context(), e, v)
			r.w.Pause(false)
			if s := r.once(e.path, "old\n"); s.Scan != found || s.First != found {
				t.Errorf("found %v, by a first look %v, want %v", s.Scan, s.First, found)
			}
		})
	}
}

func TestAScriptThatIsDroppedAgainAndRefusedIsNewWhenItIsMended(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := mkdir(t, reachable(t)+"/watched", 0o755)
	r := &rig{watch(t, recursive(dir), soon), dir}
	r.write("a.py", "old\n")
	r.gets("a.py", "old\n")
	if err := os.Remove(r.path("a.py")); err != nil {
		t.Fatal(err)
	}
	r.away("a.py")
	r.forget()
	r.write("_new", "old\n")
	chmod(t, r.path("_new"), 0o666)
	rename(t, r.path("_new"), r.path("a.py"))
	r.refusal("everybody may write to it")
	r.settle()
	chmod(t, r.path("a.py"), 0o644)
	if s := r.once(r.path("a.py"), "old\n"); s.Scan || !s.New {
		t.Errorf("it was found %v, is new %v", s.Scan, s.New)
	}
}

func TestAChangeOfRightsIsNoSave(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			r.write("a.py", "old\n")
			r.gets("a.py", "old\n")
			r.forget()
			nextStep(t, r.path("a.py"))
			chmod(t, r.path("a.py"), 0o600)
			for _, text := range []string{"one\n", "two\n"} { // the second comes from a later poll
				r.write("mark.py", text)
				r.gets("mark.py", text)
				nextStep(t, r.path("mark.py"))
			}
			r.wantTexts("a.py")
		})
	}
}
