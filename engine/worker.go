package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const (
	// maxAttempts is how often a run is offered to a Blender that dies before the run begins. The
	// death is not the script's, and the next Blender is another process.
	maxAttempts = 3
	// maxResult is how many bytes of JSON a kept result of a run may have.
	maxResult = 8 << 20
	// lookAgain is the wait before the worker asks a Blender again that could not work and
	// reports no change by itself.
	lookAgain = 5 * time.Second
	// outputPace is how often the output of a current run is written down.
	outputPace = 5 * time.Second
	// openPatience is how long a run waits for the open Blender that it asks for.
	openPatience = 10 * time.Second
)

// worker has its Blender, which has a name, execute runs from the queue, one after the other.
type worker struct {
	engine *Engine
	name   string
	// passing is true for a worker that serves runs in an open Blender. The worker ends when no
	// such run waits.
	passing bool
	woken   chan struct{}  // gets a signal when the queue, Blender's state or the wanted Blender has changed
	drawing sync.WaitGroup // the pictures of what runs left
	// expecting is held around telling the Blender what to expect. It is taken before Engine.mu.
	expecting sync.Mutex

	// Engine.mu guards the following fields.

	spec    api.BlenderSpec // the wanted Blender
	blender Blender
	kind    api.BlenderKind // the kind of blender, not the wanted kind until the worker turns over
	era     int             // counts the Blenders, so that the status of a left Blender is ignored
	status  api.BlenderStatus
	halted  bool                    // a person has stopped Blender: no run is sent
	retired bool                    // no Blender of this name is wanted any more
	rouse   context.CancelCauseFunc // ends the wait for Blender to be ready; nil when nobody waits
	end     context.CancelFunc      // ends the serving of blender; nil before the serving begins
	left    chan struct{}           // closed when the serving has ended
	turned  chan struct{}           // closed when the worker has turned over; nil while it does not turn over
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
		w.status = st
		e.mu.Unlock()
		e.hub.publish(api.Event{Kind: api.KindBlender, Blender: &st})
		poke(w.woken)
	}
}

// configure sets another specification. It holds from Blender's next start on or, where it asks
// for another kind of Blender, from the end of the current run on.
func (w *worker) configure(spec api.BlenderSpec) {
	e := w.engine
	e.mu.Lock()
	w.spec, w.retired = spec, false
	b, same := w.blender, w.kind == spec.Kind()
	w.rouseLocked()
	e.mu.Unlock()
	if same {
		b.Configure(spec)
	}
	poke(w.woken)
}

// retire makes the worker end after its current run.
func (w *worker) retire() {
	e := w.engine
	e.mu.Lock()
	w.retired = true
	w.rouseLocked()
	e.mu.Unlock()
	poke(w.woken)
}

// errRoused is why a wait for Blender ends when the queue or what is wanted has changed.
var errRoused = errors.New("something else is wanted")

// orRoused returns errRoused in the place of an error of a wait that was ended by it.
func orRoused(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errRoused) {
		return errRoused
	}
	return err
}

// rouseLocked ends the worker's wait for Blender, so that it looks at what is wanted now. It needs
// mu.
func (w *worker) rouseLocked() {
	if w.rouse != nil {
		w.rouse(errRoused)
	}
}

// serve works until ctx ends or the worker is retired. It finishes a current run before it
// returns.
func (w *worker) serve(ctx context.Context) {
	w.launch()
	defer w.drawing.Wait()
	for {
		w.work(ctx)
		if ctx.Err() != nil || !w.turnOver(ctx) {
			return
		}
	}
}

// launch begins the serving of the Blender, and starts the Blender unless a person has stopped
// it.
func (w *worker) launch() {
	e := w.engine
	life, end := context.WithCancel(context.Background())
	left := make(chan struct{})
	e.mu.Lock()
	b, halted := w.blender, w.halted
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
	e.mu.Unlock()
	if halted { // a person has stopped it meanwhile
		limited, cancel := context.WithTimeout(life, stopLimit)
		defer cancel()
		_ = b.Stop(limited) // it shows in the status
	}
}

// work executes runs until ctx ends or another Blender is wanted.
func (w *worker) work(ctx context.Context) {
	e := w.engine
	trouble := 0
	for ctx.Err() == nil && !w.isDue() {
		w.expect()
		if !e.hasWork(w) {
			if w.passing && e.finishPassing(w) {
				return
			}
			w.wait(ctx, 0)
			continue
		}
		if err := w.awaitReady(ctx); err != nil {
			if errors.Is(err, errRoused) {
				continue
			}
			if w.passing && ctx.Err() == nil {
				e.endQueued(w, err)
				continue
			}
			w.wait(ctx, lookAgain)
			continue
		}
		j, code, err := e.startNext(w)
		if err == nil && j != nil {
			w.expect() // without this one
			if err = w.execute(j, code); err == nil {
				w.drawPreview(ctx, j)
			}
		}
		if err == nil {
			trouble = 0
			continue
		}
		trouble++
		pause(ctx, min(100*time.Millisecond<<min(trouble-1, 10), lookAgain))
	}
}

