package engine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// expect compares all runs, oldest first.
func (h *house) expect(want ...string) {
	h.t.Helper()
	if got := h.all(); !slices.Equal(got, want) {
		h.t.Errorf("runs:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestASaveBecomesARunAsItsFolderSays(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		c.Runs.Timeout = api.Duration(time.Hour)
		c.Folders[0].Scene, c.Folders[0].Timeout = "keep", api.Duration(3*time.Second)
	}).serve()
	h.w.save(h.path("a.py"), "x = 1")
	c := h.call()
	if c.req.File != h.path("a.py") || c.req.Scene != "keep" || c.req.TimeLimit != 3*time.Second || string(c.req.Code) != "x = 1" {
		t.Errorf("asked for %+v", c.req)
	}
	if r := h.run("1"); r.Source != api.FromFolder || r.Folder != h.watched || r.SHA256 != hashOf([]byte("x = 1")) {
		t.Errorf("run %+v", r)
	}
	if st, ok := h.w.cfg.Known(h.path("a.py")); !ok || st.Hash != hashOf([]byte("x = 1")) {
		t.Errorf("known: %+v %v", st, ok)
	}
	c.finish(blender.Succeeded)
}

func TestBlenderIsAlertedBeforeTheRunOfASave(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Scene = "keep" }).serve()
	h.w.save(h.path("a.py"), "x = 1")
	c := h.call()
	if got := h.b.alerted(); !slices.Equal(got, []string{"keep keep"}) {
		t.Errorf("alerted of %q", got)
	}
	h.w.save(h.path("b.py"), "x = 2") // has to wait
	c.finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	if got := h.b.alerted(); len(got) != 1 {
		t.Errorf("alerted of a run that had to wait: %q", got)
	}
}

func TestANewerSaveTakesThePlaceOfAWaitingOne(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("busy.py"), "0")
	first := h.call()
	h.w.save(h.path("a.py"), "1")
	h.w.save(h.path("b.py"), "1")
	h.w.save(h.path("a.py"), "2")
	h.expect("1 busy.py running", "2 a.py cancelled", "3 b.py queued", "4 a.py queued")
	if r := h.run("2"); r.Reason != "replaced by 4" || r.FinishedAt == nil {
		t.Errorf("2: %q", r.Reason)
	}
	// The place is kept in the database too.
	first.finish(blender.Succeeded)
	c := h.call()
	if c.req.ID != "4" || string(c.req.Code) != "2" {
		t.Errorf("sent %s %q", c.req.ID, c.req.Code)
	}
	c.finish(blender.Succeeded)
	if c := h.call(); c.req.ID != "3" {
		t.Errorf("then %s", c.req.ID)
	}
}

func TestThePlaceOfAReplacedRunOutlivesTheEngine(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.w.save(h.path("a.py"), "1")
	h.w.save(h.path("b.py"), "1")
	h.w.save(h.path("a.py"), "2")
	h = h.again().serve()
	for _, want := range []string{"3", "2"} {
		c := h.call()
		if c.req.ID != want {
			t.Errorf("sent %s, want %s", c.req.ID, want)
		}
		c.finish(blender.Succeeded)
	}
}

func TestANewerSaveOfARunningScriptWaitsForIt(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "1")
	first := h.call()
	h.w.save(h.path("a.py"), "2")
	h.w.save(h.path("a.py"), "3")
	h.expect("1 a.py running", "2 a.py cancelled", "3 a.py queued")
	first.finish(blender.Succeeded)
	c := h.call()
	if string(c.req.Code) != "3" {
		t.Errorf("sent %q", c.req.Code)
	}
	c.finish(blender.Succeeded)
}

func TestANewerSaveCancelsTheRunningOneWhereTheFolderSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].OnBusy = api.OnBusyCancel }).serve()
	h.w.save(h.path("a.py"), "1")
	h.call()
	h.w.save(h.path("a.py"), "2")
	if c := h.call(); string(c.req.Code) != "2" {
		t.Errorf("sent %q", c.req.Code)
	}
	if r := h.run("1"); r.State != api.Cancelled || r.Reason != "cancelled for a newer save, run 2" {
		t.Errorf("1: %s %q", r.State, r.Reason)
	}
}

