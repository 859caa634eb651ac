//go:build !headless

package tray

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// settingsForm shows settings and changes them one by one. A change that can't be is told and
// taken back.
type settingsForm struct {
	window *window
	rows   *fyne.Container
	read   func() ([]Setting, error)
	change func(key, value string) error
	// done is called after a change.
	done func(Holds)

	shown   []Setting
	filling bool
}

func newSettingsForm(w *window, read func() ([]Setting, error), change func(key, value string) error, done func(Holds)) *settingsForm {
	f := &settingsForm{window: w, read: read, change: change, done: done, rows: container.NewVBox()}
	f.look()
	return f
}

// look reads the settings anew; an editor may have changed them.
func (f *settingsForm) look() {
	settings, err := f.read()
	if err != nil {
		f.shown = nil
		f.rows.RemoveAll()
		trouble := widget.NewLabel(err.Error())
		trouble.Wrapping = fyne.TextWrapWord
		trouble.Importance = widget.DangerImportance
		f.rows.Add(trouble)
		return
	}
	if slices.EqualFunc(settings, f.shown, func(a, b Setting) bool {
		return a.Key == b.Key && a.Value == b.Value && a.Fixed == b.Fixed
	}) {
		return
	}
	f.shown = settings
	f.rows.RemoveAll()
	f.filling = true
	for _, s := range settings {
		f.rows.Add(f.row(s))
	}
	f.filling = false
	f.rows.Refresh()
}

func (f *settingsForm) row(s Setting) fyne.CanvasObject {
	label := widget.NewLabel(s.Label)
	label.Wrapping = fyne.TextWrapWord
	hint := s.Help
	if s.Fixed != "" {
		hint = s.Fixed
	}
	if hint != "" {
		label.SetText(s.Label + "\n" + hint)
	}
	field := f.field(s)
	if d, ok := field.(fyne.Disableable); ok && s.Fixed != "" {
		d.Disable()
	}
	return container.NewBorder(nil, nil, nil, container.NewGridWrap(fyne.NewSize(230, 38), field), label)
}

func (f *settingsForm) field(s Setting) fyne.CanvasObject {
	set := func(value string) { f.set(s, value) }
	switch {
	case slices.Equal(s.Words, []string{"true", "false"}):
		check := widget.NewCheck("", func(on bool) {
			if on {
				set("true")
			} else {
				set("false")
			}
		})
		check.SetChecked(s.Value == "true")
		return check
	case s.Words != nil:
		words := widget.NewSelect(s.Words, set)
		words.SetSelected(s.Value)
		return words
	default:
		entry := &settingEntry{entry: entry{typed: f.window.typed}, set: set}
		entry.SetText(s.Value)
		entry.OnSubmitted = set
		entry.ExtendBaseWidget(entry)
		return entry
	}
}

// set changes a setting, unless it is being shown or is so already.
func (f *settingsForm) set(s Setting, value string) {
	at := slices.IndexFunc(f.shown, func(other Setting) bool { return other.Key == s.Key })
	if f.filling || at >= 0 && f.shown[at].Value == value {
		return
	}
	err := f.change(s.Key, value)
	f.shown = nil // what was typed goes, what holds is shown
	if err == nil {
		f.done(s.Holds)
	}
	f.look()
	if err != nil {
		f.window.fail(err)
	}
}

// settingEntry takes what was typed when it is left, too.
type settingEntry struct {
	entry
	set func(string)
}

func (e *settingEntry) FocusLost() {
	e.entry.FocusLost()
	e.set(e.Text)
}

// newSettingsTab is the tab Settings.
func newSettingsTab(w *window) (content fyne.CanvasObject, form *settingsForm) {
	host := w.shell.cfg.Host
	form = newSettingsForm(w, host.Settings, host.ChangeSetting, func(holds Holds) {
		switch holds {
		case AtOnce:
			w.folders.changed()
			w.shell.readSettings()
			w.preview.look()
		case AtBlenderStart:
			w.noteRestart("That holds from the next start of Blender on.")
		}
	})
	return container.NewVScroll(container.NewPadded(container.NewVBox(form.rows))), form
}
