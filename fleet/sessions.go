package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// session is a Blender that keeps its state from run to run, under a name. Its fields are guarded by
// Fleet.mu; the files of the checkpoints belong to the operation that is running in it.
type session struct {
	name  string
	m     *member // nil while it has no Blender
	begun time.Time
	used  time.Time // when a run of it last began or ended
	runs  int
	asks  int // how many runs of it are under way, or wait for its Blender
	// lost is why its state is gone, which its next run is told; "" where nothing is gone.
	lost string
	// ended: it has ended by itself, and is only remembered.
	ended bool
	// confined: its Blender is confined.
	confined bool
	checkpoints
}

const (
	// rememberTime is for how long a session is remembered that has ended by itself, and maxRemembered
	// how many such sessions are.
	rememberTime  = 24 * time.Hour
	maxRemembered = 50
)

// sessionView is a session as decisions see it.
type sessionView struct {
	name    string
	busy    bool // a run of it is running or waits
	ended   bool
	used    time.Time
	running string // the run that is running, or ""
}

// mayBegin returns why no new session can begin beside those that there are, or "".
func mayBegin(name string, there []sessionView, most int, scarce bool, now time.Time) string {
	var live []sessionView
	for _, s := range there {
		if !s.ended && s.name != name {
			live = append(live, s)
		}
	}
	slices.SortFunc(live, func(a, b sessionView) int { // the session that was not used for longest is first
		switch {
		case a.busy && !b.busy:
			return 1
		case b.busy && !a.busy:
			return -1
		}
		return a.used.Compare(b.used)
	})
	var names []string
	for _, s := range live {
		switch {
		case s.running != "":
			names = append(names, fmt.Sprintf("%s (run %s is running)", s.name, s.running))
		case s.busy:
			names = append(names, s.name+" (in use)")
		default:
			names = append(names, fmt.Sprintf("%s (not used for %s)", s.name, now.Sub(s.used).Round(time.Second)))
		}
	}
	const remedy = "`blendtray session end NAME` ends one"
	switch {
	case most == 0:
		return "there are no sessions here, as sessions.max is 0"
	case len(live) >= most:
		return fmt.Sprintf("there are %d sessions, and sessions.max allows no more: %s; %s", len(live), strings.Join(names, ", "), remedy)
	case scarce && len(live) > 0:
		return fmt.Sprintf("memory is short, and there are sessions already: %s; %s", strings.Join(names, ", "), remedy)
	}
	return ""
}

// idle returns which sessions have not been used for as long as a limit, and after how long the next
// session will be so, 0 when none will.
func idle(all []sessionView, limit time.Duration, now time.Time) (over []string, next time.Duration) {
	for _, s := range all {
		if s.busy || s.ended || limit <= 0 {
			continue
		}
		left := s.used.Add(limit).Sub(now)
		switch {
		case left <= 0:
			over = append(over, s.name)
		case next == 0 || left < next:
			next = left
		}
	}
	return over, next
}

func (f *Fleet) sessionViewsLocked() (all []sessionView) {
	for _, s := range f.sessions {
		v := sessionView{name: s.name, busy: s.asks > 0, ended: s.ended, used: s.used}
		if s.m != nil {
			v.running = s.m.status.Run
		}
		all = append(all, v)
	}
	return all
}

// refusalLocked returns why a request in a session is not executed, or "". It needs mu.
func (f *Fleet) refusalLocked(req blender.Request) string {
	s := f.sessions[req.Session]
	there := s != nil && !s.ended
	switch {
	case req.Operation == api.SessionUndo && there && s.back() < 0 && s.undone:
		return "it is at its first checkpoint, and there is none before"
	case req.Operation == api.SessionUndo && there && s.back() < 0:
		return "there is no checkpoint to go back to"
	case (req.Operation == api.SessionSave || req.Operation == api.SessionCheckpoint) && there && s.m == nil && s.lost != "":
		return "there is no scene to save: " + s.lost
	case there && req.Confined && !s.confined:
		return "it is not confined, and a session is confined from its first run on or not at all"
	case there:
		return ""
	case req.Operation != "" && req.Operation.NeedsSession() && s != nil:
		return "it has ended: " + s.lost
	case req.Operation != "" && req.Operation.NeedsSession():
		return "there is no session of this name"
	}
	if req.Confined && f.unwalled != "" {
		return f.unwalled
	}
	p := f.policyLocked()
	return mayBegin(req.Session, f.sessionViewsLocked(), f.spec.Sessions.MaxOf(runtime.NumCPU(), f.cfg.Memory), p.scarce, f.cfg.Now())
}

