package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
)

// SetBlenders sets the Blenders that the engine has from now on. The first is the default: runs
// that name no Blender are executed in it. The others rest until a folder names them, a run asks for
// them, or a person starts them.
//
// A Blender that is there already takes over changes at its next start. When its kind has changed, the
// engine leaves the Blender at the end of its current run and begins with a Blender of the new kind;
// queued runs are not lost. A Blender whose name is not among specs any more is stopped at the end of
// its current run, and its queued runs are refused. SetBlenders fails, and changes nothing, when a
// name is empty or appears twice.
func (e *Engine) SetBlenders(specs []api.BlenderSpec) error {
	for i, spec := range specs {
		if spec.Name == "" {
			return fmt.Errorf("%w: a Blender needs a name", api.ErrBad)
		}
		if slices.ContainsFunc(specs[:i], func(other api.BlenderSpec) bool { return other.Name == spec.Name }) {
			return fmt.Errorf("%w: there are two Blenders with the name %s", api.ErrBad, spec.Name)
		}
	}
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.turn.Lock()
	defer e.turn.Unlock()
	old := e.allWorkers()
	var workers, added []*worker
	for i, spec := range specs {
		at := slices.IndexFunc(old, func(w *worker) bool { return w.name == spec.Name && !w.passing && w.kind != api.BlenderFarm })
		if at < 0 {
			w := newWorker(e, spec)
			w.resting = i > 0
			workers, added = append(workers, w), append(added, w)
			continue
		}
		e.mu.Lock()
		old[at].found = false // the settings name it now
		e.mu.Unlock()
		old[at].configure(spec)
		workers = append(workers, old[at])
	}
	for _, w := range old {
		if w.passing || w.kind == api.BlenderFarm {
			workers = append(workers, w)
		} else if w.found && len(specs) > 0 {
			w.configure(foundSpec(specs[0], w.name, w.spec.Path))
			workers = append(workers, w)
		} else if !slices.Contains(workers, w) {
			w.retire()
			if e.serving {
				workers = append(workers, w) // it removes itself when its Blender has ended
			}
		}
	}
	e.mu.Lock()
	e.workers = workers
	if len(specs) > 0 {
		e.defaultBlender, e.base = specs[0].Name, specs[0]
	}
	e.forgetMachineLocked()
	e.mu.Unlock()
	for _, w := range added {
		e.employLocked(w)
	}
	if e.serving { // else it is found out first which Blenders the system has
		e.refuseOrphansLocked()
	}
	poke(e.arrange)
	return nil
}

// employLocked has a worker begin, if the engine is serving. It needs turn.
func (e *Engine) employLocked(w *worker) {
	e.mu.Lock()
	stopping := e.stopping
	e.mu.Unlock()
	if e.serving && !stopping {
		e.working.start(w.serve)
	}
}

// allWorkers returns all workers. The engine replaces the slice and never changes it.
func (e *Engine) allWorkers() []*worker {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.workers
}

// dismissLocked forgets a worker. It needs turn.
func (e *Engine) dismissLocked(w *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.workers = slices.DeleteFunc(slices.Clone(e.workers), func(other *worker) bool { return other == w })
}

// workerLocked returns the worker of a run that names a Blender, or nil. It needs mu.
func (e *Engine) workerLocked(name string) *worker {
	if name == "" {
		name = e.defaultBlender
	}
	for _, w := range e.workers {
		if w.name == name && !w.retired {
			return w
		}
	}
	return nil
}

// openName returns the Blender name of a run that is to be executed in a Blender that a person
// has open. The name means the open Blender with the process id pid; with pid 0 it means any
// open Blender.
func openName(pid int) string {
	if pid == 0 {
		return "open"
	}
	return "open-" + strconv.Itoa(pid)
}

