package blender

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"blendtray/api"
)

const (
	// completionTime is how long Blender may look names up, before it is asked to stop.
	completionTime = 500 * time.Millisecond
	// completionPatience is how long a caller waits, at most.
	completionPatience = 1500 * time.Millisecond
	// completionGrace is how long a completion may take to stop when it is asked to, before Blender is
	// killed. It is long, because with Blender goes what the session has kept, and runs that wait can
	// be cancelled.
	completionGrace = 30 * time.Second
)

// Complete returns how code may go on at a cursor, from the names that the runs before have left. It
// never waits for a run: it fails with [api.ErrBusy] while Blender executes a run, and when the answer
// takes too long. A Blender that is not ready, or in which nothing has run, knows nothing.
func (s *Supervisor) Complete(ctx context.Context, code string, cursor int) (api.Completion, error) {
	none := api.Completion{Start: cursor, Matches: []string{}}
	select {
	case s.slot <- struct{}{}:
	default:
		return none, api.ErrBusy
	}
	answer := make(chan api.Completion, 1)
	go func() { // which may outlive this call: the next run begins when it has ended
		defer func() { <-s.slot }()
		out, ok, err := s.beside(context.WithoutCancel(ctx), Request{
			ID: "complete", Code: []byte(code), Name: "<complete>", Scene: "keep", Complete: &cursor, TimeLimit: completionTime,
		}, completionGrace)
		found := none
		if err == nil && ok && out.Verdict == Succeeded && json.Unmarshal(out.Result, &found) != nil {
			found = none
		}
		answer <- found
	}()
	patience := time.NewTimer(completionPatience)
	defer patience.Stop()
	select {
	case found := <-answer:
		return found, nil
	case <-patience.C:
		return none, fmt.Errorf("%w: what the names mean takes long to find out", api.ErrBusy)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// beside has the Blender of the last run execute a request that is no run of anybody. ok is false when
// there is no such Blender. It needs the slot. grace is how long the request may take to stop when it
// is asked to, before Blender is killed; 0 is the grace of a run. It fails as [Supervisor.Run] does.
func (s *Supervisor) beside(ctx context.Context, req Request, grace time.Duration) (out Outcome, ok bool, err error) {
	s.mu.Lock()
	inst, ready := s.current, s.status.State == api.BlenderReady
	s.mu.Unlock()
	if inst == nil || !ready {
		return Outcome{}, false, nil
	}
	run := newActiveRun(fmt.Sprintf("%d:%s", inst.session.Welcome.Session, req.ID), discard{})
	inst.mu.Lock()
	ran := inst.runs > 0
	if ran {
		inst.active = run
	}
	inst.mu.Unlock()
	if !ran {
		return Outcome{}, false, nil
	}
	out, err = inst.execute(ctx, run, req, grace)
	run.close()
	inst.mu.Lock()
	inst.active = nil
	inst.mu.Unlock()
	return out, true, err
}
