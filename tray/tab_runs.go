//go:build !headless

package tray

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// runsTab is the tab Activity: the runs, newest first, or the scripts, and everything about the
// selected run.
type runsTab struct {
	window  *window
	content fyne.CanvasObject
	list    *runList
	scripts *scriptList
	search  *entry
	choose  *widget.Button // shows the menu with the filters
	group   *widget.Button // lists scripts in place of runs
	chips   *fyne.Container
	empty   *widget.Label
	side    *fyne.Container // the list, with what is above the list
	told    string          // what the engine says about runs that wait
	hint    *widget.Label   // how runs that wait would go faster, and that not all scripts are listed; hidden while there is nothing to say
	detail  *runDetail

	filter   runFilter
	grouped  bool // scripts are listed, unless the filter has a script
	today    string
	activity activity
	// picked is true when somebody chose the shown run. Else the newest run is shown.
	picked  bool
	marking bool // mark selects a line; nobody has clicked it
	loading bool
	trouble string    // why the last page did not come, or ""
	during  []api.Run // what has changed since a page was asked for
	asked   int       // counts reloads, so that load can drop the answer to an older request

	reasonAsked bool // the engine is asked what the shown run waits for
	reasonStale bool // that may have changed since it was asked

	mu     sync.Mutex
	queued []api.Event
	busy   bool
}

func newRunsTab(w *window) *runsTab {
	t := &runsTab{window: w}
	t.list = &runList{step: t.step, back: t.leaveScript, del: func() { t.detail.act(deleteRun) }}
	t.list.Length = func() int { return len(t.activity.runs) }
	t.list.CreateItem, t.list.UpdateItem = newRow, t.fill
	t.list.ExtendBaseWidget(t.list)
	t.list.OnSelected = func(i widget.ListItemID) {
		if i < len(t.activity.runs) && !t.marking {
			t.picked = i > 0 // who selects the newest run wants the newest from then on
			t.detail.show(*t.activity.runs[i])
			t.askReason() // a Blender may have changed since the run came into the list
		}
	}
	t.scripts = newScriptList(t)
	t.scripts.list.Hide()
	t.search = &entry{typed: w.typed}
	t.search.ExtendBaseWidget(t.search)
	t.search.SetPlaceHolder(lang.L("Search by name"))
	t.search.OnChanged = func(text string) {
		t.filter.Search = text
		t.reload()
	}
	t.choose = widget.NewButtonWithIcon(lang.L("Filter"), theme.MenuDropDownIcon(), t.showFilters)
	t.choose.IconPlacement = widget.ButtonIconTrailingText
	t.group = widget.NewButton(lang.L("By script"), func() { t.setGrouped(!t.grouped) })
	t.chips = container.New(newWrappedRows())
	t.chips.Hide()
	t.empty = widget.NewLabel("")
	t.empty.Wrapping = fyne.TextWrapWord
	t.empty.Alignment = fyne.TextAlignCenter
	t.detail = newRunDetail(w)
	t.hint = widget.NewLabel("")
	t.hint.Wrapping = fyne.TextWrapWord
	t.hint.Importance = widget.WarningImportance
	t.hint.Hide()
	filters := container.NewVBox(container.NewBorder(nil, nil, nil, container.NewHBox(t.choose, t.group), t.search), t.chips, t.hint)
	t.side = container.NewBorder(filters, nil, nil, nil, container.NewStack(t.list, t.scripts.list, container.NewPadded(t.empty)))
	split := container.NewHSplit(t.side, t.detail.content)
	split.SetOffset(0.4)
	t.content = split
	t.showFilter()
	return t
}

// show shows what the engine says about runs that wait, and how long a run takes.
func (t *runsTab) show(s State) {
	t.detail.tick()
	if t.today != "" && t.today != time.Now().Format(day) && t.filter.When != "" {
		t.again() // the day has changed
	}
	text := s.Status.Hint
	if s.Link != Attached {
		text = ""
	}
	t.told = text
	t.showHint()
}

