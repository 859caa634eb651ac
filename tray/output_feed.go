//go:build !headless

package tray

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

// isWholeStatus reports whether a line is one by which Blender says how far a render is.
func isWholeStatus(line []byte) bool { return api.IsRenderStatus(bytes.TrimRight(line, "\r")) }

// outputFeed writes what a run prints into a pane: from the events as they come, and from the engine
// what the window has not heard. It works on any goroutine, so that a run that prints much holds
// up nobody.
type outputFeed struct {
	ask  func(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error)
	pane interface {
		Append([]byte)
		Clear()
	}
	ctx context.Context
	// finish, if not nil, is called when a run has ended and all its output was shown, in the place of
	// what follows the output.
	finish func(api.Run)

	mu      sync.Mutex
	run     api.Run // whose output is shown
	have    int64   // bytes that the pane was given, or that nobody has
	asking  bool    // the engine is asked for what comes next
	waiting []api.Event
	held    int    // bytes in waiting
	missed  bool   // the engine must be asked once more after its answer: there is text that waiting lacks
	tail    []byte // the last bytes that the pane was given, for the traceback
	ended   bool   // what follows the output was shown
}

const (
	// maxWaiting is how much the feed holds while it asks the engine; the engine has what is over
	// that.
	maxWaiting = 8 << 20
	// tailSize is how much of the end of the output is searched for the traceback.
	tailSize = 256 << 10
	// askPatience bounds how long the engine may take for an answer.
	askPatience = 30 * time.Second
)

// show shows the output of a run from its beginning.
func (f *outputFeed) show(r api.Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run, f.have, f.waiting, f.held, f.missed, f.tail, f.ended = r, 0, nil, 0, false, nil, false
	f.pane.Clear()
	f.askLocked()
}

// resume goes on with a run of which the pane has so many bytes already, when the run is caught up with.
func (f *outputFeed) resume(id string, have int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run, f.have, f.waiting, f.held, f.tail, f.ended = api.Run{ID: id}, have, nil, 0, nil, false
}

// catchUp notes how the shown run stands, and asks for what is missing.
func (f *outputFeed) catchUp(r api.Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.ID == f.run.ID && !f.ended {
		f.run = r
		f.askLocked()
	}
}

// shown returns the run whose end was not shown yet, or "", and how many bytes of its output were. It
// calls with while no text comes.
func (f *outputFeed) shown(with func()) (run string, have int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with()
	if f.ended {
		return "", 0
	}
	return f.run.ID, f.have
}

// update notes that the shown run has changed. When it has ended, what is missing is asked for.
func (f *outputFeed) update(r api.Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.ID != f.run.ID || r.ID == "" {
		return
	}
	if r.State == api.Queued && f.run.State != api.Queued {
		f.beginAgainLocked()
	}
	f.run = r
	if r.State.Final() && !f.ended {
		f.askLocked()
	}
}

// beginAgainLocked forgets what the run has printed: it waits again, and its next output begins at the
// first byte. It needs mu.
func (f *outputFeed) beginAgainLocked() {
	f.have, f.waiting, f.held, f.missed, f.tail, f.ended = 0, nil, 0, false, nil, false
	f.pane.Clear()
}

// heard takes an event with output.
func (f *outputFeed) heard(ev api.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev.ID != f.run.ID || ev.ID == "" || f.ended {
		return
	}
	if f.asking {
		if f.held >= maxWaiting {
			f.missed = true // the engine is asked for it
			return
		}
		f.waiting = append(f.waiting, ev)
		f.held += len(ev.Text)
		return
	}
	if !f.takeLocked(ev) {
		f.waiting, f.held = []api.Event{ev}, len(ev.Text)
		f.askLocked()
	}
}

// takeLocked gives the pane the text of an event, as far as it is new, and reports whether that is
// what comes next. It needs mu.
func (f *outputFeed) takeLocked(ev api.Event) bool {
	switch end := ev.From + int64(len(ev.Text)); {
	case ev.From > f.have:
		return false
	case end > f.have:
		f.giveLocked([]byte(ev.Text[f.have-ev.From:]))
	}
	return true
}

