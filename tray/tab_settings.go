//go:build !headless

package tray

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// settingsTab is the tab Settings: all settings that the window can show, in the groups in which the
// engine reports them.
type settingsTab struct {
	window  *window
	content fyne.CanvasObject
	form    *settingsForm
	search  *entry
	none    *widget.Label // says why nothing is shown
	page    *fyne.Container
	scroll  *container.Scroll
	groups  []*settingsGroup
	report  api.SettingsReport

	// named, when it is open, is the form of the further Blender namedOf.
	named   *settingsForm
	namedOf string
}

// settingsGroup is a group of settings.
type settingsGroup struct {
	api.SettingsGroup
	content   *fyne.Container
	rows      []*settingRow
	elsewhere *quietText      // names the settings that are only in the file
	hidden    []api.Setting   // these settings
	blenders  *fyne.Container // has the further Blenders, in their group
}

// The tables with further Blenders and of the one Blender.
const (
	tableBlenders  = "blenders"
	blendersPrefix = tableBlenders + "."
)

func newSettingsTab(w *window) *settingsTab {
	t := &settingsTab{window: w, page: container.NewVBox()}
	client := w.shell.cfg.Client
	t.form = newSettingsForm(w, func(ctx context.Context, key, text string) (api.SettingsReport, error) {
		if text == "" {
			return client.UnsetSetting(ctx, key)
		}
		return client.SetSetting(ctx, key, text)
	})
	t.search = newSearch(w, lang.L("Search the settings"), func(string) { t.filter() })
	open := widget.NewButtonWithIcon(lang.L("Open settings.toml"), theme.DocumentCreateIcon(), func() {
		file := w.settingsFile()
		w.shell.try("open the settings", func(context.Context) error { return w.shell.cfg.Host.Open(file, 0) })
	})
	about := widget.NewButtonWithIcon(lang.L("About"), theme.InfoIcon(), w.about)
	t.none = widget.NewLabel(lang.L("The settings are shown when there is an engine."))
	t.scroll = container.NewVScroll(container.New(narrow{}, container.NewPadded(t.page)))
	t.form.reveal = func(row fyne.CanvasObject) { reveal(t.scroll, row) }
	top := container.New(narrow{}, container.NewPadded(container.NewVBox(
		container.NewBorder(nil, nil, nil, container.NewHBox(open, about), t.search), t.none,
	)))
	t.content = container.NewBorder(top, nil, nil, nil, t.scroll)
	return t
}

// newSearch returns a field to search with, which Escape empties.
func newSearch(w *window, hint string, changed func(string)) *entry {
	e := &entry{typed: w.typed}
	e.SetPlaceHolder(hint)
	e.OnChanged = changed
	e.ActionItem = widget.NewIcon(theme.SearchIcon())
	e.ExtendBaseWidget(e)
	return e
}

// reveal scrolls so that a part of the scrolled page is in sight.
func reveal(scroll *container.Scroll, part fyne.CanvasObject) {
	driver := fyne.CurrentApp().Driver()
	top := driver.AbsolutePositionForObject(part).Y - driver.AbsolutePositionForObject(scroll).Y
	height, room := part.Size().Height, scroll.Size().Height
	switch {
	case top < 0:
		scroll.ScrollToOffset(fyne.NewPos(0, scroll.Offset.Y+top))
	case top+height > room:
		scroll.ScrollToOffset(fyne.NewPos(0, scroll.Offset.Y+min(top, top+height-room)))
	}
}

// show shows a report of the settings.
func (t *settingsTab) show(report api.SettingsReport) {
	t.report = report
	if t.named != nil {
		t.named.show(ofBlender(report, t.namedOf))
	}
	own := slices.DeleteFunc(slices.Clone(report.Settings), func(s api.Setting) bool { return strings.HasPrefix(s.Key, blendersPrefix) })
	before := t.form.all
	t.form.show(own)
	if len(t.groups) == 0 || !slices.Equal(before, t.form.all) {
		t.build(report.Groups)
	}
	for _, g := range t.groups {
		g.hidden = slices.DeleteFunc(slices.Clone(own), func(s api.Setting) bool { return s.Label != "" || !strings.HasPrefix(s.Key, g.Table+".") })
		if g.blenders != nil {
			t.showBlenders(g.blenders)
		}
	}
	t.filter()
}

