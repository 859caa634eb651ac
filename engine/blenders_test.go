package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// servedBlender is a fake whose Serve can be seen, and takes its time to end.
type servedBlender struct {
	*fakeBlender
	made          api.BlenderSpec
	served, ended chan struct{}
	leave         chan struct{} // closed when Serve may return
}

func (b *servedBlender) Serve(ctx context.Context) error {
	close(b.served)
	<-ctx.Done()
	<-b.leave
	b.set(api.BlenderStopped, "left")
	close(b.ended)
	return nil
}

// several is an engine whose Blenders are all made by the test, in the order they were made.
type several struct {
	*house
	mu   sync.Mutex
	made []*servedBlender
	news chan struct{}
}

func newSeveral(t *testing.T, specs ...api.BlenderSpec) *several {
	t.Helper()
	return newSeveralOn(t, &shelf{}, specs...)
}

// newSeveralOn is newSeveral on a machine that has some Blenders.
func newSeveralOn(t *testing.T, s *shelf, specs ...api.BlenderSpec) *several {
	t.Helper()
	k := &several{news: make(chan struct{}, 100)}
	k.house = open(t, func(c *Config) {
		c.Blenders = specs
		c.ChooseBlender, c.FindBlenders = s.choose, s.find
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			b := &servedBlender{
				fakeBlender: newFakeBlender(), made: spec,
				served: make(chan struct{}), ended: make(chan struct{}), leave: make(chan struct{}),
			}
			b.make(spec, changed)
			k.mu.Lock()
			defer k.mu.Unlock()
			k.made = append(k.made, b)
			k.news <- struct{}{}
			return b
		}
	})
	k.serve()
	stop := k.stop
	k.stop = func() {
		k.mu.Lock()
		for _, b := range k.made {
			b.mayLeave()
		}
		k.mu.Unlock()
		stop()
	}
	return k
}

func (b *servedBlender) mayLeave() {
	select {
	case <-b.leave:
	default:
		close(b.leave)
	}
}

// at waits for the i-th Blender that was made.
func (k *several) at(i int) *servedBlender {
	k.t.Helper()
	for {
		k.mu.Lock()
		if i < len(k.made) {
			b := k.made[i]
			k.mu.Unlock()
			return b
		}
		k.mu.Unlock()
		select {
		case <-k.news:
		case <-time.After(20 * time.Second):
			k.t.Fatalf("Blender %d was not made", i)
		}
	}
}

func (k *several) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.made)
}

func (b *servedBlender) call(t *testing.T) *call {
	t.Helper()
	select {
	case c := <-b.calls:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("Blender was given no run")
		return nil
	}
}

func own(name string) api.BlenderSpec { return api.BlenderSpec{Name: name} }

func opened(name string) api.BlenderSpec {
	return api.BlenderSpec{Name: name, BlenderSettings: api.BlenderSettings{Attach: true}}
}

func (k *several) set(specs ...api.BlenderSpec) {
	k.t.Helper()
	if err := k.SetBlenders(specs); err != nil {
		k.t.Fatal(err)
	}
}

func TestABlenderOfAnotherKindComesAfterTheCurrentRun(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	sub := k.Subscribe(SubscribeOptions{})
	defer sub.Close()
	first, second := k.submit("1"), k.submit("2")
	run := k.at(0).call(t)
	k.set(opened("default"))
	k.set(own("default"))
	k.set(opened("default"))
	if k.count() != 1 || run.ctx.Err() != nil {
		t.Fatal("it did not wait for the run")
	}
	run.finish(blender.Succeeded)
	k.ended(first.ID)
	eventually(t, "the previous Blender is ending", func() bool {
		st := k.Status().Blenders[0]
		return st.State == api.BlenderStarting && st.Kind == api.BlenderOpen
	})
	if k.count() != 1 {
		t.Error("the next one was made before the previous one had ended")
	}
	k.at(0).mayLeave()
	<-k.at(0).ended
	next := k.at(1)
	<-next.served
	if next.made.Kind() != api.BlenderOpen {
		t.Errorf("it was made as %+v", next.made)
	}
	next.call(t).finish(blender.Succeeded)
	if r := k.ended(second.ID); r.State != api.Succeeded {
		t.Errorf("what waited has %s", r.State)
	}
	await(t, sub, "the new Blender is ready", func(ev api.Event) bool {
		if ev.Kind == api.KindBlender && ev.Blender.Reason == "left" {
			t.Error("the word of the previous Blender was passed on")
		}
		return ev.Kind == api.KindRun && ev.ID == second.ID && ev.Run.State.Final()
	})
}

