package app

import (
	"context"
	"reflect"
	"sync"
	"time"
)

// keptPart is a part of a house that works with settings of the type S, and begins anew when these settings
// change. What fails is told and tried again.
type keptPart[S any] struct {
	// wanted reports whether the part is to work with some settings; work does until its context ends.
	wanted func(S) bool
	work   func(context.Context, S) error
	// failed is told why work has ended by itself.
	failed func(error)
	// retry is how long the part waits after a failure.
	retry   time.Duration
	changed chan struct{}

	mu       sync.Mutex
	settings S
}

// set takes over settings, which hold at once.
func (p *keptPart[S]) set(s S) {
	p.mu.Lock()
	p.settings = s
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default: // the newest are read in any case
	}
}

func (p *keptPart[S]) current() S {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// Serve works with the settings until ctx ends. Work that ends without an error is not begun again before the
// settings change.
func (p *keptPart[S]) Serve(ctx context.Context) error {
	for ctx.Err() == nil {
		s := p.current()
		working, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		works := p.wanted(s)
		if works {
			go func() { ended <- p.work(working, s) }()
		}
		p.await(ctx, s, ended)
		stop()
		if works && len(ended) == 0 {
			ended <- <-ended // until the work has ended
		}
	}
	return nil
}

// await returns when the settings have changed, or the work is to be tried again. The end of the work
// stays in ended.
func (p *keptPart[S]) await(ctx context.Context, s S, ended chan error) {
	var again <-chan time.Time
	failed := ended
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
			if !reflect.DeepEqual(s, p.current()) {
				return
			}
		case err := <-failed:
			ended <- err
			failed = nil
			if err != nil && ctx.Err() == nil {
				p.failed(err)
				again = time.After(p.retry)
			}
		case <-again:
			return
		}
	}
}
