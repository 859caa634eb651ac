package blender

import (
	"context"
	"time"

	"blendtray/api"
)

// memoryPace is how old a measured memory may be when a status is asked for.
const memoryPace = 2 * time.Second

// Status is how Blender is just now.
func (s *Supervisor) Status() api.BlenderStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampleMemoryLocked()
	return s.status
}

// Ready waits until Blender is there to take a run; one that executes a run takes the next
// one after it. It fails with [ErrStopped] or a [*FailedError] when that will not be so
// without [Supervisor.Start].
func (s *Supervisor) Ready(ctx context.Context) error { return s.ready(ctx) }

// sampleMemoryLocked measures the memory unless that was done a moment ago. It needs mu.
func (s *Supervisor) sampleMemoryLocked() {
	if s.status.PID == 0 {
		s.status.MemoryBytes, s.sampled = 0, time.Time{}
		return
	}
	if time.Since(s.sampled) >= memoryPace {
		s.status.MemoryBytes, s.sampled = residentBytes(s.status.PID), time.Now()
	}
}

// set changes the status, and measures the memory where that may be new.
func (s *Supervisor) set(change func(*api.BlenderStatus)) {
	s.board.set(func(st *api.BlenderStatus) {
		before := st.State
		change(st)
		if before == api.BlenderStarting {
			s.sampled = time.Time{} // it has grown since
		}
		s.sampleMemoryLocked()
	})
}
