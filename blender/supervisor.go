package blender

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blendtray/api"
)

// Supervisor keeps one Blender running, for as long as [Supervisor.Serve] does.
type Supervisor struct {
	cfg     Config
	log     *slog.Logger
	printed *logWriter
	slot    chan struct{} // held by the run that Blender executes

	board                       // its mu guards what follows, too
	spec     api.BlenderSpec    // the specification from the next start on
	sampled  time.Time          // when the memory was measured
	halt     context.CancelFunc // ends the current life; nil when there is none
	lifeOver chan struct{}      // closed when the current life has ended
	starting *instance          // the process that is not ready yet
	current  *instance          // the process that is ready
	failures backOff
}

// Serve starts Blender and keeps it running until ctx ends. Then it cancels the current run, stops
// Blender and returns nil when no process is left.
func (s *Supervisor) Serve(ctx context.Context) error {
	s.mu.Lock()
	s.over = false
	s.mu.Unlock()
	logged := make(chan struct{})
	go func() { defer close(logged); s.printed.serve() }()
	for ctx.Err() == nil {
		if !s.live(ctx) {
			s.wait(ctx, nil)
		}
	}
	s.printed.close()
	select {
	case <-logged:
	case <-time.After(logPatience): // Serve does not wait longer for a log that stands still
	}
	s.set(func(st *api.BlenderStatus) {
		s.over = true
		*st = anew(*st, api.BlenderStopped, "")
	})
	return nil
}

// live starts a Blender, attends to it until it has ended, and waits after a failure. It returns
// false when no Blender is wanted.
func (s *Supervisor) live(ctx context.Context) bool {
	life, halt := context.WithCancel(ctx)
	defer halt()
	over := make(chan struct{})
	s.mu.Lock()
	if !s.want {
		s.mu.Unlock()
		return false
	}
	s.halt, s.lifeOver = halt, over
	s.mu.Unlock()

	inst, err := s.launch(life)
	if err == nil {
		err = s.attend(life, inst)
	}
	halted := life.Err() != nil
	s.set(func(st *api.BlenderStatus) {
		s.halt, s.lifeOver = nil, nil
		if !s.want {
			*st = anew(*st, api.BlenderStopped, "")
		}
	})
	close(over)
	if err != nil && !halted {
		s.fail(ctx, err)
	}
	return true
}

// EndedAlone is what the reason of a status begins with while a Blender that ended without a run is started again.
// How the Blender ended follows.
const EndedAlone = "it ended and is started again: "

// attend waits until an instance ends or has to end, and then stops it. It fails when the instance
// ended by itself and no run is to blame for that.
func (s *Supervisor) attend(life context.Context, inst *instance) error {
	select {
	case <-inst.proc.exited:
		blamed := inst.blamed()
		s.leave(inst, EndedAlone+errEnded(inst.proc.state).Error())
		inst.session.Close()
		if blamed {
			return nil
		}
		return &endError{text: inst.failure("it ended while idle", errEnded(inst.proc.state))}
	case <-inst.retired:
		s.log.Info("blender is replaced", "pid", inst.proc.pid(), "why", inst.why())
		s.stopInstance(inst, inst.why())
	case <-life.Done():
		s.stopInstance(inst, "")
	}
	return nil
}

func (s *Supervisor) stopInstance(inst *instance, reason string) {
	s.set(func(st *api.BlenderStatus) { st.State, st.Run, st.Reason = api.BlenderStopping, "", reason })
	inst.stop(s.cfg.StopGrace)
	s.leave(inst, reason)
}

// leave forgets an instance whose process is gone.
func (s *Supervisor) leave(inst *instance, reason string) {
	s.noteEnd(inst)
	s.set(func(st *api.BlenderStatus) {
		if s.current != inst {
			return
		}
		s.current = nil
		*st = anew(*st, api.BlenderStarting, reason)
		if !s.want {
			st.State, st.Reason = api.BlenderStopped, ""
		}
	})
}