func TestTheSameBytesDoNotRunAgain(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	unchanged := func() {
		t.Helper()
		await(t, sub, "note", func(ev api.Event) bool { return strings.HasSuffix(ev.Message, "a.py: unchanged, not run") })
	}
	h.w.save(h.path("a.py"), "A")
	c := h.call()
	h.w.save(h.path("a.py"), "A") // while it runs
	unchanged()
	c.finish(blender.Errored)
	h.ended("1")
	h.w.save(h.path("a.py"), "A") // after it failed
	unchanged()
	h.expect("1 a.py failed")
	h.w.save(h.path("a.py"), "B")
	h.call()
	h.w.save(h.path("a.py"), "A") // the last run is B's
	h.w.save(h.path("a.py"), "A") // while it waits
	unchanged()
	h.expect("1 a.py failed", "2 a.py running", "3 a.py queued")
}

func TestTheSameBytesRunAgainAfterACancelOrWhenAsked(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "A")
	h.call()
	if _, err := h.Cancel(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	h.ended("1")
	h.w.save(h.path("a.py"), "A")
	h.call().finish(blender.Succeeded)
	h.ended("2")
	if _, err := h.Retry(ctx, "2"); err != nil {
		t.Fatal(err)
	}
	h.call().finish(blender.Succeeded)
	h.ended("3")
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("A"), Script: h.path("a.py")}); err != nil {
		t.Fatal(err)
	}
	h.call().finish(blender.Succeeded)
	h.expect("1 a.py cancelled", "2 a.py succeeded", "3 a.py succeeded", "4 a.py "+string(h.ended("4").State))
}

func TestWhatWasRunIsKnownToTheNextEngine(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.w.cfg.Scanned(h.watched)
	h.serve()
	h.w.save(h.path("a.py"), "A")
	h.ended("1")
	h = h.again().serve()
	if st, ok := h.w.cfg.Known(h.path("a.py")); !ok || st.Hash != hashOf([]byte("A")) || st.Size != 1 {
		t.Errorf("known: %+v %v", st, ok)
	}
	h.w.save(h.path("a.py"), "A")
	h.w.scan(h.path("a.py"), "A")
	h.expect("1 a.py succeeded")
	h.w.scan(h.path("a.py"), "B")
	h.w.scan(h.path("new.py"), "N")
	h.call().finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.ended("3")
	h.expect("1 a.py succeeded", "2 a.py succeeded", "3 new.py succeeded")
}

func TestAFolderWatchedForTheFirstTimeIsOnlyNoted(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	for i := range 3 {
		h.w.scan(h.path(fmt.Sprint(i, ".py")), "x")
	}
	h.w.save(h.path("now.py"), "x") // a person saves meanwhile
	h.w.cfg.Scanned(h.watched)
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "3 scripts were there already") })
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h.expect("1 now.py succeeded")
	// From now on what a scan finds is what was saved while nobody looked.
	h.w.scan(h.path("0.py"), "x")
	h.w.scan(h.path("1.py"), "y")
	if c := h.call(); c.req.File != h.path("1.py") {
		t.Errorf("sent %s", c.req.File)
	}
	// A script that was only noted runs when it is saved, be it unchanged.
	h.w.save(h.path("2.py"), "x")
	h.expect("1 now.py succeeded", "2 1.py running", "3 2.py queued")
}

func TestAFirstScanThatIsCutOffRunsNothingNextTime(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.scan(h.path("a.py"), "x")
	h.w.scan(h.path("b.py"), "x")
	h = h.again().serve()
	for _, name := range []string{"a.py", "b.py", "c.py", "d.py"} {
		h.w.scan(h.path(name), "x")
	}
	h.w.cfg.Scanned(h.watched)
	h.expect()
	h = h.again().serve()
	h.w.scan(h.path("d.py"), "y")
	h.call()
	h.expect("1 d.py running")
}

func TestAFolderMayRunWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].RunExisting = true }).serve()
	h.w.scan(h.path("a.py"), "x")
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h = h.again().serve() // cut off in the middle
	h.w.scan(h.path("a.py"), "x")
	h.w.scan(h.path("b.py"), "x")
	h.w.cfg.Scanned(h.watched)
	if c := h.call(); c.req.File != h.path("b.py") {
		t.Errorf("sent %s", c.req.File)
	}
}