func TestABlenderThatWasStoppedStaysSoAsAnotherKind(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	<-k.at(0).served
	if err := k.StopBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	k.set(opened("default"))
	eventually(t, "it turns over, stopped", func() bool {
		st := k.Status().Blenders[0]
		return st.State == api.BlenderStopped && st.Kind == api.BlenderOpen
	})
	// A stop waits until the previous Blender has left, too.
	short, done := context.WithTimeout(ctx, 20*time.Millisecond)
	defer done()
	if err := k.StopBlender(short, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stop while the previous Blender is there: %v", err)
	}
	k.at(0).mayLeave()
	if err := k.StopBlender(ctx, ""); err != nil {
		t.Error(err)
	}
	<-k.at(1).served
	if st := k.at(1).Status(); st.State != api.BlenderStopped {
		t.Errorf("the new one is %+v", st)
	}
	if err := k.RestartBlender(ctx, ""); err != nil || k.Status().Blenders[0].State != api.BlenderReady {
		t.Errorf("restarted, it is %+v: %v", k.Status().Blenders, err)
	}
}

func TestABlenderThatWaitsToBeReadyGivesWayAtOnce(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, opened("default"))
	<-k.at(0).served
	k.at(0).set(api.BlenderStarting, "nobody has opened one")
	r := k.submit("1")
	k.set(own("default"))
	k.at(0).mayLeave()
	k.at(1).call(t).finish(blender.Succeeded)
	if r := k.ended(r.ID); r.State != api.Succeeded {
		t.Errorf("the run has %s", r.State)
	}
}

func TestOtherSettingsOfABlenderReachIt(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	spec := own("default")
	spec.MaxRuns, spec.Args = 7, []string{"--debug"}
	k.set(spec)
	k.at(0).mu.Lock()
	defer k.at(0).mu.Unlock()
	if got := k.at(0).spec; got.MaxRuns != 7 || !slices.Equal(got.Args, spec.Args) {
		t.Errorf("it was told %+v", got)
	}
}

func TestBlendersHaveNamesByWhichTheyAreStarted(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"), own("4.5"))
	<-k.at(0).served
	<-k.at(1).served
	states := func() []string {
		var all []string
		for _, st := range k.Status().Blenders {
			all = append(all, string(st.State))
		}
		return all
	}
	eventually(t, "the default one is ready and the other is not", func() bool {
		return slices.Equal(states(), []string{"ready", "stopped"})
	})
	if err := k.StartBlender(ctx, "4.5"); err != nil || !slices.Equal(states(), []string{"ready", "ready"}) {
		t.Errorf("started: %v, %v", states(), err)
	}
	if err := k.StopBlender(ctx, "default"); err != nil || !slices.Equal(states(), []string{"stopped", "ready"}) {
		t.Errorf("stopped: %v, %v", states(), err)
	}
	// Runs go to the default one alone.
	r := k.submit("1")
	if got := k.run(r.ID); got.State != api.Queued || !strings.Contains(got.Reason, "stopped") {
		t.Errorf("a run while the default one is stopped: %+v", got)
	}
	if err := k.StartBlender(ctx, ""); err != nil {
		t.Error(err)
	}
	k.at(0).call(t).finish(blender.Succeeded)
	k.ended(r.ID)
	if err := k.StopBlender(ctx, ""); err != nil || !slices.Equal(states(), []string{"stopped", "stopped"}) {
		t.Errorf("all stopped: %v, %v", states(), err)
	}
	err := k.RestartBlender(ctx, "2.8")
	if !errors.Is(err, api.ErrNoBlender) || !strings.Contains(err.Error(), "default, 4.5") {
		t.Errorf("a name that none has: %v", err)
	}
}

func TestABlenderThatIsNotWantedAnyMoreEndsAfterItsRun(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	r := k.submit("1")
	run := k.at(0).call(t)
	k.set(own("other"))
	<-k.at(1).served
	if run.ctx.Err() != nil || len(k.Status().Blenders) != 2 {
		t.Error("it did not wait for the run")
	}
	run.finish(blender.Succeeded)
	k.ended(r.ID)
	k.at(0).mayLeave()
	eventually(t, "it is gone", func() bool { return len(k.Status().Blenders) == 1 })
	if err := k.StartBlender(ctx, "other"); err != nil {
		t.Error(err)
	}
	next := k.submit("2")
	k.at(1).call(t).finish(blender.Succeeded)
	k.ended(next.ID)
	for _, specs := range [][]api.BlenderSpec{{own("")}, {own("a"), own("a")}} {
		if err := k.SetBlenders(specs); !errors.Is(err, api.ErrBad) {
			t.Errorf("%+v: %v", specs, err)
		}
	}
}

