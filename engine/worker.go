package engine

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"blendtray/api"
)

// worker has its Blender, which has a name, execute runs from the queue: as many at the same time as
// the queue lets begin. This file is the life of the Blender, lanes.go the runs.
type worker struct {
	engine *Engine
	name   string
	// passing is true for a worker that serves runs in an open Blender. The worker ends when no
	// such run waits.
	passing bool
	woken   chan struct{}  // gets a signal when the queue, Blender's state or the wanted Blender has changed
	lanes   sync.WaitGroup // the runs that the Blender executes, and the waits for it
	drawing sync.WaitGroup // the pictures of what runs left
	keeping sync.WaitGroup // the thumbnails of what runs made
	// expecting is held around telling the Blender what to expect. It is taken before Engine.mu.
	expecting sync.Mutex

	// Engine.mu guards the following fields.

	spec    api.BlenderSpec // the wanted Blender
	blender Blender
	kind    api.BlenderKind // the kind of blender, not the wanted kind until the worker turns over
	era     int             // counts the Blenders, so that the status of a left Blender is ignored
	status  api.BlenderStatus
	halted  bool               // a person has stopped Blender: no run is sent
	anew    bool               // a person has Blender started anew: it is halted until then
	retired bool               // no Blender of this name is wanted any more
	found   bool               // the settings do not name the Blender, and the system has it
	resting bool               // Blender is not started before it is needed
	pinned  bool               // a person has started it by its name, so it does not rest
	used    time.Time          // when it was last needed
	takes   bool               // the worker begins runs
	waits   map[need]*waiting  // the runs for which no Blender is free
	renewed bool               // Blender has changed, so what has failed may succeed now
	trouble int                // how many runs in a row Blender did not take
	end     context.CancelFunc // ends the serving of blender; nil before the serving begins
	left    chan struct{}      // closed when the serving has ended
	turned  chan struct{}      // closed when the worker has turned over; nil while it does not turn over
	told    string             // what keeps runs waiting, as their followers were last told
}

// newWorker returns a worker with a Blender that nobody serves yet.
func newWorker(e *Engine, spec api.BlenderSpec) *worker {
	w := &worker{engine: e, name: spec.Name, spec: spec, kind: spec.Kind(), woken: make(chan struct{}, 1)}
	w.blender = e.cfg.NewBlender(spec, w.teller(0))
	w.status = w.blender.Status()
	return w
}

// teller returns the function that a Blender calls with each change of its status. The function
// ignores the status of a Blender that the worker has left.
func (w *worker) teller(era int) func(api.BlenderStatus) {
	return func(st api.BlenderStatus) {
		e := w.engine
		e.mu.Lock()
		if w.era != era {
			e.mu.Unlock()
			return
		}
		w.status, w.renewed = st, true
		st = w.seenLocked(st)
		e.mu.Unlock()
		e.publishBlender(st)
		poke(w.woken)
	}
}

// configure sets another specification. It holds from Blender's next start on or, where it asks
// for another kind of Blender, from the end of the current runs on.
func (w *worker) configure(spec api.BlenderSpec) {
	e := w.engine
	e.mu.Lock()
	// What has failed may start with other settings; nobody has to ask for that.
	mended := w.status.State == api.BlenderFailed && !w.halted && !reflect.DeepEqual(w.spec, spec)
	w.spec, w.retired, w.renewed = spec, false, true
	b, same := w.blender, w.kind == spec.Kind()
	e.mu.Unlock()
	if same {
		b.Configure(spec)
	}
	if same && mended {
		b.Start()
	}
	poke(w.woken)
}

// retire makes the worker end after its current runs.
func (w *worker) retire() {
	e := w.engine
	e.mu.Lock()
	w.retired = true
	b := w.blender
	e.mu.Unlock()
	e.noteLost(w.name, b)
	poke(w.woken)
}

// serve works until ctx ends or the worker is retired. It finishes current runs before it
// returns.
func (w *worker) serve(ctx context.Context) {
	w.launch()
	defer w.keeping.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end() // thumbnails may take long, and nobody has asked for them
	defer w.drawing.Wait()
	for {
		w.work(ctx)
		if ctx.Err() != nil || !w.turnOver(ctx) {
			return
		}
	}
}

