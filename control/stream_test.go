package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestFollowingARunShowsAllOfItAndNothingElse(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	// The run is over before the submission is answered: nothing of it may be missed.
	f.onSubmit = func(run api.Run) {
		f.set(run.ID, api.Running)
		f.publish(api.Event{Kind: api.KindOutput, ID: "another", Text: "not ours\n"})
		f.publish(api.Event{Kind: api.KindOutput, ID: run.ID, Text: "héllo <&>\n"})
		f.publish(api.Event{Kind: api.KindProgress, ID: run.ID, Progress: &api.Progress{Fraction: 0.5}})
		f.publish(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{}})
		f.set(run.ID, api.Succeeded)
		f.publish(api.Event{Kind: api.KindOutput, ID: run.ID, Text: "too late\n"})
	}
	var got []string
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		what := string(ev.Kind) + " " + ev.ID + " " + ev.Text
		if ev.Run != nil {
			what += string(ev.Run.State)
		}
		got = append(got, what)
	}
	want := "run r1 queued|run r1 queued|run r1 running|output r1 héllo <&>\n|progress r1 |run r1 succeeded"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("followed\n%s\nwant\n%s", s, want)
	}
	eventually(t, "no subscription is left", func() bool { return f.subscribers() == 0 })
}

func TestAShortRunIsAnsweredInOnePiece(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events []api.Event
		pieces bool
	}{
		{"a run that prints nothing", nil, false},
		{"a run that prints", []api.Event{{Kind: api.KindOutput, Text: "printed\n"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.onSubmit = func(run api.Run) {
				f.set(run.ID, api.Running)
				for _, ev := range c.events {
					ev.ID = run.ID
					f.publish(ev)
				}
				f.set(run.ID, api.Succeeded)
			}
			s := NewServer(Config{Engine: f})
			s.soon.after = time.Hour
			asked := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/runs?stream=1", strings.NewReader(`{"text":"x = 1"}`))
			asked.Header.Set("Content-Type", "application/json")
			answer := &pieces{ResponseRecorder: httptest.NewRecorder()}
			s.http.Handler.ServeHTTP(answer, asked)
			if lines := strings.Split(strings.TrimSpace(answer.Body.String()), "\n"); len(lines) != 4+len(c.events) || !strings.Contains(lines[len(lines)-1], `"succeeded"`) {
				t.Errorf("answered %d\n%s", answer.Code, answer.Body)
			}
			if (answer.flushed > 0) != c.pieces {
				t.Errorf("sent in %d pieces before the end", answer.flushed)
			}
		})
	}
}

// pieces is an answer that counts in how many pieces it was sent before its end.
type pieces struct {
	*httptest.ResponseRecorder
	flushed int
}

func (p *pieces) Flush() { p.flushed++ }

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

func TestAClientOfALongRunIsToldOfEachState(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f, func(s *Server) { s.beatTime = 5 * time.Millisecond }) // signs of life come between
	var got []api.State
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ev.Run.State)
		switch len(got) {
		case 2: // the submission's answer and the event both say that it waits
			f.set(ev.ID, api.Running)
		case 3:
			f.set(ev.ID, api.Succeeded)
		}
	}
	if fmt.Sprint(got) != "[queued queued running succeeded]" {
		t.Errorf("told of %v", got)
	}
	eventually(t, "no subscription is left", func() bool { return f.subscribers() == 0 })
}

func TestAClientLearnsAtOnceThatItsRunWaits(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil || ev.Run == nil || ev.Run.State != api.Queued {
			t.Errorf("%+v, %v", ev, err)
		}
		return // nothing else comes
	}
}

func TestFollowingARunEndsWithItEvenWhenTheEndWasMissed(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	f.onSubmit = func(run api.Run) {
		f.mu.Lock()
		f.runs[0].State = api.TimedOut // and no event says so
		f.mu.Unlock()
		f.publish(api.Event{Kind: api.KindGap})
	}
	var last api.Event
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		last = ev
	}
	if last.Run == nil || last.Run.State != api.TimedOut || last.Run.Output != "" {
		t.Errorf("the last event was %+v", last)
	}
}

func TestFollowingARunThatEndedAtOnceStillShowsWhatItPrinted(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	f.onSubmit = func(run api.Run) {
		f.mu.Lock()
		f.runs[0].State = api.Succeeded // the engine knows, and its events are on their way
		f.mu.Unlock()
		f.publish(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{}})
		f.publish(api.Event{Kind: api.KindOutput, ID: run.ID, Text: "printed\n"})
		f.set(run.ID, api.Succeeded)
	}
	printed := ""
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		printed += ev.Text
	}
	if printed != "printed\n" {
		t.Errorf("followed %q", printed)
	}
}

