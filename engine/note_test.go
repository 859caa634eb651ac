package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// noting returns an engine whose worker begins runs only when the test says so. In its session "s" a run
// is sent before the database has it, and nothing is written down because of the time.
func noting(t *testing.T, edit ...func(*Config)) *house {
	t.Helper()
	h := late(t, edit...)
	h.mu.Lock()
	h.laterPatience = time.Hour
	h.load.quickRun = time.Hour
	h.load.quick[line{sessionLine, "s", api.DefaultBlender}] = true
	h.mu.Unlock()
	return h
}

// send submits into the session "s" as [Engine.Follow] does, and returns the run in the hands of Blender.
func (h *house) send(s api.Submission) *call {
	h.t.Helper()
	s.Session = "s"
	_, a, err := h.Engine.submit(ctx, s, true, func(string) {})
	if err != nil || a == nil {
		h.t.Fatalf("%v, %v", a, err)
	}
	c := h.sendNext()
	if r, err := h.awaitArrival(a); err != nil || r.ID != c.req.ID || r.State != api.Queued {
		h.t.Fatalf("%+v, %v", r, err)
	}
	return c
}

// sendNext has the worker begin the next run, and returns the run in the hands of Blender.
func (h *house) sendNext() *call {
	h.t.Helper()
	w := h.workers[0]
	h.mu.Lock()
	j, _ := h.nextLocked(w)
	h.mu.Unlock()
	code, begun, err := h.startNext(w, j)
	if err != nil || !begun {
		h.t.Fatalf("%t, %v", begun, err)
	}
	h.mu.Lock()
	end := j.cancel
	h.mu.Unlock()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = w.execute(j, code) // an error says that the run waits again
	}()
	h.t.Cleanup(func() { end(errors.New("the test is over")); <-over })
	return h.call()
}

// hasRow reports whether the database has a run.
func (h *house) hasRow(id string) bool {
	h.t.Helper()
	n, _ := parseID(id)
	_, err := h.store.get(ctx, n)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		h.t.Fatal(err)
	}
	return err == nil
}

// onlyNoted fails the test unless only the journal has a run.
func (h *house) onlyNoted(id string) {
	h.t.Helper()
	if h.hasRow(id) {
		h.t.Fatalf("the database has run %s", id)
	}
}

// refuse has Blender die before it takes the run, which waits again.
func (h *house) refuse(c *call) {
	h.t.Helper()
	c.end <- result{err: blender.ErrNotStarted}
	eventually(h.t, "the run waits again", func() bool { return h.run(c.req.ID).State == api.Queued })
}

func TestARunThatCannotBeQueuedAgainNorSentIsNotLost(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a")})
	h.onlyNoted("1")
	h.pragma(faults["read-only"].begin)
	h.refuse(c)
	h.mu.Lock()
	h.laterFails = true // the keeper has tried it
	j, _ := h.nextLocked(h.workers[0])
	h.mu.Unlock()
	if _, begun, err := h.startNext(h.workers[0], j); begun || err == nil {
		t.Fatalf("%t, %v", begun, err)
	}
	h.die().expect("1 <message> queued")
	h.pragma(faults["read-only"].end)
	h.block(nil)
	if c := h.sendNext(); c.req.ID != "1" || string(c.req.Code) != "a" {
		t.Errorf("sent %s %q", c.req.ID, c.req.Code)
	}
}

func TestALookAtTheRunsDoesNotTryWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	h := noting(t)
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.send(api.Submission{Code: []byte("a")})
	h.pragma(faults["read-only"].begin)
	notes := 0
	for range 3 {
		if _, err := h.Runs(ctx, api.Filter{}); err != nil {
			t.Fatal(err)
		}
		if err := h.writeUnsaved(); err == nil {
			t.Error("it is written down")
		}
	}
	h.mu.Lock()
	fails := h.laterFails
	h.mu.Unlock()
	if !fails {
		t.Error("more runs are sent that can't be written down")
	}
	h.pragma(faults["read-only"].end)
	h.expect() // the keeper tries it
	if err := h.writeUnsaved(); err != nil {
		t.Fatal(err)
	}
	h.expect("1 <message> running")
	h.note("over")
	await(t, sub, "note", func(ev api.Event) bool {
		if strings.Contains(ev.Message, "is not written down yet") {
			notes++
		}
		return ev.Message == "over"
	})
	if notes != 1 {
		t.Errorf("it was told %d times that runs are not written down", notes)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.laterFails {
		t.Error("no run is sent before it is written down any more")
	}
}

