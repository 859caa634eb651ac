package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"blendtray/api"
)

// Submit writes a run down, queues it and returns it. When Submit returns without an error, the
// run is in the database; an error means that the run is not there and will not be made. For a
// submission with the key of an earlier submission, Submit makes no run and returns the earlier
// run as it now stands; it fails with [api.ErrBad] when the two submissions ask for different
// things.
func (e *Engine) Submit(ctx context.Context, s api.Submission) (api.Run, error) {
	if err := checkName(s); err != nil {
		return api.Run{}, err
	}
	r, _, err := e.submit(ctx, s, false, func(string) {})
	return r, err
}

// Follow does what [Engine.Submit] does, and returns with the run a subscription of everything that
// the run does from then on. When it returns without an error, the run is in the database or in its journal,
// from which the next engine takes it. Who follows the run is told of no other run.
func (e *Engine) Follow(ctx context.Context, s api.Submission) (api.Run, *Subscription, error) {
	if err := checkName(s); err != nil {
		return api.Run{}, nil, err
	}
	var sub *Subscription
	r, arrival, err := e.submit(ctx, s, true, func(id string) {
		sub = e.Subscribe(SubscribeOptions{Output: true, Run: id})
	})
	if arrival != nil {
		r, err = e.awaitArrival(arrival)
	}
	if err != nil && sub != nil {
		sub.Close()
		sub = nil
	}
	return r, sub, err
}

// submit does the work of Submit. It calls made with the id of the run before the run can do
// anything that the returned run does not show: turn is held until then. Where the run may arrive
// and can start at once, submit returns the arrival in the run's place.
func (e *Engine) submit(ctx context.Context, s api.Submission, mayArrive bool, made func(id string)) (api.Run, *arrival, error) {
	if err := ctx.Err(); err != nil {
		return api.Run{}, nil, err
	}
	if !s.Attach && s.Blender == "" {
		s.Blender = askedIn(s.Code)
	}
	j, err := newJob(s, e.runSettings())
	if err != nil {
		return api.Run{}, nil, err
	}
	ask := j.run.Blender
	if j.run.Blender, err = e.chooseBlender(ctx, j.run.Blender); err != nil {
		return api.Run{}, nil, err
	}
	in := insert{job: j, code: s.Code}
	e.turn.Lock()
	defer e.turn.Unlock()
	if s.Key != "" {
		if old, err := e.store.byKey(ctx, s.Key); err != nil || old != nil {
			if old != nil {
				made(old.run.ID)
			}
			r, err := e.sameRunLocked(old, j, err)
			return r, nil, err
		}
	}
	if err := e.joinSessionLocked(j, ask); err != nil {
		return api.Run{}, nil, err
	}
	if s.Key == "" && mayArrive {
		a := e.arriveLocked(in, made)
		if a == nil {
			a = e.joinLocked(in, made)
		}
		if a != nil {
			return api.Run{}, a, nil
		}
	}
	r, err := e.acceptLocked(in)
	if err == nil {
		made(r.ID)
	}
	return r, nil, err
}

