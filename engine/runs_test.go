package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

var ctx = context.Background()

func TestARunGoesThroughItsLifeAndIsWrittenDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = func(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		if got := h.inDatabase(req.ID); got != api.Running {
			t.Errorf("when the run is sent the database says %q", got)
		}
		sink.Started(time.Now())
		sink.Output([]byte("hello\n"))
		return blender.Outcome{
			Verdict: blender.Errored, Version: "3.4.1", Result: json.RawMessage(`{"a":[1,2]}`),
			Outputs: []string{"/tmp/a.png"},
			Error:   &api.ScriptError{Type: "ValueError", Message: "no", Line: 3, Traceback: "Traceback …"},
		}, nil
	}
	sub := h.Subscribe(SubscribeOptions{Output: true})
	defer sub.Close()
	r, err := h.Submit(ctx, api.Submission{
		Code: []byte("x = 1"), Script: "/abs/a.py", Args: []string{"-n", "ü"}, TimeLimitSeconds: 2.5,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "1" || r.State != api.Queued || r.Scene != "fresh" || r.Source != api.FromCommand || r.TimeLimitSeconds != 2.5 {
		t.Errorf("submitted: %+v", r)
	}
	h.serve()
	var seen []string
	await(t, sub, "end", func(ev api.Event) bool {
		switch ev.Kind {
		case api.KindRun:
			seen = append(seen, string(ev.Run.State))
			return ev.Run.State.Final()
		case api.KindOutput:
			seen = append(seen, ev.ID+":"+ev.Text)
		}
		return false
	})
	if want := []string{"queued", "running", "1:hello\n", "failed"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("events: %q, want %q", seen, want)
	}
	want := h.run("1")
	if want.Output != "hello\n" || want.OutputBytes != 6 || want.Error.Line != 3 || string(want.Result) != `{"a":[1,2]}` ||
		want.StartedAt == nil || want.FinishedAt == nil || want.Seconds <= 0 || want.BlenderVersion != "3.4.1" || want.Progress != nil {
		t.Errorf("ended: %+v", want)
	}
	if got := h.again().run("1"); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart:\n%+v\nwant\n%+v", got, want)
	}
}

// inDatabase is the state of a run as another process would read it.
func (h *house) inDatabase(id string) api.State {
	n, _ := parseID(id)
	j, err := h.store.get(ctx, n)
	if err != nil {
		h.t.Error(err)
		return ""
	}
	return j.run.State
}

func TestRunsAreDoneInTheOrderTheyCame(t *testing.T) {
	t.Parallel()
	h := open(t)
	var got []string
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		got = append(got, string(req.Code))
		return succeed(ctx, req, sink)
	}
	var last api.Run
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint(i))
		last = h.submit(fmt.Sprint(i))
	}
	h.serve()
	h.ended(last.ID)
	if !slices.Equal(got, want) {
		t.Errorf("order %v", got)
	}
}

func TestTwoHundredSubmittersAtOnceAreAllServed(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.serve()
	ids := make(chan string, 200)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			r, err := h.Submit(ctx, api.Submission{Code: []byte("x")})
			if err != nil {
				t.Error(err)
				return
			}
			ids <- r.ID
		})
	}
	all.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		if seen[id] {
			t.Errorf("id %s was given twice", id)
		}
		seen[id] = true
		if r := h.ended(id); r.State != api.Succeeded {
			t.Errorf("run %s has %s", id, r.State)
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d runs", len(seen))
	}
}

func TestASubmissionThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	long := strings.Repeat("x", maxPath)
	for name, c := range map[string]struct {
		sub  api.Submission
		want error
	}{
		"nothing":          {api.Submission{}, api.ErrBad},
		"relative script":  {api.Submission{Code: []byte("x"), Script: "a.py"}, api.ErrBad},
		"relative dir":     {api.Submission{Code: []byte("x"), Dir: "tmp"}, api.ErrBad},
		"scene":            {api.Submission{Code: []byte("x"), Scene: "old"}, api.ErrBad},
		"relative scene":   {api.Submission{Code: []byte("x"), Scene: "a.blend"}, api.ErrBad},
		"long script":      {api.Submission{Code: []byte("x"), Script: "/" + long}, api.ErrBad},
		"long name":        {api.Submission{Code: []byte("x"), Name: long + "x"}, api.ErrBad},
		"long dir":         {api.Submission{Code: []byte("x"), Dir: "/" + long}, api.ErrBad},
		"long scene":       {api.Submission{Code: []byte("x"), Scene: "/" + long + ".blend"}, api.ErrBad},
		"NUL in a scene":   {api.Submission{Code: []byte("x"), Scene: "/a\x00.blend"}, api.ErrBad},
		"long arguments":   {api.Submission{Code: []byte("x"), Args: []string{strings.Repeat("x", maxArgs), "x"}}, api.ErrBad},
		"many arguments":   {api.Submission{Code: []byte("x"), Args: make([]string, maxArgCount+1)}, api.ErrBad},
		"NUL in one":       {api.Submission{Code: []byte("x"), Args: []string{"a", "\x00"}}, api.ErrBad},
		"session":          {api.Submission{Code: []byte("x"), Session: "a b"}, api.ErrBad},
		"long session":     {api.Submission{Code: []byte("x"), Session: strings.Repeat("x", api.MaxSession+1)}, api.ErrBad},
		"isolated, in one": {api.Submission{Code: []byte("x"), Session: "a", Isolation: api.IsolateProcess}, api.ErrBad},
		"a scene, in one":  {api.Submission{Code: []byte("x"), Session: "a", Scene: "fresh"}, api.ErrBad},
		"attached, in one": {api.Submission{Code: []byte("x"), Session: "a", Attach: true}, api.ErrBad},
		"kept, made anew":  {api.Submission{Code: []byte("x"), Scene: "fresh", Isolation: api.IsolateKeep}, api.ErrBad},
		"isolated, open":   {api.Submission{Code: []byte("x"), Attach: true, Isolation: api.IsolateProcess}, api.ErrBad},
		"isolated, kept":   {api.Submission{Code: []byte("x"), Scene: "keep", Isolation: api.IsolateScene}, api.ErrBad},
		"too nice":         {api.Submission{Code: []byte("x"), Limits: api.Limits{Nice: 20}}, api.ErrBad},
		"too large":        {api.Submission{Code: make([]byte, api.MaxCode+1)}, api.ErrTooLarge},
	} {
		if _, err := h.Submit(ctx, c.sub); !errors.Is(err, c.want) || len(err.Error()) > 300 {
			t.Errorf("%s: %v, want %v in few words", name, err, c.want)
		}
	}
	if all := h.all(); len(all) != 0 {
		t.Errorf("runs: %v", all)
	}
}

func TestTheSceneOfASubmissionFollowsFromTheRest(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, c := range map[string]struct {
		sub  api.Submission
		want string
	}{
		"code":                 {api.Submission{}, "keep"},
		"a script":             {api.Submission{Script: "/a.py"}, "fresh"},
		"code of its own":      {api.Submission{Isolation: api.IsolateProcess}, "fresh"},
		"code, the scene anew": {api.Submission{Isolation: api.IsolateScene}, "fresh"},
		"code that goes on":    {api.Submission{Isolation: api.IsolateKeep}, "keep"},
		"a session":            {api.Submission{Session: "a"}, "keep"},
		"a scene":              {api.Submission{Scene: "/a.blend", Isolation: api.IsolateScene}, "/a.blend"},
	} {
		c.sub.Code = []byte("x")
		if r, err := h.Submit(ctx, c.sub); err != nil || r.Scene != c.want {
			t.Errorf("%s: the scene %q, %v; want %q", name, r.Scene, err, c.want)
		}
	}
}

func TestARunInASessionKeepsItsSession(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := api.Submission{Code: []byte("x"), Script: "/abs/a.py", Session: "agent-1", Key: "once"}
	r, err := h.Submit(ctx, sub)
	if err != nil {
		t.Fatal(err)
	}
	c := h.call()
	if q := c.req; q.Session != "agent-1" || q.Isolation != api.IsolateKeep || q.Scene != "keep" || q.Look {
		t.Errorf("Blender is given %+v", q)
	}
	c.finish(blender.Succeeded)
	if h.ended(r.ID).Session != "agent-1" {
		t.Errorf("it has ended as %+v", h.run(r.ID))
	}
	again, err := h.Retry(ctx, r.ID)
	if err != nil || again.Session != "agent-1" {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	sub.Session = "agent-2"
	if _, err := h.Submit(ctx, sub); !errors.Is(err, api.ErrBad) {
		t.Errorf("the same key in another session: %v", err)
	}
	h.call().finish(blender.Succeeded)
	h.ended(again.ID)
	if r := h.again().run(r.ID); r.Session != "agent-1" {
		t.Errorf("after a restart: %+v", r)
	}
}

func TestTimeLimitsComeFromSubmissionOrDefault(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.Timeout = api.Duration(time.Minute) }).serve()
	for given, want := range map[float64]time.Duration{0: time.Minute, -1: 0, 0.25: 250 * time.Millisecond} {
		if _, err := h.Submit(ctx, api.Submission{Code: []byte("x"), TimeLimitSeconds: given}); err != nil {
			t.Fatal(err)
		}
		c := h.call()
		if c.req.TimeLimit != want {
			t.Errorf("%v: limit %v, want %v", given, c.req.TimeLimit, want)
		}
		c.finish(blender.Succeeded)
	}
}

