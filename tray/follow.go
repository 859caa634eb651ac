package tray

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// Engine is what the tray asks of an engine. [OverClient] makes an Engine from a client.
type Engine interface {
	Status(ctx context.Context) (api.Status, error)
	Runs(ctx context.Context, f api.Filter) ([]api.Run, error)
	Events(ctx context.Context, output bool) func(yield func(api.Event, error) bool)
}

// Follower keeps a State up to date.
type Follower struct {
	Engine Engine
	// Output is true when Heard is to be told what the runs print.
	Output bool
	// Changed is called with each new state, one call at a time, and must not block.
	Changed func(State)
	// Heard, if not nil, is called with each event, on the same goroutine as Changed.
	Heard func(api.Event)
	// Retry is the time between two attempts to reach an engine; 0 means half a second.
	Retry time.Duration

	state State
}

// OverClient returns an Engine that asks a client.
func OverClient(c *control.Client) Engine { return overClient{c} }

type overClient struct{ *control.Client }

func (c overClient) Events(ctx context.Context, output bool) func(yield func(api.Event, error) bool) {
	return c.Client.Events(ctx, output)
}

// settle is how long events are gathered before the follower asks for the status: far less than
// a person notices, and more than the time between two events of a burst of runs.
const settle = 15 * time.Millisecond

// firstEvent is how long an engine may take to begin the stream of its events.
const firstEvent = 5 * time.Second

// Serve follows an engine until ctx ends, and then returns nil. When the engine is gone, Serve
// tries to reach one until it succeeds.
func (f *Follower) Serve(ctx context.Context) error {
	retry := f.Retry
	if retry == 0 {
		retry = time.Second / 2
	}
	f.Changed(f.state)
	for ctx.Err() == nil {
		err := f.attach(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if f.state.Link == Attached || f.state.Link == Connecting && !errors.Is(err, control.ErrNoEngine) {
			f.state = State{Link: Lost}
			f.Changed(f.state)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
	return nil
}

// attach follows one engine until it is gone, and returns why.
func (f *Follower) attach(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type heard struct {
		event api.Event
		err   error
	}
	events := make(chan heard)
	go func() {
		defer close(events)
		for ev, err := range f.Engine.Events(ctx, f.Output) {
			select {
			case events <- heard{ev, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	// The first event shows that the stream has begun: a status that is asked for after it
	// misses nothing.
	var first heard
	var ok bool
	select {
	case first, ok = <-events:
	case <-time.After(firstEvent): // the engine accepted the connection, and is stopped or stuck
		return fmt.Errorf("%w: it does not answer", control.ErrLost)
	}
	if !ok || first.err != nil {
		return first.err
	}
	if err := f.refresh(ctx, true); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stale, all := false, false // whether to ask for the status, and for the newest runs
	for {
		select {
		case h, ok := <-events:
			if !ok {
				return control.ErrLost
			}
			if h.err != nil {
				return h.err
			}
			if f.Heard != nil {
				f.Heard(h.event)
			}
			all = all || h.event.Kind == api.KindHistory || h.event.Kind == api.KindGap
			if f.handle(h.event) && !stale {
				stale = true
				timer.Reset(settle)
			}
		case <-timer.C:
			if err := f.refresh(ctx, all); err != nil {
				return err
			}
			stale, all = false, false
		}
	}
}

// refresh asks for the status, and with all for the newest runs, too.
func (f *Follower) refresh(ctx context.Context, all bool) error {
	st, err := f.Engine.Status(ctx)
	if err != nil {
		return err
	}
	f.state.Status = st
	if all {
		runs, err := f.Engine.Runs(ctx, api.Filter{Limit: RecentRuns})
		if err != nil {
			return err
		}
		f.state.Recent, f.state.Running = runs, nil
		for _, r := range slices.Backward(runs) {
			if r.State == api.Running {
				f.state.Running = append(f.state.Running, r)
			}
		}
	}
	if st.Runs != nil { // else the engine is older than the tray
		f.state.Running = st.Runs
	}
	f.state.Link = Attached
	f.publish()
	return nil
}

// handle notes an event, and reports whether the follower has to ask for the status.
func (f *Follower) handle(ev api.Event) bool {
	switch ev.Kind {
	case api.KindRun:
		if ev.Run != nil {
			f.updateRun(*ev.Run)
			f.publish()
		}
		return true
	case api.KindProgress:
		if i := f.state.indexOf(ev.ID); i >= 0 {
			f.state.Running = slices.Clone(f.state.Running)
			f.state.Running[i].Progress = ev.Progress
			f.publish()
		}
		return false
	case api.KindBlender:
		if ev.Blender != nil && len(f.state.Status.Blenders) == 1 && f.state.Status.Blenders[0].Name == ev.Blender.Name {
			f.state.Status.Blenders = []api.BlenderStatus{*ev.Blender}
			f.publish()
		}
		return true
	case api.KindOutput:
		return false
	default: // folders, notes of a pause, gaps
		return true
	}
}

// updateRun puts a run that has changed into the state.
func (f *Follower) updateRun(r api.Run) {
	running, i := slices.Clone(f.state.Running), f.state.indexOf(r.ID) // what was published stays as it was
	switch {
	case r.State == api.Running && i >= 0:
		if r.Progress == nil {
			r.Progress = running[i].Progress
		}
		running[i] = r
	case r.State == api.Running:
		running = append(running, r)
	case i >= 0:
		running = slices.Delete(running, i, i+1)
	}
	f.state.Running = running
	recent := slices.Clone(f.state.Recent)
	if i := slices.IndexFunc(recent, func(o api.Run) bool { return o.ID == r.ID }); i >= 0 {
		recent[i] = r
	} else {
		recent = slices.Insert(recent, 0, r)
	}
	f.state.Recent = recent[:min(len(recent), RecentRuns)]
}

func (f *Follower) publish() { f.Changed(f.state) }