// sameRunLocked returns the run old, which was made with the same key as j. It needs turn.
func (e *Engine) sameRunLocked(old, j *job, err error) (api.Run, error) {
	if err != nil {
		return api.Run{}, err
	}
	if old.run.SHA256 != j.run.SHA256 || old.run.Script != j.run.Script || !slices.Equal(old.run.Args, j.run.Args) ||
		old.run.Session != j.run.Session ||
		!sameRender(old.run.Render, j.run.Render) {
		return api.Run{}, fmt.Errorf("%w: the key %q belongs to run %s, which runs something else", api.ErrBad, j.run.Key, old.run.ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if live := e.liveLocked(old.id); live != nil {
		return e.snapshotLocked(live), nil
	}
	return e.withPreview(old.run), nil
}

// These limits bound the texts that a client sends beside a script, in bytes.
const (
	maxKey    = 200
	maxClient = 200
)

const (
	// maxPath is how many bytes a path or a name may have: PATH_MAX of Linux, the most of all
	// systems that a script lies on.
	maxPath = 4096
	// maxArgs is how many bytes all arguments of a run may have together, maxArgCount how many
	// arguments there may be.
	maxArgs     = 1 << 20
	maxArgCount = 10_000
)

// checkTexts fails with [api.ErrBad] when a path, a name or the arguments of a submission are too
// long, or hold what no path and no argument of a program can hold.
func checkTexts(s api.Submission) error {
	for _, t := range []struct{ field, text string }{
		{"script", s.Script}, {"name", s.Name}, {"dir", s.Dir}, {"scene", s.Scene}, {"render.output", outputOf(s.Render)},
	} {
		switch {
		case len(t.text) > maxPath:
			return fmt.Errorf("%w: %s: has %d bytes and may have %d", api.ErrBad, t.field, len(t.text), maxPath)
		case strings.ContainsRune(t.text, 0):
			return fmt.Errorf("%w: %s: holds a NUL character", api.ErrBad, t.field)
		}
	}
	if len(s.Args) > maxArgCount {
		return fmt.Errorf("%w: args: %d arguments, and there may be %d; put them in a file", api.ErrBad, len(s.Args), maxArgCount)
	}
	bytes := 0
	for _, arg := range s.Args {
		if bytes += len(arg); bytes > maxArgs {
			return fmt.Errorf("%w: args: more than %d bytes; put them in a file", api.ErrBad, maxArgs)
		}
		if strings.ContainsRune(arg, 0) {
			return fmt.Errorf("%w: args: one of them holds a NUL character", api.ErrBad)
		}
	}
	return nil
}

// checkName fails with [api.ErrBad] when a client gives its code the name by which the engine knows its own
// code that saves a scene.
func checkName(s api.Submission) error {
	if s.Name == saverName {
		return fmt.Errorf("%w: name: %q is what the engine calls code of its own", api.ErrBad, s.Name)
	}
	return nil
}

// newJob checks a submission and returns a job that has no id yet. It takes from runs what the
// submission leaves open. It fails with [api.ErrBad] or [api.ErrTooLarge].
func newJob(s api.Submission, runs api.RunSettings) (*job, error) {
	if err := checkTexts(s); err != nil {
		return nil, err
	}
	j := &job{peer: s.Peer, dir: s.Dir, left: s.Left, isFile: s.Script != "", echo: s.Echo, confined: s.Confined, tellsImports: s.Imports, code: blob(s.Code)}
	if s.Attach && s.Blender != "" {
		return nil, fmt.Errorf("%w: blender: attach chooses the Blender already; leave one of the two out", api.ErrBad)
	}
	if _, farm := api.FarmAsks(s.Blender); farm {
		return nil, fmt.Errorf("%w: blender: a single script goes to the farm by `blendtray farm run`; runs go there by themselves from folders with farm = true", api.ErrBad)
	}
	if pid, ok := openPID(s.Blender); ok {
		s.Attach, s.PID = true, pid
	}
	switch {
	case len(s.Key) > maxKey || strings.ContainsFunc(s.Key, unicode.IsControl):
		return nil, fmt.Errorf("%w: key: at most %d bytes of printable text", api.ErrBad, maxKey)
	case len(s.Client) > maxClient || strings.ContainsFunc(s.Client, unicode.IsControl):
		return nil, fmt.Errorf("%w: client: at most %d bytes of printable text", api.ErrBad, maxClient)
	case s.PID < 0 || s.PID > 0 && !s.Attach:
		return nil, fmt.Errorf("%w: pid: names an open Blender, together with attach", api.ErrBad)
	case len(s.Code) == 0 && s.Script == "" && s.Name == "" && s.Render == nil:
		return nil, fmt.Errorf("%w: there is nothing to run: give code", api.ErrBad)
	case s.Echo && s.Session == "":
		return nil, fmt.Errorf("%w: echo: only a run in a session has its last value shown", api.ErrBad)
	case s.Limits.Nice > 19:
		return nil, fmt.Errorf("%w: limits: nice is %d and may be 19 at most", api.ErrBad, s.Limits.Nice)
	case s.Confined && s.Session == "":
		return nil, fmt.Errorf("%w: confined: only a session is confined", api.ErrBad)
	case len(s.Code) > api.MaxCode:
		return nil, api.TooLarge(int64(len(s.Code)))
	case s.Script != "" && !filepath.IsAbs(s.Script):
		return nil, fmt.Errorf("%w: script: %q is not an absolute path", api.ErrBad, s.Script)
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return nil, fmt.Errorf("%w: dir: %q is not an absolute path", api.ErrBad, s.Dir)
	}
	if err := checkRender(s); err != nil {
		return nil, err
	}
	if s.Session != "" {
		if err := checkSession(s); err != nil {
			return nil, err
		}
		s.Isolation, s.Scene = api.IsolateKeep, "keep"
		s.Limits.Nice = -1 // the priority of a Blender that goes on can't be raised again
	}
	switch {
	case s.Scene == "fresh" && s.Isolation == api.IsolateKeep:
		return nil, fmt.Errorf("%w: the isolation \"keep\" makes no scene anew; leave one of the two out, or take the isolation \"scene\"", api.ErrBad)
	case s.Scene != "":
	case !s.Attach && s.Isolation != api.IsolateKeep && (j.isFile || s.Isolation == api.IsolateProcess || s.Isolation == api.IsolateScene):
		s.Scene = "fresh"
	default:
		s.Scene = "keep"
	}
	if err := checkScene(s.Scene); err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrBad, err)
	}
	alone := s.Render != nil && len(s.Code) == 0 && !j.isFile && s.Name == ""
	if alone && s.Scene != "keep" && s.Isolation == api.IsolateAuto {
		s.Isolation = api.IsolateProcess // as a Blender on the command line
	}
	isolation, err := isolationOf(s.Isolation, s.Scene, runs.Isolation)
	if err != nil {
		return nil, err
	}
	switch seconds := s.TimeLimitSeconds; {
	case math.IsNaN(seconds) || seconds > math.MaxInt64/1e9:
		return nil, fmt.Errorf("%w: time_limit_seconds: %v is no time limit", api.ErrBad, seconds)
	case seconds == 0 && alone: // a render takes as long as it takes
	case seconds == 0:
		j.limit = time.Duration(runs.Timeout)
	case seconds > 0:
		j.limit = max(time.Duration(seconds*1e9), 1)
	}
	name := s.Script
	if name == "" {
		name = s.Name
	}
	if name == "" && alone {
		if name = s.Scene; !filepath.IsAbs(name) {
			name = "<render>"
		}
	}
	if name == "" {
		name = "<message>"
	}
	j.run = api.Run{
		Blender: s.Blender, Script: name, Scene: s.Scene, Args: append([]string{}, s.Args...), Source: api.FromCommand,
		Key: s.Key, Client: s.Client, Isolation: isolation, Session: s.Session,
		Leftover: s.Leftover.Or(runs.Leftover), Limits: s.Limits.Or(runs.Limits()),
		Render: s.Render,
	}
	if s.Attach {
		j.run.Blender = openName(s.PID)
	}
	j.run.SHA256 = hashOf(s.Code)
	return j, nil
}

