package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"blendtray/api"
)

// sessionKeeper is a Blender that has sessions: one that the engine starts.
type sessionKeeper interface {
	// Sessions returns the sessions, and those that have ended by themselves a while ago.
	Sessions() []api.Session
	// EndSession ends a session after its current run. It fails with [api.ErrNoSession].
	EndSession(ctx context.Context, name string) error
	// Complete returns how code may go on, from the names of a session. It never waits for a run, and
	// fails with [api.ErrBusy] instead. It fails with [api.ErrNoSession].
	Complete(ctx context.Context, name, code string, cursor int) (api.Completion, error)
}

// noteLost notes that the sessions of a Blender are gone, because the settings do not name the Blender any more.
// The next run of each is told.
func (e *Engine) noteLost(name string, of Blender) {
	k, ok := of.(sessionKeeper)
	if !ok {
		return
	}
	all := k.Sessions()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range all {
		if s.State != api.SessionEnded {
			if e.lost == nil {
				e.lost = map[string]string{}
			}
			e.lost[s.Name] = fmt.Sprintf("the Blender %q was taken out of the settings", name)
		}
	}
}

// operationName returns what the history calls an operation of a session.
func operationName(o api.SessionOperation) string { return "<session " + string(o) + ">" }

// operationOf returns which operation of a session a run is, or "" for a script.
func operationOf(r *api.Run) api.SessionOperation {
	if r.Source != api.FromSession {
		return ""
	}
	name, _ := strings.CutPrefix(r.Script, "<session ")
	return api.SessionOperation(strings.TrimSuffix(name, ">"))
}

// keptSession is a session and the Blender that has it.
type keptSession struct {
	api.Session
	keeper sessionKeeper
}

