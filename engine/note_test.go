package engine

import (
	"errors"
	"os"
	"strings"
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

// stops asks a run to end as an engine does that is stopped and queues its runs again.
func (h *house) stops(c *call) {
	h.t.Helper()
	n, _ := parseID(c.req.ID)
	h.mu.Lock()
	h.stopping = true
	j := h.running[n]
	j.requeue = true
	j.askToEndLocked("the engine was stopped", true)
	h.mu.Unlock()
	eventually(h.t, "the run waits again", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.queue.find(n) != nil
	})
}

func TestARunThatWaitsForTheNextEngineIsNotTakenForCutOff(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(h *house) *call{
		"made": func(h *house) *call { return h.send(api.Submission{Code: []byte("a")}) },
		"sent": func(h *house) *call { h.inSession("s", "a"); return h.sendNext() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := noting(t)
			c := send(h)
			c.writes(t, "begun\nwrote 0 1 \"/a\"")
			h.stops(c)
			h.die().expect("1 <message> queued")
			// The engine is killed before it notes that the database has all.
			text, err := os.ReadFile(c.req.Journal)
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.Replace(string(text), "\n"+knownWord+"\n", "", 1))
			if err := os.WriteFile(c.req.Journal, text, 0o600); err != nil {
				t.Fatal(err)
			}
			h.die().expect("1 <message> queued")
		})
	}
}

func TestARunThatWasDeletedWhileTheEngineEndsStaysDeleted(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a")})
	c.writes(t, `wrote 0 1 "/a"`)
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	c.plain(t)
	h.ended("1")
	if _, err := os.Stat(c.req.Journal); err != nil {
		t.Fatalf("the next engine does not learn what was written: %v", err)
	}
	if err := h.DeleteRun(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	h.die().expect()
}
