package engine

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// pragma changes the writing connection, to bring about what a disk would.
func (h *house) pragma(text string) {
	h.t.Helper()
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	rows, err := h.store.conn.QueryContext(ctx, "PRAGMA "+text)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// faults are ways in which the database cannot be written, and their ends.
var faults = map[string]struct{ begin, end, says string }{
	"read-only": {"query_only = 1", "query_only = 0", "read-only"},
	"full":      {"max_page_count = 1", "max_page_count = 1073741823", "full"},
}

func TestADatabaseThatCannotBeWrittenRefusesRunsAndTheEngineLives(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t).serve()
			h.submit("before")
			h.call().finish(blender.Succeeded)
			h.ended("1")
			h.pragma(fault.begin)
			big := bytes.Repeat([]byte("# much\n"), 10_000)
			_, err := h.Submit(ctx, api.Submission{Code: big})
			if !errors.Is(err, api.ErrStorage) || !strings.Contains(err.Error(), fault.says) || !strings.Contains(err.Error(), h.cfg.Database) {
				t.Errorf("submit: %v", err)
			}
			if h.Status().Queued != 0 || len(h.all()) != 1 {
				t.Errorf("there are runs: %v", h.all())
			}
			h.pragma(fault.end)
			h.submit("after")
			h.call().finish(blender.Succeeded)
			h.ended("2")
		})
	}
}

func TestASaveThatCannotBeWrittenWaitsAndIsNotLost(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t).serve()
			h.w.cfg.Scanned(h.watched)
			sub := h.Subscribe(SubscribeOptions{})
			defer sub.Close()
			h.pragma(fault.begin)
			big := strings.Repeat("# much\n", 10_000)
			h.w.save(h.path("a.py"), big+"1")
			await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "a.py was saved but is not run") })
			h.w.save(h.path("b.py"), big)
			h.w.save(h.path("a.py"), big+"2")
			if _, ok := h.w.cfg.Known(h.path("a.py")); ok {
				t.Error("it counts as seen, though no run of it is written down")
			}
			if st := h.Status(); st.SavesWaiting != 2 || !strings.Contains(st.SavesWaitFor, fault.says) {
				t.Errorf("status: %d saves wait: %q", st.SavesWaiting, st.SavesWaitFor)
			}
			h.pragma(fault.end)
			for _, want := range []string{big + "2", big} { // in the order of the first saves
				c := h.call()
				if string(c.req.Code) != want {
					t.Errorf("sent %s with %d bytes", c.req.File, len(c.req.Code))
				}
				c.finish(blender.Succeeded)
			}
			eventually(t, "no save waits", func() bool { st := h.Status(); return st.SavesWaiting == 0 && st.SavesWaitFor == "" })
		})
	}
}

func TestADatabaseThatAnotherProgramHoldsLosesNoSave(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	other, err := sql.Open("sqlite", h.cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	h.w.save(h.path("a.py"), "1") // returns when SQLite has given up
	if st := h.Status(); st.SavesWaiting != 1 || !strings.Contains(st.SavesWaitFor, "another program holds") {
		t.Errorf("status: %d saves wait: %q", st.SavesWaiting, st.SavesWaitFor)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if c := h.call(); c.req.File != h.path("a.py") {
		t.Errorf("sent %s", c.req.File)
	}
}

func TestSavesBeyondWhatMemoryHoldsAreLeftToTheWatcher(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	h.pragma(faults["read-only"].begin)
	big := strings.Repeat("x", heldCode*2/3)
	if !h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte(big)}) || h.w.give(watcher.Save{Path: h.path("b.py"), Code: []byte(big)}) {
		t.Error("the first is to be held, the second left to the watcher")
	}
	if n := h.Status().SavesWaiting; n != 2 {
		t.Errorf("%d saves wait", n)
	}
	h.pragma(faults["read-only"].end)
	h.call().finish(blender.Succeeded)
	eventually(t, "the second is taken", func() bool { return h.w.give(watcher.Save{Path: h.path("b.py"), Code: []byte(big)}) })
	h.call()
}

