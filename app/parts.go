package app

import (
	"context"
	"errors"
	"sync"
)

// part is a part of a house that runs until its context ends: the engine, a listener. Its Serve
// returns nil or the context's error when it ended because the context did.
type part interface {
	Serve(ctx context.Context) error
}

// serveParts starts the parts in their order, and runs them until ctx ends or a part ends by
// itself, with an error or without. It ends the parts in reverse order, each part after the
// parts that were started later have ended, and returns the errors with which parts failed.
//
// stop must end ctx. serveParts calls stop when a part ends by itself, so that what runs beside
// the parts ends too.
func serveParts(ctx context.Context, stop func(), parts []part) error {
	type running struct {
		end  context.CancelFunc
		done chan struct{}
	}
	var (
		mu       sync.Mutex
		failures []error
		all      []running
	)
	for _, p := range parts {
		// The context is not ctx itself: a part outlives ctx until the parts after it have
		// ended.
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		r := running{end, make(chan struct{})}
		go func() {
			defer close(r.done)
			err := p.Serve(own)
			if err != nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				failures = append(failures, err)
				mu.Unlock()
			}
			stop()
		}()
		all = append(all, r)
	}
	<-ctx.Done()
	for i := len(all) - 1; i >= 0; i-- {
		all[i].end()
		<-all[i].done
	}
	return errors.Join(failures...)
}
