package blender

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blendtray/api"
)

// Open is a Blender that its user has started and that takes scripts.
type Open struct {
	// Addr is "127.0.0.1:port", and Token is the token that the Blender demands.
	Addr, Token string
	// Path is the path of its program, which the status shows.
	Path string
}

// AttachedConfig is the configuration of an [Attached].
type AttachedConfig struct {
	// BlenderSpec says which Blender is used. Only Name, CancelGrace and PID count. CancelGrace is
	// how long a run may take to stop after it was asked to; 0 is 3 s.
	api.BlenderSpec
	// Find returns the Blender to use: the Blender with a process id, or for 0 the Blender that
	// began to serve last. Its error says why there is none; the status shows this error.
	Find func(ctx context.Context, pid int) (Open, error)
	// Retry is the time between two searches while there is no Blender; 0 is 1 s.
	Retry  time.Duration
	Logger *slog.Logger
	// Changed is as in [Config].
	Changed func(api.BlenderStatus)
}

// Attached executes runs in a Blender with a window that somebody else has started, in the scene
// that is open there. It finds that Blender, and the next Blender when the first has gone. It never
// starts, ends or kills a Blender. Its methods are those of a [Supervisor].
type Attached struct {
	cfg  AttachedConfig
	slot chan struct{} // held by the run that Blender executes

	board                   // its mu guards what follows, too
	spec    api.BlenderSpec // the specification from the next run on
	life    context.Context // ends when the session is to be left; nil when there is no session
	halt    context.CancelFunc
	left    chan struct{} // closed when the Blender was left
	session *Session
	active  *activeRun
}

// NewAttached returns an Attached that searches for a Blender only while [Attached.Serve] runs.
func NewAttached(cfg AttachedConfig) *Attached {
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Attached{
		cfg: cfg, spec: completed(cfg.BlenderSpec), slot: make(chan struct{}, 1),
		board: newBoard(cfg.Name, api.BlenderStatus{Kind: api.BlenderOpen, State: api.BlenderStarting}, cfg.Changed),
	}
}

// Configure sets the specification that holds from the next run on.
func (a *Attached) Configure(spec api.BlenderSpec) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spec = completed(spec)
}

// Serve keeps a session with a Blender until ctx ends; then it cancels the current run. It returns
// nil.
func (a *Attached) Serve(ctx context.Context) error {
	a.set(func(*api.BlenderStatus) { a.over = false })
	for ctx.Err() == nil {
		a.stay(ctx)
		a.mu.Lock()
		want := a.want
		a.mu.Unlock()
		if want {
			continue
		}
		select {
		case <-a.poke:
		case <-ctx.Done():
		}
	}
	a.set(func(st *api.BlenderStatus) { a.over, *st = true, api.BlenderStatus{State: api.BlenderStopped} })
	return nil
}

// stay finds a Blender and stays with it until that Blender goes or is not wanted any more.
func (a *Attached) stay(ctx context.Context) {
	life, halt := context.WithCancel(ctx)
	defer halt()
	left := make(chan struct{})
	defer close(left)
	wanted := false
	a.set(func(st *api.BlenderStatus) {
		if wanted = a.want; wanted {
			a.halt, a.left = halt, left
			*st = api.BlenderStatus{State: api.BlenderStarting, Reason: st.Reason}
		}
	})
	if !wanted {
		return
	}
	session, open := a.find(life)
	if session != nil {
		w := session.Welcome
		a.cfg.Logger.Info("attached to a blender", "pid", w.PID, "version", w.Blender)
		a.set(func(st *api.BlenderStatus) {
			a.life, a.session = life, session
			*st = api.BlenderStatus{State: api.BlenderReady, PID: w.PID, Version: w.Blender, Path: open.Path, Source: api.SourceOpen, Port: w.Port, Loop: w.Loop}
		})
		select {
		case <-session.Closed():
		case <-life.Done():
		}
		halt()
		a.slot <- struct{}{} // the current run has been told of the end
		_ = session.Close()  // it may be gone
		<-a.slot
	}
	a.set(func(st *api.BlenderStatus) {
		a.life, a.session, a.halt, a.left = nil, nil, nil, nil
		*st = api.BlenderStatus{State: api.BlenderStarting, Reason: "it has gone, and another one is looked for"}
		if !a.want {
			*st = api.BlenderStatus{State: api.BlenderStopped}
		}
	})
}