// showHint shows what there is to know about the list: what the engine says, and that not all scripts
// are listed.
func (t *runsTab) showHint() {
	text := t.told
	if t.grouped && len(t.scripts.scripts) >= maxScripts {
		more := lang.L("The {{.Count}} scripts with the newest runs are listed. A search or a filter finds the others.", with{"Count": grouped(maxScripts)})
		text = strings.TrimPrefix(text+"\n"+more, "\n")
	}
	if text == t.hint.Text {
		return
	}
	t.hint.SetText(text)
	t.hint.Hidden = text == ""
	t.side.Refresh()
}

// newRow returns an empty line of the list: a sign, the name, how long the run took, and when it
// was.
func newRow() fyne.CanvasObject {
	sign := canvas.NewText("✓", theme.Color(theme.ColorNameForeground))
	sign.TextStyle.Monospace, sign.TextSize = true, theme.TextSize()+3
	name := widget.NewLabel("")
	name.Truncation = fyne.TextTruncateEllipsis
	about := canvas.NewText("", theme.Color(theme.ColorNamePlaceHolder))
	about.TextSize = theme.CaptionTextSize()
	return container.NewBorder(nil, nil, container.NewPadded(sign), container.NewPadded(about), name)
}

// fill shows a run in a line of the list.
func (t *runsTab) fill(i widget.ListItemID, row fyne.CanvasObject) {
	if i >= len(t.activity.runs) {
		return
	}
	r := *t.activity.runs[i]
	parts := row.(*fyne.Container).Objects
	name := parts[0].(*widget.Label)
	sign := parts[1].(*fyne.Container).Objects[0].(*canvas.Text)
	about := parts[2].(*fyne.Container).Objects[0].(*canvas.Text)
	name.SetText(nameOf(r))
	sign.Text, sign.Color = verdictSign(shownState(r)), theme.Color(colorOf(shownState(r)))
	sign.Refresh()
	about.Color = theme.Color(theme.ColorNamePlaceHolder)
	about.Text = when(r.QueuedAt, time.Now())
	if r.HasTaken() {
		about.Text = clock(elapsed(r, time.Now())) + "   " + about.Text
	}
	if r.Pinned {
		about.Text = pinSign + "   " + about.Text
	}
	about.Refresh()
	if i > len(t.activity.runs)-pageRuns/5 {
		t.load()
	}
}

// pinSign stands before the time of a run that is pinned.
const pinSign = "★"

// when returns a moment as text: the time of day, and the date unless it is today.
func when(at, now time.Time) string {
	at = at.Local()
	if y, d := now.Local().Year(), now.Local().YearDay(); at.Year() == y && at.YearDay() == d {
		return at.Format("15:04:05")
	}
	return date(at)
}

func colorOf(state api.State) fyne.ThemeColorName {
	switch state {
	case api.Succeeded:
		return theme.ColorNameSuccess
	case api.Failed, api.Crashed, api.TimedOut:
		return theme.ColorNameError
	case api.Running:
		return theme.ColorNamePrimary
	default:
		return theme.ColorNamePlaceHolder
	}
}

// reload makes the list again from what the engine has, from its beginning.
func (t *runsTab) reload() {
	t.asked++
	t.loading, t.trouble = false, ""
	now := time.Now()
	t.today = now.Format(day)
	t.activity = activity{query: t.filter.query(now)}
	t.scrollTo(0)
	t.load()
	if t.showsScripts() {
		t.scripts.reload()
	}
	t.refresh()
}

// again makes the list again from what the engine has, and goes back to the lines that are in sight.
func (t *runsTab) again() {
	if top, into := t.place(); top != "" && t.window.found == nil {
		t.window.found = &view{Top: top, Into: into}
	}
	t.reload()
}

// place returns the run in the first line in sight, and how far that line is scrolled out of sight; ""
// at the top of the list, where new runs are to be seen.
func (t *runsTab) place() (top string, into float32) {
	at := t.list.GetScrollOffset()
	height := t.lineHeight()
	line := int(at / height)
	if at <= 0 || line >= len(t.activity.runs) {
		return "", 0
	}
	return t.activity.runs[line].ID, at - float32(line)*height
}

// setFilter shows the runs that a filter chooses.
func (t *runsTab) setFilter(f runFilter) {
	t.filter = f
	if t.search.Text != f.Search {
		t.search.Text = f.Search // SetText would reload
		t.search.Refresh()
	}
	t.window.found = nil
	t.showFilter()
	t.reload()
}

