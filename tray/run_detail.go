//go:build !headless

package tray

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// runDetail shows everything about one run: a head, what can be done with the run, and tabs below.
type runDetail struct {
	window  *window
	content fyne.CanvasObject
	run     api.Run

	title, where, about, cause *widget.Label
	again, cancel, edit        *widget.Button
	script, scene, more        *widget.Button
	head                       *fyne.Container
	opening                    bool   // the scene is being opened
	placed                     string // what takes room in the head, as it was laid out last

	panes    *container.AppTabs
	output   *outputView
	feed     *outputFeed
	code     *codeView
	changes  *changesView
	pictures *picturesView
	facts    *factsView
}

// paneOfRun is a tab below the head of a run. It is filled when it is shown, and forgets its run when
// another run is shown.
type paneOfRun interface {
	show(r api.Run)
	drop()
}

// paneNames are the names by which the view keeps the tabs of a run, in their order.
var paneNames = []string{"output", "code", "changes", "pictures", "details"}

func newRunDetail(w *window) *runDetail {
	d := &runDetail{window: w}
	d.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	d.where, d.about, d.cause = widget.NewLabel(""), widget.NewLabel(""), widget.NewLabel("")
	for _, line := range []*widget.Label{d.title, d.where, d.about} {
		line.Truncation = fyne.TextTruncateEllipsis
	}
	d.where.Selectable = true
	d.cause.Wrapping = fyne.TextWrapWord
	d.cause.Importance = widget.DangerImportance
	d.output = newOutputView(w)
	d.feed = &outputFeed{ctx: w.shell.ctx, pane: d.output.pane, ask: w.shell.cfg.Client.Output}
	d.output.beginning = func() func(context.Context) ([]byte, error) {
		id := d.run.ID
		return func(ctx context.Context) ([]byte, error) {
			text, _, _, err := w.shell.cfg.Client.Output(ctx, id, 0)
			return text, err
		}
	}
	d.code, d.changes, d.pictures, d.facts = newCodeView(w), newChangesView(w), newPicturesView(w), newFactsView(w)
	button := func(id actionID, name string) *widget.Button {
		return widget.NewButtonWithIcon(name, iconOf(id), func() { d.act(id) })
	}
	d.again = button(runAgain, lang.L("Run again"))
	d.cancel = button(cancelRun, lang.L("Cancel"))
	d.edit = button(editAndRun, lang.L("Edit and run"))
	d.script = button(openInEditor, lang.L("Open in editor"))
	d.scene = button(openInBlender, lang.L("Open in Blender"))
	d.more = widget.NewButtonWithIcon(lang.L("More…"), theme.MoreHorizontalIcon(), d.showMenu)
	buttons := container.New(newWrappedRows(), d.again, d.cancel, d.edit, d.script, d.scene, d.more)
	lines := container.New(tightLines{}, d.title, d.where, d.about, d.cause)
	d.head = container.NewVBox(lines, container.NewPadded(buttons))
	d.panes = container.NewAppTabs(
		container.NewTabItem(lang.L("Output"), d.output.content),
		container.NewTabItem(lang.L("Code"), d.code.content),
		container.NewTabItem(lang.L("Changes"), d.changes.content),
		container.NewTabItem(lang.L("Pictures"), d.pictures.content),
		container.NewTabItem(lang.L("Details"), d.facts.content),
	)
	d.panes.OnSelected = func(*container.TabItem) { d.fill() }
	d.content = container.NewBorder(d.head, nil, nil, nil, d.panes)
	d.set(api.Run{})
	return d
}

// tightLines puts lines below each other without a space between them.
type tightLines struct{}

func (tightLines) Layout(lines []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, line := range lines {
		if !line.Visible() {
			continue
		}
		line.Resize(fyne.NewSize(size.Width, line.MinSize().Height)) // which wraps what it shows
		height := line.MinSize().Height
		line.Resize(fyne.NewSize(size.Width, height))
		line.Move(fyne.NewPos(0, y))
		y += height - tightBy()
	}
}

func (tightLines) MinSize(lines []fyne.CanvasObject) (size fyne.Size) {
	for _, line := range lines {
		if line.Visible() {
			least := line.MinSize()
			size.Width = max(size.Width, least.Width)
			size.Height += least.Height - tightBy()
		}
	}
	size.Height += tightBy()
	return size
}

// tightBy is by how much labels overlap: the space that a label leaves above and below its text.
func tightBy() float32 { return 2 * theme.InnerPadding() * 0.75 }

// lazy returns the tabs that are filled when they are shown, in their order after the output.
func (d *runDetail) lazy() []paneOfRun {
	return []paneOfRun{d.code, d.changes, d.pictures, d.facts}
}

