package engine

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// quiet is how long no run may have ended before the engine tidies up. busy is the time
	// after which the engine tidies up all the same.
	quiet = time.Second
	busy  = 30 * time.Second
	// firstRetry and lastRetry are the shortest and the longest wait before the engine repeats a
	// failed write.
	firstRetry = time.Second
	lastRetry  = 5 * time.Second
	// pruneStep is how many runs are deleted in one transaction.
	pruneStep = 50
	// pruneSteps is how many of these transactions follow each other.
	pruneSteps = 20
	// largeLog is the size in bytes of the log beside the database from which on the engine takes the
	// log over into the database even while runs are being made.
	largeLog = 2 * keptLog
	// keptOutput is how many bytes of output the whole history keeps; the oldest output is
	// deleted first.
	keptOutput = 1 << 30
)

// keep looks after the database: it repeats failed writes, deletes what is too old, and takes
// the log over into the database, all at moments when nobody waits for the database. It sleeps
// when it has nothing to do.
func (e *Engine) keep(ctx context.Context) {
	var tidy, retry <-chan time.Time
	var first, tried, looked time.Time
	wait, most := firstRetry, e.largeLog
	poke(e.tidy)
	for {
		select {
		case <-ctx.Done():
			if err := e.writeUnsaved(); err != nil {
				e.log.Error("ends of runs could not be written down; they will be found as interrupted", "error", err)
			}
			return
		case <-e.tidy:
			if tidy == nil {
				first = time.Now()
			}
			if tidy == nil || time.Since(first) < busy {
				tidy = time.After(quiet)
			}
			if time.Since(looked) >= quiet {
				most, looked = e.limitLog(most), time.Now()
			}
		case <-tidy:
			tidy = nil
			for step := 0; e.prune(); step++ { // others have their turn between two steps
				if step == pruneSteps {
					poke(e.tidy) // more is left to delete
					break
				}
			}
			e.sweepScripts()
			e.mu.Lock()
			e.byInode = nil // the next scan makes it anew
			e.mu.Unlock()
			e.checkpoint()
		case <-e.retries:
			if retry != nil {
				break
			}
			if time.Since(tried) > 2*lastRetry {
				wait = firstRetry
			}
			retry = time.After(wait)
		case <-retry:
			retry, tried = nil, time.Now()
			wait = min(2*wait, lastRetry)
			err := e.writeUnsaved()
			if err == nil {
				err = e.takeHeld()
			}
			if err != nil {
				e.log.Warn("the run history still cannot be written", "error", err)
				poke(e.retries)
				break
			}
			wait = firstRetry
			// A scan whose end could not be written down is made again.
			e.watcher.Rescan()
			e.wakeWorkers()
			poke(e.helpers.stale)
		}
	}
}

// writeUnsaved writes down the ends and the repeats of runs that could not be written before. It
// returns nil when the database can be written again.
func (e *Engine) writeUnsaved() error {
	e.turn.Lock()
	defer e.turn.Unlock()
	waits := e.writeLaterLocked()
	e.mu.Lock()
	jobs := make([]*job, 0, len(e.unsaved))
	for _, j := range e.unsaved {
		if !slices.Contains(e.later, j) { // it is written down in a moment
			jobs = append(jobs, j)
		}
	}
	e.mu.Unlock()
	for _, j := range jobs {
		if !j.saved {
			// The run is final, so nobody changes it any more.
			if err := e.saveEndLocked(j, j.run, j.out.kept()); err != nil {
				return err
			}
			j.saved = true
			e.dropJournal(j)
			e.note(fmt.Sprintf("run %s is written down now", j.run.ID))
		}
		if err := e.repeatLocked(j); err != nil {
			return err
		}
		e.mu.Lock()
		delete(e.unsaved, j.id)
		e.mu.Unlock()
	}
	if waits != nil {
		return waits
	}
	err := e.store.touch()
	if err == nil {
		e.mu.Lock()
		e.laterFails = false
		e.mu.Unlock()
	}
	return err
}

// prune deletes a few of the runs beyond the limits of the history and reports whether more are
// left to delete.
func (e *Engine) prune() bool {
	more, err := e.store.prune(int(e.runSettings().History), keptOutput)
	if err != nil {
		e.log.Warn("cannot delete old runs, will try again later", "error", err)
		return false
	}
	return more
}

// checkpoint takes the log over into the database when no run is running. The first write after that
// flushes the disk: it is made at once, so that no save pays for it.
func (e *Engine) checkpoint() {
	e.mu.Lock()
	idle := len(e.running) == 0
	e.mu.Unlock()
	if idle { // else the end of the current run leads here again
		e.takeLogOver()
	}
}

// limitLog takes the log over into the database when it has most bytes, whatever is running, and returns
// how many bytes it may have the next time.
func (e *Engine) limitLog(most int64) int64 {
	if e.store.logSize() < most {
		return most
	}
	if !e.takeLogOver() {
		return most
	}
	size := e.store.logSize()
	if size < most {
		return e.largeLog
	}
	// To try at each look would flush the disk each time.
	e.log.Warn("the log beside the run history did not begin anew, because a program was reading the run history", "bytes", size)
	return size + e.largeLog/2
}

// takeLogOver takes the log over into the database, and reports whether that succeeded.
func (e *Engine) takeLogOver() bool {
	err := e.store.checkpoint()
	if err != nil {
		e.log.Warn("cannot take the log over into the run history, will try again later", "error", err)
	}
	return err == nil
}
