package engine

import (
	"context"
	"errors"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const (
	// lookAgain is the wait before the worker asks a Blender again that could not work and
	// reports no change by itself.
	lookAgain = 5 * time.Second
	// openPatience is how long a run waits for the open Blender that it asks for.
	openPatience = 10 * time.Second
)

// waiting is a wait for a Blender that is free for some runs. Engine.mu guards again and why.
type waiting struct {
	cancel context.CancelFunc
	// again is when a wait that has failed is tried again, or zero. An earlier change of Blender has
	// it tried again at once, unless it is a rest.
	again time.Time
	rest  bool
	why   string // why the wait has failed
}

// await begins to wait until Blender is free for runs like req, which n stands for. Until then such
// runs don't begin, and hold up no others.
func (w *worker) await(ctx context.Context, b Blender, req blender.Request, n need) {
	e := w.engine
	ctx, cancel := context.WithCancel(ctx)
	a := &waiting{cancel: cancel}
	e.mu.Lock()
	w.beginWaitLocked(n, a)
	e.wakeOthersLocked(w)
	e.mu.Unlock()
	w.lanes.Go(func() {
		defer cancel()
		err := w.awaitReady(ctx, b, req)
		if w.passing && err != nil && ctx.Err() == nil {
			e.endQueued(w, err)
			err = nil
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		switch {
		case w.waits[n] != a:
		case err == nil:
			w.endWaitLocked(n)
			e.wakeWorkersLocked()
		default:
			a.again, a.why = time.Now().Add(lookAgain), err.Error()
			poke(w.woken)
		}
	})
}

// beginWaitLocked has runs that ask for n wait. It needs mu.
func (w *worker) beginWaitLocked(n need, a *waiting) {
	w.waits[n] = a
	count(w.engine.load.waits, n, 1)
}

// endWaitLocked ends the wait of runs that ask for n, if they wait. It needs mu.
func (w *worker) endWaitLocked(n need) {
	if a := w.waits[n]; a != nil {
		a.cancel()
		delete(w.waits, n)
		count(w.engine.load.waits, n, -1)
	}
}

// rest has runs like one that Blender did not take wait for a while, for longer with each time.
func (w *worker) rest(j *job) {
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.waits == nil {
		return // the worker leaves the Blender
	}
	w.trouble++
	n := w.needLocked(j)
	w.endWaitLocked(n)
	w.beginWaitLocked(n, &waiting{cancel: func() {}, again: time.Now().Add(w.backOffLocked()), rest: true})
}

// backOffLocked returns for how long the worker rests after trouble. It needs mu.
func (w *worker) backOffLocked() time.Duration {
	return min(100*time.Millisecond<<min(max(w.trouble-1, 0), 10), lookAgain)
}

// tidyWaits ends the waits for which no run waits any more, and those that are to be tried again. It
// returns after how long it should be called again, or 0 where there is no need.
func (w *worker) tidyWaits() (again time.Duration) {
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for n, a := range w.waits {
		wanted := e.queue.needs[n] > 0
		wait := time.Until(a.again)
		switch {
		case !wanted && w.kind == api.BlenderOwn, !a.again.IsZero() && (wait <= 0 || w.renewed && !a.rest):
			w.endWaitLocked(n)
		case !a.again.IsZero() && (again == 0 || wait < again):
			again = wait
		}
	}
	w.renewed = false
	return again
}

// isWaited reports whether a run waits for the worker's Blender to be there.
func (e *Engine) isWaited(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(w.waits) > 0
}

// needLocked returns what a run asks of the worker's Blender, as [load.need] does. It needs mu.
func (w *worker) needLocked(j *job) need {
	if w.kind == api.BlenderOpen {
		return need{blender: w.name, isolation: api.IsolateKeep}
	}
	n := j.need()
	n.blender = w.name
	return n
}

// awaitReady waits until Blender is ready to execute a run, and fails as Blender's Await does. For an
// open Blender it fails when a run has waited for openPatience.
func (w *worker) awaitReady(ctx context.Context, b Blender, req blender.Request) error {
	if !w.passing {
		return b.Await(ctx, req)
	}
	limited, cancel := context.WithDeadline(ctx, w.patience())
	defer cancel()
	err := b.Ready(limited)
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
		if j.run.Blender != w.name {
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
		if j.run.Blender == w.name {
			j.patience = time.Time{}
		}
	}
}

// patienceError is why an open Blender is not ready for the run that has waited longest.
type patienceError struct{ error }

// expect tells the Blender how many isolated runs wait for it, and with which .blend files the
// folders' runs begin.
func (w *worker) expect() {
	w.expecting.Lock() // what was counted last is told last
	defer w.expecting.Unlock()
	e := w.engine
	e.mu.Lock()
	b, n := w.blender, e.queue.isolated(w.name)
	scenes := e.scenesLocked(w)
	e.mu.Unlock()
	b.Expect(min(n, api.MaxParallel), scenes)
}

// hasWaiting reports whether a run waits for the worker's Blender.
func (e *Engine) hasWaiting(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.has(w.name)
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
		if !e.stopping && !w.halted && j.run.Blender == w.name && !(some && time.Now().Before(j.patience)) {
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
