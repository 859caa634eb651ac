//go:build !headless

package tray

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// changed waits until the engine was asked for some changes and has answered.
func (o *open) changed(want ...string) {
	o.t.Helper()
	o.until(fmt.Sprintf("changed are %q", want), func() bool {
		return slices.Equal(o.owned.changes(), want) && len(o.settings.form.asked) == 0
	})
}

func TestSettingsAreChangedOneByOne(t *testing.T) {
	o := openWindow(t)
	row := func(key string) *settingRow { return o.settings.form.row(key) }
	if n := len(o.settings.form.all); n != 5 {
		t.Fatalf("%d settings are shown, and not those with a label of the one Blender", n)
	}
	row(previewKey).words.SetSelected("cycles")
	o.changed("runs.preview=cycles")
	limit := row("runs.timeout")
	o.tabs.SelectIndex(len(o.tabs.Items) - 1)
	o.Canvas().Focus(limit.typed)
	limit.typed.SetText("5m")
	limit.typed.OnSubmitted("5m")
	limit.typed.FocusLost()
	o.changed("runs.preview=cycles", "runs.timeout=5m")
	if o.noted == "" {
		t.Error("nothing says that it holds later")
	}
	if o.Canvas().Focused() != limit.typed {
		t.Error("the change takes the focus away from the field")
	}
	// What is wrong is told beside the field, once, and what was typed stays there to be mended.
	limit.typed.SetText("wrong")
	limit.typed.OnSubmitted("wrong")
	o.until("the mistake is told", func() bool { return limit.wrong.Visible() && strings.Contains(limit.wrong.Text, "that can't be") })
	limit.typed.FocusLost()
	if len(o.settings.form.asked) != 0 {
		t.Error("leaving the field asks for the same again")
	}
	row(notifyKey).words.SetSelected("all")
	o.until("the choice is made", func() bool {
		return slices.Contains(o.owned.changes(), "tray.notify=all") && len(o.settings.form.asked) == 0
	})
	if got := limit.typed.Text; got != "wrong" || !limit.wrong.Visible() || o.covered() {
		t.Errorf("after a mistake it shows %q, and a dialog: %v", got, o.covered())
	}
	limit.typed.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if got := limit.typed.Text; got != "5m" || limit.wrong.Visible() {
		t.Errorf("taken back, it shows %q", got)
	}
	if fixed := row("blender.factory_startup"); !fixed.check.Disabled() || !strings.Contains(fixed.hint.Text, "set by the variable X") || fixed.restore.Visible() {
		t.Error("what is fixed can be changed, or nothing says why not")
	}
	// The default leaves nothing in the file, and an editor's change is shown.
	if !limit.restore.Visible() || !strings.Contains(limit.restore.Text, "none") {
		t.Errorf("the default can't be restored, by a button that says %q", limit.restore.Text)
	}
	test.Tap(limit.restore)
	o.changed("runs.preview=cycles", "runs.timeout=5m", "tray.notify=all", "runs.timeout=none")
	if limit.restore.Visible() {
		t.Error("the default can be restored again")
	}
	o.owned.mu.Lock()
	o.owned.report.Settings[1].Value = "7s"
	o.owned.mu.Unlock()
	o.shell.heard(api.Event{Kind: api.KindSettings, Message: "runs.timeout is 7s now"})
	o.until("it is shown", func() bool { return limit.typed.Text == "7s" })
}

func TestWhatIsTypedInAFieldOutlivesAChangeElsewhere(t *testing.T) {
	o := openWindow(t)
	limit := o.settings.form.row("runs.timeout")
	limit.typed.SetText("1")
	report := o.owned.Report()
	report.Settings[0].Value = "cycles"
	o.showSettings(report)
	if limit.typed.Text != "1" || o.settings.form.row(previewKey).words.Selected != "cycles" {
		t.Errorf("the fields have %q and %q", limit.typed.Text, o.settings.form.row(previewKey).words.Selected)
	}
}

func TestSettingsAreShownInGroupsAndFoundByWords(t *testing.T) {
	o := openWindow(t)
	seen := func() string {
		var all []string
		for _, g := range o.settings.groups {
			if !g.content.Visible() {
				continue
			}
			text := g.Table + ":"
			for _, r := range g.rows {
				if r.content.Visible() {
					text += " " + r.setting.Key
				}
			}
			if g.elsewhere.Visible() {
				text += " (" + g.elsewhere.Text + ")"
			}
			all = append(all, text)
		}
		return strings.Join(all, "; ")
	}
	for _, c := range []struct{ words, want string }{
		{"", "blender: blender.factory_startup (Only in settings.toml: blender.port); blenders:; runs: runs.preview runs.timeout; tray: tray.notify; window: window.editor"},
		{"limit OF", "runs: runs.timeout"},
		{"desktop", "tray: tray.notify"},
		{"port", "blender: (Only in settings.toml: blender.port)"},
		{"b.1", "blenders:"},
		{"cheese", ""},
	} {
		o.settings.search.SetText(c.words)
		if got := seen(); got != c.want {
			t.Errorf("%q: %q", c.words, got)
		}
		if o.settings.none.Visible() != (c.want == "") || c.want == "" && !strings.Contains(o.settings.none.Text, "No setting") {
			t.Errorf("%q: it says %q", c.words, o.settings.none.Text)
		}
	}
}

