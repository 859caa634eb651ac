package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"blendtray/api"
	"blendtray/blender"
)

// follow submits code, and returns the run with what it does.
func (h *house) follow(code string) (api.Run, *Subscription, error) {
	r, sub, err := h.Follow(context.Background(), api.Submission{Code: []byte(code)})
	if sub != nil {
		h.t.Cleanup(sub.Close)
	}
	return r, sub, err
}

// ready serves the engine and returns when a run can start at once.
func (h *house) ready() *house {
	h.t.Helper()
	h.serve()
	eventually(h.t, "Blender is ready", func() bool { return h.Status().Blenders[0].State == api.BlenderReady })
	return h
}

// commits returns how many transactions were written.
func (h *house) commits() int {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	return h.store.commits
}

func TestARunThatStartsAtOnceIsNeitherLostNorRepeatedWhenTheEngineDies(t *testing.T) {
	t.Parallel()
	h := open(t).ready()
	r, _, err := h.follow("a")
	if err != nil || r.ID != "1" || r.State != api.Queued {
		t.Fatalf("%+v, %v", r, err)
	}
	c := h.call()
	before := h.die() // the journal says that nothing was executed
	before.expect("1 <message> queued")
	if code, err := before.Code(context.Background(), "1"); err != nil || string(code) != "a" {
		t.Errorf("its code is %q: %v", code, err)
	}
	c.writes(t, "begun")
	h.die().expect("1 <message> interrupted")
	c.writes(t, `ended {"state": "succeeded", "exit_code": 0, "seconds": 1, "error": null, "result": null, "outputs": []}`)
	h.die().expect("1 <message> succeeded")
}

func TestARunThatStartsAtOnceIsOneTransactionForAllThatComesBeforeIt(t *testing.T) {
	t.Parallel()
	h := open(t).ready()
	// A busy machine may have the worker come late; then it is two.
	eventually(t, "one transaction up to the start", func() bool {
		before := h.commits()
		r, _, err := h.follow("a")
		if err != nil {
			t.Fatal(err)
		}
		c := h.call()
		took := h.commits() - before
		c.finish(blender.Succeeded)
		h.ended(r.ID)
		return took == 1
	})
}

func TestARunBesideOthersThatStartsAtOnceIsOneTransactionToo(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(3)).ready()
	r, _, err := h.follow("busy")
	if err != nil {
		t.Fatal(err)
	}
	busy := h.call()
	for _, s := range []api.Submission{{}, {Session: "s"}} {
		s.Scene, s.Code = "fresh", []byte("a")
		if s.Session != "" {
			s.Scene = ""
		}
		eventually(t, "one transaction up to the start", func() bool {
			before := h.commits()
			r, sub, err := h.Follow(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			c := h.call()
			took := h.commits() - before
			c.finish(blender.Succeeded)
			h.ended(r.ID)
			return took == 1
		})
	}
	busy.finish(blender.Succeeded)
	h.ended(r.ID)
	h.counts(0, 0)
}

// late returns an engine whose worker takes runs, and does not come to begin them.
func late(t *testing.T, edit ...func(*Config)) *house {
	t.Helper()
	h := open(t, edit...)
	h.b.set(api.BlenderReady, "")
	h.mu.Lock()
	h.workers[0].takes = true
	h.mu.Unlock()
	return h
}

