package control

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

// stream writes events to a client, a JSON object a line. Writing has no time limit: a client
// that stops reading, such as a paused pager, holds up nobody but itself.
type stream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
	buf  bytes.Buffer
	enc  *json.Encoder
}

// streams has streams that have ended, for their buffers and encoders.
var streams = sync.Pool{New: func() any {
	st := &stream{}
	st.enc = json.NewEncoder(&st.buf)
	st.enc.SetEscapeHTML(false)
	return st
}}

// maxKept is how large the buffer of a stream may be that is used again.
const maxKept = 64 << 10

// release gives the stream back, which can't be used after that.
func (st *stream) release() {
	if st.w, st.ctrl = nil, nil; st.buf.Cap() <= maxKept {
		st.buf.Reset()
		streams.Put(st)
	}
}

// newStream begins an answer that is a stream. The caller releases the stream when the answer has ended.
func newStream(w http.ResponseWriter) *stream {
	st := streams.Get().(*stream)
	st.w, st.ctrl = w, http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	return st
}

func (st *stream) add(ev api.Event) error {
	if ev.Run != nil && (ev.Run.Args == nil || ev.Run.Outputs == nil) {
		run := tidy(*ev.Run)
		ev.Run = &run
	}
	return st.enc.Encode(&ev)
}

// write passes on what was added; it is sent with the next flush, or when the answer ends.
func (st *stream) write() error {
	_, err := st.w.Write(st.buf.Bytes())
	st.buf.Reset()
	return err
}

// flush sends what was added.
func (st *stream) flush() error {
	if err := st.write(); err != nil {
		return err
	}
	return st.ctrl.Flush()
}

func (st *stream) send(ev api.Event) error {
	if err := st.add(ev); err != nil {
		return err
	}
	return st.flush()
}

// soonAfter is how long the states of a run are held back at least, to be sent in one piece with those that
// follow at once, and half of how long they are held back at most.
const soonAfter = 2 * time.Millisecond

// maxBatch is how many bytes of waiting events go into one flush.
const maxBatch = 256 << 10

// follow sends the events that next returns until next reports the end, the client goes away or
// ctx ends. When next has no event, follow calls it again after a signal from wake.
func (s *Server) follow(ctx context.Context, st *stream, wake <-chan struct{}, next func() (ev api.Event, ok, ended bool, err error)) error {
	beat := time.NewTicker(s.beatTime)
	defer beat.Stop()
	for {
		ev, ok, ended, err := next()
		if ok && err == nil {
			err = st.add(ev)
		}
		if err != nil {
			return err
		}
		if st.buf.Len() > 0 && (!ok || st.buf.Len() > maxBatch) {
			if err := st.flush(); err != nil {
				return err
			}
		}
		switch {
		case ended:
			return nil
		case ok:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			st.buf.WriteByte('\n')
			if err := st.flush(); err != nil {
				return err
			}
		case <-wake:
		}
	}
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	output, err := flag(r.URL.Query(), "output")
	if err != nil {
		return err
	}
	sub := s.engine.Subscribe(output)
	defer sub.Close()
	st := newStream(w)
	defer st.release()
	err = st.send(api.Event{Time: time.Now().UTC(), Kind: api.KindNote, Message: "events from now on"})
	if err == nil {
		err = s.relay(r.Context(), st, sub.Events())
	}
	s.ended(r, err)
	return nil
}

// relay sends events as they come. The engine leaves out the events that a client is too slow
// for.
func (s *Server) relay(ctx context.Context, st *stream, events <-chan api.Event) error {
	beat := time.NewTimer(pulse.Until(s.beatTime))
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			beat.Reset(pulse.Until(s.beatTime))
			st.buf.WriteByte('\n')
			err = st.flush()
		case ev, ok := <-events:
			if !ok {
				return nil
			}
			err = st.send(ev)
		}
		if err != nil {
			return err
		}
	}
}