func TestARunIsFoundAsSoonAsItIsTold(t *testing.T) {
	t.Parallel()
	h := noting(t)
	var told api.Run
	found := errors.New("it was not told")
	_, a, err := h.Engine.submit(ctx, api.Submission{Code: []byte("a"), Session: "s"}, true, func(id string) {
		told, found = h.Run(ctx, id)
	})
	if err != nil || a == nil {
		t.Fatalf("%v, %v", a, err)
	}
	h.sendNext()
	<-a.written
	if found != nil || told.ID != "1" || told.SHA256 != hashOf([]byte("a")) {
		t.Errorf("%+v, %v", told, found)
	}
	h.onlyNoted("1")
}

func TestARunThatOnlyItsJournalHasIsThereForAllWhoLook(t *testing.T) {
	t.Parallel()
	looks := map[string]func(t *testing.T, h *house){
		"Run": func(t *testing.T, h *house) {
			if r := h.run("2"); r.State != api.Succeeded || string(r.Result) != "" {
				t.Errorf("%+v", r)
			}
			h.onlyNoted("2") // to look at one run writes nothing
		},
		"Runs": func(_ *testing.T, h *house) {
			h.expect("1 <message> succeeded", "2 <message> succeeded", "3 <message> running")
		},
		"Runs in a state": func(t *testing.T, h *house) {
			for state, want := range map[api.State]int{api.Succeeded: 2, api.Running: 1} {
				runs, err := h.Runs(ctx, api.Filter{States: []api.State{state}, Client: "c"})
				if err != nil || len(runs) != want {
					t.Errorf("%v, %v", runs, err)
				}
			}
		},
		"Scripts": func(t *testing.T, h *house) {
			all, err := h.Scripts(ctx, api.Filter{}, 0)
			if err != nil || len(all) != 1 || all[0].Runs != 3 {
				t.Errorf("%+v, %v", all, err)
			}
		},
		"Code": func(t *testing.T, h *house) {
			for id, want := range map[string]string{"1": "a", "2": "b", "3": "c"} {
				if code, err := h.Code(ctx, id); err != nil || string(code) != want {
					t.Errorf("%s: %q, %v", id, code, err)
				}
			}
			h.onlyNoted("2")
		},
		"Changes": func(t *testing.T, h *house) {
			for id, before := range map[string]string{"1": "", "2": "1", "3": "2"} {
				if c, err := h.Changes(ctx, id); err != nil || c.Before != before || c.Added != 1 {
					t.Errorf("%s: %+v, %v", id, c, err)
				}
			}
		},
		"Pin": func(t *testing.T, h *house) {
			for _, id := range []string{"2", "3"} {
				if r, err := h.Pin(ctx, id, true); err != nil || !r.Pinned || r.ID != id {
					t.Errorf("%+v, %v", r, err)
				}
			}
			if pinned, err := h.store.pinnedRuns(); err != nil || len(pinned) != 2 {
				t.Errorf("%v, %v", pinned, err)
			}
		},
		"Retry": func(t *testing.T, h *house) {
			r, err := h.Retry(ctx, "2")
			if err != nil || r.ID != "4" || r.RetryOf != "2" || r.Session != "s" {
				t.Fatalf("%+v, %v", r, err)
			}
			if code, err := h.Code(ctx, "4"); err != nil || string(code) != "b" {
				t.Errorf("%q, %v", code, err)
			}
		},
		"Cancel": func(t *testing.T, h *house) {
			if _, err := h.Cancel(ctx, "2"); !errors.Is(err, api.ErrEnded) {
				t.Errorf("an ended run: %v", err)
			}
			if _, err := h.Cancel(ctx, "3"); err != nil {
				t.Error(err)
			}
			if r := h.ended("3"); r.State != api.Cancelled || h.inDatabase("3") != api.Cancelled {
				t.Errorf("%s, and in the database %s", r.State, h.inDatabase("3"))
			}
		},
		"DeleteRun": func(t *testing.T, h *house) {
			if err := h.DeleteRun(ctx, "2"); err != nil {
				t.Error(err)
			}
			if err := h.DeleteRun(ctx, "3"); !errors.Is(err, api.ErrNotEnded) {
				t.Errorf("a run that is running: %v", err)
			}
			h.expect("1 <message> succeeded", "3 <message> running")
			h.die().expect("1 <message> succeeded", "3 <message> queued")
		},
		"ClearRuns": func(t *testing.T, h *house) {
			if n, err := h.ClearRuns(ctx, api.Filter{}); err != nil || n != 2 {
				t.Errorf("%d, %v", n, err)
			}
			h.expect("3 <message> running")
			h.die().expect("3 <message> queued")
		},
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := noting(t)
			for _, code := range []string{"a", "b"} {
				c := h.send(api.Submission{Code: []byte(code), Client: "c"})
				if code == "a" {
					c.sink.Output([]byte("x"))
				}
				c.plain(t)
				h.ended(c.req.ID)
				if code == "a" {
					continue
				}
				h.onlyNoted(c.req.ID)
			}
			h.send(api.Submission{Code: []byte("c"), Client: "c"})
			h.onlyNoted("3")
			look(t, h)
		})
	}
}

func TestNotedRunsOutliveADatabaseThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := noting(t)
			ends := h.send(api.Submission{Code: bytes.Repeat([]byte("a"), noteCode)})
			h.pragma(fault.begin)
			ends.plain(t)
			h.ended("1")
			prints := h.send(api.Submission{Code: []byte("b")}) // nobody has seen yet that nothing can be written
			prints.sink.Output(bytes.Repeat([]byte("text\n"), 2000))
			prints.plain(t)
			h.ended("2")
			goes := h.send(api.Submission{Code: []byte("c")})
			if err := h.writeUnsaved(); err == nil {
				t.Fatal("the runs are written down")
			}
			if _, a, err := h.Engine.submit(ctx, api.Submission{Code: bytes.Repeat([]byte("# much\n"), 10_000), Session: "s"}, true, func(string) {}); err != nil || a == nil {
				t.Fatalf("%v, %v", a, err)
			} else if r, err := h.awaitArrival(a); !errors.Is(err, api.ErrStorage) {
				t.Errorf("%+v, %v: a run was taken that can't be written down", r, err)
			}
			for id, want := range map[string]api.State{"1": api.Succeeded, "2": api.Succeeded, "3": api.Running} {
				if r := h.run(id); r.State != want {
					t.Errorf("run %s is %s", id, r.State)
				}
				h.onlyNoted(id)
			}
			dead := h.die()
			dead.expect("1 <message> succeeded", "2 <message> succeeded", "3 <message> queued")
			if dead.store.ended != 2 {
				t.Errorf("the next engine counts %d ended runs", dead.store.ended)
			}

			h.pragma(fault.end)
			if err := h.writeUnsaved(); err != nil {
				t.Fatal(err)
			}
			h.expect("1 <message> succeeded", "2 <message> succeeded", "3 <message> running")
			if r := h.run("2"); len(r.Output) != 10_000 || r.OutputBytes != 10_000 {
				t.Errorf("%d bytes of %d are kept", len(r.Output), r.OutputBytes)
			}
			if h.store.ended != 2 || h.store.output != 10_000 {
				t.Errorf("%d runs and %d bytes are counted", h.store.ended, h.store.output)
			}
			goes.plain(t)
			h.ended("3")
			if c := h.send(api.Submission{Code: []byte("e")}); c.req.ID != "4" {
				t.Errorf("run %s", c.req.ID)
			}
			h.onlyNoted("4") // as before
			h.expect("1 <message> succeeded", "2 <message> succeeded", "3 <message> succeeded", "4 <message> running")
			if left, err := filepath.Glob(filepath.Join(h.cfg.JournalDir, "*")); err != nil || len(left) > mostSpares {
				t.Errorf("%v, %v", left, err)
			}
		})
	}
}

