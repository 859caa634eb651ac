package blender

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// markTime bounds how long is waited for the mark that ends a run's output after
	// Blender said that the run has ended. It comes before that, unless a script broke the
	// pipe; then the rest of its output is what is missing.
	markTime = time.Second
	// traceTime is how long a Blender that is to be killed has to say where it hangs.
	traceTime = 500 * time.Millisecond
	// lostTime is how long a process may outlive its session before it is killed.
	lostTime = 2 * time.Second
)

// activeRun is the run that a Blender executes.
type activeRun struct {
	key     string // its name in the marks
	begun   chan struct{}
	ended   chan struct{}
	beginDo sync.Once
	endDo   sync.Once

	mu       sync.Mutex // around calls of the sink
	sink     Sink
	open     bool // between the marks
	started  time.Time
	progress renderProgress
	tail     []byte
}

func newActiveRun(key string, sink Sink) *activeRun {
	r := &activeRun{key: key, begun: make(chan struct{}), ended: make(chan struct{}), sink: sink}
	r.progress.tell = sink.Progress
	return r
}

func (r *activeRun) begin() {
	r.beginDo.Do(func() {
		r.mu.Lock()
		r.open = true
		r.mu.Unlock()
		close(r.begun)
	})
}

func (r *activeRun) end() {
	r.endDo.Do(func() {
		r.mu.Lock()
		r.open = false
		r.mu.Unlock()
		close(r.ended)
	})
}

func (r *activeRun) hasBegun() bool {
	select {
	case <-r.begun:
		return true
	default:
		return false
	}
}

// output passes on what was printed, when it is the run's.
func (r *activeRun) output(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return
	}
	r.tail = appendTail(r.tail, p, 4*tailSize)
	r.sink.Output(p)
	r.progress.take(p)
}

func (r *activeRun) start(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = at
	r.sink.Started(at)
}

func (r *activeRun) tellProgress(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink.Progress(p)
}

// close lets nothing more reach the sink, and returns when the run started and the end of
// what it printed.
func (r *activeRun) close() (started time.Time, tail []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	r.sink = discard{}
	r.progress.tell = discard{}.Progress
	return r.started, r.tail
}

type discard struct{}

func (discard) Started(time.Time) {}
func (discard) Output([]byte)     {}
func (discard) Progress(Progress) {}

// Run has Blender execute a request; it waits until Blender is ready and no other run is on.
// What the run does is told to sink until Run returns.
//
// When ctx ends or the time limit has passed, the run is asked to stop; if it has not done so
// after the grace time, Blender is killed. Whatever happens to a run that began is an Outcome.
// An error says that nothing was executed: [ErrNotStarted], [ErrStopped], a [*FailedError],
// or that of ctx.
func (s *Supervisor) Run(ctx context.Context, req Request, sink Sink) (Outcome, error) {
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
	defer func() { <-s.slot }()
	inst, err := s.claim(ctx, req.ID)
	if err != nil {
		return Outcome{}, err
	}
	run := newActiveRun(fmt.Sprintf("%d:%s", inst.session.Welcome.Session, req.ID), sink)
	inst.mu.Lock()
	inst.active = run
	inst.mu.Unlock()
	out, err := s.do(ctx, inst, run, req)
	inst.mu.Lock()
	inst.active = nil
	inst.runs++
	inst.mu.Unlock()
	s.release(inst, req.ID)
	return out, err
}

// claim waits until Blender is ready and has its status say that it runs.
func (s *Supervisor) claim(ctx context.Context, id string) (*instance, error) {
	for {
		if err := s.Ready(ctx); err != nil {
			return nil, err
		}
		var inst *instance
		s.set(func(st *Status) {
			if st.State == Ready && s.current != nil {
				inst = s.current
				st.State, st.Run = Running, id
			}
		})
		if inst != nil {
			return inst, nil
		}
	}
}

// release has the status say that Blender is ready again, or has it replaced.
func (s *Supervisor) release(inst *instance, id string) {
	inst.mu.Lock()
	runs := inst.runs
	inst.mu.Unlock()
	if limit := s.cfg.MaxRuns; limit > 0 && runs >= limit {
		inst.retireFor(fmt.Sprintf("it has done %d runs", runs))
	}
	if limit := s.cfg.MaxMemoryBytes; limit > 0 && !inst.proc.gone() {
		if used := residentBytes(inst.proc.pid()); used > limit {
			inst.retireFor(fmt.Sprintf("it has %d MB of memory and may have %d", used>>20, limit>>20))
		}
	}
	leaves := inst.proc.gone()
	select {
	case <-inst.retired:
		leaves = true
	default:
	}
	s.set(func(st *Status) {
		if st.State != Running || st.Run != id {
			return
		}
		st.Run = ""
		st.State = Ready
		if leaves { // no other run may be sent to it
			st.State = Stopping
		}
	})
}