func TestARunThatWaitsSaysWhatBlenderDoes(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("first")
	h.call()
	h.submit("second")
	for _, c := range []struct {
		state        api.BlenderState
		source       string
		reason, want string
	}{
		{api.BlenderReady, "", "", ""},
		{api.BlenderStarting, "", "it ended and is started again", "Blender is starting"},
		{api.BlenderStopping, "", "it has done 5 runs", "Blender is stopping"},
		{api.BlenderStopped, "", "not started yet", "Blender is starting"},
		{api.BlenderStarting, api.SourceOpen, "no Blender is open\nand more", "no Blender is open"},
		{api.BlenderFailed, "", "no Python\nin it", "Blender has failed (no Python): `blendtray doctor` looks for the cause; mend that, and start it again with `blendtray start` to go on"},
	} {
		h.b.mu.Lock()
		h.b.status.Source = c.source
		h.b.mu.Unlock()
		h.b.set(c.state, c.reason)
		if r := h.run("2"); r.State != api.Queued || r.Reason != c.want {
			t.Errorf("%s (%s): %s, %q, want %q", c.state, c.reason, r.State, r.Reason, c.want)
		}
	}
}

func TestABlenderThatHasFailedStartsWithOtherSettings(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("first")
	h.call().finish(blender.Succeeded) // its worker has begun, and starts it no more by itself
	h.ended("1")
	h.b.set(api.BlenderFailed, "there is no such file")
	h.submit("x")
	same := []api.BlenderSpec{{Name: api.DefaultBlender}}
	if err := h.SetBlenders(same); err != nil {
		t.Fatal(err)
	}
	if st := h.Status().Blenders[0]; st.State != api.BlenderFailed {
		t.Errorf("with the same settings it is %s", st.State)
	}
	other := []api.BlenderSpec{{Name: api.DefaultBlender, BlenderSettings: api.BlenderSettings{Path: "/usr/bin/blender"}}}
	if err := h.SetBlenders(other); err != nil {
		t.Fatal(err)
	}
	h.call().finish(blender.Succeeded)
}