func TestNothingIsLostForAClientThatReadsLate(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	line := strings.Repeat("grüße ", 1000) + "\n"
	const lines = 3000 // 20 MB, over what sockets and memory hold
	want := sha256.New()
	for i := range lines {
		fmt.Fprint(want, i, line)
	}
	printed := make(chan struct{})
	f.onSubmit = func(run api.Run) {
		go func() {
			defer close(printed)
			for i := range lines {
				f.publishAndWait(api.Event{Kind: api.KindOutput, ID: run.ID, Text: fmt.Sprint(i, line)})
			}
			f.publishAndWait(f.change(run.ID, api.Succeeded)) // the channel may be full
		}()
	}
	got := sha256.New()
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		<-printed // only now does the client go on reading
		if ev.Dropped != 0 {
			t.Errorf("%d bytes were left out", ev.Dropped)
		}
		fmt.Fprint(got, ev.Text)
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Error("what arrived is not what was printed")
	}
}

func TestFollowingARunThatWaitsTellsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	f.onSubmit = func(run api.Run) {
		run.Reason = "Blender has failed"
		f.publish(api.Event{Kind: api.KindRun, ID: run.ID, Run: &run})
	}
	var got []string
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(ev.Run.State)+" "+ev.Run.Reason)
		if ev.Run.Reason != "" {
			f.set("r1", api.Cancelled)
		}
	}
	want := "queued Blender has failed"
	if len(got) < 3 || !slices.Contains(got, want) {
		t.Errorf("followed %q, want %q among it", got, want)
	}
}

func TestFollowingARefusedRunIsTheRefusal(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	for _, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x"), Scene: "bad"}) {
		refusedWith(t, err, 400, CodeBadRequest)
	}
	eventually(t, "no subscription is left", func() bool { return f.subscribers() == 0 })
}

func TestEventsBeginWithANoteAndEndWithTheEngine(t *testing.T) {
	t.Parallel()
	f := newFake()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stop := serveOn(t, address, f)
	var kinds []string
	for ev, err := range NewClient(address).Events(t.Context(), false) {
		if err != nil {
			if !errors.Is(err, ErrLost) {
				t.Errorf("ended with %v", err)
			}
			break
		}
		kinds = append(kinds, string(ev.Kind))
		switch len(kinds) {
		case 1:
			f.publish(api.Event{Kind: api.KindOutput, Text: "not asked for"})
			f.publish(api.Event{Kind: api.KindFolders})
		case 2:
			go stop()
		}
	}
	if s := strings.Join(kinds, " "); s != "note folders" {
		t.Errorf("events were %s", s)
	}
}

func TestAQuietStreamShowsThatItIsAlive(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, newFake(), func(s *Server) { s.beatTime = 10 * time.Millisecond })
	c := raw(t, address)
	fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: b\r\n\r\n")
	var read strings.Builder
	buf := make([]byte, 1024)
	// A chunk of one byte, the empty line, three times.
	for strings.Count(read.String(), "\r\n1\r\n\n\r\n") < 3 && strings.Count(read.String(), "1\r\n\n\r\n") < 3 {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		read.Write(buf[:n])
	}
}

func TestAClientThatLeavesTakesItsSubscriptionAlong(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range c.Events(ctx, true) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		cancel()
	}
	eventually(t, "no subscription is left", func() bool { return f.subscribers() == 0 })
}

func TestAStuckEventClientHurtsNobody(t *testing.T) {
	t.Parallel()
	f := newFake()
	address, c := serve(t, f)
	for range 5 {
		stuck := raw(t, address)
		fmt.Fprint(stuck, "GET /events?output=1 HTTP/1.1\r\nHost: b\r\n\r\n")
	}
	eventually(t, "five are subscribed", func() bool { return f.subscribers() == 5 })
	// More than the sockets, and then the subscriptions, can hold.
	text := strings.Repeat("x", 64<<10)
	for range 2000 {
		f.publish(api.Event{Kind: api.KindOutput, ID: "r1", Text: text})
	}
	f.onSubmit = func(run api.Run) { f.set(run.ID, api.Succeeded) }
	var last api.Event
	for ev, err := range c.SubmitAndFollow(t.Context(), api.Submission{Code: []byte("x")}) {
		if err != nil {
			t.Fatal(err)
		}
		last = ev
	}
	if last.Run == nil || last.Run.State != api.Succeeded {
		t.Errorf("the last event was %+v", last)
	}
	// That the server ends in spite of them is seen by the cleanup.
}
