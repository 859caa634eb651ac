package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// parallel has so many runs go on at the same time.
func parallel(n api.Parallel) func(*Config) {
	return func(c *Config) { c.Runs.Parallel = n }
}

// folders gives the engine further folders beside the watched one.
func folders(edit func(f *api.FolderSettings), names ...string) func(*Config) {
	return func(c *Config) {
		for _, name := range names {
			f := api.FolderSettings{WatchSettings: api.WatchSettings{Path: filepath.Join(filepath.Dir(c.Folders[0].Path), name)}}
			edit(&f)
			c.Folders = append(c.Folders, f)
		}
	}
}

// beside returns the path of a script in a further folder.
func (h *house) beside(folder, name string) string {
	return filepath.Join(filepath.Dir(h.watched), folder, name)
}

// counts waits until so many runs are running and so many are queued, and returns the names of the
// scripts that are running.
func (h *house) counts(running, queued int) (names []string) {
	h.t.Helper()
	eventually(h.t, fmt.Sprintf("%d running and %d queued", running, queued), func() bool {
		st := h.Status()
		return st.Running == running && st.Queued == queued
	})
	h.mu.Lock()
	l := h.load
	if running == 0 && l.counted+len(l.sent)+len(l.sending)+len(l.scripts)+len(l.sole)+len(l.running) != 0 {
		h.t.Errorf("nothing is running, and the load is %+v", l)
	}
	h.mu.Unlock()
	runs, err := h.Runs(ctx, api.Filter{States: []api.State{api.Running}, Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range runs {
		names = append(names, filepath.Base(r.Script))
	}
	slices.Sort(names)
	return names
}

// idle fails when Blender is given another run although all was settled.
func (h *house) idle(why string) {
	h.t.Helper()
	select {
	case c := <-h.b.calls:
		h.t.Errorf("%s, but run %s (%s) has begun", why, c.req.ID, c.req.File)
	default:
	}
}

func TestSoManyRunsGoOnAtTheSameTime(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(2)).serve()
	for _, name := range []string{"a.py", "b.py", "c.py", "d.py"} {
		h.w.save(h.path(name), "x")
	}
	first, second := h.call(), h.call()
	if got := h.counts(2, 2); fmt.Sprint(got) != "[a.py b.py]" {
		t.Errorf("running: %v", got)
	}
	h.idle("two may go on")
	// The second ends first, and its place goes to the next.
	second.finish(blender.Succeeded)
	third := h.call()
	if got := h.counts(2, 1); fmt.Sprint(got) != "[a.py c.py]" {
		t.Errorf("running then: %v", got)
	}
	first.finish(blender.Succeeded)
	third.finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.counts(0, 0)
}

func TestTheStatusHasAllRunsThatAreRunning(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(2))
	h.b.do = func(ctx context.Context, _ blender.Request, s blender.Sink) (blender.Outcome, error) {
		s.(blender.Taker).Taken(4711)
		s.Started(time.Now())
		<-ctx.Done()
		return blender.Outcome{Verdict: blender.Cancelled}, nil
	}
	h.serve()
	if st := h.Status(); st.Runs == nil || len(st.Runs) != 0 {
		t.Errorf("at first: %#v", st.Runs)
	}
	sub := h.Subscribe(SubscribeOptions{Run: "1"})
	defer sub.Close()
	for _, name := range []string{"a.py", "b.py", "c.py"} {
		h.w.save(h.path(name), "x")
	}
	ev := await(t, sub, "the first begins", func(ev api.Event) bool { return ev.Kind == api.KindRun && ev.Run.State == api.Running })
	if ev.Run.PID != 4711 {
		t.Errorf("it is told to be in process %d", ev.Run.PID)
	}
	h.counts(2, 1)
	eventually(t, "both are running in a process", func() bool {
		var got []string
		for _, r := range h.Status().Runs {
			got = append(got, fmt.Sprint(filepath.Base(r.Script), " ", r.State, " ", r.PID))
		}
		return slices.Equal(got, []string{"a.py running 4711", "b.py running 4711"})
	})
	if _, err := h.Cancel(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if r := h.ended("1"); r.PID != 0 {
		t.Errorf("when it has ended it is in process %d", r.PID)
	}
}

func TestWhereManyWaitTheStatusSaysWhatIsQuicker(t *testing.T) {
	t.Parallel()
	for _, p := range []api.Parallel{1, api.ParallelAuto} {
		h := open(t, parallel(p))
		for i := range manyWait {
			if hint := h.Status().Hint; hint != "" {
				t.Errorf("while %d wait it says %q", i, hint)
			}
			h.w.save(h.path(fmt.Sprint(i, ".py")), "x")
		}
		hint := h.Status().Hint
		if !strings.Contains(hint, "isolation") || strings.Contains(hint, "runs.parallel") != (p.Of(runtime.NumCPU()) < runtime.NumCPU()) {
			t.Errorf("with runs.parallel = %s it says %q", p, hint)
		}
	}
}

func TestMoreRunsBeginWhenTheSettingsSaySo(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	for i := range 5 {
		h.w.save(h.path(fmt.Sprintf("%d.py", i)), "x")
	}
	all := []*call{h.call()}
	h.counts(1, 4)
	runs := h.runSettings()
	runs.Parallel = 3
	h.SetRuns(runs)
	all = append(all, h.call(), h.call())
	h.counts(3, 2)
	runs.Parallel = 1
	h.SetRuns(runs) // what is running goes on
	all[0].finish(blender.Succeeded)
	h.counts(2, 2)
	all[1].finish(blender.Succeeded)
	h.counts(1, 2)
	h.idle("one may go on")
	all[2].finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.counts(0, 0)
}

func TestTwoRunsOfOneScriptNeverGoOnAtTheSameTime(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(4)).serve()
	h.w.save(h.path("a.py"), "1")
	first := h.call()
	h.w.save(h.path("a.py"), "2")
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("3"), Script: h.path("a.py")}); err != nil {
		t.Fatal(err)
	}
	h.w.save(h.path("b.py"), "x")
	other := h.call()
	if other.req.File != h.path("b.py") {
		t.Errorf("beside a.py %s is running", other.req.File)
	}
	h.counts(2, 2)
	h.idle("the script is running")
	for _, want := range []string{"2", "3"} {
		first.finish(blender.Succeeded)
		first = h.call()
		if string(first.req.Code) != want {
			t.Errorf("then %s runs, want %s", first.req.Code, want)
		}
		h.idle("the script is running")
	}
	first.finish(blender.Succeeded)
	other.finish(blender.Succeeded)
	h.counts(0, 0)
}