func TestAFieldComesIntoSightWithTheFocus(t *testing.T) {
	o := openWindow(t)
	o.tabs.SelectIndex(len(o.tabs.Items) - 1)
	o.Resize(fyne.NewSize(700, 420))
	o.Canvas().Focus(o.settings.form.row(editorKey).typed)
	if o.settings.scroll.Offset.Y == 0 {
		t.Error("the last field stays out of sight")
	}
	o.Canvas().Focus(o.settings.form.row("blender.factory_startup").check)
	o.Canvas().Focus(o.settings.form.row("runs.timeout").typed)
	row := o.settings.form.row("runs.timeout").content
	top := fyne.CurrentApp().Driver().AbsolutePositionForObject(row).Y - fyne.CurrentApp().Driver().AbsolutePositionForObject(o.settings.scroll).Y
	if top < 0 || top+row.Size().Height > o.settings.scroll.Size().Height {
		t.Errorf("the row is at %v of %v", top, o.settings.scroll.Size())
	}
}

func TestAFurtherBlenderIsAddedChangedAndRemoved(t *testing.T) {
	o := openWindow(t)
	for key, want := range map[string]string{"blenders.b.path": "b", "blenders.4.5-beta.path": "4.5-beta", "blender.path": "", "blenders.x": ""} {
		if got, _ := blenderOf(key); got != want {
			t.Errorf("%s is of %q", key, got)
		}
	}
	o.settings.changeBlender("b.1")
	if n := len(o.settings.named.all); n != 2 {
		t.Fatalf("%d settings of the Blender are shown", n)
	}
	o.settings.named.row("blenders.b.1.path").typed.OnSubmitted("/opt/c")
	o.changed("blenders.b.1.path=/opt/c")
	if o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
		t.Error("Escape does not close it")
	}
	o.settings.addBlender()
	fields := []*entry{}
	for _, part := range test.LaidOutObjects(o.Canvas().Overlays().Top()) {
		if e, ok := part.(*entry); ok {
			fields = append(fields, e)
		}
	}
	add := func() { press(o.dialogButtons()["Add"]) }
	if add(); !o.dialogSays("Give the Blender a name") {
		t.Error("a Blender without a name is added")
	}
	fields[0].SetText("b.1")
	fields[1].SetText("wrong")
	if add(); !o.dialogSays("already") {
		t.Error("a Blender with a name that is there is added")
	}
	fields[0].SetText("old")
	add()
	o.until("it says why not", func() bool { return o.dialogSays("that can't be") })
	fields[1].SetText("/opt/old")
	add()
	o.until("it is added", func() bool { return !o.covered() })
	o.changed("blenders.b.1.path=/opt/c", "blenders.old.path=/opt/old")
	if !slices.Equal(o.host.chosen, []string{"wrong", "/opt/old"}) {
		t.Errorf("asked were %q", o.host.chosen)
	}
	o.settings.removeBlender("b.1")
	press(o.dialogButtons()["Remove"])
	o.changed("blenders.b.1.path=/opt/c", "blenders.old.path=/opt/old", "blenders.b.1=<nil>")
}

func TestAPathIsChosenInADialog(t *testing.T) {
	o := openWindow(t)
	o.settings.changeBlender("b.1")
	o.shell.cfg.Choose = chooserOf("/opt/d/blender")
	test.Tap(o.settings.named.row("blenders.b.1.path").browse)
	o.changed("blenders.b.1.path=/opt/d/blender")
}

func TestEachLanguageHasItsOwnQuotationMarks(t *testing.T) { // not parallel: it changes what all texts are
	defer speak("en")
	const help = "With `\"idle\"`, this machine takes jobs only while nobody uses it. A job that is running goes on."
	for language, want := range map[string]string{"en": "“idle”", "de": "„idle“", "zh": "“idle”"} {
		speak(language)
		if got := hintOf(api.Setting{Help: help}); !strings.Contains(got, want) || strings.Contains(got, "`") {
			t.Errorf("%s: %q has no %s", language, got, want)
		}
	}
	speak("de")
	if got := took(api.Run{State: api.Succeeded, StartedAt: &now, Seconds: 1.81234}); got != "1,8 s (1,8123 s)" {
		t.Errorf("a run took %q", got)
	}
}
