package engine

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const (
	// maxAttempts is how often a run is offered to a Blender that dies before the run begins. The
	// death is not the script's, and the next Blender is another process.
	maxAttempts = 3
	// maxResult is how many bytes of JSON a kept result of a run may have.
	maxResult = 8 << 20
	// outputPace is how often the output of a current run is written down.
	outputPace = 5 * time.Second
)

// execute has Blender execute a run and writes down how the run ended. An error means that
// Blender did not accept the run and that the run waits again.
func (w *worker) execute(j *job, code []byte) error {
	e := w.engine
	defer j.cancel(nil)
	e.mu.Lock()
	b := w.blender
	e.mu.Unlock()
	s := &sink{engine: e, job: j}
	kept := e.keepOutput(j)
	req := j.request(code)
	if req.Journal != "" {
		req.Watched = e.watchedDirs()
		if j.tellsImports && j.isFile {
			req.Watched = append(req.Watched, filepath.Dir(j.run.Script))
		}
	}
	if j.run.OnFarm() {
		e.askFarm(j, &req)
	}
	if req.Session != "" && req.SessionGone == "" {
		e.mu.Lock()
		req.SessionGone = e.lost[req.Session]
		e.mu.Unlock()
	}
	out, err := b.Run(j.ctx, req, s)
	if err == nil && req.SessionGone != "" {
		e.mu.Lock()
		delete(e.lost, req.Session)
		e.mu.Unlock()
	}
	s.end()
	kept()

	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	why, byStop, requeue, back := j.why, j.byStop, j.requeue, j.back
	j.why, j.byStop, j.requeue, j.back = "", false, false, false
	stopping := e.stopping
	j.waited = e.queue.has(w.name) // some of them begin in a moment
	e.mu.Unlock()
	j.journal.look()
	if err == nil {
		last := ending(out, why, byStop)
		switch cut := byStop && stopping && last.State == api.Cancelled; {
		case cut && operationOf(&j.run) == "" && (requeue || j.run.GoesOn() || e.mayRepeat(j)):
			e.keepFramesLocked(j, false)
			if !requeue && !j.run.GoesOn() {
				j.repeats++
			}
			e.requeueLocked(j, s.shown || j.run.OnFarm())
			text := "run %s was ended with the engine, and runs again when the engine starts"
			if j.run.OnFarm() {
				text = "run %s goes on on the farm, and the engine asks for its end when it starts again"
			}
			e.note(fmt.Sprintf(text, j.run.ID))
			return nil
		case cut:
			last.State = api.Interrupted
		case why == "" && e.goesOnLocked(j, &last):
			e.goOnLocked(j, last)
			return nil
		}
		j.again, j.imports = out.FromOutside, out.Imports
		e.endCutLocked(j, last)
		return nil
	}
	switch {
	case why != "" && !byStop:
		e.endLocked(j, api.Run{State: api.Cancelled, Reason: why})
		return nil
	case j.journal.begun: // Blender died before the engine heard so
		last := api.Run{State: api.Crashed, Error: &api.ScriptError{Type: "Crash", Message: err.Error()}}
		if why == "" && e.goesOnLocked(j, &last) {
			e.goOnLocked(j, last)
			return nil
		}
		e.endCutLocked(j, last)
		return nil
	case back && why == "":
		e.requeueLocked(j, s.shown)
		e.wakeWorkers() // the run before it may have ended meanwhile
		return nil
	case errors.Is(err, blender.ErrNotStarted) && why == "":
		j.refusals++
		var preparing *blender.PreparingError
		if errors.As(err, &preparing) {
			j.refusals++ // once more, and no more: the scene may be the cause
		}
		if j.refusals >= maxAttempts {
			e.endLocked(j, api.Run{State: api.Crashed, Error: crash(err)})
			return nil
		}
	}
	e.log.Info("run was not taken and waits again", "run", j.run.ID, "refusals", j.refusals, "error", err)
	e.requeueLocked(j, s.shown || j.run.OnFarm())
	return fmt.Errorf("run %d: %w", j.id, err)
}

// endCutLocked makes a job's run final, as endLocked does, and repeats it when Blender died and the
// run's folder says that such runs may be repeated. A repeat that can't be written down is made
// later. It needs turn.
func (e *Engine) endCutLocked(j *job, last api.Run) {
	j.repeat = last.State == api.Crashed && e.mayRepeat(j)
	e.endLocked(j, last)
	if err := e.repeatLocked(j); err != nil {
		e.warn(fmt.Sprintf("run %s is not repeated yet, it will be tried again: %v", j.run.ID, err))
		e.mu.Lock()
		e.unsaved[j.id] = j
		e.mu.Unlock()
		poke(e.retries)
	}
}

