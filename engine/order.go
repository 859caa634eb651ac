package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"blendtray/api"
)

// nowPlace is the place below which the runs are that somebody has put ahead of all others. Places are
// the ids of runs otherwise, or a little below, where a run was put ahead of its line.
const nowPlace = -1 << 40

// defaultQueue is how many waiting runs [Engine.Queue] returns where nobody says it.
const defaultQueue = 100

// ahead reports whether somebody has put the job ahead of all others.
func (j *job) ahead() bool { return j.place < nowPlace }

// order returns the first n waiting jobs in the order in which they begin if one begins after the other
// and each finds a Blender. l says whose turn was last.
func (q *queue) order(l *load, n int) (jobs []*job) {
	for u := newUpcoming(q, l); len(jobs) < n; {
		j := u.next()
		if j == nil {
			break
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// kindsOfLines are the kinds of lines as clients read them.
var kindsOfLines = [...]string{clientLine: "client", folderLine: "folder", sessionLine: "session"}

// shown returns a line as clients read it: without the programs that ask together.
func (l line) shown() api.QueueLine {
	name, _, _ := strings.Cut(l.name, "\x00")
	return api.QueueLine{Line: name, LineKind: kindsOfLines[l.kind]}
}

// Queue returns the first n runs that wait, in the order in which they will begin as it looks now, and
// why each waits; 0 is 100 runs. total is how many wait in all.
func (e *Engine) Queue(n int) (all []api.QueuedRun, total int) {
	if n <= 0 {
		n = defaultQueue
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.loadLocked()
	at := e.obstaclesLocked()
	before, free := "", "" // the last run of those that runs.parallel counts, and of the others
	jobs := e.queue.order(l, min(n, maxList))
	all = make([]api.QueuedRun, 0, len(jobs))
	for i, j := range jobs {
		shown := j.line.shown()
		q := api.QueuedRun{Position: i + 1, Run: e.snapshotLocked(j), Line: shown.Line, LineKind: shown.LineKind, Ahead: j.ahead()}
		if l.counts(j) {
			q.Reason, q.Behind, q.Why = e.whyLocked(l, at, j, before)
			before = j.run.ID
		} else {
			q.Reason, q.Behind, q.Why = e.whyLocked(l, at, j, free)
			free = j.run.ID
		}
		all = append(all, q)
	}
	return all, e.queue.len()
}

// obstacles are the runs that are running, by what keeps others from running beside them.
type obstacles struct {
	scripts  map[string]*job
	sessions map[line]*job
	needs    map[need]*job // in a process of which there is one
}

// obstaclesLocked returns what is running now. It needs mu.
func (e *Engine) obstaclesLocked() obstacles {
	at := obstacles{map[string]*job{}, map[line]*job{}, map[need]*job{}}
	for _, r := range e.running {
		if r.isFile {
			at.scripts[r.run.Script] = r
		}
		if _, there := at.sessions[r.line]; r.run.Session != "" && (!there || r.follows.IsZero()) {
			at.sessions[r.line] = r
		}
		if r.stake != nil && r.stake.need.isolation != api.IsolateProcess {
			at.needs[r.stake.need] = r
		}
	}
	return at
}

// whyLocked returns what a queued job waits for: as a word, with the run that it waits for or "", and as a
// sentence. before is the run that begins before it, or "". It needs mu.
func (e *Engine) whyLocked(l *load, at obstacles, j *job, before string) (reason api.QueueReason, behind, why string) {
	if why := e.waitsForLocked(j); why != "" {
		return e.delayOfLocked(j), "", why
	}
	n := l.need(j)
	if r := at.scripts[j.run.Script]; j.isFile && r != nil {
		return api.WaitsForScript, r.run.ID, fmt.Sprintf("run %s of the same script is running", r.run.ID)
	}
	if r := at.sessions[j.line]; j.run.Session != "" && r != nil {
		return api.WaitsForSession, r.run.ID, fmt.Sprintf("run %s is running in the session", r.run.ID)
	}
	if r := at.needs[n]; r != nil {
		return api.WaitsForState, r.run.ID, fmt.Sprintf("run %s is running in the Blender that it needs", r.run.ID)
	}
	switch {
	case l.waits[n] > 0 || l.sent[n] > 0:
		return api.WaitsForFree, "", "no Blender is free for it yet"
	case before != "":
		return api.WaitsForTurn, before, fmt.Sprintf("run %s begins before it", before)
	case l.counts(j) && l.counted >= l.parallel && l.parallel == 1:
		return api.WaitsForPlace, "", "another run is running, and runs.parallel allows one"
	case l.counts(j) && l.counted >= l.parallel:
		return api.WaitsForPlace, "", fmt.Sprintf("%d runs are running, and runs.parallel allows no more", l.counted)
	}
	return api.WaitsForNothing, "", "it begins in a moment"
}

// delayOfLocked returns as a word what [Engine.waitsForLocked] says of a job. It needs mu.
func (e *Engine) delayOfLocked(j *job) api.QueueReason {
	w := e.workerLocked(j.run.Blender)
	switch {
	case e.blocked != "":
		return api.WaitsForEngine
	case w == nil || w.halted && !w.anew:
		return api.WaitsForBlender
	}
	switch w.status.State {
	case api.BlenderStarting, api.BlenderStopped:
		if w.status.Source != api.SourceOpen {
			return api.WaitsForStart
		}
	}
	return api.WaitsForBlender
}

// CancelLine cancels all runs of a line that wait, the last first, so that none of them begins meanwhile.
// It returns how many, and fails with [api.ErrBad] when there is no such kind of lines. Runs of the line
// that are running go on.
func (e *Engine) CancelLine(ctx context.Context, of api.QueueLine) (cancelled int, err error) {
	if !slices.Contains(kindsOfLines[:], of.LineKind) {
		return 0, fmt.Errorf("%w: line_kind: %q is none of %s", api.ErrBad, of.LineKind, strings.Join(kindsOfLines[:], ", "))
	}
	var ids []string
	e.mu.Lock()
	for _, j := range slices.Backward(e.queue.jobs) {
		if j.line.shown() == of {
			ids = append(ids, j.run.ID)
		}
	}
	e.mu.Unlock()
	for _, id := range ids {
		ended, err := e.cancelQueued(id)
		if err != nil {
			return cancelled, err
		}
		if ended {
			cancelled++
		}
		if ctx.Err() != nil {
			return cancelled, ctx.Err()
		}
	}
	return cancelled, nil
}

// cancelQueued cancels a run that waits, and reports whether it waited.
func (e *Engine) cancelQueued(id string) (bool, error) {
	n, _ := parseID(id)
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	stopping, j := e.stopping, e.queue.find(n)
	e.mu.Unlock()
	if stopping {
		return false, api.ErrStopping
	}
	if j == nil {
		return false, nil
	}
	e.endLocked(j, api.Run{State: api.Cancelled, Reason: cancelledWaiting})
	return true, nil
}

// MoveFirst puts a waiting run ahead of all others, or of those of its folder, client or session, and
// returns the run. It fails with [api.ErrEnded] when the run does not wait, and with [api.ErrBad] for
// another of.
func (e *Engine) MoveFirst(ctx context.Context, id string, of api.Front) (api.Run, error) {
	if of != api.FrontOfAll && of != api.FrontOfLine {
		return api.Run{}, fmt.Errorf("%w: of: %q is neither %q nor %q", api.ErrBad, of, api.FrontOfAll, api.FrontOfLine)
	}
	run, err := e.moveFirst(ctx, id, of)
	if err == nil {
		e.hub.publish(api.Event{Kind: api.KindQueue, ID: id})
		e.wakeWorkers()
	}
	return run, err
}

func (e *Engine) moveFirst(ctx context.Context, id string, of api.Front) (api.Run, error) {
	n, ok := parseID(id)
	if !ok {
		return api.Run{}, fmt.Errorf("%w: %q", api.ErrNotFound, id)
	}
	e.turn.Lock() // no run begins or ends meanwhile
	defer e.turn.Unlock()
	e.mu.Lock()
	j := e.queue.find(n)
	place := int64(0)
	if j != nil {
		place = e.queue.placeBefore(j, of)
	}
	e.mu.Unlock()
	if j == nil {
		j, err := e.lookUp(ctx, id)
		if err != nil {
			return api.Run{}, err
		}
		why := api.ErrNotEnded
		if j.run.State.Final() {
			why = api.ErrEnded
		}
		return api.Run{}, fmt.Errorf("%w: run %s does not wait: its state is %s", why, id, j.run.State)
	}
	if err := e.writeLaterLocked(); err != nil {
		return api.Run{}, err
	}
	if err := e.store.setPlace(n, place); err != nil {
		return api.Run{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue.remove(j)
	j.place = place
	e.queue.push(j)
	return e.snapshotLocked(j), nil
}

// placeBefore returns the place of a job when it is put ahead of others.
func (q *queue) placeBefore(j *job, of api.Front) int64 {
	if of == api.FrontOfAll {
		if q.jobs[0] == j && j.ahead() {
			return j.place
		}
		return min(q.jobs[0].place, nowPlace) - 1
	}
	for _, other := range q.lines[j.line] {
		switch {
		case other == j: // it is the first already
			return j.place
		case !other.ahead():
			return other.place - 1
		}
	}
	return j.place
}