func TestAnEngineThatIsServedWritesNotedRunsDownWhenItCan(t *testing.T) {
	t.Parallel()
	h := noting(t)
	h.laterPatience = time.Millisecond
	h.turn.Lock() // before the time is over
	h.pragma(faults["read-only"].begin)
	h.turn.Unlock()
	c := h.send(api.Submission{Code: []byte("a")})
	c.plain(t)
	h.ended("1")
	h.serve()
	eventually(t, "it was tried", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.laterFails
	})
	h.pragma(faults["read-only"].end)
	eventually(t, "it is written down", func() bool { return h.hasRow("1") })
	h.expect("1 <message> succeeded")
	eventually(t, "runs are noted again", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return !h.laterFails && len(h.unsaved) == 0
	})
}

func TestANotedRunThatPrintsIsWrittenDownAtItsEnd(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a")})
	c.sink.Output([]byte("text"))
	c.plain(t)
	h.ended("1")
	if state := h.inDatabase("1"); state != api.Succeeded {
		t.Fatalf("the database has it as %s", state)
	}
	for _, h := range []*house{h, h.die()} {
		if r := h.run("1"); r.Output != "text" || r.OutputBytes != 4 || r.Reason != "" {
			t.Errorf("%+v", r)
		}
		if h.store.ended != 1 || h.store.output != 4 {
			t.Errorf("%d runs and %d bytes are counted", h.store.ended, h.store.output)
		}
	}
}

func TestANotedRunThatGoesOnIsWrittenDownMeanwhile(t *testing.T) {
	t.Parallel()
	h := noting(t)
	h.laterPatience = time.Millisecond
	c := h.send(api.Submission{Code: []byte("a")})
	eventually(t, "the database has it", func() bool { return h.hasRow("1") })
	if state := h.inDatabase("1"); state != api.Running {
		t.Errorf("the database has it as %s", state)
	}
	c.writes(t, "begun")
	h.die().expect("1 <message> interrupted")
	c.plain(t)
	h.ended("1")
	eventually(t, "the database has its end", func() bool { return h.inDatabase("1") == api.Succeeded })
	h.turn.Lock()
	defer h.turn.Unlock()
	if h.store.ended != 1 || len(h.later) != 0 {
		t.Errorf("%d ended runs are counted, and %d wait", h.store.ended, len(h.later))
	}
}

func TestANotedRunThatIsTakenBackWaitsInTheDatabase(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a"), Client: "c"})
	h.onlyNoted("1")
	h.refuse(c)
	if state := h.inDatabase("1"); state != api.Queued {
		t.Errorf("the database has it as %s", state)
	}
	if _, err := os.Stat(c.req.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its journal is there: %v", err)
	}
	dead := h.die()
	dead.expect("1 <message> queued")
	if r := dead.run("1"); r.Client != "c" || r.StartedAt != nil {
		t.Errorf("%+v", r)
	}
	c = h.sendNext()
	if string(c.req.Code) != "a" || c.req.ID != "1" {
		t.Errorf("sent %s %q", c.req.ID, c.req.Code)
	}
	c.plain(t)
	h.ended("1")
	h.expect("1 <message> succeeded")
}

func TestANotedRunThatIsCancelledWhileItWaitsStaysCancelled(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]string{"written": "", "not written": faults["read-only"].begin} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := noting(t)
			c := h.send(api.Submission{Code: []byte("a")})
			if fault != "" {
				h.pragma(fault)
			}
			h.refuse(c) // it waits again, and where that can't be written the database does not have it
			if r, err := h.Cancel(ctx, "1"); err != nil || r.State != api.Cancelled {
				t.Errorf("%+v, %v", r, err)
			}
			h.die().expect("1 <message> cancelled")
			h.pragma(faults["read-only"].end)
			if err := h.writeUnsaved(); err != nil {
				t.Fatal(err)
			}
			h.expect("1 <message> cancelled")
			if h.store.ended != 1 {
				t.Errorf("%d ended runs are counted", h.store.ended)
			}
		})
	}
}