// fill shows the run in the tab that is in sight.
func (d *runDetail) fill() {
	if i := d.panes.SelectedIndex(); i > 0 && d.run.ID != "" {
		d.lazy()[i-1].show(d.run)
	}
}

// askAgain asks the engine again for what is shown of the run: an answer may have failed while there was no
// engine.
func (d *runDetail) askAgain() {
	for _, pane := range d.lazy() {
		pane.drop()
	}
	d.fill()
	d.feed.update(d.run)
}

// goTo goes to a tab of the run.
func (d *runDetail) goTo(i int) {
	w := d.window
	w.selectTab(w.runs.content)
	d.panes.SelectIndex(i)
	switch d.panes.Selected().Content {
	case d.output.content:
		w.Canvas().Focus(d.output.pane)
	case d.code.content:
		w.Canvas().Focus(d.code.view.pane)
	case d.changes.content:
		w.Canvas().Focus(d.changes.view.pane)
	case d.facts.content:
		w.Canvas().Focus(d.facts.view.pane)
	}
}

// pane returns the name of the tab in sight, and showPane goes to the tab with a name.
func (d *runDetail) pane() string { return paneNames[max(0, d.panes.SelectedIndex())] }

func (d *runDetail) showPane(name string) {
	if i := slices.Index(paneNames, name); i >= 0 {
		d.panes.SelectIndex(i)
	}
}

// finding returns the field for the text to find in the tab in sight.
func (d *runDetail) finding() fyne.Focusable {
	switch d.panes.Selected().Content {
	case d.code.content:
		return d.code.view.find
	case d.changes.content:
		return d.changes.view.find
	case d.facts.content:
		return d.facts.view.find
	}
	d.panes.SelectIndex(0)
	return d.output.find
}

// jump shows the error of the run: in the output if the output is in sight, else in the code, or in
// the output where the code has no line that failed.
func (d *runDetail) jump() {
	inOutput := d.panes.Selected().Content == d.output.content
	if !inOutput && lineOf(d.run) > 0 {
		d.goTo(slices.Index(paneNames, "code"))
		d.code.showError() // before the code is there, it shows the line by itself
		return
	}
	d.goTo(0)
	if line := lineOfError(d.output.pane, d.run); line >= 0 {
		d.output.pane.Mark(line)
		d.output.pane.ShowLine(line)
	}
}

// maxErrorSearch is how many lines from the end are searched for a traceback.
const maxErrorSearch = 5000

// lineOfError returns the line of an output that names the place in the script where the run failed,
// or the beginning of the last traceback; -1 where there is none.
func lineOfError(pane interface {
	Lines() (first, end int)
	Line(int) string
}, r api.Run,
) int {
	first, end := pane.Lines()
	place := fmt.Sprintf("File \"%s\", line %d", r.Script, lineOf(r))
	for i := end - 1; i >= max(first, end-maxErrorSearch); i-- {
		switch text := pane.Line(i); {
		case lineOf(r) > 0 && strings.Contains(text, place):
			return i
		case strings.HasPrefix(text, "Traceback (most recent call last)"):
			return i
		}
	}
	return -1
}

// show shows a run and what it prints.
func (d *runDetail) show(r api.Run) {
	defer d.window.runs.mark()
	other := r.ID != d.run.ID
	d.set(r)
	if other {
		d.feed.show(r)
	} else {
		d.feed.update(r)
	}
}

func (d *runDetail) set(r api.Run) {
	if r.ID != d.run.ID {
		for _, pane := range d.lazy() {
			pane.drop()
		}
	}
	d.run = r
	d.head.Hidden, d.panes.Hidden = r.ID == "", r.ID == ""
	if r.ID == "" {
		d.title.SetText("")
		d.layOut()
		return
	}
	d.again.Hidden, d.cancel.Hidden = !r.State.Final(), r.State.Final()
	enable(d.again, able(r, runAgain))
	enable(d.cancel, able(r, cancelRun))
	enable(d.edit, able(r, editAndRun))
	enable(d.script, able(r, openInEditor))
	d.scene.Hidden = !able(r, openInBlender)
	enable(d.scene, !d.opening)
	d.title.SetText(titleOf(r, time.Now()))
	d.where.SetText(whereOf(r))
	d.where.Hidden = d.where.Text == ""
	d.about.SetText(aboutOf(r, time.Now()))
	d.showCause(r)
	d.countPictures(r)
	d.fill()
	d.layOut()
}

// layOut lays the run out again when something in its head takes more room or less. A run that is
// running changes many times in a second, and to draw all of it takes long.
func (d *runDetail) layOut() {
	placed := fmt.Sprint(d.head.Hidden, d.where.Hidden, d.again.Hidden, d.cause.Hidden, d.cause.Wrapping, d.cause.Text)
	if placed != d.placed {
		d.placed = placed
		d.content.Refresh()
	}
}

