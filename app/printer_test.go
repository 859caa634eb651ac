package app

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestServeSaysWhatHappensALineAnEvent(t *testing.T) {
	t.Parallel()
	s := newScreen(false)
	stopped := false
	p := &printer{
		env: &env{terminal: s.terminal}, stopAfter: 1, stop: func() { stopped = true },
		warned: func(text string) bool { return text == "a warning" },
		status: func() api.Status {
			return api.Status{Folders: []api.FolderStatus{{Path: "/w", Method: "inotify"}}}
		},
	}
	at := time.Now()
	run := api.Run{ID: "r1", Script: "/w/sub/a.py", Folder: "/w", State: api.Queued}
	started := run
	started.State, started.StartedAt = api.Running, &at
	failed := started
	failed.State, failed.Seconds = api.Failed, 0.42
	failed.Error = &api.ScriptError{Type: "ValueError", Message: "no\x1b", Line: 3}
	failed.Outputs = []string{"/w/a\n.png"}
	events := make(chan api.Event, 20)
	for _, ev := range []api.Event{
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderStarting}},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderStarting, Path: "/b"}},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderStarting, Path: "/b", PID: 7}},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderReady, Version: "3.4.1", PID: 7, Port: 9}},
		{Kind: api.KindFolders},
		{Kind: api.KindFolders},
		{Kind: api.KindRun, ID: "r1", Run: &run},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderRunning, Version: "3.4.1", PID: 7, Port: 9, Run: "r1"}},
		{Kind: api.KindRun, ID: "r2", Run: &api.Run{ID: "r2", Script: "/w/far.py", Folder: "/w", State: api.Running, Blender: "farm"}},
		{Kind: api.KindRun, ID: "r1", Run: &started},
		{Kind: api.KindOutput, ID: "r1", Text: "one\ntw"},
		{Kind: api.KindProgress, ID: "r1", Progress: &api.Progress{}},
		{Kind: api.KindOutput, ID: "r1", Text: "o\n10 %\r20 %"},
		{Kind: api.KindRun, ID: "r1", Run: &failed},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderReady, Version: "3.4.1", PID: 7, Port: 9}},
		{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderFailed, Reason: "gone\nfor good\n"}},
		{Kind: api.KindNote, Message: "a note"},
		{Kind: api.KindNote, Message: "a warning"},
	} {
		events <- ev
	}
	close(events)
	p.serve(events)
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d`).ReplaceAllString(s.out.String(), "HH:MM:SS")
	want := `HH:MM:SS  blender    starting: /b
HH:MM:SS  blender    ready: Blender 3.4.1, process 7, port 9
HH:MM:SS  folder     /w is watched (inotify)
HH:MM:SS  saved      sub/a.py, run r1
HH:MM:SS  started    sub/a.py
            | one
            | two
            | 20 %
HH:MM:SS  failed     sub/a.py in 0.42 s: ValueError: no` + "\ufffd" + ` (line 3)
                     ` + "`blendtray runs show r1` has all of it" + `
                     /w/a\n.png
HH:MM:SS  blender    failed
                     gone
                     for good
                     ` + "`blendtray doctor` looks for the cause, `blendtray start` tries again" + `