func TestFilesThatNewPatternsBringInAreOnlyNoted(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.scan(h.path("a.py"), "x")
	h.w.cfg.Scanned(h.watched)
	h = h.again(func(c *Config) { c.Folders[0].Recursive = true }).serve()
	h.w.scan(h.path("a.py"), "changed")
	h.w.scan(h.path("deep.py"), "x")
	h.w.cfg.Scanned(h.watched)
	h.w.scan(h.path("later.py"), "x")
	h.call().finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.ended("2")
	h.expect("1 a.py succeeded", "2 later.py succeeded")
}

func TestAFolderThatComesBackIsWatchedForTheFirstTime(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.scan(h.path("a.py"), "x")
	h.w.cfg.Scanned(h.watched)
	was := h.cfg.Folders
	if err := h.SetFolders(nil); err != nil {
		t.Fatal(err)
	}
	h.w.save(h.path("a.py"), "not watched")
	h.expect()
	if err := h.SetFolders(was); err != nil {
		t.Fatal(err)
	}
	h.w.scan(h.path("a.py"), "y")
	h.w.cfg.Scanned(h.watched)
	h.expect()
	h.w.save(h.path("a.py"), "z")
	h.call()
	h.expect("1 a.py running")
}

func TestTheFilesThatSavesBeginWithAreOpenedBeforeTheyAreNeeded(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	folder := func(name, scene string, isolation api.Isolation) api.FolderSettings {
		return api.FolderSettings{WatchSettings: api.WatchSettings{Path: h.path(name)}, Scene: scene, Isolation: isolation}
	}
	a, b := h.path("a.blend"), h.path("b.blend")
	if err := h.SetFolders([]api.FolderSettings{
		folder("1", b, api.IsolateAuto), folder("2", a, api.IsolateProcess), folder("3", a, api.IsolateAuto),
		folder("4", h.path("other.blend"), api.IsolateScene), folder("5", "keep", api.IsolateAuto), folder("6", "fresh", api.IsolateAuto),
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "those of isolated runs", func() bool { return slices.Equal(h.b.expected(), []string{a, b}) })
	h.SetRuns(api.RunSettings{Isolation: api.IsolateScene})
	eventually(t, "that of the folder that says so itself", func() bool { return slices.Equal(h.b.expected(), []string{a}) })
	if err := h.SetFolders(nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none", func() bool { return len(h.b.expected()) == 0 })
}

func TestAFolderThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	ok := api.FolderSettings{WatchSettings: api.WatchSettings{Path: h.watched}}
	for name, p := range map[string][]api.FolderSettings{
		"relative": {{WatchSettings: api.WatchSettings{Path: "a"}}},
		"unclean":  {{WatchSettings: api.WatchSettings{Path: h.watched + "/"}}},
		"scene":    {{WatchSettings: ok.WatchSettings, Scene: "x.blend"}},
		"twice":    {ok, ok},
	} {
		if err := h.SetFolders(p); !errors.Is(err, api.ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPausingIsTheWatchersPart(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.PauseWatching(true)
	if !h.w.paused || !h.Status().WatchingPaused {
		t.Error("not paused")
	}
	h.PauseWatching(false)
	if h.w.paused || h.Status().WatchingPaused {
		t.Error("still paused")
	}
}

func TestWhatTheFirstLookAtAMountedDriveFindsIsOnlyNoted(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.w.cfg.Scanned(h.watched) // while the drive was not mounted
	h.serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	for _, code := range []string{"A", "A"} {
		h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte(code), Scan: true, First: true})
	}
	h.w.cfg.Scanned(h.watched)
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "1 script was there already") })
	h.expect()
	h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte("B"), Scan: true, First: true}) // it was known
	h.ended("1")
	h.expect("1 a.py succeeded")
}

func TestTheFileSystemsOfAFolderAreRemembered(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	for _, want := range []watcher.Places{
		{".": {Dev: 1, Inode: 1 << 63, Born: -1}},
		{".": {Dev: 1, Inode: 2, Born: 3}, "sub": {Dev: 4}},
	} {
		h.w.cfg.Placed(h.watched, want)
		if err := h.SetFolders(h.cfg.Folders); err != nil { // before it is written down
			t.Fatal(err)
		}
		h.w.cfg.Scanned(h.watched)
		h = h.again().serve()
		if got := h.w.cfg.Places(h.watched); !maps.Equal(got, want) {
			t.Errorf("the folder lies on %v, not on %v", got, want)
		}
	}
}

