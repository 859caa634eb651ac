package blender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blendtray/api"
)

const (
	// markTime bounds how long is waited, with nothing coming, for the mark that ends a
	// run's output after Blender said that the run has ended. It comes before that, unless a
	// script broke the pipe; then the rest of its output is what is missing.
	markTime = time.Second
	// floodTime bounds that wait when something does come.
	floodTime = 10 * time.Second
	// traceTime is how long a Blender that is to be killed has to say where it hangs.
	traceTime = 500 * time.Millisecond
	// lostTime is how long a process may outlive its session before it is killed. It has
	// closed its descriptors and takes a large scene apart, or the script has closed them.
	lostTime = 3 * time.Second
)

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
	run.close()
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
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var inst *instance
		s.set(func(st *api.BlenderStatus) {
			if st.State == api.BlenderReady && s.current != nil {
				inst = s.current
				st.State, st.Run = api.BlenderRunning, id
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
	if limit := inst.cfg.MaxRuns; limit > 0 && runs >= limit {
		inst.retireFor(fmt.Sprintf("it has done %d runs", runs))
	}
	if limit := inst.cfg.MaxMemoryBytes; limit > 0 && !inst.proc.gone() {
		if used := residentBytes(inst.proc.pid()); used > limit {
			inst.retireFor(fmt.Sprintf("it has %d MB of memory and may have %d", used>>20, limit>>20))
		}
	}
	s.set(func(st *api.BlenderStatus) {
		if s.current != inst || st.State != api.BlenderRunning || st.Run != id {
			return
		}
		st.State, st.Run = api.BlenderReady, ""
		select { // whoever asks for Ready now must not be sent to one that goes
		case <-inst.retired:
			st.State, st.Reason = api.BlenderStopping, inst.why()
		case <-inst.proc.exited:
			s.current = nil
			*st = anew(*st, api.BlenderStarting, "it ended in a run and is started again")
		default:
		}
	})
}

// do sends a request and waits for what comes of it.
func (s *Supervisor) do(ctx context.Context, inst *instance, run *activeRun, req Request) (Outcome, error) {
	call, err := inst.session.Run(req, run.startedAt, run.tellProgress)
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			return refused(inst.version, err), nil
		}
		inst.proc.kill() // without its session it is of no use
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	var (
		l     loss
		limit <-chan time.Time
		grace <-chan time.Time
		begun = run.begun
		ended = call.Done()
		done  = ctx.Done()
		lost  <-chan time.Time
		stop  = func(e ending) {
			l.asked = &e
			// Not waited for: a Blender that does not read can hold it up, and the grace
			// time counts from here.
			go func() {
				_ = call.Cancel(e.reason) // a session that is gone shows below
			}()
			grace = time.After(inst.cfg.CancelGrace)
			begun, limit, done = nil, nil, nil
		}
	)
	for {
		select {
		case <-done:
			stop(ending{
				reason: "cancelled", verdict: Cancelled,
				err: api.ScriptError{Type: "RunCancelled", Message: context.Cause(ctx).Error()},
			})
		case <-ended:
			finished, err := call.Result()
			if err == nil {
				s.awaitEnd(inst, run)
				return s.finished(inst, run, finished, l.asked), nil
			}
			var refusal *WireError
			switch {
			case errors.As(err, &refusal) && refusal.Code == "quitting":
				return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
			case errors.As(err, &refusal):
				return refused(inst.version, err), nil
			}
			// The process is about to end, or is of no use any more.
			ended, lost = nil, time.After(lostTime)
		case <-lost:
			l.cut = true
			inst.proc.kill()
		case <-inst.proc.exited:
			return s.lost(inst, run, req, l)
		case <-begun:
			begun = nil
			if req.TimeLimit > 0 {
				limit = time.After(req.TimeLimit)
			}
		case <-limit:
			stop(overTime(req))
		case <-grace:
			// From here on its end counts, even if the run stops after all: the signals
			// that are sent now leave a process that is good for nothing else.
			ended, lost = nil, nil
			l.killed = true
			s.log.Warn("run did not stop when asked; killing blender", "run", req.ID, "pid", inst.proc.pid())
			go inst.proc.killWithTrace()
		}
	}
}

// awaitEnd waits until all that a run printed has been read.
func (s *Supervisor) awaitEnd(inst *instance, run *activeRun) {
	select {
	case <-run.ended: // as it nearly always is
		return
	default:
	}
	for deadline := time.Now().Add(floodTime); time.Now().Before(deadline); {
		before := inst.proc.read.Load()
		timer := time.NewTimer(markTime)
		select {
		case <-run.ended:
			timer.Stop()
			return
		case <-inst.proc.exited:
			timer.Stop()
			return
		case <-timer.C:
		}
		if inst.proc.read.Load() == before {
			break
		}
	}
	s.log.Warn("no mark at the end of a run's output; a script has closed it", "run", run.key)
	inst.retireFor("a script broke its output")
}