// streamRun submits a run and streams its events until the run has ended.
func (s *Server) streamRun(w http.ResponseWriter, r *http.Request, in api.Submission) error {
	run, sub, err := s.engine.Follow(r.Context(), in)
	if err != nil {
		return err
	}
	defer sub.Close()
	st := newStream(w)
	defer st.release()
	rest, err := s.streamStates(r.Context(), st, run, sub.Events())
	if rest != nil && err == nil {
		err = s.streamOn(r.Context(), st, run, rest, sub.Events())
	}
	s.ended(r, err)
	return nil
}

// streamStates streams the states of a run until the run has ended or another event comes, such as something
// that the run prints. They need no spool: there are few of them. The states of a moment are sent in one
// piece, for each piece wakes the client, and so are all those of a run that ends at once. rest is the event
// that was not written, or nil; then what was written before it may not be sent yet.
func (s *Server) streamStates(ctx context.Context, st *stream, run api.Run, events <-chan api.Event) (rest *api.Event, err error) {
	if err := st.add(runEvent(run)); err != nil {
		return nil, err
	}
	if run.State.Final() {
		return nil, st.flush()
	}
	late := s.soon.passed() // nil when nothing is held back
	var beat <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-late:
			if late = nil; beat == nil {
				ticker := time.NewTicker(s.beatTime)
				defer ticker.Stop()
				beat = ticker.C
			}
			err = st.flush()
		case <-beat:
			st.buf.WriteByte('\n')
			err = st.flush()
		case ev, ok := <-events:
			switch {
			case !ok:
				return nil, st.flush()
			case ev.Kind != api.KindRun || ev.Run == nil || ev.ID != run.ID:
				return &ev, nil
			}
			if err = st.add(ev); err == nil && ev.Run.State.Final() {
				return nil, st.write() // the end of the answer flushes it
			}
			if late == nil {
				late = s.soon.passed()
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// streamOn streams the events of a run from the event rest on, until the run has ended. What the
// run prints waits in a spool for a client that reads slowly.
func (s *Server) streamOn(ctx context.Context, st *stream, run api.Run, rest *api.Event, events <-chan api.Event) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sp := newSpool(s.spoolDir)
	defer sp.remove()
	go func() {
		defer sp.close()
		s.collect(ctx, run, rest, events, sp)
	}()
	return s.follow(ctx, st, sp.wake, sp.next)
}

// afterGap is the silence after a gap which means that the gap may hide the end of the run.
const afterGap = 100 * time.Millisecond

// collect puts rest and the events of a run into a spool until the run has ended. After a gap it checks
// whether the run ended in the gap, so that a stream always ends with the run's final state.
func (s *Server) collect(ctx context.Context, run api.Run, rest *api.Event, events <-chan api.Event, sp *spool) {
	put := func(ev api.Event) (last bool) {
		sp.put(ev)
		return ev.Kind == api.KindRun && ev.Run != nil && ev.Run.State.Final()
	}
	var missed <-chan time.Time // set after a gap
	take := func(ev api.Event) (last bool) {
		switch {
		case ev.Kind == api.KindGap:
			sp.put(ev)
			missed = time.After(afterGap)
		case missed != nil:
			missed = time.After(afterGap)
		}
		return ev.ID == run.ID && put(ev)
	}
	if take(*rest) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-missed:
			missed = nil
			if now, ok := s.runNow(ctx, run.ID); ok && now.State.Final() && put(runEvent(now)) {
				return
			}
		case ev, ok := <-events:
			if !ok || take(ev) {
				return
			}
		}
	}
}

// runNow returns the run as it now stands, without its output, and false when the engine has no
// answer.
func (s *Server) runNow(ctx context.Context, id string) (api.Run, bool) {
	run, err := s.engine.Run(ctx, id)
	run.Output = ""
	return run, err == nil // without an answer the later events will tell
}

func runEvent(run api.Run) api.Event {
	return api.Event{Time: time.Now().UTC(), Kind: api.KindRun, ID: run.ID, Run: &run}
}

// ended logs why a stream ended early; the client knows already.
func (s *Server) ended(r *http.Request, err error) {
	if err != nil {
		s.log.Debug("control: stream ended", "path", r.URL.Path, "error", err)
	}
}
