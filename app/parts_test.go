package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

// journal is what happened, in its order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// fakePart runs until its context ends or the test lets it end by itself.
type fakePart struct {
	name    string
	journal *journal
	started chan struct{}
	// itself receives the error with which the part ends by itself.
	itself chan error
	// last returns the error of a part whose context has ended.
	last func(ctx context.Context) error
	// after is the part that was started before this one, which must still run when this one ends.
	after *fakePart

	mu  sync.Mutex
	ctx context.Context
}

func (p *fakePart) Serve(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	p.mu.Unlock()
	close(p.started)
	select {
	case err := <-p.itself:
		p.journal.add(p.name + " ended by itself")
		return err
	case <-ctx.Done():
	}
	if p.after != nil && p.after.asked() {
		p.journal.add(p.after.name + " was asked to end too early")
	}
	p.journal.add(p.name + " ended")
	return p.last(ctx)
}

// asked tells whether the part was asked to end.
func (p *fakePart) asked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ctx.Err() != nil
}

func TestPartsEndInReverseOrderAndTogether(t *testing.T) {
	t.Parallel()
	broken, late := errors.New("the listener broke"), errors.New("the database can't be closed")
	quiet := func(context.Context) error { return nil }
	for _, x := range []struct {
		what string
		// itself is the part that ends by itself, with the error with; -1: ctx ends.
		itself int
		with   error
		last   func(context.Context) error // of the part number 2
		order  []string
		want   []error
	}{
		{
			"ctx ends", -1, nil, quiet,
			[]string{"2 ended", "1 ended", "0 ended"},
			nil,
		},
		{
			"the first part fails", 0, broken, quiet,
			[]string{"0 ended by itself", "2 ended", "1 ended"},
			[]error{broken},
		},
		{
			"the last part fails", 2, broken, quiet,
			[]string{"2 ended by itself", "1 ended", "0 ended"},
			[]error{broken},
		},
		{
			"a part in the middle ends without an error", 1, nil, quiet,
			[]string{"1 ended by itself", "2 ended", "0 ended"},
			nil,
		},
		{
			"a part returns the error of its context", -1, nil, func(ctx context.Context) error { return ctx.Err() },
			[]string{"2 ended", "1 ended", "0 ended"},
			nil,
		},
		{
			"a part fails because of another, and says so", 0, broken, func(context.Context) error { return late },
			[]string{"0 ended by itself", "2 ended", "1 ended"},
			[]error{broken, late},
		},
		{
			"a failure beside an end that was asked for is told", 0, broken, func(ctx context.Context) error { return ctx.Err() },
			[]string{"0 ended by itself", "2 ended", "1 ended"},
			[]error{broken},
		},
	} {
		j := &journal{}
		ctx, stop := context.WithCancel(t.Context())
		var parts []part
		var fakes []*fakePart
		for i, name := range []string{"0", "1", "2"} {
			p := &fakePart{name: name, journal: j, started: make(chan struct{}), itself: make(chan error, 1), last: quiet}
			if i > 0 && i-1 != x.itself {
				p.after = fakes[i-1]
			}
			fakes, parts = append(fakes, p), append(parts, p)
		}
		fakes[2].last = x.last
		done := make(chan error, 1)
		go func() { done <- serveParts(ctx, stop, parts) }()
		for _, p := range fakes {
			<-p.started
		}
		if x.itself >= 0 {
			fakes[x.itself].itself <- x.with
		} else {
			stop()
		}
		err := <-done
		stop()
		if !slices.Equal(j.lines, x.order) {
			t.Errorf("%s: %q, want %q", x.what, j.lines, x.order)
		}
		for _, want := range x.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v in it", x.what, err, want)
			}
		}
		if len(x.want) == 0 && err != nil {
			t.Errorf("%s: %v", x.what, err)
		}
		if ctx.Err() == nil {
			t.Errorf("%s: what runs beside the parts goes on", x.what)
		}
	}
}
