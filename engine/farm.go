package engine

import (
	"cmp"
	"fmt"

	"blendtray/api"
	"blendtray/blender"
)

// The scripts of a folder may run on machines of a farm. Their runs are runs of this engine as all others are:
// they are written down, wait, are cancelled and end here. In the place of a Blender they have one that
// sends them to the farm, under a key, so that a run that is sent again is the same job there.

// farmKey returns the name of a run among the runs of all engines, also of an engine that has begun
// its history anew.
func farmKey(r *api.Run) string {
	return fmt.Sprintf("%s %s %d %s", r.Origin, r.ID, r.QueuedAt.UnixNano(), r.SHA256)
}

// askFarm completes what the farm is asked for a run, and publishes that the run waits there.
func (e *Engine) askFarm(j *job, req *blender.Request) {
	e.mu.Lock()
	f := e.folders[j.run.Folder]
	req.Key = farmKey(&j.run)
	req.Repeatable = f != nil && f.policy.Retries > 0
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	e.publishRun(r)
}

// leaveFarmRuns has the runs that are on the farm wait for the next engine. Their jobs go on.
func (e *Engine) leaveFarmRuns(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range e.running {
		if j.run.OnFarm() && j.why == "" {
			j.why, j.byStop, j.requeue = why, true, true
			j.cancel(blender.ErrLeft)
		}
	}
}

// onFarmLocked returns how many of the runs that wait and that are running are for the farm. It needs mu.
func (e *Engine) onFarmLocked() (runs int) {
	for n, count := range e.queue.needs {
		if _, farm := api.FarmAsks(n.blender); farm {
			runs += count
		}
	}
	for _, j := range e.running {
		if j.run.OnFarm() {
			runs++
		}
	}
	return runs
}

// noFarmThere fails with [api.ErrBad] for a run that can't go to the farm.
func noFarmThere(r api.Run) error {
	switch {
	case r.Session != "":
		return fmt.Errorf("%w: session: a session has a Blender of this machine", api.ErrBad)
	case r.Render != nil:
		return fmt.Errorf("%w: render: a folder of the farm renders no frames after its scripts; `blendtray farm render` does", api.ErrBad)
	case r.Scene != "fresh":
		return fmt.Errorf("%w: scene: on the farm, a run begins with a factory scene", api.ErrBad)
	}
	return nil
}

// farmTroubleLocked returns what keeps the runs of a folder of the farm waiting, or "". It needs mu.
func (e *Engine) farmTroubleLocked(asked string) string {
	w := e.workerLocked(api.FarmBlender(asked))
	if w == nil {
		return ""
	}
	why := w.status.Reason
	for _, a := range w.waits {
		why = cmp.Or(a.why, why)
	}
	if why == "" {
		return ""
	}
	return "its runs wait: " + why
}
