//go:build !headless

package tray

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

func TestAFilterBecomesAQuery(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("there", 2*3600)
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, zone)
	at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, zone) }
	for _, c := range []struct {
		filter runFilter
		want   api.Filter
		words  string
	}{
		{runFilter{}, api.Filter{}, ""},
		{runFilter{Search: " Käse "}, api.Filter{Name: "käse"}, "“Käse”"},
		{runFilter{States: "Failed"}, api.Filter{States: []api.State{api.Failed, api.Crashed, api.TimedOut}}, "Failed"},
		{runFilter{States: "none"}, api.Filter{}, "none"},
		{runFilter{Folder: "/srv/a"}, api.Filter{Folder: "/srv/a"}, "in a"},
		{runFilter{Script: "/srv/a/b.py"}, api.Filter{Script: "/srv/a/b.py"}, "b.py"},
		{runFilter{Pinned: true}, api.Filter{Pinned: true}, "pinned"},
		{runFilter{When: whenToday}, api.Filter{Since: at(3, 1)}, "today"},
		{runFilter{When: whenWeek}, api.Filter{Since: at(2, 23)}, "last 7 days"},
		{runFilter{When: whenDays, From: "2026-01-31"}, api.Filter{Since: at(1, 31)}, "since 2026-01-31"},
		{runFilter{When: whenDays, To: "2026-01-31"}, api.Filter{Until: at(2, 1)}, "until 2026-01-31"},
		{runFilter{When: whenDays, From: "2026-01-01", To: "2026-01-31"}, api.Filter{Since: at(1, 1), Until: at(2, 1)}, "2026-01-01 to 2026-01-31"},
		{runFilter{When: whenDays, From: "x"}, api.Filter{}, "since x"},
		{runFilter{When: whenDays}, api.Filter{}, ""},
		{
			runFilter{Search: "a", States: "Succeeded", Folder: "/srv", When: whenToday, Pinned: true},
			api.Filter{Name: "a", States: []api.State{api.Succeeded}, Folder: "/srv", Since: at(3, 1), Pinned: true},
			"“a” · Succeeded · in srv · today · pinned",
		},
	} {
		if got := c.filter.query(now); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%+v becomes\n%+v, want\n%+v", c.filter, got, c.want)
		}
		if got := c.filter.words(); got != c.words {
			t.Errorf("%+v is told as %q, want %q", c.filter, got, c.words)
		}
		// Without all its parts a filter has the search alone.
		rest := c.filter
		for n := len(rest.chips()); n > 0; n-- {
			if rest.chips()[0].remove(&rest); len(rest.chips()) != n-1 {
				t.Errorf("%+v has %d parts", rest, len(rest.chips()))
			}
		}
		if got := rest.query(now); got.Name != c.want.Name || !(api.Filter{Since: got.Since}).All() {
			t.Errorf("of %+v there is left %+v", c.filter, got)
		}
	}
}

func TestAFilterChoosesWhatTheEngineWould(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := api.Run{Script: "/srv/Käse.py", Folder: "/srv", State: api.Failed, QueuedAt: now, Client: "me", Pinned: true}
	for _, c := range []struct {
		filter api.Filter
		want   bool
	}{
		{api.Filter{}, true},
		{api.Filter{Name: "käse"}, true},
		{api.Filter{Name: "other"}, false},
		{api.Filter{Script: "/srv/Käse.py", Folder: "/srv", Client: "me", Pinned: true, States: []api.State{api.Crashed, api.Failed}}, true},
		{api.Filter{Script: "/srv/käse.py"}, false},
		{api.Filter{Folder: "/sr"}, false},
		{api.Filter{Client: "you"}, false},
		{api.Filter{States: []api.State{api.Succeeded}}, false},
		{api.Filter{Since: now}, true},
		{api.Filter{Since: now.Add(1)}, false},
		{api.Filter{Until: now}, false},
		{api.Filter{Until: now.Add(1)}, true},
	} {
		if got := chooses(c.filter, r); got != c.want {
			t.Errorf("%+v chooses it: %v", c.filter, got)
		}
	}
	r.Pinned = false
	if chooses(api.Filter{Pinned: true}, r) {
		t.Error("a run is chosen that is not pinned")
	}
}

// choose chooses the item of a menu with a path such as "State/Failed".
func choose(t *testing.T, menu *fyne.Menu, path string) {
	t.Helper()
	word, rest, deeper := strings.Cut(path, "/")
	for _, item := range menu.Items {
		switch {
		case item.Label != word:
		case deeper:
			choose(t, item.ChildMenu, rest)
			return
		default:
			if item.Disabled {
				t.Errorf("%s can't be chosen", path)
			}
			item.Action()
			return
		}
	}
	t.Errorf("there is no %s", path)
}

