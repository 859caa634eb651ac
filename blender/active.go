package blender

import (
	"sync"
	"time"

	"blendtray/api"
)

// activeRun is the run that a Blender executes. It passes what the run does to the sink of the run.
// The goroutines that read the pipe and the session call its methods.
type activeRun struct {
	key      string        // the name of the run in the marks
	underway chan struct{} // closed when Blender makes the scene ready, or when the run has begun
	begun    chan struct{} // closed when the first line of the run is about to be executed
	ended    chan struct{} // closed when all that the run printed has been read
	// settled is closed when the run is answered and, if Blender has told how the run ended, ended is closed.
	settled chan struct{}

	mu       sync.Mutex // held during calls of the sink, too
	sink     Sink
	unmarked bool      // no marks will come: the run's output begins when Blender says that it started
	open     bool      // the begin mark was seen, and the end mark was not
	over     bool      // the end mark was seen
	told     bool      // Blender has told how the run ended
	settles  bool      // settled is closed
	since    time.Time // when underway was closed
	started  time.Time
	prepared bool
	progress renderProgress
	tail     []byte
}

func newActiveRun(key string, sink Sink) *activeRun {
	r := &activeRun{
		key: key, underway: make(chan struct{}), begun: make(chan struct{}), ended: make(chan struct{}), settled: make(chan struct{}), sink: sink,
	}
	r.progress.tell = func(p api.Progress) { r.sink.Progress(p) }
	return r
}

// prepare notes that Blender makes the scene of the run ready.
func (r *activeRun) prepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prepareLocked()
}

func (r *activeRun) prepareLocked() {
	if !r.prepared {
		r.prepared, r.since = true, time.Now()
		close(r.underway)
	}
}

// begin notes the mark at the beginning of the output.
func (r *activeRun) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked(time.Now())
	r.open = !r.over
}

// end notes the mark at the end of the output.
func (r *activeRun) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	if !r.over {
		r.over = true
		r.progress.flush()
		close(r.ended)
	}
	if r.told {
		r.settleLocked()
	}
}

// answered notes that no more will be heard of the run in the session. told says whether Blender has
// told how the run ended; then the end mark comes, or has come.
func (r *activeRun) answered(told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = told
	if !told || r.over || r.unmarked {
		r.settleLocked()
	}
}

func (r *activeRun) settleLocked() {
	if !r.settles {
		r.settles = true
		close(r.settled)
	}
}

// underwaySince returns when Blender has taken up the run. It may be called when underway is closed.
func (r *activeRun) underwaySince() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since
}

// startedAt notes when Blender says that the run has started. Blender says so in the session, and
// the begin mark comes by the pipe: either may come first, or alone.
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

// isUnderway returns whether Blender has taken up the run.
func (r *activeRun) isUnderway() bool {
	select {
	case <-r.underway:
		return true
	default:
		return false
	}
}

// output passes printed text on to the sink, if it belongs to the run.
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

// tellProgress passes on the progress that the script reports.
func (r *activeRun) tellProgress(told report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if told.written == "" {
		r.progress.told(told, time.Now())
	} else if viewer, ok := r.sink.(Viewer); ok {
		viewer.Rendered(told.written)
	}
}

// close keeps everything later from the sink. It returns when the run started, and the end of what
// the run printed.
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
