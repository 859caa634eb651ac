package blender

import (
	"context"
	"sync"

	"blendtray/api"
)

// board holds a status. Goroutines can read it and wait for its changes, and tell is called with
// each change.
type board struct {
	tell func(api.BlenderStatus) // called once at a time, in the order of the changes
	poke chan struct{}           // holds a signal when something else is wanted than before

	mu      sync.Mutex
	status  api.BlenderStatus
	changed chan struct{}       // closed at the next change
	untold  []api.BlenderStatus // the changes that tell has not been called with
	telling bool                // a goroutine is calling tell
	want    bool                // whether Blender is wanted
	over    bool                // Serve has ended
}

func newBoard(name string, status api.BlenderStatus, tell func(api.BlenderStatus)) board {
	if tell == nil {
		tell = func(api.BlenderStatus) {}
	}
	status.Name = name
	return board{tell: tell, poke: make(chan struct{}, 1), status: status, changed: make(chan struct{}), want: true}
}

// set changes the status, wakes all who wait, and calls tell when the status is a new one. change
// is called while mu is held; it may also change the other fields that mu guards.
func (b *board) set(change func(*api.BlenderStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.status
	change(&b.status)
	b.status.Name, b.status.Kind = before.Name, before.Kind
	// A goroutine may wait for something beside the status.
	close(b.changed)
	b.changed = make(chan struct{})
	if b.status == before {
		return
	}
	b.untold = append(b.untold, b.status)
	if b.telling {
		return // the goroutine that is calling tell passes on this change, too, so that the changes come in order
	}
	b.telling = true
	for len(b.untold) > 0 {
		next := b.untold[0]
		b.untold = b.untold[1:]
		b.mu.Unlock()
		b.tell(next)
		b.mu.Lock()
	}
	b.telling, b.untold = false, nil
}

// ready waits until Blender can take a run; a Blender that executes a run takes the next run after
// it. It fails with a [*FailedError] or [ErrStopped] when Blender will take none, or with the error
// of ctx.
func (b *board) ready(ctx context.Context) error {
	for {
		b.mu.Lock()
		st, want, over, changed := b.status, b.want, b.over, b.changed
		b.mu.Unlock()
		switch {
		case st.State == api.BlenderFailed:
			return &FailedError{st.Reason}
		case !want || over:
			return ErrStopped
		case st.State == api.BlenderReady || st.State == api.BlenderRunning:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake makes Serve look at what is wanted.
func (b *board) wake() {
	select {
	case b.poke <- struct{}{}:
	default: // a signal waits already
	}
}

// anew returns a status with another state and reason. It keeps from st what is still true: the
// program that is used.
func anew(st api.BlenderStatus, state api.BlenderState, reason string) api.BlenderStatus {
	return api.BlenderStatus{State: state, Path: st.Path, Source: st.Source, Version: st.Version, Reason: reason}
}
