package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// filters are filters of each kind.
func filters(h *house) map[string]api.Filter {
	yesterday := time.Now().Add(-24 * time.Hour)
	return map[string]api.Filter{
		"state":  {States: []api.State{api.Failed}},
		"states": {States: []api.State{api.Failed, api.Crashed, api.Succeeded}},
		"name":   {Name: "PART"},
		"script": {Script: h.path("part.py")},
		"folder": {Folder: h.watched},
		"client": {Client: "pipeline"},
		"since":  {Since: yesterday},
		"until":  {Until: yesterday},
		"pinned": {Pinned: true},
		"before": {Before: "4000"},
		"all": {
			States: []api.State{api.Failed}, Name: "part", Script: h.path("part.py"), Folder: h.watched, Client: "x",
			Since: yesterday, Until: time.Now(), Pinned: true, Before: "4000",
		},
	}
}

// A filter looks at indexes, and reads the long rows of those runs alone that it returns: the plan says
// so, whatever the machine is doing.
func TestAFilterReadsNoRowsThatItDoesNotReturn(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, f := range filters(h) {
		f, before, err := limited(f)
		if err != nil {
			t.Fatal(err)
		}
		list, args := listQuery(f, before)
		scripts, scriptsArgs := scriptsQuery(f, before)
		for what, q := range map[string]struct {
			query string
			args  []any
		}{
			"runs":    {"SELECT " + runColumns + " FROM runs " + list, args},
			"scripts": {scripts, scriptsArgs},
		} {
			rows, err := h.store.reader.Query("EXPLAIN QUERY PLAN "+q.query, q.args...)
			if err != nil {
				t.Fatalf("%s of %s: %v", what, name, err)
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(step, "SCAN runs") && !strings.Contains(step, "COVERING INDEX") {
					t.Errorf("%s of %s: %s", what, name, step)
				}
			}
			if err := rows.Err(); err != nil {
				t.Error(err)
			}
		}
	}
}

// ids returns the ids of runs, in their order.
func ids(runs []api.Run) (all []string) {
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return all
}

func TestRunsAreFilteredByWhatIsKnownOfThem(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.serve()
	h.w.save(h.path("Part.py"), "a")
	h.w.save(h.path("other.py"), "b")
	h.ended("2")
	between := time.Now()
	for _, client := range []string{"pipeline", ""} {
		r, err := h.Submit(ctx, api.Submission{Code: []byte("c"), Client: client})
		if err != nil {
			t.Fatal(err)
		}
		h.ended(r.ID)
	}
	if _, err := h.Pin(ctx, "3", true); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]api.Filter{
		"[1]":       {Name: "pART"},
		"[2]":       {Script: h.path("other.py")},
		"[2 1]":     {Folder: h.watched},
		"[3]":       {Client: "pipeline"},
		"[4 3]":     {Since: between},
		"[1] ":      {Until: between, Script: h.path("Part.py")},
		"[3] ":      {Pinned: true},
		"[4 3 2 1]": {States: []api.State{api.Succeeded, api.Failed}},
		"[]":        {States: []api.State{api.Failed}},
		"[2]  ":     {Folder: h.watched, Limit: 1},
		"[1]  ":     {Folder: h.watched, Before: "2"},
	} {
		runs, err := h.Runs(ctx, f)
		if got := fmt.Sprint(ids(runs)); err != nil || got != strings.TrimSpace(want) {
			t.Errorf("%+v: %s, %v; want %s", f, got, err, want)
		}
	}
	h.w.save(h.path("Part.py"), "d")
	h.ended("5")
	scripts, err := h.Scripts(ctx, api.Filter{Folder: h.watched}, 0)
	if err != nil || len(scripts) != 2 {
		t.Fatal(scripts, err)
	}
	if s := scripts[0]; s.Script != h.path("Part.py") || s.Folder != h.watched || s.Runs != 2 || len(s.Last) != 2 ||
		s.Last[0].ID != "5" || s.Last[1].ID != "1" || s.Last[0].State != api.Succeeded {
		t.Errorf("the first script is %+v", s)
	}
	if scripts, err = h.Scripts(ctx, api.Filter{Limit: 1}, 1); err != nil || len(scripts) != 1 || len(scripts[0].Last) != 1 || scripts[0].Runs != 2 {
		t.Errorf("the last script is %+v, %v", scripts, err)
	}
}