func TestAFirstScanIsNotTakenUntilItCanBeWritten(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.pragma(faults["read-only"].begin)
	if h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte("x"), Scan: true}) {
		t.Error("the watcher believes that the script is noted")
	}
	h.pragma(faults["read-only"].end)
	eventually(t, "the script is noted", func() bool { return h.w.give(watcher.Save{Path: h.path("a.py"), Code: []byte("x"), Scan: true}) })
	h.w.cfg.Scanned(h.watched)
	h.expect()
	h.w.scan(h.path("a.py"), "y")
	h.call()
}

func TestAQueuedRunIsNotSentBeforeThatIsWritten(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("1")
	first := h.call()
	h.submit("2")
	first.sink.Output([]byte("out"))
	h.pragma(faults["read-only"].begin)
	first.finish(blender.Succeeded)
	await(t, sub, "note", func(ev api.Event) bool {
		return strings.Contains(ev.Message, "run 1 has succeeded, but that is not written down yet")
	})
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "queued runs wait") })
	if r := h.run("1"); r.State != api.Succeeded || r.Output != "out" {
		t.Errorf("1: %+v", r)
	}
	if r := h.run("2"); r.State != api.Queued || !strings.Contains(r.Reason, "read-only") {
		t.Errorf("2: %s %q", r.State, r.Reason)
	}
	h.expect("1 <message> succeeded", "2 <message> queued")
	if len(h.b.calls) != 0 {
		t.Error("2 was sent")
	}
	h.pragma(faults["read-only"].end)
	c := h.call()
	if c.req.ID != "2" {
		t.Errorf("sent %s", c.req.ID)
	}
	await(t, sub, "note", func(ev api.Event) bool { return ev.Message == "run 1 is written down now" })
	if st := h.inDatabase("1"); st != api.Succeeded {
		t.Errorf("1 in the database: %s", st)
	}
	c.finish(blender.Succeeded)
	h.ended("2")
	if r := h.again().run("1"); r.Output != "out" {
		t.Errorf("output %q", r.Output)
	}
}

func TestADamagedDatabaseIsKeptAsideAndANewOneBegun(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(b []byte) []byte{
		"no database": func([]byte) []byte { return bytes.Repeat([]byte("not SQLite\n"), 1000) },
		"a page overwritten": func(b []byte) []byte {
			for i := 4096; i < 4096*3; i++ {
				b[i] = 0x5a
			}
			return b
		},
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			for i := range 100 {
				h.submit(fmt.Sprint(i))
			}
			if err := h.Engine.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(h.cfg.Database)
			if err != nil {
				t.Fatal(err)
			}
			b = damage(b)
			if err := os.WriteFile(h.cfg.Database, b, 0o600); err != nil {
				t.Fatal(err)
			}
			h = openIn(t, h.cfg)
			sub := h.Subscribe(SubscribeOptions{})
			defer sub.Close()
			note := await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "was damaged") })
			aside, err := filepath.Glob(h.cfg.Database + ".damaged-*")
			if err != nil || len(aside) != 1 || !strings.Contains(note.Message, aside[0]) {
				t.Fatalf("aside: %v %v; note: %s", aside, err, note.Message)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, b) {
				t.Errorf("it is not kept as it was: %v", err)
			}
			h.b.do = succeed
			h.serve()
			h.ended(h.submit("x").ID)
		})
	}
}

func TestDamageFoundWhileServingIsLookedForAtTheNextStart(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.store.suspect()
	if _, err := os.Stat(h.store.suspectMark()); err != nil {
		t.Fatal(err)
	}
	h = h.again()
	if _, err := os.Stat(h.store.suspectMark()); err == nil {
		t.Error("a sound file is still under suspicion")
	}
}

func TestADatabaseThatCannotBeMadeIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "runs.db"), filepath.Dir(file)} {
		_, err := Open(Config{Database: path, NewBlender: newFakeBlender().make, NewWatcher: (&fakeWatcher{}).make})
		if err == nil || !strings.Contains(err.Error(), filepath.Dir(path)) {
			t.Errorf("%v", err)
		}
	}
}

func TestOddPathsHoldADatabase(t *testing.T) {
	t.Parallel()
	h := openIn(t, Config{Database: filepath.Join(t.TempDir(), "a ?b%41#ü&mode=ro", "runs.db")})
	h.submit("x")
	if _, err := os.Stat(h.cfg.Database); err != nil {
		t.Error(err)
	}
	h = h.again()
	h.expect("1 <message> queued")
}

