package mcp

import (
	"context"
	"sync"

	"blendtray/api"
	"blendtray/control"
)

// moment is an event, or the error that has ended the events.
type moment struct {
	event api.Event
	err   error
}

// watch hands the events of the engine to the calls that wait for runs which they have not made. One
// stream serves all of them, and there is none while nobody waits.
type watch struct {
	client *control.Client

	mu   sync.Mutex
	subs map[chan moment]context.Context
	stop context.CancelFunc
}

// follow returns the events from now on, until ctx ends. The first is a note.
func (w *watch) follow(ctx context.Context) <-chan moment {
	ch := make(chan moment, 64)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.subs == nil {
		w.subs = map[chan moment]context.Context{}
	}
	w.subs[ch] = ctx
	if w.stop == nil {
		var streaming context.Context
		streaming, w.stop = context.WithCancel(context.Background())
		go w.stream(streaming)
	} else {
		ch <- moment{event: api.Event{Kind: api.KindNote}} // the stream is there already
	}
	context.AfterFunc(ctx, func() { w.leave(ch) })
	return ch
}

// leave ends the events of one call, and the stream with those of the last.
func (w *watch) leave(ch chan moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subs, ch)
	if len(w.subs) == 0 && w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// stream reads the events of the engine until ctx ends or the engine is gone.
func (w *watch) stream(ctx context.Context) {
	for event, err := range w.client.Events(ctx, false) {
		w.mu.Lock()
		if ctx.Err() != nil { // the last call has left
			w.mu.Unlock()
			return
		}
		if err != nil { // the next call tries again
			w.stop()
			w.stop = nil
		}
		w.handLocked(moment{event, err})
		w.mu.Unlock()
	}
}

// handLocked gives a moment to all who wait. One who does not take it in time misses events, and gets a
// gap. It needs mu.
func (w *watch) handLocked(m moment) {
	for ch := range w.subs {
		select {
		case ch <- m:
			continue
		default:
		}
		select { // makes room for the gap
		case <-ch:
		default:
		}
		select {
		case ch <- moment{event: api.Event{Kind: api.KindGap}, err: m.err}:
		default:
		}
	}
}