func TestARunThatNeedsABusyBlenderHoldsUpNoOthers(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(f *api.FolderSettings){
		"a scene made anew": func(f *api.FolderSettings) { f.Isolation = api.IsolateScene },
		"the scene as left": func(f *api.FolderSettings) { f.Scene = "keep" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, parallel(3), folders(edit, "shared")).serve()
			h.w.save(h.beside("shared", "1.py"), "x")
			first := h.call()
			h.w.save(h.beside("shared", "2.py"), "x")
			h.w.save(h.path("a.py"), "x")
			isolated := h.call()
			if got := h.counts(2, 1); fmt.Sprint(got) != "[1.py a.py]" {
				t.Errorf("running: %v", got)
			}
			first.finish(blender.Succeeded)
			second := h.call()
			if second.req.File != h.beside("shared", "2.py") {
				t.Errorf("then %s runs", second.req.File)
			}
			second.finish(blender.Succeeded)
			isolated.finish(blender.Succeeded)
			h.counts(0, 0)
		})
	}
}

func TestABlenderThatIsNotReadyForOneRunIsWaitedForBesideOthers(t *testing.T) {
	t.Parallel()
	h := open(t, folders(func(f *api.FolderSettings) { f.Isolation = api.IsolateScene }, "shared"))
	h.b.setBusy(func(req blender.Request) bool { return req.Isolation == api.IsolateScene })
	h.serve()
	h.w.save(h.beside("shared", "1.py"), "x")
	h.w.save(h.path("a.py"), "x")
	isolated := h.call()
	if isolated.req.File != h.path("a.py") {
		t.Fatalf("%s runs", isolated.req.File)
	}
	isolated.finish(blender.Succeeded)
	h.counts(0, 1)
	h.b.setBusy(nil)
	if c := h.call(); c.req.File != h.beside("shared", "1.py") {
		t.Errorf("then %s runs", c.req.File)
	} else {
		c.finish(blender.Succeeded)
	}
	h.counts(0, 0)
}

