package app

import (
	"strings"
	"testing"

	"blendtray/control"
)

func TestAVerdictIsAnExitCodeAndASentence(t *testing.T) {
	t.Parallel()
	trace := &control.ScriptError{Type: "ValueError", Message: "no", Line: 3, Traceback: "Traceback (most recent call last):\nValueError: no\n"}
	for _, x := range []struct {
		run  control.Run
		code int
		want string
	}{
		{control.Run{State: control.Succeeded}, 0, ""},
		{control.Run{State: control.Failed, Error: trace}, 1, "Traceback (most recent call last):\nValueError: no\n"},
		{control.Run{State: control.Failed, Error: &control.ScriptError{Type: "SystemExit", Message: "3"}}, 1, "blendtray: error: a.py ended with sys.exit(3)\n"},
		{control.Run{State: control.TimedOut, TimeLimitSeconds: 2}, 4, "blendtray: error: a.py was over its time limit of 2.00 s\nhint: --timeout gives it more\n"},
		{control.Run{State: control.Crashed, Error: &control.ScriptError{Type: "Crash", Message: "Blender crashed: signal 11", Line: 2}}, 5, "blendtray: error: a.py: Blender crashed: signal 11 (line 2)\nhint: "},
		{control.Run{State: control.Cancelled, Reason: "Blender was stopped"}, 6, "blendtray: error: a.py was cancelled: Blender was stopped\n"},
		{control.Run{ID: "7", State: control.Interrupted}, 3, "blendtray: error: a.py was interrupted\nhint: `blendtray retry 7` repeats it\n"},
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
	for _, r := range []control.Run{
		{State: control.Queued},
		{State: control.Queued, Reason: "Blender is starting"},
		{State: control.Queued, Reason: "Blender is starting"},
		{State: control.Queued},
		{State: control.Running, Reason: "odd"},
	} {
		f.waiting(r)
	}
	if s.err.String() != "blendtray: waiting: Blender is starting\n" {
		t.Errorf("said %q", s.err.String())
	}
}
