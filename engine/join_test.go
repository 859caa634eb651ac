package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// busySession returns an engine whose worker takes runs and does not come to begin them. In the quick
// session "s" run 1 is running, run 2 is sent behind it, and run 3 waits.
func busySession(t *testing.T) *house {
	t.Helper()
	h := late(t)
	h.inSession("s", "1")
	if id := h.begin(); id != "1" {
		t.Fatalf("run %q begins", id)
	}
	h.mu.Lock()
	h.load.quick[h.running[1].line] = true
	h.mu.Unlock()
	h.inSession("s", "2")
	h.inSession("s", "3")
	return h
}

// join submits into the session, and returns the arrival of a run that joins another.
func (h *house) join() *arrival {
	h.t.Helper()
	a := h.arrive(api.Submission{Session: "s"})
	if a == nil {
		h.t.Fatal("the run is written down alone")
	}
	return a
}

func TestRunsBehindQuickRunsAreWrittenDownTogether(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	h.laterPatience = time.Hour
	before := h.commits()
	first, second := h.join(), h.join()
	if got := h.commits() - before; got != 0 {
		t.Errorf("%d transactions before the next start", got)
	}
	if id := h.begin(); id != "2" {
		t.Fatalf("run %q begins", id)
	}
	if got := h.commits() - before; got != 0 {
		t.Errorf("%d transactions after the next start", got)
	}
	for i, a := range []*arrival{first, second} {
		r, err := h.awaitArrival(a)
		if want := []string{"4", "5"}[i]; err != nil || r.ID != want || r.State != api.Queued || h.inDatabase(want) != api.Queued {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if got := h.commits() - before; got != 1 || h.inDatabase("2") != api.Running {
		t.Errorf("%d transactions, and run 2 is %s", got, h.inDatabase("2"))
	}
	if st := h.Status(); st.Queued != 3 {
		t.Errorf("%d runs wait", st.Queued)
	}
}

func TestARunThatArrivesBehindAQuickRunIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := late(t)
	h.inSession("s", "1")
	h.begin()
	h.mu.Lock()
	h.load.quick[h.running[1].line] = true
	h.mu.Unlock()
	a := h.join()
	h.mu.Lock()
	arrives, joins := h.arrival == a, len(h.joining)
	h.mu.Unlock()
	if !arrives || joins != 0 {
		t.Fatalf("it arrives: %t, and %d join", arrives, joins)
	}
	if id := h.begin(); id != "2" {
		t.Fatalf("run %q begins", id)
	}
	if h.Status().Queued != 0 || h.begin() != "" {
		t.Error("it is sent twice")
	}
}

func TestARunThatJoinsIsWrittenDownAloneWhereNoOtherIsSent(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	if r, err := h.awaitArrival(h.join()); err != nil || r.ID != "4" || h.inDatabase("4") != api.Queued {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARunThatJoinsKeepsItsPlaceBeforeLaterRuns(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	a := h.join()
	if r := h.inSession("s", "later"); r.ID != "5" {
		t.Errorf("the later run is run %s", r.ID)
	}
	if r, err := h.awaitArrival(a); err != nil || r.ID != "4" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARunThatArrivesKeepsItsPlaceBeforeTheRunsThatJoinIt(t *testing.T) {
	t.Parallel()
	h := late(t)
	h.inSession("s", "1")
	h.begin()
	h.mu.Lock()
	h.load.quick[h.running[1].line] = true
	h.mu.Unlock()
	arrives, joins := h.join(), h.join()
	if r := h.inSession("s", "later"); r.ID != "4" {
		t.Errorf("the later run is run %s", r.ID)
	}
	for i, a := range []*arrival{arrives, joins} {
		if r, err := h.awaitArrival(a); err != nil || r.ID != []string{"2", "3"}[i] {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func TestARunThatCannotBeWrittenDownWithAnotherIsRefused(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	a := h.join()
	h.pragma(faults["read-only"].begin)
	w := h.workers[0]
	h.mu.Lock()
	h.laterFails = true // it was seen that the database can't be written
	j, _ := h.nextLocked(w)
	h.mu.Unlock()
	if _, begun, err := h.startNext(w, j); begun || err == nil {
		t.Errorf("%t, %v", begun, err)
	}
	if r, err := h.awaitArrival(a); err == nil || r.ID != "" {
		t.Errorf("%+v was taken", r)
	}
	h.pragma(faults["read-only"].end)
	h.block(nil)
	if id := h.begin(); id != "2" {
		t.Errorf("run %q begins", id)
	}
	if r := h.inSession("s", "later"); r.ID != "4" {
		t.Errorf("the next run is run %s", r.ID)
	}
}

func TestAnEngineThatEndsRefusesARunThatJoins(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	a := h.join()
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	if r, err := h.awaitArrival(a); !errors.Is(err, api.ErrStopping) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARunIsWrittenDownAloneWhereNoStartIsNear(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(h *house, of line){
		"the runs are long":          func(h *house, of line) { delete(h.load.quick, of) },
		"nothing can be written":     func(h *house, _ line) { h.blocked = "disk is full" },
		"Blender is stopped":         func(h *house, _ line) { h.workers[0].halted = true },
		"no Blender is free for it":  func(h *house, _ line) { h.workers[0].waits = map[need]*waiting{h.running[1].need(): {}} },
		"nothing of it is under way": func(h *house, of line) { delete(h.load.running, of) },
	} {
		h := busySession(t)
		h.mu.Lock()
		edit(h, h.running[1].line)
		h.mu.Unlock()
		h.turn.Lock()
		j := &job{run: api.Run{Session: "s", Script: "<message>", Isolation: api.IsolateKeep}}
		a := h.joinLocked(insert{job: j}, func(string) {})
		h.turn.Unlock()
		if a != nil {
			t.Errorf("%s: it joins", name)
		}
		h.mu.Lock()
		h.blocked, h.workers[0].waits = "", nil
		h.mu.Unlock()
	}
}

func TestFollowersInASessionAreAllExecutedInOrder(t *testing.T) {
	t.Parallel()
	h := open(t)
	var mu sync.Mutex
	executed := map[string]int{}
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		mu.Lock()
		executed[req.ID]++
		mu.Unlock()
		return succeed(ctx, req, sink)
	}
	h.load.quickRun = time.Hour
	h.ready()
	const clients, each = 12, 20
	done := make(chan error, clients)
	for range clients {
		go func() {
			for range each {
				_, sub, err := h.Follow(ctx, api.Submission{Code: []byte("x"), Session: "s"})
				if err != nil {
					done <- err
					return
				}
				for ev := range sub.Events() {
					if ev.Kind == api.KindRun && ev.Run.State.Final() {
						break
					}
				}
				sub.Close()
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	h.counts(0, 0)
	runs, err := h.Runs(ctx, api.Filter{Limit: 1000})
	if err != nil || len(runs) != clients*each {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for i, r := range runs { // the newest is first
		if executed[r.ID] != 1 {
			t.Errorf("run %s was executed %d times", r.ID, executed[r.ID])
		}
		if r.State != api.Succeeded {
			t.Errorf("run %s is %s: %s", r.ID, r.State, r.Reason)
		}
		if i > 0 && r.StartedAt.After(*runs[i-1].StartedAt) {
			t.Errorf("run %s began after run %s", r.ID, runs[i-1].ID)
		}
	}
}

// Each try takes two seconds where another program holds the database, and holds up all else.
func TestADatabaseThatCannotBeWrittenIsNotTriedForEachRunThatJoins(t *testing.T) {
	t.Parallel()
	h := busySession(t)
	first, second := h.join(), h.join()
	h.pragma(faults["read-only"].begin)
	h.settle(first.job)
	h.pragma(faults["read-only"].end)
	for _, a := range []*arrival{first, second} {
		if _, err := h.awaitArrival(a); !errors.Is(err, api.ErrStorage) {
			t.Errorf("%v", err)
		}
	}
	if first.err != second.err { // the same error, not another of the same kind
		t.Error("the second was tried, too")
	}
}