func TestARunSaysWhyItHasNoBlenderWhileOthersHave(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.setFailing(func(req blender.Request) error {
		if req.Isolation == api.IsolateScene {
			return errors.New("its Blender has failed")
		}
		return nil
	})
	h.serve()
	r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Scene: "fresh", Isolation: api.IsolateScene})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it says so", func() bool { return h.run(r.ID).Reason == "its Blender has failed" })
	h.w.save(h.path("a.py"), "x")
	h.call().finish(blender.Succeeded)
	h.counts(0, 1)
	h.b.setFailing(nil)
	h.b.set(api.BlenderReady, "") // which has it looked at again
	h.call().finish(blender.Succeeded)
	if r := h.ended(r.ID); r.State != api.Succeeded || r.Reason != "" {
		t.Errorf("it has ended as %+v", r)
	}
}

func TestSessionsGoOnBesideABurst(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	submit := func(session, code string) {
		t.Helper()
		if _, err := h.Submit(ctx, api.Submission{Code: []byte(code), Session: session}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		h.w.save(h.path(fmt.Sprintf("%d.py", i)), "x")
	}
	burst := h.call()
	for _, session := range []string{"x", "y", "z"} {
		submit(session, "1")
		submit(session, "2")
	}
	running := map[string]*call{}
	for range 3 {
		c := h.call()
		if string(c.req.Code) != "1" || running[c.req.Session] != nil {
			t.Errorf("%s of session %q runs", c.req.Code, c.req.Session)
		}
		running[c.req.Session] = c
	}
	h.counts(4, 22)
	h.idle("each session executes a run, and one run goes on beside them")
	running["y"].finish(blender.Succeeded)
	if c := h.call(); c.req.Session != "y" || string(c.req.Code) != "2" {
		t.Errorf("then %s of session %q runs", c.req.Code, c.req.Session)
	}
	burst.finish(blender.Succeeded)
	if c := h.call(); c.req.Session != "" {
		t.Errorf("after a run of the burst one of session %q runs", c.req.Session)
	}
}

func TestASaveByHandRunsNextInABurst(t *testing.T) {
	t.Parallel()
	h := open(t, folders(func(*api.FolderSettings) {}, "hand")).serve()
	for i := range 500 {
		h.w.scan(h.path(fmt.Sprintf("%03d.py", i)), "x")
		h.w.save(h.path(fmt.Sprintf("%03d.py", i)), "x")
	}
	order := []string{}
	next := func() string {
		c := h.call()
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
		return filepath.Base(c.req.File)
	}
	c := h.call()
	h.w.save(h.beside("hand", "one.py"), "x")
	c.finish(blender.Succeeded)
	order = append(order, next(), next())
	c = h.call()
	h.w.save(h.beside("hand", "two.py"), "x") // its folder had its turn a moment ago
	h.w.save(h.beside("hand", "three.py"), "x")
	c.finish(blender.Succeeded)
	order = append(order, next(), next(), next(), next())
	// 000.py and 002.py were running when the saves came. It is the turn of the first two; three.py
	// is early, and so 003.py has its turn.
	if want := "[one.py 001.py two.py three.py 003.py 004.py]"; fmt.Sprint(order) != want {
		t.Errorf("they run as %v, want %v", order, want)
	}
}

func TestFoldersAndClientsTakeTurns(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range 9 {
		h.w.save(h.path(fmt.Sprintf("%d.py", i)), "x")
	}
	for _, client := range []string{"one", "two"} {
		for i := range 3 {
			if _, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Name: fmt.Sprint(client, i), Client: client}); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.serve()
	var order []string
	for range 15 {
		c := h.call()
		order = append(order, filepath.Base(c.req.File+c.req.Name))
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
	}
	if want := "0.py one0 two0 1.py one1 two1 2.py one2 two2 3.py 4.py 5.py 6.py 7.py 8.py"; strings.Join(order, " ") != want {
		t.Errorf("they run as %v, want %v", order, want)
	}
}

func TestClientsWithoutANameAreToldApart(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, peer := range []string{"1", "1", "1", "2"} {
		if _, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Name: peer, Peer: peer}); err != nil {
			t.Fatal(err)
		}
	}
	h.serve()
	var order []string
	for range 4 {
		c := h.call()
		order = append(order, c.req.Name)
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
	}
	if got := strings.Join(order, " "); got != "1 2 1 1" {
		t.Errorf("they run as %s", got)
	}
}

