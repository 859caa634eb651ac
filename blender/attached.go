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
	// Addr is "127.0.0.1:port", Token what it demands.
	Addr, Token string
	// Path is its program, for the status.
	Path string
}

// AttachedConfig is what an [Attached] is made from.
type AttachedConfig struct {
	// BlenderSpec is which Blender it is. Name, CancelGrace and PID count; CancelGrace is how
	// long a run that was asked to stop is waited for, 0 for 3 s.
	api.BlenderSpec
	// Find returns the Blender to be used: the one with a process id, or for 0 the one that was
	// the last to serve. Its error says why there is none, and is shown.
	Find func(ctx context.Context, pid int) (Open, error)
	// Retry is how often Blender is searched for while there is none; 0 is 1 s.
	Retry  time.Duration
	Logger *slog.Logger
	// Changed is as in [Config].
	Changed func(api.BlenderStatus)
}

// Attached has runs done in a Blender with a window that somebody else has started, in the
// scene that is open there. It finds that Blender, and the next Blender when the first has
// gone, and never starts, ends or kills any. Its methods are those of a [Supervisor].
type Attached struct {
	cfg  AttachedConfig
	slot chan struct{} // held by the run that Blender executes

	board                   // its mu guards what follows, too
	spec    api.BlenderSpec // what holds from the next run on
	life    context.Context // ends when the session is to be left; nil when there is none
	halt    context.CancelFunc
	left    chan struct{} // closed when it was left
	session *Session
	active  *activeRun
}

// NewAttached returns an Attached that searches for no Blender before [Attached.Serve].
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

// Configure has another specification hold from the next run on.
func (a *Attached) Configure(spec api.BlenderSpec) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spec = completed(spec)
}

// Serve keeps a session with a Blender until ctx ends; then a run that is on is cancelled.
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

// stay finds a Blender and stays with it until it goes or is not wanted any more.
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
		a.slot <- struct{}{} // the run that is on has heard of it
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

// find looks for a Blender until there is one, or ctx ends.
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

// Stop leaves Blender alone until [Attached.Start]; the program goes on, for it is the user's.
// A run that is on is cancelled. It returns when that has ended, or with ctx's error.
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

// Restart leaves Blender and looks for one again; it returns when there is one.
func (a *Attached) Restart(ctx context.Context) error {
	err := a.Stop(ctx)
	a.Start()
	if err != nil {
		return err
	}
	return a.Ready(ctx)
}

// Status is how it stands just now.
func (a *Attached) Status() api.BlenderStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.status
	if st.PID != 0 {
		st.MemoryBytes = residentBytes(st.PID)
	}
	return st
}

// Ready waits until there is a Blender to take a run. It fails with [ErrStopped] when none is
// looked for, or with ctx's error.
func (a *Attached) Ready(ctx context.Context) error { return a.ready(ctx) }

// Await is [Attached.Ready], whatever the run is.
func (a *Attached) Await(ctx context.Context, _ Request) error { return a.ready(ctx) }

// Expect does nothing: no open Blender is started ahead.
func (a *Attached) Expect(int) {}

// Processes returns the open Blender, if there is one.
func (a *Attached) Processes() []api.ProcessStatus {
	st := a.Status()
	if st.PID == 0 {
		return nil
	}
	return []api.ProcessStatus{{
		Blender: st.Name, PID: st.PID, State: st.State, Use: "open", Run: st.Run, Port: st.Port, MemoryBytes: st.MemoryBytes,
	}}
}

// Preview is not made: whoever wants to see the scene has it on the screen.
func (a *Attached) Preview(context.Context, string, string) error {
	return fmt.Errorf("%w: the Blender that is used has a window", ErrNoPreview)
}

// Run has Blender execute a request, as [Supervisor.Run] does, in the scene that is open: a
// fresh scene is not made, and a scene from a file is refused. A run that does not stop when it
// is asked to goes on in that Blender, and its outcome says so.
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

// execute has the open Blender do a run, which is cancelled when ctx ends or life does.
func (a *Attached) execute(ctx, life context.Context, session *Session, run *activeRun, req Request, grace time.Duration) (Outcome, error) {
	version := session.Welcome.Blender
	if req.Scene != "" && req.Scene != "keep" && req.Scene != "fresh" {
		return refused(version, fmt.Errorf("the scene %s would take the place of what is open in that Blender", req.Scene)), nil
	}
	req.Scene = "keep"
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(life, func() {
		if session.err() == nil { // else it is Blender that has gone, which the session tells
			cancel(errors.New("the engine left that Blender"))
		}
	})
	defer stop()
	x := execution{session: session, host: openHost{}, version: version, grace: grace, run: run, req: req}
	return x.do(ctx)
}

// openHost is the host of runs in a Blender that a person has open: nothing may end it, and
// nobody tells how it ended.
type openHost struct{}

func (openHost) exited() <-chan struct{} { return nil }
func (openHost) awaitOutput(*activeRun)  {}
func (openHost) recycle()                {}
func (openHost) kill() bool              { return false }
func (openHost) killStuck(Request) bool  { return false }

// lost returns the outcome of a run that did not stop, or whose Blender went away.
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
