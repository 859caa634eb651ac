package tray

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/control"
)

const patience = 20 * time.Second

// engine is an [Engine] whose events a test sends.
type engine struct {
	mu     sync.Mutex
	status api.Status
	runs   []api.Run
	events chan api.Event // nil: the engine does not answer
}

func (e *engine) there() (chan api.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.events == nil {
		return nil, control.ErrNoEngine
	}
	return e.events, nil
}

func (e *engine) Status(context.Context) (api.Status, error) {
	_, err := e.there()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status, err
}

func (e *engine) Runs(context.Context, api.Filter) ([]api.Run, error) {
	_, err := e.there()
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.runs), err
}

func (e *engine) Events(ctx context.Context, _ bool) func(func(api.Event, error) bool) {
	return func(yield func(api.Event, error) bool) {
		events, err := e.there()
		if err != nil {
			yield(api.Event{}, err)
			return
		}
		if !yield(api.Event{Kind: api.KindNote}, nil) {
			return
		}
		for {
			select {
			case ev, ok := <-events:
				if !ok {
					yield(api.Event{}, control.ErrLost)
					return
				}
				if !yield(ev, nil) {
					return
				}
			case <-ctx.Done():
				yield(api.Event{}, ctx.Err())
				return
			}
		}
	}
}

func (e *engine) comes(state api.BlenderState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = make(chan api.Event)
	e.status.Blenders = []api.BlenderStatus{{State: state}}
}

func (e *engine) goes() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.events)
	e.events = nil
}

func (e *engine) send(ev api.Event) { e.events <- ev }

// watched follows an engine and remembers the last state.
type watched struct {
	t     *testing.T
	mu    sync.Mutex
	state State
	told  int
}

func follow(t *testing.T, e *engine) *watched {
	t.Helper()
	w := &watched{t: t}
	f := &Follower{Engine: e, Retry: time.Millisecond, Changed: func(s State) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.state = s
		w.told++
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

func (w *watched) until(what string, ok func(State) bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		s := w.state
		w.mu.Unlock()
		if ok(s) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s did not come: %+v", what, s)
		}
	}
}

func TestTheStateFollowsAnEngineThatComesAndGoes(t *testing.T) {
	t.Parallel()
	e := &engine{}
	w := follow(t, e)
	w.until("looking", func(s State) bool { return s.Link == Connecting })
	for range 2 {
		e.comes(api.BlenderReady)
		w.until("attached", func(s State) bool { return s.Link == Attached && s.blender().State == api.BlenderReady })
		e.goes()
		w.until("lost", func(s State) bool { return s.Link == Lost && len(s.Recent) == 0 })
	}
}

func TestSeveralRunsAreFollowed(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.comes(api.BlenderReady)
	w := follow(t, e)
	w.until("attached", func(s State) bool { return s.Link == Attached })
	began := time.Now()
	run := func(id string, state api.State) {
		e.send(api.Event{Kind: api.KindRun, ID: id, Run: &api.Run{ID: id, State: state, StartedAt: &began}})
	}
	ids := func(s State) string {
		var all []string
		for _, r := range s.Running {
			all = append(all, r.ID)
		}
		return strings.Join(all, " ")
	}
	run("2", api.Running)
	run("3", api.Running)
	w.until("both", func(s State) bool { return ids(s) == "2 3" && s.current().ID == "3" })
	e.send(api.Event{Kind: api.KindProgress, ID: "2", Progress: &api.Progress{Fraction: 0.5}})
	w.until("the progress of the first", func(s State) bool { return s.Running[0].Progress != nil && s.Running[1].Progress == nil })
	run("3", api.Succeeded)
	w.until("the end of the second", func(s State) bool { return ids(s) == "2" && s.current().Progress.Fraction == 0.5 })
	run("2", api.Failed)
	w.until("the end of the first", func(s State) bool { return s.current() == nil })
}

func TestRunsComeAndGo(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.comes(api.BlenderReady)
	e.runs = []api.Run{{ID: "1", State: api.Succeeded}}
	w := follow(t, e)
	w.until("attached", func(s State) bool { return len(s.Recent) == 1 })
	began := time.Now()
	run := func(id string, state api.State) {
		e.send(api.Event{Kind: api.KindRun, ID: id, Run: &api.Run{ID: id, State: state, StartedAt: &began}})
	}
	run("2", api.Queued)
	run("2", api.Running)
	w.until("the run", func(s State) bool {
		return s.current() != nil && s.current().ID == "2" && s.Recent[0].State == api.Running
	})
	e.send(api.Event{Kind: api.KindProgress, ID: "2", Progress: &api.Progress{Fraction: 0.5}})
	w.until("its progress", func(s State) bool { return s.current().Progress != nil && s.current().Progress.Fraction == 0.5 })
	e.send(api.Event{Kind: api.KindProgress, ID: "1", Progress: &api.Progress{Fraction: 0.9}})
	run("2", api.Failed)
	w.until("its end", func(s State) bool { return s.current() == nil && s.Recent[0].State == api.Failed })
	for _, id := range []string{"3", "4", "5", "6", "7"} {
		run(id, api.Succeeded)
	}
	w.until("five runs, newest first", func(s State) bool {
		return len(s.Recent) == RecentRuns && s.Recent[0].ID == "7" && s.Recent[4].ID == "3"
	})
}

func TestABurstOfEventsAsksForTheStatusFewTimes(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.comes(api.BlenderReady)
	w := follow(t, e)
	w.until("attached", func(s State) bool { return s.Link == Attached })
	e.mu.Lock()
	e.status.Queued = 3
	e.mu.Unlock()
	for range 1000 {
		e.send(api.Event{Kind: api.KindFolders})
	}
	w.until("the status", func(s State) bool { return s.Status.Queued == 3 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told > 200 {
		t.Errorf("1,000 events made %d states", w.told)
	}
}
