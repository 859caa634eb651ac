package engine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// These are the limits of a list.
const (
	defaultList = 20
	maxList     = 100_000
	// manyWait is the number of waiting isolated runs from which on the status says what would
	// be quicker.
	manyWait = 20
)

// Status returns the state of the engine, its Blenders and folders. It never waits for a disk or
// for Blender.
func (e *Engine) Status() api.Status {
	st := api.Status{
		Engine: api.EngineStatus{
			PID: os.Getpid(), Version: e.cfg.Version,
			UptimeSeconds: time.Since(e.began).Seconds(),
		},
		Blenders: []api.BlenderStatus{}, Processes: []api.ProcessStatus{},
		Folders: []api.FolderStatus{}, Runs: []api.Run{},
	}
	for _, w := range e.allWorkers() {
		st.Blenders = append(st.Blenders, w.statusNow())
		st.Processes = append(st.Processes, w.processes()...)
	}
	e.usage.addUsage(&st)
	st.Folders = e.folderStatuses()
	st.Agents = e.Agents()
	e.mu.Lock()
	defer e.mu.Unlock()
	st.Queued, st.WatchingPaused = e.queue.len(), e.paused
	st.OnFarm = e.onFarmLocked()
	for _, j := range e.running {
		if j.isEarlyLocked() {
			st.Queued++
			continue
		}
		st.Running++
		st.Runs = append(st.Runs, e.snapshotLocked(j))
	}
	slices.SortFunc(st.Runs, beganBefore)
	st.SavesWaiting, st.SavesWaitFor = e.held.waiting(), e.held.why
	if n := e.queue.isolated(""); n >= manyWait {
		st.Hint = fmt.Sprintf("%d scripts wait for a Blender of their own; for folders with thousands of small scripts isolation = \"scene\" is the quick way", n)
		if e.parallelLocked() < runtime.NumCPU() {
			st.Hint += ", and runs.parallel = \"auto\" has as many run at the same time as there are cores"
		}
	}
	return st
}

// beganBefore compares two runs that are running by when they began; a run that is about to begin comes
// last.
func beganBefore(a, b api.Run) int {
	switch {
	case a.StartedAt == nil && b.StartedAt == nil:
		return a.QueuedAt.Compare(b.QueuedAt)
	case a.StartedAt == nil:
		return 1
	case b.StartedAt == nil:
		return -1
	}
	return a.StartedAt.Compare(*b.StartedAt)
}

// snapshotLocked returns a job's run as clients see it, without output. It needs mu.
func (e *Engine) snapshotLocked(j *job) api.Run {
	r := j.run
	if j.isEarlyLocked() {
		r.State = api.Queued
	}
	if r.State == api.Queued {
		r.Reason = cmp.Or(e.waitsForLocked(j), j.run.Reason)
	}
	if r.AwaitsMachine() {
		r.Reason = "it waits for a machine of the farm"
	}
	if j.out != nil {
		r.OutputBytes = j.out.bytes()
	}
	return r
}

// waitsForLocked returns what keeps a queued run from being sent, or "" when the run only waits
// for its turn. It needs mu.
func (e *Engine) waitsForLocked(j *job) string {
	w := e.workerLocked(j.run.Blender)
	switch {
	case e.blocked != "":
		return e.blocked
	case w == nil && j.run.OnFarm():
		return "it is about to go to the farm"
	case w == nil:
		return fmt.Sprintf("it is being found out whether there is a Blender with the name %q", j.run.Blender)
	}
	if why := w.delayLocked(); why != "" {
		return why
	}
	if a := w.waits[w.needLocked(j)]; a != nil { // other runs have their Blender
		return a.why
	}
	return ""
}

// delayLocked returns what keeps the worker's Blender from executing runs, or "". It needs mu.
func (w *worker) delayLocked() string {
	switch {
	case w.halted && !w.anew:
		return "Blender is stopped: start it " + api.ToGoOn
	}
	why, _, _ := strings.Cut(w.status.Reason, "\n")
	switch w.status.State {
	case api.BlenderFailed:
		if w.name != api.DefaultBlender {
			return fmt.Sprintf("the Blender %q has failed (%s): `blendtray doctor` looks for the cause; mend that, and start it again with `blendtray start %s` %s", w.name, why, w.name, api.ToGoOn)
		}
		return "Blender has failed (" + why + "): `blendtray doctor` looks for the cause; mend that, and start it again with `blendtray start` " + api.ToGoOn
	case api.BlenderStopping:
		return "Blender is stopping"
	case api.BlenderStarting, api.BlenderStopped: // no person stopped Blender: another Blender replaces it
		if w.status.Source == api.SourceOpen && why != "" {
			return why // the engine starts no Blender, a person does
		}
		return "Blender is starting"
	}
	return ""
}

// publishBlender publishes the status of a Blender. Where it changes what runs wait for, those who
// follow one of these runs are told so.
func (e *Engine) publishBlender(st api.BlenderStatus) {
	e.hub.publish(api.Event{Kind: api.KindBlender, Blender: &st})
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := false
	for _, w := range e.workers {
		if delay := w.delayLocked(); delay != w.told {
			w.told, changed = delay, true
		}
	}
	if !changed || e.queue.len() == 0 {
		return
	}
	for _, id := range e.hub.followed() {
		n, _ := parseID(id)
		if j := e.queue.find(n); j != nil {
			e.hub.tell(e.snapshotLocked(j))
		}
	}
}

