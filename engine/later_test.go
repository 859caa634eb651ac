package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// plain has a run begin and end as Blender's journal then tells.
func (c *call) plain(t testing.TB) {
	t.Helper()
	c.writes(t, "begun")
	c.writes(t, `ended {"state": "succeeded", "exit_code": 0, "seconds": 0.1, "error": null, "outputs": [], "result": null}`)
	c.finish(blender.Succeeded)
}

// patient returns a house whose ends of runs are written down only with something else.
func patient(t testing.TB) *house {
	h := open(t)
	h.laterPatience = time.Hour
	return h.serve()
}

func TestAnEndThatIsWrittenDownLaterIsThereAtOnce(t *testing.T) {
	t.Parallel()
	h := patient(t)
	h.submit("a")
	h.call().plain(t)
	h.ended("1")
	if state := h.inDatabase("1"); state != api.Running {
		t.Fatalf("the database has run 1 as %s", state)
	}
	if r := h.run("1"); r.State != api.Succeeded {
		t.Errorf("run 1 has %s", r.State)
	}
	runs, err := h.Runs(ctx, api.Filter{States: []api.State{api.Succeeded}})
	if err != nil || len(runs) != 1 {
		t.Errorf("the runs that have succeeded: %v, %v", runs, err)
	}
	if state := h.inDatabase("1"); state != api.Succeeded {
		t.Errorf("the database has run 1 as %s after a list of the runs", state)
	}
}

func TestTheStartOfTheNextRunWritesDownAnEnd(t *testing.T) {
	t.Parallel()
	h := patient(t)
	h.submit("a")
	h.call().plain(t)
	h.ended("1")
	before := h.commits()
	_, sub, err := h.follow("b")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	h.call()
	if n := h.commits() - before; n != 1 {
		t.Errorf("%d transactions", n)
	}
	if state := h.inDatabase("1"); state != api.Succeeded {
		t.Errorf("the database has run 1 as %s", state)
	}
}

func TestEachEndWaitsAsLongAsAnEndMay(t *testing.T) {
	t.Parallel()
	h := patient(t)
	h.submit("a")
	h.call().plain(t)
	h.ended("1")
	h.writeOldLater() // the timer of an end that was written down meanwhile
	if state := h.inDatabase("1"); state != api.Running {
		t.Errorf("the database has run 1 as %s before its time", state)
	}
	h.turn.Lock()
	h.later[0].late.since = time.Now().Add(-h.laterPatience)
	h.turn.Unlock()
	h.writeOldLater()
	if state := h.inDatabase("1"); state != api.Succeeded {
		t.Errorf("the database has run 1 as %s after its time", state)
	}
}

func TestAnEndThatIsNotWrittenDownYetIsFoundByTheNextEngine(t *testing.T) {
	t.Parallel()
	h := patient(t)
	h.submit("a")
	h.call().plain(t)
	h.ended("1")
	h = h.die()
	h.expect("1 <message> succeeded")
}

func TestAnEndWaitsOnlyWhenTheJournalHasAllOfIt(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, c *call){
		"output": func(t *testing.T, c *call) {
			c.sink.Started(time.Now())
			c.sink.Output([]byte("text"))
			c.plain(t)
		},
		"no end in the journal": func(t *testing.T, c *call) {
			c.writes(t, "begun")
			c.finish(blender.Succeeded)
		},
		"another end": func(t *testing.T, c *call) {
			c.writes(t, "begun")
			c.writes(t, `ended {"state": "succeeded", "exit_code": 0}`)
			c.finish(blender.TimedOut)
		},
		"another process": func(t *testing.T, c *call) {
			c.writes(t, "child")
			c.plain(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := patient(t)
			h.submit("a")
			run(t, h.call())
			last := h.ended("1")
			if state := h.inDatabase("1"); state != last.State {
				t.Errorf("the database has run 1 as %s, and it has %s", state, last.State)
			}
		})
	}
}