// askForWalls finds out whether a Blender can be confined, where a request wants one.
func (f *Fleet) askForWalls(req blender.Request) {
	if !req.Confined || f.cfg.WhyNotConfined == nil {
		return
	}
	f.mu.Lock()
	walls := f.spec.Confinement
	f.mu.Unlock()
	why := f.cfg.WhyNotConfined(walls)
	f.mu.Lock()
	f.unwalled = why
	f.mu.Unlock()
}

// refused returns the outcome of a run that no Blender executes, for the reason why.
func refused(why string) blender.Outcome {
	now := time.Now()
	return blender.Outcome{
		Verdict: blender.Errored, Started: now, Finished: now,
		Error: &api.ScriptError{Type: api.Refused, Message: why},
	}
}

// runInSession has the Blender of a session execute a request, as [Fleet.Run] does. A new session has
// a Blender in which nothing has run. What a session does not allow is an outcome and no error:
// asking again would not help.
func (f *Fleet) runInSession(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	f.askForWalls(req)
	f.mu.Lock()
	if why := f.refusalLocked(req); why != "" {
		f.mu.Unlock()
		return refused(why), nil
	}
	s := f.sessions[req.Session]
	fresh := s == nil || s.ended
	if fresh {
		old := s
		s = &session{name: req.Session, begun: f.cfg.Now(), confined: req.Confined}
		if s.lost = req.SessionGone; old != nil {
			s.lost = old.lost
		}
		f.sessions[req.Session] = s
		f.newsLocked()
	}
	s.asks++
	s.used = f.cfg.Now()
	f.mu.Unlock()

	req.Confined = s.confined // also when the session begins anew
	m, err := f.acquire(ctx, needOf(req))
	if err != nil {
		f.mu.Lock()
		f.leaveLocked(s, fresh)
		f.newsLocked()
		f.mu.Unlock()
		return blender.Outcome{}, err
	}
	// Nothing else runs in the session from here on.
	f.mu.Lock()
	adopted := s.m == nil
	if adopted {
		s.m, m.session, m.use, s.begun = m, s.name, ofSession, f.cfg.Now()
		f.newsLocked()
	}
	pid, lost := m.pid, s.lost
	note := s.note()
	f.mu.Unlock()
	if s.confined {
		if adopted {
			s.moveTo(m.store)
		}
		req = withoutJournal(req)
	}
	if t, ok := sink.(blender.Taker); ok {
		t.Taken(pid)
	}
	end := func(bool) error { return nil }
	if req.Operation != "" {
		req, end, err = f.operation(s, req)
	}
	var out blender.Outcome
	ran := err == nil
	if !ran {
		out, err = refused(err.Error()), nil
	} else {
		told := note
		sink = &notedSink{Sink: sink, note: func() string {
			// What was executed beside runs, such as a completion, may have cost the Blender meanwhile.
			if now := m.b.Status().PID; now != pid && now != 0 {
				note, pid = cmp.Or(told, s.noteOf("its Blender had ended while the run waited for it")), now
			}
			return note
		}}
		if req.Operation == "" {
			f.mu.Lock()
			s.undone = false // a script may change anything
			f.mu.Unlock()
		}
		out, err = m.b.Run(ctx, req, sink)
		if failed := end(err == nil && out.Verdict == blender.Succeeded); failed != nil {
			out = refused(failed.Error())
		}
		out.Note = note
	}
	f.mu.Lock()
	m.busy = false
	f.runs--
	m.status = m.b.Status()
	ready := m.status.State == api.BlenderReady || m.status.State == api.BlenderRunning
	switch {
	case err != nil && adopted: // nothing was executed
		s.m, m.session, m.use = nil, "", spent
		m.use = m.cleanUse()
	case err == nil && ran && s.lost == lost:
		s.lost = "" // it was told
		s.runs++
		m.ran = req.ID
	}
	if s.m == m && (!ready || out.Verdict == blender.Crashed || m.status.PID != pid) {
		f.loseLocked(m, whyGone(req.ID, out, m.status.Reason))
	} else {
		m.pid = m.status.PID
	}
	m.renewLocked()
	f.leaveLocked(s, fresh && err != nil)
	if err == nil && s.m == m {
		f.runNewsLocked()
	} else {
		f.newsLocked()
	}
	f.mu.Unlock()
	runtime.Gosched() // a run that waits for the Blender is sent before what follows here is done with this run
	if fresh && req.Operation == api.SessionOpen && err == nil && out.Verdict != blender.Succeeded {
		f.dropSession(s) // nobody has asked for a session without the file
	}
	f.publish()
	return out, err
}