func TestOldRunsAreDeletedAndTheirScriptsAreKnownAllTheSame(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.History = 120 })
	h.b.do = succeed
	h.serve()
	h.w.save(h.path("old.py"), "once")
	h.ended("1")
	var last string
	for i := range 400 {
		h.w.save(h.path("often.py"), fmt.Sprint(i))
		last = fmt.Sprint(i + 2)
		h.ended(last)
	}
	h.b.do = nil
	h.submit("running")
	running := h.call()
	h.submit("queued")
	for {
		more, err := h.store.prune(120, keptOutput)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
	}
	lines := h.all()
	if len(lines) != 122 || lines[0] != "282 often.py succeeded" {
		t.Errorf("%d runs, the first %v", len(lines), lines[:2])
	}
	running.finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.ended("403")
	var codes, orphans int
	if err := h.store.reader.QueryRow(`SELECT count(*), coalesce(sum(NOT EXISTS (SELECT 1 FROM runs WHERE runs.hash = codes.hash)), 0) FROM codes`).Scan(&codes, &orphans); err != nil || orphans != 0 || codes != 122 {
		t.Errorf("%d sources, %d of them orphans: %v", codes, orphans, err)
	}
	h = h.again()
	if h.store.ended != 122 {
		t.Errorf("%d ended runs are counted", h.store.ended)
	}
	h.w.save(h.path("old.py"), "once")
	if n := len(h.all()); n != 122 {
		t.Error("an old script ran again")
	}
	h.w.save(h.path("old.py"), "twice")
	if n := len(h.all()); n != 123 {
		t.Error("a new save of an old script did not run")
	}
}

func TestADropFolderOfEverNewNamesIsBounded(t *testing.T) {
	t.Parallel()
	const history, drops = 100, 1300
	h := open(t, func(c *Config) { c.Runs.History = history })
	h.b.do = succeed
	if err := os.MkdirAll(h.watched, 0o700); err != nil {
		t.Fatal(err)
	}
	stays := h.path("stays.py")
	if err := os.WriteFile(stays, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve()
	h.w.save(stays, "x")
	for i := range drops { // what is dropped is gone again
		h.w.save(h.path(fmt.Sprint(i, ".py")), fmt.Sprint(i))
	}
	count := func(table string) (n int) {
		if err := h.store.reader.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually(t, "all is pruned", func() bool {
		return count("runs") == history && count("codes") == history && count("scripts") == history+1
	})
	h.mu.Lock()
	stamps, last := len(h.stamps), len(h.last)
	h.mu.Unlock()
	if stamps != history+1 || last != history+1 {
		t.Errorf("%d stamps and %d last runs are in memory", stamps, last)
	}
	h.w.save(stays, "x")                                              // is there, and known
	h.w.save(h.path(fmt.Sprint(drops-1, ".py")), fmt.Sprint(drops-1)) // the last of those that are gone
	if all := h.all(); all[len(all)-1] != fmt.Sprintf("%d %d.py succeeded", drops+1, drops-1) {
		t.Errorf("one of them ran again: %s", all[len(all)-1])
	}
}

func TestThePruningGoesOnByItself(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.History = 10 })
	h.b.do = succeed
	var last api.Run
	for i := range 200 {
		last = h.submit(fmt.Sprint(i))
	}
	h.serve()
	h.ended(last.ID)
	eventually(t, "10 runs are left", func() bool { return len(h.all()) == 10 })
}

func TestOldOutputsGoFirst(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Output([]byte("0123456789"))
		return succeed(ctx, req, sink)
	}
	h.serve()
	for i := range 60 {
		h.ended(h.submit(fmt.Sprint(i)).ID)
	}
	if more, err := h.store.prune(1000, 200); err != nil || !more {
		t.Fatal(more, err)
	}
	if r := h.run("1"); r.OutputBytes != 10 || !strings.Contains(r.Output, "not kept any more") {
		t.Errorf("1: %q", r.Output)
	}
	if r := h.run("60"); r.Output != "0123456789" {
		t.Errorf("60: %q", r.Output)
	}
	if more, err := h.store.prune(1000, 200); err != nil || more {
		t.Error(more, err)
	}
}

// eventually waits for what nothing announces.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("did not come: %s", what)
		}
	}
}
