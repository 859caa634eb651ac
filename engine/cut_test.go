package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// die leaves the database and the journals as an engine that was killed does, and returns the next
// engine on them.
func (h *house) die(edit ...func(*Config)) *house {
	h.t.Helper()
	home := h.t.TempDir()
	// The killed engine goes on in this process, so the next engine has copies of its files. The log
	// is taken over first, since the files of the log can't be copied while they are written.
	copied := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		to := filepath.Join(home, filepath.Base(filepath.Dir(path)), filepath.Base(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			h.t.Fatal(err)
		}
		return to
	}
	h.turn.Lock()
	defer h.turn.Unlock()
	if err := h.store.takeOver(); err != nil {
		h.t.Fatal(err)
	}
	cfg := h.cfg
	cfg.Database = copied(h.cfg.Database)
	journals, err := filepath.Glob(filepath.Join(h.cfg.JournalDir, "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	cfg.JournalDir = filepath.Join(home, filepath.Base(h.cfg.JournalDir))
	for _, journal := range journals {
		copied(journal)
	}
	return openIn(h.t, cfg, append(edit, func(c *Config) { c.JournalDir = cfg.JournalDir })...)
}

// writes stands for Blender, which writes a line into the journal of a run.
func (c *call) writes(t testing.TB, line string) {
	t.Helper()
	f, err := os.OpenFile(c.req.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatHadNotBegunWhenTheEngineDiedWaitsAgain(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("a")
	h.call() // it was sent, and its journal is empty
	h = h.die()
	h.expect("1 <message> queued")
	h.serve()
	c := h.call()
	if c.req.ID != "1" || string(c.req.Code) != "a" {
		t.Errorf("sent %s %q", c.req.ID, c.req.Code)
	}
	c.finish(blender.Succeeded)
	h.ended("1")
}

func TestWhatNeverBeginsIsNotSentForEver(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("a")
	h.call()
	for range maxSends - 1 {
		h = h.die().serve()
		h.call()
	}
	h = h.die()
	h.expect("1 <message> interrupted")
}

func TestWhatCouldNotBeQueuedAgainInTheDatabaseIsNotLost(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("a")
	c := h.call()
	h.pragma(faults["read-only"].begin)
	c.end <- result{err: blender.ErrNotStarted}
	// It is sent again only when that can be written down, and the engine dies meanwhile.
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "queued runs wait") })
	h = h.die()
	h.expect("1 <message> queued")
}

func TestWhatHadBegunOrIsNotKnownIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(t *testing.T, c *call){
		"begun":      func(t *testing.T, c *call) { c.writes(t, "begun") },
		"half":       func(t *testing.T, c *call) { c.writes(t, "beg") },
		"no journal": func(t *testing.T, c *call) { os.Remove(c.req.Journal) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t).serve()
			h.submit("a")
			before(t, h.call())
			h = h.die()
			h.expect("1 <message> interrupted")
			if h.store.ended != 1 {
				t.Errorf("%d ended runs are counted", h.store.ended)
			}
		})
	}
}

func TestWhatWasSentToAnOpenBlenderIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("a"), Attach: true}); err != nil {
		t.Fatal(err)
	}
	h.call()
	h = h.die()
	h.expect("1 <message> interrupted")
}

func TestARunThatHadEndedWhenTheEngineDiedEndsAsItDid(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("a")
	c := h.call()
	c.writes(t, "begun")
	c.writes(t, `ended {"state": "failed", "exit_code": 3, "seconds": 1.5, "error": {"type": "KeyError", "message": "x", "line": 4, "traceback": "…"}, "outputs": ["/a.png"], "result": {"n": 1}}`)
	h = h.die()
	h.expect("1 <message> failed")
	r := h.run("1")
	if *r.ExitCode != 3 || r.Seconds != 1.5 || r.Error.Line != 4 || r.Outputs[0] != "/a.png" || string(r.Result) != `{"n":1}` || r.FinishedAt == nil {
		t.Errorf("%+v", r)
	}
	if left, err := os.ReadDir(h.cfg.JournalDir); err != nil || len(left) != 0 {
		t.Errorf("journals are left: %v %v", left, err)
	}
}

func TestAFolderMayHaveItsRunsRepeated(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 2 }).serve()
	h.w.save(h.path("a.py"), "A")
	h.call().writes(t, "begun")
	h = h.die().serve()
	c := h.call()
	if string(c.req.Code) != "A" || c.req.File != h.path("a.py") {
		t.Errorf("repeated %s %q", c.req.File, c.req.Code)
	}
	// The second repeat is for the Blender that dies, the third is one too many.
	c.end <- result{out: blender.Outcome{Verdict: blender.Crashed, FromOutside: true}}
	c = h.call()
	c.end <- result{out: blender.Outcome{Verdict: blender.Crashed, FromOutside: true}}
	h.ended("3")
	h.expect("1 a.py interrupted", "2 a.py crashed", "3 a.py crashed")
	if r := h.run("3"); r.RetryOf != "2" || r.Source != api.FromRetry {
		t.Errorf("3: %+v", r)
	}
}

func TestANewerSaveStandsForTheRepeat(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 2 }).serve()
	h.w.save(h.path("a.py"), "A")
	h.call().writes(t, "begun")
	h.w.save(h.path("a.py"), "B")
	h = h.die()
	h.expect("1 a.py interrupted", "2 a.py queued")
}

