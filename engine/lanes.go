package engine

import (
	"context"
	"time"

	"blendtray/api"
)

// work executes runs until ctx ends or another Blender is wanted. It returns when all its runs have
// ended.
func (w *worker) work(ctx context.Context) {
	e := w.engine
	waits, leave := context.WithCancel(ctx)
	e.mu.Lock()
	w.takes, w.waits = true, map[need]*waiting{}
	e.wakeWorkersLocked()
	e.mu.Unlock()
	defer func() {
		leave()
		e.mu.Lock()
		for n := range w.waits {
			w.endWaitLocked(n)
		}
		w.takes, w.waits = false, nil
		e.wakeWorkersLocked()
		e.mu.Unlock()
		w.lanes.Wait()
	}()
	for ctx.Err() == nil && !w.isDue() {
		w.expect()
		w.wake(e.hasWaiting(w))
		again := w.fill(ctx, waits)
		if w.passing && e.finishPassing(w) {
			return
		}
		w.idle(ctx, again)
	}
}

// fill begins the runs that may begin now. It returns after how long it should be called again, or 0
// when it need not be called before the worker is woken. The waits that it begins end with waits.
func (w *worker) fill(ctx, waits context.Context) (again time.Duration) {
	e := w.engine
	again = w.tidyWaits()
	if w.passing && e.isWaited(w) {
		w.patience() // it begins for runs that have come meanwhile
	}
	for ctx.Err() == nil {
		e.promote(w)
		e.mu.Lock()
		j, _ := e.nextLocked(w)
		if j == nil || w.kind != w.spec.Kind() {
			e.mu.Unlock()
			return again
		}
		b, req, n := w.blender, j.request(nil), w.needLocked(j)
		arrives := e.arrival != nil && e.arrival.job == j
		follows := e.load.follows(j)
		e.mu.Unlock()
		switch free := follows || b.Free(req); {
		case !free && arrives:
			e.settle(j) // it waits in the queue, as any other run does
			continue
		case !free:
			w.await(waits, b, req, n)
			continue
		}
		code, begun, err := e.startNext(w, j)
		switch {
		case err != nil:
			e.mu.Lock()
			w.trouble++
			rest := w.backOffLocked()
			e.mu.Unlock()
			pause(ctx, rest)
		case begun:
			w.expect() // without this one
			if follows {
				e.watchFollowers()
			}
			w.lanes.Go(func() { w.lane(ctx, j, code) })
		}
	}
	return again
}

// lane executes a run that has been written down as running.
func (w *worker) lane(ctx context.Context, j *job, code []byte) {
	e := w.engine
	if err := w.execute(j, code); err != nil {
		w.rest(j)
		e.wakeWorkers()
		return
	}
	e.mu.Lock()
	w.trouble, w.used = 0, time.Now()
	e.mu.Unlock()
	w.drawPreview(ctx, j)
	w.keepThumbnails(ctx, j)
}

// startNext takes the run j of a worker from the queue, writes down that the run is running, and
// returns its code. It does nothing when it is not j's turn any more. When that can't be written the
// run stays queued: if the run were sent all the same, it would run a second time after a crash of
// the engine.
func (e *Engine) startNext(w *worker, j *job) (code []byte, begun bool, err error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	next, early := e.nextLocked(w)
	isOpen, a := w.kind == api.BlenderOpen, e.arrival
	e.mu.Unlock()
	if next != j {
		return nil, false, nil
	}
	if code = j.code; code == nil {
		if code, err = e.store.code(context.Background(), j.id); err != nil {
			e.endLocked(j, api.Run{State: api.Failed, Reason: "its source can't be read any more", Error: &api.ScriptError{
				Type: "OSError", Message: err.Error(),
			}})
			return nil, false, err
		}
	}
	if a != nil && a.job == j {
		if !e.startArrivalLocked(a, isOpen) {
			return nil, false, nil
		}
		defer e.tellLocked(a) // after mu is free
	} else if err := e.startQueuedLocked(j, isOpen); err != nil {
		return nil, false, err
	}
	e.block(nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	follows := e.load.follows(j)
	e.queue.remove(j)
	e.load.add(j)
	e.load.began(j, early, e.queue.lines)
	e.running[j.id] = j
	j.worker = w
	j.run.State, j.run.Reason = api.Running, ""
	x := newExecution()
	if j.execution != nil {
		x.began = j.began // of a render that goes on
	}
	if follows {
		x.follows = time.Now()
	}
	j.execution = x
	if j.out == nil {
		j.out = newCapture(int(e.runs.Output))
	}
	e.rememberLocked(j)
	return code, true, nil
}

// startQueuedLocked writes down that a run of the queue is about to be sent, with a journal that has no lines. It
// fails when that can't be written down, and then keeps runs from beginning. It needs turn.
func (e *Engine) startQueuedLocked(j *job, open bool) error {
	if j.journal != nil {
		j.journal.close()
	}
	if j.late.missing { // its journal alone has it, because it could not be queued again in the database
		if err := e.writeLaterLocked(); err != nil {
			e.block(err)
			return err
		}
	}
	e.mu.Lock()
	later := e.startMayWaitLocked(j, open)
	e.mu.Unlock()
	if later && e.noteLocked(j) {
		return nil
	}
	j.journal = &journal{} // nothing of a run on the farm happens here
	if !j.run.OnFarm() {
		j.journal = e.beginJournal(j.id, open, "")
	}
	save, saved := e.saveBesidesLocked()
	err := e.store.setRunning(j.id, time.Now(), save)
	if saved(err); err == nil {
		e.writtenLocked(j)
	} else {
		// The journal stays: where the database says that the run is running, because it could
		// not be queued again, the journal proves that it has not begun.
		e.block(err)
	}
	return err
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

// finishPassing retires a passing worker for which no run waits, and which executes none. It reports
// whether it did.
func (e *Engine) finishPassing(w *worker) bool {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	wanted := e.queue.has(w.name)
	for _, j := range e.running {
		wanted = wanted || j.worker == w
	}
	w.retired = !wanted || e.stopping
	return w.retired
}
