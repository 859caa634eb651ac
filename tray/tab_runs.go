//go:build !headless

package tray

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/control"
)

// runsTab is the tab Activity: what ran, newest first, and all about the one that is selected.
type runsTab struct {
	window  *window
	content fyne.CanvasObject
	list    *widget.List
	search  *widget.Entry
	state   *widget.Select
	empty   *widget.Label
	detail  *runDetail

	activity activity
	// picked tells that somebody chose the run that is shown; else it is the newest.
	picked  bool
	loading bool
	asked   int // counts reloads, so that an answer to an older question is known

	mu     sync.Mutex
	queued []control.Event
	busy   bool
}

// stateFilters are the choices beside the search, and the states that each shows.
var stateFilters = []struct {
	name   string
	states []control.State
}{
	{"All", nil},
	{"Succeeded", []control.State{control.Succeeded}},
	{"Failed", []control.State{control.Failed, control.Crashed, control.TimedOut}},
	{"Waiting and running", []control.State{control.Queued, control.Running}},
	{"Cancelled", []control.State{control.Cancelled, control.Interrupted}},
}

func newRunsTab(w *window) *runsTab {
	t := &runsTab{window: w}
	t.list = widget.NewList(func() int { return len(t.activity.runs) }, newRow, t.fill)
	t.list.OnSelected = func(i widget.ListItemID) {
		if i < len(t.activity.runs) {
			t.picked = i > 0 // who goes back to the newest wants the newest
			t.detail.show(t.activity.runs[i])
		}
	}
	t.search = widget.NewEntry()
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
	filters := container.NewBorder(nil, nil, nil, t.state, t.search)
	split := container.NewHSplit(
		container.NewBorder(filters, nil, nil, nil, container.NewStack(t.list, container.NewPadded(t.empty))),
		t.detail.content,
	)
	split.SetOffset(0.4)
	t.content = split
	return t
}

// newRow makes one line of the list: a sign, the name, how long it took, when it was.
func newRow() fyne.CanvasObject {
	sign := canvas.NewText("✓", theme.Color(theme.ColorNameForeground))
	sign.TextStyle.Monospace, sign.TextSize = true, theme.TextSize()+3
	name := widget.NewLabel("")
	name.Truncation = fyne.TextTruncateEllipsis
	about := canvas.NewText("", theme.Color(theme.ColorNamePlaceHolder))
	about.TextSize = theme.CaptionTextSize()
	return container.NewBorder(nil, nil, container.NewPadded(sign), container.NewPadded(about), name)
}

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
	if r.State.Final() && r.StartedAt != nil {
		about.Text = clock(took(r, time.Now())) + "   " + about.Text
	}
	about.Refresh()
	if i > len(t.activity.runs)-pageRuns/5 {
		t.load()
	}
}

// when is a time today, or a day.
func when(at, now time.Time) string {
	at = at.Local()
	if y, d := now.Local().Year(), now.Local().YearDay(); at.Year() == y && at.YearDay() == d {
		return at.Format("15:04:05")
	}
	return at.Format("2 Jan 15:04")
}

func colorOf(state control.State) fyne.ThemeColorName {
	switch state {
	case control.Succeeded:
		return theme.ColorNameSuccess
	case control.Failed, control.Crashed, control.TimedOut:
		return theme.ColorNameError
	case control.Running:
		return theme.ColorNamePrimary
	default:
		return theme.ColorNamePlaceHolder
	}
}

// reload asks for the list anew.
func (t *runsTab) reload() {
	t.asked++
	t.loading = false
	states := stateFilters[max(0, t.state.SelectedIndex())].states
	t.activity = activity{name: strings.ToLower(strings.TrimSpace(t.search.Text)), states: states}
	t.load()
}

// load asks for the next page, if there is one.
func (t *runsTab) load() {
	if t.loading || t.activity.complete {
		return
	}
	t.loading = true
	asked, filter := t.asked, t.activity.filter()
	fetch(t.window, func(ctx context.Context) ([]control.Run, error) {
		return t.window.shell.cfg.Client.Runs(ctx, filter)
	}, func(page []control.Run, err error) {
		if asked != t.asked {
			return // somebody has searched for something else since
		}
		t.loading = false
		if err != nil {
			return // the headline says that the engine is gone, and reload comes with it
		}
		t.activity.older(page)
		t.refresh()
	})
}

func (t *runsTab) refresh() {
	t.empty.SetText("")
	if len(t.activity.runs) == 0 {
		t.empty.SetText("Nothing has run yet. Save a Python script in a watched folder, and it appears here.")
		if t.activity.name != "" || t.activity.states != nil {
			t.empty.SetText("No run is like that.")
		}
	}
	t.list.Refresh()
	if !t.picked && len(t.activity.runs) > 0 && t.activity.runs[0].ID != t.detail.run.ID {
		t.detail.show(t.activity.runs[0])
	}
}