// checkSession fails with [api.ErrBad] when the name of a submission's session is no such name, or
// when the submission asks for something that a session does not have.
func checkSession(s api.Submission) error {
	if err := api.CheckSession(s.Session); err != nil {
		return err
	}
	switch {
	case s.Attach:
		return fmt.Errorf("%w: session: a session has a Blender of its own, and attach asks for one that a person has open; leave one of the two out", api.ErrBad)
	case s.Isolation != api.IsolateAuto && s.Isolation != api.IsolateKeep:
		return fmt.Errorf("%w: isolation: a run in a session has the isolation \"keep\", not %q; leave one of the two out", api.ErrBad, s.Isolation)
	case s.Limits.Nice > 0:
		return fmt.Errorf("%w: limits: a run in a session has no nice, as the priority of its Blender could not be raised again; leave one of the two out", api.ErrBad)
	case s.Scene != "" && s.Scene != "keep":
		return fmt.Errorf("%w: scene: a run in a session has the scene that the session has, not %q; leave one of the two out", api.ErrBad, s.Scene)
	}
	return nil
}

func hashOf(code []byte) string {
	sum := sha256.Sum256(code)
	return hex.EncodeToString(sum[:])
}

// checkScene fails unless scene is keep, fresh or the absolute path of a .blend.
func checkScene(scene string) error {
	if scene == "keep" || scene == "fresh" || filepath.IsAbs(scene) && strings.EqualFold(filepath.Ext(scene), ".blend") {
		return nil
	}
	return fmt.Errorf("scene: %q is not \"keep\", \"fresh\" or the absolute path of a .blend", scene)
}

