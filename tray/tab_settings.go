//go:build !headless

package tray

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// settingsForm shows settings and has the engine change them one by one. It decides nothing: when
// the engine refuses a change, the form shows the error beside the field, and leaves in the field what
// was typed.
type settingsForm struct {
	window *window
	rows   *fyne.Container
	// change has the engine change a setting to a text, or to its default when the text is "".
	change func(ctx context.Context, key, text string) (api.SettingsReport, error)

	shown   []api.Setting
	filling bool
	// asked has the texts that the engine was asked to set and has not answered yet, by key. Enter
	// sets a field, and leaving the field sets it again.
	asked map[string]string
	// refused has the texts that the engine has refused and that still stand in their fields, by key.
	refused map[string]refusedText
	errors  map[string]*widget.Label // the labels for the errors, by key
}

// refusedText is a text that can't be the value of a setting, and why.
type refusedText struct{ text, why string }

func newSettingsForm(w *window, change func(ctx context.Context, key, text string) (api.SettingsReport, error)) *settingsForm {
	return &settingsForm{window: w, change: change, rows: container.NewVBox(), asked: map[string]string{}, refused: map[string]refusedText{}, errors: map[string]*widget.Label{}}
}

// show shows the settings that have a label.
func (f *settingsForm) show(all []api.Setting) {
	all = slices.DeleteFunc(slices.Clone(all), func(s api.Setting) bool { return s.Label == "" })
	if slices.EqualFunc(all, f.shown, func(a, b api.Setting) bool {
		return a.Key == b.Key && a.Text() == b.Text() && a.Fixed == b.Fixed
	}) {
		return
	}
	f.shown = all
	f.rows.RemoveAll()
	f.filling = true
	for _, s := range all {
		f.rows.Add(f.row(s))
	}
	f.filling = false
	f.rows.Refresh()
}

// showAgain replaces what was typed by the values that hold.
func (f *settingsForm) showAgain() {
	all := f.shown
	f.shown = nil
	f.show(all)
}

func (f *settingsForm) row(s api.Setting) fyne.CanvasObject {
	hint := plainHelp(s)
	if s.Fixed != "" {
		hint = "It can't be changed here: it is " + s.Fixed + "."
	}
	label := widget.NewLabel(settingLabel(s) + "\n" + hint)
	label.Wrapping = fyne.TextWrapWord
	wrong := widget.NewLabel("")
	wrong.Wrapping = fyne.TextWrapWord
	wrong.Importance = widget.DangerImportance
	wrong.Hide()
	f.errors[s.Key] = wrong
	field := f.field(s)
	f.showError(s.Key)
	if d, ok := field.(fyne.Disableable); ok && s.Fixed != "" {
		d.Disable()
	}
	return container.NewBorder(nil, wrong, nil, container.NewGridWrap(fyne.NewSize(230, 38), field), label)
}

func (f *settingsForm) field(s api.Setting) fyne.CanvasObject {
	set := func(text string) { f.set(s, text) }
	switch s.Type {
	case api.TypeBool:
		check := widget.NewCheck("", func(on bool) {
			if on {
				set("true")
			} else {
				set("false")
			}
		})
		check.SetChecked(s.Value == true)
		return check
	case api.TypeWord:
		words := widget.NewSelect(s.Words, set)
		words.SetSelected(s.Text())
		return words
	default:
		entry := &settingEntry{entry: entry{typed: f.window.typed}, set: set, window: f.window}
		entry.SetText(s.Text())
		if refused, ok := f.refused[s.Key]; ok {
			entry.SetText(refused.text)
		}
		entry.escape = func() bool { return f.forget(s, entry) }
		entry.OnSubmitted = set
		entry.ExtendBaseWidget(entry)
		return entry
	}
}

// isTyped reports whether a person types the value of a setting and does not choose it.
func isTyped(s api.Setting) bool { return s.Type != api.TypeBool && s.Type != api.TypeWord }

