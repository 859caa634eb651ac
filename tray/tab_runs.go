//go:build !headless

package tray

import (
	"context"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// runsTab is the tab Activity: the runs, newest first, and everything about the selected run.
type runsTab struct {
	window  *window
	content fyne.CanvasObject
	list    *runList
	search  *entry
	state   *widget.Select
	empty   *widget.Label
	hint    *widget.Label // how runs that wait would go faster; hidden while there is nothing to say
	detail  *runDetail

	activity activity
	// picked is true when somebody chose the shown run. Else the newest run is shown.
	picked  bool
	marking bool // mark selects a line; nobody has clicked it
	loading bool
	trouble string    // why the last page did not come, or ""
	during  []api.Run // what has changed since a page was asked for
	asked   int       // counts reloads, so that load can drop the answer to an older request

	mu     sync.Mutex
	queued []api.Event
	busy   bool
}

// stateFilters are the choices beside the search, and the states that each choice shows.
var stateFilters = []struct {
	name   string
	states []api.State
}{
	{"All", nil},
	{"Succeeded", []api.State{api.Succeeded}},
	{"Failed", []api.State{api.Failed, api.Crashed, api.TimedOut}},
	{"Waiting and running", []api.State{api.Queued, api.Running}},
	{"Cancelled", []api.State{api.Cancelled, api.Interrupted}},
}

func newRunsTab(w *window) *runsTab {
	t := &runsTab{window: w}
	t.list = &runList{step: t.step}
	t.list.Length = func() int { return len(t.activity.runs) }
	t.list.CreateItem, t.list.UpdateItem = newRow, t.fill
	t.list.ExtendBaseWidget(t.list)
	t.list.OnSelected = func(i widget.ListItemID) {
		if i < len(t.activity.runs) && !t.marking {
			t.picked = i > 0 // who selects the newest run wants the newest from then on
			t.detail.show(t.activity.runs[i])
		}
	}
	t.search = &entry{typed: w.typed}
	t.search.ExtendBaseWidget(t.search)
	t.search.SetPlaceHolder("Search by name")
	t.search.OnChanged = func(string) { t.reload() }
	var names []string
	for _, f := range stateFilters {
		names = append(names, f.name)
	}
	t.state = widget.NewSelect(names, nil)
	t.state.SetSelectedIndex(0)
	t.state.OnChanged = func(string) { t.reload() }
	t.empty = widget.NewLabel("")
	t.empty.Wrapping = fyne.TextWrapWord
	t.empty.Alignment = fyne.TextAlignCenter
	t.detail = newRunDetail(w)
	t.hint = widget.NewLabel("")
	t.hint.Wrapping = fyne.TextWrapWord
	t.hint.Importance = widget.WarningImportance
	t.hint.Hide()
	filters := container.NewVBox(container.NewBorder(nil, nil, nil, t.state, t.search), t.hint)
	split := container.NewHSplit(
		container.NewBorder(filters, nil, nil, nil, container.NewStack(t.list, container.NewPadded(t.empty))),
		t.detail.content,
	)
	split.SetOffset(0.4)
	t.content = split
	return t
}

// show shows what the engine says about runs that wait.
func (t *runsTab) show(s State) {
	text := s.Status.Hint
	if s.Link != Attached {
		text = ""
	}
	if text == t.hint.Text {
		return
	}
	t.hint.SetText(text)
	t.hint.Hidden = text == ""
	t.content.Refresh()
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
	r := t.activity.runs[i]
	parts := row.(*fyne.Container).Objects
	name := parts[0].(*widget.Label)
	sign := parts[1].(*fyne.Container).Objects[0].(*canvas.Text)
	about := parts[2].(*fyne.Container).Objects[0].(*canvas.Text)
	name.SetText(nameOf(r))
	sign.Text, sign.Color = verdictSign(r.State), theme.Color(colorOf(r.State))
	sign.Refresh()
	about.Color = theme.Color(theme.ColorNamePlaceHolder)
	about.Text = when(r.QueuedAt, time.Now())
	if r.HasTaken() {
		about.Text = clock(elapsed(r, time.Now())) + "   " + about.Text
	}
	about.Refresh()
	if i > len(t.activity.runs)-pageRuns/5 {
		t.load()
	}
}

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
	t.loading = false
	states := stateFilters[max(0, t.state.SelectedIndex())].states
	t.activity = activity{name: strings.ToLower(strings.TrimSpace(t.search.Text)), states: states}
	t.scrollTo(0)
	t.load()
	t.refresh()
}

// load asks for the next page, if there is one.
func (t *runsTab) load() {
	if t.loading || t.activity.complete {
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
	case len(t.activity.runs) > 0:
		return ""
	case t.trouble != "":
		return "The runs can't be listed: " + t.trouble
	case !t.activity.complete:
		return "Asking the engine for its runs…"
	case t.activity.name != "" && t.activity.states != nil:
		return "No run matches the name and the state."
	case t.activity.name != "" || t.activity.states != nil:
		return "No run matches."
	}
	return "Nothing has run yet. Save a Python script in a watched folder, and it appears here."
}

func (t *runsTab) refresh() {
	if t.trouble == "" && len(t.activity.runs) < pageRuns/5 {
		t.load() // the runs in the list may have left it since their page came
	}
	t.empty.SetText(t.emptyWords())
	// A list that has become shorter keeps its place, where it shows nothing.
	if offset := t.list.GetScrollOffset(); offset > t.lowest() {
		t.scrollTo(t.lowest())
	}
	t.list.Refresh()
	t.window.settle()
	if !t.picked && len(t.activity.runs) > 0 && t.activity.runs[0].ID != t.detail.run.ID {
		t.detail.show(t.activity.runs[0])
		return
	}
	if i := t.activity.index(t.detail.run.ID); i >= 0 && t.activity.runs[i].State != t.detail.run.State {
		t.detail.show(t.activity.runs[i]) // the event that said so was lost
		return
	}
	t.mark()
}

// lineHeight returns the height of a line of the list, with the space between two lines.
func (t *runsTab) lineHeight() float32 {
	return newRow().MinSize().Height + t.list.Theme().Size(theme.SizeNamePadding)
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
}

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
