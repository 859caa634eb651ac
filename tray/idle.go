//go:build !headless

package tray

import (
	"context"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"github.com/go-gl/glfw/v3.4/glfw"
)

const (
	// idleAfter is how long a person does nothing until the window begins to wait for events. What a
	// click or a key sets off, as the fading of a button, has ended by then.
	idleAfter = time.Second
	// idleAgain is the time between two waits when the program itself has changed what the window shows:
	// enough for the toolkit to draw that.
	idleAgain = 50 * time.Millisecond
	// idleWait is how long the window waits for an event at most before the toolkit has its turn, for
	// what the toolkit does by itself.
	idleWait = 500 * time.Millisecond
)

// stillness says how a wait for events has ended.
type stillness int

const (
	still     stillness = iota // nothing has happened
	changed                    // the program had something called
	disturbed                  // the display had an event, or the window was not quiet
)

// idler lets the window wait for events while nothing happens. Fyne's loop looks for events 60 times
// a second, which costs more than all else that an open window does. GLFW, which Fyne uses for that,
// can also sleep until there is an event: the idler has GLFW sleep on Fyne's goroutine. An event of
// the display wakes GLFW by itself, and do wakes it for everything else.
type idler struct {
	post func(func()) // has a function called on the toolkit's goroutine, soon
	wake func()       // ends a wait; any goroutine may call it
	// wait returns at the next event of the display, after wake, or after a time. It is called on the
	// toolkit's goroutine.
	wait func(most time.Duration)

	waiting atomic.Bool  // while wait is called, or about to be
	posted  atomic.Int64 // functions that were posted and have not been called
}

// newIdler returns an idler of Fyne's loop.
func newIdler() *idler {
	return &idler{
		post: fyne.Do,
		wake: glfw.PostEmptyEvent,
		wait: func(most time.Duration) { glfw.WaitEventsTimeout(most.Seconds()) },
	}
}

// do has a function called on the toolkit's goroutine, soon, and ends the wait for events.
func (i *idler) do(f func()) {
	i.posted.Add(1)
	i.post(func() {
		i.posted.Add(-1)
		f()
	})
	if i.waiting.Load() {
		i.wake()
	}
}

// serve waits for events while quiet returns true, until ctx ends. quiet is called on the toolkit's
// goroutine.
func (i *idler) serve(ctx context.Context, quiet func() bool) {
	for pause := idleAfter; ; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		for end := still; end == still; {
			// Between two waits the toolkit's loop has its turn.
			if end = i.once(ctx, quiet); end == disturbed {
				pause = idleAfter
			} else {
				pause = idleAgain
			}
		}
	}
}

// once waits for events once, and returns how that has ended.
func (i *idler) once(ctx context.Context, quiet func() bool) stillness {
	ended := make(chan stillness, 1)
	i.post(func() { ended <- i.rest(quiet) })
	select {
	case end := <-ended:
		return end
	case <-ctx.Done():
		return disturbed
	}
}

// rest does what once does, on the toolkit's goroutine.
func (i *idler) rest(quiet func() bool) stillness {
	if !quiet() {
		return disturbed
	}
	i.waiting.Store(true)
	defer i.waiting.Store(false)
	if i.posted.Load() > 0 { // whoever posted it may not have seen that this is about to wait
		return changed
	}
	began := time.Now()
	i.wait(idleWait)
	switch {
	case i.posted.Load() > 0:
		return changed
	case time.Since(began) < idleWait*9/10: // GLFW may come back a little early
		return disturbed
	}
	return still
}

// quiet reports whether nothing on the window moves by itself: no text cursor blinks, and nothing
// shows that a request is under way. It must be called on Fyne's goroutine.
func (s *shell) quiet() bool {
	if s.busy > 0 {
		return false
	}
	_, typing := s.window.Canvas().Focused().(interface{ SetPlaceHolder(string) })
	return !typing
}
