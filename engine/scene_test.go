package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

func TestOnlyASceneThatIsThereIsOpened(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(ago time.Duration) *time.Time { when := now.Add(-ago); return &when }
	run := func(id string, isolation api.Isolation, state api.State, ago time.Duration) api.Run {
		return api.Run{ID: id, Isolation: isolation, State: state, StartedAt: at(ago), FinishedAt: at(ago)}
	}
	st := func(uses ...string) api.Status {
		st := api.Status{Engine: api.EngineStatus{UptimeSeconds: 60}}
		for _, use := range uses {
			st.Processes = append(st.Processes, api.ProcessStatus{Use: use})
		}
		return st
	}
	kept := func(id string) api.Status {
		st := st("left", "left")
		st.Processes[1].Left = id
		return st
	}
	inSession := run("5", api.IsolateKeep, api.Succeeded, 0)
	inSession.Session = "s"
	last := run("3", api.IsolateProcess, api.Succeeded, time.Second)
	other := run("4", api.IsolateProcess, api.Succeeded, 0)
	other.Blender = "old"
	both := kept("3")
	both.Processes = append(both.Processes, api.ProcessStatus{Blender: "old", Use: "left", Left: "4"})
	for name, test := range map[string]struct {
		runs []api.Run
		st   api.Status
		id   string
		want string // the id, or "" for an error
		gone bool
	}{
		"the last":                           {runs: []api.Run{last}, st: st("waiting", "left"), want: "3"},
		"by its id":                          {runs: []api.Run{last}, st: st("left"), id: "3", want: "3"},
		"its Blender has ended":              {runs: []api.Run{last}, st: st("waiting", "keep", "scene"), gone: true},
		"before the engine's start":          {runs: []api.Run{run("3", api.IsolateProcess, api.Succeeded, time.Hour)}, st: st("left"), gone: true},
		"another came after":                 {runs: []api.Run{last, run("2", api.IsolateProcess, api.Succeeded, time.Second)}, st: st("left"), id: "2", gone: true},
		"a look came after":                  {runs: []api.Run{run("4", api.IsolateKeep, api.Succeeded, 0), last}, st: st("left"), id: "3", want: "3"},
		"another kind came after":            {runs: []api.Run{run("4", api.IsolateScene, api.Succeeded, 0), last}, st: st("left"), want: "3"},
		"only another kind":                  {runs: []api.Run{run("4", api.IsolateScene, api.Succeeded, 0)}, st: st("left")},
		"of several the one that ended last": {runs: []api.Run{last, run("2", api.IsolateProcess, api.Succeeded, 0)}, st: kept("2"), want: "2"},
		"of several one that ended before":   {runs: []api.Run{last, run("2", api.IsolateProcess, api.Succeeded, 0)}, st: kept("2"), id: "3", gone: true},
		"a run in a session came after":      {runs: []api.Run{inSession, last}, st: st("left"), want: "3"},
		"crashed":                            {runs: []api.Run{run("3", api.IsolateProcess, api.Crashed, 0)}, st: st("left")},
		"interrupted":                        {runs: []api.Run{run("3", api.IsolateProcess, api.Interrupted, 0)}, st: st("left"), gone: true},
		"nothing has run":                    {st: st("waiting")},
		"another Blender's after":            {runs: []api.Run{other, last}, st: st("left"), id: "3", want: "3"},
		"in another Blender":                 {runs: []api.Run{other, last}, st: st("left"), gone: true},
		"there, by its id":                   {runs: []api.Run{other, last}, st: api.Status{Engine: api.EngineStatus{UptimeSeconds: 60}, Processes: []api.ProcessStatus{{Blender: "old", Use: "left"}}}, id: "4", want: "4"},
		"several in several Blenders":        {runs: []api.Run{other, last}, st: both, id: "3", want: "3"},
		"the newest of several Blenders":     {runs: []api.Run{other, last}, st: both, want: "4"},
	} {
		got, err := sceneOf(test.runs, test.st, test.id, now)
		switch {
		case test.want != "" && (err != nil || got.ID != test.want):
			t.Errorf("%s: run %q, %v", name, got.ID, err)
		case test.want == "" && (err == nil || errors.Is(err, api.ErrSceneGone) != test.gone):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARunThatLeavesNoSceneIsNotMadeAgainForIt(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Isolation: api.IsolateScene, Scene: "fresh"})
	if err != nil {
		t.Fatal(err)
	}
	h.call().finish(blender.Succeeded)
	h.ended(r.ID)
	h.submit("y")
	h.call().finish(blender.Succeeded)
	h.ended("2")
	if _, err := h.SaveScene(ctx, api.SceneRequest{Run: r.ID, File: h.path("copy.blend"), Again: true}); !errors.Is(err, api.ErrNoScene) {
		t.Errorf("%v", err)
	}
	if all := h.all(); len(all) != 2 {
		t.Errorf("there are the runs %v", all)
	}
}

func TestNoRunIsMadeAgainForACopyInAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	r := h.submit("x")
	h.call().finish(blender.Succeeded)
	h.ended(r.ID)
	file := filepath.Join(h.path("none"), "copy.blend")
	if _, err := h.SaveScene(ctx, api.SceneRequest{Run: r.ID, File: file, Again: true}); !errors.Is(err, api.ErrBad) {
		t.Errorf("%v", err)
	}
	if all := h.all(); len(all) != 1 {
		t.Errorf("there are the runs %v", all)
	}
}

