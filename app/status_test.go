package app

import (
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestTheStatusSaysWhichRunIsWhere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	began := now.Add(-90 * time.Second)
	for want, r := range map[string]api.Run{
		"a.py (process 4711), for 90.0 s":                           {ID: "7", Script: "/srv/a.py", State: api.Running, PID: 4711, StartedAt: &began},
		"<command line> (session agent-1, Blender old, process 12)": {ID: "8", Script: "<command line>", State: api.Running, Session: "agent-1", Blender: "old", PID: 12},
		"b.py":                                 {ID: "9", Script: "/srv/b.py", State: api.Running},
		"c.py waits for a machine of the farm": {ID: "10", Script: "/farm/c.py", State: api.Running, Blender: "farm"},
		"d.py (on a machine of the farm), for 90.0 s":                   {ID: "11", Script: "/farm/d.py", State: api.Running, Blender: "farm", StartedAt: &began},
		"e.py (on a machine of the farm, with Blender 4.5), for 90.0 s": {ID: "12", Script: "/farm/e.py", State: api.Running, Blender: "farm-4.5", StartedAt: &began},
	} {
		if got := describeRunning(r, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := where(api.Run{State: api.Succeeded, PID: 7, Session: "a"}); got != "" {
		t.Errorf("a run that has ended is%s", got)
	}
}

func TestTheStatusOfAFolderSaysWhatIsSpecialAboutIt(t *testing.T) {
	t.Parallel()
	got := (&env{terminal: &terminal{}}).describeFolder(api.FolderStatus{
		Path: "/srv/scripts", Method: "inotify", Error: "b.py cannot be read", Note: "1 script is a link",
		Waiting: []api.WaitingScript{{Path: "/srv/scripts/a.py", Hint: "it waits until sh (process 7) has closed it"}},
	}, false)
	for _, want := range []string{
		"/srv/scripts (inotify)\n", "\n         b.py cannot be read\n", "\n         1 script is a link\n",
		"waiting /srv/scripts/a.py: it waits until sh (process 7) has closed it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestARunThatNoMachineOfTheFarmHasBegunWaits(t *testing.T) {
	t.Parallel()
	s := newScreen(false)
	e := &env{terminal: s.terminal}
	waits := api.Run{ID: "8", Script: "/farm/far.py", State: api.Running, Blender: "farm", Reason: "it waits for a machine of the farm"}
	if got, want := e.countRuns(api.Status{Running: 3, Queued: 2, Runs: []api.Run{waits, {State: api.Running}}}), "2 running, 2 waiting, 1 waiting for a machine of the farm"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := e.countRuns(api.Status{Running: 1, Runs: []api.Run{{State: api.Running}}}), "1 running, 0 waiting"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.printRuns([]api.Run{waits}, time.Now())
	if got := s.out.String(); !strings.Contains(got, "waiting") || strings.Contains(got, "running") || !strings.Contains(got, "far.py: it waits for a machine of the farm") {
		t.Errorf("the list says\n%s", got)
	}
	if got := showRun(waits, time.Now(), false); !strings.Contains(got, "state     waiting: it waits for a machine of the farm") {
		t.Errorf("the run says\n%s", got)
	}
}
