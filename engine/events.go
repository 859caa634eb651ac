package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"blendtray/api"
)

// These limits bound what waits for a subscriber; events beyond them are left out, and the
// subscriber is told so.
const (
	maxWaitingEvents = 4096
	maxWaitingOutput = 4 << 20
	// maxOutputText limits the text that a single output event may collect while the subscriber
	// is busy.
	maxOutputText = 64 << 10
	maxHeldNotes  = 16
	// readyEvents is how many events may wait in the channel of a subscriber of all runs, who may look for
	// them from time to time; readyOfRun is how many may wait for a follower of a single run, and readyText
	// how many bytes of text each of them may have.
	readyEvents = 64
	readyOfRun  = 8
	readyText   = 4 << 10
)

// SubscribeOptions chooses the events of a subscription.
type SubscribeOptions struct {
	// Output adds output events.
	Output bool
	// Run, when given, is the id of the only run whose events come. While the run waits, an event
	// also tells when what it waits for has changed.
	Run string
}

// Subscription is a single listener. It never makes a run wait. A listener that does not keep up
// misses output first, and the next event counts the missing bytes in Dropped. If need be the
// listener misses other events too, and gets an event of [KindGap] in their place.
type Subscription struct {
	hub  *hub
	opts SubscribeOptions
	ch   chan api.Event
	done chan struct{}
	once sync.Once

	mu      sync.Mutex
	waiting []pending
	output  int // bytes of output in waiting
	dropped int64
	ended   bool
	// delivering is true while a goroutine sends waiting events to ch. Without it no event waits.
	delivering bool
	closed     bool // ch is closed
}

// pending is an event that waits. The field more collects the output that follows other output,
// so that many small pieces cost no more than a large piece.
type pending struct {
	api.Event
	more []byte
}

// Events returns the channel of the events. The channel is closed after [Subscription.Close],
// and when the engine has ended and all events were read. All listeners share Event.Run: do not
// change it.
func (s *Subscription) Events() <-chan api.Event { return s.ch }

// Close ends the subscription. It may be called more than once and must be called at least
// once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.hub.remove(s)
		close(s.done)
		s.end()
	})
}

// Subscribe returns a new subscription, which gets every event from the return of Subscribe on.
func (e *Engine) Subscribe(opts SubscribeOptions) *Subscription {
	ready := readyEvents
	if opts.Run != "" { // mostly a run is begun, prints a little and ends
		ready = readyOfRun
	}
	s := &Subscription{
		hub: e.hub, opts: opts,
		ch:   make(chan api.Event, ready),
		done: make(chan struct{}),
	}
	e.hub.add(s)
	return s
}

// Announce sends an event that does not come from the engine itself, such as an event of the settings, to
// every subscriber. An event without a time gets the time of now. The engine keeps nothing of the event.
func (e *Engine) Announce(ev api.Event) { e.hub.publish(ev) }

// deliver sends the waiting events to the channel until none waits or the subscription ends.
func (s *Subscription) deliver() {
	for {
		ev, ok := s.next()
		if !ok {
			return
		}
		select {
		case s.ch <- ev:
		case <-s.done:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.waiting, s.delivering = nil, false
			s.closeLocked()
			return
		}
	}
}

// next returns the next waiting event. ok is false when no event waits; then nothing is delivering any
// more, and the channel is closed where no event will come.
func (s *Subscription) next() (ev api.Event, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.waiting, s.delivering = nil, false
		s.closeLocked()
		return api.Event{}, false
	}
	p := &s.waiting[0]
	if ev = p.Event; p.more != nil {
		ev.Text += string(p.more)
	}
	*p = pending{}
	s.waiting = s.waiting[1:]
	if ev.Kind == api.KindOutput {
		s.output -= len(ev.Text)
	}
	return ev, true
}

// closeLocked closes the channel when no event will come and none waits. It needs mu.
func (s *Subscription) closeLocked() {
	if s.ended && !s.closed && !s.delivering {
		s.closed = true
		close(s.ch)
	}
}

// offer adds an event, unless it is output that the subscriber has not asked for.
func (s *Subscription) offer(ev api.Event) {
	if ev.Kind == api.KindOutput && !s.opts.Output {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
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
			return // the next progress event says the same, and more
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
	if !s.delivering && len(ev.Text) <= readyText { // mostly the listener keeps up, and needs no goroutine for it
		select {
		case s.ch <- ev:
			if ev.Kind == api.KindOutput {
				s.output -= len(ev.Text)
			}
			return
		default:
		}
	}
	s.waiting = append(s.waiting, pending{Event: ev})
	if !s.delivering {
		s.delivering = true
		go s.deliver()
	}
}

// hub sends every event to every subscriber, in the same order.
type hub struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{} // of the events of all runs
	// followers are the subscriptions of a single run, by its id: there may be hundreds of them, and
	// an event must not cost more for that.
	followers map[string][]*Subscription
	held      []api.Event // notes from before the first subscriber
	closed    bool
	// listeners counts the subscribers that want output: without them no output becomes text.
	listeners atomic.Int32
}

func newHub() *hub {
	return &hub{subs: map[*Subscription]struct{}{}, followers: map[string][]*Subscription{}}
}

func (h *hub) add(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.end()
		return
	}
	if s.opts.Output {
		h.listeners.Add(1)
	}
	if run := s.opts.Run; run != "" {
		h.followers[run] = append(h.followers[run], s)
		return
	}
	h.subs[s] = struct{}{}
	for _, ev := range h.held {
		s.offer(ev)
	}
	h.held = nil
}

func (h *hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	run := s.opts.Run
	_, there := h.subs[s]
	if there = there || slices.Contains(h.followers[run], s); there && s.opts.Output {
		h.listeners.Add(-1)
	}
	delete(h.subs, s)
	if h.followers[run] = slices.DeleteFunc(h.followers[run], func(o *Subscription) bool { return o == s }); len(h.followers[run]) == 0 {
		delete(h.followers, run)
	}
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
	h.tellLocked(ev)
}

// tellLocked sends an event of a run to those who follow that run. It needs mu.
func (h *hub) tellLocked(ev api.Event) {
	if ev.ID == "" {
		return
	}
	for _, s := range h.followers[ev.ID] {
		s.offer(ev)
	}
}

// followed returns the ids of the runs that somebody follows.
func (h *hub) followed() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.followers))
}

// tell sends the state of a run to those who follow the run, and to nobody else.
func (h *hub) tell(r api.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellLocked(api.Event{Time: time.Now().UTC(), Kind: api.KindRun, ID: r.ID, Run: &r})
}

// output publishes printed text, which begins at the byte at of what the run prints, and does not
// keep p.
func (h *hub) output(id string, at int64, p []byte) {
	if len(p) == 0 || h.listeners.Load() == 0 {
		return
	}
	h.publish(api.Event{Kind: api.KindOutput, ID: id, From: at, Text: string(p)})
}

// close ends every subscription after its waiting events were delivered.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.end()
	}
	for _, all := range h.followers {
		for _, s := range all {
			s.end()
		}
	}
}

// end has the subscription end after its waiting events.
func (s *Subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.closeLocked()
}
