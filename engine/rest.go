package engine

import (
	"context"
	"slices"
	"time"

	"blendtray/api"
)

// A Blender of the engine's own rests, without a process, until a run asks for it, a folder names it
// or a person starts it. It rests again some time after its last run. The default Blender never
// rests: most runs are for it.

// restingReason is what the status of a Blender that rests says.
const restingReason = "it starts when a run asks for it"

// mayRestLocked reports whether a worker's Blender rests while no run asks for it. It needs mu.
func (e *Engine) mayRestLocked(w *worker) bool {
	return w.name != e.defaultBlender && !w.passing && !w.pinned && !e.needed[w.name] && w.kind == api.BlenderOwn
}

// wake starts a Blender that rests and is needed now. asked tells that a run waits for it.
func (w *worker) wake(asked bool) {
	e := w.engine
	e.mu.Lock()
	wakes := w.resting && !w.halted && !w.retired && !e.stopping && (asked || !e.mayRestLocked(w))
	if wakes || asked {
		w.used = time.Now()
	}
	if wakes {
		w.resting = false
	}
	b := w.blender
	e.mu.Unlock()
	if wakes {
		b.Start()
	}
}

// idle waits for something to do, for at most limit unless limit is 0, and has Blender rest when it
// has not been used for long. A Blender that has a session is being used.
func (w *worker) idle(ctx context.Context, limit time.Duration) {
	e := w.engine
	inUse := w.hasSession()
	e.mu.Lock()
	if inUse {
		w.used = time.Now()
	}
	if e.mayRestLocked(w) && !w.resting && !w.halted && !e.busyLocked(w) {
		due := e.restAfter - time.Since(w.used)
		if due <= 0 {
			e.mu.Unlock()
			w.beginRest(ctx)
			return
		}
		if limit == 0 || due < limit {
			limit = due
		}
	}
	e.mu.Unlock()
	w.wait(ctx, limit)
}

// hasSession reports whether the worker's Blender has a session that has not ended.
func (w *worker) hasSession() bool {
	w.engine.mu.Lock()
	k, ok := w.blender.(sessionKeeper)
	w.engine.mu.Unlock()
	return ok && slices.ContainsFunc(k.Sessions(), func(s api.Session) bool { return s.State != api.SessionEnded })
}

// busyLocked reports whether a worker executes a run. It needs mu.
func (e *Engine) busyLocked(w *worker) bool {
	for _, j := range e.running {
		if j.worker == w {
			return true
		}
	}
	return false
}

// beginRest stops the Blender until it is needed. A Blender that the settings do not name is
// forgotten.
func (w *worker) beginRest(ctx context.Context) {
	e := w.engine
	e.turn.Lock()
	e.mu.Lock()
	arrives := e.arrival != nil && e.arrival.job.run.Blender == w.name
	if !e.queue.has(w.name) && !arrives && !e.stopping {
		w.resting, w.retired = true, w.found
	}
	resting, retired, b := w.resting, w.retired, w.blender
	e.mu.Unlock()
	e.turn.Unlock()
	if !resting || retired { // a worker that is retired stops its Blender as it leaves
		return
	}
	limited, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	_ = b.Stop(limited) // what has not stopped shows in the status
	e.mu.Lock()
	resting = w.resting
	e.mu.Unlock()
	if !resting { // a person has started it meanwhile
		b.Start()
	}
}

// seenLocked returns what a Blender says of itself as clients see it. It needs mu.
func (w *worker) seenLocked(st api.BlenderStatus) api.BlenderStatus {
	known := w.engine.machine.named[w.name]
	if st.Version == "" && st.Path == "" {
		st.Version, st.Path, st.Source = known.Version, known.Path, known.Source
	}
	if w.resting && !w.halted && st.State == api.BlenderStopped {
		st.Resting, st.Reason = true, restingReason
		if known.Error != "" {
			st.Reason = "it will not start: " + known.Error
		}
	}
	return st
}