// queue gathers events, so that many are shown at once.
func (t *runsTab) queue(ev control.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued = append(t.queued, ev)
	if t.busy {
		return
	}
	t.busy = true
	time.AfterFunc(repaint, func() { t.window.shell.do(t.takeQueued) })
}

func (t *runsTab) takeQueued() {
	t.mu.Lock()
	events := t.queued
	t.queued, t.busy = nil, false
	t.mu.Unlock()
	changed := false
	for _, ev := range events {
		if ev.Kind == control.KindRun && ev.Run != nil {
			changed = t.activity.take(*ev.Run) || changed
		}
		t.detail.heard(ev)
	}
	if changed {
		t.refresh()
	}
}

// open shows a run that may not be in the list.
func (t *runsTab) open(id string) {
	fetch(t.window, func(ctx context.Context) (control.Run, error) {
		return t.window.shell.cfg.Client.Run(ctx, id)
	}, func(r control.Run, err error) {
		if err != nil {
			t.window.fail(err)
			return
		}
		t.picked = true
		t.detail.show(r)
		if i := t.activity.index(id); i >= 0 {
			t.list.ScrollTo(i)
		}
	})
}

// runDetail is all about one run.
type runDetail struct {
	window  *window
	content fyne.CanvasObject
	run     control.Run

	title, about, cause          *widget.Label
	output                       *outputView
	images                       *fyne.Container
	again, cancel, script, where *widget.Button
}

// maxShown is how many bytes of output the window shows while a run is on; the engine keeps
// what is more.
const maxShown = 256 << 10

func newRunDetail(w *window) *runDetail {
	d := &runDetail{window: w}
	d.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	d.title.Truncation = fyne.TextTruncateEllipsis
	d.about = widget.NewLabel("")
	d.about.Truncation = fyne.TextTruncateEllipsis
	d.cause = widget.NewLabel("")
	d.cause.Wrapping = fyne.TextWrapWord
	d.cause.Importance = widget.DangerImportance
	d.output = newOutputView()
	d.output.grid.open = func(path string, line int) {
		w.shell.try("open the script", func(context.Context) error { return w.shell.cfg.Host.Open(path, line) })
	}
	d.images = container.NewHBox()
	s := w.shell
	d.again = widget.NewButtonWithIcon("Run again", theme.MediaReplayIcon(), func() {
		id := d.run.ID
		fetch(w, func(ctx context.Context) (control.Run, error) { return s.cfg.Client.Retry(ctx, id) },
			func(r control.Run, err error) {
				if err != nil {
					w.fail(err)
					return
				}
				d.show(r)
			})
	})
	d.cancel = widget.NewButtonWithIcon("Cancel", theme.CancelIcon(), func() { s.ask(Item{Do: CancelRun, ID: d.run.ID}) })
	d.script = widget.NewButtonWithIcon("Open script", theme.DocumentIcon(), func() {
		path, line := d.run.Script, 0
		if d.run.Error != nil {
			line = d.run.Error.Line
		}
		s.try("open the script", func(context.Context) error { return s.cfg.Host.Open(path, line) })
	})
	d.where = widget.NewButtonWithIcon("Show in folder", theme.FolderOpenIcon(), func() {
		folder := filepath.Dir(d.run.Script)
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(folder, 0) })
	})
	buttons := container.NewHBox(d.again, d.cancel, d.script, d.where)
	head := container.NewVBox(d.title, d.about, d.cause, buttons, container.NewHScroll(d.images))
	d.content = container.NewBorder(head, nil, nil, nil, d.output.content)
	d.set(control.Run{})
	return d
}

// show shows a run, and asks for its output.
func (d *runDetail) show(r control.Run) {
	if r.ID == d.run.ID && r.Output == "" {
		d.set(r)
		return
	}
	d.set(r)
	d.setOutput(r.Output)
	if r.Output != "" {
		return
	}
	id := r.ID
	fetch(d.window, func(ctx context.Context) (control.Run, error) {
		return d.window.shell.cfg.Client.Run(ctx, id)
	}, func(full control.Run, err error) {
		if err == nil && d.run.ID == id {
			d.set(full)
			d.setOutput(full.Output)
		}
	})
}