func TestAPinnedRunStaysAndRunsAreDeleted(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) {
		c.Runs.History, c.PreviewDir = 2, t.TempDir()
		c.Runs.Preview = api.PreviewWorkbench
	})
	h.serve()
	one := func() string {
		t.Helper()
		r := h.submit("x")
		h.call().finish("succeeded")
		h.ended(r.ID)
		return r.ID
	}
	first := one()
	if r, err := h.Pin(ctx, first, true); err != nil || !r.Pinned {
		t.Fatal(r, err)
	}
	for range 5 {
		one()
	}
	eventually(t, "the history has two runs beside the pinned run", func() bool {
		return len(h.all()) == 3
	})
	if r := h.run(first); !r.Pinned {
		t.Errorf("it is %+v", r)
	}

	// A run that is running is not deleted, and its pin stays when it ends.
	running := h.submit("y")
	call := h.call()
	if err := h.DeleteRun(ctx, running.ID); !errors.Is(err, api.ErrNotEnded) {
		t.Errorf("a run that is running: %v", err)
	}
	if _, err := h.Pin(ctx, running.ID, true); err != nil {
		t.Fatal(err)
	}
	call.finish("succeeded")
	if r := h.ended(running.ID); !r.Pinned {
		t.Errorf("it ended and is not pinned: %+v", r)
	}
	var file string
	eventually(t, "there is a preview", func() bool {
		file = h.run(running.ID).Preview
		return file != ""
	})

	// A pin is not told as another end of the run.
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	if _, err := h.Pin(ctx, running.ID, true); err != nil {
		t.Fatal(err)
	}
	// The history has the picture before the picture is told.
	if ev := await(t, sub, "the run is pinned", func(ev api.Event) bool { return ev.ID == running.ID && ev.Kind != api.KindPreview }); ev.Kind != api.KindHistory {
		t.Errorf("the pin is told as %+v", ev)
	}
	if n, err := h.ClearRuns(ctx, api.Filter{}); err != nil || n < 1 {
		t.Errorf("cleared %d, %v", n, err)
	}
	await(t, sub, "the history has changed", func(ev api.Event) bool { return ev.Kind == api.KindHistory && ev.ID == "" })
	runs, err := h.Runs(ctx, api.Filter{})
	if got := ids(runs); err != nil || !slices.Equal(got, []string{running.ID, first}) {
		t.Errorf("left are %v, %v", got, err)
	}
	if err := h.DeleteRun(ctx, running.ID); err != nil {
		t.Error(err)
	}
	await(t, sub, "the run is deleted", func(ev api.Event) bool { return ev.Kind == api.KindHistory && ev.ID == running.ID })
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its preview: %v", err)
	}
	if err := h.DeleteRun(ctx, running.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := h.Pin(ctx, "4711", true); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no such run: %v", err)
	}
	if r, err := h.Pin(ctx, first, false); err != nil || r.Pinned {
		t.Error(r, err)
	}
	h.store.mu.Lock()
	ended, pinned := h.store.ended, h.store.pinned
	h.store.mu.Unlock()
	if err := h.store.recount(); err != nil || h.store.ended != ended || h.store.pinned != pinned {
		t.Errorf("counted %d ended and %d pinned, there are %d and %d, %v", ended, pinned, h.store.ended, h.store.pinned, err)
	}
}

// What ran last decides whether a save is new, also when the run is deleted and an older run is not.
func TestTheNextEngineKnowsWhatADeletedRunHasRun(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	a := h.path("a.py")
	var newest string
	for _, code := range []string{"A", "B"} {
		h.w.save(a, code)
		c := h.call()
		c.finish(blender.Succeeded)
		newest = h.ended(c.req.ID).ID
	}
	if err := h.DeleteRun(ctx, newest); err != nil {
		t.Fatal(err)
	}
	h = h.again()
	for code, ran := range map[string]bool{"A": false, "B": true} {
		h.mu.Lock()
		l := h.last[a]
		h.mu.Unlock()
		if got := l.ran() && l.hash == hashOf([]byte(code)); got != ran {
			t.Errorf("whether %s ran last: %v", code, got)
		}
	}
	// The deletion of the older run changes nothing.
	if n, err := h.ClearRuns(ctx, api.Filter{}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	h = h.again()
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.last[a]; !l.ran() || l.hash != hashOf([]byte("B")) {
		t.Errorf("the last run is %+v", l)
	}
}

func TestARunWhoseEndIsWrittenDownLaterIsDeleted(t *testing.T) {
	t.Parallel()
	h := patient(t)
	h.submit("a")
	h.call().plain(t)
	h.ended("1")
	if scripts, err := h.Scripts(ctx, api.Filter{}, 1); err != nil || len(scripts) != 1 || scripts[0].Last[0].State != api.Succeeded {
		t.Errorf("the scripts: %+v, %v", scripts, err)
	}
	h.submit("b")
	h.call().plain(t)
	h.ended("2")
	if err := h.DeleteRun(ctx, "2"); err != nil {
		t.Error(err)
	}
	h.submit("c")
	h.call().plain(t)
	h.ended("3")
	if n, err := h.ClearRuns(ctx, api.Filter{}); err != nil || n != 2 {
		t.Errorf("cleared %d, %v", n, err)
	}
}

func TestNoTimeIsTooEarlyOrTooLateForAFilter(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("a")
	h.call().finish(blender.Succeeded)
	h.ended("1")
	for name, c := range map[string]struct {
		f    api.Filter
		want int
	}{
		"since 9999": {api.Filter{Since: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, 0},
		"until 1600": {api.Filter{Until: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}, 0},
		"since 1600": {api.Filter{Since: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}, 1},
		"until 9999": {api.Filter{Until: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, 1},
	} {
		if runs, err := h.Runs(ctx, c.f); err != nil || len(runs) != c.want {
			t.Errorf("%s: %d runs, %v", name, len(runs), err)
		}
	}
	if n, err := h.ClearRuns(ctx, api.Filter{Until: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}); err != nil || n != 0 {
		t.Errorf("cleared %d, %v", n, err)
	}
}
