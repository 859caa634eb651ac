package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const (
	// maxAttempts is how often a run is offered to a Blender that dies before it begins.
	maxAttempts = 3
	// maxResult is how many bytes of JSON a run's result may have to be kept.
	maxResult = 8 << 20
	// lookAgain is after how long a Blender that could not work is asked again when it
	// reports no change by itself.
	lookAgain = 5 * time.Second
	// outputPace is how often the output of a run that is on is written down.
	outputPace = 5 * time.Second
)

// worker takes runs from the queue and has one Blender do them, one after the other.
type worker struct {
	engine  *Engine
	blender Blender
	woken   chan struct{}     // the queue or Blender's state changed
	status  api.BlenderStatus // guarded by Engine.mu
}

func newWorker(e *Engine) *worker { return &worker{engine: e, woken: make(chan struct{}, 1)} }

// changed is called by Blender.
func (w *worker) changed(st api.BlenderStatus) {
	e := w.engine
	e.mu.Lock()
	w.status = st
	e.mu.Unlock()
	e.hub.publish(api.Event{Kind: api.KindBlender, Blender: &st})
	poke(w.woken)
}

// serve works until ctx ends; the run in hand is brought to its end.
func (w *worker) serve(ctx context.Context) {
	trouble := 0
	for ctx.Err() == nil {
		if !w.engine.hasWork() {
			w.wait(ctx, 0)
			continue
		}
		if err := w.blender.Ready(ctx); err != nil {
			w.wait(ctx, lookAgain)
			continue
		}
		j, code, err := w.engine.take()
		if err == nil && j != nil {
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

// wait returns when something changed, and after limit unless that is 0.
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

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (e *Engine) hasWork() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.halted && !e.stopping && e.queue.next(e.running) != nil
}

// take takes the next run from the queue and writes down that it runs. When that can't be
// written the run stays where it is: sent all the same, it would run a second time after a
// crash of the engine.
func (e *Engine) take() (*job, []byte, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	var j *job
	if !e.halted && !e.stopping {
		j = e.queue.next(e.running)
	}
	e.mu.Unlock()
	if j == nil {
		return nil, nil, nil
	}
	code := j.code
	if code == nil {
		var err error
		if code, err = e.store.code(context.Background(), j.id); err != nil {
			e.end(j, api.Run{State: api.Failed, Reason: "its source can't be read any more", Error: &api.ScriptError{
				Type: "OSError", Message: err.Error(),
			}})
			return nil, nil, err
		}
	}
	if err := e.store.setRunning(j.id, time.Now()); err != nil {
		e.block(err)
		return nil, nil, err
	}
	e.block(nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue.remove(j)
	e.running[j.id] = j
	j.run.State, j.run.Reason = api.Running, ""
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	e.remember(j)
	return j, code, nil
}

// block notes that no run can be begun because of err, or that runs can be again, and tells
// everybody when that is new.
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

// execute has Blender do a run and writes down what came of it. An error says that Blender
// did not take it and that it waits again.
func (w *worker) execute(j *job, code []byte) error {
	e := w.engine
	defer j.cancel(nil)
	s := &sink{engine: e, job: j}
	kept := e.keepOutput(j)
	out, err := w.blender.Run(j.ctx, j.request(code), s)
	s.end()
	kept()

	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	why, byStop := j.why, j.byStop
	j.why, j.byStop = "", false
	e.mu.Unlock()
	if err == nil {
		e.end(j, ending(out, why, byStop))
		return nil
	}
	switch {
	case why != "" && !byStop:
		e.end(j, api.Run{State: api.Cancelled, Reason: why})
		return nil
	case errors.Is(err, blender.ErrNotStarted) && why == "":
		j.attempts++
		if j.attempts >= maxAttempts {
			e.end(j, api.Run{State: api.Crashed, Error: crash(err)})
			return nil
		}
	}
	e.log.Info("run was not taken and waits again", "run", j.run.ID, "attempt", j.attempts, "error", err)
	e.requeue(j, s.shown)
	return fmt.Errorf("run %d: %w", j.id, err)
}

// keepOutput writes down what a run has printed every now and then, so that one that ends with
// the engine leaves it. The function it gives ends that and returns when nothing is written
// any more.
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
			if err := e.store.setOutput(j.id, n, j.out.String()); err != nil {
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

// ending is what Blender reports, in the words of a run.
func ending(out blender.Outcome, why string, byStop bool) api.Run {
	r := api.Run{
		State: api.State(out.Verdict), Error: out.Error, Result: out.Result, Outputs: out.Outputs,
		BlenderVersion: out.Version,
	}
	switch r.State {
	case api.Succeeded, api.Failed, api.TimedOut:
	case api.Cancelled:
		r.Reason = why
	case api.Crashed:
		if byStop { // it did not crash, it was stopped
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

// requeue puts a run that was not executed back to its place. turn is held.
func (e *Engine) requeue(j *job, shown bool) {
	if err := e.store.setQueued(j.id); err != nil {
		// It waits all the same. Should the engine die before it runs, it will be found
		// as interrupted, which is the safe side.
		e.log.Warn("cannot write down that a run waits again", "run", j.run.ID, "error", err)
	}
	e.mu.Lock()
	delete(e.running, j.id)
	j.run.State, j.run.StartedAt, j.run.Progress = api.Queued, nil, nil
	j.began, j.out = time.Time{}, newCapture(e.runs.OutputLimit)
	e.queue.push(j)
	e.remember(j)
	r := e.snapshot(j)
	e.mu.Unlock()
	if shown {
		e.publishRun(r)
	}
}
