//go:build !headless

package tray

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// settingsForm shows settings and has the engine change them one by one. It decides nothing: when
// the engine refuses a change, the form shows the error beside the field, and leaves in the field what
// was typed.
type settingsForm struct {
	window *window
	rows   *fyne.Container // of all settings that are shown, in their order
	// change has the engine change a setting to a text, or to its default when the text is "".
	change func(ctx context.Context, key, text string) (api.SettingsReport, error)
	// reveal, if not nil, brings a row into sight whose field has got the focus.
	reveal func(row fyne.CanvasObject)

	all     []*settingRow
	filling bool
	closed  bool // the dialog with the form is closed
	// asked has the texts that the engine was asked to set and has not answered yet, by key. Enter
	// sets a field, and leaving the field sets it again.
	asked map[string]string
	// refused has the texts that the engine has refused and that still stand in their fields, by key.
	refused map[string]refusedText
}

// refusedText is a text that can't be the value of a setting, and why.
type refusedText struct{ text, why string }

func newSettingsForm(w *window, change func(ctx context.Context, key, text string) (api.SettingsReport, error)) *settingsForm {
	return &settingsForm{window: w, change: change, rows: container.NewVBox(), asked: map[string]string{}, refused: map[string]refusedText{}}
}

// show shows the settings that have a label. Rows that are there stay, with what is being typed in them.
func (f *settingsForm) show(all []api.Setting) {
	all = slices.DeleteFunc(slices.Clone(all), func(s api.Setting) bool { return s.Label == "" })
	if !slices.EqualFunc(all, f.all, func(s api.Setting, r *settingRow) bool { return s.Key == r.setting.Key && s.Type == r.setting.Type }) {
		f.rows.RemoveAll()
		f.all = nil
		for _, s := range all {
			r := newSettingRow(f, s)
			f.all = append(f.all, r)
			f.rows.Add(r.content)
		}
		return
	}
	for i, s := range all {
		f.all[i].show(s)
	}
}

// row returns the row of a setting, or nil.
func (f *settingsForm) row(key string) *settingRow {
	for _, r := range f.all {
		if r.setting.Key == key {
			return r
		}
	}
	return nil
}

// forget puts the value that holds back into a field whose text was refused. It returns false when
// nothing was refused.
func (f *settingsForm) forget(r *settingRow) bool {
	if _, ok := f.refused[r.setting.Key]; !ok {
		return false
	}
	delete(f.refused, r.setting.Key)
	r.showValue()
	r.showError("")
	return true
}

// set has the engine set a setting, unless the form is only being filled or the setting has that
// value already. The default removes the setting from the file.
func (f *settingsForm) set(r *settingRow, text string) {
	s := r.setting
	text = strings.TrimSpace(text)
	if refused, ok := f.refused[s.Key]; ok && text == refused.text && !f.filling {
		return // it was told already; Enter sets a field, and leaving the field sets it again
	}
	if asked, ok := f.asked[s.Key]; f.filling || ok && text == asked || !ok && text == s.Text() {
		return
	}
	f.send(r, text, text == api.ValueText(s.Default))
}

// restore has the engine take a setting out of its file.
func (f *settingsForm) restore(r *settingRow) { f.send(r, api.ValueText(r.setting.Default), true) }

// send has the engine set a setting to a text, or to its default.
func (f *settingsForm) send(r *settingRow, typed string, standard bool) {
	s := r.setting
	f.asked[s.Key] = typed
	text := typed
	if standard {
		text = ""
	}
	f.window.change(func(ctx context.Context) (api.SettingsReport, error) {
		return f.change(ctx, s.Key, text)
	}, func(err error) {
		delete(f.asked, s.Key)
		delete(f.refused, s.Key)
		if err != nil {
			if isTyped(s) {
				f.refused[s.Key] = refusedText{typed, err.Error()}
			} else {
				r.showValue() // a choice goes back to what holds
			}
			r.showError(err.Error())
			if f.closed { // nobody sees the row
				f.window.fail(err)
			}
			return
		}
		r.showError("")
		r.showValue() // 90s was typed, and 1m30s is shown
		switch s.Holds {
		case api.HoldsFromBlenderStart:
			f.window.noteRestart(lang.L("The change takes effect at the next start of Blender."))
		case api.HoldsFromWindowStart:
			f.window.note(lang.L("The change takes effect when the window is opened again."))
		}
	})
}