func TestTheSameBytesRunAgainAfterBlenderWasKilled(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	for i, fromOutside := range []bool{true, false} {
		name := []string{"a.py", "b.py"}[i]
		h.w.save(h.path(name), "A")
		h.call().end <- result{out: blender.Outcome{Verdict: blender.Crashed, FromOutside: fromOutside}}
		h.ended([]string{"1", "2"}[i])
	}
	h = h.again().serve() // it is written down, too
	h.w.save(h.path("a.py"), "A")
	h.w.save(h.path("b.py"), "A")
	h.call()
	h.expect("1 a.py crashed", "2 b.py crashed", "3 a.py running")
}

func TestARunThatHadBegunIsNotSentAgain(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("a")
	c := h.call()
	c.writes(t, "begun")
	c.end <- result{err: blender.ErrNotStarted} // the pipe broke before the engine heard that it began
	h.ended("1")
	h.expect("1 <message> crashed")
}

func TestAStopLetsTheRunEnd(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.StopTimeout = api.Duration(time.Hour) }).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("a")
	h.submit("b")
	c := h.call()
	stopped := make(chan struct{})
	go func() { defer close(stopped); h.stop() }()
	await(t, sub, "note", func(ev api.Event) bool {
		return strings.Contains(ev.Message, "the engine ends when run 1 (<message>) has ended")
	})
	c.finish(blender.Succeeded)
	<-stopped
	h = h.again()
	h.expect("1 <message> succeeded", "2 <message> queued")
}

func TestAStopQueuesTheRunAgain(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.OnStop = api.OnStopRequeue }).serve()
	h.submit("a")
	h.call().writes(t, "begun")
	h = h.again()
	h.expect("1 <message> queued")
	h.serve()
	if c := h.call(); c.req.ID != "1" {
		t.Errorf("sent %s", c.req.ID)
	}
}

func TestAStopQueuesTheRunAgainThoughThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.OnStop = api.OnStopRequeue }).serve()
	h.submit("a")
	h.call().writes(t, "begun")
	h.pragma(faults["read-only"].begin)
	h = h.again()
	h.expect("1 <message> queued")
	h.serve()
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h = h.again()
	h.expect("1 <message> succeeded")
}

func TestAStopThatIsOverTimeRepeatsWhereTheFolderSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 1 }).serve()
	for range 2 {
		h.w.save(h.path("a.py"), "A")
		h.call()
		h.stop()
		h = h.again().serve()
	}
	eventually(t, "it is repeated once", func() bool { return strings.Join(h.all(), ", ") == "1 a.py interrupted" })
}

// crashes has Blender die under a run while the database can't be written.
func (h *house) crashes(c *call) {
	h.t.Helper()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	c.writes(h.t, "begun")
	h.pragma(faults["read-only"].begin)
	c.end <- result{out: blender.Outcome{Verdict: blender.Crashed, FromOutside: true}}
	await(h.t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "is not repeated yet") })
}

func TestARepeatThatCannotBeWrittenIsMadeLater(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 1 }).serve()
	h.w.save(h.path("a.py"), "A")
	h.crashes(h.call())
	h.pragma(faults["read-only"].end)
	if c := h.call(); string(c.req.Code) != "A" {
		t.Errorf("repeated %q", c.req.Code)
	}
	eventually(t, "its end is written down", func() bool { return h.inDatabase("1") == api.Crashed })
	h.expect("1 a.py crashed", "2 a.py running")
}

func TestARepeatThatCannotBeWrittenIsMadeByTheNextEngine(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 1 }).serve()
	h.w.save(h.path("a.py"), "A")
	h.crashes(h.call())
	h = h.die()
	h.expect("1 a.py crashed", "2 a.py queued")
}

func TestANewerSaveStandsForTheRepeatThatComesLate(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 1 }).serve()
	h.w.save(h.path("a.py"), "A")
	c := h.call()
	h.w.save(h.path("a.py"), "B")
	c.writes(t, "begun")
	h.pragma(faults["read-only"].begin)
	c.end <- result{out: blender.Outcome{Verdict: blender.Crashed}}
	eventually(t, "it has crashed", func() bool { return h.run("1").State == api.Crashed })
	h.pragma(faults["read-only"].end)
	h.call().finish(blender.Succeeded)
	h.ended("2")
	h.expect("1 a.py crashed", "2 a.py succeeded")
}

func TestACancelledRunWhoseEndIsNotWrittenIsNotRepeated(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Folders[0].Retries = 1 }).serve()
	h.w.save(h.path("a.py"), "A")
	h.call().writes(t, "begun\nhalf a li")
	h.pragma(faults["read-only"].begin)
	if _, err := h.Cancel(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is cancelled", func() bool { return h.run("1").State == api.Cancelled })
	h = h.die()
	h.expect("1 a.py cancelled")
	if r := h.run("1"); r.Reason != "cancelled on request" || r.FinishedAt == nil {
		t.Errorf("%+v", r)
	}
}

func TestARunThatCrashesWhileTheEngineEndsIsRepeatedByTheNext(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		c.Folders[0].Retries, c.Runs.StopTimeout = 1, api.Duration(time.Hour)
	}).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.w.save(h.path("a.py"), "A")
	c := h.call()
	stopped := make(chan struct{})
	go func() { defer close(stopped); h.stop() }()
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "the engine ends when run 1") })
	c.end <- result{out: blender.Outcome{Verdict: blender.Crashed}}
	<-stopped
	h = h.again()
	h.expect("1 a.py crashed", "2 a.py queued")
}