// showError shows beside a field why the engine has refused what stands in the field, if it has.
func (f *settingsForm) showError(key string) {
	label := f.errors[key]
	why := f.refused[key].why
	if label.Text == why {
		return
	}
	label.SetText(why)
	label.Hidden = why == ""
	f.rows.Refresh()
}

// forget puts the value that holds back into a field whose text was refused. It returns false when
// nothing was refused.
func (f *settingsForm) forget(s api.Setting, field *settingEntry) bool {
	if _, ok := f.refused[s.Key]; !ok {
		return false
	}
	delete(f.refused, s.Key)
	field.SetText(s.Text())
	f.showError(s.Key)
	return true
}

// set has the engine set a setting, unless the form is only being filled or the setting has that
// value already. The default removes the setting from the file.
func (f *settingsForm) set(s api.Setting, text string) {
	text = strings.TrimSpace(text)
	if refused, ok := f.refused[s.Key]; ok && text == refused.text && !f.filling {
		return // it was told already; Enter sets a field, and leaving the field sets it again
	}
	if asked, ok := f.asked[s.Key]; f.filling || ok && text == asked || !ok && text == s.Text() {
		return
	}
	f.asked[s.Key] = text
	typed := text
	if text == api.ValueText(s.Default) {
		text = ""
	}
	f.window.change(func(ctx context.Context) (api.SettingsReport, error) {
		return f.change(ctx, s.Key, text)
	}, func(err error) {
		delete(f.asked, s.Key)
		delete(f.refused, s.Key)
		if err != nil && isTyped(s) {
			f.refused[s.Key] = refusedText{typed, err.Error()}
			f.showError(s.Key)
			return
		}
		if err != nil {
			f.showAgain() // a choice goes back to what holds
			f.refused[s.Key] = refusedText{typed, err.Error()}
			f.showError(s.Key)
			delete(f.refused, s.Key)
			return
		}
		f.showAgain() // 90s was typed, and 1m30s is shown
		switch s.Holds {
		case api.HoldsFromBlenderStart:
			f.window.noteRestart("The change takes effect at the next start of Blender.")
		case api.HoldsFromWindowStart:
			f.window.note(lang.L("The change takes effect when the window is opened again."))
		}
	})
}

// settingEntry is a field that also sets the setting when the field loses the focus.
type settingEntry struct {
	entry
	set    func(string)
	escape func() bool // takes back what was refused, and returns false when nothing was
	window *window
}

// TypedKey takes Escape for itself while its text is refused. Else Escape closes the dialog in which
// the field may be.
func (e *settingEntry) TypedKey(key *fyne.KeyEvent) {
	if key.Name != fyne.KeyEscape {
		e.entry.TypedKey(key)
	} else if answer := e.window.Canvas().OnTypedKey(); !e.escape() && answer != nil {
		answer(key)
	}
}

func (e *settingEntry) FocusLost() {
	e.entry.FocusLost()
	e.set(e.Text)
}

// newSettingsTab returns the tab Settings, and the form in it.
func newSettingsTab(w *window) (content fyne.CanvasObject, form *settingsForm) {
	client := w.shell.cfg.Client
	form = newSettingsForm(w, func(ctx context.Context, key, text string) (api.SettingsReport, error) {
		if text == "" {
			return client.UnsetSetting(ctx, key)
		}
		return client.SetSetting(ctx, key, text)
	})
	return container.NewVScroll(container.NewPadded(container.NewVBox(form.rows))), form
}

// markdownLink matches a link in parentheses, as the help of a setting may have one.
var markdownLink = regexp.MustCompile(`\s*\(\[[^\]]*\]\([^)]*\)\)`)

// plainHelp returns the help of a setting without Markdown, and how its value is written.
func plainHelp(s api.Setting) string {
	text := strings.NewReplacer("`", "", `"`, "").Replace(markdownLink.ReplaceAllString(settingHelp(s), ""))
	switch s.Type {
	case api.TypeDuration:
		text += "; such as 30s, 1h30m, or none"
	case api.TypeSize:
		text += "; such as 512MB, 8GB, or none"
	}
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