// The file of a run's journal goes on as the journal of a later run, and a note of the first would bring a
// run back that was deleted.
func TestAKeptJournalHasNoNote(t *testing.T) {
	t.Parallel()
	h := noting(t)
	for range 3 {
		c := h.send(api.Submission{Code: []byte("a")})
		c.plain(t)
		h.ended(c.req.ID)
	}
	if n, err := h.ClearRuns(ctx, api.Filter{}); err != nil || n != 3 {
		t.Fatalf("%d, %v", n, err)
	}
	files, err := filepath.Glob(filepath.Join(h.cfg.JournalDir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no journal is kept: %v", err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil || string(text) != noLines {
			t.Errorf("%s is %q, %v", file, text, err)
		}
	}
	next := h.die()
	next.expect()
	if r := next.submit("b"); r.ID != "4" {
		t.Errorf("the next run is run %s", r.ID)
	}
}

func TestOnlyPlainCodeIsNoted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s    api.Submission
		edit func(h *house)
		want bool
	}{
		"plain code":             {want: true},
		"as much as is noted":    {s: api.Submission{Code: bytes.Repeat([]byte("a"), noteCode)}, want: true},
		"much code":              {s: api.Submission{Code: bytes.Repeat([]byte("a"), noteCode+1)}},
		"code that is not UTF-8": {s: api.Submission{Code: []byte("# -*- coding: latin-1 -*-\n'\xfc'")}},
		"a file":                 {s: api.Submission{Script: "/a.py"}},
		"a key":                  {s: api.Submission{Key: "k"}},
		"frames":                 {s: api.Submission{Render: &api.Render{}}},
		"runs are long":          {edit: func(h *house) { clear(h.load.quick) }},
		"nothing can be written": {edit: func(h *house) { h.laterFails = true }},
		"runs wait for that":     {edit: func(h *house) { h.blocked = "disk is full" }},
		"the engine ends":        {edit: func(h *house) { h.stopping = true }},
	} {
		h := noting(t)
		s := c.s
		if s.Session = "s"; s.Code == nil {
			s.Code = []byte("a")
		}
		r, err := h.Submit(ctx, s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !h.hasRow(r.ID) {
			t.Errorf("%s: it is not in the database", name)
		}
		h.mu.Lock()
		if c.edit != nil {
			c.edit(h)
		}
		j := h.queue.find(1)
		got := h.startMayWaitLocked(j, false)
		open := h.startMayWaitLocked(j, true)
		h.stopping = false
		h.mu.Unlock()
		if got != c.want || open {
			t.Errorf("%s: %t, and in an open Blender %t", name, got, open)
		}
		h.block(nil)
		if code, err := h.Code(ctx, "1"); err != nil || string(code) != string(s.Code) {
			t.Errorf("%s: the code is %q, %v", name, code, err)
		}
	}
	for name, edit := range map[string]func(*job){
		"a repeat":                  func(j *job) { j.run.RetryOf = "1" },
		"a save of a run":           func(j *job) { j.chain = &chain{} },
		"a checkpoint":              func(j *job) { j.run.Source, j.run.Script = api.FromSession, operationName(api.SessionCheckpoint) },
		"its code is not in memory": func(j *job) { j.code = nil },
		"it is of no session":       func(j *job) { j.line.kind = 0 },
	} {
		h := noting(t)
		h.inSession("s", "a")
		h.mu.Lock()
		j := h.queue.find(1)
		c := *j
		edit(&c)
		if h.startMayWaitLocked(&c, false) {
			t.Errorf("%s is noted", name)
		}
		h.mu.Unlock()
	}
}