func TestARenamedScriptDoesNotRun(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.serve()
	h.w.save(h.path("a.py"), "A")
	h.ended("1")
	moved := watcher.Save{Path: h.path("b.py"), Code: []byte("A"), From: h.path("a.py")}
	h.w.give(moved)
	h.w.save(h.path("b.py"), "A") // saved as it is: its bytes had their run
	if st, ok := h.w.cfg.Known(h.path("b.py")); !ok || st.Hash != hashOf([]byte("A")) {
		t.Errorf("known: %+v %v", st, ok)
	}
	h.expect("1 a.py succeeded")
	h.w.save(h.path("b.py"), "B")
	h.ended("2")
	h.w.give(moved) // over the bytes that ran last
	h.ended("3")
	h.w.give(watcher.Save{Path: h.path("c.py"), Code: []byte("A"), From: h.path("unknown.py")})
	h.ended("4")
	h.expect("1 a.py succeeded", "2 b.py succeeded", "3 b.py succeeded", "4 c.py succeeded")
}

func TestTheSameBytesRunAgainWhenTheyAreDroppedAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.serve()
	for id := range 3 {
		h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte("A"), New: true})
		h.ended(fmt.Sprint(id + 1))
		h.w.save(h.path("a.py"), "A")
	}
	h.expect("1 a.py succeeded", "2 a.py succeeded", "3 a.py succeeded")
}

func TestARenamedScriptKnowsHowItsRunEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(h *house, c *call)
		runs bool // a save of the same bytes under the new name
	}{
		"succeeded": {func(_ *house, c *call) { c.finish(blender.Succeeded) }, false},
		"cancelled": {func(h *house, _ *call) {
			if _, err := h.Cancel(ctx, "1"); err != nil {
				t.Error(err)
			}
		}, true},
		"killed": {func(_ *house, c *call) {
			c.end <- result{out: blender.Outcome{Verdict: blender.Crashed, FromOutside: true}}
		}, true},
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", restarts), func(t *testing.T) {
				t.Parallel()
				h := open(t).serve()
				h.w.save(h.path("a.py"), "1")
				c := h.call()
				h.w.give(watcher.Save{Path: h.path("b.py"), Code: []byte("1"), From: h.path("a.py")})
				h.w.give(watcher.Save{Path: h.path("c.py"), Code: []byte("1"), From: h.path("b.py")})
				test.end(h, c)
				h.ended("1")
				if restarts {
					h = h.again().serve()
				}
				h.w.save(h.path("c.py"), "1")
				if n := len(h.all()); n == 2 != test.runs {
					t.Errorf("%d runs", n)
				}
			})
		}
	}
}

func TestAScriptThatIsRenamedAfterItsRunHasRunAfterARestart(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "1")
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h.w.give(watcher.Save{Path: h.path("b.py"), Code: []byte("1"), From: h.path("a.py")})
	h = h.again().serve()
	h.w.save(h.path("b.py"), "1")
	h.expect("1 a.py succeeded")
}

