package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"blendtray/api"
	"blendtray/blender"
)

// Switch is a [Blender] that can become one of another kind while the engine works: after the
// run that is on, without a loss of what waits.
type Switch struct {
	create func(kind string, changed func(api.BlenderStatus)) Blender
	tell   func(api.BlenderStatus)
	era    atomic.Int64 // counts the Blenders, so that the word of one that was left is not passed on

	mu      sync.Mutex
	kind    string
	next    string // the kind to be
	now     Blender
	busy    int                // runs and previews that are on
	stopped bool               // by a person
	end     context.CancelFunc // ends the Serve that is on; nil when none is
	left    chan struct{}      // closed when the Serve of the one before has returned; or nil
}

// NewSwitch makes one of a kind, which create is called for: with the kind and with what is to
// be told of each change.
func NewSwitch(kind string, create func(kind string, changed func(api.BlenderStatus)) Blender, changed func(api.BlenderStatus)) *Switch {
	s := &Switch{create: create, tell: changed, kind: kind, next: kind}
	s.now = create(kind, s.teller())
	return s
}

// teller passes on what the newest Blender says.
func (s *Switch) teller() func(api.BlenderStatus) {
	era := s.era.Add(1)
	return func(st api.BlenderStatus) {
		if s.era.Load() == era {
			s.tell(st)
		}
	}
}

// Set says of which kind it is to be from now on, or from the end of the run that is on.
func (s *Switch) Set(kind string) {
	s.mu.Lock()
	s.next = kind
	told := s.turn()
	s.mu.Unlock()
	told()
}

// turn makes it another one if that is wanted and nothing is on. mu is held; what it gives has
// to be called when it is not any more.
func (s *Switch) turn() (told func()) {
	if s.next == s.kind || s.busy > 0 {
		return func() {}
	}
	s.kind = s.next
	s.now = s.create(s.kind, s.teller())
	now, stopped := s.now, s.stopped
	if s.end != nil {
		s.left = make(chan struct{})
		s.end()
		s.end = nil
	}
	return func() {
		if stopped {
			_ = now.Stop(context.Background()) // there is nothing yet that could take time
		}
		s.tell(s.Status())
	}
}

// Serve keeps up whichever Blender it is, until ctx ends.
func (s *Switch) Serve(ctx context.Context) error {
	for {
		life, end := context.WithCancel(ctx)
		s.mu.Lock()
		b := s.now
		s.end = end
		s.mu.Unlock()
		err := b.Serve(life)
		end()
		s.mu.Lock()
		another := s.now != b
		if s.left != nil {
			close(s.left)
			s.left = nil
		}
		s.mu.Unlock()
		if ctx.Err() != nil || !another {
			return err
		}
	}
}

func (s *Switch) current() Blender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Start starts it; see [Blender].
func (s *Switch) Start() {
	s.mu.Lock()
	s.stopped = false
	b := s.now
	s.mu.Unlock()
	b.Start()
}

// Stop stops it, and returns when none is left.
func (s *Switch) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	b, left := s.now, s.left
	s.mu.Unlock()
	if err := b.Stop(ctx); err != nil {
		return err
	}
	if left == nil {
		return nil
	}
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Restart starts it anew.
func (s *Switch) Restart(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = false
	b := s.now
	s.mu.Unlock()
	return b.Restart(ctx)
}

// Status is that of whichever it is; one that is about to be served starts.
func (s *Switch) Status() api.BlenderStatus {
	s.mu.Lock()
	b, waits := s.now, s.left != nil && !s.stopped
	s.mu.Unlock()
	if waits {
		return api.BlenderStatus{State: api.BlenderStarting, Reason: "the one before is being left"}
	}
	return b.Status()
}

// Ready waits as that of whichever it is does.
func (s *Switch) Ready(ctx context.Context) error { return s.current().Ready(ctx) }

// Run has whichever it is do a run.
func (s *Switch) Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	b := s.begin()
	defer s.done()
	return b.Run(ctx, req, sink)
}

// Preview has whichever it is make a picture.
func (s *Switch) Preview(ctx context.Context, path, engine string) error {
	b := s.begin()
	defer s.done()
	return b.Preview(ctx, path, engine)
}

func (s *Switch) begin() Blender {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	return s.now
}

func (s *Switch) done() {
	s.mu.Lock()
	s.busy--
	told := s.turn()
	s.mu.Unlock()
	told()
}