// A run has the limits of its submission or its folder, where these say nothing those of the
// settings, and keeps them when it is repeated and over an engine's restart.
func TestLimitsComeFromSubmissionFolderOrDefault(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		c.Runs.MaxMemory, c.Runs.Nice, c.Runs.MaxProcesses, c.Runs.Leftover = 4e9, 5, 50, api.LeftoverRun
		c.Folders[0].Nice, c.Folders[0].Leftover = 7, api.LeftoverBlender
	})
	submit := func(s api.Submission) {
		t.Helper()
		s.Code = []byte("x")
		if _, err := h.Submit(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	submit(api.Submission{})
	submit(api.Submission{Leftover: api.LeftoverBlender, Limits: api.Limits{MaxMemory: -1, Nice: 3, MaxProcesses: -1}})
	h = h.again().serve()
	h.w.save(h.path("a.py"), "x")
	check := func(what string, leftover blender.Leftover, limits blender.Limits) {
		t.Helper()
		c := h.call()
		if c.req.Leftover != leftover || c.req.Limits != limits {
			t.Errorf("%s: %q, %+v, want %q, %+v", what, c.req.Leftover, c.req.Limits, leftover, limits)
		}
		c.finish(blender.Succeeded)
		h.ended(c.req.ID)
	}
	check("nothing is chosen", blender.LeftoverRun, blender.Limits{Memory: 4e9, Nice: 5, Processes: 50})
	check("a folder", blender.LeftoverBlender, blender.Limits{Memory: 4e9, Nice: 7, Processes: 50})
	check("a submission", blender.LeftoverBlender, blender.Limits{Nice: 3})
	if _, err := h.Retry(ctx, "2"); err != nil {
		t.Fatal(err)
	}
	check("a repeated run", blender.LeftoverBlender, blender.Limits{Nice: 3})
	if r := h.ended("4"); r.Limits != (api.Limits{Nice: 3}) || r.Leftover != api.LeftoverBlender {
		t.Errorf("the run says %v, %+v", r.Leftover, r.Limits)
	}
}

func TestWhereASceneIsOpenItIsKept(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.b.do = succeed
	submit := func() string {
		r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Scene: "fresh"})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	scene := func(what, id, want string) {
		t.Helper()
		if r := h.ended(id); r.Scene != want {
			t.Errorf("%s has the scene %s, want %s", what, r.Scene, want)
		}
	}
	before := submit()
	scene("a run", before, "fresh")
	open := api.BlenderSettings{Attach: true}
	if err := h.SetBlenders([]api.BlenderSpec{{Name: api.DefaultBlender, BlenderSettings: open}}); err != nil {
		t.Fatal(err)
	}
	scene("a later run", submit(), "keep")
	again, err := h.Retry(ctx, before)
	if err != nil {
		t.Fatal(err)
	}
	scene("a repeated run", again.ID, "keep")
	h.w.save(h.path("a.py"), "x")
	scene("a save", "4", "keep")
	if err := h.SetBlenders([]api.BlenderSpec{{Name: api.DefaultBlender}}); err != nil {
		t.Fatal(err)
	}
	scene("one after that", submit(), "fresh")
}

func TestAWaitingRunIsCancelledAtOnceAndNeverSent(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("1")
	first := h.call()
	h.submit("2")
	h.submit("3")
	r, err := h.Cancel(ctx, "2")
	if err != nil || r.State != api.Cancelled || r.Reason == "" {
		t.Errorf("cancel: %+v, %v", r, err)
	}
	if st := h.inDatabase("2"); st != api.Cancelled {
		t.Errorf("in the database: %s", st)
	}
	first.finish(blender.Succeeded)
	if c := h.call(); c.req.ID != "3" {
		t.Errorf("run %s was sent", c.req.ID)
	}
}

func TestARunningRunIsCancelledThroughBlender(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("while True: pass")
	h.call()
	r, err := h.Cancel(ctx, "1")
	if err != nil || r.State != api.Running {
		t.Errorf("cancel: %+v, %v", r, err)
	}
	if r := h.ended("1"); r.State != api.Cancelled || r.Reason != "cancelled on request" {
		t.Errorf("ended: %s %q", r.State, r.Reason)
	}
	if _, err := h.Cancel(ctx, "1"); !errors.Is(err, api.ErrEnded) {
		t.Errorf("second cancel: %v", err)
	}
}

func TestOnlyAnExactIDNamesARun(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.submit("x")
	for _, id := range []string{"", "0", "-1", "01", "+1", "1 ", "2", "x", "99999999999999999999"} {
		if _, err := h.Run(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Run(%q): %v", id, err)
		}
		if _, err := h.Cancel(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Cancel(%q): %v", id, err)
		}
		if _, err := h.Retry(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Retry(%q): %v", id, err)
		}
		if _, err := h.Code(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("Code(%q): %v", id, err)
		}
	}
}

func TestARetryRepeatsTheSameBytes(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	code := []byte("# -*- coding: latin-1 -*-\nx = '\xe4'\n")
	if _, err := h.Submit(ctx, api.Submission{Code: code, Script: "/a/b.py", Args: []string{"1"}, Scene: "/a/s.blend", TimeLimitSeconds: 9}); err != nil {
		t.Fatal(err)
	}
	first := h.call()
	if _, err := h.Retry(ctx, "1"); !errors.Is(err, api.ErrNotEnded) {
		t.Errorf("retry of a running run: %v", err)
	}
	first.finish(blender.Errored)
	h.ended("1")
	r, err := h.Retry(ctx, "1")
	if err != nil || r.RetryOf != "1" || r.Source != api.FromRetry || r.ID != "2" {
		t.Errorf("retry: %+v, %v", r, err)
	}
	second := h.call()
	first.req.ID, first.req.Journal = second.req.ID, second.req.Journal
	if !reflect.DeepEqual(first.req, second.req) {
		t.Errorf("asked for %+v, then %+v", first.req, second.req)
	}
	if got, err := h.Code(ctx, "2"); err != nil || string(got) != string(code) {
		t.Errorf("code: %q, %v", got, err)
	}
	second.finish(blender.Succeeded)
}

