package engine

import (
	"context"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// oneAtATime is a fake Blender of one session: a run waits until the run before it has ended.
type oneAtATime struct {
	h     *house
	slot  chan struct{}
	asked chan string // the runs that Blender was given
	began chan string // the runs that have begun
	over  chan struct{}
}

// quickSession returns a served engine, in whose session "s" a quick run has ended, and its Blender. A
// run that was sent behind another is taken back after patience.
func quickSession(t *testing.T, patience time.Duration) *oneAtATime {
	t.Helper()
	h := open(t)
	o := &oneAtATime{
		h: h, slot: make(chan struct{}, 1), asked: make(chan string, 100), began: make(chan string, 100), over: make(chan struct{}),
	}
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		o.asked <- req.ID
		select {
		case o.slot <- struct{}{}:
		case <-ctx.Done():
			return blender.Outcome{}, ctx.Err()
		}
		defer func() { <-o.slot }()
		if ctx.Err() != nil {
			return blender.Outcome{}, ctx.Err()
		}
		sink.(blender.Taker).Taken(1)
		sink.Started(time.Now())
		o.began <- req.ID
		select {
		case <-o.over:
			return blender.Outcome{Verdict: blender.Succeeded}, nil
		case <-ctx.Done():
			return blender.Outcome{Verdict: blender.Cancelled}, nil
		}
	}
	h.followPatience, h.load.quickRun = patience, time.Hour
	h.ready()
	r := h.inSession("s", "first")
	o.expect(o.asked, r.ID)
	o.expect(o.began, r.ID)
	o.over <- struct{}{}
	h.ended(r.ID)
	return o
}

// expect fails the test unless a run is the next of a channel.
func (o *oneAtATime) expect(of chan string, id string) {
	o.h.t.Helper()
	select {
	case got := <-of:
		if got != id {
			o.h.t.Fatalf("it is the turn of run %s, not of run %s", got, id)
		}
	case <-time.After(20 * time.Second):
		o.h.t.Fatalf("run %s did not come", id)
	}
}

func TestTheNextRunOfAQuickSessionIsSentWhileTheCurrentOneGoesOn(t *testing.T) {
	t.Parallel()
	o := quickSession(t, time.Hour)
	h := o.h
	var ids []string
	for range 4 {
		ids = append(ids, h.inSession("s", "x").ID)
	}
	o.expect(o.began, ids[0])
	o.expect(o.asked, ids[0])
	for i := range ids {
		if i+1 < len(ids) {
			o.expect(o.asked, ids[i+1]) // while run i goes on
			h.counts(1, len(ids)-i-1)   // it is shown as a run that waits
		}
		o.over <- struct{}{}
		h.ended(ids[i])
		if i+1 < len(ids) {
			o.expect(o.began, ids[i+1])
		}
	}
	for _, id := range ids {
		if r := h.run(id); r.State != api.Succeeded {
			t.Errorf("run %s has %s", id, r.State)
		}
	}
}

func TestARunThatWasSentTooEarlyIsTakenBackOnce(t *testing.T) {
	t.Parallel()
	o := quickSession(t, time.Millisecond)
	h := o.h
	long, next := h.inSession("s", "long"), h.inSession("s", "next")
	o.expect(o.asked, long.ID)
	o.expect(o.began, long.ID)
	o.expect(o.asked, next.ID)
	eventually(t, "the run is in the queue again", func() bool {
		_, waiting := h.Queue(10)
		return waiting == 1
	})
	h.counts(1, 1)
	h.expectNothing(o.asked)
	if all, _ := h.Queue(10); len(all) != 1 || all[0].Reason != api.WaitsForSession || all[0].Behind != long.ID {
		t.Errorf("the queue is %+v", all)
	}
	o.over <- struct{}{}
	h.ended(long.ID)
	o.expect(o.asked, next.ID)
	o.expect(o.began, next.ID)
	o.over <- struct{}{}
	if r := h.ended(next.ID); r.State != api.Succeeded {
		t.Errorf("it has %s: %s", r.State, r.Reason)
	}
}