// isolationOf returns what a run shares with others: the isolation that was chosen for the run,
// or the isolation that its scene implies, or the default. It fails with [api.ErrBad] when the
// choice contradicts the scene.
func isolationOf(chosen api.Isolation, scene string, standard api.Isolation) (api.Isolation, error) {
	switch {
	case chosen == api.IsolateProcess && scene == "keep" || chosen == api.IsolateScene && scene == "keep":
		return 0, fmt.Errorf("%w: the scene \"keep\" is what another run has left, which a run with the isolation %q never finds; leave one of the two out", api.ErrBad, chosen)
	case chosen == api.IsolateKeep && scene != "keep" && scene != "fresh":
		return 0, fmt.Errorf("%w: the isolation \"keep\" opens no .blend; leave one of the two out", api.ErrBad)
	case chosen != api.IsolateAuto:
		return chosen, nil
	case scene == "keep":
		return api.IsolateKeep, nil
	case standard == api.IsolateAuto || standard == api.IsolateKeep:
		return api.IsolateProcess, nil
	}
	return standard, nil
}

// acceptLocked writes a run down, queues it, tells every subscriber and returns the run. It
// needs turn, so that the events of the queued run come before the events of its start.
func (e *Engine) acceptLocked(in insert) (api.Run, error) {
	e.settleLocked() // its submission came before
	e.settleJoiningLocked()
	return e.addLocked(in)
}

// addLocked does what acceptLocked does, whatever has come before. It needs turn.
func (e *Engine) addLocked(in insert) (api.Run, error) {
	err := api.ErrStopping
	e.mu.Lock()
	if !e.stopping {
		err = e.prepareLocked(in.job)
	}
	e.mu.Unlock()
	if err != nil {
		return api.Run{}, err
	}
	if err := e.store.insert(in); err != nil {
		return api.Run{}, err
	}
	return e.queueLocked(in), nil
}

// queueLocked puts a run that was written down into the queue, tells every subscriber and returns the
// run. It needs turn.
func (e *Engine) queueLocked(in insert) api.Run {
	j, old := in.job, in.replaces
	e.mu.Lock()
	var replaced *api.Run
	if old != nil {
		e.queue.remove(old)
		at := j.run.QueuedAt
		old.run.State, old.run.Reason, old.run.FinishedAt = api.Cancelled, replacedBy(j.id), &at
		r := old.run
		replaced = &r
	}
	e.queue.push(j)
	e.rememberLocked(j)
	if in.path != "" {
		e.stamps[in.path] = in.stamp
	}
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	if replaced != nil {
		e.publishRun(*replaced)
	}
	e.publishRun(r)
	if isAlwaysThere(j.run.Blender) {
		e.attachLocked(j.run.Blender)
	}
	e.wakeWorkers()
	if j.run.Session == "" { // the Blender of a session is there
		e.expect()
	}
	poke(e.tidy)
	return r
}

// noFramesThere is why no frames are rendered in a Blender that a person has open.
const noFramesThere = "a Blender that a person has open renders no frames"

// prepareLocked sets what a new run has from the engine. It fails with [api.ErrBad] for a run in a
// session, or with frames, whose Blender a person has open, and with [api.ErrNoBlender] where there is no Blender for
// the run. It needs mu.
func (e *Engine) prepareLocked(j *job) error {
	_, opens := openPID(j.run.Blender)
	w := e.workerLocked(j.run.Blender)
	if !isAlwaysThere(j.run.Blender) && w == nil {
		return e.noBlenderLocked(j.run.Blender)
	}
	if j.run.OnFarm() {
		if err := noFarmThere(j.run); err != nil {
			return err
		}
	}
	opens = opens || w != nil && w.spec.Kind() == api.BlenderOpen
	if w != nil {
		j.run.Blender = w.name
	}
	if opens && j.run.Session != "" {
		return fmt.Errorf("%w: session: a session has a Blender of its own, and the settings have runs executed in the Blender that is open (blender.attach)", api.ErrBad)
	}
	if opens && j.run.Render != nil {
		return fmt.Errorf("%w: render: %s", api.ErrBad, noFramesThere)
	}
	if opens {
		j.run.Isolation = api.IsolateKeep // a person has the scene open
	}
	if j.run.Isolation == api.IsolateKeep && j.run.Scene == "fresh" {
		j.run.Scene = "keep"
	}
	j.run.Origin = e.cfg.Origin
	j.run.State = api.Queued
	j.run.Outputs = []string{}
	j.run.QueuedAt = time.Now().UTC().Round(0)
	j.run.TimeLimitSeconds = j.limit.Seconds()
	return nil
}

