package app

import (
	"context"
	"sync"

	"blendtray/api"
	"blendtray/app/settings"
	"blendtray/control"
	"blendtray/engine"
)

// overEngine is an engine with the owner of its settings, as the control interface needs them:
// its status includes the state of the settings, and its events include their changes.
type overEngine struct {
	*engine.Engine
	owner *settings.Owner
	said  *announcements
	// program is what the engine was started from.
	program ownProgram
}

// Status returns the engine's status, with the status of the settings and of the program.
func (o overEngine) Status() api.Status {
	st := o.Engine.Status()
	st.Settings = o.owner.Status()
	st.Engine.Replaced = o.program.replacement() != nil
	return st
}

// StartBlender starts a Blender with the current settings from the file.
func (o overEngine) StartBlender(ctx context.Context, name string) error {
	o.owner.Look()
	return o.Engine.StartBlender(ctx, name)
}

// RestartBlender starts a Blender anew, with the current settings from the file.
func (o overEngine) RestartBlender(ctx context.Context, name string) error {
	o.owner.Look()
	return o.Engine.RestartBlender(ctx, name)
}

// Subscribe returns a stream of events, with the output of runs if output is true.
func (o overEngine) Subscribe(output bool) control.Subscription {
	return o.said.join(o.Engine.Subscribe(engine.SubscribeOptions{Output: output}))
}

// Follow makes a run and returns it with the events of the run.
func (o overEngine) Follow(ctx context.Context, s api.Submission) (api.Run, control.Subscription, error) {
	r, sub, err := o.Engine.Follow(ctx, s)
	if err != nil {
		return r, nil, err
	}
	return r, sub, nil
}

// announcements sends events that do not come from the engine.
type announcements struct {
	mu   sync.Mutex
	subs map[chan api.Event]bool
}

// announcementsKept is how many announcements wait for a slow reader. A missed announcement does
// no harm: every announcement asks for the same, to look at the settings again.
const announcementsKept = 16

// publish sends an event to every stream.
func (a *announcements) publish(ev api.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for sub := range a.subs {
		select {
		case sub <- ev:
		default: // the reader has enough announcements to read
		}
	}
}

// join returns a stream with the given events and the announcements.
func (a *announcements) join(events control.Subscription) control.Subscription {
	own := make(chan api.Event, announcementsKept)
	a.mu.Lock()
	if a.subs == nil {
		a.subs = map[chan api.Event]bool{}
	}
	a.subs[own] = true
	a.mu.Unlock()
	j := &joined{from: events, out: make(chan api.Event), left: make(chan struct{})}
	go func() {
		j.serve(own)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.subs, own)
	}()
	return j
}

// joined is a stream that joins two other streams.
type joined struct {
	from control.Subscription
	out  chan api.Event
	left chan struct{} // closed when the reader has left
	once sync.Once
}

// Events returns the channel of the stream, which is closed when the engine ends.
func (j *joined) Events() <-chan api.Event { return j.out }

// Close ends the stream.
func (j *joined) Close() {
	j.once.Do(func() {
		close(j.left)
		j.from.Close()
	})
}

// serve passes events on until the engine ends or the reader leaves.
func (j *joined) serve(own <-chan api.Event) {
	defer close(j.out)
	for {
		var ev api.Event
		var ok bool
		select {
		case ev, ok = <-j.from.Events():
			if !ok {
				return
			}
		case ev = <-own:
		case <-j.left:
			return
		}
		select {
		case j.out <- ev:
		case <-j.left:
			return
		}
	}
}