// setGrouped lists scripts or runs.
func (t *runsTab) setGrouped(grouped bool) {
	t.grouped = grouped
	t.filter.Script = "" // who wants to see scripts wants to see them all, and who does not, all runs
	t.setFilter(t.filter)
}

// showScript shows the runs of a script in the list.
func (t *runsTab) showScript(script string) {
	f := t.filter
	f.Script = script
	t.picked = false // the newest run of the script is shown
	t.setFilter(f)
	t.window.Canvas().Focus(t.list)
}

// leaveScript goes back from the runs of a script to the list of scripts.
func (t *runsTab) leaveScript() {
	if f := t.filter; t.grouped && f.Script != "" {
		f.Script = ""
		t.setFilter(f)
		t.window.Canvas().Focus(t.scripts.list)
	}
}

// showsScripts reports whether scripts are listed, and not runs.
func (t *runsTab) showsScripts() bool { return t.grouped && t.filter.Script == "" }

// showFilter shows what the filter is, each part with a button that takes the part away.
func (t *runsTab) showFilter() {
	t.chips.RemoveAll()
	for _, c := range t.filter.chips() {
		b := widget.NewButtonWithIcon(c.words, theme.CancelIcon(), func() {
			f := t.filter // which a person may have changed since
			c.remove(&f)
			t.setFilter(f)
		})
		b.IconPlacement = widget.ButtonIconTrailingText
		t.chips.Add(b)
	}
	changed := t.chips.Hidden != (len(t.chips.Objects) == 0) || !t.chips.Hidden
	t.chips.Hidden = len(t.chips.Objects) == 0
	t.group.Importance = widget.MediumImportance
	if t.grouped {
		t.group.Importance = widget.HighImportance
	}
	t.group.Refresh()
	if scripts := t.showsScripts(); scripts == t.list.Visible() {
		t.list.Hidden, t.scripts.list.Hidden = scripts, !scripts
		changed = true
	}
	if changed && t.side != nil {
		t.side.Refresh() // and not the whole tab, which takes long
	}
}

// load asks for the next page, if there is one.
func (t *runsTab) load() {
	if t.loading || t.activity.complete || t.trouble != "" {
		return
	}
	t.loading, t.during = true, nil
	asked, filter := t.asked, t.activity.filter()
	fetch(t.window, func(ctx context.Context) ([]api.Run, error) {
		return t.window.shell.cfg.Client.Runs(ctx, filter)
	}, func(page []api.Run, err error) {
		if asked != t.asked {
			return // somebody has searched for something else since
		}
		t.loading, t.trouble = false, ""
		if err != nil {
			t.trouble = err.Error() // the next engine brings a reload
		} else {
			t.activity.older(page)
		}
		for _, r := range t.during {
			t.activity.update(r) // the page may be older than the event
		}
		t.during = nil
		t.refresh()
	})
}

// emptyWords returns the sentence that says why the list is empty, or "" when it is not.
func (t *runsTab) emptyWords() string {
	switch {
	case t.showsScripts():
		return t.scripts.emptyWords()
	case len(t.activity.runs) > 0:
		return ""
	case t.trouble != "":
		return lang.L("The runs can't be listed: {{.Why}}", with{"Why": t.trouble})
	case !t.activity.complete:
		return lang.L("Asking the engine for its runs…")
	}
	return nothingWords(t.filter)
}

// nothingWords returns the sentence that says that a filter chooses no run.
func nothingWords(f runFilter) string {
	if words := f.words(); words != "" {
		return lang.L("No run matches: {{.Filter}}.", with{"Filter": words})
	}
	return lang.L("Nothing has run yet. Save a Python script in a watched folder, and it appears here.")
}

