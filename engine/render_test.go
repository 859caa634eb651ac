package engine

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// attempt is what a Blender of a test does with a render before it dies: the lines that it writes
// into the journal.
func attempt(t *testing.T, req blender.Request, lines string) (blender.Outcome, error) {
	t.Helper()
	if err := os.WriteFile(req.Journal, []byte("begun\n"+lines), 0o600); err != nil {
		t.Error(err)
	}
	return blender.Outcome{Verdict: blender.Crashed, Error: &api.ScriptError{Type: "Crash", Message: "killed"}, FromOutside: true}, nil
}

func frames(t *testing.T, text string) api.Frames {
	t.Helper()
	f, err := api.FramesOf(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (h *house) render(s api.Submission) api.Run {
	h.t.Helper()
	r, err := h.Submit(context.Background(), s)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func TestARenderGoesOnInAnotherBlender(t *testing.T) {
	t.Parallel()
	h := open(t)
	var got []blender.Render
	h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Started(time.Now())
		fmt.Fprint(sinkWriter{sink}, "attempt ", len(got), "\n")
		got = append(got, *req.Render)
		switch len(got) {
		case 1:
			return attempt(t, req, "rendering 1\nrendered 1\nrendering 2\nrendered 2\nrendering 3\n")
		case 2:
			return attempt(t, req, "rendering 3\nrendered 3\nrendering 4\n")
		}
		return blender.Outcome{Verdict: blender.Succeeded}, nil
	}
	h.serve()
	r := h.render(api.Submission{Scene: "/a/shot.blend", Render: &api.Render{Frames: frames(t, "1-5"), Engine: "CYCLES"}})
	if r.Script != "/a/shot.blend" || r.Isolation != api.IsolateProcess || !r.RendersOnly() || r.Render.Engine != "CYCLES" {
		t.Errorf("the run is %+v", r)
	}
	eventually(t, "it has succeeded", func() bool { return h.run(r.ID).State == api.Succeeded })
	if len(got) != 3 {
		t.Fatalf("%d attempts", len(got))
	}
	for i, want := range []struct{ done, begun []int }{{nil, nil}, {[]int{1, 2}, []int{3}}, {[]int{1, 2, 3}, []int{4}}} {
		if !reflect.DeepEqual([][]int{got[i].Done, got[i].Begun}, [][]int{want.done, want.begun}) && (len(want.done) > 0 || len(got[i].Done) > 0) {
			t.Errorf("attempt %d has %v, %v", i, got[i].Done, got[i].Begun)
		}
		if i > 0 && (got[i].Since.IsZero() || !got[i].Since.Equal(got[1].Since)) {
			t.Errorf("attempt %d began %v", i, got[i].Since)
		}
	}
	if out := h.run(r.ID).Output; out != "attempt 0\nattempt 1\nattempt 2\n" {
		t.Errorf("what is kept of the output is %q", out)
	}
}

type sinkWriter struct{ blender.Sink }

func (s sinkWriter) Write(p []byte) (int, error) {
	s.Output(p)
	return len(p), nil
}

func TestAFrameThatEndsEachBlenderEndsItsRender(t *testing.T) {
	t.Parallel()
	h := open(t)
	attempts := 0
	h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Started(time.Now())
		if attempts++; attempts == 1 {
			return attempt(t, req, "rendering 1\nrendered 1\nrendering 2\n")
		}
		return attempt(t, req, "rendering 2\n")
	}
	h.serve()
	r := h.render(api.Submission{Scene: "/a/shot.blend", Render: &api.Render{}})
	eventually(t, "it has crashed", func() bool { return h.run(r.ID).State == api.Crashed })
	if told := h.run(r.ID).Error.Message; attempts != 1+maxStandstill || !strings.Contains(told, "3 Blenders in a row ended before frame 2 was finished") {
		t.Errorf("after %d attempts: %s", attempts, told)
	}
}

func TestOnlyDeathsWithoutAFrameEndARender(t *testing.T) {
	t.Parallel()
	h := open(t)
	j := &job{id: 1, run: api.Run{Render: &api.Render{}, SHA256: hashOf(nil), Scene: "/a/shot.blend", Isolation: api.IsolateProcess}, journal: &journal{}}
	if !j.run.GoesOn() {
		t.Fatal("such a render goes on")
	}
	for i, c := range []struct {
		died bool
		done []int
		want int
	}{{true, nil, 1}, {false, nil, 1}, {false, nil, 1}, {true, nil, 2}, {true, []int{1}, 0}, {false, []int{2}, 0}} {
		j.journal.frames = rendered{Done: c.done}
		h.turn.Lock()
		h.keepFramesLocked(j, c.died)
		h.turn.Unlock()
		if j.rendered.Standstill != c.want {
			t.Errorf("after step %d: %d deaths in a row, want %d", i, j.rendered.Standstill, c.want)
		}
	}
}

func TestAScriptIsNotFollowedByTheRestOfItsFrames(t *testing.T) {
	t.Parallel()
	h := open(t)
	attempts := 0
	h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Started(time.Now())
		attempts++
		return attempt(t, req, "rendering 1\nrendered 1\nrendering 2\n")
	}
	h.serve()
	r := h.render(api.Submission{Code: []byte("pass"), Script: "/a/s.py", Render: &api.Render{Frames: frames(t, "1-9")}})
	eventually(t, "it has crashed", func() bool { return h.run(r.ID).State == api.Crashed })
	if attempts != 1 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestARenderOfASceneThatIsKeptDoesNotGoOn(t *testing.T) {
	t.Parallel()
	for _, session := range []string{"", "chair"} {
		h := open(t)
		attempts := make(chan blender.Request, 9)
		h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
			attempts <- req
			sink.Started(time.Now())
			return attempt(t, req, "rendering 1\nrendered 1\nrendering 2\n")
		}
		h.serve()
		r := h.render(api.Submission{Session: session, Render: &api.Render{Frames: frames(t, "1-9")}})
		eventually(t, "it has crashed", func() bool { return h.run(r.ID).State == api.Crashed })
		req := <-attempts
		if len(attempts) > 0 || req.Session != session || req.Isolation != api.IsolateKeep || req.Render == nil || req.Render.Frames.String() != "1-9" {
			t.Errorf("session %q: the run was sent %d times as %+v", session, 1+len(attempts), req)
		}
	}
}

