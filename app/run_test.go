package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/control"
)

func TestAVerdictIsAnExitCodeAndASentence(t *testing.T) {
	t.Parallel()
	trace := &api.ScriptError{Type: "ValueError", Message: "no", Line: 3, Traceback: "Traceback (most recent call last):\nValueError: no\n"}
	for _, x := range []struct {
		run  api.Run
		code int
		want string
	}{
		{api.Run{State: api.Succeeded}, 0, ""},
		{api.Run{State: api.Failed, Error: trace}, 1, "Traceback (most recent call last):\nValueError: no\n"},
		{api.Run{State: api.Failed, Error: &api.ScriptError{Type: "SystemExit", Message: "3"}}, 1, "blendtray: error: a.py ended with sys.exit(3)\n"},
		{api.Run{State: api.TimedOut, TimeLimitSeconds: 2}, 4, "blendtray: error: a.py was over its time limit of 2.00 s\nhint: --timeout sets another limit\n"},
		{api.Run{State: api.Crashed, Error: &api.ScriptError{Type: "Crash", Message: "Blender crashed: signal 11", Line: 2}}, 5, "blendtray: error: a.py: Blender crashed: signal 11 (line 2)\nhint: "},
		{api.Run{State: api.Cancelled, Reason: "Blender was stopped"}, 6, "blendtray: error: a.py was cancelled: Blender was stopped\n"},
		{api.Run{ID: "7", State: api.Interrupted}, 3, "blendtray: error: a.py was interrupted\nhint: `blendtray retry 7` repeats it\n"},
	} {
		s := newScreen(false)
		e := &env{terminal: s.terminal}
		x.run.Script = "/x/a.py"
		code := e.exit(e.verdict(x.run))
		if code != x.code || !strings.HasPrefix(s.err.String(), x.want) || s.out.Len() > 0 {
			t.Errorf("%s: exit code %d and %q, want %d and %q", x.run.State, code, s.err.String(), x.code, x.want)
		}
		quiet := newScreen(false)
		if code := quiet.exit(exitAs(x.run.State)); code != x.code || quiet.err.Len() > 0 {
			t.Errorf("%s as JSON: exit code %d and %q", x.run.State, code, quiet.err.String())
		}
	}
}

func TestWhatARunWaitsForIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := newScreen(false)
	f := &follower{env: &env{terminal: s.terminal}}
	for _, r := range []api.Run{
		{State: api.Queued},
		{State: api.Queued, Reason: "Blender is starting"},
		{State: api.Queued, Reason: "Blender is starting"},
		{State: api.Queued},
		{State: api.Running, Reason: "odd"},
	} {
		f.waiting(r)
	}
	if s.err.String() != "blendtray: waiting: Blender is starting\n" {
		t.Errorf("said %q", s.err.String())
	}
}

func TestAQuietRunSaysOnlyWhatAPersonHasToDo(t *testing.T) {
	t.Parallel()
	s := newScreen(false)
	f := &follower{env: &env{terminal: s.terminal}, quiet: true}
	for _, r := range []api.Run{
		{State: api.Queued, Reason: "Blender is starting"},
		{State: api.Queued, Reason: "Blender is stopped: start it to go on"},
		{State: api.Queued, Reason: "Blender is stopped: start it to go on"},
		{State: api.Running},
	} {
		f.waiting(r)
	}
	if s.err.String() != "blendtray: waiting: Blender is stopped: start it to go on\n" || s.out.Len() > 0 {
		t.Errorf("said %q", s.err.String())
	}
}

func TestOfManyFilesTheFirstAndTheLastAreShown(t *testing.T) {
	t.Parallel()
	var run api.Run
	for i := 1; i <= 30; i++ {
		run.Outputs = append(run.Outputs, fmt.Sprintf("/p%d.png", i))
		lines := someOutputs(run)
		if len(lines) != min(i, maxOutputsShown) || lines[0] != "/p1.png" || lines[len(lines)-1] != fmt.Sprintf("/p%d.png", i) {
			t.Errorf("of %d files: %q", i, lines)
		}
	}
	if lines := someOutputs(run); lines[10] != "(19 more)" || lines[9] != "/p10.png" {
		t.Errorf("of 30 files: %q", lines)
	}
}

func TestAnOutputPatternIsRelativeToTheCaller(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"": "", "//out/p_": "//out/p_", "p_####": "/here/p_####", "out/": "/here/out/",
	} {
		want = filepath.FromSlash(want)
		if strings.HasPrefix(pattern, "//") {
			want = pattern
		}
		if got := outputPattern(pattern, filepath.FromSlash("/here")); got != want && filepath.ToSlash(got) != filepath.ToSlash(want) {
			t.Errorf("%q is %q, not %q", pattern, got, want)
		}
	}
}

func TestTheHintOfALostEngineMakesNoSecondRun(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		run  api.Run
		want string
	}{
		{
			api.Run{ID: "7", State: api.Queued},
			"blendtray: error: the engine went away before run 7 began\nhint: the run begins by itself when the engine starts again, as `blendtray serve` starts it\n",
		},
		{
			api.Run{ID: "7", State: api.Running},
			"blendtray: error: the engine went away during run 7\nhint: start it again with `blendtray serve`; `blendtray runs show 7` then says what became of the run, and `blendtray retry 7` repeats it if the engine has not\n",
		},
	} {
		s := newScreen(false)
		f := &follower{env: &env{terminal: s.terminal}}
		code := f.exit(f.lost(x.run, control.ErrLost))
		if code != 3 || s.err.String() != x.want {
			t.Errorf("%s: exit code %d and %q, want %q", x.run.State, code, s.err.String(), x.want)
		}
	}
}