// dropSession ends a session in which nothing was done, unless a run of it waits.
func (f *Fleet) dropSession(s *session) {
	f.mu.Lock()
	remove := func() {}
	if s.asks == 0 && f.sessions[s.name] == s {
		remove = f.endSessionLocked(s, "")
	}
	f.mu.Unlock()
	remove()
}

// leaveLocked notes that a run of a session is over. A session that has not begun is forgotten. It
// needs mu, and its caller tells the news.
func (f *Fleet) leaveLocked(s *session, forget bool) {
	s.asks--
	s.used = f.cfg.Now()
	if forget && s.asks == 0 && s.m == nil && s.runs == 0 && f.sessions[s.name] == s {
		delete(f.sessions, s.name)
		if s.lost != "" { // its next run is told all the same
			s.ended = true
			f.sessions[s.name] = s
		}
	}
}

// note returns what the next run of the session is told of its state that is gone, or "".
func (s *session) note() string {
	if s.lost == "" {
		return ""
	}
	return s.noteOf(s.lost)
}

// noteOf returns what a run of the session is told of its state that is gone, for the reason why.
func (s *session) noteOf(why string) string {
	text := fmt.Sprintf("the session %s begins anew: %s; its scene, modules and names are gone", s.name, why)
	if len(s.all) > 0 {
		text += fmt.Sprintf(", and `blendtray session undo %s` goes back to its last checkpoint", s.name)
	}
	return text
}

// whyGone returns why the Blender of a session is gone after a run, in the past.
func whyGone(run string, out blender.Outcome, reason string) string {
	switch {
	case out.Verdict == blender.Crashed && out.Error != nil:
		line, _, _ := strings.Cut(strings.TrimPrefix(out.Error.Message, "Blender crashed: "), "\n")
		return fmt.Sprintf("its Blender had crashed in run %s (%s)", run, line)
	case out.Verdict == blender.Crashed:
		return fmt.Sprintf("its Blender had crashed in run %s", run)
	case out.Verdict == blender.Cancelled || out.Verdict == blender.TimedOut:
		return fmt.Sprintf("its Blender had ended with run %s, which was to stop", run)
	case reason != "":
		return fmt.Sprintf("its Blender had ended after run %s (%s)", run, reason)
	}
	return fmt.Sprintf("its Blender had ended after run %s", run)
}

// loseLocked notes that the Blender of a session is gone, and with it what the session has kept, but
// for its checkpoints. It needs mu.
func (f *Fleet) loseLocked(m *member, why string) {
	s := f.sessions[m.session]
	m.session, m.use = "", spent // until it has another process
	m.forgetLocked()
	m.pid = -1
	if s == nil || s.m != m {
		return
	}
	s.m, s.lost, s.undone = nil, why, false
}

// notedSink passes on what a run does, with a note before its first output, unless the note is "". The
// note is asked for when the run begins.
type notedSink struct {
	blender.Sink
	note func() string
	once sync.Once
}

func (s *notedSink) tell() {
	s.once.Do(func() {
		if note := s.note(); note != "" {
			s.Sink.Output([]byte("[" + note + "]\n"))
		}
	})
}

// Rendered passes on what the run renders.
func (s *notedSink) Rendered(picture string) {
	if viewer, ok := s.Sink.(blender.Viewer); ok {
		viewer.Rendered(picture)
	}
}

// Started passes on that the run has begun, and tells the note.
func (s *notedSink) Started(at time.Time) {
	s.Sink.Started(at)
	s.tell()
}

// Output passes on output behind the note.
func (s *notedSink) Output(p []byte) {
	s.tell()
	s.Sink.Output(p)
}

// operationCode has the add-on do what the arguments say. It leaves no name behind.
const operationCode = "__import__('tcp_echo.checkpoints', fromlist=['perform']).perform()\n"

// lookCode has the add-on look at what the arguments say. What was seen is the result of the run, whose
// name goes when the next run begins.
const lookCode = "result = __import__('tcp_echo.looks', fromlist=['perform']).perform()\n"

