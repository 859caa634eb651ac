//go:build !headless

package tray

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// tapChip takes a part of the filter away.
func tapChip(o *open, i int) { test.Tap(o.runs.chips.Objects[i].(*widget.Button)) }

func TestRunsAreListedByScript(t *testing.T) {
	o := openWindow(t, failed("/srv/a/part.py"), succeeded("/srv/a/part.py"), succeeded("/srv/b/part.py"), failed("/srv/other.py"))
	o.Resize(fyne.NewSize(900, 600))
	o.until("the runs are there", func() bool { return len(o.runs.activity.runs) == 4 })
	o.runs.setGrouped(true)
	l := o.runs.scripts
	o.until("the scripts are listed", func() bool { return len(l.scripts) == 3 })
	if !l.list.Visible() || o.runs.list.Visible() || o.runs.empty.Text != "" {
		t.Errorf("the runs are in sight, or it says %q", o.runs.empty.Text)
	}
	row := newScriptRow()
	l.fill(2, row)
	if s := l.scripts[2]; s.Script != "/srv/a/part.py" || l.nameOf(s) != "a/part.py (2)" || l.nameOf(l.scripts[0]) != "other.py (1)" {
		t.Errorf("the scripts are %+v", l.scripts)
	}
	if signs := signsOf(row); signs != "✗✓" {
		t.Errorf("its verdicts are %s, and the newest is to be the last", signs)
	}
	// What comes is shown, too.
	o.backend.add(succeeded("/srv/new.py"))
	o.until("a new script is listed first", func() bool { return len(l.scripts) == 4 && l.scripts[0].Script == "/srv/new.py" })
	// A click shows the runs of a script, and its newest run.
	l.list.Select(3)
	o.until("the runs of the script are listed", func() bool { return len(o.runs.activity.runs) == 2 && o.runs.detail.run.ID == "2" })
	if !o.runs.list.Visible() || l.list.Visible() || len(o.runs.chips.Objects) != 1 {
		t.Error("the scripts are still in sight, or the script can't be taken out of the filter")
	}
	o.runs.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	o.until("the scripts are listed again", func() bool { return l.list.Visible() && len(l.scripts) == 4 })
	if o.Canvas().Focused() != fyne.Focusable(l.list) {
		t.Error("the keys go elsewhere")
	}
	l.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	o.until("Enter opens a script, too", func() bool { return o.runs.filter.Script == "/srv/new.py" && len(o.runs.activity.runs) == 1 })
	o.runs.setGrouped(false)
	o.until("all runs are listed", func() bool { return len(o.runs.activity.runs) == 5 })
	o.runs.setGrouped(true)
	// No machine of the farm has begun this run.
	o.backend.add(api.Run{Script: "/srv/far.py", State: api.Running, Blender: "farm"})
	o.until("the run is listed", func() bool { return len(l.scripts) > 0 && l.scripts[0].Script == "/srv/far.py" })
	l.fill(0, row)
	if signs := signsOf(row); signs != "…" {
		t.Errorf("with a run that waits for a machine the verdict is %s", signs)
	}
	o.runs.setFilter(runFilter{States: "Cancelled"})
	o.until("it says that there is nothing", func() bool { return o.runs.empty.Text == "No run matches: Cancelled." })
}

func TestTheScriptsInSightStayWhenRunsCome(t *testing.T) {
	o := openWindow(t, many(200)...)
	o.Resize(fyne.NewSize(900, 600))
	o.runs.setGrouped(true)
	l := o.runs.scripts
	o.until("the scripts are listed", func() bool { return len(l.scripts) == 200 })
	l.list.ScrollToOffset(3000)
	height := heightIn(&l.list.List, newScriptRow())
	before := l.scripts[int(l.list.GetScrollOffset()/height)].Script
	o.backend.add(succeeded("/srv/more.py"))
	o.until("another is listed", func() bool { return len(l.scripts) == 201 })
	if after := l.scripts[int(l.list.GetScrollOffset()/height)].Script; after != before {
		t.Errorf("%s is in sight where %s was", after, before)
	}
	if words := o.runs.emptyWords(); words != "" {
		t.Errorf("it says %q", words)
	}
}