func TestAScriptThatWasRenamedWhileNobodyWatchedDoesNotRun(t *testing.T) {
	t.Parallel()
	h := open(t)
	if err := os.MkdirAll(h.watched, 0o700); err != nil {
		t.Fatal(err)
	}
	stamp := func(code string, inode uint64) watcher.Stamp {
		return watcher.Stamp{Size: int64(len(code)), ModTime: time.Now(), Hash: hashOf([]byte(code)), Inode: inode, Born: 1000 + int64(inode)}
	}
	found := func(name, code string, as watcher.Stamp) watcher.Save {
		return watcher.Save{Folder: h.watched, Path: h.path(name), Code: []byte(code), Stamp: as, Scan: true}
	}
	h.mu.Lock()
	h.folders[h.watched].known = h.folders[h.watched].shape
	for name, st := range map[string]watcher.Stamp{"old.py": stamp("A", 1), "kept.py": stamp("B", 2), "gone.py": stamp("C", 3)} {
		h.stamps[h.path(name)] = st
	}
	h.stamps[filepath.Join(filepath.Dir(h.watched), "elsewhere", "moved.py")] = stamp("F", 4)
	h.mu.Unlock()
	if err := os.WriteFile(h.path("kept.py"), []byte("B"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := stamp("C", 3)
	later.Born++
	for name, c := range map[string]struct {
		save watcher.Save
		runs bool
	}{
		"renamed":                      {found("new.py", "A", stamp("A", 1)), false},
		"the name before is there":     {found("linked.py", "B", stamp("B", 2)), true},
		"another file of that number":  {found("dropped.py", "C", later), true},
		"renamed, with other bytes":    {found("edited.py", "D", stamp("D", 3)), true},
		"moved from another folder":    {found("moved.py", "F", stamp("F", 4)), true},
		"a file that nobody has known": {found("unknown.py", "E", stamp("E", 9)), true},
	} {
		if !h.save(ctx, c.save) {
			t.Errorf("%s: not taken", name)
		}
		runs := slices.ContainsFunc(h.all(), func(r string) bool { return strings.Contains(r, filepath.Base(c.save.Path)) })
		if runs != c.runs {
			t.Errorf("%s: it runs is %v, want %v", name, runs, c.runs)
		}
	}
}

func TestAShapeKnowsWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	at := func(path string, recursive bool) api.FolderSettings {
		return api.FolderSettings{WatchSettings: api.WatchSettings{Path: path, Recursive: recursive}}
	}
	outer := api.WatchSettings{Path: "/s", Recursive: true, Include: []string{"*.py"}}
	of := func(all ...api.FolderSettings) shape { return shapeOf(outer, all) }
	narrow, flat := outer, outer
	narrow.Include = []string{"a*.py"}
	flat.Recursive = false
	for name, c := range map[string]struct {
		now   shape
		known string
		want  string
	}{
		"the same":                            {of(at("/s/a", true)), of(at("/s/a", true)).String(), "[] true"},
		"before there were shapes":            {of(), "", "[] false"},
		"of an earlier version":               {of(at("/s/a", true)), `[true,["*.py"],null]`, "[] true"},
		"a folder in it more":                 {of(at("/s/a", true), at("/t", true)), of().String(), "[] true"},
		"a folder in it less":                 {of(at("/t", true)), of(at("/s/a", true)).String(), "[/s/a] true"},
		"the folders in one less":             {of(at("/s/a", false)), of(at("/s/a", true)).String(), "[/s/a] true"},
		"the folders in one more":             {of(at("/s/a", true)), of(at("/s/a", false)).String(), "[] true"},
		"other patterns":                      {of(), shapeOf(narrow, nil).String(), "[] false"},
		"a folder whose name begins with its": {of(), of(at("/sa", true)).String(), "[] true"},
		"it has no folders":                   {shapeOf(flat, nil), shapeOf(flat, []api.FolderSettings{at("/s/a", true)}).String(), "[] true"},
	} {
		paths, ok := c.now.bared(c.known)
		if got := fmt.Sprint(paths, ok); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTheScriptsOfAFolderThatIsNoFolderOfItsOwnAnyMoreWereNotSaved(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	outer := api.FolderSettings{WatchSettings: api.WatchSettings{Path: h.watched, Recursive: true}}
	inner := api.FolderSettings{WatchSettings: api.WatchSettings{Path: h.path("inner"), Recursive: true, Include: []string{"*.txt"}}}
	set := func(all ...api.FolderSettings) {
		if err := h.SetFolders(all); err != nil {
			t.Fatal(err)
		}
		h.scanned(h.watched)
	}
	found := func(name string) watcher.Save {
		return watcher.Save{Folder: h.watched, Path: h.path(name), Code: []byte(name), Stamp: watcher.Stamp{Hash: hashOf([]byte(name))}, Scan: true}
	}
	set(outer)
	set(outer, inner)
	h.save(ctx, found("saved.py")) // nothing is left out less than before
	if err := h.SetFolders([]api.FolderSettings{outer}); err != nil {
		t.Fatal(err)
	}
	h.save(ctx, found("inner/old.py"))
	h.save(ctx, found("meanwhile.py"))
	h.scanned(h.watched)
	h.save(ctx, found("inner/new.py"))
	got := strings.Join(h.all(), " ")
	if !strings.Contains(got, "saved.py") || strings.Contains(got, "old.py") || !strings.Contains(got, "meanwhile.py") || !strings.Contains(got, "new.py") {
		t.Errorf("the runs are %s", got)
	}
}
