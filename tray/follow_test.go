package tray

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"blendtray/control"
)

const patience = 20 * time.Second

// engine is an engine as a client sees it, whose events a test sends.
type engine struct {
	mu     sync.Mutex
	status control.Status
	runs   []control.Run
	events chan control.Event // nil: nobody answers
}

func (e *engine) there() (chan control.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.events == nil {
		return nil, control.ErrNoEngine
	}
	return e.events, nil
}

func (e *engine) Status(context.Context) (control.Status, error) {
	_, err := e.there()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status, err
}

func (e *engine) Runs(context.Context, control.Filter) ([]control.Run, error) {
	_, err := e.there()
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.runs), err
}

func (e *engine) Events(ctx context.Context, _ bool) func(func(control.Event, error) bool) {
	return func(yield func(control.Event, error) bool) {
		events, err := e.there()
		if err != nil {
			yield(control.Event{}, err)
			return
		}
		if !yield(control.Event{Kind: control.KindNote}, nil) {
			return
		}
		for {
			select {
			case ev, ok := <-events:
				if !ok {
					yield(control.Event{}, control.ErrLost)
					return
				}
				if !yield(ev, nil) {
					return
				}
			case <-ctx.Done():
				yield(control.Event{}, ctx.Err())
				return
			}
		}
	}
}

func (e *engine) comes(state control.BlenderState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = make(chan control.Event)
	e.status.Blenders = []control.BlenderStatus{{State: state}}
}

func (e *engine) goes() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.events)
	e.events = nil
}

func (e *engine) send(ev control.Event) { e.events <- ev }

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
		e.comes(control.BlenderReady)
		w.until("attached", func(s State) bool { return s.Link == Attached && s.blender().State == control.BlenderReady })
		e.goes()
		w.until("lost", func(s State) bool { return s.Link == Lost && len(s.Recent) == 0 })
	}
}

func TestRunsComeAndGo(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.comes(control.BlenderReady)
	e.runs = []control.Run{{ID: "1", State: control.Succeeded}}
	w := follow(t, e)
	w.until("attached", func(s State) bool { return len(s.Recent) == 1 })
	began := time.Now()
	run := func(id string, state control.State) {
		e.send(control.Event{Kind: control.KindRun, ID: id, Run: &control.Run{ID: id, State: state, StartedAt: &began}})
	}
	run("2", control.Queued)
	run("2", control.Running)
	w.until("the run", func(s State) bool {
		return s.Current != nil && s.Current.ID == "2" && s.Recent[0].State == control.Running
	})
	e.send(control.Event{Kind: control.KindProgress, ID: "2", Progress: &control.Progress{Fraction: 0.5}})
	w.until("its progress", func(s State) bool { return s.Current.Progress != nil && s.Current.Progress.Fraction == 0.5 })
	e.send(control.Event{Kind: control.KindProgress, ID: "1", Progress: &control.Progress{Fraction: 0.9}})
	run("2", control.Failed)
	w.until("its end", func(s State) bool { return s.Current == nil && s.Recent[0].State == control.Failed })
	for _, id := range []string{"3", "4", "5", "6", "7"} {
		run(id, control.Succeeded)
	}
	w.until("five runs, newest first", func(s State) bool {
		return len(s.Recent) == RecentRuns && s.Recent[0].ID == "7" && s.Recent[4].ID == "3"
	})
}

func TestABurstOfEventsAsksForTheStatusFewTimes(t *testing.T) {
	t.Parallel()
	e := &engine{}
	e.comes(control.BlenderReady)
	w := follow(t, e)
	w.until("attached", func(s State) bool { return s.Link == Attached })
	e.mu.Lock()
	e.status.Queued = 3
	e.mu.Unlock()
	for range 1000 {
		e.send(control.Event{Kind: control.KindFolders})
	}
	w.until("the status", func(s State) bool { return s.Status.Queued == 3 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told > 200 {
		t.Errorf("1,000 events made %d states", w.told)
	}
}
