package blender

import (
	"sync"
	"time"
)

// pauses holds the pauses of a process that starts; a pause leaves the cores to the runs. mu guards
// its state, and any goroutine may call its methods.
type pauses struct {
	mu    sync.Mutex
	over  bool      // the process has started, and is not paused any more
	since time.Time // the beginning of the current pause; zero when there is none
	spent time.Duration
}

// Pause stops the Blender that is starting until [Supervisor.Resume]; meanwhile that Blender takes
// no time of a core. The pause does not count as time to start, and the Blender can still be
// stopped. Pause returns whether a Blender is paused: it returns false when no Blender is starting,
// and on systems that have no signal for it.
func (s *Supervisor) Pause() bool {
	s.mu.Lock()
	inst := s.starting
	s.mu.Unlock()
	return inst != nil && inst.proc.pause()
}

// Resume lets the paused Blender go on; it does nothing when no Blender is paused.
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

// resume lets the process go on.
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

// noMorePauses lets the process go on, and keeps it from being paused again.
func (p *process) noMorePauses() {
	p.pauses.mu.Lock()
	p.pauses.over = true
	p.pauses.mu.Unlock()
	p.resume()
}

// paused returns for how long the process has been stopped until now.
func (p *process) paused() time.Duration {
	p.pauses.mu.Lock()
	defer p.pauses.mu.Unlock()
	if p.pauses.since.IsZero() {
		return p.pauses.spent
	}
	return p.pauses.spent + time.Since(p.pauses.since)
}
