package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

func TestAScriptNamesItsBlenderBeforeItsFirstCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"# blender: 4.5\nimport bpy\n":                                   "4.5",
		"#!/usr/bin/env python\r\n# coding: utf-8\r\n\r\n#blender:old-1": "old-1",
		"\ufeff#\tblender:\tlts \nx = 1\n":                               "lts",
		"import bpy\n# blender: 4.5\n":                                   "",
		"\"\"\"Words.\n# blender: 4.5\n\"\"\"\n":                         "",
		"# blender: 4.5 or newer\n":                                      "", // words, and no name
		"# needs blender: 4.5\n":                                         "",
		"  # blender: 4.5\n":                                             "",
		"# Blender: 4.5\n":                                               "",
		"# blender:\n":                                                   "",
		"":                                                               "",
		strings.Repeat("# words\n", commentLines) + "# blender: 4.5\n": "",
		"# blender: " + strings.Repeat("x", 33) + "\n":                 "",
	} {
		if got := askedIn([]byte(code)); got != want {
			t.Errorf("%.40q names %q and not %q", code, got, want)
		}
	}
}

func TestTheNewestBlenderOfAVersionIsMeant(t *testing.T) {
	t.Parallel()
	of := func(name, version string) candidate {
		return candidate{name, blender.Found{Version: version, Path: name + version}}
	}
	all := []candidate{
		of("default", "3.4.1"), of("old", "2.93.4"), of("a", "4.2.9"), of("b", "4.2.10"), of("", "4.5.1"), of("", "4.5.1"),
		{"broken", blender.Found{Version: "4.9.0", Error: "it can't be started"}},
		of("", "3.4.1"), of("lts", "4.2.10"),
	}
	for version, want := range map[string]string{
		"3": "default3.4.1", "3.4": "default3.4.1", "3.4.1": "default3.4.1", "3.4.2": "", "4": "4.5.1", "4.5": "4.5.1",
		"4.2": "b4.2.10", "4.2.9": "a4.2.9", "2": "old2.93.4", "4.9": "", "5": "",
	} {
		if best, ok := newestOf(all, version); best.found.Path != want || ok != (want != "") {
			t.Errorf("%s is %+v", version, best)
		}
	}
}

// shelf is what is installed on the machine of a test, by path.
type shelf struct {
	mu    sync.Mutex
	found []blender.Found
	looks int
}

func (s *shelf) choose(_ context.Context, path string) (blender.Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.found {
		if path == f.Path {
			return f, nil
		}
	}
	return blender.Found{Path: path}, errors.New("there is no such file")
}

func (s *shelf) find(context.Context) ([]blender.Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return slices.Clone(s.found), nil
}

func (s *shelf) install(path, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, blender.Found{Path: path, Version: version, Source: "PATH"})
}

func at(name, path string) api.BlenderSpec {
	return api.BlenderSpec{Name: name, Dir: "/blenders/" + name, BlenderSettings: api.BlenderSettings{Path: path, Port: 4711}}
}

// onMachine has the engine's Blenders come from a shelf with 3.4.1, 4.2.1 and 4.5.3.
func onMachine(t *testing.T, specs ...api.BlenderSpec) (*several, *shelf) {
	t.Helper()
	s := &shelf{}
	for _, version := range []string{"4.5.3", "4.2.1", "3.4.1"} {
		s.install("/opt/"+version, version)
	}
	return newSeveralOn(t, s, specs...), s
}

func (k *several) ask(name, code string) (api.Run, error) {
	return k.Submit(ctx, api.Submission{Script: fmt.Sprintf("/s%d.py", time.Now().UnixNano()), Code: []byte(code), Blender: name})
}

// of waits for the Blender that was made with a name.
func (k *several) of(name string) *servedBlender {
	k.t.Helper()
	var found *servedBlender
	eventually(k.t, "there is a Blender "+name, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, b := range k.made {
			if b.made.Name == name {
				found = b
			}
		}
		return found != nil
	})
	return found
}

