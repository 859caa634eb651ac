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
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// settingsForm shows settings and has the engine change them one by one. It decides nothing: when
// the engine refuses a change, the form shows the error and the value that still holds.
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
}

func newSettingsForm(w *window, change func(ctx context.Context, key, text string) (api.SettingsReport, error)) *settingsForm {
	return &settingsForm{window: w, change: change, rows: container.NewVBox(), asked: map[string]string{}}
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
	label := widget.NewLabel(s.Label + "\n" + hint)
	label.Wrapping = fyne.TextWrapWord
	field := f.field(s)
	if d, ok := field.(fyne.Disableable); ok && s.Fixed != "" {
		d.Disable()
	}
	return container.NewBorder(nil, nil, nil, container.NewGridWrap(fyne.NewSize(230, 38), field), label)
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
		entry := &settingEntry{entry: entry{typed: f.window.typed}, set: set}
		entry.SetText(s.Text())
		entry.OnSubmitted = set
		entry.ExtendBaseWidget(entry)
		return entry
	}
}

// set has the engine set a setting, unless the form is only being filled or the setting has that
// value already. The default removes the setting from the file.
func (f *settingsForm) set(s api.Setting, text string) {
	text = strings.TrimSpace(text)
	if asked, ok := f.asked[s.Key]; f.filling || ok && text == asked || !ok && text == s.Text() {
		return
	}
	f.asked[s.Key] = text
	if text == api.ValueText(s.Default) {
		text = ""
	}
	f.window.change(func(ctx context.Context) (api.SettingsReport, error) {
		return f.change(ctx, s.Key, text)
	}, func(err error) {
		delete(f.asked, s.Key)
		if err != nil {
			f.showAgain()
			f.window.fail(err)
			return
		}
		f.showAgain() // 90s was typed, and 1m30s is shown
		if s.Holds == api.HoldsFromBlenderStart {
			f.window.noteRestart("The change takes effect at the next start of Blender.")
		}
	})
}

// settingEntry is a field that also sets the setting when the field loses the focus.
type settingEntry struct {
	entry
	set func(string)
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
	text := strings.NewReplacer("`", "", `"`, "").Replace(markdownLink.ReplaceAllString(s.Help, ""))
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
