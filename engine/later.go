package engine

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"blendtray/api"
)

const (
	// laterPatience is how long what has become of a short run waits at most until it is written down.
	laterPatience = 5 * time.Millisecond
	// endResult is how many bytes the result of a run may have whose end waits. Blender leaves results
	// out of the journal that have more than 64 KiB as JSON.
	endResult = 8 << 10
	// noteCode is how many bytes of code a run may have that only its journal has.
	noteCode = 8 << 10
)

// lateness is what the journal of a job knows and the database does not. Engine.turn guards it.
type lateness struct {
	// since is when the job came into Engine.later, or zero where it is not there.
	since time.Time
	// missing: the database does not have the run. The note in the journal has all of it.
	missing bool
	sent    time.Time // when the run was sent last
}

// endMayWait reports whether the end r of a job's run can be written down a moment later, in the
// transaction in which the next run begins: a short run then needs one transaction. Blender's journal
// must have all of the end, because the next engine reads the journal when this engine dies before.
func (j *job) endMayWait(r *api.Run) bool {
	return j.journal.isPlain() && len(j.journal.wrote) == 0 &&
		j.journal.ended.State == r.State && r.Reason == "" && len(r.Result) <= endResult &&
		j.out.bytes() == 0 && !j.again && !j.repeat && len(j.carried) == 0
}

// startMayWaitLocked reports whether it can be written down a moment later that a run was made and sent.
// That holds for code in a session of short runs: several of them are then written down in one
// transaction, each once, after its end. Until then the journal has the run, and the next engine reads
// the journal when this engine dies before. It needs turn and mu.
func (e *Engine) startMayWaitLocked(j *job, open bool) bool {
	return !open && e.cfg.JournalDir != "" && e.blocked == "" && !e.stopping && !e.laterFails &&
		j.line.kind == sessionLine && e.load.quick[j.line] &&
		!j.isFile && j.run.Render == nil && operationOf(&j.run) == "" && j.run.Key == "" && j.run.RetryOf == "" && j.chain == nil &&
		j.code != nil && len(j.code) <= noteCode && utf8.Valid(j.code) // as JSON has it
}

// postponeLocked has what became of a job be written down a moment later. It needs turn.
func (e *Engine) postponeLocked(j *job) {
	if !j.late.since.IsZero() {
		return
	}
	j.late.since = time.Now()
	e.later = append(e.later, j)
	if !e.laterDue { // one timer serves all jobs: a new timer wakes the thread that waits for files and sockets
		e.laterDue = true
		time.AfterFunc(e.laterPatience, e.writeOldLater)
	}
}

// writeOldLater writes down what waits when the oldest of it has waited for laterPatience, and else has
// itself called again at that moment.
func (e *Engine) writeOldLater() {
	e.turn.Lock()
	defer e.turn.Unlock()
	if len(e.later) > 0 {
		if left := e.laterPatience - time.Since(e.later[0].late.since); left > 0 {
			time.AfterFunc(left, e.writeOldLater)
			return
		}
	}
	e.laterDue = false
	_ = e.writeLaterLocked() // it is tried again
}

// saveLocked writes down within a transaction what has become of a job, as it stands now. It needs turn.
func (e *Engine) saveLocked(j *job) error {
	e.mu.Lock()
	state := j.run.State
	e.mu.Unlock()
	switch {
	case j.late.missing:
		in := insert{job: j, code: j.code, reserved: true}
		if state.Final() {
			in.last = &j.run // nobody changes it any more
		}
		if state != api.Queued {
			in.sent = j.late.sent
		}
		return e.store.insertLocked(in)
	case state.Final():
		return e.store.finishLocked(j.id, &j.run)
	case state == api.Queued:
		return e.store.queueLocked(j.id, j.repeats)
	}
	return e.store.startLocked(j.id, j.late.sent)
}

// saveLaterLocked returns a function that writes down within a transaction what waits, and a function to
// be called when that transaction has ended, with its error. Both need turn.
func (e *Engine) saveLaterLocked() (save func() error, saved func(err error)) {
	later := e.later
	save = func() error {
		for _, j := range later {
			if err := e.saveLocked(j); err != nil {
				return err
			}
		}
		return nil
	}
	return save, func(err error) {
		if err != nil || len(later) == 0 {
			return // writeLaterLocked tries them again
		}
		e.later = nil
		var ended []*job
		e.mu.Lock()
		e.laterFails = false
		for _, j := range later {
			j.late.missing, j.late.since = false, time.Time{}
			if j.run.State.Final() {
				j.saved = true
				delete(e.unsaved, j.id)
				ended = append(ended, j)
			}
		}
		e.mu.Unlock()
		e.store.count(len(ended), 0)
		for _, j := range ended {
			e.dropJournal(j)
		}
	}
}

// writtenLocked notes that all of a job is in the database. It needs turn.
func (e *Engine) writtenLocked(j *job) {
	j.late.missing = false
	e.notLaterLocked(j)
}

// notLaterLocked has nothing of a job be written down later. It needs turn.
func (e *Engine) notLaterLocked(j *job) {
	if !j.late.since.IsZero() {
		j.late.since = time.Time{}
		e.later = slices.DeleteFunc(e.later, func(k *job) bool { return k == j })
	}
}

// lookPatience is how long a look at the runs waits at most for something else that is being written down.
const lookPatience = 100 * time.Millisecond

// writeLaterNow writes down what waits, so that the database finds all runs, and by their states. Where
// something else takes long to be written down, or nothing can be, it does nothing: to look at the runs is
// always quick.
func (e *Engine) writeLaterNow() {
	e.mu.Lock()
	none := len(e.unsaved) == 0 && len(e.running) == 0 || e.laterFails // the keeper tries it again
	e.mu.Unlock()
	if none {
		return
	}
	if e.turn.TryLock() {
		defer e.turn.Unlock()
		_ = e.writeLaterLocked() // it is tried again
		return
	}
	late := time.NewTimer(e.lookPatience)
	defer late.Stop()
	select {
	case <-e.writeForLooks():
	case <-late.C:
	}
}

// writeForLooks writes down what waits when turn is free, for all looks at the runs that come until then. It
// returns a channel that is closed when that is done.
func (e *Engine) writeForLooks() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.looked != nil {
		return e.looked
	}
	written := make(chan struct{})
	e.looked = written
	go func() {
		defer close(written)
		e.turn.Lock()
		defer e.turn.Unlock()
		e.mu.Lock()
		e.looked = nil // a look that comes now may be after a run that is not written down with these
		e.mu.Unlock()
		_ = e.writeLaterLocked() // it is tried again
	}()
	return written
}

// writeLaterLocked writes down what waits. Where that fails, it is tried again. It needs turn.
func (e *Engine) writeLaterLocked() error {
	if len(e.later) == 0 {
		return nil
	}
	save, saved := e.saveLaterLocked()
	err := e.store.tx(save)
	if saved(err); err == nil {
		return nil
	}
	e.mu.Lock()
	known := e.laterFails
	e.laterFails = true
	e.mu.Unlock()
	ends := 0
	e.later = slices.DeleteFunc(e.later, func(j *job) bool {
		if !j.run.State.Final() {
			return false
		}
		ends++
		j.late.since = time.Time{} // it is among those whose end is not in the database
		j.journal.end(over{Run: j.run})
		return true
	})
	if !known || ends > 0 { // else it was told before
		e.warn(fmt.Sprintf("what became of %d runs is not written down yet and will be tried again: %v", ends+len(e.later), err))
	}
	poke(e.retries)
	return err
}
