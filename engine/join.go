package engine

import (
	"errors"
	"slices"
	"time"

	"blendtray/api"
)

// joinPatience is how long a run that waits behind quick runs of its session waits at most until it is
// written down as a run that waits.
const joinPatience = 20 * time.Millisecond

// joinLocked has a run that waits behind quick runs of its session be written down when its turn comes,
// which is mostly within a moment, or together with other runs. It returns nil where its turn will not
// come soon. Until then the run has no id, as an [arrival] has none. joinLocked needs turn.
func (e *Engine) joinLocked(in insert, made func(id string)) *arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := in.job
	w := e.workerLocked(j.run.Blender)
	if e.stopping || e.blocked != "" || w == nil || w.passing || w.delayLocked() != "" || e.prepareLocked(j) != nil {
		return nil
	}
	j.line = lineOf(j)
	comes := e.arrival != nil && e.arrival.job.line == j.line
	if !e.load.quick[j.line] || e.load.running[j.line] == 0 && !comes && !e.joinsLocked(j.line) || w.waits[w.needLocked(j)] != nil {
		return nil
	}
	a := &arrival{insert: in, made: made, written: make(chan struct{}), patience: joinPatience}
	e.joining = append(e.joining, a)
	if e.load.running[j.line] == 0 {
		poke(w.woken)
	}
	return a
}

// promote makes the first of the runs that join the engine's arrival, of those that a worker may begin
// now. A run that waits in the queue behind which it came begins before.
func (e *Engine) promote(w *worker) {
	may := func() int {
		if e.arrival != nil || w.halted || w.retired || e.stopping || e.blocked != "" {
			return -1
		}
		l := e.loadLocked()
		return slices.IndexFunc(e.joining, func(a *arrival) bool { return a.job.run.Blender == w.name && e.queue.arrives(l, a.job) })
	}
	e.mu.Lock()
	i := may()
	e.mu.Unlock()
	if i < 0 {
		return
	}
	e.turn.Lock() // nobody writes down what joins
	defer e.turn.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := may(); i >= 0 {
		e.arrival = e.joining[i]
		e.joining = slices.Delete(slices.Clone(e.joining), i, i+1)
	}
}

// joinsLocked reports whether a run of a line waits to be written down with another. It needs mu.
func (e *Engine) joinsLocked(of line) bool {
	return slices.ContainsFunc(e.joining, func(a *arrival) bool { return a.job.line == of })
}

// saveBesidesLocked returns a function that writes down within a transaction what waits for the next
// transaction: what has become of short runs, and the runs that join. It returns besides a function to be called when the
// transaction has ended, with its error. Both need turn.
func (e *Engine) saveBesidesLocked() (save func() error, saved func(err error)) {
	saveEnds, endsSaved := e.saveLaterLocked()
	e.mu.Lock()
	joining := e.joining
	e.mu.Unlock()
	if len(joining) == 0 {
		return saveEnds, endsSaved
	}
	save = func() error {
		if err := saveEnds(); err != nil {
			return err
		}
		for _, a := range joining {
			if err := e.store.insertLocked(a.insert); err != nil {
				return err
			}
		}
		return nil
	}
	return save, func(err error) {
		endsSaved(err)
		if err == nil {
			e.joinedLocked(joining)
			return
		}
		for _, a := range joining { // each tries it alone when its time is over
			a.job.forgetID()
		}
	}
}

// joinedLocked puts the runs that have joined a transaction into the queue. It needs turn.
func (e *Engine) joinedLocked(joining []*arrival) {
	e.mu.Lock()
	e.joining = nil
	e.mu.Unlock()
	for _, a := range joining {
		a.queued = e.queueLocked(a.insert)
		a.made(a.queued.ID)
		close(a.written)
	}
}

// settleJoiningLocked writes the runs down that wait to be written down with another, and puts them
// into the queue. Where that fails, each is tried alone, and its submission fails where it can't be
// written down. When the database can't be written, the others are not tried: where another program holds
// it, each try takes two seconds. It needs turn.
func (e *Engine) settleJoiningLocked() {
	e.mu.Lock()
	joining, stopping := e.joining, e.stopping
	e.mu.Unlock()
	if len(joining) == 0 {
		return
	}
	if !stopping {
		save, saved := e.saveBesidesLocked()
		err := e.store.tx(save)
		if saved(err); err == nil {
			return
		}
	}
	e.mu.Lock()
	e.joining = nil
	e.mu.Unlock()
	var unwritable error
	for _, a := range joining {
		a.job.forgetID()
		if a.err = unwritable; a.err == nil {
			a.queued, a.err = e.addLocked(a.insert)
		}
		if errors.Is(a.err, api.ErrStorage) {
			unwritable = a.err
		}
		if a.err == nil {
			a.made(a.queued.ID)
		}
		close(a.written)
	}
}

// forgetID takes the id back that a transaction has given the job and that has failed.
func (j *job) forgetID() { j.id, j.place, j.run.ID = 0, 0, "" }
