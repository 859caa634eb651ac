package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// sessionsBlender is a fake Blender that has sessions.
type sessionsBlender struct {
	*fakeBlender
	mu    sync.Mutex
	all   []api.Session
	ended []string
}

func (b *sessionsBlender) Sessions() []api.Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

func (b *sessionsBlender) EndSession(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = append(b.ended, name)
	return nil
}

func (b *sessionsBlender) Complete(_ context.Context, name, code string, cursor int) (api.Completion, error) {
	if code == "busy" {
		return api.Completion{}, api.ErrBusy
	}
	return api.Completion{Start: cursor - 1, Matches: []string{name + code}}, nil
}

// openWithSessions opens and serves an engine whose Blender has some sessions.
func openWithSessions(t *testing.T, all ...api.Session) (*house, *sessionsBlender) {
	b := &sessionsBlender{all: all}
	h := open(t, func(c *Config) {
		make := c.NewBlender
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			b.fakeBlender = make(spec, changed).(*fakeBlender)
			return b
		}
	})
	return h.serve(), b
}

func (h *house) inSession(session, code string) api.Run {
	h.t.Helper()
	r, err := h.Submit(ctx, api.Submission{Code: []byte(code), Session: session})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func TestASessionWhoseFirstRunWaitsIsListedAndCanBeEnded(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t)
	if err := h.StopBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	first := h.inSession("late", "first")
	h.inSession("late", "second")
	if all := h.Sessions(); len(all) != 1 || all[0].Name != "late" || all[0].State != api.SessionStarting || all[0].Queued != 2 {
		t.Errorf("the sessions are %+v", all)
	}
	if s, err := h.Session("late"); err != nil || s.State != api.SessionStarting {
		t.Errorf("%+v, %v", s, err)
	}
	if err := h.EndSession(ctx, "late"); err != nil {
		t.Fatal(err)
	}
	if r := h.run(first.ID); r.State != api.Cancelled || r.Reason != "its session was ended" {
		t.Errorf("%s %q", r.State, r.Reason)
	}
	if all := h.Sessions(); len(all) != 0 {
		t.Errorf("the sessions are %+v", all)
	}
}

func TestARunForWhichASessionAwaitsItsBlenderIsNamed(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t,
		api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionCrashed},
		api.Session{Name: "table", Blender: api.DefaultBlender, State: api.SessionCrashed})
	r := h.inSession("chair", "first")
	c := h.call()
	for name, want := range map[string]string{"chair": r.ID, "table": ""} {
		if s, err := h.Session(name); err != nil || s.Run != want || s.Queued != 0 {
			t.Errorf("%+v, %v, want the run %q", s, err, want)
		}
	}
	c.finish(blender.Succeeded)
	h.ended(r.ID)
}

func TestASessionWhoseBlenderIsTakenOutOfTheSettingsIsToldOf(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		make := c.NewBlender
		c.Blenders = append(c.Blenders, api.BlenderSpec{Name: "old"})
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			if spec.Name != "old" {
				return make(spec, changed)
			}
			old := newFakeBlender()
			old.make(spec, changed)
			return &sessionsBlender{fakeBlender: old, all: []api.Session{
				{Name: "chair", Blender: "old", State: api.SessionReady}, {Name: "gone", Blender: "old", State: api.SessionEnded},
			}}
		}
	}).serve()
	if err := h.SetBlenders([]api.BlenderSpec{{Name: api.DefaultBlender}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Blender is gone", func() bool { return len(h.Status().Blenders) == 1 })
	for _, c := range []struct{ session, why string }{
		{"chair", `the Blender "old" was taken out of the settings`}, {"chair", ""}, {"gone", ""},
	} {
		h.inSession(c.session, "x")
		run := h.call()
		if run.req.SessionGone != c.why {
			t.Errorf("the run of %s is told %q, want %q", c.session, run.req.SessionGone, c.why)
		}
		run.finish(blender.Succeeded)
		h.ended(run.req.ID)
	}
}

func TestAnOperationEndsWithTheEngineThatItWasAskedOf(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	h.inSession("chair", "first")
	h.call() // it does not end
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = h.DoInSession(ctx, api.SessionRequest{Session: "chair", Operation: api.SessionSave, File: "/shot.blend"}) // the engine ends
	}()
	eventually(t, "it waits", func() bool { return h.Status().Queued == 1 })
	next := h.again()
	<-asked
	next.serve()
	r := next.run("2")
	if r.Source != api.FromSession || r.State != api.Interrupted || !strings.Contains(r.Reason, "the engine ended before it began") {
		t.Errorf("%+v", r)
	}
}