func TestALargeQueueKeepsItsSourceInTheDatabase(t *testing.T) {
	t.Parallel()
	h := open(t)
	big := strings.Repeat("# padding\n", 500_000) // 5 MB
	for i := range 5 {
		h.submit(big + fmt.Sprint(i))
	}
	if h.queue.code > keptCode {
		t.Errorf("%d bytes of source in memory", h.queue.code)
	}
	h.serve()
	for i := range 5 {
		c := h.call()
		if string(c.req.Code) != big+fmt.Sprint(i) {
			t.Errorf("run %d got other bytes", i)
		}
		c.finish(blender.Succeeded)
	}
	h.ended("5")
	if h.queue.code != 0 {
		t.Errorf("%d bytes of source are counted in an empty queue", h.queue.code)
	}
}

func TestARunThatBlenderDidNotTakeIsAskedAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	var asked []string
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		asked = append(asked, req.ID)
		if req.ID == "1" && len(asked) <= 2 {
			return blender.Outcome{}, fmt.Errorf("connection lost: %w", blender.ErrNotStarted)
		}
		if req.ID == "2" {
			return blender.Outcome{}, blender.ErrNotStarted
		}
		return succeed(ctx, req, sink)
	}
	h.submit("1")
	h.submit("2")
	h.submit("3")
	h.serve()
	if r := h.ended("1"); r.State != api.Succeeded {
		t.Errorf("1 has %s", r.State)
	}
	if r := h.ended("2"); r.State != api.Crashed || r.Error == nil || !strings.Contains(r.Error.Message, "several attempts") || r.StartedAt != nil {
		t.Errorf("2: %+v %+v", r, r.Error)
	}
	h.ended("3")
	if want := []string{"1", "1", "1", "2", "2", "2", "3"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

func TestStoppingBlenderCancelsTheRunningAndKeepsTheQueued(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("1")
	h.call()
	h.submit("2")
	h.submit("3")
	if err := h.StopBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if r := h.run("1"); r.State != api.Cancelled || r.Reason != "Blender was stopped" {
		t.Errorf("1: %s %q", r.State, r.Reason)
	}
	if st := h.Status(); st.Queued != 2 || st.Running != 0 || st.Blenders[0].State != api.BlenderStopped {
		t.Errorf("status: %+v", st)
	}
	if r := h.run("2"); r.State != api.Queued || !strings.Contains(r.Reason, "stopped") {
		t.Errorf("2: %s %q", r.State, r.Reason)
	}
	if len(h.b.calls) != 0 {
		t.Error("a run was sent to a stopped Blender")
	}
	if err := h.StartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	c := h.call()
	if c.req.ID != "2" {
		t.Errorf("run %s was sent", c.req.ID)
	}
	if err := h.RestartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if r := h.run("2"); r.State != api.Cancelled || r.Reason != "Blender was restarted" {
		t.Errorf("2: %s %q", r.State, r.Reason)
	}
	if c := h.call(); c.req.ID != "3" {
		t.Errorf("run %s was sent", c.req.ID)
	}
}

func TestARunThatWaitsWhileBlenderIsStartedAnewSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	told := make(chan api.Run, 1)
	h.b.mu.Lock()
	h.b.restarting = func() {
		h.b.set(api.BlenderStarting, "")
		told <- h.run(h.submit("x").ID)
	}
	h.b.mu.Unlock()
	if err := h.RestartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if r := <-told; r.State != api.Queued || r.Reason != "Blender is starting" {
		t.Errorf("%s %q", r.State, r.Reason)
	}
	h.call().finish(blender.Succeeded)
}

func TestAFailedBlenderLeavesRunsQueuedAndSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("1")
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h.b.set(api.BlenderFailed, "crashed five times within a minute\nlast lines")
	r := h.submit("2")
	if r.State != api.Queued || !strings.Contains(r.Reason, "crashed five times") || strings.Contains(r.Reason, "last lines") {
		t.Errorf("2: %s %q", r.State, r.Reason)
	}
	if err := h.StartBlender(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if c := h.call(); c.req.ID != "2" {
		t.Errorf("run %s was sent", c.req.ID)
	}
	if r := h.run("2"); r.Reason != "" {
		t.Errorf("a running run has the reason %q", r.Reason)
	}
}