func TestARunInAnOpenBlenderHasAWorkerForAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	busy := k.submit("while True: pass")
	k.at(0).call(t)
	attached, err := k.Submit(ctx, api.Submission{Code: []byte("x"), Scene: "fresh", Attach: true, PID: 4711})
	if err != nil {
		t.Fatal(err)
	}
	if attached.Blender != "open-4711" || attached.Scene != "keep" {
		t.Errorf("it asks for %q and the scene %s", attached.Blender, attached.Scene)
	}
	b := k.at(1)
	if b.made.PID != 4711 || b.made.Kind() != api.BlenderOpen {
		t.Errorf("it was made as %+v", b.made)
	}
	b.call(t).finish(blender.Succeeded)
	k.ended(attached.ID)
	b.mayLeave()
	eventually(t, "its worker is gone", func() bool { return len(k.Status().Blenders) == 1 })
	if r := k.run(busy.ID); r.State != api.Running {
		t.Errorf("the other run is %s", r.State)
	}
	if _, err := k.Submit(ctx, api.Submission{Code: []byte("x"), PID: 1}); !errors.Is(err, api.ErrBad) {
		t.Errorf("a process without attach: %v", err)
	}
}

// absentBlender is a fake of an open Blender that nobody opens.
type absentBlender struct{ *fakeBlender }

func (b absentBlender) Start() { b.set(api.BlenderStarting, "no Blender is open") }

// A run in an open Blender waits for that Blender for a while, counted for each run from its own
// beginning, whatever happens meanwhile.
func TestOthersDoNotProlongTheWaitForAnOpenBlender(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		make := c.NewBlender
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			if spec.Kind() == api.BlenderOwn {
				return make(spec, changed)
			}
			b := absentBlender{newFakeBlender()}
			b.make(spec, changed)
			return b
		}
	})
	const patience = 500 * time.Millisecond
	h.openPatience = patience
	h.serve()
	h.b.do = succeed
	submit := func() api.Run {
		r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Attach: true})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := submit(), api.Run{}
	eventually(t, "the first run has ended while others come", func() bool {
		h.ended(h.submit("x = 1").ID) // which rouses every worker
		if second.ID == "" && time.Since(first.QueuedAt) > patience/2 {
			second = submit()
		}
		return h.run(first.ID).State.Final()
	})
	for _, id := range []string{first.ID, second.ID} {
		r := h.ended(id)
		if r.State != api.Failed || r.Error == nil || !strings.Contains(r.Error.Message, "no Blender is open") {
			t.Errorf("run %s: %s, %+v", id, r.State, r.Error)
		}
		if waited := r.FinishedAt.Sub(r.QueuedAt); waited < patience {
			t.Errorf("run %s has waited for %v", id, waited)
		}
	}
}

func TestAKeyGivesTheSameRun(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.b.do = succeed
	sub := api.Submission{Code: []byte("x = 1"), Key: "job 7, try 1", Client: "a test"}
	first, err := h.Submit(ctx, sub)
	if err != nil {
		t.Fatal(err)
	}
	h.ended(first.ID)
	again, err := h.Submit(ctx, sub)
	if err != nil || again.ID != first.ID || again.State != api.Succeeded || again.Client != "a test" {
		t.Errorf("again: %+v, %v", again, err)
	}
	other := sub
	other.Code = []byte("x = 2")
	if _, err := h.Submit(ctx, other); !errors.Is(err, api.ErrBad) || !strings.Contains(err.Error(), "run "+first.ID) {
		t.Errorf("another script with the same key: %v", err)
	}
	next := h.again().serve()
	if again, err := next.Submit(ctx, sub); err != nil || again.ID != first.ID || again.Key != sub.Key {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
	if r, err := next.Retry(ctx, first.ID); err != nil || r.Key != "" || r.Client != "a test" || r.Origin == "" {
		t.Errorf("a retry: %+v, %v", r, err)
	}
	for _, bad := range []api.Submission{
		{Code: []byte("x"), Key: strings.Repeat("k", 201)},
		{Code: []byte("x"), Client: "two\nlines"},
	} {
		if _, err := next.Submit(ctx, bad); !errors.Is(err, api.ErrBad) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestOutputIsReadOnFromAByte(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.Output = 20 }).serve()
	r := h.submit("print")
	c := h.call()
	c.sink.Output([]byte("0123456789"))
	text, at, total, err := h.Output(ctx, r.ID, 4)
	if string(text) != "456789" || at != 4 || total != 10 || err != nil {
		t.Errorf("while it runs: %q at %d of %d, %v", text, at, total, err)
	}
	c.sink.Output([]byte("abcdefghijklmnopqrstuvwxyz"))
	c.finish(blender.Succeeded)
	h.ended(r.ID)
	next := h.again()
	for _, want := range []struct {
		from, at int64
		text     string
	}{
		{-1, 0, "0123456789"}, {3, 3, "3456789"}, {10, 26, "qrstuvwxyz"}, {30, 30, "uvwxyz"}, {36, 36, ""}, {99, 36, ""},
	} {
		text, at, total, err := next.Output(ctx, r.ID, want.from)
		if string(text) != want.text || at != want.at || total != 36 || err != nil {
			t.Errorf("from %d: %q at %d of %d, %v", want.from, text, at, total, err)
		}
	}
	if r := next.run(r.ID); r.Output != "0123456789\n[… 16 bytes of output were cut here …]\nqrstuvwxyz" {
		t.Errorf("the whole: %q", r.Output)
	}
}