// find looks for a Blender until it has found one, and returns a session with it. When ctx ends
// first, the session is nil.
func (a *Attached) find(ctx context.Context) (*Session, Open) {
	for {
		a.mu.Lock()
		pid := a.spec.PID
		a.mu.Unlock()
		open, err := a.cfg.Find(ctx, pid)
		var session *Session
		if err == nil {
			session, err = DialForOutput(ctx, open.Addr, open.Token, a.output)
		}
		if err == nil {
			return session, open
		}
		a.set(func(st *api.BlenderStatus) {
			if a.want {
				*st = api.BlenderStatus{State: api.BlenderStarting, Source: api.SourceOpen, Reason: err.Error()}
			}
		})
		select {
		case <-time.After(a.cfg.Retry):
		case <-ctx.Done():
			return nil, Open{}
		}
	}
}

func (a *Attached) output(_, text string) {
	a.mu.Lock()
	run := a.active
	a.mu.Unlock()
	if run != nil {
		run.output([]byte(text))
	}
}

// Start looks for a Blender again after a stop; it returns at once.
func (a *Attached) Start() {
	a.set(func(st *api.BlenderStatus) {
		a.want = true
		if !a.over && st.State == api.BlenderStopped {
			*st = api.BlenderStatus{State: api.BlenderStarting}
		}
	})
	a.wake()
}

// Stop leaves Blender alone until [Attached.Start]; the program goes on, because it belongs to the
// user. The current run is cancelled. Stop returns when that run has ended, or fails with the error
// of ctx.
func (a *Attached) Stop(ctx context.Context) error {
	var left chan struct{}
	a.set(func(st *api.BlenderStatus) {
		a.want = false
		if left = a.left; left != nil {
			a.halt()
			return
		}
		*st = api.BlenderStatus{State: api.BlenderStopped}
	})
	if left == nil {
		return nil
	}
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave Blender: %w", ctx.Err())
	}
}

// Restart leaves Blender and looks for a Blender again. It returns when there is one, and fails as
// [Attached.Stop] and [Attached.Ready] do.
func (a *Attached) Restart(ctx context.Context) error {
	err := a.Stop(ctx)
	a.Start()
	if err != nil {
		return err
	}
	return a.Ready(ctx)
}

// Status returns the present status of the Blender.
func (a *Attached) Status() api.BlenderStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.status
	if st.PID != 0 {
		st.MemoryBytes = residentBytes(st.PID)
	}
	return st
}

// Ready waits until there is a Blender that can take a run. It fails with [ErrStopped] when no
// Blender is looked for, or with the error of ctx.
func (a *Attached) Ready(ctx context.Context) error { return a.ready(ctx) }

// Await does what [Attached.Ready] does, for every request.
func (a *Attached) Await(ctx context.Context, _ Request) error { return a.ready(ctx) }

// Free reports whether a run would begin at once.
func (a *Attached) Free(Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.want && !a.over && (a.status.State == api.BlenderReady || a.status.State == api.BlenderRunning)
}

// Expect does nothing, because no open Blender is started ahead.
func (a *Attached) Expect(int, []string) {}

// Alert does nothing, because an open Blender looks for runs by itself.
func (a *Attached) Alert(Request) {}

// Processes returns the process of the open Blender, or nil when there is none.
func (a *Attached) Processes() []api.ProcessStatus {
	st := a.Status()
	if st.PID == 0 {
		return nil
	}
	return []api.ProcessStatus{{
		Blender: st.Name, PID: st.PID, State: st.State, Use: "open", Run: st.Run, Port: st.Port, MemoryBytes: st.MemoryBytes,
	}}
}