// openPID returns the process id of a name that openName returned; ok is false for other names.
func openPID(name string) (pid int, ok bool) {
	rest, ok := strings.CutPrefix(name, "open")
	if !ok || rest == "" {
		return 0, ok
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
	return pid, err == nil && openName(pid) == name
}

// isAlwaysThere reports whether a name means an open Blender or the farm, and no Blender of the settings or of the
// system. A worker for such a name is made when a run asks for it.
func isAlwaysThere(name string) bool {
	_, opens := openPID(name)
	_, farm := api.FarmAsks(name)
	return opens || farm
}

// attachLocked makes a worker for runs in an open Blender or on the farm, unless that worker exists. The
// worker of an open Blender lasts as long as such runs wait. attachLocked needs turn.
func (e *Engine) attachLocked(name string) {
	pid, _ := openPID(name)
	asked, farm := api.FarmAsks(name)
	e.mu.Lock()
	known := e.workerLocked(name) != nil
	var settings api.BlenderSettings
	if w := e.workerLocked(""); w != nil {
		settings.CancelGrace = w.spec.CancelGrace
	}
	e.mu.Unlock()
	if known {
		return
	}
	settings.Attach = !farm
	w := newWorker(e, api.BlenderSpec{Name: name, BlenderSettings: settings, PID: pid, Farm: farm, Asked: asked})
	w.passing = !farm
	e.mu.Lock()
	e.workers = append(slices.Clone(e.workers), w)
	e.mu.Unlock()
	e.employLocked(w)
}

// chosen returns the worker with a name or, when the name is "", the workers for which usual
// returns true, without those for the farm. It fails when no Blender has the name.
func (e *Engine) chosen(name string, usual func(w *worker) bool) ([]*worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return nil, api.ErrStopping
	}
	var all []*worker
	for _, w := range e.workers {
		if name == w.name || name == "" && w.kind != api.BlenderFarm && usual(w) {
			all = append(all, w)
		}
	}
	if name != "" && len(all) == 0 {
		return nil, e.noBlenderLocked(name)
	}
	return all, nil
}

// StartBlender starts the Blender with a name, and then its queued runs. "" means the default
// Blender and those that folders name; others that were stopped rest again until a run asks for
// them. StartBlender returns when the Blenders are ready or have failed. It fails with
// [api.ErrNoBlender] when no Blender has that name. A Blender that was started by its name does not
// rest.
func (e *Engine) StartBlender(ctx context.Context, name string) error {
	workers, err := e.chosen(name, func(*worker) bool { return true })
	if err != nil {
		return err
	}
	if err := e.halt(workers, false); err != nil {
		return err
	}
	e.mu.Lock()
	workers = slices.DeleteFunc(workers, func(w *worker) bool {
		w.pinned = w.pinned || name != ""
		gone := w.status.State == api.BlenderStopped || w.status.State == api.BlenderFailed
		w.resting = gone && e.mayRestLocked(w)
		return w.resting
	})
	e.wakeWorkersLocked() // a run may wait for one that rests now
	e.mu.Unlock()
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.start(ctx))
	}
	return errors.Join(errs...)
}

// StopBlender cancels the current run of the Blender with a name and stops the Blender; "" stops
// all Blenders of this machine, and leaves what is on the farm alone. Queued runs stay queued until [Engine.StartBlender]. StopBlender fails with
// [api.ErrNoBlender] when no Blender has that name.
func (e *Engine) StopBlender(ctx context.Context, name string) error {
	workers, err := e.chosen(name, func(*worker) bool { return true })
	if err != nil {
		return err
	}
	if err := e.halt(workers, true); err != nil {
		return err
	}
	e.mu.Lock()
	for _, w := range workers {
		w.pinned = false
	}
	e.mu.Unlock()
	e.endRunning(ctx, workers, "Blender was stopped")
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.stop(ctx))
	}
	return errors.Join(errs...)
}

// RestartBlender cancels the current run of the Blender with a name and starts the Blender anew;
// "" means the default Blender and all running Blenders. It returns when they are ready or have
// failed. It fails with [api.ErrNoBlender] when no Blender has that name.
func (e *Engine) RestartBlender(ctx context.Context, name string) error {
	workers, err := e.chosen(name, func(w *worker) bool { return w.name == e.defaultBlender || !w.halted && !w.resting })
	if err != nil {
		return err
	}
	starts := func(anew bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, w := range workers {
			w.anew = anew
		}
	}
	starts(true)
	defer starts(false)
	if err := e.halt(workers, true); err != nil {
		return err
	}
	e.endRunning(ctx, workers, "Blender was restarted")
	var errs []error
	e.mu.Lock()
	for _, w := range workers {
		w.resting, w.used = false, time.Now()
	}
	e.mu.Unlock()
	for _, w := range workers {
		errs = append(errs, w.restart(ctx))
	}
	errs = append(errs, e.halt(workers, false))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, w := range workers {
		errs = append(errs, w.ready(ctx))
	}
	return errors.Join(errs...)
}

// halt stops the queues of some workers, or lets them continue.
func (e *Engine) halt(workers []*worker, halted bool) error {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return api.ErrStopping
	}
	for _, w := range workers {
		w.halted, w.renewed = halted, true
	}
	e.wakeWorkersLocked()
	return nil
}