// On Windows no journal stays open from run to run.
func TestAJournalThatIsNotOpenServesAsWell(t *testing.T) {
	t.Parallel()
	h := noting(t)
	first := h.beginJournal(101, false, madeWord+" {}\n")
	first.close()
	add := func(text string) {
		t.Helper()
		if err := first.write(text); err != nil {
			t.Fatal(err)
		}
	}
	add("beg")
	if first.look(); first.begun || first.untouched() || first.note != nil {
		t.Errorf("half a line: %+v", first)
	}
	add("un\nended {\"state\": \"succeeded\"}\n")
	if first.look(); !first.isPlain() || first.note != nil {
		t.Errorf("%+v", first)
	}
	h.dropJournal(&job{id: 101, journal: first})
	second := h.beginJournal(102, false, sentWord+"\n")
	if second.file != nil || second.path != h.journalFile(102) {
		t.Errorf("it is not the file of the run before: %+v", second)
	}
	if _, err := os.Stat(h.journalFile(101)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file has its earlier name, too: %v", err)
	}
	if text, err := os.ReadFile(second.path); err != nil || string(text) != noLines+sentWord+"\n" {
		t.Errorf("it is %q, %v", text, err)
	}
	if second.look(); !second.untouched() || second.sent {
		t.Errorf("%+v", second)
	}
	second.remove()
	if second.look(); second.path != "" {
		t.Errorf("%+v", second)
	}
}

func TestNotedRunsAreEachExecutedOnceAndInTheHistoryOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.load.quickRun, h.laterPatience = time.Hour, time.Millisecond
	var mu sync.Mutex
	executed := map[string]int{}
	slot := make(chan struct{}, 1)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-ctx.Done():
			return blender.Outcome{}, ctx.Err()
		}
		mu.Lock()
		executed[req.ID+" "+string(req.Code)]++
		mu.Unlock()
		c := &call{req: req, sink: sink, end: make(chan result, 1)}
		sink.(blender.Taker).Taken(1)
		sink.Started(time.Now())
		if strings.HasSuffix(string(req.Code), "7") {
			sink.Output([]byte("text"))
		}
		c.plain(t)
		return (<-c.end).out, nil
	}
	h.ready()
	const clients, each = 12, 20
	errs := make(chan error, clients+1)
	answered := map[string]bool{}
	for n := range clients {
		go func() {
			errs <- func() error {
				for i := range each {
					code := fmt.Sprint(n, "-", i)
					r, sub, err := h.Follow(ctx, api.Submission{Code: []byte(code), Session: "s"})
					if err != nil {
						return err
					}
					defer sub.Close()
					for ev := range sub.Events() {
						if ev.Kind == api.KindRun && ev.Run.State.Final() {
							break
						}
					}
					mu.Lock()
					answered[r.ID+" "+code] = true
					mu.Unlock()
					if got, err := h.Code(ctx, r.ID); err != nil || string(got) != code {
						return fmt.Errorf("the code of run %s is %q: %w", r.ID, got, err)
					}
				}
				return nil
			}()
		}()
	}
	go func() { // somebody looks at the runs meanwhile
		for range each {
			if _, err := h.Runs(ctx, api.Filter{Limit: 10}); err != nil {
				errs <- err
				return
			}
		}
		errs <- nil
	}()
	for range clients + 1 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if len(answered) != clients*each || len(executed) != clients*each {
		t.Errorf("%d runs were answered and %d executed", len(answered), len(executed))
	}
	for run, n := range executed {
		if n != 1 || !answered[run] {
			t.Errorf("run %s was executed %d times, and was answered: %t", run, n, answered[run])
		}
	}
	h = h.again()
	runs, err := h.Runs(ctx, api.Filter{Limit: 1000})
	if err != nil || len(runs) != clients*each || h.store.ended != clients*each {
		t.Fatalf("%d runs, %d are counted, %v", len(runs), h.store.ended, err)
	}
	for _, r := range runs {
		code, err := h.Code(ctx, r.ID)
		if err != nil || executed[r.ID+" "+string(code)] != 1 || r.State != api.Succeeded || r.Reason != "" {
			t.Errorf("run %s is %s (%s) with the code %q, %v", r.ID, r.State, r.Reason, code, err)
		}
	}
}