func TestTheMenuOfFiltersChangesOnePart(t *testing.T) {
	t.Parallel()
	folders := []string{"/srv/a", "/srv/b"}
	f := runFilter{Search: "x", States: "Failed", Folder: "/srv/gone", When: whenToday}
	for path, want := range map[string]runFilter{
		"State/Any state":                 {Search: "x", Folder: "/srv/gone", When: whenToday},
		"State/Cancelled":                 {Search: "x", States: "Cancelled", Folder: "/srv/gone", When: whenToday},
		"Folder/Any folder":               {Search: "x", States: "Failed", When: whenToday},
		"Folder//srv/b":                   {Search: "x", States: "Failed", Folder: "/srv/b", When: whenToday},
		"Folder//srv/gone":                f,
		"Time/Any time":                   {Search: "x", States: "Failed", Folder: "/srv/gone"},
		"Time/Last 7 days":                {Search: "x", States: "Failed", Folder: "/srv/gone", When: whenWeek},
		"Only pinned runs":                {Search: "x", States: "Failed", Folder: "/srv/gone", When: whenToday, Pinned: true},
		"No filter":                       {},
		"Time/Days…":                      {Search: "days"},
		"Delete the runs of this filter…": {Search: "clear"},
	} {
		var got runFilter
		set := func(f runFilter) { got = f }
		menu := filterMenu(f, folders, set, func() { set(runFilter{Search: "days"}) }, func() { set(runFilter{Search: "clear"}) })
		// The folder's path has the sign that parts the words here.
		if folder, ok := strings.CutPrefix(path, "Folder/"); ok {
			for _, item := range menu.Items[1].ChildMenu.Items {
				if item.Label == folder {
					item.Action()
				}
			}
		} else {
			choose(t, menu, path)
		}
		if got != want {
			t.Errorf("%s makes it %+v, want %+v", path, got, want)
		}
	}
	checked := []string{}
	var look func(*fyne.Menu)
	look = func(menu *fyne.Menu) {
		for _, item := range menu.Items {
			if item.Checked {
				checked = append(checked, item.Label)
			}
			if item.ChildMenu != nil {
				look(item.ChildMenu)
			}
		}
	}
	look(filterMenu(f, folders, nil, nil, nil))
	if want := []string{"Failed", "/srv/gone", "Today"}; !slices.Equal(checked, want) {
		t.Errorf("checked are %q, want %q", checked, want)
	}
	none := filterMenu(runFilter{}, nil, nil, nil, nil)
	for _, item := range none.Items {
		if item.Label == "No filter" && !item.Disabled {
			t.Error("no filter can be taken away where there is none")
		}
	}
	choose(t, filterMenu(runFilter{}, nil, nil, nil, func() {}), "Delete all runs…")
}

func TestDaysAreAskedFor(t *testing.T) {
	old := succeeded("/srv/old.py")
	old.QueuedAt = time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)
	o := openWindow(t, old, succeeded("/srv/new.py"))
	o.until("both are listed", func() bool { return len(o.runs.activity.runs) == 2 })
	o.runs.askDays()
	field, ok := o.Canvas().Focused().(*dayEntry)
	if !ok {
		t.Fatalf("the keys go to %T", o.Canvas().Focused())
	}
	if _, ok := field.ActionItem.(*widget.Button); !ok || !slices.Contains(test.LaidOutObjects(field), fyne.CanvasObject(field.ActionItem)) {
		t.Error("the field has no calendar")
	}
	field.SetText("yesterday")
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if !o.covered() || o.runs.filter != (runFilter{}) {
		t.Errorf("what is no day is taken: %+v", o.runs.filter)
	}
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if o.covered() {
		t.Fatal("Escape does not close the dialog")
	}
	o.runs.askDays()
	field = o.Canvas().Focused().(*dayEntry)
	field.SetText("2026-01-01")
	o.Canvas().FocusNext()
	for range 3 { // the button of the calendar may come between
		if next, ok := o.Canvas().Focused().(*dayEntry); ok && next != field {
			next.SetText("2026-01-31")
			next.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
			break
		}
		o.Canvas().FocusNext()
	}
	o.until("the run of these days is listed", func() bool {
		return len(o.runs.activity.runs) == 1 && o.runs.activity.runs[0].Script == "/srv/old.py" && !o.covered()
	})
	if got := (runFilter{Search: "x"}).ofDays("2026-02-01", "2026-01-01"); got != (runFilter{Search: "x", When: whenDays, From: "2026-01-01", To: "2026-02-01"}) {
		t.Errorf("days in the wrong order become %+v", got)
	}
	if got := (runFilter{When: whenDays, From: "2026-01-01"}).ofDays("", ""); got != (runFilter{}) {
		t.Errorf("no days become %+v", got)
	}
}
