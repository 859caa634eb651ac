package blender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Config is what a [Supervisor] is made of.
type Config struct {
	// Path is the program; "" has one found.
	Path string
	// Args are given to Blender before --python.
	Args []string
	// FactoryStartup starts Blender without the user's preferences and add-ons.
	FactoryStartup bool
	// Port is what Blender listens on; 0 leaves the choice to the system.
	Port int
	// Dir is a folder of our own; what lies in it is open to the user alone.
	Dir string
	// Token is what clients of the port have to show; "" makes one for each start.
	Token string
	// Log is given all that Blender prints, runs' output included; nil discards it.
	Log io.Writer
	// MaxMemoryBytes is the resident size above which Blender is replaced between two
	// runs; 0 is no limit.
	MaxMemoryBytes uint64
	// MaxRuns is after how many runs Blender is replaced; 0 is never.
	MaxRuns int
	// CancelGrace is how long a run may take to end after it was asked to, before Blender
	// is killed; 0 is 3 s.
	CancelGrace time.Duration
	// StartTimeout is how long Blender may take to be ready; 0 is 60 s, which leaves room
	// for a cold disk: 0.8 s is usual.
	StartTimeout time.Duration
	// StopGrace is how long each step of stopping may take: the quit frame, the end of
	// standard input, the signal to terminate; 0 is 2 s. Then it is killed.
	StopGrace time.Duration
	Logger    *slog.Logger
	// Changed is called after each change of status, in order. It must not block.
	Changed func(Status)
	// Env is added to the environment, as "NAME=value".
	Env []string
}

// ErrStopped is returned when a run is asked of a Blender that is stopped.
var ErrStopped = errors.New("blender is stopped")

// ErrNotStarted is returned when Blender went before a run began in it. Nothing of the run
// was executed, so it may be asked for again.
var ErrNotStarted = errors.New("blender went before the run began")

// FailedError is returned when a run is asked of a Blender that can't be started.
type FailedError struct{ Reason string }

func (e *FailedError) Error() string { return "blender can't be started: " + e.Reason }

// Failures within failureWindow that make a Blender failed, and the wait after the first
// one, which doubles with each.
const (
	maxFailures   = 5
	failureWindow = time.Minute
	firstBackOff  = 250 * time.Millisecond
)

// Supervisor keeps one Blender running, for as long as [Supervisor.Serve] does.
type Supervisor struct {
	cfg  Config
	log  *slog.Logger
	poke chan struct{} // something is wanted that was not
	slot chan struct{} // held by the run that Blender executes

	telling sync.Mutex // keeps calls of Changed in order

	mu       sync.Mutex
	status   Status
	sampled  time.Time     // when the memory was measured
	want     bool          // whether Blender is to run
	changed  chan struct{} // closed at the next change
	current  *instance     // the process that is ready, or was
	failures []time.Time
}

