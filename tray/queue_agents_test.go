//go:build !headless

package tray

import (
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

func TestTheQueueShowsWhichAgentsAreConnected(t *testing.T) {
	o := openWindow(t, api.Run{Script: "<agent>", State: api.Succeeded, Client: "mcp: robot"}, api.Run{Script: "other.py", State: api.Succeeded})
	w := o.window
	w.selectTab(w.queue.content)
	at := time.Now().Add(-time.Second)
	s := State{Link: Attached, Status: api.Status{Agents: []api.Agent{{
		ID: "a", Name: "ro\u202ebot", Version: "2", Transport: api.OverPipe, Client: "mcp: robot", Sessions: []string{"chair"},
		Since: at, Call: "run_python", CalledAt: &at, Calling: 1, Runs: 1,
	}}}}
	w.queue.show(s)
	row := w.queue.agentRows["a"]
	if row == nil || len(w.queue.agents.Objects) != 2 {
		t.Fatalf("%d lines", len(w.queue.agents.Objects))
	}
	if got := row.title.Text; got != "ro<U+202E>bot 2 · over a pipe" {
		t.Error(got)
	}
	for _, want := range []string{"run_python has been running since", "1 run ", "session chair"} {
		if !strings.Contains(row.did.Text, want) {
			t.Errorf("%q lacks %q", row.did.Text, want)
		}
	}
	s.Status.Agents[0].Calling = 0
	w.queue.show(s)
	if w.queue.agentRows["a"] != row || !strings.HasPrefix(row.did.Text, "run_python at ") {
		t.Errorf("the same line says %q", w.queue.agentRows["a"].did.Text)
	}
	for _, object := range test.LaidOutObjects(row.content) {
		if b, ok := object.(*widget.Button); ok {
			test.Tap(b)
		}
	}
	if w.tabs.Selected().Content != w.runs.content || w.runs.filter.Client != "mcp: robot" || w.runs.filter.words() != "by mcp: robot" {
		t.Errorf("the list has the filter %+v: %s", w.runs.filter, w.runs.filter.words())
	}
	w.selectTab(w.queue.content)
	w.queue.show(State{Link: Attached})
	if len(w.queue.agents.Objects) != 0 {
		t.Error("an agent is shown that is gone")
	}
}