func (d *runDetail) set(r control.Run) {
	d.run = r
	for _, b := range []*widget.Button{d.again, d.cancel, d.script, d.where} {
		b.Show()
		if r.ID == "" {
			b.Hide()
		}
	}
	if r.ID == "" {
		d.title.SetText("")
		d.about.SetText("")
		d.cause.Hide()
		return
	}
	enable(d.again, r.State.Final())
	enable(d.cancel, !r.State.Final())
	enable(d.script, filepath.IsAbs(r.Script))
	enable(d.where, filepath.IsAbs(r.Script))
	d.title.SetText(nameOf(r) + " · " + stateWord(r.State))
	about := fmt.Sprintf("run %s · %s · scene %s", r.ID, when(r.QueuedAt, time.Now()), sceneWord(r.Scene))
	if r.State.Final() && r.StartedAt != nil {
		about += " · " + clock(took(r, time.Now()))
	}
	if r.BlenderVersion != "" {
		about += " · Blender " + r.BlenderVersion
	}
	d.about.SetText(about)
	d.cause.Importance = widget.DangerImportance
	switch {
	case r.State.Final() && r.State != control.Succeeded:
		d.cause.SetText(oneLine(why(r), 300))
		d.cause.Show()
	case len(r.Result) > 0 && string(r.Result) != "null":
		d.cause.Importance = widget.MediumImportance
		d.cause.SetText("result " + oneLine(string(r.Result), 300))
		d.cause.Show()
	default:
		d.cause.Hide()
	}
	d.showImages(r)
	d.window.preview.show(r)
}

func sceneWord(scene string) string {
	if filepath.IsAbs(scene) {
		return filepath.Base(scene)
	}
	return scene
}

// showImages shows what the run made: pictures as such, other files by their names.
func (d *runDetail) showImages(r control.Run) {
	const most = 12
	paths := r.Outputs
	d.images.RemoveAll()
	if r.Preview != "" {
		d.images.Add(newThumbnail(r.Preview, func() { d.window.showPreview(r) }))
	}
	for _, path := range paths[:min(most, len(paths))] {
		open := func() {
			d.window.shell.try("open it", func(context.Context) error { return d.window.shell.cfg.Host.Open(path, 0) })
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".png", ".jpg", ".jpeg", ".webp":
			d.images.Add(newThumbnail(path, open))
		default:
			d.images.Add(widget.NewButtonWithIcon(oneLine(filepath.Base(path), 24), theme.FileIcon(), open))
		}
	}
	if more := len(paths) - most; more > 0 {
		d.images.Add(widget.NewLabel(fmt.Sprintf("and %d more", more)))
	}
	d.images.Refresh()
}

// setOutput shows what a run has printed, and below it the traceback.
func (d *runDetail) setOutput(text string) {
	if e := d.run.Error; e != nil && e.Traceback != "" && !strings.Contains(text, e.Traceback) {
		text = strings.TrimRight(text, "\n")
		if text != "" {
			text += "\n\n"
		}
		text += e.Traceback
	}
	d.output.set(text)
}

// pictured takes in that there is a picture of what a run left.
func (d *runDetail) pictured(r control.Run) {
	if r.ID == d.run.ID {
		d.run.Preview = r.Preview
		d.showImages(d.run)
	}
}

// heard takes in what the run that is shown does.
func (d *runDetail) heard(ev control.Event) {
	if ev.ID != d.run.ID || ev.ID == "" {
		return
	}
	switch {
	case ev.Kind == control.KindOutput:
		d.output.add(ev.Text)
	case ev.Kind == control.KindRun && ev.Run != nil:
		d.set(*ev.Run)
		if ev.Run.State.Final() {
			full := *ev.Run
			full.Output = ""
			d.run.ID = "" // asked for anew, whole
			d.show(full)
		}
	}
}

// printable takes out what a grid of characters can't show, and what the progress bar shows.
func printable(text string) string {
	if strings.Contains(text, "Mem:") || strings.Contains(text, " render ") {
		var kept strings.Builder
		for line := range strings.Lines(text) {
			if !control.IsRenderStatus(strings.TrimRight(line, "\r\n")) {
				kept.WriteString(line)
			}
		}
		text = kept.String()
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f {
			return r
		}
		return -1
	}, text)
}

// thumbnail is a picture that opens when it is clicked.
type thumbnail struct {
	widget.BaseWidget
	image *canvas.Image
	open  func()
}

func newThumbnail(path string, open func()) *thumbnail {
	t := &thumbnail{image: canvas.NewImageFromFile(path), open: open}
	t.image.FillMode = canvas.ImageFillContain
	t.image.SetMinSize(fyne.NewSquareSize(96))
	t.ExtendBaseWidget(t)
	return t
}

func (t *thumbnail) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.image) }
func (t *thumbnail) Tapped(*fyne.PointEvent)             { t.open() }