// isTyped reports whether a person types the value of a setting and does not choose it.
func isTyped(s api.Setting) bool { return s.Type != api.TypeBool && s.Type != api.TypeWord }

// settingRow is one setting: a label, its field, and below them what the setting does.
type settingRow struct {
	form    *settingsForm
	setting api.Setting
	content fyne.CanvasObject

	hint    *quietText
	wrong   *widget.Label
	restore *settingButton
	// field is the widget that has the value: a Check, a Select or an Entry.
	check  *settingCheck
	words  *settingSelect
	typed  *settingEntry
	browse *settingButton // chooses a path
}

const (
	// fieldWidth is how wide a field is, and pathWidth how wide the field of a path is, without its button.
	fieldWidth, pathWidth = 240, 420
	// formWidth is how wide a form becomes: longer lines are hard to read.
	formWidth = 720
)

func newSettingRow(f *settingsForm, s api.Setting) *settingRow {
	r := &settingRow{form: f, setting: s, hint: newQuietText(""), wrong: widget.NewLabel("")}
	label := widget.NewLabel(translated(s.Label))
	label.Wrapping = fyne.TextWrapWord
	r.wrong.Wrapping = fyne.TextWrapWord
	r.wrong.Importance = widget.DangerImportance
	r.wrong.Hide()
	r.restore = newSettingButton("", theme.ContentUndoIcon(), func() { f.restore(r) })
	r.restore.reveal = r.reveal
	r.restore.Importance = widget.LowImportance
	field, width := r.newField(), float32(fieldWidth)
	if s.Type == api.TypePath {
		width = pathWidth
	}
	field = container.NewGridWrap(fyne.NewSize(width, field.MinSize().Height), field)
	below := container.New(tight{2}, r.hint, container.NewHBox(r.restore), r.wrong)
	r.content = container.New(tight{7}, container.NewBorder(nil, nil, nil, field, label), below)
	r.show(s)
	return r
}

// newField returns the field of the row's setting.
func (r *settingRow) newField() fyne.CanvasObject {
	f, set := r.form, func(text string) { r.form.set(r, text) }
	switch r.setting.Type {
	case api.TypeBool:
		r.check = &settingCheck{reveal: r.reveal}
		r.check.OnChanged = func(on bool) { set(api.ValueText(on)) }
		r.check.ExtendBaseWidget(r.check)
		return r.check
	case api.TypeWord:
		r.words = &settingSelect{reveal: r.reveal}
		r.words.Options, r.words.OnChanged = r.setting.Words, set
		r.words.ExtendBaseWidget(r.words)
		return r.words
	}
	r.typed = &settingEntry{entry: entry{typed: f.window.typed}, set: set, window: f.window, reveal: r.reveal}
	r.typed.escape = func() bool { return f.forget(r) }
	r.typed.OnSubmitted = set
	r.typed.PlaceHolder = placeHolder(r.setting)
	r.typed.ExtendBaseWidget(r.typed)
	if r.setting.Type != api.TypePath {
		return r.typed
	}
	r.browse = newSettingButton("", theme.FolderOpenIcon(), r.choose)
	r.browse.reveal = r.reveal
	return container.NewBorder(nil, nil, nil, r.browse, r.typed)
}

// reveal brings the row into sight.
func (r *settingRow) reveal() {
	if r.form.reveal != nil {
		r.form.reveal(r.content)
	}
}