func TestADirectRunMayRenderAndBeDebugged(t *testing.T) {
	t.Parallel()
	b := newFakeBlender()
	b.do = func(_ context.Context, req blender.Request, _ blender.Sink) (blender.Outcome, error) {
		if req.Debug == nil || req.Render == nil {
			t.Errorf("it was asked for %+v", req)
		}
		return blender.Outcome{Verdict: blender.Succeeded}, nil
	}
	d := Direct{Blender: b, Debug: &blender.Debug{}}
	if r, err := d.Run(ctx, api.Submission{Code: []byte("x"), Render: &api.Render{Engine: "CYCLES"}}); err != nil || r.State != api.Succeeded {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnOperationOfASessionComesInOrderWithItsRuns(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	h.inSession("chair", "first")
	first := h.call()
	type answer struct {
		done api.SessionDone
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		done, err := h.DoInSession(ctx, api.SessionRequest{Session: "chair", Operation: api.SessionSave, File: "/x/chair.blend", Client: "me"})
		answers <- answer{done, err}
	}()
	eventually(t, "the operation waits", func() bool { return h.Status().Queued == 1 })
	h.inSession("chair", "second")
	if s, err := h.Session("chair"); err != nil || s.Queued != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	first.finish(blender.Succeeded)
	operation := h.call()
	if req := operation.req; req.Operation != api.SessionSave || req.Session != "chair" || !slices.Equal(req.Args, []string{"/x/chair.blend"}) || req.TimeLimit != 0 {
		t.Errorf("%+v", req)
	}
	operation.finish(blender.Succeeded)
	a := <-answers
	if r := a.done.Run; a.err != nil || r.Source != api.FromSession || r.Script != "<session save>" || r.Client != "me" || a.done.Session.Name != "chair" {
		t.Errorf("%+v, %v", a.done, a.err)
	}
	second := h.call()
	if string(second.req.Code) != "second" || second.req.Operation != "" {
		t.Errorf("%+v", second.req)
	}
	second.finish(blender.Succeeded)
	if _, err := h.Retry(ctx, a.done.Run.ID); !errors.Is(err, api.ErrBad) {
		t.Errorf("a retry of an operation: %v", err)
	}
}

func TestAnOperationThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t,
		api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady},
		api.Session{Name: "old", Blender: api.DefaultBlender, State: api.SessionEnded, Reason: "it was not used for 30m"})
	for _, c := range []struct {
		req  api.SessionRequest
		is   error
		says string
	}{
		{api.SessionRequest{Session: "..", Operation: api.SessionUndo}, api.ErrBad, "no name"},
		{api.SessionRequest{Session: "chair", Operation: api.SessionSave, File: "x.blend"}, api.ErrBad, "absolute"},
		{api.SessionRequest{Session: "chair", Operation: api.SessionOpen, File: "/x.txt"}, api.ErrBad, ".blend"},
		{api.SessionRequest{Session: "chair", Operation: api.SessionUndo, File: "/x.blend"}, api.ErrBad, "has none"},
		{api.SessionRequest{Session: "table", Operation: api.SessionUndo}, api.ErrNoSession, "there are: chair"},
		{api.SessionRequest{Session: "old", Operation: api.SessionCheckpoint}, api.ErrNoSession, "not used for 30m"},
	} {
		if _, err := h.DoInSession(ctx, c.req); !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%+v: %v", c.req, err)
		}
	}
	if len(h.all()) != 0 {
		t.Errorf("%v", h.all())
	}
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Session: "chair", Limits: api.Limits{Nice: 3}}); !errors.Is(err, api.ErrBad) {
		t.Errorf("nice: %v", err)
	}
	runs := h.cfg.Runs
	runs.Nice = 5
	h.SetRuns(runs)
	if r := h.inSession("chair", "x"); r.Limits.Nice != 0 {
		t.Errorf("runs.nice holds in a session: %+v", r.Limits)
	}
}

func TestAnOperationThatFailsOrIsLeftSaysSo(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	errs := make(chan error, 1)
	life, leave := context.WithCancel(ctx)
	do := func() {
		_, err := h.DoInSession(life, api.SessionRequest{Session: "chair", Operation: api.SessionCheckpoint})
		errs <- err
	}
	go do()
	h.call().end <- result{out: blender.Outcome{Verdict: blender.Errored, Error: &api.ScriptError{Type: "SceneError", Message: "the disk is full"}}}
	if err := <-errs; !errors.Is(err, api.ErrSession) || err.Error() != "the session chair: the disk is full" {
		t.Errorf("%v", err)
	}
	// An operation that has begun goes on: Blender writes a file, and would be killed.
	go do()
	begun := h.call()
	go do()
	eventually(t, "another one waits", func() bool { return h.Status().Queued == 1 })
	leave()
	for range 2 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	if r := h.ended("3"); r.State != api.Cancelled {
		t.Errorf("the one that waits: %+v", r)
	}
	if err := begun.ctx.Err(); err != nil {
		t.Errorf("the one that has begun is asked to end: %v", err)
	}
	begun.finish(blender.Succeeded)
	if r := h.ended("2"); r.State != api.Succeeded {
		t.Errorf("%+v", r)
	}
}