func TestEndingTheEngineEndsWhatRunsAndKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("1")
	h.call()
	h.submit("2")
	h.stop()
	await(t, sub, "end of the run", func(ev api.Event) bool {
		return ev.Kind == api.KindRun && ev.Run.ID == "1" && ev.Run.State == api.Interrupted && strings.Contains(ev.Run.Reason, "had not ended 1ms later")
	})
	for range sub.Events() { // ends
	}
	if st := h.b.Status().State; st != api.BlenderStopped {
		t.Errorf("Blender is %s", st)
	}
	if _, err := h.Submit(ctx, api.Submission{Code: []byte("x")}); !errors.Is(err, api.ErrStopping) {
		t.Errorf("submit: %v", err)
	}
	if _, err := h.Runs(ctx, api.Filter{}); !errors.Is(err, api.ErrStopping) {
		t.Errorf("runs: %v", err)
	}
	if _, err := h.Cancel(ctx, "2"); !errors.Is(err, api.ErrStopping) {
		t.Errorf("cancel: %v", err)
	}
	h = h.again()
	if got, want := h.all(), []string{"1 <message> interrupted", "2 <message> queued"}; !slices.Equal(got, want) {
		t.Errorf("afterwards: %v, want %v", got, want)
	}
	h.serve()
	if c := h.call(); c.req.ID != "2" || string(c.req.Code) != "2" {
		t.Errorf("sent: %+v", c.req)
	}
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		out, err := succeed(ctx, req, sink)
		if string(req.Code) == "bad" {
			out.Verdict = blender.Errored
		}
		return out, err
	}
	for i := range 30 {
		code := "good"
		if i%10 == 0 {
			code = "bad"
		}
		if _, err := h.Submit(ctx, api.Submission{Code: []byte(code), Script: filepath.Join("/p", fmt.Sprintf("Ärger_%02d.py", i))}); err != nil {
			t.Fatal(err)
		}
	}
	h.serve()
	h.ended("30")
	for name, c := range map[string]struct {
		f    api.Filter
		want []string
	}{
		"some":       {api.Filter{Limit: 3}, []string{"30", "29", "28"}},
		"before":     {api.Filter{Limit: 2, Before: "5"}, []string{"4", "3"}},
		"state":      {api.Filter{States: []api.State{api.Failed, api.Crashed}}, []string{"21", "11", "1"}},
		"name":       {api.Filter{Name: "ÄRGER_07"}, []string{"8"}},
		"wildcards":  {api.Filter{Name: "%"}, []string{}},
		"both":       {api.Filter{Name: "_1", States: []api.State{api.Failed}}, []string{"11"}},
		"no unknown": {api.Filter{States: []api.State{"odd"}}, []string{}},
	} {
		runs, err := h.Runs(ctx, c.f)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, r := range runs {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if runs, _ := h.Runs(ctx, api.Filter{}); len(runs) != 20 {
		t.Errorf("without a limit: %d", len(runs))
	}
	if _, err := h.Runs(ctx, api.Filter{Before: "x"}); !errors.Is(err, api.ErrBad) {
		t.Errorf("before x: %v", err)
	}
}

func TestARunInJSONHasTheAgreedFields(t *testing.T) {
	t.Parallel()
	h := open(t)
	b, err := json.Marshal(h.submit("x"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{
		"id", "script", "sha256", "scene", "args", "state", "queued_at", "started_at", "finished_at",
		"seconds", "output", "error", "result", "outputs", "blender_version", "blender", "client", "origin", "key", "isolation", "exit_code",
	} {
		if _, ok := m[f]; !ok {
			t.Errorf("no field %s", f)
		}
	}
	if !strings.Contains(string(b), `"args":[]`) || !strings.Contains(string(b), `"outputs":[]`) || m["result"] != nil || m["started_at"] != nil {
		t.Errorf("%s", b)
	}
	b, err = json.Marshal(h.Status())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"engine":{"pid":`, `"version":"test"`, `"uptime_seconds":`, `"blenders":[{"name":"default","kind":"own","state":"stopped"`, `"folders":[]`, `"queued":1`, `"running":0`, `"watching_paused":false`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("status has no %s: %s", part, b)
		}
	}
}
