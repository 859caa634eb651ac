package blender

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"blendtray/api"
)

const (
	// markTime is how long the supervisor waits, while no output comes, for the mark at the end of a
	// run's output after Blender has said that the run has ended. The mark comes first, unless a
	// script broke the pipe; then the rest of the output is missing. On a machine with a load of 15, the goroutine that
	// reads the pipe was once a second late, which cost a session its Blender.
	markTime = 3 * time.Second
	// floodTime bounds that wait while output comes.
	floodTime = 10 * time.Second
	// traceTime is how long a Blender that is to be killed has to print where it hangs.
	traceTime = 500 * time.Millisecond
	// lostTime is how long a process may outlive its session before it is killed. Such a process has
	// closed its descriptors and is taking a large scene apart, or the script has closed the
	// descriptors.
	lostTime = 3 * time.Second
)

// Run waits until Blender is ready and no other run is executed, then executes a request and
// returns its outcome. sink receives what the run does until Run returns.
//
// When ctx ends or the time limit has passed, the run is asked to stop; if it has not stopped
// after the grace time, Blender is killed. The end of a run that began is always an Outcome. Run
// fails only when nothing was executed: with [ErrNotStarted], [ErrStopped], a [*FailedError], or
// the error of ctx.
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
	var earlier running // what earlier runs have left running
	if req.Leftover == LeftoverRun {
		earlier = inst.proc.others()
	}
	undo := inst.proc.limit(req.Limits)
	out, err := inst.execute(ctx, run, req, 0)
	run.close()
	if !undo() {
		inst.retireFor("a run had limits that can't be taken off again")
	}
	if req.Leftover == LeftoverRun {
		inst.proc.killOthers(earlier)
	}
	inst.mu.Lock()
	inst.active = nil
	inst.runs++
	inst.mu.Unlock()
	s.release(inst, req.ID)
	return out, err
}

// execute executes a run in the instance, and returns as [execution.do] does. grace is how long the run
// may take to stop when it is asked to; 0 is what the settings say.
func (i *instance) execute(ctx context.Context, run *activeRun, req Request, grace time.Duration) (Outcome, error) {
	x := execution{
		session: i.session, host: i, version: i.version, grace: cmp.Or(grace, time.Duration(i.spec.CancelGrace)), run: run, req: req,
	}
	return x.do(ctx)
}

// claim waits until Blender is ready, sets its status to running, and returns the instance. It
// fails as [Supervisor.Ready] does.
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

// release sets the status to ready again, or has Blender replaced.
func (s *Supervisor) release(inst *instance, id string) {
	inst.mu.Lock()
	runs := inst.runs
	inst.mu.Unlock()
	if limit := int(inst.spec.MaxRuns); limit > 0 && runs >= limit {
		inst.retireFor(fmt.Sprintf("it has done %d runs", runs))
	}
	if limit := uint64(inst.spec.MaxMemory); limit > 0 && !inst.proc.gone() {
		if used := residentBytes(inst.proc.pid()); used > limit {
			inst.retireFor(fmt.Sprintf("it has %d MB of memory and may have %d", used>>20, limit>>20))
		}
	}
	s.set(func(st *api.BlenderStatus) {
		if s.current != inst || st.State != api.BlenderRunning || st.Run != id {
			return
		}
		st.State, st.Run = api.BlenderReady, ""
		select { // a caller of Ready must not be sent to a Blender that is about to end
		case <-inst.retired:
			st.State, st.Reason = api.BlenderStopping, inst.why()
		case <-inst.proc.exited:
			s.current = nil
			*st = anew(*st, api.BlenderStarting, "it ended in a run and is started again")
		default:
		}
	})
}