// isDue reports whether the worker should leave its Blender.
func (w *worker) isDue() bool {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	return w.retired || w.kind != w.spec.Kind()
}

// awaitReady waits until Blender is ready to execute the next run. It fails as Blender's Ready
// does, and when another Blender is wanted meanwhile. For an open Blender it fails when a run has
// waited for openPatience.
func (w *worker) awaitReady(ctx context.Context) error {
	e := w.engine
	ctx, rouse := context.WithCancelCause(ctx)
	defer rouse(nil)
	e.mu.Lock()
	b := w.blender
	w.rouse = rouse
	var req blender.Request
	if j := e.nextLocked(w); j != nil {
		req = j.request(nil)
	}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		w.rouse = nil
		e.mu.Unlock()
	}()
	if w.isDue() {
		return errRoused
	}
	if !w.passing {
		return orRoused(ctx, b.Await(ctx, req))
	}
	limited, cancel := context.WithDeadline(ctx, w.patience())
	defer cancel()
	err := orRoused(ctx, b.Ready(limited))
	if errors.Is(err, errRoused) {
		return err
	}
	if err == nil {
		w.forgetPatience()
	}
	if err == nil || limited.Err() == nil {
		return err
	}
	if reason := b.Status().Reason; reason != "" {
		err = errors.New(reason)
	}
	return patienceError{err}
}

// patience returns until when the worker waits for an open Blender, which is as long as the most
// impatient of its runs does. The time of a run begins when the worker first waits with it.
func (w *worker) patience() time.Time {
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	standard := time.Now().Add(e.openPatience)
	until := standard
	for _, j := range e.queue.jobs {
		if !e.fitsLocked(j, w) {
			continue
		}
		if j.patience.IsZero() {
			j.patience = standard
		}
		if j.patience.Before(until) {
			until = j.patience
		}
	}
	return until
}

// forgetPatience lets each run of the worker wait anew, because Blender is there.
func (w *worker) forgetPatience() {
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range e.queue.jobs {
		if e.fitsLocked(j, w) {
			j.patience = time.Time{}
		}
	}
}

// patienceError is why an open Blender is not ready for the run that has waited longest.
type patienceError struct{ error }

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
	e.hub.publish(api.Event{Kind: api.KindBlender, Blender: &st})
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
	e.hub.publish(api.Event{Kind: api.KindBlender, Blender: &st})
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
	return b.Status()
}

// processes returns the processes of the worker's Blender.
func (w *worker) processes() []api.ProcessStatus {
	w.engine.mu.Lock()
	b := w.blender
	w.engine.mu.Unlock()
	return b.Processes()
}

// expect tells the Blender how many isolated runs wait for it, and with which .blend files the
// folders' runs begin.
func (w *worker) expect() {
	w.expecting.Lock() // what was counted last is told last
	defer w.expecting.Unlock()
	e := w.engine
	e.mu.Lock()
	b, n := w.blender, 0
	for _, j := range e.queue.jobs {
		if j.run.Isolation == api.IsolateProcess && e.fitsLocked(j, w) {
			if n++; n >= manyWait {
				break // more than any machine has cores for
			}
		}
	}
	var scenes []string
	if w.name == e.defaultBlender { // which executes the saves of all folders
		scenes = e.scenesLocked()
	}
	e.mu.Unlock()
	b.Expect(n, scenes)
}