func (t *runsTab) refresh() {
	if t.trouble == "" && len(t.activity.runs) < pageRuns/5 {
		t.load() // the runs in the list may have left it since their page came
	}
	t.empty.SetText(t.emptyWords())
	t.showHint()
	// A list that has become shorter keeps its place, where it shows nothing.
	if offset := t.list.GetScrollOffset(); offset > t.lowest() {
		t.scrollTo(t.lowest())
	}
	t.list.Refresh()
	t.scripts.list.Refresh()
	t.window.settle()
	if !t.picked && len(t.activity.runs) > 0 && t.activity.runs[0].ID != t.detail.run.ID {
		t.detail.show(*t.activity.runs[0])
		return
	}
	if i := t.activity.index(t.detail.run.ID); i >= 0 && t.activity.runs[i].State != t.detail.run.State {
		t.detail.show(*t.activity.runs[i]) // the event that said so was lost
		return
	}
	t.mark()
}

// lineHeight returns the height of a line of the list, with the space between two lines.
func (t *runsTab) lineHeight() float32 { return heightIn(&t.list.List, newRow()) }

// heightIn returns the height of a line of a list, with the space between two lines.
func heightIn(list *widget.List, line fyne.CanvasObject) float32 {
	return line.MinSize().Height + list.Theme().Size(theme.SizeNamePadding)
}

// lowest returns the offset of the list at its end.
func (t *runsTab) lowest() float32 {
	return max(0, t.lineHeight()*float32(len(t.activity.runs))-t.list.Theme().Size(theme.SizeNamePadding)-t.list.Size().Height)
}

// scrollTo scrolls the list to an offset. Fyne leaves a list where it is when all lines fit into it.
func (t *runsTab) scrollTo(offset float32) {
	switch {
	case t.list.GetScrollOffset() == offset:
	case offset == 0:
		t.list.ScrollToTop()
	default:
		t.list.ScrollToOffset(offset)
	}
}

// mark selects the line of the shown run, which newer runs may have moved down, without scrolling
// the list.
func (t *runsTab) mark() {
	i := t.activity.index(t.detail.run.ID)
	t.marking = true
	defer func() { t.marking = false }()
	if i < 0 {
		t.list.UnselectAll()
		return
	}
	offset := t.list.GetScrollOffset()
	t.list.Select(i)
	t.list.ScrollToOffset(offset)
}

// step chooses the run that is so many lines below the shown run.
func (t *runsTab) step(by int) {
	if len(t.activity.runs) == 0 {
		return
	}
	i := min(max(0, t.activity.index(t.detail.run.ID)+by), len(t.activity.runs)-1)
	t.list.Select(i)
	t.list.Highlight(i)
}

// stay keeps the lines in sight where they are when new lines come above them. first is the id of
// the run that was in the first line before.
func (t *runsTab) stay(first string) {
	offset := t.list.GetScrollOffset()
	if offset == 0 {
		return // at the top, new runs are to be seen
	}
	if added := t.activity.index(first); added > 0 {
		t.list.ScrollToOffset(offset + float32(added)*t.lineHeight())
	}
}

// queue gathers events, so that many are shown at once. It may be called on any goroutine.
func (t *runsTab) queue(ev api.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued = append(t.queued, ev)
	if t.busy {
		return
	}
	t.busy = true
	time.AfterFunc(repaint, func() { t.window.shell.do(t.showQueued) })
}

// forgetQueued forgets the gathered events, because the engine is about to be asked for the runs: the answer is
// newer than these events, and an end that was lost would be undone by them.
func (t *runsTab) forgetQueued() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued = nil
}

// showQueued shows the gathered events.
func (t *runsTab) showQueued() {
	t.mu.Lock()
	events := t.queued
	t.queued, t.busy = nil, false
	t.mu.Unlock()
	changed, first := false, ""
	if len(t.activity.runs) > 0 {
		first = t.activity.runs[0].ID
	}
	for _, ev := range events {
		if ev.Kind == api.KindRun && ev.Run != nil {
			changed = t.activity.update(*ev.Run) || changed
			if t.loading {
				t.during = append(t.during, *ev.Run)
			}
		}
		t.detail.heard(ev)
	}
	if changed {
		t.stay(first)
		t.refresh()
	}
	if len(events) > 0 && t.showsScripts() {
		t.scripts.outdated()
	}
}