// operation returns the request by which a session does an operation, and a function that is to be
// called with whether the operation has succeeded. The function fails when the operation has failed
// all the same. operation fails when the operation can't be done.
func (f *Fleet) operation(s *session, req blender.Request) (blender.Request, func(bool) error, error) {
	req.Code = []byte(operationCode)
	file := ""
	if len(req.Args) > 0 {
		file = req.Args[len(req.Args)-1]
	}
	end := func(bool) error { return nil }
	switch req.Operation {
	case api.SessionLook:
		last := ""
		if n := len(s.all); n > 0 {
			last = s.file(s.all[n-1].Number)
		}
		if s.confined {
			var err error
			if file, end, err = f.lookWithin(s, file); err != nil {
				return req, nil, err
			}
		}
		req.Code, req.Args = []byte(lookCode), []string{file, last}
		return req, end, nil
	case api.SessionOpen:
		end = func(ok bool) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			s.undone = s.undone && !ok
			return nil
		}
	case api.SessionCheckpoint:
		dir, err := s.folder(f.storeOf(s))
		if err != nil {
			return req, nil, err
		}
		f.mu.Lock()
		s.dir = dir
		s.last++
		number := s.last
		f.mu.Unlock()
		file = s.file(number)
		end = func(ok bool) error { return f.madeCheckpoint(s, number, ok) }
	case api.SessionUndo:
		to := s.back()
		if to < 0 {
			return req, nil, errors.New("there is no earlier checkpoint")
		}
		file = s.file(s.all[to].Number)
		end = func(ok bool) error {
			if ok {
				f.mu.Lock()
				gone := s.wentBack(to)
				f.mu.Unlock()
				s.removeThem(gone)
			}
			return nil
		}
	}
	req.Args = []string{string(req.Operation), file}
	return req, end, nil
}

// storeOf returns the folder in which a session has the folder of its checkpoints. A confined Blender can
// write in its own alone.
func (f *Fleet) storeOf(s *session) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.confined && s.m != nil {
		return s.m.store
	}
	return f.cfg.Checkpoints
}

// withoutJournal returns a request without a journal: a confined Blender may not write where the
// journals of all runs are. The journal says that the run has begun, which is all that the engine can
// know of it after its own end.
func withoutJournal(req blender.Request) blender.Request {
	if req.Journal == "" {
		return req
	}
	if f, err := os.OpenFile(req.Journal, os.O_WRONLY|os.O_APPEND, 0); err == nil {
		_, err = f.WriteString("begun\n")
		if closed := f.Close(); err != nil || closed != nil {
			_ = os.Remove(req.Journal) // a journal that is not there proves nothing
		}
	}
	req.Journal, req.Watched = "", nil
	return req
}

// madeCheckpoint notes a checkpoint that was made, or removes what is there of one that was not.
func (f *Fleet) madeCheckpoint(s *session, number int, ok bool) error {
	if !ok {
		s.remove(number)
		return nil
	}
	made, err := s.measured(number, f.cfg.Now())
	if err != nil {
		s.remove(number)
		return err
	}
	f.mu.Lock()
	gone := s.add(made, f.spec.Sessions)
	f.mu.Unlock()
	s.removeThem(gone)
	return nil
}

func (c *checkpoints) removeThem(all []api.Checkpoint) {
	for _, one := range all {
		c.remove(one.Number)
	}
}

// endSessionLocked ends a session in which nothing runs, for a reason, or for "" because a person asks.
// It returns a function that removes the session's files. It needs mu.
func (f *Fleet) endSessionLocked(s *session, why string) (remove func()) {
	if m := s.m; m != nil {
		m.session, m.use, m.quits = "", spent, true
		m.forgetLocked()
	}
	files := s.checkpoints
	delete(f.sessions, s.name)
	if why != "" {
		f.sessions[s.name] = &session{name: s.name, begun: s.begun, used: f.cfg.Now(), runs: s.runs, lost: why, ended: true}
		f.forgetSessionsLocked()
	}
	f.newsLocked()
	return files.removeAll
}

// forgetSessionsLocked forgets the sessions that have ended long ago. It needs mu.
func (f *Fleet) forgetSessionsLocked() {
	var ended []*session
	for _, s := range f.sessions {
		if s.ended {
			ended = append(ended, s)
		}
	}
	slices.SortFunc(ended, func(a, b *session) int { return b.used.Compare(a.used) })
	for i, s := range ended {
		if i >= maxRemembered || f.cfg.Now().Sub(s.used) > rememberTime {
			delete(f.sessions, s.name)
		}
	}
}