// patientWait is the wait between attempts where giving up would be wrong: the machine is too busy.
const patientWait = 5 * time.Second

// endError is a failure after which another attempt may succeed.
type endError struct {
	text string
	// patient is true when no number of attempts shows that Blender can't be started.
	patient bool
}

func (e *endError) Error() string { return e.text }

// fail waits before the next attempt, or gives up. It gives up at once when another attempt can't
// succeed, and otherwise after too many failures in too short a time.
func (s *Supervisor) fail(ctx context.Context, err error) {
	var taken *portError
	if errors.As(err, &taken) {
		s.awaitPort(ctx, taken)
		return
	}
	s.log.Error("blender failed", "error", err)
	var passing *endError
	if !errors.As(err, &passing) {
		s.giveUp(err.Error())
		return
	}
	s.mu.Lock()
	wait, giveUp := s.failures.failed(time.Now())
	s.mu.Unlock()
	if giveUp && passing.patient {
		wait = patientWait
	} else if giveUp {
		s.giveUp(fmt.Sprintf("it failed %d times within a short time, at last: %s", maxFailures, passing.text))
		return
	}
	s.set(func(st *api.BlenderStatus) {
		if !s.want {
			return
		}
		*st = anew(*st, api.BlenderStarting, fmt.Sprintf("another attempt in %s, since %s", wait.Round(10*time.Millisecond), passing.text))
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	s.wait(ctx, timer.C)
}

func (s *Supervisor) giveUp(reason string) {
	s.set(func(st *api.BlenderStatus) {
		if !s.want { // Blender was stopped a moment ago
			return
		}
		s.want = false
		*st = anew(*st, api.BlenderFailed, reason)
	})
}

// wait returns when something else is wanted, when timer fires, or when ctx ends.
func (s *Supervisor) wait(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-s.poke:
	case <-timer:
	case <-ctx.Done():
	}
}

// Start starts a Blender that is stopped or failed, and forgets its failures. It returns at once:
// see [Supervisor.Ready].
func (s *Supervisor) Start() {
	s.set(func(st *api.BlenderStatus) {
		s.want = true
		s.failures.reset()
		if !s.over && (st.State == api.BlenderStopped || st.State == api.BlenderFailed) {
			st.State, st.Reason = api.BlenderStarting, ""
		}
	})
	s.wake()
}

// Stop stops Blender, which stays stopped until [Supervisor.Start]. The current run is cancelled.
// Stop returns when the process is gone, or fails with the error of ctx when ctx ends first.
func (s *Supervisor) Stop(ctx context.Context) error {
	var over chan struct{}
	s.set(func(st *api.BlenderStatus) {
		s.want = false
		if over = s.lifeOver; over != nil {
			s.halt()
			return
		}
		*st = anew(*st, api.BlenderStopped, "")
	})
	s.wake()
	if over == nil {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop Blender: %w", ctx.Err())
	}
}

// Discard ends the present Blender at once, without asking it to quit, and starts another Blender
// in its place. The processes that its runs have left running and its temporary files go with it.
// The current run is cancelled: Discard is meant for a Blender whose only run has ended, together
// with everything that ends with the interpreter. Discard returns at once, and does nothing when no
// Blender is ready.
func (s *Supervisor) Discard(reason string) {
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	if inst != nil {
		inst.discardFor(reason)
	}
}

// Alert wakes the Blender that is ready, because a run is about to come. It returns at once.
func (s *Supervisor) Alert() {
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	if inst == nil {
		return
	}
	// Nobody waits for this: a Blender that does not read can hold it up.
	go func() {
		_ = inst.session.Wake() // a Blender without its session shows at the run
	}()
}

// Restart stops Blender and starts it again. It returns when Blender is ready, and fails with the
// reason why Blender will not be ready, or with the error of ctx; when ctx ends, the restart goes
// on all the same.
func (s *Supervisor) Restart(ctx context.Context) error {
	err := s.Stop(ctx)
	s.Start()
	if err != nil {
		return err
	}
	return s.Ready(ctx)
}