// history shows what has become of the runs that a client has deleted or pinned: of the run with an id,
// or for "" of all.
func (t *runsTab) history(id string) {
	if t.showsScripts() {
		t.scripts.outdated()
	}
	if id == "" {
		t.again()
		return
	}
	fetch(t.window, func(ctx context.Context) (api.Run, error) { return t.window.shell.cfg.Client.Run(ctx, id) },
		func(r api.Run, err error) {
			r.Output = "" // a list has no output
			switch {
			case errors.Is(err, api.ErrNotFound):
				t.gone(id)
				return
			case err != nil:
				return // the next engine brings a reload
			case t.activity.update(r):
				t.refresh()
			}
			if t.detail.run.ID == id {
				t.detail.show(r)
			}
		})
}

// askReason asks the engine what the shown run waits for, if the run waits, and shows the answer. What a
// Blender does may change that, and the window is told of the Blender then, but not of each run.
func (t *runsTab) askReason() {
	id := t.detail.run.ID
	switch {
	case t.detail.run.State != api.Queued:
		return
	case t.reasonAsked:
		t.reasonStale = true
		return
	}
	t.reasonAsked, t.reasonStale = true, false
	fetch(t.window, func(ctx context.Context) (api.Run, error) { return t.window.shell.cfg.Client.Run(ctx, id) },
		func(r api.Run, err error) {
			t.reasonAsked = false
			// Anything else that becomes of a run is an event, which may have come before this answer.
			if shown := t.detail.run; err == nil && r.State == api.Queued && shown.ID == id && shown.State == api.Queued {
				r.Output = "" // a list has no output
				t.activity.update(r)
				t.detail.show(r)
			}
			if t.reasonStale {
				t.askReason()
			}
		})
}

// gone takes a run that was deleted out of the list, and shows the run in its place if it is shown.
func (t *runsTab) gone(id string) {
	next, ok := t.activity.remove(id)
	if t.detail.run.ID == id {
		t.detail.show(next) // which is no run when none is left
		t.picked = ok && t.activity.index(next.ID) > 0
	}
	t.refresh()
}

// remove has the engine delete a run.
func (t *runsTab) remove(r api.Run) {
	fetch(t.window, func(ctx context.Context) (string, error) {
		return r.ID, t.window.shell.cfg.Client.DeleteRun(ctx, r.ID)
	}, func(id string, err error) {
		if err != nil {
			t.window.fail(err)
			return
		}
		t.gone(id)
	})
}

// clear asks whether to delete the runs that the filter chooses, and has the engine delete them.
func (t *runsTab) clear() {
	title, text := lang.L("Delete all runs?"), lang.L("All runs that have ended leave the history, with their output.")
	if words := t.filter.words(); words != "" {
		title = lang.L("Delete the runs of this filter?")
		text = lang.L("All runs that have ended leave the history, with their output, if they match: {{.Filter}}.", with{"Filter": words})
	}
	text += "\n" + lang.L("Runs that are pinned stay, and so do the files that runs have made.")
	filter := t.filter.query(time.Now())
	t.window.confirm(title, text, lang.L("Delete"), func() {
		fetchWithin(t.window, clearTime, func(ctx context.Context) (int, error) {
			return t.window.shell.cfg.Client.ClearRuns(ctx, filter)
		}, func(n int, err error) {
			if err != nil {
				t.window.fail(err)
				return
			}
			t.window.note(lang.L("Deleted runs: {{.Count}}", with{"Count": n}))
		})
	})
}

// clearTime is how long the engine may take to delete all runs.
const clearTime = 5 * time.Minute

// open shows a run that may not be in the list.
func (t *runsTab) open(id string) { t.openOr(id, t.window.fail) }

// reopen shows the run that the last window has shown, and where that run is gone, the newest.
func (t *runsTab) reopen(id string) {
	t.openOr(id, func(error) {
		t.picked = false
		t.refresh()
	})
}

// openOr shows a run, or calls failed with the reason why the run can't be had.
func (t *runsTab) openOr(id string, failed func(error)) {
	fetch(t.window, func(ctx context.Context) (api.Run, error) {
		return t.window.shell.cfg.Client.Run(ctx, id)
	}, func(r api.Run, err error) {
		if err != nil {
			failed(err)
			return
		}
		t.picked = true
		t.detail.show(r)
		if i := t.activity.index(id); i >= 0 {
			t.list.ScrollTo(i)
		}
	})
}
