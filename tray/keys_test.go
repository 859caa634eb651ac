//go:build !headless

package tray

import (
	"fmt"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// marked returns a function that returns which line the list of a window marks, or -1.
func marked(o *open) func() int {
	at, selected := -1, o.runs.list.OnSelected
	o.runs.list.OnSelected = func(i int) {
		at = i
		selected(i)
	}
	o.runs.list.OnUnselected = func(int) { at = -1 }
	return func() int { return at }
}

func many(n int) (all []api.Run) {
	for i := range n {
		all = append(all, succeeded(fmt.Sprintf("/srv/%d.py", i+1)))
	}
	return all
}

func TestTheMarkStaysOnTheRunThatIsShown(t *testing.T) {
	o := openWindow(t, many(3)...)
	mark := marked(o)
	o.until("the newest is marked", func() bool { return o.runs.detail.run.ID == "3" && o.runs.activity.index("3") == 0 })
	o.runs.list.Select(1)
	for n := 4; n <= 6; n++ {
		o.backend.add(succeeded("/srv/more.py"))
		o.until("another is listed", func() bool { return len(o.runs.activity.runs) == n })
	}
	if o.runs.detail.run.ID != "2" || mark() != 4 {
		t.Errorf("run %s is shown, and line %d is marked", o.runs.detail.run.ID, mark())
	}
	// Who goes back to the newest run sees the newest from then on.
	o.runs.list.Select(0)
	o.backend.add(succeeded("/srv/last.py"))
	o.until("the newest is shown", func() bool { return o.runs.detail.run.ID == "7" && mark() == 0 })
	// A run that the search does not find stays shown, and no line is marked.
	test.Type(o.runs.search, "more")
	o.until("three are found", func() bool { return len(o.runs.activity.runs) == 3 })
	if id := o.runs.detail.run.ID; mark() != 0 || id != "6" {
		t.Errorf("of what is found run %s is shown, and line %d is marked", id, mark())
	}
}

func TestTheLinesThatOneLooksAtStayWhenRunsCome(t *testing.T) {
	o := openWindow(t, many(100)...)
	o.Resize(fyne.NewSize(900, 600))
	o.until("they are listed", func() bool { return len(o.runs.activity.runs) == 100 })
	o.runs.list.ScrollTo(50)
	before := o.runs.list.GetScrollOffset()
	o.backend.add(succeeded("/srv/more.py"))
	o.until("another is listed", func() bool { return len(o.runs.activity.runs) == 101 })
	o.runs.list.ScrollTo(51) // the line of the shown run is in sight, so nothing moves
	row := o.runs.list.GetScrollOffset() - before
	if row < 20 || row > 80 {
		t.Errorf("the list moved by %v", row)
	}
	o.runs.list.ScrollToTop()
	o.backend.add(succeeded("/srv/more.py"))
	o.until("another is listed", func() bool { return len(o.runs.activity.runs) == 102 })
	if at := o.runs.list.GetScrollOffset(); at != 0 {
		t.Errorf("who was at the top is at %v", at)
	}
}

func TestTheArrowKeysChooseARun(t *testing.T) {
	o := openWindow(t, many(30)...)
	mark := marked(o)
	o.until("they are listed", func() bool { return len(o.runs.activity.runs) == 30 && o.runs.detail.run.ID == "30" })
	for _, step := range []struct {
		key  fyne.KeyName
		want string
	}{
		{fyne.KeyUp, "30"},
		{fyne.KeyDown, "29"},
		{fyne.KeyPageDown, "19"},
		{fyne.KeyEnd, "1"},
		{fyne.KeyDown, "1"},
		{fyne.KeyUp, "2"},
		{fyne.KeyPageUp, "12"},
		{fyne.KeyHome, "30"},
	} {
		o.runs.list.TypedKey(&fyne.KeyEvent{Name: step.key})
		if id := o.runs.detail.run.ID; id != step.want || o.runs.activity.index(id) != max(0, mark()) {
			t.Errorf("after %s run %s is shown and line %d marked, want run %s", step.key, id, mark(), step.want)
		}
	}
}

func TestTheShortcutsHoldWhereverOneTypes(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"))
	o.until("the run is shown", func() bool { return o.runs.detail.run.ID == "1" })
	press := func(key fyne.KeyName) {
		s := &desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}
		// As in Fyne, the widget that has the focus gets the shortcut, or else the window.
		if focused, ok := o.Canvas().Focused().(fyne.Shortcutable); ok {
			focused.TypedShortcut(s)
			return
		}
		o.typed(s)
	}
	for _, step := range []struct {
		key   fyne.KeyName
		tab   int
		focus fyne.Focusable
	}{
		{fyne.Key3, 2, o.queue.list},
		{fyne.KeyK, 0, o.runs.search},
		{fyne.KeyF, 0, o.runs.detail.output.find},
		{fyne.Key2, 1, o.pictures.grid},
		{fyne.KeyF, 1, o.pictures.search},
		{fyne.Key6, 5, o.console.code},
		{fyne.Key8, 7, o.settings.search},
		{fyne.KeyF, 7, o.settings.search},
		{fyne.Key1, 0, o.runs.list},
	} {
		press(step.key)
		if at, focus := o.tabs.SelectedIndex(), o.Canvas().Focused(); at != step.tab || focus != step.focus {
			t.Errorf("after %s it is in tab %d at %T, want %d at %T", step.key, at, focus, step.tab, step.focus)
		}
	}
	o.Canvas().Focus(o.runs.search)
	press(fyne.KeyR)
	o.until("it ran again", func() bool { return len(o.runs.activity.runs) == 2 })
	press(fyne.KeyE)
	o.until("it is opened", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return len(o.host.opened) == 1
	})
	o.until("the console can be used", func() bool { o.show(o.shell.now()); return !o.console.run.Disabled() })
	press(fyne.Key6)
	o.console.code.SetText("x = 5")
	press(fyne.KeyR)
	o.until("the console has run it", func() bool { return strings.Contains(o.console.output.pane.Text(), "result = 5") })
	// What keys do in Activity, they do there alone, also where a field has the focus.
	chord := func(key fyne.KeyName, mod fyne.KeyModifier) {
		s := &desktop.CustomShortcut{KeyName: key, Modifier: mod}
		if focused, ok := o.Canvas().Focused().(fyne.Shortcutable); ok {
			focused.TypedShortcut(s)
			return
		}
		o.typed(s)
	}
	chord(fyne.Key2, fyne.KeyModifierAlt)
	chord(fyne.KeyM, fyne.KeyModifierShortcutDefault)
	if o.covered() || o.runs.detail.pane() != "output" {
		t.Errorf("keys of Activity do something in another tab: a menu %v, the tab %s", o.covered(), o.runs.detail.pane())
	}
	press(fyne.KeyK)
	chord(fyne.Key2, fyne.KeyModifierAlt)
	if o.runs.detail.pane() != "code" || o.Canvas().Focused() != fyne.Focusable(o.runs.detail.code.view.pane) {
		t.Errorf("the tab %s of the run is in sight, and the keys go to %T", o.runs.detail.pane(), o.Canvas().Focused())
	}
	press(fyne.KeyF)
	if o.Canvas().Focused() != fyne.Focusable(o.runs.detail.code.view.find) {
		t.Errorf("text is searched in %T", o.Canvas().Focused())
	}
	chord(fyne.KeyM, fyne.KeyModifierShortcutDefault)
	if !o.covered() {
		t.Error("the menu is not shown")
	}
	o.Canvas().Overlays().Remove(o.Canvas().Overlays().Top())
	press(fyne.KeyG)
	if !o.runs.grouped || o.Canvas().Focused() != fyne.Focusable(o.runs.scripts.list) {
		t.Errorf("scripts are listed: %v, and the keys go to %T", o.runs.grouped, o.Canvas().Focused())
	}
	press(fyne.KeyG)
	press(fyne.Key4)
	press(fyne.KeyR) // the key means nothing in this tab
	press(fyne.KeyE)
	if n := len(o.host.opened); n != 1 {
		t.Errorf("%d files were opened", n)
	}
	test.Type(o.runs.search, "r") // a letter by itself is a letter
	if o.runs.search.Text != "r" {
		t.Errorf("typed was %q", o.runs.search.Text)
	}
}
