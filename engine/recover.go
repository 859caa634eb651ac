package engine

import (
	"context"
	"fmt"
	"os"
	"time"

	"blendtray/api"
)

// maxSends is how often a run is sent that was never seen to begin: what ends engine after engine
// before its first line may be what it asks for.
const maxSends = 10

// recover takes over the runs that the last engine left. Waiting runs wait again. A run that was
// running has a journal, which says what became of it: when it had not begun, it waits again; when
// it had ended, it ends as it did; otherwise it was interrupted, and is repeated when its folder
// says that it may be. It needs no lock: nothing runs yet.
func (e *Engine) recover() error {
	if e.cfg.JournalDir != "" {
		if err := os.MkdirAll(e.cfg.JournalDir, 0o700); err != nil {
			return err
		}
	}
	if err := e.adoptJournals(); err != nil {
		return err
	}
	if err := e.loadQueue(); err != nil { // what waits decides about repeats
		return err
	}
	left, err := e.store.left()
	if err != nil {
		return err
	}
	for _, j := range left {
		if err := e.recoverRun(j); err != nil {
			return err
		}
	}
	e.sweepJournals()
	if err := e.loadQueue(); err != nil {
		return err
	}
	if e.stamps, err = e.store.stamps(); err != nil {
		return err
	}
	if e.helpers.imports, err = e.store.imports(); err != nil {
		return err
	}
	e.last, err = e.store.lastRuns()
	return err
}

// loadQueue makes the queue from what waits in the database.
func (e *Engine) loadQueue() error {
	jobs, err := e.store.queued()
	if err != nil {
		return err
	}
	e.queue = queue{}
	for _, j := range jobs {
		// What it saves is gone, and another scene must not be saved over its file.
		why := ""
		switch {
		case operationOf(&j.run) != "":
			why = "the engine ended before it began, and its session with it"
		case j.run.Script == saverName:
			why = "the engine ended before it began, and the Blender with the scene"
		}
		if why != "" {
			if err := e.store.interrupt(j.id, time.Now(), why, nil); err != nil {
				return err
			}
			continue
		}
		j.older = true
		if j.run.Blender == "" && len(e.cfg.Blenders) > 0 { // as earlier versions wrote the default Blender
			j.run.Blender = e.cfg.Blenders[0].Name
		}
		e.queue.push(j)
	}
	return nil
}

// recoverRun decides what becomes of a run that was running when the last engine ended.
func (e *Engine) recoverRun(j *job) error {
	if j.run.OnFarm() {
		return e.store.setQueued(j.id, j.repeats) // its job goes on there under the same key
	}
	j.journal = &journal{path: e.journalFile(j.id)}
	j.journal.look()
	switch {
	case j.journal.over != nil && j.journal.over.Queued:
		e.keepFramesLocked(j, false)
		return e.store.setQueued(j.id, j.journal.over.Repeats)
	case j.journal.over != nil:
		return e.recoverOver(j)
	case j.journal.ended != nil:
		return e.recoverEnd(j)
	case j.journal.untouched() && j.attempts < maxSends:
		e.warn(fmt.Sprintf("run %d had not begun when the engine ended, and waits again", j.id))
		return e.store.setQueued(j.id, j.repeats)
	case j.journal.untouched():
		return e.store.interrupt(j.id, time.Now(), fmt.Sprintf("it was sent %d times, and each time the engine ended before it began", j.attempts), nil)
	}
	if goes, err := e.recoverRender(j); goes || err != nil {
		return err
	}
	const reason = "the engine ended while it ran; what it printed last is lost. "
	if e.mayRepeat(j) {
		again, err := e.repeatOf(j)
		if err != nil {
			return err
		}
		if err := e.store.interrupt(j.id, time.Now(), reason+"It is repeated, as its folder allows", &again); err != nil {
			return err
		}
		e.warn(fmt.Sprintf("run %d was running when the engine ended and is repeated as run %d", j.id, again.job.id))
		return nil
	}
	if err := e.store.interrupt(j.id, time.Now(), reason+"It was not repeated", nil); err != nil {
		return err
	}
	e.warn(fmt.Sprintf("run %d was running when the engine ended and was not repeated; repeat it with: blendtray retry %d", j.id, j.id))
	return nil
}

// recoverOver writes down the end of a run that the last engine knew and could not write down, and
// repeats the run when that engine would have.
func (e *Engine) recoverOver(j *job) error {
	r := j.journal.over.Run
	if r.OutputBytes > j.run.OutputBytes && r.Reason == "" {
		r.Reason = "the engine ended before it could write the end down; what was printed last is lost"
	}
	r.OutputBytes = j.run.OutputBytes
	if string(r.Result) == "null" {
		r.Result = nil
	}
	if err := e.store.finish(j.id, &r, kept{}, j.journal.over.Again); err != nil {
		return err
	}
	e.note(fmt.Sprintf("run %d had %s when the engine ended, and is written down now", j.id, r.State))
	if !j.journal.over.Repeat || !e.mayRepeat(j) {
		return nil
	}
	again, err := e.repeatOf(j)
	if err == nil {
		err = e.store.insert(again)
	}
	if err == nil {
		e.note(fmt.Sprintf("run %d was cut off when Blender died and is repeated as run %s", j.id, again.job.run.ID))
	}
	return err
}

// recoverEnd writes down the end of a run that had ended when the last engine did.
func (e *Engine) recoverEnd(j *job) error {
	r, end := j.run, j.journal.ended
	at := j.journal.at.UTC().Round(0)
	r.State, r.ExitCode, r.Seconds, r.FinishedAt = end.State, &end.ExitCode, end.Seconds, &at
	r.Error, r.Result, r.Outputs = end.Error, end.Result, append([]string{}, end.Outputs...)
	if string(r.Result) == "null" {
		r.Result = nil
	}
	r.Reason = "the engine ended at the same time; what it printed last may be lost"
	if err := e.store.finish(j.id, &r, kept{}, false); err != nil {
		return err
	}
	e.note(fmt.Sprintf("run %d had %s when the engine ended, and is written down now", j.id, r.State))
	return nil
}

// mayRepeat reports whether a run that was cut off is repeated by itself, as often as its folder
// says, and unless a newer save of the script waits. The farm repeats its runs itself.
func (e *Engine) mayRepeat(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.folders[j.run.Folder]
	return f != nil && !j.run.OnFarm() && int(j.repeats) < int(f.policy.Retries) && e.queue.saved(j.run.Script) == nil
}

// repeatOf returns the run that repeats a run that was cut off.
func (e *Engine) repeatOf(old *job) (insert, error) {
	code, err := e.store.code(context.Background(), old.id)
	if err != nil {
		return insert{}, err
	}
	j := old.copyOf(code)
	j.chain, j.run.WrittenBy = old.chain, old.run.WrittenBy
	j.repeats, j.run.Origin, j.run.State = old.repeats+1, e.cfg.Origin, api.Queued
	j.run.QueuedAt = time.Now().UTC().Round(0)
	return insert{job: j, code: code}, nil
}
