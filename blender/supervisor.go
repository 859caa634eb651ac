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
	spec     api.BlenderSpec    // what holds from the next start on
	sampled  time.Time          // when the memory was measured
	halt     context.CancelFunc // ends the life that is on; nil when none is
	lifeOver chan struct{}      // closed when that life has ended
	starting *instance          // the process that is not ready yet
	current  *instance          // the process that is ready
	failures backOff
}

// Serve starts Blender and keeps it running until ctx ends; then it stops it and returns
// when no process is left. A run that is on then is cancelled.
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
	case <-time.After(logPatience): // a log that stands still is left behind
	}
	s.set(func(st *api.BlenderStatus) {
		s.over = true
		*st = anew(*st, api.BlenderStopped, "")
	})
	return nil
}

// live starts a Blender and sees it through to its end, and to the wait after that. It is
// false when none is wanted.
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

// attend waits until an instance has to go, and sees it off. An error is a failure of its
// own, not one that a run is to blame for.
func (s *Supervisor) attend(life context.Context, inst *instance) error {
	select {
	case <-inst.proc.exited:
		blamed := inst.blamed()
		s.leave(inst, "it ended and is started again")
		inst.session.Close()
		if blamed {
			return nil
		}
		return &endError{inst.failure("it ended while idle", errEnded(inst.proc.state))}
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

// endError is a failure that another attempt may not meet.
type endError struct{ text string }

func (e *endError) Error() string { return e.text }

// fail waits before the next attempt, or gives up: at once when another one can't do
// better, else after too many failures in too short a time.
func (s *Supervisor) fail(ctx context.Context, err error) {
	s.log.Error("blender failed", "error", err)
	var passing *endError
	if !errors.As(err, &passing) {
		s.giveUp(err.Error())
		return
	}
	s.mu.Lock()
	wait, giveUp := s.failures.failed(time.Now())
	s.mu.Unlock()
	if giveUp {
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
		if !s.want { // it was stopped a moment ago
			return
		}
		s.want = false
		*st = anew(*st, api.BlenderFailed, reason)
	})
}

// wait returns when something new is wanted, or when timer says so.
func (s *Supervisor) wait(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-s.poke:
	case <-timer:
	case <-ctx.Done():
	}
}

// Start has a Blender that is stopped or failed run again, with its failures forgotten; it
// returns at once. See [Supervisor.Ready].
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

// Stop stops Blender, which stays stopped until [Supervisor.Start]. A run that is on is
// cancelled. It returns when the process is gone, or with ctx's error before that.
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

// Discard ends the Blender that is ready at once, without asking it to quit, and starts another
// one in its place. What its runs have left running and its temporary files go with it. A run that
// is on is cancelled: Discard is meant for a Blender whose only run has come to its own end, with all
// that ends with the interpreter. It returns at once, and does nothing where no Blender is ready.
func (s *Supervisor) Discard(reason string) {
	s.mu.Lock()
	inst := s.current
	s.mu.Unlock()
	if inst != nil {
		inst.discardFor(reason)
	}
}

// Restart stops Blender and starts it again. It returns when that is ready, or with the
// reason why it will not be; when ctx ends first, the restart goes on all the same.
func (s *Supervisor) Restart(ctx context.Context) error {
	err := s.Stop(ctx)
	s.Start()
	if err != nil {
		return err
	}
	return s.Ready(ctx)
}