// launch begins the serving of the Blender, and starts the Blender unless a person has stopped
// it or it rests.
func (w *worker) launch() {
	e := w.engine
	life, end := context.WithCancel(context.Background())
	left := make(chan struct{})
	e.mu.Lock()
	w.resting = w.resting && w.kind == api.BlenderOwn
	b, halted := w.blender, w.halted || w.resting
	w.end, w.left = end, left
	e.mu.Unlock()
	if halted {
		_ = b.Stop(life) // nobody serves the Blender, so Stop neither takes time nor fails
	}
	go func() {
		defer close(left)
		e.keepUp(life, "Blender", b.Serve)
	}()
	if halted {
		return
	}
	b.Start()
	e.mu.Lock()
	halted = w.halted
	w.used = time.Now()
	e.mu.Unlock()
	if halted { // a person has stopped it meanwhile
		limited, cancel := context.WithTimeout(life, stopLimit)
		defer cancel()
		_ = b.Stop(limited) // it shows in the status
	}
}

// isDue reports whether the worker should leave its Blender.
func (w *worker) isDue() bool {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	return w.retired || w.kind != w.spec.Kind()
}

// turnOver leaves the Blender and begins with a new Blender of the wanted kind. It returns false
// when no Blender is wanted any more, or when ctx ends.
func (w *worker) turnOver(ctx context.Context) bool {
	e := w.engine
	turned := make(chan struct{})
	e.mu.Lock()
	w.era++
	w.turned = turned
	old, end, left := w.blender, w.end, w.left
	st := api.BlenderStatus{
		Name: w.name, Kind: w.spec.Kind(), State: api.BlenderStarting, Reason: "the previous Blender is ending",
	}
	if w.retired {
		st.State = api.BlenderStopping
	}
	w.status = st
	e.mu.Unlock()
	e.publishBlender(st)
	defer func() {
		e.mu.Lock()
		w.turned = nil
		e.mu.Unlock()
		close(turned)
	}()

	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	w.drawing.Wait()
	if err := old.Stop(limited); err != nil {
		e.warn(fmt.Sprintf("the previous Blender %q did not stop: %v", w.name, err))
	}
	end()
	select {
	case <-left:
	case <-limited.Done():
	}

	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	retired, spec, era := w.retired, w.spec, w.era
	e.mu.Unlock()
	if retired {
		e.dismissLocked(w)
		e.refuseOrphansLocked()
		return false
	}
	next := e.cfg.NewBlender(spec, w.teller(era))
	st = next.Status()
	e.mu.Lock()
	w.blender, w.kind, w.status = next, spec.Kind(), st
	w.end, w.left = nil, nil
	e.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	w.launch()
	st = next.Status()
	e.publishBlender(st)
	return true
}

// current returns the worker's Blender. While the worker turns over, current waits for the new
// Blender; it fails when ctx ends.
func (w *worker) current(ctx context.Context) (Blender, error) {
	for {
		w.engine.mu.Lock()
		b, turned := w.blender, w.turned
		w.engine.mu.Unlock()
		if turned == nil {
			return b, nil
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// start starts the Blender and returns when the Blender is ready or has failed.
func (w *worker) start(ctx context.Context) error {
	b, err := w.current(ctx)
	if err != nil {
		return err
	}
	b.Start()
	return b.Ready(ctx)
}

// stop stops the Blender and returns when the Blender is gone.
func (w *worker) stop(ctx context.Context) error {
	b, err := w.current(ctx)
	if err != nil {
		return err
	}
	return b.Stop(ctx)
}

func (w *worker) restart(ctx context.Context) error {
	b, err := w.current(ctx)
	if err != nil {
		return err
	}
	return b.Restart(ctx)
}

func (w *worker) ready(ctx context.Context) error {
	b, err := w.current(ctx)
	if err != nil {
		return err
	}
	return b.Ready(ctx)
}

// leave ends the serving of the worker's stopped Blender, and reports whether the serving ended
// within limit.
func (w *worker) leave(limit time.Duration) bool {
	w.engine.mu.Lock()
	end, left := w.end, w.left
	w.engine.mu.Unlock()
	if end == nil {
		return true
	}
	end()
	select {
	case <-left:
		return true
	case <-time.After(limit):
		return false
	}
}

// statusNow returns the current status of the worker's Blender.
func (w *worker) statusNow() api.BlenderStatus {
	w.engine.mu.Lock()
	b, st, turning := w.blender, w.status, w.turned != nil
	if turning && w.halted {
		st.State, st.Reason = api.BlenderStopped, ""
	}
	w.engine.mu.Unlock()
	if turning {
		return st
	}
	st = b.Status()
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	return w.seenLocked(st)
}

// processes returns the processes of the worker's Blender.
func (w *worker) processes() []api.ProcessStatus {
	w.engine.mu.Lock()
	b := w.blender
	w.engine.mu.Unlock()
	return b.Processes()
}
