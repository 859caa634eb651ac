package tray

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"blendtray/api"
	"blendtray/assets"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func attached(state api.BlenderState, change ...func(*State)) State {
	s := State{Link: Attached, Own: true, Status: api.Status{Blenders: []api.BlenderStatus{{State: state, Version: "4.5.1"}}}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func running(p *api.Progress) func(*State) {
	return func(s *State) {
		began := now.Add(-70 * time.Second)
		r := api.Run{ID: "7", Script: "/a/turntable.py", State: api.Running, StartedAt: &began, Progress: p}
		s.Running, s.Recent = append(s.Running, r), []api.Run{r}
	}
}

func find(t *testing.T, items []Item, do Do) Item {
	t.Helper()
	for i := len(items) - 1; i >= 0; i-- { // the first line shows the window, too
		if items[i].Do == do {
			return items[i]
		}
	}
	t.Fatalf("nothing in the menu does %v", do)
	return Item{}
}

// refusing is the state of an engine that does not run a script to which others may write.
func refusing(s *State) {
	s.Status.Folders = []api.FolderStatus{{Path: "/srv/share", Method: "inotify", Error: "everybody may write to it", Refused: 1}}
}

func TestTheIconCallsForAttentionWhenScriptsAreRefused(t *testing.T) {
	t.Parallel()
	if got := IconOf(attached(api.BlenderReady, refusing)); got != assets.Attention {
		t.Errorf("the icon is %v", got)
	}
	if got := IconOf(attached(api.BlenderReady)); got != assets.Ready {
		t.Errorf("without a refusal the icon is %v", got)
	}
}

func TestTheFirstLineSaysHowThingsAre(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]State{
		"Looking for the engine…":                    {},
		"The engine has ended. Looking for another…": {Link: Lost},
		"Blender 4.5.1 · ready":                      attached(api.BlenderReady),
		"Blender 4.5.1 · watching is paused":         attached(api.BlenderReady, func(s *State) { s.Status.WatchingPaused = true }),
		"Waiting for an open Blender":                attached(api.BlenderStarting, func(s *State) { s.Status.Blenders[0].Source = api.SourceOpen }),
		"Blender is starting… · 2 waiting":           attached(api.BlenderStarting, func(s *State) { s.Status.Queued = 2 }),
		"Blender is stopped":                         attached(api.BlenderStopped),
		"Blender 3.4.1 · ready · modules of 2 scripts have changed": attached(api.BlenderReady, func(s *State) {
			s.Status.Blenders[0].Version = "3.4.1"
			s.Status.Folders = []api.FolderStatus{{Path: "/w", Stale: []string{"/w/a.py", "/w/b.py"}}}
		}),
		"3 saved scripts wait: the disk is full":                                          attached(api.BlenderReady, func(s *State) { s.Status.SavesWaiting, s.Status.SavesWaitFor = 3, "the disk is full" }),
		"Blender is stopped · 3 waiting":                                                  attached(api.BlenderStopped, func(s *State) { s.Status.Queued = 3 }),
		"Blender is stopping…":                                                            attached(api.BlenderStopping),
		"Blender is stopping… · 2 waiting":                                                attached(api.BlenderStopping, func(s *State) { s.Status.Queued = 2 }),
		"Blender can't start: no reason is known · 2 waiting":                             attached(api.BlenderFailed, func(s *State) { s.Status.Queued = 2 }),
		"Blender can't start: there is no file /opt/b":                                    attached(api.BlenderFailed, func(s *State) { s.Status.Blenders[0].Reason = "there is no file /opt/b\nand more" }),
		"Blender can't start: no reason is known":                                         attached(api.BlenderFailed),
		"turntable.py · 42 % · 2 more running · 1 waiting":                                attached(api.BlenderRunning, running(nil), running(nil), running(&api.Progress{Fraction: 0.42}), func(s *State) { s.Status.Queued = 1 }),
		"turntable.py · 1:10":                                                             attached(api.BlenderRunning, running(nil)),
		"turntable.py · 42 % · 1:10 left":                                                 attached(api.BlenderRunning, running(&api.Progress{Fraction: 0.429, RemainingSeconds: 70})),
		"turntable.py · 100 %":                                                            attached(api.BlenderRunning, running(&api.Progress{Fraction: 7})),
		"turntable.py · 1:10 · 1 waiting":                                                 attached(api.BlenderRunning, running(&api.Progress{Fraction: -1}), func(s *State) { s.Status.Queued = 1 }),
		"Blender can't start: a b":                                                        attached(api.BlenderFailed, func(s *State) { s.Status.Blenders[0].Reason = "a\x1b\tb" }),
		"Blender 4.5.1 · ready · other users may write to a folder":                       attached(api.BlenderReady, refusing),
		"Blender can't start: " + strings.Repeat("x", 18) + "…" + strings.Repeat("x", 20): attached(api.BlenderFailed, func(s *State) { s.Status.Blenders[0].Reason = strings.Repeat("x", 500) }),
	} {
		if got := Menu(s, now)[0].Label; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestWhatMakesNoSenseIsDisabledNotGone(t *testing.T) {
	t.Parallel()
	type can struct{ start, stop, restart, cancel, pause bool }
	for name, c := range map[string]struct {
		state State
		want  can
	}{
		"no engine":               {State{}, can{}},
		"stopped":                 {attached(api.BlenderStopped), can{start: true, pause: true}},
		"failed":                  {attached(api.BlenderFailed), can{start: true, pause: true}},
		"starting":                {attached(api.BlenderStarting), can{stop: true, pause: true}},
		"stopping":                {attached(api.BlenderStopping), can{pause: true}},
		"ready":                   {attached(api.BlenderReady), can{stop: true, restart: true, pause: true}},
		"running":                 {attached(api.BlenderRunning, running(nil)), can{stop: true, restart: true, cancel: true, pause: true}},
		"an engine of no Blender": {State{Link: Attached}, can{start: true, pause: true}},
	} {
		items := Menu(c.state, now)
		got := can{
			find(t, items, StartBlender).Enabled, find(t, items, StopBlender).Enabled, find(t, items, RestartBlender).Enabled,
			find(t, items, CancelRun).Enabled, find(t, items, PauseWatching).Enabled,
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestWithoutAnEngineTheMenuStartsOneAndClaimsNothing(t *testing.T) {
	t.Parallel()
	wrong := State{Link: Lost}
	wrong.Status.Settings.Error = "settings.toml:2:1: no"
	for name, c := range map[string]struct {
		state State
		want  bool
	}{
		"at the start":                {State{}, false},
		"it could not be started":     {State{Trouble: "the database is broken"}, true},
		"it has ended":                {State{Link: Lost}, true},
		"it is starting here":         {State{Link: Lost, Own: true}, false},
		"the settings hold it up":     {wrong, false},
		"there is an engine":          {attached(api.BlenderStopped), false},
		"an engine, and some trouble": {attached(api.BlenderStopped, func(s *State) { s.Trouble = "no" }), false},
	} {
		items := Menu(c.state, now)
		if got := items[2].Do == StartEngine && items[2].Enabled && items[2].Label == "Start the engine here"; got != c.want {
			t.Errorf("%s: %+v", name, items[2])
		}
		if claims := items[8].Label == "No runs yet"; claims != (c.state.Link == Attached) {
			t.Errorf("%s: the menu says %q", name, items[8].Label)
		}
	}
}

func TestEveryMenuHasTheSameLines(t *testing.T) {
	t.Parallel()
	first := Menu(State{}, now)
	for _, s := range []State{
		attached(api.BlenderReady),
		{Link: Lost},
		attached(api.BlenderRunning, running(nil), func(s *State) { s.Recent = make([]api.Run, 5) }),
	} {
		items := Menu(s, now)
		if len(items) != len(first) {
			t.Fatalf("%d lines and %d lines", len(items), len(first))
		}
		for i := range items {
			if items[i].Separator != first[i].Separator || items[i].Do != first[i].Do && items[i].Do != StartEngine || items[i].Check != first[i].Check {
				t.Errorf("line %d is %+v and %+v", i, items[i], first[i])
			}
			if !items[i].Separator && !items[i].Hidden && items[i].Label == "" {
				t.Errorf("line %d has no text", i)
			}
			if utf8.RuneCountInString(items[i].Label) > maxLabel {
				t.Errorf("line %d is too long: %q", i, items[i].Label)
			}
		}
	}
}

func TestRecentRunsHaveTheirVerdict(t *testing.T) {
	t.Parallel()
	began := now.Add(-3 * time.Second)
	for want, r := range map[string]api.Run{
		"✓ hello.py · 11 ms":              {Script: "/a/hello.py", State: api.Succeeded, StartedAt: &began, Seconds: 0.0112},
		"✗ bad.py · KeyError, line 4":     {Script: "/a/bad.py", State: api.Failed, Error: &api.ScriptError{Type: "KeyError", Line: 4}},
		"✗ bad.py · failed":               {Script: "/a/bad.py", State: api.Failed},
		"✗ boom.py · Blender crashed":     {Script: "/a/boom.py", State: api.Crashed, Error: &api.ScriptError{Type: "Crash"}},
		"✗ slow.py · over its time limit": {Script: "/a/slow.py", State: api.TimedOut},
		"– off.py · cancelled":            {Script: "/a/off.py", State: api.Cancelled},
		"▶ on.py":                         {Script: "/a/on.py", State: api.Running, StartedAt: &began},
		"… next.py · waiting":             {Script: "/a/next.py", State: api.Queued},
		"✓ <command line> · 0 ms":         {Script: "<command line>", State: api.Succeeded},
	} {
		items := Menu(attached(api.BlenderReady, func(s *State) { s.Recent = []api.Run{r} }), now)
		if got := items[8].Label; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		if items[9].Hidden != true {
			t.Error("a second run is shown")
		}
	}
}

func TestSwitchesTurnTheOtherWay(t *testing.T) {
	t.Parallel()
	s := attached(api.BlenderReady, func(s *State) { s.Login, s.Status.WatchingPaused = true, false })
	if i := find(t, Menu(s, now), StartAtLogin); !i.Checked || i.On {
		t.Errorf("start at login: %+v", i)
	}
	if i := find(t, Menu(s, now), PauseWatching); i.Checked || !i.On {
		t.Errorf("pause: %+v", i)
	}
	if i := find(t, Menu(s, now), Quit); i.Label != "Quit" {
		t.Errorf("quit: %+v", i)
	}
	s.Own = false
	if i := find(t, Menu(s, now), Quit); !strings.Contains(i.Label, "keeps running") {
		t.Errorf("quit beside a service: %+v", i)
	}
}

func TestDurationsAreReadAtAGlance(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 8400 * time.Microsecond: "8 ms", 99 * time.Millisecond: "99 ms", 1240 * time.Millisecond: "1.2 s",
		59 * time.Second: "59 s", 59900 * time.Millisecond: "1:00", 70 * time.Second: "1:10", 3600 * time.Second: "1:00:00",
		7380 * time.Second: "2:03:00",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