// build makes the groups with the rows of the form.
func (t *settingsTab) build(groups []api.SettingsGroup) {
	t.page.RemoveAll()
	t.groups = nil
	for _, given := range groups {
		g := &settingsGroup{SettingsGroup: given, elsewhere: newQuietText("")}
		title := widget.NewLabelWithStyle(translated(g.Title), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
		title.SizeName = theme.SizeNameSubHeadingText
		g.content = container.NewVBox(container.New(tight{7}, title, newQuietText(translated(g.Help))))
		for _, r := range t.form.all {
			if strings.HasPrefix(r.setting.Key, g.Table+".") {
				g.rows = append(g.rows, r)
				g.content.Add(r.content)
			}
		}
		if g.Table == tableBlenders {
			g.blenders = container.NewVBox()
			g.content.Add(g.blenders)
		}
		g.content.Add(g.elsewhere)
		g.content.Add(widget.NewSeparator())
		t.groups = append(t.groups, g)
		t.page.Add(g.content)
	}
}

// filter shows the settings that have the words in the field to search with, and says so where none has.
func (t *settingsTab) filter() {
	words, some := t.search.Text, false
	for _, g := range t.groups {
		there := false
		for _, r := range g.rows {
			fits := settingFits(g.SettingsGroup, r.setting, words)
			r.content.Hide()
			if fits {
				r.content.Show()
				there = true
			}
		}
		var names []string
		for _, s := range g.hidden {
			if settingFits(g.SettingsGroup, s, words) {
				names = append(names, s.Key)
			}
		}
		g.elsewhere.Hidden = len(names) == 0
		if len(names) > 0 {
			there = true
			g.elsewhere.SetText(lang.L("Only in settings.toml: {{.Names}}", map[string]any{"Names": strings.Join(names, ", ")}))
		}
		if g.blenders != nil {
			there = fits(words, g.Title, g.Help, strings.Join(blenderNames(t.report), " "))
		}
		g.content.Hidden = !there
		some = some || there
	}
	switch {
	case some:
		t.none.Hide()
	case len(t.groups) > 0:
		t.none.SetText(lang.L("No setting has these words."))
		t.none.Show()
	}
	t.page.Refresh()
	t.scroll.Refresh()
}

// settingFits reports whether a setting has all words, in its texts or in those of its group.
func settingFits(g api.SettingsGroup, s api.Setting, words string) bool {
	return fits(words, g.Title, translated(g.Title), s.Key, s.Label, translated(s.Label), hintOf(s), s.Text())
}

// fits reports whether each of some words is in one of the texts, in whatever letters.
func fits(words string, texts ...string) bool {
	all := strings.ToLower(strings.Join(texts, "\n"))
	for _, word := range strings.Fields(strings.ToLower(words)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

// blenderNames returns the names of the further Blenders in a report, in their order.
func blenderNames(report api.SettingsReport) (names []string) {
	for _, s := range report.Settings {
		if name, ok := blenderOf(s.Key); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// blenderOf returns the name of the further Blender that has a key. A name may have dots, and the rest
// of a key has none. ok is false for other keys.
func blenderOf(key string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(key, blendersPrefix)
	end := strings.LastIndexByte(rest, '.')
	if !ok || end < 0 {
		return "", false
	}
	return rest[:end], true
}

// ofBlender returns the settings of a further Blender.
func ofBlender(report api.SettingsReport, name string) []api.Setting {
	return slices.DeleteFunc(slices.Clone(report.Settings), func(s api.Setting) bool {
		of, ok := blenderOf(s.Key)
		return !ok || of != name
	})
}

// showBlenders shows the further Blenders, with what a person can do with them.
func (t *settingsTab) showBlenders(to *fyne.Container) {
	to.RemoveAll()
	names := blenderNames(t.report)
	if len(names) == 0 {
		to.Add(widget.NewLabel(lang.L("There is no further Blender.")))
	}
	for _, name := range names {
		path, _ := t.report.Find(blendersPrefix + name + ".path")
		where := newQuietText(path.Text())
		if where.Text == "" {
			where.SetText(lang.L("The newest Blender that is found."))
		}
		where.Wrapping, where.Truncation = fyne.TextWrapOff, fyne.TextTruncateEllipsis
		where.Refresh()
		title := widget.NewLabel(name)
		buttons := container.NewHBox(
			t.button(lang.L("Change…"), theme.SettingsIcon(), func() { t.changeBlender(name) }),
			t.button(lang.L("Remove…"), theme.DeleteIcon(), func() { t.removeBlender(name) }),
		)
		to.Add(container.NewBorder(nil, nil, nil, container.NewCenter(buttons), container.New(tight{7}, title, where)))
	}
	to.Add(container.NewHBox(t.button(lang.L("Add a Blender…"), theme.ContentAddIcon(), t.addBlender)))
	to.Refresh()
}

// button returns a button that comes into sight with the focus.
func (t *settingsTab) button(text string, icon fyne.Resource, do func()) *settingButton {
	b := newSettingButton(text, icon, do)
	b.reveal = func() { reveal(t.scroll, b) }
	return b
}

// changeBlender shows the settings of a further Blender, which a person can change one by one.
func (t *settingsTab) changeBlender(name string) {
	t.namedOf = name
	t.named = newSettingsForm(t.window, t.form.change)
	t.named.show(ofBlender(t.report, name))
	t.window.showForm(name, t.named, func() { t.named = nil })
}

// showForm shows a form in a dialog, and calls closed when the dialog is closed.
func (w *window) showForm(title string, f *settingsForm, closed func()) {
	scroll := container.NewVScroll(container.NewPadded(f.rows))
	f.reveal = func(row fyne.CanvasObject) { reveal(scroll, row) }
	d := dialog.NewCustom(title, lang.L("Close"), scroll, w)
	w.present(d, nil, func() {
		f.closed = true
		closed()
	})
	size := w.Canvas().Size()
	d.Resize(fyne.NewSize(min(formWidth+40, size.Width-40), min(f.rows.MinSize().Height+140, size.Height-40)))
}

// removeBlender takes a further Blender out of the settings, when the person says yes.
func (t *settingsTab) removeBlender(name string) {
	w, data := t.window, map[string]any{"Name": name}
	w.confirm(lang.L("Remove the Blender {{.Name}}?", data), lang.L("Runs that wait for it are cancelled. The program itself stays."), lang.L("Remove"), func() {
		w.change(func(ctx context.Context) (api.SettingsReport, error) {
			return w.shell.cfg.Client.UnsetSetting(ctx, blendersPrefix+name)
		}, w.failed)
	})
}

// addBlender asks for the name and the program of a further Blender, and adds it. What the engine
// refuses stays in the dialog, with the reason below.
func (t *settingsTab) addBlender() {
	w := t.window
	name, path := &entry{typed: w.typed}, &entry{typed: w.typed}
	name.ExtendBaseWidget(name)
	path.ExtendBaseWidget(path)
	name.SetPlaceHolder(lang.L("old, or 4.5-beta"))
	browse := widget.NewButtonWithIcon("", theme.FolderOpenIcon(), func() { chooseBlender(w, "", path.SetText) })
	wrong := widget.NewLabel("")
	wrong.Wrapping, wrong.Importance = fyne.TextWrapWord, widget.DangerImportance
	wrong.Hide()
	form := widget.NewForm(
		widget.NewFormItem(lang.L("Name"), name),
		widget.NewFormItem(lang.L("Program"), container.NewBorder(nil, nil, nil, browse, path)),
	)
	d := dialog.NewCustomWithoutButtons(lang.L("Add a Blender"), container.NewVBox(form, wrong), w)
	add := widget.NewButtonWithIcon(lang.L("Add"), theme.ConfirmIcon(), nil)
	add.Importance = widget.HighImportance
	add.OnTapped = func() {
		named, program := strings.TrimSpace(name.Text), strings.TrimSpace(path.Text)
		why := ""
		switch {
		case named == "":
			why = lang.L("Give the Blender a name.")
		case program == "":
			why = lang.L("Choose the program of the Blender.")
		case slices.Contains(blenderNames(t.report), named):
			why = lang.L("There is a Blender with this name already.")
		}
		wrong.SetText(why)
		wrong.Hidden = why == ""
		if why != "" {
			return
		}
		add.Disable()
		w.changeWithin(inBlender, func(ctx context.Context) (api.SettingsReport, error) {
			if err := w.shell.cfg.Host.Choose(ctx, program); err != nil {
				return api.SettingsReport{}, err
			}
			return w.shell.cfg.Client.SetSetting(ctx, blendersPrefix+named+".path", program)
		}, func(err error) {
			add.Enable()
			if err != nil {
				wrong.SetText(revealed(err.Error()))
				wrong.Show()
				return
			}
			d.Dismiss()
		})
	}
	name.OnSubmitted = func(string) { w.Canvas().Focus(path) }
	path.OnSubmitted = func(string) { press(add) }
	d.SetButtons([]fyne.CanvasObject{widget.NewButtonWithIcon(lang.L("Cancel"), theme.CancelIcon(), d.Dismiss), add})
	w.present(d, func() { press(add) }, nil)
	d.Resize(fyne.NewSize(min(560, w.Canvas().Size().Width-40), 240))
	w.Canvas().Focus(name)
}