func (f *outputFeed) giveLocked(text []byte) {
	f.have += int64(len(text))
	f.pane.Append(text)
	f.noteTailLocked(text)
}

func (f *outputFeed) noteTailLocked(text []byte) {
	f.tail = append(f.tail, text[max(0, len(text)-tailSize):]...)
	f.tail = append(f.tail[:0], f.tail[max(0, len(f.tail)-tailSize):]...)
}

// askLocked asks the engine for what comes next, on a goroutine of its own. While the engine answers
// already, it is asked once more afterwards: the answer may be older than what the caller knows, and the
// end of a run is the last that the feed hears of the run. It needs mu.
func (f *outputFeed) askLocked() {
	if f.run.ID == "" {
		return
	}
	if f.asking {
		f.missed = true
		return
	}
	f.asking = true
	go f.read()
}

// read reads from the engine until nothing is missing.
func (f *outputFeed) read() {
	for {
		f.mu.Lock()
		id, from := f.run.ID, f.have
		f.mu.Unlock()
		ctx, stop := context.WithTimeout(f.ctx, askPatience)
		text, at, total, err := f.ask(ctx, id, from)
		stop()
		f.mu.Lock()
		more := id != f.run.ID || from != f.have // another run is shown now
		if !more {
			more = f.answeredLocked(text, at, total, err)
		}
		if !more {
			f.asking = false
		}
		f.mu.Unlock()
		if !more {
			return
		}
	}
}

// answeredLocked shows an answer of the engine, and what was heard meanwhile. It reports whether the
// engine is to be asked again. It needs mu.
func (f *outputFeed) answeredLocked(text []byte, at, total int64, err error) (again bool) {
	if err != nil {
		f.waiting, f.held = nil, 0
		missed := f.missed
		f.missed = false
		switch {
		case f.ctx.Err() != nil:
			return false
		case missed:
			return true
		case f.have == 0:
			f.pane.Append([]byte("[the output can't be read: " + err.Error() + "]\n"))
		}
		return false // the next event asks again
	}
	if total < f.have { // the run has begun again
		f.beginAgainLocked()
		return true
	}
	if at > f.have {
		f.noteLocked(fmt.Sprintf("[… %d bytes of output are not kept …]", at-f.have))
		f.have = at
	}
	f.giveLocked(text[min(f.have-at, int64(len(text))):])
	waiting := f.waiting
	f.waiting, f.held = nil, 0
	for i, ev := range waiting {
		if !f.takeLocked(ev) {
			f.waiting = waiting[i:]
			for _, w := range f.waiting {
				f.held += len(w.Text)
			}
			return true
		}
	}
	missed := f.missed
	if f.missed = false; missed || f.have < total {
		return true
	}
	if f.run.State.Final() && !f.ended {
		f.ended = true
		if f.finish != nil {
			f.finish(f.run)
		} else {
			f.endLocked()
		}
	}
	return false
}

// noteLocked shows a sentence in a line of its own. It needs mu.
func (f *outputFeed) noteLocked(text string) {
	if n := len(f.tail); n > 0 && f.tail[n-1] != '\n' {
		text = "\n" + text
	}
	f.pane.Append([]byte(text + "\n"))
	f.noteTailLocked([]byte(text + "\n"))
}

// endLocked shows what follows the output: that it is not kept any more, and the traceback, unless
// it was printed. It needs mu.
func (f *outputFeed) endLocked() {
	if f.have == 0 && f.run.OutputBytes > 0 {
		f.noteLocked(fmt.Sprintf("[… %d bytes of output are not kept any more …]", f.run.OutputBytes))
	}
	e := f.run.Error
	if e == nil || e.Traceback == "" || bytes.Contains(f.tail, []byte(strings.TrimSpace(e.Traceback))) {
		return
	}
	traceback := strings.TrimRight(e.Traceback, "\n")
	if len(f.tail) > 0 {
		traceback = "\n" + traceback
	}
	f.noteLocked(traceback)
}
