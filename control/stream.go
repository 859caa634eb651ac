package control

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// stream writes events to one client, a JSON object a line. It has no time limit on writing:
// a client that stops reading, such as one in a paused pager, is held up alone, since the
// engine drops what a slow subscriber does not take.
type stream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
	buf  bytes.Buffer
	enc  *json.Encoder
}

func newStream(w http.ResponseWriter) *stream {
	st := &stream{w: w, ctrl: http.NewResponseController(w)}
	st.enc = json.NewEncoder(&st.buf)
	st.enc.SetEscapeHTML(false)
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	return st
}

func (st *stream) add(ev Event) error {
	if ev.Run != nil {
		run := tidy(*ev.Run)
		ev.Run = &run
	}
	return st.enc.Encode(ev)
}

func (st *stream) flush() error {
	if _, err := st.w.Write(st.buf.Bytes()); err != nil {
		return err
	}
	st.buf.Reset()
	return st.ctrl.Flush()
}

func (st *stream) send(ev Event) error {
	if err := st.add(ev); err != nil {
		return err
	}
	return st.flush()
}

// maxBatch is how many bytes of waiting events go into one flush.
const maxBatch = 256 << 10

// follow sends what arrives in events, as far as pick wants it, until pick says that this was
// the last one, the events end, the client goes away or ctx does.
func (s *Server) follow(ctx context.Context, st *stream, events <-chan Event, pick func(*Event) (want, last bool)) error {
	beat := time.NewTicker(s.beatTime)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			st.buf.WriteByte('\n')
			if err := st.flush(); err != nil {
				return err
			}
		case ev, ok := <-events:
			for ok {
				want, last := pick(&ev)
				if want {
					if err := st.add(ev); err != nil {
						return err
					}
				}
				if last {
					return st.flush()
				}
				if st.buf.Len() > maxBatch {
					break
				}
				select {
				case ev, ok = <-events:
					continue
				default:
				}
				break
			}
			if st.buf.Len() > 0 {
				if err := st.flush(); err != nil {
					return err
				}
			}
			if !ok {
				return nil
			}
		}
	}
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	output := r.URL.Query().Get("output")
	if output != "" && output != "0" && output != "1" {
		return badRequest("output=%s is neither 0 nor 1", output)
	}
	sub := s.engine.Subscribe(output == "1")
	defer sub.Close()
	st := newStream(w)
	err := st.send(Event{Time: time.Now().UTC(), Kind: KindNote, Message: "events from now on"})
	if err == nil {
		err = s.follow(r.Context(), st, sub.Events(), func(*Event) (bool, bool) { return true, false })
	}
	s.ended(r, err)
	return nil
}

// streamRun submits a run and streams what becomes of it.
func (s *Server) streamRun(w http.ResponseWriter, r *http.Request, in Submission) error {
	// First, so that nothing the run does is missed; its id is not known yet.
	sub := s.engine.Subscribe(true)
	defer sub.Close()
	run, err := s.engine.Submit(r.Context(), in)
	if err != nil {
		return err
	}
	st := newStream(w)
	first := run
	if err := st.send(Event{Time: time.Now().UTC(), Kind: KindRun, ID: run.ID, Run: &first}); err != nil {
		s.ended(r, err)
		return nil
	}
	if run.State.Final() {
		return nil
	}
	s.ended(r, s.follow(r.Context(), st, sub.Events(), s.eventsOf(r.Context(), run)))
	return nil
}

// eventsOf picks the events of one run. After a gap it looks whether the end of the run was
// in it, so that a stream always ends with the run's final state; and as long as the run
// waits, what happens to Blender may change what it waits for.
func (s *Server) eventsOf(ctx context.Context, run Run) func(*Event) (want, last bool) {
	state, reason := run.State, run.Reason
	look := func(ev *Event) bool {
		now, err := s.engine.Run(ctx, run.ID)
		if err != nil {
			return false // the events that come will tell
		}
		now.Output = ""
		*ev = Event{Time: ev.Time, Kind: KindRun, ID: run.ID, Run: &now}
		return true
	}
	return func(ev *Event) (want, last bool) {
		switch {
		case ev.Kind == KindGap:
			want = true
			look(ev)
		case ev.Kind == KindBlender && state == Queued:
			want = look(ev) && (ev.Run.State != state || ev.Run.Reason != reason)
		default:
			want = ev.ID == run.ID
		}
		if want && ev.Kind == KindRun && ev.Run != nil {
			state, reason = ev.Run.State, ev.Run.Reason
		}
		return want, want && ev.Kind == KindRun && state.Final()
	}
}

// ended notes why a stream ended before its time; the client knows already.
func (s *Server) ended(r *http.Request, err error) {
	if err != nil {
		s.log.Debug("control: stream ended", "path", r.URL.Path, "error", err)
	}
}