// lastOf waits until the newest run of a script has ended, and returns it.
func (k *several) lastOf(path string) api.Run {
	k.t.Helper()
	runs, err := k.Runs(ctx, api.Filter{Name: path, Limit: 1})
	if err != nil || len(runs) == 0 {
		k.t.Fatalf("%s has no run: %v", path, err)
	}
	return k.ended(runs[0].ID)
}

func (k *several) status(name string) api.BlenderStatus {
	for _, st := range k.Status().Blenders {
		if st.Name == name {
			return st
		}
	}
	return api.BlenderStatus{}
}

func TestARunIsExecutedInTheBlenderThatItAsksFor(t *testing.T) {
	t.Parallel()
	k, s := onMachine(t, at("default", "/opt/3.4.1"), at("old", "/opt/3.4.1"), at("4.2", "/opt/3.4.1"))
	for _, c := range []struct{ flag, code, want string }{
		{"", "x = 1", "default"},
		{"default", "x = 1", "default"},
		{"old", "x = 1", "old"},
		{"", "# blender: old\n", "old"},
		{"default", "# blender: old\n", "default"}, // the command line goes before the script
		{"4.2", "", "4.2"},                         // a name goes before a version
		{"4.2.1", "", "4.2.1"},
		{"4", "", "4.5.3"},
		{"4.5", "", "4.5.3"},
		{"3", "", "default"},
	} {
		r, err := k.ask(c.flag, c.code+"\n")
		if err != nil || r.Blender != c.want {
			t.Errorf("%+v: %q, %v", c, r.Blender, err)
			continue
		}
		k.of(c.want).call(t).finish(blender.Succeeded)
		if r := k.ended(r.ID); r.State != api.Succeeded || r.Blender != c.want {
			t.Errorf("%+v: %s in %q", c, r.State, r.Blender)
		}
		if again, err := k.Retry(ctx, r.ID); err != nil || again.Blender != c.want {
			t.Errorf("again: %q, %v", again.Blender, err)
		} else {
			k.of(c.want).call(t).finish(blender.Succeeded)
			k.ended(again.ID)
		}
	}
	found := k.of("4.5.3").made
	if found.Path != "/opt/4.5.3" || found.Port != 0 || found.Dir != "/blenders/4.5.3" {
		t.Errorf("the one that the settings do not name is %+v", found)
	}
	if s.looks > 2 {
		t.Errorf("the machine was looked through %d times", s.looks)
	}
	for name, what := range map[string]string{"new": "with the name \"new\"", "5.1": "with the name or the version \"5.1\""} {
		_, err := k.ask(name, "x = 1")
		if !errors.Is(err, api.ErrNoBlender) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "old (3.4.1, /opt/3.4.1)") || !strings.Contains(err.Error(), "4.2.1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Submit(ctx, api.Submission{Code: []byte("x"), Attach: true, Blender: "old"}); !errors.Is(err, api.ErrBad) {
		t.Errorf("two Blenders: %v", err)
	}
	if r, err := k.Submit(ctx, api.Submission{Code: []byte("x"), Blender: "open-4711"}); err != nil || r.Blender != "open-4711" || r.Scene != "keep" {
		t.Errorf("an open one: %+v, %v", r, err)
	}
}

