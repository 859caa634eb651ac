package control

import (
	"sync"
	"time"
)

// soon tells callers that a moment has passed. One timer serves all callers: each new timer wakes the
// thread that waits for sockets, which at hundreds of requests a second is a part of the processor time
// that can be seen.
type soon struct {
	after time.Duration // how long the moment is

	mu        sync.Mutex
	this      chan struct{} // of the callers since the last tick; nil when there are none
	last      chan struct{} // of the callers before it; nil when there are none
	scheduled bool
}

// passed returns a channel that is closed after at least after, and at most twice that.
func (s *soon) passed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.this == nil {
		s.this = make(chan struct{})
	}
	if !s.scheduled {
		s.scheduled = true
		time.AfterFunc(s.after, s.tick)
	}
	return s.this
}

func (s *soon) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		close(s.last)
	}
	s.last, s.this = s.this, nil
	if s.scheduled = s.last != nil; s.scheduled {
		time.AfterFunc(s.after, s.tick)
	}
}
