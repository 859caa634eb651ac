//go:build !headless

package tray

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// filterMenu returns the menu from which a person chooses a filter. folders are the watched folders,
// set takes the filter that is chosen, days asks for days, and clear deletes the runs that the filter
// chooses.
func filterMenu(f runFilter, folders []string, set func(runFilter), days, clear func()) *fyne.Menu {
	choice := func(words string, on bool, change func(*runFilter)) *fyne.MenuItem {
		item := fyne.NewMenuItem(words, func() {
			changed := f
			change(&changed)
			set(changed)
		})
		item.Checked = on
		return item
	}
	sub := func(words string, items ...*fyne.MenuItem) *fyne.MenuItem {
		item := fyne.NewMenuItem(words, nil)
		item.ChildMenu = fyne.NewMenu("", items...)
		return item
	}
	states := []*fyne.MenuItem{choice(lang.L("Any state"), f.States == "", func(f *runFilter) { f.States = "" })}
	for _, s := range stateFilters {
		states = append(states, choice(translated(s.key), f.States == s.key, func(f *runFilter) { f.States = s.key }))
	}
	if f.Folder != "" && !slices.Contains(folders, f.Folder) {
		folders = append(slices.Clone(folders), f.Folder) // it is not watched any more
	}
	in := []*fyne.MenuItem{choice(lang.L("Any folder"), f.Folder == "", func(f *runFilter) { f.Folder = "" })}
	for _, folder := range folders {
		in = append(in, choice(nameInLine(folder, maxLabel), f.Folder == folder, func(f *runFilter) { f.Folder = folder }))
	}
	at := func(words, when string) *fyne.MenuItem {
		return choice(words, f.When == when, func(f *runFilter) { f.When, f.From, f.To = when, "", "" })
	}
	chosen := fyne.NewMenuItem(lang.L("Days…"), days)
	chosen.Checked = f.When == whenDays
	none := choice(lang.L("No filter"), false, func(f *runFilter) { *f = runFilter{} })
	none.Disabled = f == runFilter{}
	remove := fyne.NewMenuItem(lang.L("Delete all runs…"), clear)
	if f.words() != "" {
		remove.Label = lang.L("Delete the runs of this filter…")
	}
	return fyne.NewMenu(
		"",
		sub(lang.L("State"), states...),
		sub(lang.L("Folder"), in...),
		sub(lang.L("Time"), at(lang.L("Any time"), ""), at(lang.L("Today"), whenToday), at(lang.L("Last 7 days"), whenWeek), chosen),
		choice(lang.L("Only pinned runs"), f.Pinned, func(f *runFilter) { f.Pinned = !f.Pinned }),
		fyne.NewMenuItemSeparator(),
		none,
		fyne.NewMenuItemSeparator(),
		remove,
	)
}

// showFilters shows the menu of filters below its button.
func (t *runsTab) showFilters() {
	var folders []string
	for _, f := range t.window.shell.now().Status.Folders {
		folders = append(folders, filepath.Clean(f.Path))
	}
	popUp := widget.NewPopUpMenu(filterMenu(t.filter, folders, t.setFilter, t.askDays, t.clear), t.window.Canvas())
	popUp.ShowAtRelativePosition(fyne.NewPos(0, t.choose.Size().Height), t.choose)
	popUp.ActivateNext()
}

// askDays asks for the first and the last day of the runs to be listed.
func (t *runsTab) askDays() {
	from, to := newDayEntry(t.filter.From), newDayEntry(t.filter.To)
	items := []*widget.FormItem{widget.NewFormItem(lang.L("From"), from), widget.NewFormItem(lang.L("To"), to)}
	items[1].HintText = lang.L("An empty field is no limit.")
	d := dialog.NewForm(lang.L("Runs of which days?"), lang.L("Show"), lang.L("Cancel"), items, func(yes bool) {
		if yes {
			t.setFilter(t.filter.ofDays(strings.TrimSpace(from.Text), strings.TrimSpace(to.Text)))
		}
	}, t.window)
	submit := func() {
		if from.Validate() == nil && to.Validate() == nil {
			d.Submit()
		}
	}
	for _, e := range []*dayEntry{from, to} {
		e.yes, e.no = submit, d.Dismiss
	}
	d.Resize(fyne.NewSize(340, 0))
	t.window.present(d, submit, nil)
	t.window.Canvas().Focus(from)
}

// ofDays returns the filter with the days from one to another. Either may be "".
func (f runFilter) ofDays(from, to string) runFilter {
	if from != "" && to != "" && from > to {
		from, to = to, from
	}
	f.When, f.From, f.To = whenDays, from, to
	if from == "" && to == "" {
		f.When = ""
	}
	return f
}

// dayEntry is a field for a day, which can be typed or chosen from a calendar. Enter says yes in its
// dialog, and Escape no: a dialog hears no keys while a field has the focus.
type dayEntry struct {
	widget.Entry
	yes, no func()
}

func newDayEntry(text string) *dayEntry {
	e := &dayEntry{}
	e.Text = text
	e.PlaceHolder = time.Now().Format(day)
	e.Validator = func(text string) error {
		if text = strings.TrimSpace(text); text == "" {
			return nil
		}
		if _, err := time.Parse(day, text); err != nil {
			return errors.New(lang.L("Write a day as {{.Day}}", with{"Day": time.Now().Format(day)}))
		}
		return nil
	}
	pick := widget.NewButtonWithIcon("", theme.CalendarIcon(), e.pick)
	pick.Importance = widget.LowImportance
	e.ActionItem = pick
	e.ExtendBaseWidget(e) // after what the field is made of
	return e
}

// pick shows a calendar below the field.
func (e *dayEntry) pick() {
	c := fyne.CurrentApp().Driver().CanvasForObject(e)
	if c == nil {
		return
	}
	shown := time.Now()
	if d, err := time.Parse(day, e.Text); err == nil {
		shown = d
	}
	var popUp *widget.PopUp
	popUp = widget.NewPopUp(widget.NewCalendar(shown, func(d time.Time) {
		e.SetText(d.Format(day))
		popUp.Hide()
	}), c)
	popUp.ShowAtRelativePosition(fyne.NewPos(0, e.Size().Height), e)
}

func (e *dayEntry) TypedKey(key *fyne.KeyEvent) {
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		e.yes()
	case fyne.KeyEscape:
		e.no()
	default:
		e.Entry.TypedKey(key)
	}
}