func TestARunThatNoBlenderTakesHoldsUpNoOthers(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(2))
	h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		if req.Session == "broken" {
			return blender.Outcome{}, errors.New("this session has no Blender just now")
		}
		return succeed(ctx, req, sink)
	}
	h.serve()
	broken, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Session: "broken"})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if r := h.ended(h.submit("x").ID); r.State != api.Succeeded {
			t.Errorf("%+v", r)
		}
	}
	if r := h.run(broken.ID); r.State.Final() {
		t.Errorf("the run that no Blender takes has ended: %+v", r)
	}
}

func TestThePlacesAreThoseOfAllBlenders(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"), own("other"))
	if err := k.StartBlender(ctx, "other"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both Blenders take runs", func() bool {
		k.Engine.mu.Lock()
		defer k.Engine.mu.Unlock()
		return k.workers[0].takes && k.workers[1].takes
	})
	runs := k.runSettings()
	runs.Parallel = 2
	k.SetRuns(runs)
	for i := range 6 {
		j, err := newJob(api.Submission{Code: []byte("x"), Script: fmt.Sprintf("/abs/%d.py", i)}, runs)
		if err != nil {
			t.Fatal(err)
		}
		j.run.Blender = []string{"", "other"}[i%2]
		k.turn.Lock()
		_, err = k.acceptLocked(insert{job: j, code: j.code})
		k.turn.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	standard, other := k.at(0), k.at(1)
	first, beside := standard.call(t), other.call(t)
	k.counts(2, 4)
	first.finish(blender.Succeeded)
	first = standard.call(t) // the other Blender's run is still running
	k.counts(2, 3)
	beside.finish(blender.Succeeded)
	beside = other.call(t)
	k.counts(2, 2)
	first.finish(blender.Succeeded)
	beside.finish(blender.Succeeded)
	first, beside = standard.call(t), other.call(t)
	first.finish(blender.Succeeded)
	beside.finish(blender.Succeeded)
	k.counts(0, 0)
}

func TestABlenderIsLeftWhenAllItsRunsHaveEnded(t *testing.T) {
	t.Parallel()
	k := newSeveral(t, own("default"))
	runs := k.runSettings()
	runs.Parallel = 2
	k.SetRuns(runs)
	for _, name := range []string{"a.py", "b.py", "c.py"} {
		k.w.save(k.path(name), "x")
	}
	old := k.at(0)
	first, second := old.call(t), old.call(t)
	if err := k.SetBlenders([]api.BlenderSpec{opened("default")}); err != nil {
		t.Fatal(err)
	}
	first.finish(blender.Succeeded)
	k.counts(1, 1)
	if n := k.count(); n != 1 {
		t.Errorf("%d Blenders while a run goes on in the first", n)
	}
	second.finish(blender.Succeeded)
	old.mayLeave()
	k.at(1).call(t).finish(blender.Succeeded)
	k.counts(0, 0)
}

func TestAnEngineThatIsStoppedLetsAllItsRunsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		onStop api.OnStop
		want   api.State
	}{
		"wait":    {api.OnStopWait, api.Succeeded},
		"requeue": {api.OnStopRequeue, api.Queued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, parallel(3), func(cfg *Config) {
				cfg.Runs.OnStop, cfg.Runs.StopTimeout = c.onStop, api.Duration(time.Minute)
			}).serve()
			for _, name := range []string{"a.py", "b.py", "c.py", "d.py"} {
				h.w.save(h.path(name), "x")
			}
			calls := []*call{h.call(), h.call(), h.call()}
			stopped := make(chan struct{})
			go func() { defer close(stopped); h.stop() }()
			if c.onStop == api.OnStopWait {
				eventually(t, "the engine is stopping", func() bool {
					h.mu.Lock()
					defer h.mu.Unlock()
					return h.stopping
				})
				for _, call := range calls {
					call.finish(blender.Succeeded)
				}
			}
			<-stopped
			next := h.again()
			want := []string{"1 a.py " + string(c.want), "2 b.py " + string(c.want), "3 c.py " + string(c.want), "4 d.py queued"}
			if got := next.all(); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestBlenderIsStoppedWithAllItsRuns(t *testing.T) {
	t.Parallel()
	h := open(t, parallel(3)).serve()
	for _, name := range []string{"a.py", "b.py", "c.py", "d.py"} {
		h.w.save(h.path(name), "x")
	}
	for range 3 {
		h.call()
	}
	if err := h.StopBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 a.py cancelled", "2 b.py cancelled", "3 c.py cancelled", "4 d.py queued"}
	if got := h.all(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	h.idle("Blender is stopped")
	if err := h.StartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	h.call().finish(blender.Succeeded)
	h.ended("4")
}