// liveLocked returns the job in memory with an id, or nil. It needs mu.
func (e *Engine) liveLocked(id int64) *job {
	if j := e.running[id]; j != nil {
		return j
	}
	if j := e.unsaved[id]; j != nil {
		return j
	}
	return e.queue.find(id)
}

// lookUp returns a copy of the job with an id, from memory or from the database. It fails with
// [api.ErrNotFound] when there is no such run.
func (e *Engine) lookUp(ctx context.Context, id string) (*job, error) {
	n, ok := parseID(id)
	if !ok {
		return nil, fmt.Errorf("%w: %q", api.ErrNotFound, id)
	}
	e.mu.Lock()
	if j := e.liveLocked(n); j != nil {
		c := &job{id: n, isFile: j.isFile, dir: j.dir, limit: j.limit, echo: j.echo, confined: j.confined, out: j.out, run: e.snapshotLocked(j)}
		e.mu.Unlock()
		return c, nil
	}
	e.mu.Unlock()
	return e.store.get(ctx, n)
}

// Run returns the run with an id and its output; while the run is running, the output is what it
// printed so far.
func (e *Engine) Run(ctx context.Context, id string) (api.Run, error) {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return api.Run{}, err
	}
	j.run = e.withPreview(j.run)
	k, err := e.outputOf(ctx, j)
	if err != nil {
		return api.Run{}, err
	}
	j.run.Output = k.String()
	if j.run.Output == "" && j.run.OutputBytes > 0 {
		j.run.Output = fmt.Sprintf("[… %d bytes of output are not kept any more …]\n", j.run.OutputBytes)
	}
	return j.run, nil
}

// outputOf returns the kept output of a run.
func (e *Engine) outputOf(ctx context.Context, j *job) (kept, error) {
	switch {
	case j.out != nil:
		return j.out.kept(), nil
	case j.run.OutputBytes == 0:
		return kept{}, nil
	}
	return e.store.outputOf(ctx, j.id)
}

// Output returns the kept text that a run printed, as UTF-8, from the byte from on and without a
// gap. The text begins at the byte at, which is later than from when the bytes at from were cut.
// To read on, ask from at+len(text). The run has printed total bytes so far; the output is
// complete when the run's state is final.
func (e *Engine) Output(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error) {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return nil, 0, 0, err
	}
	k, err := e.outputOf(ctx, j)
	if err != nil {
		return nil, 0, 0, err
	}
	text, at, total = k.from(from)
	return text, at, total, nil
}

// Preview returns the picture of a run, a JPEG file. It fails with [api.ErrNotFound] when the
// run has no picture. A file that a run which renders has written itself is none: it may be of any kind and
// size.
func (e *Engine) Preview(ctx context.Context, id string) ([]byte, error) {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return nil, err
	}
	file := e.withPreview(j.run).Preview
	if file == "" || file != e.previewFile(j.run) && file != e.liveFile(j.run) {
		return nil, fmt.Errorf("%w with a preview: %s has none", api.ErrNotFound, id)
	}
	picture, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the preview of run %s: %w", id, err)
	}
	return picture, nil
}

// codeOf returns the source of a run, from memory or from the database.
func (e *Engine) codeOf(ctx context.Context, id int64) ([]byte, error) {
	e.mu.Lock()
	var code []byte
	if j := e.liveLocked(id); j != nil {
		code = j.code
	}
	e.mu.Unlock()
	if code != nil {
		return code, nil
	}
	return e.store.code(ctx, id)
}

// Code returns the source of a run, the bytes that were or will be executed.
func (e *Engine) Code(ctx context.Context, id string) ([]byte, error) {
	n, ok := parseID(id)
	if !ok {
		return nil, fmt.Errorf("%w: %q", api.ErrNotFound, id)
	}
	return e.codeOf(ctx, n)
}

// Runs returns the runs that match f, newest first, without their output.
func (e *Engine) Runs(ctx context.Context, f api.Filter) ([]api.Run, error) {
	f, before, err := limited(f)
	if err != nil {
		return nil, err
	}
	e.writeLaterNow()
	jobs, err := e.store.list(ctx, f, before)
	if err != nil {
		return nil, err
	}
	all := make([]api.Run, 0, len(jobs))
	var moved []int
	e.mu.Lock()
	for _, j := range jobs {
		r := j.run
		if !r.State.Final() {
			if l := e.liveLocked(j.id); l != nil {
				r = e.snapshotLocked(l)
			} else {
				moved = append(moved, len(all))
			}
		}
		all = append(all, r)
	}
	e.mu.Unlock()
	for i, r := range all {
		all[i] = e.withPreview(r)
	}
	// These runs ended between the look at memory and the look at the database.
	for _, i := range moved {
		j, err := e.lookUp(ctx, all[i].ID)
		if err != nil {
			return nil, err
		}
		all[i] = e.withPreview(j.run)
	}
	if len(f.States) > 0 {
		all = slices.DeleteFunc(all, func(r api.Run) bool { return !slices.Contains(f.States, r.State) })
	}
	return all, nil
}