// New makes a supervisor, which starts nothing before [Supervisor.Serve].
func New(cfg Config) *Supervisor {
	if cfg.CancelGrace == 0 {
		cfg.CancelGrace = 3 * time.Second
	}
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = time.Minute
	}
	if cfg.StopGrace == 0 {
		cfg.StopGrace = 2 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func(Status) {}
	}
	return &Supervisor{
		cfg: cfg, log: cfg.Logger, want: true, status: Status{State: Stopped, Reason: "not started yet"},
		poke: make(chan struct{}, 1), slot: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// Serve starts Blender and keeps it running until ctx ends; then it stops it and returns
// when no process is left. A run that is on then is cancelled.
func (s *Supervisor) Serve(ctx context.Context) error {
	for ctx.Err() == nil {
		if !s.wanted() {
			s.waitPoke(ctx, nil)
			continue
		}
		inst, err := s.launch(ctx)
		if err == nil {
			err = s.attend(ctx, inst)
		}
		if err != nil && !errors.Is(err, ErrStopped) && ctx.Err() == nil && s.wanted() {
			s.fail(ctx, err)
		}
	}
	s.set(func(st *Status) { *st = Status{State: Stopped, Path: st.Path, Version: st.Version} })
	return nil
}

// attend waits until an instance has to go, and sees it off. An error is a failure of its
// own, not one that a run is to blame for.
func (s *Supervisor) attend(ctx context.Context, inst *instance) error {
	for {
		select {
		case <-inst.proc.exited:
			s.leave(inst)
			inst.session.Close()
			end := errEnded(inst.proc.state)
			if inst.blamed() {
				s.log.Warn("blender ended during a run", "pid", inst.proc.pid(), "how", end)
				return nil
			}
			return &endError{inst.failure("it ended while idle", end)}
		case <-inst.retired:
			s.log.Info("blender is replaced", "pid", inst.proc.pid(), "why", inst.why())
			s.stopInstance(inst, inst.why())
			return nil
		case <-s.poke:
			if !s.wanted() {
				s.stopInstance(inst, "")
				return nil
			}
		case <-ctx.Done():
			s.stopInstance(inst, "")
			return nil
		}
	}
}

func (s *Supervisor) stopInstance(inst *instance, reason string) {
	s.set(func(st *Status) { st.State, st.Run, st.Reason = Stopping, "", reason })
	inst.stop(s.cfg.StopGrace)
	s.leave(inst)
	s.set(func(st *Status) { *st = Status{State: Stopped, Path: st.Path, Version: st.Version, Reason: reason} })
}

// leave forgets an instance whose process is gone.
func (s *Supervisor) leave(inst *instance) {
	s.mu.Lock()
	if s.current == inst {
		s.current = nil
	}
	s.mu.Unlock()
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
	now := time.Now()
	s.mu.Lock()
	recent := s.failures[:0]
	for _, at := range s.failures {
		if now.Sub(at) < failureWindow {
			recent = append(recent, at)
		}
	}
	s.failures = append(recent, now)
	count := len(s.failures)
	s.mu.Unlock()
	if count >= maxFailures {
		s.giveUp(fmt.Sprintf("it failed %d times within a minute, at last: %s", count, passing.text))
		return
	}
	wait := firstBackOff << (count - 1)
	wait = wait/2 + rand.N(wait) // jitter, so that many engines on one machine spread out
	s.set(func(st *Status) {
		*st = Status{
			State: Starting, Path: st.Path, Version: st.Version,
			Reason: fmt.Sprintf("another attempt in %s, since %s", wait.Round(10*time.Millisecond), passing.text),
		}
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	s.waitPoke(ctx, timer.C)
}

func (s *Supervisor) giveUp(reason string) {
	s.mu.Lock()
	s.want = false
	s.mu.Unlock()
	s.set(func(st *Status) { *st = Status{State: Failed, Path: st.Path, Version: st.Version, Reason: reason} })
}

func (s *Supervisor) waitPoke(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-s.poke:
	case <-timer:
	case <-ctx.Done():
	}
}

func (s *Supervisor) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want
}

// Start has a Blender that is stopped or failed run again, with its failures forgotten; it
// returns at once. See [Supervisor.Ready].
func (s *Supervisor) Start() {
	s.mu.Lock()
	s.want = true
	s.failures = nil
	idle := s.status.State == Stopped || s.status.State == Failed
	s.mu.Unlock()
	if idle {
		s.set(func(st *Status) { st.State, st.Reason = Starting, "" })
	}
	s.wake()
}

// Stop stops Blender, which stays stopped until [Supervisor.Start]. A run that is on is
// cancelled. It returns when the process is gone, or with ctx's error before.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.want = false
	failed := s.status.State == Failed
	s.mu.Unlock()
	if failed {
		s.set(func(st *Status) { st.State, st.Reason = Stopped, "" })
	}
	s.wake()
	return s.await(ctx, func(st Status) (bool, error) { return st.State == Stopped || s.wanted(), nil })
}

// Restart stops Blender and starts it again. It returns when that is ready, or with the
// reason why it will not be.
func (s *Supervisor) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	s.Start()
	return s.Ready(ctx)
}

func (s *Supervisor) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// Ready waits until Blender can take a run. It fails with [ErrStopped] or a [*FailedError]
// when it will not by itself.
func (s *Supervisor) Ready(ctx context.Context) error {
	return s.await(ctx, func(st Status) (bool, error) {
		switch {
		case st.State == Failed:
			return true, &FailedError{st.Reason}
		case st.State == Ready:
			return true, nil
		case !s.wanted():
			return true, ErrStopped
		}
		return false, nil
	})
}

// await waits until a status is as wanted.
func (s *Supervisor) await(ctx context.Context, done func(Status) (bool, error)) error {
	for {
		s.mu.Lock()
		st, changed := s.status, s.changed
		s.mu.Unlock()
		if ok, err := done(st); ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// memoryPace is how old a measured memory may be when a status is asked for.
const memoryPace = time.Second

// Status is how Blender is just now.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampleMemory()
	return s.status
}

// sampleMemory measures the memory unless that was done a moment ago. mu is held.
func (s *Supervisor) sampleMemory() {
	if s.status.PID == 0 {
		s.status.MemoryBytes, s.sampled = 0, time.Time{}
		return
	}
	if time.Since(s.sampled) >= memoryPace {
		s.status.MemoryBytes, s.sampled = residentBytes(s.status.PID), time.Now()
	}
}

// set changes the status and tells everybody, unless nothing is new.
func (s *Supervisor) set(change func(*Status)) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	before := s.status
	change(&s.status)
	if before.State == Starting {
		s.sampled = time.Time{} // it has grown since
	}
	s.sampleMemory()
	st := s.status
	if st == before {
		s.mu.Unlock()
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	s.cfg.Changed(st)
}