// wait returns when something has changed, when ctx ends, or after limit unless limit is 0.
func (w *worker) wait(ctx context.Context, limit time.Duration) {
	var after <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-w.woken:
	case <-after:
	case <-ctx.Done():
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hasWork reports whether a run waits that the worker may execute.
func (e *Engine) hasWork(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nextLocked(w) != nil
}

// nextLocked returns the run that the worker should execute next, or nil. It needs mu.
func (e *Engine) nextLocked(w *worker) *job {
	if w.halted || w.retired || e.stopping {
		return nil
	}
	return e.queue.next(e.running, func(j *job) bool { return e.fitsLocked(j, w) })
}

// fitsLocked reports whether a worker has the Blender that a run asks for. It needs mu.
func (e *Engine) fitsLocked(j *job, w *worker) bool {
	return j.run.Blender == w.name || j.run.Blender == "" && w.name == e.defaultBlender
}

// finishPassing retires a passing worker for which no run waits, and reports whether it did.
func (e *Engine) finishPassing(w *worker) bool {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	wanted := e.queue.has(w.name) && !e.stopping
	w.retired = !wanted
	e.mu.Unlock()
	return !wanted
}

// endQueued ends the runs that wait for an open Blender that is not there, with err as the reason:
// after a [patienceError] those that have waited long enough, else all.
func (e *Engine) endQueued(w *worker, err error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	var over []*job
	_, some := errors.AsType[patienceError](err)
	e.mu.Lock()
	for _, j := range e.queue.jobs {
		if !e.stopping && !w.halted && e.fitsLocked(j, w) && !(some && time.Now().Before(j.patience)) {
			over = append(over, j)
		}
	}
	e.mu.Unlock()
	for _, j := range over {
		e.endLocked(j, api.Run{State: api.Failed, Error: &api.ScriptError{
			Type: "NoBlender", Message: "nothing was executed: " + err.Error(),
		}})
	}
}

// startNext takes the next run of a worker from the queue, writes down that the run is running,
// and returns it with its code. When that can't be written the run stays queued: if the run were
// sent all the same, it would run a second time after a crash of the engine.
func (e *Engine) startNext(w *worker) (*job, []byte, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	j := e.nextLocked(w)
	e.mu.Unlock()
	if j == nil {
		return nil, nil, nil
	}
	code := j.code
	if code == nil {
		var err error
		if code, err = e.store.code(context.Background(), j.id); err != nil {
			e.endLocked(j, api.Run{State: api.Failed, Reason: "its source can't be read any more", Error: &api.ScriptError{
				Type: "OSError", Message: err.Error(),
			}})
			return nil, nil, err
		}
	}
	e.mu.Lock()
	isOpen := w.kind == api.BlenderOpen
	e.mu.Unlock()
	j.journal = e.beginJournal(j.id, isOpen)
	if err := e.store.setRunning(j.id, time.Now()); err != nil {
		// The empty journal stays: where the database says that the run is running, because it could
		// not be queued again, the journal proves that it has not begun.
		e.block(err)
		return nil, nil, err
	}
	e.block(nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue.remove(j)
	e.running[j.id] = j
	j.worker = w
	j.run.State, j.run.Reason = api.Running, ""
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	e.rememberLocked(j)
	return j, code, nil
}

// block records that err keeps runs from beginning, or with nil that they can begin again, and
// tells every subscriber when that is new.
func (e *Engine) block(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	e.mu.Lock()
	old := e.blocked
	e.blocked = text
	e.mu.Unlock()
	switch {
	case text != "" && old == "":
		e.warn("queued runs wait: " + text)
	case text == "" && old != "":
		e.note("queued runs go on: they can be written down again")
	}
}

// execute has Blender execute a run and writes down how the run ended. An error means that
// Blender did not accept the run and that the run waits again.
func (w *worker) execute(j *job, code []byte) error {
	e := w.engine
	defer j.cancel(nil)
	e.mu.Lock()
	b := w.blender
	e.mu.Unlock()
	s := &sink{engine: e, job: j}
	kept := e.keepOutput(j)
	req := j.request(code)
	if req.Journal != "" {
		req.Watched = e.watchedDirs()
	}
	out, err := b.Run(j.ctx, req, s)
	s.end()
	kept()

	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	why, byStop, requeue := j.why, j.byStop, j.requeue
	j.why, j.byStop, j.requeue = "", false, false
	stopping := e.stopping
	e.mu.Unlock()
	j.journal.look()
	if err == nil {
		last := ending(out, why, byStop)
		switch cut := byStop && stopping && last.State == api.Cancelled; {
		case cut && (requeue || e.mayRepeat(j)):
			if !requeue {
				j.repeats++
			}
			e.requeueLocked(j, s.shown)
			e.note(fmt.Sprintf("run %s was ended with the engine, and runs again when the engine starts", j.run.ID))
			return nil
		case cut:
			last.State = api.Interrupted
		}
		j.again = out.FromOutside
		e.endCutLocked(j, last)
		return nil
	}
	switch {
	case why != "" && !byStop:
		e.endLocked(j, api.Run{State: api.Cancelled, Reason: why})
		return nil
	case j.journal.begun: // Blender died before the engine heard so
		e.endCutLocked(j, api.Run{State: api.Crashed, Error: &api.ScriptError{Type: "Crash", Message: err.Error()}})
		return nil
	case errors.Is(err, blender.ErrNotStarted) && why == "":
		j.refusals++
		var preparing *blender.PreparingError
		if errors.As(err, &preparing) {
			j.refusals++ // once more, and no more: the scene may be the cause
		}
		if j.refusals >= maxAttempts {
			e.endLocked(j, api.Run{State: api.Crashed, Error: crash(err)})
			return nil
		}
	}
	e.log.Info("run was not taken and waits again", "run", j.run.ID, "refusals", j.refusals, "error", err)
	e.requeueLocked(j, s.shown)
	return fmt.Errorf("run %d: %w", j.id, err)
}

// endCutLocked makes a job's run final, as endLocked does, and repeats it when Blender died and the
// run's folder says that such runs may be repeated. A repeat that can't be written down is made
// later. It needs turn.
func (e *Engine) endCutLocked(j *job, last api.Run) {
	j.repeat = last.State == api.Crashed && e.mayRepeat(j)
	e.endLocked(j, last)
	if err := e.repeatLocked(j); err != nil {
		e.warn(fmt.Sprintf("run %s is not repeated yet, it will be tried again: %v", j.run.ID, err))
		e.mu.Lock()
		e.unsaved[j.id] = j
		e.mu.Unlock()
		poke(e.retries)
	}
}

// repeatLocked makes the repeat of a run that is still to be repeated, unless a newer run of the
// script stands for it. It fails when the repeat can't be written down. It needs turn.
func (e *Engine) repeatLocked(j *job) error {
	e.mu.Lock()
	newer, stopping := e.last[j.run.Script].id > j.id, e.stopping
	e.mu.Unlock()
	if !j.repeat || newer || !e.mayRepeat(j) {
		j.repeat = false
		return nil
	}
	again, err := e.repeatOf(j)
	if err != nil {
		j.repeat = false
		e.warn(fmt.Sprintf("run %s could not be repeated: %v", j.run.ID, err))
		return nil
	}
	if stopping {
		err = e.store.insert(again) // the next engine executes it
	} else {
		_, err = e.acceptLocked(again)
	}
	if err != nil {
		return err
	}
	j.repeat = false
	e.note(fmt.Sprintf("run %s was cut off when Blender died and is repeated as run %s", j.run.ID, again.job.run.ID))
	return nil
}

// keepOutput writes down every few seconds what a run has printed, so that a run that is cut off
// with the engine leaves its output. It returns a function that ends the writing and returns
// after the last write.
func (e *Engine) keepOutput(j *job) (end func()) {
	ended, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		tick := time.NewTicker(e.outputPace)
		defer tick.Stop()
		saved := int64(0)
		for {
			select {
			case <-tick.C:
			case <-ended:
				return
			}
			n := j.out.bytes()
			if n == saved {
				continue
			}
			if err := e.store.setOutput(j.id, n, j.out.kept()); err != nil {
				e.log.Debug("cannot write down what a run has printed so far", "run", j.id, "error", err)
				continue
			}
			saved = n
		}
	}()
	return func() {
		close(ended)
		<-left
	}
}

// ending returns what Blender reported in the form of a run.
func ending(out blender.Outcome, why string, byStop bool) api.Run {
	r := api.Run{
		State: api.State(out.Verdict), Error: out.Error, Result: out.Result, Outputs: out.Outputs,
		BlenderVersion: out.Version,
	}
	switch r.State {
	case api.Succeeded, api.Failed:
		code := out.ExitCode
		if code == 0 && r.State == api.Failed {
			code = 1
		}
		r.ExitCode = &code
	case api.TimedOut:
	case api.Cancelled:
		r.Reason = why
	case api.Crashed:
		if byStop { // the run did not crash, it was stopped
			r.State, r.Error, r.Reason = api.Cancelled, nil, why
		}
	default:
		r.State = api.Crashed
		r.Error = &api.ScriptError{Type: "Crash", Message: fmt.Sprintf("Blender gave the unknown verdict %q", out.Verdict)}
	}
	if r.State == api.Cancelled && r.Reason == "" {
		r.Reason = "cancelled in Blender"
	}
	if len(r.Result) > maxResult {
		r.Reason = fmt.Sprintf("its result is not kept: it has %d bytes and may have %d", len(r.Result), maxResult)
		r.Result = nil
	}
	return r
}

// requeueLocked puts a run that was not executed back at its place in the queue. It needs turn.
func (e *Engine) requeueLocked(j *job, shown bool) {
	if err := e.store.setQueued(j.id, j.repeats); err != nil {
		// The run waits all the same. Should the engine die before the run begins, the next engine
		// finds the journal, which says so.
		j.journal.end(over{Queued: true, Repeats: j.repeats})
		e.log.Warn("cannot write down that a run waits again", "run", j.run.ID, "error", err)
	} else {
		e.dropJournal(j)
	}
	e.mu.Lock()
	delete(e.running, j.id)
	j.worker = nil
	j.run.State, j.run.StartedAt, j.run.Progress = api.Queued, nil, nil
	j.began, j.out = time.Time{}, newCapture(int(e.runs.Output))
	e.queue.push(j)
	e.rememberLocked(j)
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	if shown {
		e.publishRun(r)
	}
}