// endIdle ends the sessions that have not been used for long, and returns after how long the next one
// will be so, 0 when none will.
func (f *Fleet) endIdle() time.Duration {
	f.mu.Lock()
	limit := time.Duration(f.spec.Sessions.Idle)
	all := f.sessionViewsLocked()
	over, next := idle(all, limit, f.cfg.Now())
	// A session that is in use will not be idle sooner than this, so the end of its run wakes nobody.
	inUse := slices.ContainsFunc(all, func(s sessionView) bool { return s.busy && !s.ended })
	if inUse && limit > 0 && (next == 0 || limit < next) {
		next = limit
	}
	var remove []func()
	for _, name := range over {
		why := fmt.Sprintf("it was not used for %s (sessions.idle)", api.Duration(limit))
		if lost := f.sessions[name].lost; lost != "" {
			why = lost
		}
		remove = append(remove, f.endSessionLocked(f.sessions[name], why))
		f.log.Info("a session has ended", "session", name, "why", why)
	}
	f.mu.Unlock()
	for _, r := range remove {
		r()
	}
	return next
}

// endSessionsLocked ends all sessions, for a reason. It returns a function that removes their files,
// and needs mu.
func (f *Fleet) endSessionsLocked(why string) (remove func()) {
	var all []func()
	for _, s := range f.sessions {
		if !s.ended {
			all = append(all, f.endSessionLocked(s, why))
		}
	}
	return func() {
		for _, r := range all {
			r()
		}
	}
}

// Sessions returns the sessions, by name, and those that have ended by themselves a while ago.
func (f *Fleet) Sessions() []api.Session {
	f.mu.Lock()
	defer f.mu.Unlock()
	limit := time.Duration(f.spec.Sessions.Idle)
	all := []api.Session{}
	for _, s := range f.sessions {
		v := api.Session{
			Name: s.name, Blender: f.cfg.Spec.Name, State: api.SessionReady, Runs: s.runs, Reason: s.lost,
			BegunAt: s.begun.UTC().Round(0), UsedAt: s.used.UTC().Round(0), Checkpoints: slices.Clone(s.all), AtCheckpoint: s.at(),
		}
		switch {
		case s.ended:
			v.State = api.SessionEnded
		case s.m == nil && s.lost != "":
			v.State = api.SessionCrashed
		case s.m == nil:
			v.State = api.SessionStarting
		case s.m.busy:
			v.State = api.SessionRunning
		}
		if s.m != nil {
			st := s.m.b.Status()
			v.PID, v.Run, v.MemoryBytes = st.PID, st.Run, st.MemoryBytes
		}
		if limit > 0 && s.asks == 0 && !s.ended {
			at := s.used.Add(limit).UTC().Round(0)
			v.EndsAt = &at
		}
		if v.Checkpoints == nil {
			v.Checkpoints = []api.Checkpoint{}
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b api.Session) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Complete returns how code may go on at a cursor, from the names of a session; see
// [blender.Supervisor.Complete]. It never waits: it fails with [api.ErrBusy] while a run of the session
// is running or begins, and with [api.ErrNoSession] when the session is not there or has lost its Blender.
func (f *Fleet) Complete(ctx context.Context, name, code string, cursor int) (api.Completion, error) {
	f.mu.Lock()
	s := f.sessions[name]
	var m *member
	busy := false
	if s != nil {
		m, busy = s.m, s.asks > 0
	}
	f.mu.Unlock()
	switch {
	case busy:
		return api.Completion{}, api.ErrBusy
	case m == nil:
		return api.Completion{}, fmt.Errorf("%w: %q", api.ErrNoSession, name)
	}
	return m.b.Complete(ctx, code, cursor)
}

// EndSession ends a session, its Blender and its checkpoints, after the run that is running in it. It
// returns when the Blender is gone. It fails with [api.ErrNoSession] when there is no such session, and
// with the error of ctx.
func (f *Fleet) EndSession(ctx context.Context, name string) error {
	f.mu.Lock()
	for {
		s := f.sessions[name]
		if s == nil {
			f.mu.Unlock()
			return fmt.Errorf("%w: %q", api.ErrNoSession, name)
		}
		if s.asks == 0 {
			m := s.m
			remove := f.endSessionLocked(s, "")
			f.mu.Unlock()
			remove()
			if m == nil {
				return nil
			}
			return f.awaitEnd(ctx, m)
		}
		if err := f.changeLocked(ctx); err != nil {
			f.mu.Unlock()
			return err
		}
	}
}

// awaitEnd waits until the process of a member is gone in which a session was.
func (f *Fleet) awaitEnd(ctx context.Context, m *member) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.serving && (m.quits || m.ending > 0) {
		if err := f.changeLocked(ctx); err != nil {
			return err
		}
	}
	return nil
}

// changeLocked waits for a change, and fails when ctx ends first. It needs mu, which it gives back
// meanwhile.
func (f *Fleet) changeLocked(ctx context.Context) error {
	changed := f.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