func TestTheEndOfASessionEndsItsRuns(t *testing.T) {
	t.Parallel()
	h, b := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionRunning})
	h.inSession("chair", "runs")
	running := h.call()
	h.inSession("chair", "waits")
	if err := h.EndSession(ctx, "chair"); err != nil {
		t.Fatal(err)
	}
	<-running.ctx.Done()
	for _, id := range []string{"1", "2"} {
		if r := h.ended(id); r.State != api.Cancelled || r.Reason != "its session was ended" {
			t.Errorf("%s: %s, %s", id, r.State, r.Reason)
		}
	}
	if !slices.Equal(b.ended, []string{"chair"}) {
		t.Errorf("ended: %v", b.ended)
	}
	if err := h.EndSession(ctx, "table"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("%v", err)
	}
}

func TestARunIsToldThatItsSessionEndedWithTheEngine(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.inSession("chair", "waits")
	next := h.again()
	next.serve()
	if c := next.call(); c.req.SessionGone != "the engine had ended" {
		t.Errorf("%+v", c.req)
	} else {
		c.end <- result{out: blender.Outcome{Verdict: blender.Succeeded, Note: "the session chair begins anew"}}
	}
	if r := next.ended("1"); r.State != api.Succeeded || r.Reason != "the session chair begins anew" {
		t.Errorf("%+v", r)
	}
	next.inSession("chair", "new")
	if c := next.call(); c.req.SessionGone != "" {
		t.Errorf("%+v", c.req)
	}
}

// openWithTwo opens and serves an engine with the Blenders "default" and "old", of which the second
// has some sessions.
func openWithTwo(t *testing.T, all ...api.Session) (*house, *sessionsBlender) {
	b := &sessionsBlender{all: all}
	h := open(t, func(c *Config) {
		c.Blenders = []api.BlenderSpec{own(api.DefaultBlender), own("old")}
		c.ChooseBlender = func(context.Context, string) (blender.Found, error) {
			return blender.Found{Path: "/opt/3.4.1", Version: "3.4.1"}, nil
		}
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			f := newFakeBlender()
			f.make(spec, changed)
			f.do = succeed
			if spec.Name != "old" {
				return f
			}
			b.fakeBlender = f
			return b
		}
	})
	return h.serve(), b
}

func TestARunOfASessionGoesToTheBlenderThatHasIt(t *testing.T) {
	t.Parallel()
	h, _ := openWithTwo(t, api.Session{Name: "chair", Blender: "old", State: api.SessionReady},
		api.Session{Name: "gone", Blender: "old", State: api.SessionEnded})
	for session, want := range map[string]string{"chair": "old", "gone": api.DefaultBlender, "new": api.DefaultBlender} {
		r := h.inSession(session, "x = 1")
		if r = h.ended(r.ID); r.State != api.Succeeded || r.Blender != want {
			t.Errorf("a run of %s has %s in %q, want %q", session, r.State, r.Blender, want)
		}
	}
	done, err := h.DoInSession(ctx, api.SessionRequest{Session: "chair", Operation: api.SessionCheckpoint})
	if err != nil || done.Run.Blender != "old" {
		t.Errorf("a checkpoint in %q: %v", done.Run.Blender, err)
	}
	of, err := h.Submit(ctx, api.Submission{Session: "chair", Code: []byte("# blender: 3.4")}) // both are of this version
	if err != nil || of.Blender != "old" {
		t.Errorf("a run that asks for the version of the session is in %q: %v", of.Blender, err)
	}
	for _, s := range []api.Submission{{Blender: api.DefaultBlender, Code: []byte("x = 1")}, {Code: []byte("# blender: default")}} {
		s.Session = "chair"
		if r, err := h.Submit(ctx, s); !errors.Is(err, api.ErrBad) || !strings.Contains(err.Error(), `in the Blender "old"`) {
			t.Errorf("%s %s was taken in %q: %v", s.Blender, s.Code, r.Blender, err)
		}
	}
	// A session that begins with the run that waits has the Blender of that run.
	if err := h.StopBlender(ctx, "old"); err != nil {
		t.Fatal(err)
	}
	first, err := h.Submit(ctx, api.Submission{Session: "table", Blender: "old", Code: []byte("x = 1")})
	if err != nil {
		t.Fatal(err)
	}
	second := h.inSession("table", "x = 2")
	if err := h.StartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	for _, r := range []api.Run{first, second} {
		if r = h.ended(r.ID); r.State != api.Succeeded || r.Blender != "old" {
			t.Errorf("run %s has %s in %q", r.ID, r.State, r.Blender)
		}
	}
}

