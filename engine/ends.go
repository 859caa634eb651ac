package engine

import (
	"fmt"
	"time"

	"blendtray/api"
)

const (
	// endPatience is how long the end of a run waits at most until it is written down.
	endPatience = 5 * time.Millisecond
	// endResult is how many bytes the result of a run may have whose end waits. Blender leaves results
	// out of the journal that have more than 64 KiB as JSON.
	endResult = 8 << 10
)

// endMayWait reports whether the end r of a job's run can be written down a moment later, in the
// transaction in which the next run begins: a short run then needs one transaction. Blender's journal
// must have all of the end, because the next engine reads the journal when this engine dies before.
func (j *job) endMayWait(r *api.Run) bool {
	return j.journal.isPlain() && len(j.journal.wrote) == 0 &&
		j.journal.ended.State == r.State && r.Reason == "" && len(r.Result) <= endResult &&
		j.out.bytes() == 0 && !j.again && !j.repeat && len(j.carried) == 0
}

// postponeEndLocked has the end of a job's run, which is final, be written down a moment later. It
// needs turn.
func (e *Engine) postponeEndLocked(j *job) {
	e.ends = append(e.ends, j)
	if !e.endsDue { // one timer serves all ends: a new timer wakes the thread that waits for files and sockets
		e.endsDue = true
		time.AfterFunc(e.endPatience, e.writeOldEnds)
	}
}

// writeOldEnds writes the ends down when the oldest of them has waited for endPatience, and else has itself
// called again at that moment.
func (e *Engine) writeOldEnds() {
	e.turn.Lock()
	defer e.turn.Unlock()
	if len(e.ends) > 0 {
		if left := e.endPatience - time.Since(e.ends[0].over); left > 0 {
			time.AfterFunc(left, e.writeOldEnds)
			return
		}
	}
	e.endsDue = false
	e.writeEndsLocked()
}

// saveEndsLocked returns a function that writes down the ends that were postponed, within a
// transaction, and a function to be called when that transaction has ended, with its error. Both
// need turn.
func (e *Engine) saveEndsLocked() (save func() error, saved func(err error)) {
	ends := e.ends
	save = func() error {
		for _, j := range ends {
			if err := e.store.finishLocked(j.id, &j.run, kept{}); err != nil {
				return err
			}
		}
		return nil
	}
	return save, func(err error) {
		if err != nil || len(ends) == 0 {
			return // writeEnds tries them again
		}
		e.ends = nil
		e.store.count(len(ends), 0)
		e.mu.Lock()
		for _, j := range ends {
			j.saved = true
			delete(e.unsaved, j.id)
		}
		e.mu.Unlock()
		for _, j := range ends {
			e.dropJournal(j)
		}
	}
}

// writeEndsNow writes down the ends of runs that were postponed, so that the database finds runs by
// their states. Where something else is being written down it does nothing: to look at the runs is
// always quick.
func (e *Engine) writeEndsNow() {
	e.mu.Lock()
	none := len(e.unsaved) == 0
	e.mu.Unlock()
	if none || !e.turn.TryLock() {
		return
	}
	defer e.turn.Unlock()
	e.writeEndsLocked()
}

// writeEnds writes down the ends of runs that were postponed. Where that fails, they are ends that
// could not be written down, as others are.
func (e *Engine) writeEnds() {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.writeEndsLocked()
}

// writeEndsLocked does what writeEnds does. It needs turn.
func (e *Engine) writeEndsLocked() {
	if len(e.ends) == 0 {
		return
	}
	save, saved := e.saveEndsLocked()
	err := e.store.tx(save)
	if saved(err); err == nil {
		return
	}
	for _, j := range e.ends {
		j.journal.end(over{Run: j.run})
	}
	e.warn(fmt.Sprintf("the ends of %d runs are not written down yet and will be tried again: %v", len(e.ends), err))
	e.ends = nil
	poke(e.retries)
}
