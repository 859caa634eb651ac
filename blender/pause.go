package blender

import (
	"sync"
	"time"
)

// pauses are the pauses of a process that starts, so that runs have the cores: its state is
// guarded by mu, and its methods may be called on any goroutine.
type pauses struct {
	mu    sync.Mutex
	over  bool      // it has started, and is paused no more
	since time.Time // when the pause began that is on; zero when none is
	spent time.Duration
}

// Pause stops the Blender that starts just now where it is, until [Supervisor.Resume]; it takes no
// time of a core meanwhile. The pause does not count as time to start, and the Blender can still be
// stopped. Pause returns whether a Blender is paused: false when none is starting, and on systems
// that have no signal for it.
func (s *Supervisor) Pause() bool {
	s.mu.Lock()
	inst := s.starting
	s.mu.Unlock()
	return inst != nil && inst.proc.pause()
}

// Resume lets the Blender go on that was paused; it does nothing where none is.
func (s *Supervisor) Resume() {
	s.mu.Lock()
	inst := s.starting
	s.mu.Unlock()
	if inst != nil {
		inst.proc.resume()
	}
}

// pause stops the process, unless it has started, and returns whether it is stopped.
func (p *process) pause() bool {
	p.pauses.mu.Lock()
	defer p.pauses.mu.Unlock()
	if p.pauses.over {
		return false
	}
	if p.pauses.since.IsZero() {
		p.mu.Lock()
		stopped := !p.dead && p.group.pause()
		p.mu.Unlock()
		if !stopped {
			return false
		}
		p.pauses.since = time.Now()
	}
	return true
}

// resume has the process go on.
func (p *process) resume() {
	p.pauses.mu.Lock()
	defer p.pauses.mu.Unlock()
	if p.pauses.since.IsZero() {
		return
	}
	p.mu.Lock()
	if !p.dead {
		p.group.resume()
	}
	p.mu.Unlock()
	p.pauses.spent += time.Since(p.pauses.since)
	p.pauses.since = time.Time{}
}

// noMorePauses has the process go on for good.
func (p *process) noMorePauses() {
	p.pauses.mu.Lock()
	p.pauses.over = true
	p.pauses.mu.Unlock()
	p.resume()
}

// paused returns how long the process was stopped so far.
func (p *process) paused() time.Duration {
	p.pauses.mu.Lock()
	defer p.pauses.mu.Unlock()
	if p.pauses.since.IsZero() {
		return p.pauses.spent
	}
	return p.pauses.spent + time.Since(p.pauses.since)
}