// choose has a person choose the path that the setting has.
func (r *settingRow) choose() {
	start := ""
	if filepath.IsAbs(r.typed.Text) {
		start = filepath.Dir(r.typed.Text)
	}
	took := func(path string) {
		r.typed.SetText(path)
		r.form.set(r, path)
	}
	switch w := r.form.window; r.setting.Path {
	case "folder":
		chooseFolder(w, translated(r.setting.Label), start, took)
	case "program":
		chooseBlender(w, start, took)
	default:
		chooseFile(w, translated(r.setting.Label), start, took)
	}
}

// show shows the setting as it is now. What is being typed stays, unless the value has changed.
func (r *settingRow) show(s api.Setting) {
	changed := s.Text() != r.setting.Text() || r.hint.Text == ""
	r.setting = s
	hint := hintOf(s)
	if hint != r.hint.Text {
		r.hint.SetText(hint)
	}
	if _, ok := r.form.refused[s.Key]; changed && !ok {
		r.showValue()
	}
	if isChanged(s) {
		r.restore.SetText(lang.L("Restore the default: {{.Value}}", map[string]any{"Value": valueWord(s)}))
		r.restore.Show()
	} else {
		r.restore.Hide()
	}
	for _, d := range []fyne.Disableable{r.check, r.words, r.typed, r.browse} {
		switch {
		case isNil(d):
		case s.Fixed != "":
			d.Disable()
		case d.Disabled():
			d.Enable()
		}
	}
	r.content.Refresh()
}

// isNil reports whether a row has no such field.
func isNil(d fyne.Disableable) bool {
	switch d := d.(type) {
	case *settingCheck:
		return d == nil
	case *settingSelect:
		return d == nil
	case *settingEntry:
		return d == nil
	case *settingButton:
		return d == nil
	}
	return true
}

// showValue puts the value that holds into the field.
func (r *settingRow) showValue() {
	r.form.filling = true
	defer func() { r.form.filling = false }()
	switch {
	case r.check != nil:
		r.check.SetChecked(r.setting.Value == true)
	case r.words != nil:
		r.words.SetSelected(r.setting.Text())
	case r.typed.Text != r.setting.Text():
		r.typed.SetText(r.setting.Text())
	}
}

// showError shows beside the field why the engine has refused what stands in the field, or removes that.
func (r *settingRow) showError(why string) {
	r.wrong.SetText(why)
	r.wrong.Hidden = why == ""
	r.content.Refresh()
	r.form.rows.Refresh()
	if why != "" {
		r.reveal() // what is wrong stands below the field
	}
}

// isChanged reports whether a person has given a setting a value that can be taken back.
func isChanged(s api.Setting) bool {
	return s.Fixed == "" && (s.From == api.FromFile || s.Text() != api.ValueText(s.Default))
}

// valueWord returns the default of a setting as a person reads it.
func valueWord(s api.Setting) string {
	switch text := api.ValueText(s.Default); {
	case s.Type == api.TypeBool && text == "true":
		return lang.L("on")
	case s.Type == api.TypeBool:
		return lang.L("off")
	case text == "":
		return lang.L("empty")
	default:
		return text
	}
}

// hintOf returns what a setting does, or why it can't be changed.
func hintOf(s api.Setting) string {
	if s.Fixed != "" {
		return lang.L("This can't be changed here: it is {{.Reason}}.", map[string]any{"Reason": plain(s.Fixed)})
	}
	return api.PlainHelp(quoteCode(settingHelp(s)))
}

// placeHolder returns how the value of a setting is written.
func placeHolder(s api.Setting) string {
	switch s.Type {
	case api.TypeDuration:
		return lang.L("30s, 1h30m or none")
	case api.TypeSize:
		return lang.L("512MB, 8GB or none")
	}
	return ""
}

// quietText is a text that is read second: smaller and lighter than others. It wraps.
type quietText struct {
	widget.RichText
	Text  string
	align fyne.TextAlign
}

func newQuietText(text string) *quietText {
	q := &quietText{}
	q.Wrapping, q.Scroll = fyne.TextWrapWord, container.ScrollNone
	q.ExtendBaseWidget(q)
	q.SetText(text)
	return q
}