// rememberLocked keeps in memory what decides about the next save of the same script. It needs
// mu.
func (e *Engine) rememberLocked(j *job) {
	if j.run.Folder == "" {
		return
	}
	now := lastRun{id: j.id, hash: j.run.SHA256, state: j.run.State, started: j.run.StartedAt != nil, again: j.again}
	if old := e.last[j.run.Script]; old.id <= j.id {
		now.rewritten = old.rewritten && old.id == j.id
		e.last[j.run.Script] = now
	}
	for _, path := range j.carried {
		if old := e.last[path]; old.id == j.id {
			now.rewritten = old.rewritten
			e.last[path] = now
		}
	}
}

func (e *Engine) publishRun(r api.Run) {
	e.hub.publish(api.Event{Kind: api.KindRun, ID: r.ID, Run: &r})
}

func (e *Engine) wakeWorkers() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wakeWorkersLocked()
}

// wakeOthersLocked wakes all workers but one. It needs mu.
func (e *Engine) wakeOthersLocked(w *worker) {
	for _, other := range e.workers {
		if other != w {
			poke(other.woken)
		}
	}
}

func (e *Engine) wakeWorkersLocked() {
	for _, w := range e.workers {
		poke(w.woken)
	}
}

// Retry queues a run anew and returns the new run, which has the same bytes, arguments, scene,
// time limit and other limits as the run id. The run id must have ended.
func (e *Engine) Retry(ctx context.Context, id string) (api.Run, error) {
	old, err := e.lookUp(ctx, id)
	if err != nil {
		return api.Run{}, err
	}
	if !old.run.State.Final() {
		return api.Run{}, fmt.Errorf("%w: %s is %s", api.ErrNotEnded, id, old.run.State)
	}
	if operationOf(&old.run) != "" {
		return api.Run{}, fmt.Errorf("%w: run %s is an operation of a session and no script; ask the session again", api.ErrBad, id)
	}
	if old.run.Script == saverName {
		return api.Run{}, fmt.Errorf("%w: run %s has saved a scene that another run left; ask for that scene again", api.ErrBad, id)
	}
	code, err := e.codeOf(ctx, old.id)
	if err != nil {
		return api.Run{}, err
	}
	again := old.copyOf(code)
	if again.run.Blender == "" && again.run.Folder != "" { // there was no Blender for it
		chosen := e.chooseForSave(ctx, again.run.Folder, code)
		again.run.Blender, err = chosen.name, chosen.err
	} else {
		again.run.Blender, err = e.chooseBlender(ctx, again.run.Blender)
	}
	if err != nil {
		return api.Run{}, err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	if err := e.joinSessionLocked(again, again.run.Blender); err != nil {
		return api.Run{}, err
	}
	return e.acceptLocked(insert{job: again, code: code})
}

// copyOf returns a new job that repeats an ended one, whose code it is given.
func (j *job) copyOf(code []byte) *job {
	return &job{isFile: j.isFile, dir: j.dir, limit: j.limit, echo: j.echo, confined: j.confined, code: code, run: api.Run{
		Script: j.run.Script, SHA256: j.run.SHA256, Scene: j.run.Scene, Args: j.run.Args,
		Folder: j.run.Folder, Source: api.FromRetry, RetryOf: j.run.ID, Client: j.run.Client, Blender: j.run.Blender,
		Session: j.run.Session, Isolation: j.run.Isolation, Leftover: j.run.Leftover, Limits: j.run.Limits,
		Render: j.run.Render,
	}}
}

// Cancel ends a run and returns it. A waiting run ends at once. A running run is only asked to
// end, and is still running when Cancel returns it. Cancel fails with [ErrEnded] when the run
// has ended.
func (e *Engine) Cancel(ctx context.Context, id string) (api.Run, error) {
	n, ok := parseID(id)
	if !ok {
		return api.Run{}, fmt.Errorf("%w: %q", api.ErrNotFound, id)
	}
	e.turn.Lock()
	e.mu.Lock()
	stopping := e.stopping
	if j := e.running[n]; j != nil {
		j.askToEndLocked("cancelled on request", false)
		r := e.snapshotLocked(j)
		e.mu.Unlock()
		e.turn.Unlock()
		return r, nil
	}
	j := e.queue.find(n)
	e.mu.Unlock()
	if j != nil && stopping {
		e.turn.Unlock()
		return api.Run{}, api.ErrStopping
	}
	if j != nil {
		r := e.endLocked(j, api.Run{State: api.Cancelled, Reason: cancelledWaiting})
		e.turn.Unlock()
		return r, nil
	}
	e.turn.Unlock()
	if old, err := e.lookUp(ctx, id); err != nil {
		return api.Run{}, err
	} else if old.run.State.Final() {
		return old.run, fmt.Errorf("%w: %s has %s", api.ErrEnded, id, old.run.State)
	}
	return api.Run{}, fmt.Errorf("%w: %s is changing just now, ask again", api.ErrEnded, id)
}

// cancelledWaiting is the reason of a run that was cancelled while it waited.
const cancelledWaiting = "cancelled on request while it waited"

// askToEndLocked cancels a running job and keeps the first reason. It needs mu.
func (j *job) askToEndLocked(why string, byStop bool) {
	if j.why == "" {
		j.why, j.byStop = why, byStop
	}
	j.cancel(errors.New(j.why))
}

// endLocked makes a job's run final, with the fields of last that say how the run ended, writes
// the end down, tells every subscriber and returns the run. It needs turn. When the end can't be
// written, it stays in memory and is written later.
func (e *Engine) endLocked(j *job, last api.Run) api.Run {
	now := time.Now().UTC().Round(0)
	output := j.out.kept()
	e.mu.Lock()
	if j.execution == nil { // it was never sent
		j.execution = &execution{}
	}
	if j.journal == nil {
		j.journal = &journal{}
	}
	r := j.run
	r.State, r.Reason, r.Error, r.Result = last.State, last.Reason, last.Error, last.Result
	r.ExitCode = last.ExitCode
	r.BlenderVersion, r.FinishedAt, r.Progress, r.PID = last.BlenderVersion, &now, nil, 0
	r.Outputs = append([]string{}, last.Outputs...)
	r.OutputBytes = j.out.bytes()
	r.Imports = nil
	if j.tellsImports {
		r.Imports = []api.Import{}
		for _, one := range j.imports {
			r.Imports = append(r.Imports, api.Import{Path: one[0], SHA256: one[1]})
		}
	}
	if !j.began.IsZero() {
		r.Seconds = time.Since(j.began).Seconds()
	}
	e.mu.Unlock()

	var err error
	later := j.endMayWait(&r)
	if !later {
		err = e.saveEndLocked(j, r, output)
		j.journal.look()
		if j.saved = err == nil; j.saved {
			e.dropJournal(j)
		} else {
			e.notLaterLocked(j) // it would be written down without its output
			j.journal.end(over{Run: r, Again: j.again, Repeat: j.repeat})
		}
	}

	e.mu.Lock()
	e.queue.remove(j)
	delete(e.running, j.id)
	e.load.remove(j)
	e.load.ended(j.line, &r)
	j.run = r
	e.forgetEndedLocked()
	if j.over = time.Now(); len(j.journal.wrote) > 0 || j.journal.child {
		e.ended = append(e.ended, j.trace())
	}
	if err != nil || later {
		e.unsaved[j.id] = j
	}
	e.rememberLocked(j)
	e.mu.Unlock()
	if later {
		e.postponeLocked(j)
	}
	e.recordImportsLocked(j)
	if err != nil {
		e.warn(fmt.Sprintf("run %s has %s, but that is not written down yet and will be tried again: %v", r.ID, r.State, err))
		poke(e.retries)
	}
	e.publishRun(r)
	e.wakeWorkers()
	poke(e.tidy)
	return r
}

// saveEndLocked writes down the end r of a job's run, and under the paths to which its script was renamed
// whether its bytes have run. It needs turn.
func (e *Engine) saveEndLocked(j *job, r api.Run, output kept) error {
	var err error
	if j.late.missing {
		err = e.store.insertEnded(insert{job: j, code: j.code, reserved: true, sent: j.late.sent, last: &r}, output, j.again)
	} else {
		err = e.store.finish(j.id, &r, output, j.again)
	}
	if err != nil {
		return err
	}
	if e.writtenLocked(j); len(j.carried) == 0 {
		return nil
	}
	l, ran := lastRun{state: r.State, started: r.StartedAt != nil, again: j.again}, ""
	if l.ran() {
		ran = r.SHA256
	}
	for _, path := range j.carried {
		if err := e.store.noteRan(path, ran); err != nil {
			e.log.Warn("cannot write down that a renamed script has run", "path", path, "error", err)
		}
	}
	return nil
}

// crash returns the error of a run that Blender never accepted.
func crash(err error) *api.ScriptError {
	return &api.ScriptError{
		Type:    "Crash",
		Message: fmt.Sprintf("Blender did not take the run, in several attempts, and nothing of it was executed: %v", err),
	}
}
