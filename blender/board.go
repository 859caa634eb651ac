package blender

import (
	"context"
	"sync"

	"blendtray/api"
)

// board is where a status stands, for those who ask, those who wait, and the one who is told.
type board struct {
	tell func(api.BlenderStatus) // one call at a time, in order
	poke chan struct{}           // something is wanted that was not

	mu      sync.Mutex
	status  api.BlenderStatus
	changed chan struct{}       // closed at the next change
	untold  []api.BlenderStatus // changes that tell has not been called with
	telling bool                // somebody is calling it
	want    bool                // whether Blender is wanted
	over    bool                // nobody serves any more
}

func newBoard(name string, status api.BlenderStatus, tell func(api.BlenderStatus)) board {
	if tell == nil {
		tell = func(api.BlenderStatus) {}
	}
	status.Name = name
	return board{tell: tell, poke: make(chan struct{}, 1), status: status, changed: make(chan struct{}), want: true}
}

// set changes the status and tells everybody, unless nothing is new. change is called with
// mu held and may change what else is guarded by it.
func (b *board) set(change func(*api.BlenderStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.status
	change(&b.status)
	b.status.Name, b.status.Kind = before.Name, before.Kind
	// Those who wait may wait for something beside the status.
	close(b.changed)
	b.changed = make(chan struct{})
	if b.status == before {
		return
	}
	b.untold = append(b.untold, b.status)
	if b.telling {
		return // whoever is at it tells this one, too, and so they come in order
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

// ready waits until Blender is there to take a run; one that executes a run takes the next
// one after it.
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

// wake has whoever serves look at what is wanted.
func (b *board) wake() {
	select {
	case b.poke <- struct{}{}:
	default: // it will look already
	}
}

// anew returns a status in another state that keeps from st what is still true: which program
// is used.
func anew(st api.BlenderStatus, state api.BlenderState, reason string) api.BlenderStatus {
	return api.BlenderStatus{State: state, Path: st.Path, Source: st.Source, Version: st.Version, Reason: reason}
}