HH:MM:SS  note       a note
`
	if got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
	if !stopped {
		t.Error("the engine was not ended after its one run")
	}
}

// noted passes on each text that is written.
type noted chan string

func (n noted) Write(p []byte) (int, error) {
	n <- string(p)
	return len(p), nil
}

func TestServeShowsALineAtOnceAndTheLinesOfAMomentTogether(t *testing.T) {
	t.Parallel()
	s, written := newScreen(false), make(noted, 10)
	s.terminal.out = written
	p := &printer{env: &env{terminal: s.terminal}, warned: func(string) bool { return false }}
	note := func(text string) api.Event { return api.Event{Kind: api.KindNote, Message: text} }
	events, done := make(chan api.Event, 100), make(chan bool)
	go func() {
		defer close(done)
		p.serve(events)
	}()
	for range 2 {
		events <- note("alone")
		if text := <-written; !strings.HasSuffix(text, "alone\n") { // no other event comes before it
			t.Errorf("wrote %q", text)
		}
	}
	close(events)
	<-done

	events = make(chan api.Event, 100)
	for range cap(events) - 1 {
		events <- note("together")
	}
	events <- api.Event{Kind: api.KindOutput, ID: "1", Text: "printed\nlast"}
	close(events)
	p.serve(events)
	if text := <-written; strings.Count(text, "together\n") != 99 || !strings.HasSuffix(text, "| printed\n") || len(written) > 0 {
		t.Errorf("wrote %q and %d more", text, len(written))
	}
}

// A crash in a run is one event: the line of the run says it, and the start after it says nothing.
func TestServeSaysOfACrashInARunOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	const own = api.BlenderOwn
	ready := api.BlenderStatus{Kind: own, State: api.BlenderReady, Version: "3.4.1", PID: 7, Path: "/b"}
	again := api.BlenderStatus{Kind: own, State: api.BlenderStarting, Reason: "it ended in a run and is started again"}
	launched := again
	launched.Path, launched.PID = "/b", 8
	retry := again
	retry.Reason = "another attempt in 1 s, since it ended"
	idle := again
	idle.Reason = "it ended and is started again"
	failed := api.BlenderStatus{Kind: own, State: api.BlenderFailed, Reason: "gone"}
	at := time.Now()
	run := api.Run{ID: "1", Script: "/a.py", State: api.Running, StartedAt: &at}
	crashed := run
	crashed.State, crashed.Seconds = api.Crashed, 0.1
	crashed.Error = &api.ScriptError{Type: "Crash", Message: "Blender crashed"}
	for name, c := range map[string]struct {
		after []api.BlenderStatus
		want  string
	}{
		"started again":   {[]api.BlenderStatus{again, launched, ready}, ""},
		"another waits":   {[]api.BlenderStatus{ready}, ""},
		"trouble":         {[]api.BlenderStatus{again, launched, retry, failed}, "starting failed"},
		"idle afterwards": {[]api.BlenderStatus{again, ready, idle, ready}, "starting ready"},
	} {
		s := newScreen(false)
		p := &printer{env: &env{terminal: s.terminal}}
		events := make(chan api.Event, 20)
		blender := func(b api.BlenderStatus) { events <- api.Event{Kind: api.KindBlender, Blender: &b} }
		blender(ready)
		events <- api.Event{Kind: api.KindRun, ID: "1", Run: &run}
		blender(c.after[0])
		events <- api.Event{Kind: api.KindRun, ID: "1", Run: &crashed}
		for _, b := range c.after[1:] {
			blender(b)
		}
		close(events)
		p.serve(events)
		var said []string
		for _, line := range regexp.MustCompile(`(?m)  blender +(\w+)`).FindAllStringSubmatch(s.out.String(), -1) {
			said = append(said, line[1])
		}
		if got := strings.Join(said, " "); got != strings.TrimSpace("ready "+c.want) {
			t.Errorf("%s: it says %q of Blender:\n%s", name, got, s.out.String())
		}
	}
}

func TestLinesAboutARenderAreTakenOutOfWhateverPieces(t *testing.T) {
	t.Parallel()
	const status = "Fra:1 Mem:24.19M (Peak 30.77M) | Time:00:00.03 | Sample 1/24\n"
	const log = "00:01.203  render           | Sample 1/24\n"
	for text, want := range map[string]string{
		"one\n" + status + status + "two\n":    "one\ntwo\n",
		"one" + status:                         "one" + status,
		status + "Saved: 'x.png'\n":            "Saved: 'x.png'\n",
		log + "12.5\n7 apples\n12:30 | tea\n":  "12.5\n7 apples\n12:30 | tea\n",
		"Fra":                                  "Fra",
		"France\n5":                            "France\n5",
		"no end " + strings.Repeat("x", 20000): "no end " + strings.Repeat("x", 20000),
		"Fra:" + strings.Repeat("9", 20000):    "Fra:" + strings.Repeat("9", 20000),
		"Fra:1 is a name\n":                    "Fra:1 is a name\n",
	} {
		for _, size := range []int{1, 2, 7, 100, len(text)} {
			f := statusFilter{on: true}
			got := ""
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				got += f.add(rest[:n])
				rest = rest[n:]
			}
			if got += f.rest(); got != want {
				t.Errorf("%q in pieces of %d became %q", text[:min(50, len(text))], size, got[:min(50, len(got))])
			}
		}
	}
	f := statusFilter{on: true}
	if got := f.add("password: "); got != "password: " {
		t.Errorf("a prompt was held back: %q", got)
	}
	f = statusFilter{on: true}
	for _, piece := range []string{"1 ", "2 ", "3.5 s"} {
		if got := f.add(piece); got != piece {
			t.Errorf("of numbers that a script prints one by one, %q was held back, and %q printed", piece, got)
		}
	}
}