// What was deleted or lost is asked for again, and who has scrolled stays at the same runs.
func TestTheRunsInSightStayWhenTheListIsMadeAgain(t *testing.T) {
	o := openWindow(t, many(1200)...)
	o.Resize(fyne.NewSize(900, 600))
	o.until("a page is listed", func() bool { return len(o.runs.activity.runs) == pageRuns })
	o.runs.list.ScrollToBottom()
	o.until("the next is listed", func() bool { return len(o.runs.activity.runs) > pageRuns })
	o.runs.list.Select(700)
	o.runs.list.ScrollToOffset(600*o.runs.lineHeight() + 7)
	top, into := o.runs.place()
	chosen := o.runs.detail.run.ID
	b := o.backend
	b.mu.Lock()
	b.runs = append(b.runs[:3:3], b.runs[10:]...)
	b.tellLocked(api.Event{Kind: api.KindHistory})
	b.mu.Unlock()
	o.until("the list is made again", func() bool { return o.found != nil || o.runs.loading })
	o.until("the same runs are in sight", func() bool {
		now, by := o.runs.place()
		return o.found == nil && now == top && by > into-1 && by < into+1
	})
	if o.runs.detail.run.ID != chosen {
		t.Errorf("run %s is shown, and %s was chosen", o.runs.detail.run.ID, chosen)
	}
	// A single run that goes takes nothing else along.
	if err := b.DeleteRun(t.Context(), "600"); err != nil {
		t.Fatal(err)
	}
	asked := o.runs.asked
	o.until("it has left the list", func() bool { return o.runs.activity.index("600") < 0 })
	if o.runs.asked != asked {
		t.Error("the whole list was made again")
	}
}

func TestAFilterIsShownAndTakenAwayPartByPart(t *testing.T) {
	in := succeeded("/srv/in/a.py")
	in.Folder = "/srv/in"
	o := openWindow(t, in, succeeded("/srv/b.py"), failed("/srv/in/c.py"))
	o.runs.setFilter(runFilter{Search: "a", States: "Succeeded", Folder: "/srv/in"})
	o.until("one is listed", func() bool { return len(o.runs.activity.runs) == 1 })
	if n := len(o.runs.chips.Objects); n != 2 || o.runs.search.Text != "a" || !o.runs.chips.Visible() {
		t.Errorf("%d parts are shown, and the search is %q", n, o.runs.search.Text)
	}
	tapChip(o, 0)
	o.runs.search.SetText("")
	tapChip(o, 0)
	o.until("all are listed", func() bool { return len(o.runs.activity.runs) == 3 })
	if o.runs.chips.Visible() || o.runs.filter != (runFilter{}) {
		t.Errorf("the filter is %+v", o.runs.filter)
	}
}

func TestAListOfScriptsThatIsNotWholeSaysSo(t *testing.T) {
	o := openWindow(t)
	o.runs.setGrouped(true)
	o.runs.scripts.show(make([]api.ScriptRuns, maxScripts))
	o.runs.refresh()
	if o.runs.hint.Hidden || !strings.Contains(o.runs.hint.Text, "A search or a filter finds the others.") {
		t.Errorf("it says %q", o.runs.hint.Text)
	}
	o.runs.scripts.show(nil)
	o.runs.refresh()
	if !o.runs.hint.Hidden || o.runs.hint.Text != "" {
		t.Errorf("a list that is whole says %q", o.runs.hint.Text)
	}
}

// signsOf returns the verdicts that a line of the list shows.
func signsOf(row fyne.CanvasObject) string {
	signs := ""
	for _, sign := range row.(*fyne.Container).Objects[1].(*fyne.Container).Objects[0].(*fyne.Container).Objects {
		signs += sign.(*canvas.Text).Text
	}
	return signs
}