// do sends a request and waits for what comes of it.
func (s *Supervisor) do(ctx context.Context, inst *instance, run *activeRun, req Request) (Outcome, error) {
	call, err := inst.session.Run(req, run.start, run.tellProgress)
	if err != nil {
		var refused *WireError
		if errors.Is(err, ErrFrameTooLong) || errors.As(err, &refused) {
			return s.refused(inst, err), nil
		}
		inst.kill() // without its session it is of no use
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	var (
		asked   *ending // why the run has to stop
		killed  bool
		limit   <-chan time.Time
		grace   <-chan time.Time
		begun   = run.begun
		ended   = call.Done()
		done    = ctx.Done()
		stopRun = func(e ending) {
			if asked == nil {
				asked = &e
			}
			_ = call.Cancel(e.reason) // a session that is gone shows below
			grace = time.After(s.cfg.CancelGrace)
			limit, done = nil, nil
		}
	)
	for {
		select {
		case <-done:
			stopRun(ending{
				reason: "cancelled", verdict: Cancelled,
				err: ScriptError{Type: "RunCancelled", Message: context.Cause(ctx).Error()},
			})
		case <-ended:
			finished, err := call.Result()
			if err == nil {
				s.awaitEnd(inst, run)
				return s.finished(inst, run, req, finished, asked), nil
			}
			var refused *WireError
			switch {
			case errors.As(err, &refused) && refused.Code == "quitting":
				return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
			case errors.As(err, &refused):
				return s.refused(inst, err), nil
			}
			// The process is about to end, or is of no use any more.
			if !inst.proc.wait(lostTime) {
				inst.kill()
			}
			<-inst.proc.exited
			return s.lost(inst, run, req, asked, killed)
		case <-inst.proc.exited:
			return s.lost(inst, run, req, asked, killed)
		case <-begun:
			begun = nil
			if req.TimeLimit > 0 && asked == nil {
				limit = time.After(req.TimeLimit)
			}
		case <-limit:
			stopRun(ending{
				reason: "timeout", verdict: TimedOut,
				err: ScriptError{Type: "TimeLimit", Message: fmt.Sprintf("it ran longer than its time limit of %s", req.TimeLimit)},
			})
		case <-grace:
			// From here on its end counts, even if the run stops after all: the signals
			// that are sent now leave a process that is good for nothing else.
			grace, ended = nil, nil
			killed = true
			s.log.Warn("run did not stop when asked; killing blender", "run", req.ID, "pid", inst.proc.pid())
			go inst.killWithTrace()
		}
	}
}

// ending is why a run has to stop, and what is told of it when it does.
type ending struct {
	reason  string
	verdict Verdict
	err     ScriptError
}

// awaitEnd waits until all that a run printed has been read.
func (s *Supervisor) awaitEnd(inst *instance, run *activeRun) {
	timer := time.NewTimer(markTime)
	defer timer.Stop()
	select {
	case <-run.ended:
	case <-inst.proc.exited:
	case <-timer.C:
		s.log.Warn("no mark at the end of a run's output; a script has closed it", "run", run.key)
		inst.retireFor("a script broke its output")
	}
}

// finished is the outcome of a run that Blender reported on.
func (s *Supervisor) finished(inst *instance, run *activeRun, req Request, f Finished, asked *ending) Outcome {
	if f.Recycle {
		inst.retireFor("a render in it was cancelled, and a second cancel would end it")
	}
	started, _ := run.close()
	out := Outcome{
		Verdict: f.State, Error: f.Error, Result: f.Result, Outputs: f.Outputs, Version: inst.version, Started: started,
		Finished: started.Add(time.Duration(f.Seconds * float64(time.Second))),
	}
	if string(out.Result) == "null" {
		out.Result = nil
	}
	if f.State == Cancelled && asked != nil {
		out.Verdict = asked.verdict
		told := asked.err
		if f.Error != nil { // where it was when it was stopped
			told.Line, told.Traceback = f.Error.Line, f.Error.Traceback
		}
		out.Error = &told
	}
	return out
}

// lost is the outcome of a run whose Blender is gone.
func (s *Supervisor) lost(inst *instance, run *activeRun, req Request, asked *ending, killed bool) (Outcome, error) {
	if !run.hasBegun() {
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, errEnded(inst.proc.state))
	}
	inst.blame()
	started, tail := run.close()
	now := time.Now()
	if started.IsZero() {
		started = now // the scene that was to be made ready ended it
	}
	out := Outcome{Verdict: Crashed, Started: started, Finished: now, Version: inst.version}
	line, stack := crashPlace(tail, req)
	switch {
	case asked != nil && killed:
		out.Verdict = asked.verdict
		told := asked.err
		told.Message += fmt.Sprintf("; it did not stop within %s when asked, so Blender was killed", s.cfg.CancelGrace)
		told.Line, told.Traceback = line, stack
		out.Error = &told
	case inst.wantedToStop():
		out.Verdict = Cancelled
		out.Error = &ScriptError{Type: "RunCancelled", Message: "Blender was stopped", Line: line, Traceback: stack}
	default:
		message := "Blender crashed: " + errEnded(inst.proc.state).Error()
		if state := inst.proc.state; state != nil && signalText(state) == "" {
			message = fmt.Sprintf("the script ended Blender, with exit code %d", state.ExitCode())
		}
		out.Error = &ScriptError{Type: "Crash", Message: message, Line: line, Traceback: stack}
	}
	return out, nil
}

// refused is the outcome of a run that can't be sent or that Blender does not take.
func (s *Supervisor) refused(inst *instance, err error) Outcome {
	now := time.Now()
	return Outcome{
		Verdict: Errored, Started: now, Finished: now, Version: inst.version,
		Error: &ScriptError{Type: "RunRefused", Message: err.Error()},
	}
}
