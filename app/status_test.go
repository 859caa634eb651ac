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
		"b.py": {ID: "9", Script: "/srv/b.py", State: api.Running},
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
