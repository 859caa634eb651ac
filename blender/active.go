package blender

import (
	"sync"
	"time"

	"blendtray/api"
)

// activeRun is the run that a Blender executes, and the way of what it does to its sink. It
// is told of that by the goroutines that read the pipe and the session.
type activeRun struct {
	key      string        // its name in the marks
	underway chan struct{} // closed when Blender makes its scene ready, or it has begun
	begun    chan struct{} // closed when its first line is about to be executed
	ended    chan struct{} // closed when all that it printed has been read

	mu       sync.Mutex // around calls of the sink, too
	sink     Sink
	unmarked bool // no marks will come: the run's output begins when Blender says that it started
	open     bool // between the marks
	over     bool // the end mark was seen
	started  time.Time
	prepared bool
	progress renderProgress
	tail     []byte
}

func newActiveRun(key string, sink Sink) *activeRun {
	r := &activeRun{
		key: key, underway: make(chan struct{}), begun: make(chan struct{}), ended: make(chan struct{}), sink: sink,
	}
	r.progress.tell = func(p api.Progress) { r.sink.Progress(p) }
	return r
}

// prepare is Blender's word that it makes the scene ready.
func (r *activeRun) prepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prepareLocked()
}

func (r *activeRun) prepareLocked() {
	if !r.prepared {
		r.prepared = true
		close(r.underway)
	}
}

// begin is the mark at the begin of the output.
func (r *activeRun) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked(time.Now())
	r.open = !r.over
}

// end is the mark at the end of the output.
func (r *activeRun) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	if !r.over {
		r.over = true
		r.progress.flush()
		close(r.ended)
	}
}

// startedAt is Blender's own word that the run has started. It and the begin mark come by
// different ways, and either may come first, or alone.
func (r *activeRun) startedAt(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked(at)
	if r.unmarked {
		r.open = !r.over
	}
}

func (r *activeRun) startLocked(at time.Time) {
	r.prepareLocked()
	if r.started.IsZero() {
		r.started = at
		close(r.begun)
		r.sink.Started(at)
	}
}

func (r *activeRun) hasBegun() bool {
	select {
	case <-r.begun:
		return true
	default:
		return false
	}
}

// isUnderway tells whether Blender has taken up the run.
func (r *activeRun) isUnderway() bool {
	select {
	case <-r.underway:
		return true
	default:
		return false
	}
}

// output passes on what was printed, when it is the run's.
func (r *activeRun) output(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return
	}
	r.tail = appendTail(r.tail, p, 4*tailSize)
	r.sink.Output(p)
	r.progress.write(p)
}

// tellProgress passes on what the script says of itself.
func (r *activeRun) tellProgress(p api.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.say(p)
}

// close lets nothing more reach the sink, and returns when the run started and the end of
// what it printed.
func (r *activeRun) close() (started time.Time, tail []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.flush()
	r.open = false
	r.sink = discard{}
	return r.started, r.tail
}

type discard struct{}

func (discard) Started(time.Time)     {}
func (discard) Output([]byte)         {}
func (discard) Progress(api.Progress) {}