// Preview always fails with [ErrNoPreview]: the user sees the scene in the window of that Blender.
func (a *Attached) Preview(context.Context, string, string, Drawing) error {
	return fmt.Errorf("%w: the Blender that is used has a window", ErrNoPreview)
}

// Run executes a request as [Supervisor.Run] does, but in the scene that is open: it makes no fresh
// scene, and refuses a scene from a file. A run that does not stop when it is asked to goes on in
// that Blender, and its outcome says so.
func (a *Attached) Run(ctx context.Context, req Request, sink Sink) (Outcome, error) {
	select {
	case a.slot <- struct{}{}:
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
	defer func() { <-a.slot }()
	if err := a.Ready(ctx); err != nil {
		return Outcome{}, err
	}
	run := newActiveRun(req.ID, sink)
	run.unmarked = true
	var session *Session
	var life context.Context
	var grace time.Duration
	a.set(func(st *api.BlenderStatus) {
		grace = time.Duration(a.spec.CancelGrace)
		if session, life = a.session, a.life; session != nil && life.Err() == nil {
			a.active = run
			st.State, st.Run = api.BlenderRunning, req.ID
		}
	})
	if t, ok := sink.(Taker); ok && session != nil {
		t.Taken(session.Welcome.PID)
	}
	if session == nil || life.Err() != nil {
		return Outcome{}, fmt.Errorf("%w: it was left", ErrNotStarted)
	}
	out, err := a.execute(ctx, life, session, run, req, grace)
	run.close()
	a.set(func(st *api.BlenderStatus) {
		a.active = nil
		if a.session == session && st.Run == req.ID {
			st.State, st.Run = api.BlenderReady, ""
		}
	})
	return out, err
}

// execute executes a run in the open Blender, and returns as [execution.do] does. The run is
// cancelled when ctx or life ends.
func (a *Attached) execute(ctx, life context.Context, session *Session, run *activeRun, req Request, grace time.Duration) (Outcome, error) {
	version := session.Welcome.Blender
	if req.Scene != "" && req.Scene != "keep" && req.Scene != "fresh" {
		return refused(version, fmt.Errorf("the scene %s would take the place of what is open in that Blender", req.Scene)), nil
	}
	req.Scene = "keep"
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(life, func() {
		if session.err() == nil { // otherwise Blender has gone, and the session reports that
			cancel(errors.New("the engine left that Blender"))
		}
	})
	defer stop()
	x := execution{session: session, host: openHost{}, version: version, grace: grace, run: run, req: req}
	return x.do(ctx)
}

// openHost is the host of runs in a Blender that a person has open: nothing may end that Blender,
// and nothing reports how it ended.
type openHost struct{}

func (openHost) exited() <-chan struct{} { return nil }
func (openHost) awaitOutput(*activeRun)  {}
func (openHost) recycle(string)          {}
func (openHost) kill() bool              { return false }
func (openHost) killStuck(Request) bool  { return false }

// lost returns the outcome of a run that did not stop, or whose Blender went away. It fails with
// [ErrNotStarted] when the Blender went away before the run began.
func (openHost) lost(x *execution, l loss) (Outcome, error) {
	if !l.stuck && !x.run.hasBegun() {
		return Outcome{}, fmt.Errorf("%w: it went away", ErrNotStarted)
	}
	started, _ := x.run.close()
	out := Outcome{
		Verdict: Crashed, Started: orNow(started), Finished: time.Now(), Version: x.version,
		Error: &api.ScriptError{Type: "Crash", Message: "that Blender went away while the script ran; its terminal may say why"},
	}
	if l.asked != nil {
		told := l.asked.err
		if l.stuck {
			told.Message += fmt.Sprintf("; it did not stop within %s when asked. The open Blender was left alone, and the script goes on in it", x.grace)
		} else {
			told.Message += "; that Blender went away while the script stopped"
		}
		out.Verdict, out.Error = l.asked.verdict, &told
	}
	return out, nil
}