func TestANotedRunThatWasSentTooEarlyIsTakenBackIntoTheDatabase(t *testing.T) {
	t.Parallel()
	o := quickSession(t, 50*time.Millisecond)
	h := o.h
	h.turn.Lock()
	h.laterPatience = time.Hour
	h.turn.Unlock()
	follow := func(code string) string {
		t.Helper()
		r, sub, err := h.Follow(ctx, api.Submission{Code: []byte(code), Session: "s"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		return r.ID
	}
	long := follow("long")
	o.expect(o.asked, long)
	o.expect(o.began, long)
	next := follow("next")
	o.expect(o.asked, next) // while the run before it goes on
	eventually(t, "the run is in the queue again", func() bool {
		_, waiting := h.Queue(10)
		return waiting == 1
	})
	if state := h.inDatabase(next); state != api.Queued {
		t.Errorf("the database has it as %s", state)
	}
	dead := h.die()
	if code, err := dead.Code(ctx, next); err != nil || string(code) != "next" || dead.run(next).State != api.Queued {
		t.Errorf("the next engine has it as %s with the code %q, %v", dead.run(next).State, code, err)
	}
	o.over <- struct{}{}
	h.ended(long)
	o.expect(o.asked, next)
	o.expect(o.began, next)
	o.over <- struct{}{}
	if r := h.ended(next); r.State != api.Succeeded {
		t.Errorf("it has %s: %s", r.State, r.Reason)
	}
	h.expectNothing(o.asked)
}

// expectNothing fails the test when a run comes, after the worker has looked for runs once more.
func (h *house) expectNothing(of chan string) {
	h.t.Helper()
	h.wakeWorkers()
	h.turn.Lock()
	defer h.turn.Unlock()
	select {
	case id := <-of:
		h.t.Errorf("run %s was sent again", id)
	default:
	}
}

func TestARunThatWasSentEarlyIsCancelledAlone(t *testing.T) {
	t.Parallel()
	o := quickSession(t, time.Hour)
	h := o.h
	current, next := h.inSession("s", "current"), h.inSession("s", "next")
	o.expect(o.asked, current.ID)
	o.expect(o.asked, next.ID)
	if r := h.run(next.ID); r.State != api.Queued {
		t.Errorf("before it has its Blender, it is shown as %s", r.State)
	}
	if _, err := h.Cancel(ctx, next.ID); err != nil {
		t.Fatal(err)
	}
	if r := h.ended(next.ID); r.State != api.Cancelled || r.Reason != "cancelled on request" || r.StartedAt != nil {
		t.Errorf("%s, %q, %v", r.State, r.Reason, r.StartedAt)
	}
	o.over <- struct{}{}
	if r := h.ended(current.ID); r.State != api.Succeeded {
		t.Errorf("the run before it has %s", r.State)
	}
}

func TestARunThatWasSentEarlyRunsAfterTheEngineHasDied(t *testing.T) {
	t.Parallel()
	o := quickSession(t, time.Hour)
	current, next := o.h.inSession("s", "current"), o.h.inSession("s", "next")
	o.expect(o.asked, current.ID)
	o.expect(o.asked, next.ID)
	dead := o.h.die()
	if r := dead.run(next.ID); r.State != api.Queued {
		t.Errorf("it has %s: %s", r.State, r.Reason)
	}
	close(o.over)
}

func TestOnlyPlainCodeOfAQuickSessionIsSentEarly(t *testing.T) {
	t.Parallel()
	of := line{sessionLine, "s", api.DefaultBlender}
	plain := func(edit func(*job)) *job {
		j := &job{line: of}
		j.run.Session, j.run.Blender, j.run.Isolation = "s", api.DefaultBlender, api.IsolateKeep
		edit(j)
		return j
	}
	quick := func(l *load) {
		began := time.Now()
		l.ended(of, &api.Run{State: api.Succeeded, StartedAt: &began, Seconds: 0.001})
	}
	for name, test := range map[string]struct {
		edit func(*job)
		load func(*load)
		want bool
	}{
		"plain code":                     {func(*job) {}, quick, true},
		"a file":                         {func(j *job) { j.isFile = true }, quick, false},
		"a run that was taken back":      {func(j *job) { j.patient = true }, quick, false},
		"a render":                       {func(j *job) { j.run.Render = &api.Render{} }, quick, false},
		"a checkpoint":                   {func(j *job) { j.run.Source, j.run.Script = api.FromSession, operationName(api.SessionCheckpoint) }, quick, false},
		"behind a run of unknown length": {func(*job) {}, func(*load) {}, false},
		"behind two runs": {func(*job) {}, func(l *load) {
			quick(l)
			l.running[of]++
		}, false},
		"behind a run that waits for its Blender": {func(*job) {}, func(l *load) {
			quick(l)
			count(l.sent, plain(func(*job) {}).need(), 1)
		}, false},
		"behind a long run": {func(*job) {}, func(l *load) {
			quick(l)
			began := time.Now()
			l.ended(of, &api.Run{State: api.Succeeded, StartedAt: &began, Seconds: 2 * quickRun.Seconds()})
		}, false},
		"behind a crash": {func(*job) {}, func(l *load) {
			quick(l)
			began := time.Now()
			l.ended(of, &api.Run{State: api.Crashed, StartedAt: &began, Seconds: 0.001})
		}, false},
	} {
		l := newLoad()
		l.running[of] = 1
		test.load(l)
		if got := l.follows(plain(test.edit)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
