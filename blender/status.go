package blender

import (
	"context"
	"time"

	"blendtray/api"
)

// memoryPace is how old the measured memory may be in a status.
const memoryPace = 2 * time.Second

// Status returns the present status of Blender.
func (s *Supervisor) Status() api.BlenderStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampleMemoryLocked()
	return s.status
}

// Ready waits until Blender can take a run; a Blender that executes a run takes the next run after
// it. It fails with [ErrStopped] or a [*FailedError] when Blender will take no run without
// [Supervisor.Start], or with the error of ctx.
func (s *Supervisor) Ready(ctx context.Context) error { return s.ready(ctx) }

// sampleMemoryLocked measures the memory, unless it was measured a moment ago. It needs mu.
func (s *Supervisor) sampleMemoryLocked() {
	if s.status.PID == 0 {
		s.status.MemoryBytes, s.sampled = 0, time.Time{}
		return
	}
	if time.Since(s.sampled) >= memoryPace {
		s.status.MemoryBytes, s.sampled = s.memoryLocked(), time.Now()
	}
}

// set changes the status, and measures the memory where it may have changed.
func (s *Supervisor) set(change func(*api.BlenderStatus)) {
	s.board.set(func(st *api.BlenderStatus) {
		before := st.State
		change(st)
		if before == api.BlenderStarting {
			s.sampled = time.Time{} // the memory has grown since
		}
		s.sampleMemoryLocked()
	})
}