// keptSessions returns the sessions of all Blenders.
func (e *Engine) keptSessions() (all []keptSession) {
	for _, w := range e.allWorkers() {
		e.mu.Lock()
		k, ok := w.blender.(sessionKeeper)
		e.mu.Unlock()
		if !ok {
			continue
		}
		for _, s := range k.Sessions() {
			all = append(all, keptSession{s, k})
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range all {
		for _, j := range e.queue.jobs {
			if j.run.Session == all[i].Name && j.run.Blender == all[i].Blender {
				all[i].Queued++
			}
		}
		for _, j := range e.running {
			// The session has no Blender that could name the run: the run waits for one.
			if all[i].PID == 0 && j.run.Session == all[i].Name && j.run.Blender == all[i].Blender {
				all[i].Run = j.run.ID
			}
		}
	}
	return all
}

// blenderOfSession returns the name of the Blender that has a session, or that is to have it because
// the first run of the session waits for that Blender. It returns "" when there is no such session.
func (e *Engine) blenderOfSession(name string) string {
	for _, w := range e.allWorkers() {
		e.mu.Lock()
		k, ok := w.blender.(sessionKeeper)
		ok = ok && !w.retired
		e.mu.Unlock()
		if ok && slices.ContainsFunc(k.Sessions(), func(s api.Session) bool { return s.Name == name && s.State != api.SessionEnded }) {
			return w.name
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.blenderOfSessionRunsLocked(name)
}

// blenderOfSessionRunsLocked returns the name of the Blender for which the runs of a session wait or
// in which they are running, or "" when there are none. It needs mu.
func (e *Engine) blenderOfSessionRunsLocked(name string) string {
	for l := range e.queue.lines {
		if l.kind == sessionLine && l.name == name {
			return l.blender
		}
	}
	for _, j := range e.running {
		if j.run.Session == name {
			return j.run.Blender
		}
	}
	return ""
}

// isOfVersion reports whether ask is a version, and no name of a Blender, and the Blender with a name is
// of that version.
func (e *Engine) isOfVersion(name, ask string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.workerLocked(name)
	if w == nil || e.workerLocked(ask) != nil || !api.IsVersion(ask) {
		return false
	}
	version := cmp.Or(w.status.Version, e.machine.named[name].Version)
	return version != "" && api.IsOfVersion(version, ask)
}

// joinSessionLocked has a job of a session go to the Blender that has the session. ask is the Blender
// that the job's client asks for, by a name, by a version, or by "" for none. joinSessionLocked fails
// with [api.ErrBad] when that is another Blender. It needs turn.
func (e *Engine) joinSessionLocked(j *job, ask string) error {
	if j.run.Session == "" {
		return nil
	}
	has := e.blenderOfSession(j.run.Session)
	if has == "" {
		e.settleLocked() // it may be the first run of the same session
		has = e.blenderOfSession(j.run.Session)
	}
	if ask != "" && has != "" && has != j.run.Blender && !e.isOfVersion(has, ask) {
		return fmt.Errorf("%w: blender: the session %q is in the Blender %q, and the run asks for %q; leave the Blender out, or name another session",
			api.ErrBad, j.run.Session, has, ask)
	}
	if has != "" {
		j.run.Blender = has
	}
	return nil
}

// Sessions returns the sessions by name, and those that have ended by themselves a while ago.
func (e *Engine) Sessions() []api.Session {
	all := []api.Session{}
	for _, s := range e.keptSessions() {
		all = append(all, s.Session)
	}
	all = append(all, e.waitingSessions(all)...)
	slices.SortFunc(all, func(a, b api.Session) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Session returns the session with a name. It fails with [api.ErrNoSession] when there is none.
func (e *Engine) Session(name string) (api.Session, error) {
	s, err := e.findSession(name)
	if errors.Is(err, api.ErrNoSession) {
		for _, waiting := range e.waitingSessions(nil) {
			if waiting.Name == name {
				return waiting, nil
			}
		}
	}
	return s.Session, err
}

// waitingSessions returns the sessions whose first run waits in the queue, and that are not among those that are
// there.
func (e *Engine) waitingSessions(there []api.Session) (all []api.Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range e.queue.jobs {
		name := j.run.Session
		named := func(s api.Session) bool { return s.Name == name }
		if name == "" || slices.ContainsFunc(there, named) {
			continue
		}
		if i := slices.IndexFunc(all, named); i >= 0 {
			all[i].Queued++
			continue
		}
		all = append(all, api.Session{
			Name: name, Blender: j.run.Blender, State: api.SessionStarting, Queued: 1,
			BegunAt: j.run.QueuedAt, UsedAt: j.run.QueuedAt, Checkpoints: []api.Checkpoint{},
		})
	}
	return all
}

// findSession returns the session with a name and its keeper. It fails with [api.ErrNoSession] when
// there is none.
func (e *Engine) findSession(name string) (keptSession, error) {
	if err := api.CheckSession(name); err != nil {
		return keptSession{}, err
	}
	var names []string
	var ended *keptSession
	all := e.keptSessions()
	for i, s := range all {
		switch {
		case s.Name == name && s.State != api.SessionEnded:
			return s, nil
		case s.Name == name:
			ended = &all[i]
		case s.State != api.SessionEnded:
			names = append(names, s.Name)
		}
	}
	if ended != nil {
		return *ended, nil
	}
	if len(names) == 0 {
		return keptSession{}, fmt.Errorf("%w: %q; there are none", api.ErrNoSession, name)
	}
	slices.Sort(names)
	return keptSession{}, fmt.Errorf("%w: %q; there are: %s", api.ErrNoSession, name, strings.Join(names, ", "))
}

// Complete returns how code may go on at a cursor, which counts characters, from the names of a
// session. It never waits for a run: it fails with [api.ErrBusy] while the session executes a run.
// Where there is no such session, nothing matches, and none is begun. It fails with [api.ErrBad] when
// the request makes no sense.
func (e *Engine) Complete(ctx context.Context, name, code string, cursor int) (api.Completion, error) {
	none := api.Completion{Start: cursor, Matches: []string{}}
	switch {
	case len(code) > api.MaxCompletion:
		return none, fmt.Errorf("%w: code: it has %d bytes, and %d may be completed", api.ErrTooLarge, len(code), api.MaxCompletion)
	case cursor < 0 || cursor > utf8.RuneCountInString(code):
		return none, fmt.Errorf("%w: cursor: %d is not in the code, which has %d characters", api.ErrBad, cursor, utf8.RuneCountInString(code))
	}
	s, err := e.findSession(name)
	if err == nil {
		var found api.Completion
		if found, err = s.keeper.Complete(ctx, name, code, cursor); err == nil {
			return found, nil
		}
	}
	if errors.Is(err, api.ErrNoSession) {
		return none, nil
	}
	return none, err
}

// DoInSession has a session save or open a file, make a checkpoint or go back to one, after the runs
// of the session that wait already. It returns when that is done; ending ctx cancels it. It fails with
// [api.ErrNoSession] when the session is not there, with [api.ErrBad] when the request makes no sense,
// and with [api.ErrSession] when the operation has failed.
func (e *Engine) DoInSession(ctx context.Context, req api.SessionRequest) (api.SessionDone, error) {
	blender, err := e.checkOperation(req)
	if err != nil {
		return api.SessionDone{}, err
	}
	s := api.Submission{
		Name: operationName(req.Operation), Session: req.Session, Client: req.Client, TimeLimitSeconds: -1, Confined: req.Confined,
		Limits: api.Limits{MaxMemory: -1, MaxProcesses: -1},
		Code:   fmt.Appendf(nil, "# blendtray session %s %s %s\n", req.Operation, req.Session, req.File),
	}
	if req.File != "" {
		s.Args = []string{req.File}
	}
	picture := ""
	if req.Look != nil {
		var look string
		look, picture, err = e.lookText(*req.Look)
		if err != nil {
			return api.SessionDone{}, err
		}
		s.Args = []string{look}
	}
	j, err := newJob(s, e.runSettings())
	if err != nil {
		return api.SessionDone{}, err
	}
	j.run.Source, j.run.Blender = api.FromSession, blender
	e.turn.Lock()
	err = e.joinSessionLocked(j, "") // a run may have begun the session meanwhile
	var run api.Run
	if err == nil {
		run, err = e.acceptLocked(insert{job: j, code: s.Code})
	}
	e.turn.Unlock()
	if err != nil {
		return api.SessionDone{}, err
	}
	run, err = e.awaitEnd(ctx, run.ID)
	switch {
	case err != nil:
		return api.SessionDone{}, err
	case run.State != api.Succeeded:
		return api.SessionDone{}, fmt.Errorf("%w %s: %s", api.ErrSession, req.Session, whyNot(run))
	}
	done := api.SessionDone{Run: run, File: picture}
	if done.Session, err = e.Session(req.Session); err != nil {
		return done, err // it has just been ended
	}
	return done, nil
}

// checkOperation returns the Blender that a run of the operation asks for, "" for the default Blender.
// It fails when the operation
// makes no sense, or its session is not there.
func (e *Engine) checkOperation(req api.SessionRequest) (blender string, err error) {
	switch {
	case api.CheckSession(req.Session) != nil:
		return "", api.CheckSession(req.Session)
	case req.Operation.NeedsFile() && !filepath.IsAbs(req.File):
		return "", fmt.Errorf("%w: file: %q is not an absolute path", api.ErrBad, req.File)
	case req.Operation.NeedsFile() && !strings.EqualFold(filepath.Ext(req.File), ".blend"):
		return "", fmt.Errorf("%w: file: the name of %s does not end in .blend", api.ErrBad, req.File)
	case req.Operation == api.SessionLook && req.Look == nil:
		return "", fmt.Errorf("%w: look: it is missing, and says what to look at", api.ErrBad)
	case req.Operation != api.SessionLook && req.Look != nil:
		return "", fmt.Errorf("%w: look: a look has it, and no other operation", api.ErrBad)
	case !req.Operation.NeedsFile() && req.File != "":
		return "", fmt.Errorf("%w: file: a %s has none", api.ErrBad, req.Operation)
	}
	s, err := e.findSession(req.Session)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil && s.State == api.SessionEnded && req.Operation.NeedsSession() {
		err = fmt.Errorf("%w: %q has ended: %s", api.ErrNoSession, req.Session, s.Reason)
	}
	if err == nil {
		return s.Blender, nil
	}
	// Its first run may wait, and then it is there when the operation's turn comes.
	if waits := e.blenderOfSessionRunsLocked(req.Session); waits != "" {
		return waits, nil
	}
	if !req.Operation.NeedsSession() {
		return "", nil
	}
	return "", err
}

// awaitEnd waits for the end of an operation's run, and returns the run. When ctx ends first, awaitEnd
// cancels the run while it waits, and fails with the error of ctx. An operation that has begun goes on:
// Blender writes and reads files in C, which no cancel ends, so that Blender would be killed, and the
// session with it.
func (e *Engine) awaitEnd(ctx context.Context, id string) (api.Run, error) {
	sub := e.Subscribe(SubscribeOptions{Run: id})
	defer sub.Close()
	for {
		run, err := e.Run(context.WithoutCancel(ctx), id)
		if err != nil || run.State.Final() {
			return run, err
		}
		select {
		case _, ok := <-sub.Events():
			if !ok {
				return run, api.ErrStopping
			}
		case <-ctx.Done():
			e.withdraw(id)
			return run, ctx.Err()
		}
	}
}

// withdraw cancels a run that waits. It does nothing to a run that has begun.
func (e *Engine) withdraw(id string) {
	n, _ := parseID(id)
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	j, stopping := e.queue.find(n), e.stopping
	e.mu.Unlock()
	if j != nil && !stopping {
		e.endLocked(j, api.Run{State: api.Cancelled, Reason: cancelledWaiting})
	}
}

// whyNot returns why a run has not succeeded, in a sentence.
func whyNot(r api.Run) string {
	switch {
	case r.Error != nil && r.Error.Message != "":
		return r.Error.Message
	case r.Reason != "":
		return r.Reason
	}
	return "it has " + string(r.State)
}

// EndSession cancels what runs or waits in a session, ends its Blender and removes its checkpoints. It
// returns when the Blender is gone. It fails with [api.ErrNoSession] when there is no such session.
func (e *Engine) EndSession(ctx context.Context, name string) error {
	e.mu.Lock()
	delete(e.lost, name)
	e.mu.Unlock()
	s, err := e.findSession(name)
	none := errors.Is(err, api.ErrNoSession) // its first run may wait
	if err != nil && !none {
		return err
	}
	const why = "its session was ended"
	cancelled := func() bool {
		e.mu.Lock()
		var ids []string
		for _, j := range slices.Backward(e.queue.jobs) { // so that none of them begins meanwhile
			if j.run.Session == name && (none || j.run.Blender == s.Blender) {
				ids = append(ids, j.run.ID)
			}
		}
		e.mu.Unlock()
		for _, id := range ids {
			e.cancelFor(id, why)
		}
		return len(ids) > 0
	}
	switch some := cancelled(); {
	case none && some:
		return nil
	case none:
		return err
	}
	e.mu.Lock()
	for _, j := range e.running {
		if j.run.Session == name && j.run.Blender == s.Blender {
			j.askToEndLocked(why, false)
		}
	}
	e.mu.Unlock()
	cancelled() // a run may have been taken back into the queue meanwhile
	return s.keeper.EndSession(ctx, name)
}

// cancelFor ends a run that waits, for a reason.
func (e *Engine) cancelFor(id, why string) {
	e.turn.Lock()
	defer e.turn.Unlock()
	n, _ := parseID(id)
	e.mu.Lock()
	j := e.queue.find(n)
	e.mu.Unlock()
	if j != nil {
		e.endLocked(j, api.Run{State: api.Cancelled, Reason: why})
	}
}
