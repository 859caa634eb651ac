//go:build !headless

package tray

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// dialogButtons returns the buttons of the dialog that is open, by their texts.
func (o *open) dialogButtons() map[string]*widget.Button {
	all := map[string]*widget.Button{}
	if top := o.Canvas().Overlays().Top(); top != nil {
		for _, part := range test.LaidOutObjects(top) {
			switch b := part.(type) {
			case *widget.Button:
				all[b.Text] = b
			case *settingButton:
				all[b.Text] = &b.Button
			}
		}
	}
	return all
}

// dialogSays reports whether the dialog that is open has a text.
func (o *open) dialogSays(text string) bool {
	top := o.Canvas().Overlays().Top()
	if top == nil {
		return false
	}
	for _, part := range test.LaidOutObjects(top) {
		if l, ok := part.(*widget.Label); ok && strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

// isRunning has the window take a run for running.
func (o *open) isRunning(own bool) {
	o.shell.mu.Lock()
	o.shell.state = attached(api.BlenderRunning, running(nil))
	o.shell.told.Own = own
	o.shell.mu.Unlock()
	o.show(o.shell.now())
}

func TestWhatEndsARunAsksFirst(t *testing.T) {
	for _, c := range []struct {
		press  func(o *open)
		asks   string
		answer string
	}{
		{func(o *open) { test.Tap(o.stop) }, "turntable.py is running. This ends the run.", "Stop Blender"},
		{func(o *open) { test.Tap(o.blender.restart) }, "turntable.py is running. This ends the run.", "Restart Blender"},
		{func(o *open) { o.shell.quit() }, "turntable.py is running. This ends the run.", "Quit"},
		// What the tray asks for, in a window that may not know yet what is running.
		{func(o *open) {
			o.shell.obey(order{Show: 1, Ask: askStop, Words: "2 runs are running. This ends them."})
		}, "2 runs", "Stop Blender"},
		{func(o *open) { o.shell.obey(order{Show: 1, Ask: askRestart, Words: "a.py is running."}) }, "a.py", "Restart Blender"},
		{func(o *open) { o.shell.obey(order{Show: 1, Ask: askQuit, Words: "a.py is running."}) }, "a.py", "Quit"},
	} {
		o := openWindow(t)
		o.isRunning(true)
		c.press(o)
		if !o.dialogSays(c.asks) || o.dialogButtons()[c.answer] == nil {
			t.Errorf("for %q the dialog has no %q: %v", c.asks, c.answer, o.dialogButtons())
		}
	}
	// Where nothing runs, or the engine is not the tray's, nothing is asked.
	o := openWindow(t)
	test.Tap(o.stop)
	if o.Canvas().Overlays().Top() != nil {
		t.Error("it asks although nothing is running")
	}
	o.isRunning(false)
	o.shell.quit()
	if o.Canvas().Overlays().Top() != nil || o.told.last() != `{"quit":true}` {
		t.Errorf("it asks, or told %s", o.told.last())
	}
}

func TestTheMenuAsksInTheWindow(t *testing.T) {
	t.Parallel()
	for do, want := range map[Do]question{StopBlender: askStop, RestartBlender: askRestart, Quit: askQuit} {
		quits := false
		s := newIndicator(context.Background(), func() { quits = true }, Config{Own: func() bool { return true }})
		s.state = attached(api.BlenderRunning, running(nil))
		s.clicked(Item{Do: do})
		if o := <-s.window.orders; o.Ask != want || !strings.Contains(o.Words, "turntable.py is running") || quits {
			t.Errorf("for %v the window is told %+v", do, o)
		}
	}
	quits := false
	s := newIndicator(context.Background(), func() { quits = true }, Config{})
	s.state = attached(api.BlenderReady)
	if s.clicked(Item{Do: Quit}); !quits {
		t.Error("it does not quit although nothing is running")
	}
}

func TestTheTrayHearsWhetherTheWindowHasTheFocus(t *testing.T) {
	o := openWindow(t)
	o.shell.focused(true)
	s := newIndicator(context.Background(), nil, Config{})
	messages(strings.NewReader(o.told.last()), s.asked)
	if !s.notices.watched {
		t.Errorf("told was %s", o.told.last())
	}
	o.shell.focused(false)
	if messages(strings.NewReader(o.told.last()), s.asked); s.notices.watched {
		t.Errorf("told was %s", o.told.last())
	}
}

func TestWithoutAnEngineTheWindowOffersToStartOneAndClaimsNothing(t *testing.T) {
	o := openWindow(t)
	o.show(State{Link: Lost})
	if !o.engine.Visible() || !strings.Contains(o.banner.Text, "No folder is watched and nothing runs") {
		t.Errorf("the banner says %q", o.banner.Text)
	}
	if text := o.folders.rows.Objects[0].(*widget.Label).Text; strings.Contains(text, "No folder") {
		t.Errorf("the folders claim %q", text)
	}
	if state := o.blender.values["State"].Text; state != "–" {
		t.Errorf("Blender is said to be %q", state)
	}
	test.Tap(o.engine)
	if got := o.told.last(); got != `{"start_engine":true}` {
		t.Errorf("the tray was told %s", got)
	}
	o.show(State{Link: Connecting, Trouble: "the database is broken"})
	if !o.engine.Visible() || o.banner.Text != "the database is broken" {
		t.Errorf("an engine that could not be started: %q", o.banner.Text)
	}
	o.show(attached(api.BlenderReady))
	if o.engine.Visible() || o.bannerBox.Visible() {
		t.Errorf("with an engine the banner says %q", o.banner.Text)
	}
	if text := o.folders.rows.Objects[0].(*widget.Label).Text; text != "No folder is watched." {
		t.Errorf("of an engine without folders it says %q", text)
	}
}

func TestAScriptThatIsDroppedRunsAndItsFolderIsOffered(t *testing.T) {
	o := openWindow(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "Hello.PY")
	if err := os.WriteFile(script, []byte("print(1)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.tabs.SelectIndex(o.tabOf(o.folders.content))
	o.folders.dropped([]fyne.URI{storage.NewFileURI(script)})
	o.until("it has run and is shown", func() bool { return o.tabs.SelectedIndex() == 0 && o.runs.detail.run.ID == "1" })
	if !o.watch.Visible() || len(o.owned.changes()) != 0 {
		t.Errorf("the banner says %q, and changed are %q", o.banner.Text, o.owned.changes())
	}
	test.Tap(o.watch)
	o.until("its folder is watched", func() bool { return slices.Equal(o.owned.changes(), []string{"folder=" + dir}) })
	if o.watch.Visible() {
		t.Error("the offer stays")
	}
	// A script of a watched folder needs no offer, and a script that is not there is told.
	o.folders.shown = []api.FolderStatus{{Path: filepath.Dir(dir)}}
	o.folders.dropped([]fyne.URI{storage.NewFileURI(script)})
	o.until("it has run again", func() bool { return o.runs.detail.run.ID == "2" })
	if o.watch.Visible() {
		t.Error("a folder that is watched is offered")
	}
	o.folders.dropped([]fyne.URI{storage.NewFileURI(filepath.Join(dir, "none.py"))})
	o.until("the mistake is told", func() bool { return o.Canvas().Overlays().Top() != nil })
}

func TestADialogHearsEnterAndEscapeAndCoversTheShortcuts(t *testing.T) {
	o := openWindow(t)
	press := func(name fyne.KeyName) { o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: name}) }
	yes := 0
	ask := func() { o.confirm("Sure?", "It is for ever.", "Yes", func() { yes++ }) }
	for _, c := range []struct {
		key  fyne.KeyName
		want int
	}{{fyne.KeyEscape, 0}, {fyne.KeyReturn, 1}, {fyne.KeyEscape, 1}, {fyne.KeyEnter, 2}} {
		ask()
		if !o.covered() {
			t.Fatal("no dialog is open")
		}
		at := o.tabs.SelectedIndex()
		for _, s := range o.shortcuts() {
			if s.key == fyne.Key4 || s.key == fyne.KeyQ || s.key == fyne.KeyPeriod {
				o.run(s)
			}
		}
		if o.tabs.SelectedIndex() != at || o.told.last() != "" {
			t.Errorf("beneath the dialog a shortcut went to tab %d and told %q", o.tabs.SelectedIndex(), o.told.last())
		}
		press(c.key)
		if o.covered() || yes != c.want || o.Canvas().OnTypedKey() != nil {
			t.Errorf("after %s a dialog is open: %v, and yes was said %d times, want %d", c.key, o.covered(), yes, c.want)
		}
	}
	for _, c := range []func(){
		func() { o.fail(errors.New("it is broken")) },
		func() { o.folders.change("/srv/scripts") },
		func() { o.blender.choose() },
	} {
		c()
		o.until("a dialog is open", o.covered)
		if press(fyne.KeyEscape); o.covered() {
			t.Error("Escape does not close it")
		}
	}
	// In a field of a dialog, Escape closes the dialog, too.
	o.folders.change("/srv/scripts")
	field := o.folders.form.row("scene").typed
	if field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
		t.Error("Escape in a field does not close the dialog")
	}
	// So it does where a button, a check or a choice has the focus.
	o.about()
	if o.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
		t.Error("Escape on a button does not close the dialog")
	}
	o.report.Folders = []api.FolderReport{{Path: "/srv/scripts", Settings: []api.Setting{
		{Key: "farm", Label: "Farm", Type: api.TypeBool, Value: false},
		{Key: "trust", Label: "Trust", Type: api.TypeWord, Words: []string{"me", "anyone"}, Value: "me"},
	}}}
	for name, at := range map[string]func() fyne.Focusable{
		"check": func() fyne.Focusable { return o.folders.form.row("farm").check },
		"words": func() fyne.Focusable { return o.folders.form.row("trust").words },
	} {
		o.folders.change("/srv/scripts")
		if at().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
			t.Errorf("Escape on a %s does not close the dialog", name)
		}
	}
}
