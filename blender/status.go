package blender

import (
	"context"
	"time"
)

// memoryPace is how old a measured memory may be when a status is asked for.
const memoryPace = 2 * time.Second

// Status is how Blender is just now.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampleMemory()
	return s.status
}

// Ready waits until Blender is there to take a run; one that executes a run takes the next
// one after it. It fails with [ErrStopped] or a [*FailedError] when that will not be so
// without [Supervisor.Start].
func (s *Supervisor) Ready(ctx context.Context) error {
	for {
		s.mu.Lock()
		st, want, over, changed := s.status, s.want, s.over, s.changed
		s.mu.Unlock()
		switch {
		case st.State == Failed:
			return &FailedError{st.Reason}
		case !want || over:
			return ErrStopped
		case st.State == Ready || st.State == Running:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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

// set changes the status and tells everybody, unless nothing is new. change is called with
// mu held and may change what else is guarded by it.
func (s *Supervisor) set(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.status
	change(&s.status)
	if before.State == Starting {
		s.sampled = time.Time{} // it has grown since
	}
	s.sampleMemory()
	// Those who wait may wait for something beside the status.
	close(s.changed)
	s.changed = make(chan struct{})
	if s.status == before {
		return
	}
	s.untold = append(s.untold, s.status)
	if s.telling {
		return // whoever is at it tells this one, too, and so they come in order
	}
	s.telling = true
	for len(s.untold) > 0 {
		next := s.untold[0]
		s.untold = s.untold[1:]
		s.mu.Unlock()
		s.cfg.Changed(next)
		s.mu.Lock()
	}
	s.telling, s.untold = false, nil
}
