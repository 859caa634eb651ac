//go:build !headless

package tray

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestAllThatIsKnownAboutARunIsTold(t *testing.T) {
	t.Parallel()
	queued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	began, ended := queued.Add(1200*time.Millisecond), queued.Add(3*time.Second)
	exit := 3
	r := api.Run{
		ID: "31", Script: "/srv/名字.py", SHA256: "abc", Scene: "fresh", State: api.Failed, Args: []string{"--n", "two words"},
		QueuedAt: queued, StartedAt: &began, FinishedAt: &ended, Seconds: 1.81234, OutputBytes: 1500, ExitCode: &exit,
		Error:   &api.ScriptError{Type: "KeyError", Message: "'x'\nand more", Line: 4, Traceback: "Traceback (most recent call last):\n  File \"/srv/a.py\", line 4\nKeyError\n"},
		Result:  json.RawMessage(`{"a":[1,{"b":null}]}`),
		Outputs: []string{"/srv/out/1.png", "/srv/out/2.exr"}, Preview: "/cache/1.jpg",
		BlenderVersion: "4.5.1", Blender: "render", Session: "chair", Source: api.FromRetry, Pinned: true, Client: "me", Origin: "host",
		Key: "k", Folder: "/srv", RetryOf: "30", WrittenBy: "29", Reason: "because", PID: 4711, TimeLimitSeconds: 90,
		Limits: api.Limits{MaxMemory: 4_000_000_000, Nice: 5, MaxProcesses: 9}, Leftover: api.LeftoverRun,
		Render: &api.Render{Engine: "CYCLES"},
	}
	text := factsText(factsOf(r))
	for _, want := range []string{
		"31", "failed", "because", "/srv/名字.py", "/srv\n", `--n "two words"`, "abc", "yes", "2026-01-02 03:04:05.000", "03:04:06.200", "03:04:08.000",
		"1.2 s\n", "1.8 s (1.8123 s)", "1:30", "another run, which it repeats", "me\n", "host", "k\n", "30\n", "29\n", "4.5.1 (render)", "4711", "chair", "fresh",
		"CYCLES", "end with the run", "4.0 GB", "5\n", "9\n", "3\n", "1.5 KB", "/cache/1.jpg", "KeyError", "'x'\n                      and more",
		"  File \"/srv/a.py\", line 4\n", "Files that it made\n/srv/out/1.png\n/srv/out/2.exr\n", "Result\n{\n  \"a\": [\n    1,\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if bare := factsText(factsOf(api.Run{ID: "1", State: api.Queued})); strings.Contains(bare, "Result") || strings.Contains(bare, "Ended") || strings.Contains(bare, "\n\n\n") {
		t.Errorf("of a run of which little is known it says\n%s", bare)
	}
	if got := resultWords(json.RawMessage(`"` + strings.Repeat("é", maxResult) + `"`)); len(got) > maxResult+200 || !strings.Contains(got, "2.1 MB") {
		t.Errorf("a long result has %d bytes and ends with %q", len(got), got[len(got)-60:])
	}
}

func TestTheDetailsFollowTheRun(t *testing.T) {
	o := openWindow(t, failed("/srv/a.py"))
	d := o.runs.detail
	r := o.backend.add(api.Run{Script: "/srv/live.py", State: api.Running, Outputs: []string{"/srv/x.py", "/srv/x.png"}})
	d.goTo(4)
	o.until("they are shown", func() bool { return strings.Contains(d.facts.view.pane.Text(), "running") })
	o.backend.ends(r.ID, api.Succeeded)
	o.until("it has ended", func() bool { return strings.Contains(d.facts.view.pane.Text(), "succeeded") })
	open := func(line, want string) {
		t.Helper()
		openLine(o.window, line)
		o.until(line+" opens "+want, func() bool {
			o.host.mu.Lock()
			defer o.host.mu.Unlock()
			return len(o.host.opened) > 0 && o.host.opened[len(o.host.opened)-1] == want
		})
	}
	open("/srv/x.png", "/srv/x.png:0")
	open("Script              /srv/my live.py", "/srv/my live.py:0")
	open(`  File "/srv/a.py", line 4, in f`, "/srv/a.py:4")
	for _, line := range []string{"Run   31", "", "Message  not /a/path"} {
		if opensLine(line) {
			t.Errorf("%q opens something", line)
		}
	}
}