// repeatLocked makes the repeat of a run that is still to be repeated, unless a newer run of the
// script stands for it. It fails when the repeat can't be written down. It needs turn.
func (e *Engine) repeatLocked(j *job) error {
	e.mu.Lock()
	newer, stopping := e.last[j.run.Script].id > j.id, e.stopping
	e.mu.Unlock()
	if !j.repeat || newer || !e.mayRepeat(j) {
		j.repeat = false
		return nil
	}
	again, err := e.repeatOf(j)
	if err != nil {
		j.repeat = false
		e.warn(fmt.Sprintf("run %s could not be repeated: %v", j.run.ID, err))
		return nil
	}
	if stopping {
		err = e.store.insert(again) // the next engine executes it
	} else {
		_, err = e.acceptLocked(again)
	}
	if isNoBlender(err) {
		j.repeat = false
		e.warn(fmt.Sprintf("run %s is not repeated: %s", j.run.ID, reasonOf(err)))
		return nil
	}
	if err != nil {
		return err
	}
	j.repeat = false
	e.note(fmt.Sprintf("run %s was cut off when Blender died and is repeated as run %s", j.run.ID, again.job.run.ID))
	return nil
}

// keepOutput writes down every few seconds what a run has printed, so that a run that is cut off
// with the engine leaves its output. It returns a function that ends the writing and returns
// after the last write. For a run that ends before, only a timer is made.
func (e *Engine) keepOutput(j *job) (end func()) {
	ended, left := make(chan struct{}), make(chan struct{})
	first := time.AfterFunc(e.outputPace, func() {
		defer close(left)
		tick := time.NewTicker(e.outputPace)
		defer tick.Stop()
		saved := int64(0)
		for {
			if n := j.out.bytes(); n != saved {
				if err := e.store.setOutput(j.id, n, j.out.kept()); err != nil {
					e.log.Debug("cannot write down what a run has printed so far", "run", j.id, "error", err)
				} else {
					saved = n
					poke(e.tidy)
				}
			}
			select {
			case <-tick.C:
			case <-ended:
				return
			}
		}
	})
	return func() {
		if !first.Stop() {
			close(ended)
			<-left
		}
	}
}

// ending returns what Blender reported in the form of a run.
func ending(out blender.Outcome, why string, byStop bool) api.Run {
	r := api.Run{
		State: api.State(out.Verdict), Error: out.Error, Result: out.Result, Outputs: out.Outputs,
		BlenderVersion: out.Version,
	}
	switch r.State {
	case api.Succeeded, api.Failed:
		code := out.ExitCode
		if code == 0 && r.State == api.Failed {
			code = 1
		}
		r.ExitCode = &code
	case api.TimedOut:
	case api.Cancelled:
		r.Reason = why
	case api.Crashed:
		if byStop { // the run did not crash, it was stopped
			r.State, r.Error, r.Reason = api.Cancelled, nil, why
		}
	default:
		r.State = api.Crashed
		r.Error = &api.ScriptError{Type: "Crash", Message: fmt.Sprintf("Blender gave the unknown verdict %q", out.Verdict)}
	}
	if r.State == api.Cancelled && r.Reason == "" {
		r.Reason = cmp.Or(out.Note, "cancelled in Blender")
	}
	if r.Reason == "" {
		r.Reason = out.Note
	}
	if len(r.Result) > maxResult {
		r.Reason = fmt.Sprintf("its result is not kept: it has %d bytes and may have %d", len(r.Result), maxResult)
		r.Result = nil
	}
	return r
}

// requeueLocked puts a run that was not executed back at its place in the queue. It needs turn.
func (e *Engine) requeueLocked(j *job, shown bool) {
	waits := over{Queued: true, Repeats: j.repeats}
	begun := j.journal.begun // and ended with the engine: without this line the next engine takes it for cut off
	if begun {
		j.journal.end(waits)
	}
	var err error
	if j.late.missing {
		err = e.store.insert(insert{job: j, code: j.code, reserved: true})
	} else {
		err = e.store.setQueued(j.id, j.repeats)
	}
	if err != nil {
		// The run waits all the same. Should the engine die before the run begins, the next engine
		// finds the journal, which says so.
		if !begun {
			j.journal.end(waits)
		}
		e.log.Warn("cannot write down that a run waits again", "run", j.run.ID, "error", err)
	} else {
		e.writtenLocked(j)
		e.dropJournal(j)
	}
	e.mu.Lock()
	delete(e.running, j.id)
	e.load.remove(j)
	j.worker = nil
	j.run.State, j.run.StartedAt, j.run.Progress, j.run.PID = api.Queued, nil, nil, 0
	j.began, j.out = time.Time{}, nil
	e.queue.push(j)
	e.rememberLocked(j)
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	if shown {
		e.publishRun(r)
	}
}