// showCause shows in a line why the run has failed, what it waits for, or its result.
func (d *runDetail) showCause(r api.Run) {
	d.cause.Importance = widget.DangerImportance
	d.cause.Wrapping, d.cause.Truncation = fyne.TextWrapWord, fyne.TextTruncateOff
	switch {
	case r.State.Final() && r.State != api.Succeeded:
		d.cause.SetText(oneLine(why(r), 300))
		d.cause.Show()
	case !r.State.Final() && r.Reason != "" && !r.AwaitsMachine(): // else the title says it
		d.cause.Importance = widget.MediumImportance
		d.cause.SetText(oneLine(r.Reason, 300)) // what the run waits for
		d.cause.Show()
	case len(r.Result) > 0 && string(r.Result) != "null":
		d.cause.Importance = widget.MediumImportance
		d.cause.Wrapping, d.cause.Truncation = fyne.TextWrapOff, fyne.TextTruncateEllipsis // the details have all of it
		d.cause.SetText(lang.L("result {{.Value}}", with{"Value": oneLine(string(r.Result), 300)}))
		d.cause.Show()
	default:
		d.cause.Hide()
	}
}

// countPictures says in the tab Pictures how many there are.
func (d *runDetail) countPictures(r api.Run) {
	text := lang.L("Pictures")
	if n := countOfPictures(r); n > 0 {
		text = fmt.Sprintf("%s (%d)", text, n)
	}
	if item := d.panes.Items[slices.Index(paneNames, "pictures")]; item.Text != text {
		item.Text = text
		d.panes.Refresh()
	}
}

// tick shows how long a run takes that is running.
func (d *runDetail) tick() {
	if d.run.State == api.Running {
		d.title.SetText(titleOf(d.run, time.Now()))
	}
}

// titleOf returns the first line about a run: its name, its state and how long it takes.
func titleOf(r api.Run, now time.Time) string {
	text := nameOf(r) + " · " + stateOf(r)
	if r.HasTaken() || r.State == api.Running && r.StartedAt != nil {
		text += " · " + clock(elapsed(r, now))
	}
	if p := r.Progress; p != nil && p.Fraction >= 0 && !r.State.Final() {
		text += " · " + percent(p.Fraction)
	}
	return text
}

// whereOf returns the path of a run's script, and its watched folder; "" for a script without a file.
func whereOf(r api.Run) string {
	if !filepath.IsAbs(r.Script) {
		return ""
	}
	text := nameInLine(r.Script, 200)
	if r.Folder != "" {
		text = lang.L("{{.Path}} · in the folder {{.Folder}}", with{"Path": text, "Folder": nameInLine(filepath.Base(r.Folder), maxName)})
	}
	return text
}

// aboutOf returns what else is important about a run.
func aboutOf(r api.Run, now time.Time) string {
	parts := []string{
		lang.L("run {{.Run}}", with{"Run": r.ID}), when(r.QueuedAt, now),
		lang.L("scene {{.Scene}}", with{"Scene": sceneWord(r.Scene)}),
	}
	if r.Render != nil {
		parts = append(parts, lang.L("renders {{.Frames}}", with{"Frames": oneLine(r.Render.String(), maxLabel)}))
	}
	switch {
	case r.OnFarm() && r.BlenderVersion == "":
		parts = append(parts, lang.L("on the farm"))
	case r.OnFarm():
		parts = append(parts, "Blender "+r.BlenderVersion, lang.L("on the farm"))
	case r.BlenderVersion != "":
		parts = append(parts, "Blender "+r.ExecutedBy())
	}
	if r.Session != "" {
		parts = append(parts, lang.L("session {{.Session}}", with{"Session": r.Session}))
	}
	if r.PID != 0 {
		parts = append(parts, lang.L("process {{.Number}}", with{"Number": r.PID}))
	}
	return strings.Join(parts, " · ")
}

// leavesScene reports whether a run has left a scene in a Blender that the engine has started.
func leavesScene(r api.Run) bool {
	return r.State.Final() && r.StartedAt != nil && r.State != api.Crashed && !r.InOpenBlender() && !r.OnFarm() && r.Session == ""
}

func sceneWord(scene string) string {
	if filepath.IsAbs(scene) {
		return api.NameInLine(filepath.Base(scene))
	}
	return scene
}

// pictured adds the picture of the scene that a run left, if that run is shown.
func (d *runDetail) pictured(r api.Run) {
	if r.ID == d.run.ID {
		d.run.Preview = r.Preview
		d.countPictures(d.run)
		d.fill()
	}
}

// heard shows an event of a run that has changed, if that run is shown.
func (d *runDetail) heard(ev api.Event) {
	if ev.ID != d.run.ID || ev.ID == "" || ev.Kind != api.KindRun || ev.Run == nil {
		return
	}
	d.show(*ev.Run)
}