func TestARenderThatTheEndOfTheEngineCutsOffGoesOnUnlessItsSceneWasKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    api.Submission
		want api.State
	}{
		{api.Submission{Scene: "/a/shot.blend"}, api.Queued},
		{api.Submission{}, api.Interrupted},
		{api.Submission{Session: "chair"}, api.Interrupted},
	} {
		h := open(t).serve()
		c.s.Render = &api.Render{Frames: frames(t, "1-9")}
		r := h.render(c.s)
		h.call().writes(t, "begun\nrendering 1\nrendered 1\nrendering 2")
		next := h.again()
		if got := next.run(r.ID).State; got != c.want {
			t.Errorf("%+v is %s, not %s", c.s, got, c.want)
		}
		if j := next.queue.find(1); c.want == api.Queued && (j.rendered == nil || !reflect.DeepEqual(j.rendered.Done, []int{1})) {
			t.Errorf("of %+v the frames %+v are there", c.s, j.rendered)
		}
	}
}

func TestARenderGoesOnWithTheNextEngine(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.render(api.Submission{Scene: "/a/shot.blend", Render: &api.Render{Frames: frames(t, "1-5")}})
	j := h.queue.find(1)
	if err := h.store.setRunning(j.id, time.Now(), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.journalFile(j.id), []byte("begun\nrendering 1\nrendered 1\nrendering 2\nrende"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := h.again()
	var got blender.Render
	next.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		got = *req.Render
		return succeed(ctx, req, sink)
	}
	next.serve()
	eventually(t, "it has succeeded", func() bool { return next.run(r.ID).State == api.Succeeded })
	if !reflect.DeepEqual(got.Done, []int{1}) || !reflect.DeepEqual(got.Begun, []int{2}) || got.Frames.String() != "1-5" {
		t.Errorf("it goes on with %+v", got)
	}
	again, err := next.Retry(context.Background(), r.ID)
	if err != nil || !reflect.DeepEqual(again.Render, r.Render) || again.Script != r.Script {
		t.Errorf("its retry is %+v, %v", again, err)
	}
	eventually(t, "the retry has succeeded", func() bool { return next.run(again.ID).State == api.Succeeded })
	if len(got.Done) != 0 {
		t.Errorf("a retry leaves out %v", got.Done)
	}
}

func TestARenderGoesOnWhenItsEngineWasStopped(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	r := h.render(api.Submission{Scene: "/a/shot.blend", Render: &api.Render{}})
	c := <-h.b.calls
	if err := os.WriteFile(c.req.Journal, []byte("begun\nrendering 1\nrendered 1\nrendering 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := h.again()
	if waits := next.run(r.ID); waits.State != api.Queued {
		t.Fatalf("after the stop it is %s: %s", waits.State, waits.Reason)
	}
	next.serve()
	c = <-next.b.calls
	if got := c.req.Render; !reflect.DeepEqual(got.Done, []int{1}) || !reflect.DeepEqual(got.Begun, []int{2}) {
		t.Errorf("it goes on with %+v", got)
	}
	c.finish(blender.Succeeded)
	eventually(t, "it has succeeded", func() bool { return next.run(r.ID).State == api.Succeeded })
}

func TestACancelledRenderDoesNotGoOn(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	r := h.render(api.Submission{Scene: "/a/shot.blend", Render: &api.Render{}})
	c := <-h.b.calls
	if err := os.WriteFile(c.req.Journal, []byte("begun\nrendering 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Cancel(context.Background(), r.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is cancelled", func() bool { return h.run(r.ID).State == api.Cancelled })
}

func TestARenderHasNoTimeLimitUnlessOneIsGiven(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.Timeout = api.Duration(time.Minute) })
	for _, c := range []struct {
		s    api.Submission
		want float64
	}{
		{api.Submission{Scene: "/a.blend", Render: &api.Render{}}, 0},
		{api.Submission{Scene: "/a.blend", Render: &api.Render{}, TimeLimitSeconds: 9}, 9},
		{api.Submission{Code: []byte("pass"), Render: &api.Render{}}, 60},
	} {
		if r := h.render(c.s); r.TimeLimitSeconds != c.want {
			t.Errorf("%+v has %v s", c.s, r.TimeLimitSeconds)
		}
	}
}

func TestARenderThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	for text, s := range map[string]api.Submission{
		"leave one of attach and render out": {Attach: true, Render: &api.Render{}},
		"no name of a format":                {Scene: "/a.blend", Render: &api.Render{Format: "PNG!"}},
		"no name of a render engine":         {Scene: "/a.blend", Render: &api.Render{Engine: "Cycles!"}},
		"neither an absolute path":           {Scene: "/a.blend", Render: &api.Render{Output: "out/p_"}},
		"render.output: holds a NUL":         {Scene: "/a.blend", Render: &api.Render{Output: "/\x00"}},
		"there is nothing to run":            {Scene: "/a.blend"},
	} {
		if r, err := h.Submit(context.Background(), s); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	first := h.render(api.Submission{Scene: "/a.blend", Render: &api.Render{}, Key: "k"})
	if again := h.render(api.Submission{Scene: "/a.blend", Render: &api.Render{}, Key: "k"}); again.ID != first.ID {
		t.Error("a key makes a second run")
	}
	if _, err := h.Submit(context.Background(), api.Submission{Scene: "/a.blend", Render: &api.Render{Engine: "CYCLES"}, Key: "k"}); err == nil {
		t.Error("a key stands for two renders")
	}
}

func TestTheSavesOfAFolderHaveItsArgumentsAndFrames(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		c.Folders[0].Args, c.Folders[0].Frames = []string{"--size", "3"}, frames(t, "1-3")
	})
	h.serve()
	h.w.save(h.path("s.py"), "pass")
	c := <-h.b.calls
	if !reflect.DeepEqual(c.req.Args, []string{"--size", "3"}) || c.req.Render == nil || c.req.Render.Frames.String() != "1-3" {
		t.Errorf("the run has %v and %+v", c.req.Args, c.req.Render)
	}
	c.finish(blender.Succeeded)
}
