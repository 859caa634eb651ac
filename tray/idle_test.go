//go:build !headless

package tray

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// loop is a toolkit's loop: it calls what is posted, one function after the other.
type loop struct {
	calls chan func()
	wakes chan struct{}
	waits atomic.Int64
}

func newLoop(t *testing.T) (*loop, *idler) {
	t.Helper()
	l := &loop{calls: make(chan func(), 1000), wakes: make(chan struct{}, 1000)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case f := <-l.calls:
				f()
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); l.wakes <- struct{}{}; <-ended })
	return l, &idler{
		post: func(f func()) { l.calls <- f },
		wake: func() { l.wakes <- struct{}{} },
		wait: func(most time.Duration) { // for ever, unless it is woken: a lost wake is seen
			l.waits.Add(1)
			<-l.wakes
		},
	}
}

func TestWhatIsPostedWakesTheWindowThatWaits(t *testing.T) {
	l, i := newLoop(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() { defer close(served); i.serve(ctx, func() bool { return true }) }()
	for n := range 200 {
		for before := l.waits.Load(); n%10 == 0 && l.waits.Load() == before && before > 0; { // in the middle of a wait, too
			if i.waiting.Load() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		called := make(chan struct{})
		i.do(func() { close(called) })
		select {
		case <-called:
		case <-time.After(time.Minute):
			t.Fatalf("function %d was posted and is not called", n)
		}
	}
	for deadline := time.Now().Add(time.Minute); l.waits.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the window never waited for events")
		}
	}
	stop()
	l.wakes <- struct{}{}
	<-served
}

func TestTheWindowDoesNotWaitWhileSomethingMoves(t *testing.T) {
	l, i := newLoop(t)
	if end := i.once(t.Context(), func() bool { return false }); end != disturbed {
		t.Errorf("it ended with %v, wanted disturbed", end)
	}
	if n := l.waits.Load(); n != 0 {
		t.Errorf("it waited %d times", n)
	}
}

func TestWhatWasPostedBeforeTheWaitIsCalledFirst(t *testing.T) {
	l, i := newLoop(t)
	i.posted.Add(1) // somebody is about to post, and has looked at waiting already
	if end := i.once(t.Context(), func() bool { return true }); end != changed {
		t.Errorf("it ended with %v, wanted changed", end)
	}
	if n := l.waits.Load(); n != 0 {
		t.Errorf("it waited %d times", n)
	}
}

func TestAWaitThatEndsEarlyWasDisturbed(t *testing.T) {
	l, i := newLoop(t)
	l.wakes <- struct{}{}
	if end := i.once(t.Context(), func() bool { return true }); end != disturbed {
		t.Errorf("it ended with %v, wanted disturbed", end)
	}
}
