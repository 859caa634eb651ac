package engine

import (
	"slices"
	"time"

	"blendtray/api"
)

// arrivalPatience is how long a submission waits for the worker to write the run down, together with
// the run's start, before the submission writes the run down itself.
const arrivalPatience = 5 * time.Millisecond

// arrival is a run that can start at once, and that nothing but its submission knows yet. The worker
// writes down in one transaction that the run was made and that it is running, or in a session of short
// runs leaves that to the run's journal for now ([note]): that costs a short run less than two
// transactions. Until then the run has no id, and an engine that dies leaves nothing of it, as of a
// submission that was not answered.
//
// All runs of the queue came before the arrival: when another run comes, the arrival goes into the
// queue first.
type arrival struct {
	insert
	made func(id string) // called with the id, before the run can do anything
	// queued is the run as its submission returns it, and err why there is none. They are set before
	// written is closed.
	queued api.Run
	err    error
	// patience is how long its submission waits at most for the worker.
	patience time.Duration
	written  chan struct{} // closed when the run was written down, or can't be
}

// arriveLocked makes a run the engine's arrival, and returns nil where the run would not be the next
// to begin. It needs turn.
func (e *Engine) arriveLocked(in insert, made func(id string)) *arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := in.job
	w := e.workerLocked(j.run.Blender)
	if e.stopping || e.arrival != nil || e.blocked != "" ||
		w == nil || w.passing || w.kind == api.BlenderOpen || w.delayLocked() != "" || e.prepareLocked(j) != nil {
		return nil
	}
	j.line = lineOf(j)
	if e.joinsLocked(j.line) || !e.queue.arrives(e.loadLocked(), j) {
		return nil
	}
	a := &arrival{insert: in, made: made, written: make(chan struct{}), patience: arrivalPatience}
	e.arrival = a
	if next, _ := e.nextLocked(w); next != j {
		e.arrival = nil
		return nil
	}
	poke(w.woken)
	return a
}

// awaitArrival returns the run of an arrival when the run was written down: by the worker, or where
// the worker does not come to it in time, as any other run is. It fails as acceptLocked does, and
// then the run is not there.
func (e *Engine) awaitArrival(a *arrival) (api.Run, error) {
	late := time.NewTimer(a.patience)
	defer late.Stop()
	select {
	case <-a.written:
	case <-late.C:
		e.settle(a.job)
		<-a.written
	}
	return a.queued, a.err
}

// settle puts a job that is the engine's arrival into the queue. It does nothing when the job is not
// the arrival any more.
func (e *Engine) settle(j *job) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	arrives := e.arrival != nil && e.arrival.job == j
	joins := slices.ContainsFunc(e.joining, func(a *arrival) bool { return a.job == j })
	e.mu.Unlock()
	if arrives {
		e.settleLocked()
	}
	if joins {
		e.settleJoiningLocked()
	}
}

// settleLocked puts the engine's arrival, if there is one, into the queue, before the runs that join behind
// it. Where that fails, the run is not there and its submission fails. It needs turn.
func (e *Engine) settleLocked() {
	e.mu.Lock()
	a := e.arrival
	e.arrival = nil
	e.mu.Unlock()
	if a == nil {
		return
	}
	if a.queued, a.err = e.addLocked(a.insert); a.err == nil {
		a.made(a.queued.ID)
	}
	close(a.written)
}

// startArrivalLocked writes down that an arrival was made and is about to be sent: in the note of its journal
// where the database may have it later, and else in one transaction, with a journal that has no lines. Where that can't be written down, it puts the arrival into the queue and
// returns false. Else the caller calls tellLocked when the run is running. startArrivalLocked needs turn.
func (e *Engine) startArrivalLocked(a *arrival, open bool) bool {
	j := a.job
	e.mu.Lock()
	e.arrival = nil // nobody else looks at the job while it is being written down
	later := e.startMayWaitLocked(j, open)
	e.mu.Unlock()
	var err error
	if !later || !e.noteNewLocked(j) {
		save, saved := e.saveBesidesLocked()
		err = e.store.insertRunning(a.insert, time.Now(), func() { j.journal = e.beginJournal(j.id, open, "") }, save)
		saved(err)
	}
	if err != nil {
		if j.journal != nil {
			j.journal.remove() // the next run has its id
		}
		j.forgetID()
		j.journal = nil
		e.mu.Lock()
		e.arrival = a
		e.mu.Unlock()
		e.settleLocked()
		return false
	}
	e.mu.Lock()
	a.queued = e.snapshotLocked(j)
	e.mu.Unlock()
	return true
}

// tellLocked tells every subscriber and the submission of an arrival that the run was queued, when the run can be found
// among those that are running. It needs turn.
func (e *Engine) tellLocked(a *arrival) {
	e.publishRun(a.queued)
	a.made(a.queued.ID)
	poke(e.tidy)
	close(a.written)
}
