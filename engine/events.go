package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"blendtray/api"
)

// What one subscriber may have waiting; beyond it events are left out and said to be.
const (
	maxWaitingEvents = 4096
	maxWaitingOutput = 4 << 20
	// maxOutputText is how long the text of one output event may grow while the subscriber
	// is busy.
	maxOutputText = 64 << 10
	maxHeldNotes  = 16
)

// SubscribeOptions chooses what a subscriber hears of.
type SubscribeOptions struct {
	// Output asks for output events too.
	Output bool
	// Run, when given, is an id: only events of that run come.
	Run string
}

// Subscription is one listener. It never makes a run wait: a listener that does not keep up
// misses output, which the next event counts in Dropped, and if need be other events, in
// whose place it gets one of [KindGap].
type Subscription struct {
	hub  *hub
	opts SubscribeOptions
	ch   chan api.Event
	done chan struct{}
	wake chan struct{}
	once sync.Once

	mu      sync.Mutex
	waiting []pending
	output  int // bytes of output in waiting
	dropped int64
	ended   bool
}

// pending is an event that waits. Output that follows output is gathered in more, so that
// many small pieces cost no more than one large one.
type pending struct {
	api.Event
	more []byte
}

// Events is where the events come. It is closed after [Subscription.Close], and when the
// engine has ended and all was read. Event.Run is shared by all who listen: do not change it.
func (s *Subscription) Events() <-chan api.Event { return s.ch }

// Close ends the subscription. It may be called more than once and must be called at least
// once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.hub.remove(s)
		close(s.done)
	})
}

// Subscribe begins to listen; what happens after it has returned is heard.
func (e *Engine) Subscribe(opts SubscribeOptions) *Subscription {
	s := &Subscription{
		hub: e.hub, opts: opts,
		ch:   make(chan api.Event),
		done: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
	e.hub.add(s)
	go s.deliver()
	return s
}

// deliver hands out what waits, for as long as someone may read it.
func (s *Subscription) deliver() {
	defer close(s.ch)
	for {
		ev, ok, ended := s.next()
		switch {
		case ok:
			select {
			case s.ch <- ev:
			case <-s.done:
				return
			}
		case ended:
			return
		default:
			select {
			case <-s.wake:
			case <-s.done:
				return
			}
		}
	}
}

// next returns the next event that waits, if there is one; ended tells that there will be none.
func (s *Subscription) next() (ev api.Event, ok, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return api.Event{}, false, s.ended
	}
	p := &s.waiting[0]
	if ev = p.Event; p.more != nil {
		ev.Text += string(p.more)
	}
	*p = pending{}
	s.waiting = s.waiting[1:]
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	if ev.Kind == api.KindOutput {
		s.output -= len(ev.Text)
	}
	return ev, true, false
}

// wants tells whether the subscriber asked for ev.
func (s *Subscription) wants(ev *api.Event) bool {
	if ev.Kind == api.KindOutput && !s.opts.Output {
		return false
	}
	return s.opts.Run == "" || s.opts.Run == ev.ID
}

func (s *Subscription) offer(ev api.Event) {
	if !s.wants(&ev) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var last *pending
	if n := len(s.waiting); n > 0 {
		last = &s.waiting[n-1]
	}
	full := len(s.waiting) >= maxWaitingEvents
	switch ev.Kind {
	case api.KindOutput:
		if s.output+len(ev.Text) > maxWaitingOutput {
			s.dropped += int64(len(ev.Text))
			return
		}
		if s.dropped == 0 && last != nil && last.Kind == api.KindOutput && last.ID == ev.ID &&
			len(last.Text)+len(last.more)+len(ev.Text) <= maxOutputText {
			last.more = append(last.more, ev.Text...)
			s.output += len(ev.Text)
			return
		}
		if full {
			s.dropped += int64(len(ev.Text))
			return
		}
		s.output += len(ev.Text)
	case api.KindProgress:
		if last != nil && last.Kind == api.KindProgress && last.ID == ev.ID {
			last.Time, last.Progress = ev.Time, ev.Progress
			return
		}
		if full {
			return // the next one says the same, and more
		}
	default:
		if full {
			if last.Kind == api.KindGap {
				return
			}
			ev = api.Event{Time: ev.Time, Kind: api.KindGap, Message: "this client read too slowly and missed events"}
		}
	}
	ev.Dropped, s.dropped = s.dropped, 0
	s.waiting = append(s.waiting, pending{Event: ev})
	poke(s.wake)
}

// hub hands every event to every subscriber, in one order.
type hub struct {
	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	held   []api.Event // notes from before there was anyone to hear them
	closed bool
	// listeners is how many want output, so that none is made into text for nobody.
	listeners atomic.Int32
}

func newHub() *hub { return &hub{subs: map[*Subscription]struct{}{}} }

func (h *hub) add(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.ended = true
		return
	}
	h.subs[s] = struct{}{}
	if s.opts.Output {
		h.listeners.Add(1)
	}
	if s.opts.Run == "" {
		for _, ev := range h.held {
			s.offer(ev)
		}
		h.held = nil
	}
}

func (h *hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[s]; ok && s.opts.Output {
		h.listeners.Add(-1)
	}
	delete(h.subs, s)
}

func (h *hub) publish(ev api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ev.Time.IsZero() {
		ev.Time = time.Now().UTC()
	}
	if len(h.subs) == 0 && ev.Kind == api.KindNote && len(h.held) < maxHeldNotes {
		h.held = append(h.held, ev)
	}
	for s := range h.subs {
		s.offer(ev)
	}
}

// output publishes printed text; p is not kept.
func (h *hub) output(id string, p []byte) {
	if len(p) == 0 || h.listeners.Load() == 0 {
		return
	}
	h.publish(api.Event{Kind: api.KindOutput, ID: id, Text: string(p)})
}

// close ends every subscription once it has handed out what waits.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		poke(s.wake)
	}
}