func TestABlenderRestsUntilItIsNeeded(t *testing.T) {
	t.Parallel()
	k, _ := onMachine(t, at("default", "/opt/3.4.1"), at("old", "/opt/3.4.1"), at("broken", "/opt/none"))
	<-k.of("old").served
	eventually(t, "it is said why one will not start", func() bool {
		return k.status("broken").Resting && strings.Contains(k.status("broken").Reason, "no such file")
	})
	eventually(t, "the default one is ready", func() bool { return k.status("default").State == api.BlenderReady })
	eventually(t, "its version is known", func() bool { return k.status("old").Version == "3.4.1" })
	if st := k.status("old"); !st.Resting || st.State != api.BlenderStopped || st.Path != "/opt/3.4.1" {
		t.Errorf("before a run it is %+v", st)
	}
	if err := k.RestartBlender(ctx, ""); err != nil || !k.status("old").Resting {
		t.Errorf("a restart of all that are running has started it: %+v, %v", k.status("old"), err)
	}
	k.Engine.mu.Lock()
	k.restAfter = 50 * time.Millisecond
	k.Engine.mu.Unlock()
	r, err := k.ask("old", "x = 1")
	if err != nil {
		t.Fatal(err)
	}
	run := k.of("old").call(t)
	if st := k.status("old"); st.Resting || st.State != api.BlenderReady {
		t.Errorf("while it is used it is %+v", st)
	}
	run.finish(blender.Succeeded)
	k.ended(r.ID)
	eventually(t, "it rests again", func() bool { return k.status("old").Resting })
	// A person who starts it has it stay.
	if err := k.StartBlender(ctx, "old"); err != nil || k.status("old").State != api.BlenderReady {
		t.Errorf("started: %+v, %v", k.status("old"), err)
	}
	if err := k.StopBlender(ctx, ""); err != nil || k.status("old").Resting || k.status("old").State != api.BlenderStopped {
		t.Errorf("stopped: %+v, %v", k.status("old"), err)
	}
	if err := k.StartBlender(ctx, ""); err != nil || !k.status("old").Resting || k.status("default").State != api.BlenderReady {
		t.Errorf("all started: %+v, %v", k.Status().Blenders, err)
	}
	// A folder that names it needs it.
	if err := k.SetFolders([]api.FolderSettings{{WatchSettings: api.WatchSettings{Path: "/w"}, Blender: "old"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it waits for saves", func() bool { return k.status("old").State == api.BlenderReady })
	if err := k.SetFolders(nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it rests again", func() bool { return k.status("old").Resting })
}

func TestABlenderOfTheSystemIsForgottenWhenItRests(t *testing.T) {
	t.Parallel()
	k, _ := onMachine(t, at("default", "/opt/3.4.1"))
	k.Engine.mu.Lock()
	k.restAfter = 50 * time.Millisecond
	k.Engine.mu.Unlock()
	r, err := k.ask("4.5", "x = 1")
	if err != nil {
		t.Fatal(err)
	}
	k.of("4.5.3").call(t).finish(blender.Succeeded)
	k.ended(r.ID)
	k.of("4.5.3").mayLeave()
	eventually(t, "it is gone", func() bool { return len(k.Status().Blenders) == 1 })
}

func TestTheQueuedRunsOfABlenderThatIsGoneAreRefused(t *testing.T) {
	t.Parallel()
	k, _ := onMachine(t, at("default", "/opt/3.4.1"), at("old", "/opt/3.4.1"))
	first, _ := k.ask("old", "x = 1")
	second, err := k.ask("old", "x = 2")
	if err != nil {
		t.Fatal(err)
	}
	run := k.of("old").call(t)
	k.set(at("default", "/opt/3.4.1"))
	if r := k.ended(second.ID); r.State != api.Cancelled || !strings.Contains(r.Reason, `no Blender with the name "old"; there are: default`) {
		t.Errorf("what waited is %s: %s", r.State, r.Reason)
	}
	run.finish(blender.Succeeded)
	if r := k.ended(first.ID); r.State != api.Succeeded {
		t.Errorf("what was on has %s", r.State)
	}
	k.of("old").mayLeave()
	eventually(t, "it is gone", func() bool { return len(k.Status().Blenders) == 1 })
	if _, err := k.Retry(ctx, first.ID); !errors.Is(err, api.ErrNoBlender) {
		t.Errorf("a retry: %v", err)
	}
}

func TestTheRunsThatTheLastEngineQueuedFindTheirBlender(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.install("/opt/4.5.3", "4.5.3")
	s.install("/opt/3.4.1", "3.4.1")
	with := func(c *Config) {
		c.ChooseBlender, c.FindBlenders = s.choose, s.find
		c.Blenders = []api.BlenderSpec{at("default", "/opt/3.4.1"), at("old", "/opt/3.4.1")}
	}
	h := open(t, with)
	submit := func(name string) api.Run {
		r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Blender: name})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	of, gone := submit("4.5"), submit("old")
	next := h.again(with, func(c *Config) { c.Blenders = c.Blenders[:1] }).serve()
	next.b.do = succeed
	if r := next.ended(gone.ID); r.State != api.Cancelled || !strings.Contains(r.Reason, `no Blender with the name "old"`) {
		t.Errorf("the run of a Blender that is gone is %s: %s", r.State, r.Reason)
	}
	if r := next.ended(of.ID); r.State != api.Succeeded || r.Blender != "4.5.3" {
		t.Errorf("the run of a version has %s in %q", r.State, r.Blender)
	}
}

func TestTheQueuedRunsOfABlenderThatTheSettingsNameNowAreKept(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.install("/opt/4.5.3", "4.5.3")
	s.install("/opt/3.4.1", "3.4.1")
	with := func(c *Config) {
		c.ChooseBlender, c.FindBlenders = s.choose, s.find
		c.Blenders = []api.BlenderSpec{at("default", "/opt/3.4.1")}
	}
	h := open(t, with)
	r, err := h.Submit(ctx, api.Submission{Code: []byte("x"), Blender: "4.5"})
	if err != nil || r.Blender != "4.5.3" {
		t.Fatalf("%q, %v", r.Blender, err)
	}
	next := h.again(with, func(c *Config) { c.Blenders = append(c.Blenders, at("new", "/opt/4.5.3")) }).serve()
	next.b.do = succeed
	if r := next.ended(r.ID); r.State != api.Succeeded || r.Blender != "new" {
		t.Errorf("the run has %s in %q: %s", r.State, r.Blender, r.Reason)
	}
	last := next.again(with, func(c *Config) { c.Blenders = append(c.Blenders, at("new", "/opt/4.5.3")) })
	if r := last.run(r.ID); r.Blender != "new" {
		t.Errorf("the next engine has the run in %q", r.Blender)
	}
}

func TestASaveIsExecutedInTheBlenderOfItsFolderOrOfItsComment(t *testing.T) {
	t.Parallel()
	k, s := onMachine(t, at("default", "/opt/3.4.1"), at("old", "/opt/3.4.1"))
	if err := k.SetFolders([]api.FolderSettings{
		{WatchSettings: api.WatchSettings{Path: "/w"}, Blender: "old"},
		{WatchSettings: api.WatchSettings{Path: "/v"}, Blender: "4.6"},
		{WatchSettings: api.WatchSettings{Path: "/u"}},
		{WatchSettings: api.WatchSettings{Path: "/t"}, Blender: "open"},
	}); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct{ code, want string }{
		"/w/a.py": {"x = 1", "old"},
		"/w/b.py": {"# blender: 4.5", "4.5.3"},
		"/w/c.py": {"# blender: default", "default"},
		"/u/a.py": {"x = 1", "default"},
		"/t/a.py": {"x = 1", "open"},
	} {
		k.w.save(path, c.code)
		k.of(c.want).call(t).finish(blender.Succeeded)
		r := k.lastOf(path)
		if r.State != api.Succeeded || r.Blender != c.want {
			t.Errorf("%s has %s in %q", path, r.State, r.Blender)
		}
	}
	// What has no Blender is written down as failed, and runs when it is saved again and there is one.
	k.w.save("/v/a.py", "x = 1")
	r := k.lastOf("/v/a.py")
	if r.State != api.Failed || r.StartedAt != nil || r.Error == nil || r.Error.Type != "NoBlender" ||
		!strings.Contains(r.Error.Message, "4.6") || !strings.Contains(r.Error.Message, "default (3.4.1, /opt/3.4.1)") {
		t.Errorf("without a Blender: %+v, %+v", r, r.Error)
	}
	s.install("/opt/4.6.0", "4.6.0")
	var runs []api.Run
	eventually(t, "the save runs", func() bool {
		k.w.save("/v/a.py", "x = 1")
		runs, _ = k.Runs(ctx, api.Filter{Name: "/v/a.py", Limit: 1})
		return runs[0].Blender == "4.6.0"
	})
	k.of("4.6.0").call(t).finish(blender.Succeeded)
	k.ended(runs[0].ID)
}