// begin has the worker of a house that is not served begin the next run, and returns the run's id.
func (h *house) begin() string {
	h.t.Helper()
	w := h.workers[0]
	h.mu.Lock()
	j, _ := h.nextLocked(w)
	h.mu.Unlock()
	if j == nil {
		return ""
	}
	if _, begun, err := h.startNext(w, j); err != nil || !begun {
		h.t.Fatalf("%t, %v", begun, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load.take(j) // a Blender was chosen
	return j.run.ID
}

// arrive submits as [Engine.Follow] does, and returns the arrival, or nil where the run waits.
func (h *house) arrive(s api.Submission) *arrival {
	h.t.Helper()
	s.Code = []byte("x")
	_, a, err := h.Engine.submit(ctx, s, true, func(string) {})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func TestOnlyTheNextRunArrives(t *testing.T) {
	t.Parallel()
	fresh := api.Submission{Scene: "fresh"}
	script := api.Submission{Script: "/a.py"}
	session := api.Submission{Session: "s"}
	client := api.Submission{Scene: "fresh", Client: "another"}
	wait := func(n need) func(h *house) {
		return func(h *house) { h.workers[0].waits = map[need]*waiting{n: {cancel: func() {}}}; h.load.waits[n] = 1 }
	}
	for name, c := range map[string]struct {
		places  api.Parallel
		running []api.Submission
		waiting []api.Submission
		edit    func(h *house)
		arrives api.Submission
		want    bool
	}{
		"nothing is running":              {places: 1, arrives: fresh, want: true},
		"a place is free":                 {places: 2, running: []api.Submission{fresh}, arrives: fresh, want: true},
		"no place is free":                {places: 1, running: []api.Submission{fresh}, arrives: fresh},
		"a session takes no place":        {places: 1, running: []api.Submission{session}, arrives: fresh, want: true},
		"a session needs no place":        {places: 1, running: []api.Submission{fresh}, arrives: session, want: true},
		"the session is busy":             {places: 2, running: []api.Submission{session}, arrives: session},
		"another session is busy":         {places: 1, running: []api.Submission{session}, arrives: api.Submission{Session: "t"}, want: true},
		"what runs leave is in use":       {places: 2, running: []api.Submission{{}}, arrives: api.Submission{}},
		"the script is running":           {places: 2, running: []api.Submission{script}, arrives: script},
		"a run may begin before":          {places: 2, waiting: []api.Submission{client}, arrives: fresh},
		"a run of its line may before":    {places: 2, waiting: []api.Submission{fresh}, arrives: fresh},
		"its script waits":                {places: 2, running: []api.Submission{script}, waiting: []api.Submission{script}, arrives: api.Submission{Script: "/a.py", Client: "another"}},
		"its line waits for its script":   {places: 3, running: []api.Submission{script}, waiting: []api.Submission{script}, arrives: fresh},
		"others wait for their script":    {places: 3, running: []api.Submission{script}, waiting: []api.Submission{script}, arrives: client, want: true},
		"others wait for a place":         {places: 1, running: []api.Submission{fresh}, waiting: []api.Submission{fresh}, arrives: session, want: true},
		"it would wait for a place, too":  {places: 1, running: []api.Submission{fresh}, waiting: []api.Submission{fresh}, arrives: client},
		"no Blender is free for it":       {places: 1, edit: wait(need{blender: api.DefaultBlender, isolation: api.IsolateProcess}), arrives: fresh},
		"no Blender is free for sessions": {places: 1, edit: wait(need{blender: api.DefaultBlender, isolation: api.IsolateKeep, session: "s"}), arrives: fresh, want: true},
		"Blender is stopped":              {places: 1, edit: func(h *house) { h.workers[0].halted = true }, arrives: fresh},
		"Blender is starting":             {places: 1, edit: func(h *house) { h.workers[0].status.State = api.BlenderStarting }, arrives: fresh},
		"nothing can be written down":     {places: 1, edit: func(h *house) { h.blocked = "disk is full" }, arrives: fresh},
	} {
		h := late(t, parallel(c.places))
		for _, s := range c.running {
			s.Code = []byte("x")
			r, err := h.Submit(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if id := h.begin(); id != r.ID {
				t.Fatalf("%s: run %s begins, not %s", name, id, r.ID)
			}
		}
		for _, s := range c.waiting {
			s.Code = []byte("x")
			if _, err := h.Submit(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		if c.edit != nil {
			h.mu.Lock()
			c.edit(h)
			h.mu.Unlock()
		}
		a := h.arrive(c.arrives)
		if (a != nil) != c.want {
			t.Errorf("%s: it arrives: %t", name, a != nil)
		}
		if a == nil {
			continue
		}
		id := h.begin()
		select {
		case <-a.written:
		default:
			t.Fatalf("%s: it is not running", name)
		}
		if a.queued.ID != id || a.queued.State != api.Queued || h.run(id).State != api.Running || h.inDatabase(id) != api.Running {
			t.Errorf("%s: run %s begins, and it is %+v", name, id, a.queued)
		}
	}
}

func TestAnArrivalKeepsItsPlaceBeforeLaterRuns(t *testing.T) {
	t.Parallel()
	h := late(t, parallel(1))
	a := h.arrive(api.Submission{Scene: "fresh"})
	if a == nil {
		t.Fatal("the run can't start at once")
	}
	if r := h.submit("later"); r.ID != "2" {
		t.Errorf("the later run is run %s", r.ID)
	}
	if r, err := h.awaitArrival(a); err != nil || r.ID != "1" || r.State != api.Queued {
		t.Errorf("%+v, %v", r, err)
	}
	if id := h.begin(); id != "1" {
		t.Errorf("run %s begins", id)
	}
}

func TestAnArrivalOvertakesNoRunThatMayBeginMeanwhile(t *testing.T) {
	t.Parallel()
	h := late(t, parallel(1))
	n := need{blender: api.DefaultBlender, isolation: api.IsolateProcess}
	h.mu.Lock()
	h.load.waits[n] = 1
	h.mu.Unlock()
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Scene: "fresh"}); err != nil {
		t.Fatal(err)
	}
	a := h.arrive(api.Submission{Client: "another"}) // for which Blender is free
	if a == nil {
		t.Fatal("the run can't start at once")
	}
	h.mu.Lock()
	delete(h.load.waits, n)
	h.mu.Unlock()
	if id := h.begin(); id != "1" {
		t.Errorf("run %q begins", id)
	}
	if id := h.begin(); id != "" {
		t.Errorf("run %s has no place", id)
	}
	if r, err := h.awaitArrival(a); err != nil || r.ID != "2" || r.State != api.Queued {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARunWithoutAFreeBlenderIsQueuedAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(2)).ready()
	h.b.setBusy(func(blender.Request) bool { return true })
	for range 3 { // the second time, Blender is known not to be free
		r, _, err := h.follow("a")
		if err != nil || r.State != api.Queued {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	h.counts(0, 3)
	h.idle("no Blender is free")
	h.b.setBusy(nil)
	for i := range 3 {
		c := h.call()
		if want := fmt.Sprint(i + 1); c.req.ID != want {
			t.Errorf("run %s begins, not %s", c.req.ID, want)
		}
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
	}
}

func TestARunThatIsNotTakenWaitsAgainWhereItWas(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(2)).ready()
	r, _, err := h.follow("a")
	if err != nil {
		t.Fatal(err)
	}
	h.call().end <- result{err: errFakeStopped}
	c := h.call()
	if c.req.ID != r.ID || string(c.req.Code) != "a" {
		t.Errorf("%+v", c.req)
	}
	c.finish(blender.Succeeded)
	h.ended(r.ID)
	h.expect("1 <message> succeeded")
	h.counts(0, 0)
}

func TestManyThatFollowHaveTheirRunsMadeOnce(t *testing.T) {
	t.Parallel()
	const clients, each = 16, 10
	h := open(t, parallel(4))
	h.b.do = succeed
	h.ready()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range each {
				s := api.Submission{Code: []byte("x"), Scene: "fresh", Client: fmt.Sprint(i)}
				if i%2 == 0 {
					s.Scene, s.Session = "", fmt.Sprint("s", i)
				}
				_, sub, err := h.Follow(ctx, s)
				if err != nil {
					t.Error(err)
					return
				}
				for ev := range sub.Events() {
					if ev.Kind == api.KindRun && ev.Run.State.Final() {
						break
					}
				}
				sub.Close()
			}
		})
	}
	all.Wait()
	h.counts(0, 0)
	runs, err := h.Runs(ctx, api.Filter{Limit: 1000})
	if err != nil || len(runs) != clients*each {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for _, r := range runs {
		if r.State != api.Succeeded {
			t.Errorf("run %s is %s: %s", r.ID, r.State, r.Reason)
		}
	}
}

func TestASubmissionDoesNotWaitForAWorkerThatIsLate(t *testing.T) {
	t.Parallel()
	h := late(t)
	r, sub, err := h.follow("a")
	if err != nil || r.State != api.Queued {
		t.Fatalf("%+v, %v", r, err)
	}
	h.expect("1 <message> queued")
	h.serve()
	h.call().finish(blender.Succeeded)
	await(t, sub, "its end", func(ev api.Event) bool { return ev.Kind == api.KindRun && ev.Run.State.Final() })
}

func TestARunThatCannotBeWrittenDownIsRefusedAndNotExecuted(t *testing.T) {
	t.Parallel()
	h := open(t).ready()
	h.pragma(faults["read-only"].begin)
	if r, sub, err := h.follow("a"); err == nil || sub != nil {
		t.Fatalf("%+v was taken", r)
	}
	h.pragma(faults["read-only"].end)
	r, _, err := h.follow("b")
	if err != nil || r.ID != "1" {
		t.Fatalf("%+v, %v", r, err)
	}
	c := h.call()
	if string(c.req.Code) != "b" {
		t.Errorf("%q was executed", c.req.Code)
	}
	c.finish(blender.Succeeded)
	h.ended("1")
	h.expect("1 <message> succeeded")
}

func TestAnEngineThatEndsRefusesARunThatNoWorkerTakes(t *testing.T) {
	t.Parallel()
	h := late(t)
	h.turn.Lock()
	a := h.arriveLocked(insert{job: &job{run: api.Run{Script: "<message>"}}}, func(string) { t.Error("it was made") })
	h.turn.Unlock()
	if a == nil {
		t.Fatal("the run can't start at once")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := h.awaitArrival(a); !errors.Is(err, api.ErrStopping) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAWorkerWithoutAFreeBlenderPutsAnArrivalIntoTheQueue(t *testing.T) {
	t.Parallel()
	h := late(t)
	h.b.setBusy(func(blender.Request) bool { return true })
	a := h.arrive(api.Submission{})
	if a == nil {
		t.Fatal("the run can't start at once")
	}
	w := h.workers[0]
	h.mu.Lock()
	w.waits = map[need]*waiting{}
	h.mu.Unlock()
	waits, leave := context.WithCancel(ctx)
	w.fill(ctx, waits)
	select {
	case <-a.written:
	default:
		t.Error("its submission waits for the patience to end")
	}
	if why := h.run("1").Reason; h.Status().Queued != 1 || len(w.waits) != 1 {
		t.Errorf("%d are queued (%s), and Blender is awaited for %v", h.Status().Queued, why, w.waits)
	}
	leave()
	w.lanes.Wait()
}