func TestABlenderWithASessionDoesNotRest(t *testing.T) {
	t.Parallel()
	h, b := openWithTwo(t, api.Session{Name: "chair", Blender: "old", State: api.SessionReady})
	h.mu.Lock()
	w := h.workerLocked("old")
	h.restAfter = 10 * time.Millisecond
	h.mu.Unlock()
	look := func() (used time.Time, resting bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return w.used, w.resting
	}
	h.ended(h.inSession("chair", "x = 1").ID)
	for range 3 {
		before, _ := look()
		eventually(t, "the session counts as a use", func() bool {
			used, resting := look()
			return used.After(before) && !resting
		})
	}
	b.mu.Lock()
	b.all[0].State = api.SessionEnded
	b.mu.Unlock()
	eventually(t, "it rests", func() bool { _, resting := look(); return resting })
}

func TestAQueuedRunOfAnEarlierVersionIsForTheDefaultBlender(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.inSession("chair", "waits")
	h.store.mu.Lock()
	_, err := h.store.conn.ExecContext(ctx, "UPDATE runs SET blender = '' WHERE id = ?", r.ID)
	h.store.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	next := h.again()
	if r := next.run(r.ID); r.Blender != api.DefaultBlender {
		t.Errorf("it waits for %q", r.Blender)
	}
	next.b.do = succeed
	next.serve()
	if r := next.ended(r.ID); r.State != api.Succeeded {
		t.Errorf("it has %s: %s", r.State, r.Reason)
	}
}

func TestARunThatIsMadeAgainShowsItsLastValueAsBefore(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	echoing := func(why string, c *call) {
		t.Helper()
		if !c.req.Echo {
			t.Errorf("%s: it was asked for %+v", why, c.req)
		}
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
	}
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("6 * 7"), Session: "chair", Echo: true}); err != nil {
		t.Fatal(err)
	}
	echoing("the first", h.call())
	if _, err := h.Retry(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	echoing("its retry", h.call())
	h.inSession("chair", "it holds up the next")
	h.call() // it does not end
	if _, err := h.Retry(ctx, "2"); err != nil {
		t.Fatal(err)
	}
	h = h.again()
	h.serve()
	for {
		c := h.call()
		if c.req.ID == "4" {
			echoing("one that has waited for another engine", c)
			return
		}
		c.finish(blender.Succeeded)
	}
}

func TestCodeIsCompletedBySessionsThatAreThere(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	found, err := h.Complete(ctx, "chair", "größe", 5)
	if err != nil || found.Start != 4 || !slices.Equal(found.Matches, []string{"chairgröße"}) {
		t.Errorf("%+v, %v", found, err)
	}
	found, err = h.Complete(ctx, "table", "bpy.", 4)
	if err != nil || found.Start != 4 || found.Matches == nil || len(found.Matches) > 0 || found.Signature != nil {
		t.Errorf("a session that is not there: %+v, %v", found, err)
	}
	if _, err := h.Complete(ctx, "chair", "busy", 0); !errors.Is(err, api.ErrBusy) {
		t.Errorf("while a run is running: %v", err)
	}
	for _, c := range []struct {
		name, code string
		cursor     int
		want       error
	}{
		{"chair", "x", 2, api.ErrBad},
		{"chair", "x", -1, api.ErrBad},
		{"-", "x", 1, api.ErrBad},
		{"chair", strings.Repeat("x", api.MaxCompletion+1), 1, api.ErrTooLarge},
	} {
		if _, err := h.Complete(ctx, c.name, c.code, c.cursor); !errors.Is(err, c.want) {
			t.Errorf("%s at %d: %v, want %v", c.name, c.cursor, err, c.want)
		}
	}
	if len(h.Sessions()) != 1 || h.Status().Queued != 0 {
		t.Errorf("%+v, %+v", h.Sessions(), h.Status())
	}
}

func TestARunThatEndsWithItsBlenderIsToldThatItsSessionIsGone(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t)
	run := h.inSession("a", "1")
	h.call()
	if err := h.StopBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if r := h.run(run.ID); r.State != api.Cancelled || r.Reason != "Blender was stopped, and the scene of its session is gone" {
		t.Errorf("%s %q", r.State, r.Reason)
	}
}