func TestTheSceneOfASessionIsGoneWhenItHasBegunAnew(t *testing.T) {
	t.Parallel()
	h, b := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	r := h.inSession("chair", "x")
	h.call().finish(blender.Succeeded)
	h.ended(r.ID)
	for what, all := range map[string][]api.Session{
		"begun anew": {{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady, BegunAt: time.Now().Add(time.Minute)}},
		"ended":      nil,
	} {
		b.mu.Lock()
		b.all = all
		b.mu.Unlock()
		if _, err := h.SaveScene(ctx, api.SceneRequest{Run: r.ID, File: h.path("copy.blend"), Again: true}); !errors.Is(err, api.ErrSceneGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if all := h.all(); len(all) != 1 {
		t.Errorf("there are the runs %v", all)
	}
}

// Between the look for the scene and its saving another run may come.
func TestTheSceneOfAnotherRunIsNotSaved(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	r := h.submit("x")
	h.call().finish(blender.Succeeded)
	h.ended(r.ID)
	h.b.mu.Lock()
	h.b.processes = []api.ProcessStatus{{Use: "left", Left: r.ID}}
	h.b.mu.Unlock()
	failed := make(chan error)
	file := filepath.Join(t.TempDir(), "copy.blend")
	save := func() {
		_, err := h.SaveScene(ctx, api.SceneRequest{Run: r.ID, File: file})
		failed <- err
	}
	go save()
	c := h.call()
	if c.req.Left != r.ID || !c.req.Look {
		t.Errorf("it looks at %q: %+v", c.req.Left, c.req)
	}
	c.end <- result{out: blender.Outcome{Verdict: blender.Errored, Error: &api.ScriptError{Type: api.Refused, Message: api.LeftGone + "run 2 came after run 1"}}}
	if err := <-failed; !errors.Is(err, api.ErrSceneGone) {
		t.Errorf("it was saved: %v", err)
	}
	if _, err := h.Retry(ctx, c.req.ID); !errors.Is(err, api.ErrBad) {
		t.Errorf("it is saved again: %v", err)
	}
	// A scene that can't be saved for another reason is there.
	go save()
	h.call().end <- result{out: blender.Outcome{Verdict: blender.Errored, Error: &api.ScriptError{Type: api.Refused, Message: "the request is too large"}}}
	if err := <-failed; !errors.Is(err, api.ErrNoScene) || errors.Is(err, api.ErrSceneGone) {
		t.Errorf("it was refused: %v", err)
	}
}

func TestASceneIsNotSavedByTheNextEngine(t *testing.T) {
	t.Parallel()
	h := open(t)
	s := api.Submission{Code: []byte(saver), Name: saverName, Args: []string{h.path("copy.blend")}, Scene: "keep", Left: "1"}
	if _, err := h.Submit(ctx, s); !errors.Is(err, api.ErrBad) {
		t.Errorf("a client may use the name: %v", err)
	}
	if _, _, err := h.Follow(ctx, s); !errors.Is(err, api.ErrBad) {
		t.Errorf("a client may use the name: %v", err)
	}
	r, _, err := h.Engine.submit(ctx, s, false, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	next := h.again()
	next.serve()
	if got := next.ended(r.ID); got.State != api.Interrupted {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
}

func TestTheLastSceneIsDrawnAsAsked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pre[view]s")
	h := open(t, func(c *Config) { c.PreviewDir = dir })
	h.serve()
	h.b.do = succeed
	if _, err := h.PreviewScene(ctx, api.PreviewRequest{}); !errors.Is(err, api.ErrNoScene) {
		t.Errorf("before the first run: %v", err)
	}
	run := h.ended(h.submit("x = 1").ID)
	h.b.mu.Lock()
	h.b.processes = []api.ProcessStatus{{Use: "left", Left: run.ID}}
	h.b.mu.Unlock()
	for _, wrong := range []api.PreviewRequest{{Engine: "povray"}, {View: "left"}, {Size: 63}, {Size: 4097}, {Size: -1}} {
		if _, err := h.PreviewScene(ctx, wrong); !errors.Is(err, api.ErrBad) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	for want, req := range map[string]api.PreviewRequest{
		"cycles 1280 camera": {}, "eevee 64 top": {Run: run.ID, Engine: "eevee", View: "top", Size: 64},
	} {
		made, err := h.PreviewScene(ctx, req)
		if err != nil || made.Run.ID != run.ID || filepath.Dir(made.File) != dir {
			t.Errorf("%+v: %+v, %v", req, made, err)
			continue
		}
		if text, err := os.ReadFile(made.File); err != nil || string(text) != want {
			t.Errorf("%+v: %q, %v, want %q", req, text, err, want)
		}
	}
	look, err := h.Submit(ctx, api.Submission{Code: []byte("y"), Scene: "keep", Isolation: api.IsolateKeep})
	if err != nil {
		t.Fatal(err)
	}
	h.ended(look.ID)
	if made, err := h.PreviewScene(ctx, api.PreviewRequest{}); err != nil || made.Run.ID != look.ID {
		t.Errorf("after a look: %+v, %v", made, err)
	}
	h.b.mu.Lock()
	for _, id := range h.b.drawn { // what the look has changed is where the isolated run has left it
		if id != run.ID {
			t.Errorf("what run %s left was drawn", id)
		}
	}
	h.b.mu.Unlock()
	if err := h.DeleteRun(ctx, look.ID); err != nil {
		t.Fatal(err)
	}
	if got := h.run(run.ID).Preview; got != "" {
		t.Errorf("they are taken for the preview of the run: %q", got)
	}
	if err := h.DeleteRun(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("of a deleted run %v are left, %v", left, err)
	}
}