// SetText shows another text.
func (q *quietText) SetText(text string) {
	q.Text = text
	q.Segments = []widget.RichTextSegment{&widget.TextSegment{
		Text: text, Style: widget.RichTextStyle{Alignment: q.align, ColorName: theme.ColorNamePlaceHolder, SizeName: theme.SizeNameCaptionText},
	}}
	q.Refresh()
}

// escaped gives Escape to the dialog in which the object o is, which has the focus, and reports whether the
// key is Escape. Fyne gives keys to what has the focus alone.
func escaped(o fyne.CanvasObject, key *fyne.KeyEvent) bool {
	if key.Name != fyne.KeyEscape {
		return false
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(key)
	}
	return true
}

// settingButton, settingCheck and settingSelect come into sight with the focus, and Escape closes the dialog
// in which they may be.
type settingButton struct {
	widget.Button
	reveal func()
}

func newSettingButton(text string, icon fyne.Resource, do func()) *settingButton {
	b := &settingButton{}
	b.Text, b.Icon, b.OnTapped = text, icon, do
	b.ExtendBaseWidget(b)
	b.reveal = func() {}
	return b
}

func (b *settingButton) FocusGained() {
	b.Button.FocusGained()
	b.reveal()
}

func (b *settingButton) TypedKey(key *fyne.KeyEvent) {
	if !escaped(b, key) {
		b.Button.TypedKey(key)
	}
}

type settingCheck struct {
	widget.Check
	reveal func()
}

func (c *settingCheck) FocusGained() {
	c.Check.FocusGained()
	c.reveal()
}

func (c *settingCheck) TypedKey(key *fyne.KeyEvent) {
	if !escaped(c, key) {
		c.Check.TypedKey(key)
	}
}

type settingSelect struct {
	widget.Select
	reveal func()
}

func (s *settingSelect) FocusGained() {
	s.Select.FocusGained()
	s.reveal()
}

func (s *settingSelect) TypedKey(key *fyne.KeyEvent) {
	if !escaped(s, key) {
		s.Select.TypedKey(key)
	}
}

// settingEntry is a field that also sets the setting when the field loses the focus.
type settingEntry struct {
	entry
	set    func(string)
	escape func() bool // takes back what was refused, and returns false when nothing was
	reveal func()
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

func (e *settingEntry) FocusGained() {
	e.entry.FocusGained()
	e.reveal()
}

func (e *settingEntry) FocusLost() {
	e.entry.FocusLost()
	e.set(e.Text)
}

// tight lays out its objects below each other, as wide as there is room. They overlap a little, because
// the texts of Fyne have a margin.
type tight struct{ overlap float32 }

func (l tight) MinSize(all []fyne.CanvasObject) (size fyne.Size) {
	overlap := float32(0)
	for _, o := range all {
		if o.Visible() {
			least := o.MinSize()
			size = fyne.NewSize(max(size.Width, least.Width), size.Height+least.Height-overlap)
			overlap = l.overlap
		}
	}
	return size
}

func (l tight) Layout(all []fyne.CanvasObject, size fyne.Size) {
	top := float32(0)
	for _, o := range all {
		if o.Visible() {
			o.Move(fyne.NewPos(0, top))
			o.Resize(fyne.NewSize(size.Width, o.MinSize().Height))
			height := o.MinSize().Height // a text that wraps knows its height when it has its width
			o.Resize(fyne.NewSize(size.Width, height))
			top += height - l.overlap
		}
	}
}

// narrow lays out its objects in a column in the middle that is no wider than formWidth.
type narrow struct{}

func (narrow) MinSize(all []fyne.CanvasObject) (size fyne.Size) {
	for _, o := range all {
		size = size.Max(o.MinSize())
	}
	return size
}

func (narrow) Layout(all []fyne.CanvasObject, size fyne.Size) {
	width := min(size.Width, formWidth)
	for _, o := range all {
		o.Move(fyne.NewPos((size.Width-width)/2, 0))
		o.Resize(fyne.NewSize(width, size.Height))
	}
}