// The journal of a run becomes the journal of a later run, which never has a line of the first.
func TestAJournalServesALaterRunWithoutItsLines(t *testing.T) {
	t.Parallel()
	h := patient(t)
	seen := map[uint64]string{}
	again := false
	for n := range 4 {
		h.submit(fmt.Sprint(n))
		c := h.call()
		if text, err := os.ReadFile(c.req.Journal); err != nil || string(text) != noLines {
			t.Fatalf("the journal of run %s begins with %q, %v", c.req.ID, text, err)
		}
		if before := seen[inodeOf(c.req.Journal)]; before != "" {
			again = true
			if _, err := os.Stat(before); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the file has its earlier name, too: %v", err)
			}
		}
		seen[inodeOf(c.req.Journal)] = c.req.Journal
		c.plain(t)
		h.ended(c.req.ID)
	}
	if !again {
		t.Error("each run has a new file")
	}
	// The engine is killed when it has sent a run whose file another run had.
	h.submit("sent")
	c := h.call()
	if seen[inodeOf(c.req.Journal)] == "" {
		t.Fatal("the run has a new file")
	}
	next := h.die()
	next.serve()
	next.call().finish(blender.Succeeded)
	if r := next.ended(c.req.ID); r.State != api.Succeeded || r.ExitCode == nil && r.Seconds == 0.1 {
		t.Errorf("%+v", r)
	}
	c.plain(t)
	h.ended(c.req.ID)
}

func TestTheJournalOfARunThatLeavesSomethingServesNoOther(t *testing.T) {
	t.Parallel()
	h := patient(t)
	for _, line := range []string{"child", `wrote 0 1 "/a"`} {
		r := h.submit(line)
		c := h.call()
		c.writes(t, line)
		c.plain(t)
		h.ended(r.ID)
		eventually(t, "its end is in the database", func() bool { return h.inDatabase(r.ID) == api.Succeeded })
	}
	h.spares.mu.Lock()
	defer h.spares.mu.Unlock()
	for _, j := range h.spares.all {
		if base := filepath.Base(j.path); base == "1" || base == "2" {
			t.Errorf("the journal of run %s is kept", base)
		}
	}
}

func TestTheJournalOfAnOpenBlenderServesNoOther(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.serve()
	for id, isOpen := range map[int64]bool{101: true, 102: false} {
		j := h.beginJournal(id, isOpen, "")
		f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString("begun\nended {\"state\": \"succeeded\"}\n")
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		j.look()
		if !j.isPlain() {
			t.Errorf("the journal of run %d: %+v", id, j)
		}
		h.dropJournal(&job{id: id, journal: j})
	}
	h.spares.mu.Lock()
	spares := []string{}
	for _, j := range h.spares.all {
		spares = append(spares, j.path)
	}
	h.spares.mu.Unlock()
	if want := []string{h.journalFile(102)}; !slices.Equal(spares, want) {
		t.Errorf("kept are %v, want %v", spares, want)
	}
	// Whatever a kept file begins with, a run begins with no lines.
	if err := os.WriteFile(h.journalFile(102), []byte("open\nbegun\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := h.beginJournal(103, false, "")
	if text, err := os.ReadFile(j.path); err != nil || string(text) != noLines {
		t.Errorf("a journal begins with %q, %v", text, err)
	}
	if j.look(); !j.untouched() {
		t.Errorf("the run counts as begun: %+v", j)
	}
}

func TestALookAtTheRunsAwaitsWhatIsBeingWrittenDown(t *testing.T) {
	t.Parallel()
	h := noting(t)
	h.lookPatience = time.Hour
	c := h.send(api.Submission{Code: []byte("x")})
	h.onlyNoted(c.req.ID)
	h.turn.Lock() // something is being written down
	found := make(chan []api.Run)
	for range 2 {
		go func() {
			runs, err := h.Runs(ctx, api.Filter{})
			if err != nil {
				t.Error(err)
			}
			found <- runs
		}()
	}
	eventually(t, "a look waits", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.looked != nil
	})
	h.turn.Unlock()
	for range 2 {
		if runs := <-found; !slices.ContainsFunc(runs, func(r api.Run) bool { return r.ID == c.req.ID }) {
			t.Errorf("run %s is not among %v", c.req.ID, runs)
		}
	}
	h.lookPatience = time.Millisecond
	h.turn.Lock()
	defer h.turn.Unlock() // after the look
	if _, err := h.Runs(ctx, api.Filter{}); err != nil {
		t.Error(err)
	}
}
