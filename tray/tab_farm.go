//go:build !headless

package tray

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

const (
	// farmPace is the shortest time between two questions to the farm while the tab is shown.
	farmPace = 2 * time.Second
	// farmShare bounds what the farm does for the tab: it is asked again when so many times the time of its
	// last answer has passed, or farmRest.
	farmShare = 10
	farmRest  = 30 * time.Second
	// farmLook is how often the engine is asked whether the machine has joined a farm.
	farmLook = 30 * time.Second
	// farmGroups is how many groups of jobs are listed.
	farmGroups = 20
	// stripHeight is the height of a strip of jobs, and stripCell the width of a job in it where there are no
	// more than stripWide jobs. More of them share the whole width.
	stripHeight, stripCell, stripWide = 14, 28, 12
)

// farmTab is the tab Farm: the machines of the farm, and the newest jobs with their parts as strips. It is
// there while the machine is a member of a farm.
type farmTab struct {
	window   *window
	item     *container.TabItem
	content  fyne.CanvasObject
	above    *widget.Label // says why nothing is known, or who this machine is
	machines *fyne.Container
	groups   *fyne.Container

	link    Link
	farm    api.Farm
	text    string // of the farm that is shown, to find out whether something has changed
	asking  bool
	asked   time.Time   // when the farm was asked last
	next    time.Time   // when it may be asked again
	ticking *time.Timer // calls tick; nil at first
}

func newFarmTab(w *window) *farmTab {
	t := &farmTab{window: w, above: widget.NewLabel(""), machines: container.NewVBox(), groups: container.NewVBox()}
	t.above.Wrapping = fyne.TextWrapWord
	title := func(text string) *widget.Label {
		return widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	}
	t.content = container.NewVScroll(container.NewPadded(container.NewVBox(
		t.above, title(lang.L("Machines")), t.machines, widget.NewSeparator(), title(lang.L("Newest jobs")), t.groups,
	)))
	t.item = container.NewTabItemWithIcon(lang.L("Farm"), theme.GridIcon(), t.content)
	return t
}

// shown reports whether a person sees the tab.
func (t *farmTab) shown() bool {
	tabs := t.window.tabs
	return tabs != nil && tabs.Selected() == t.item
}

// there reports whether the window has the tab.
func (t *farmTab) there() bool {
	for _, item := range t.window.tabs.Items {
		if item == t.item {
			return true
		}
	}
	return false
}

// show takes over a state of the engine.
func (t *farmTab) show(s State) {
	came := s.Link == Attached && t.link != Attached
	t.link = s.Link
	if came {
		t.asked, t.next = time.Time{}, time.Time{}
		t.tick()
	}
}

// tick asks for the farm when it is time, and comes again. It may be called at any time.
func (t *farmTab) tick() {
	s := t.window.shell
	if s.ctx.Err() != nil {
		return
	}
	pace := farmLook
	if t.shown() {
		pace = farmPace
	}
	now := time.Now()
	if t.link == Attached && !t.asking && !now.Before(t.next) && now.Sub(t.asked) >= pace*9/10 {
		t.ask()
	}
	if t.ticking != nil {
		t.ticking.Stop()
	}
	t.ticking = time.AfterFunc(pace, func() {
		if s.ctx.Err() == nil {
			s.do(t.tick)
		}
	})
}

// ask asks the engine for the farm.
func (t *farmTab) ask() {
	began := time.Now()
	t.asking, t.asked = true, began
	fetch(t.window, func(ctx context.Context) (api.Farm, error) {
		return t.window.shell.cfg.Client.Farm(ctx, farmGroups)
	}, func(f api.Farm, err error) {
		now := time.Now()
		t.asking, t.next = false, now.Add(min(now.Sub(began)*farmShare, farmRest))
		if err == nil { // otherwise the link says why
			t.take(f)
		}
	})
}

// take shows a farm. The tab comes and goes with the membership of the machine.
func (t *farmTab) take(f api.Farm) {
	text, err := json.Marshal(f)
	if err != nil || string(text) == t.text {
		return
	}
	t.farm, t.text = f, string(text)
	switch {
	case f.Member == "" && f.Reason == "" && t.there():
		if t.shown() {
			t.window.tabs.SelectIndex(0)
		}
		t.window.tabs.Remove(t.item)
	case (f.Member != "" || f.Reason != "") && !t.there():
		t.window.tabs.Append(t.item)
	}
	t.above.SetText(farmWords(f))
	t.machines.RemoveAll()
	for _, m := range f.Machines {
		t.machines.Add(machineRow(m, f))
	}
	if len(f.Machines) == 0 && f.Reason == "" {
		t.machines.Add(farmRemark(lang.L("No machine of the farm works. Start the engine on those that have joined.")))
	}
	dropThumbnails(thumbnailsIn(t.groups))
	t.groups.RemoveAll()
	for _, g := range f.Groups {
		t.groups.Add(t.groupRow(g))
	}
	if len(f.Groups) == 0 && f.Reason == "" {
		t.groups.Add(farmRemark(lang.L("No job yet. “blendtray farm run SCRIPT” and “blendtray farm render SCENE.blend” give the farm work.")))
	}
}

func farmRemark(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}

// farmWords says who this machine is in the farm, or why the farm does not answer.
func farmWords(f api.Farm) string {
	if f.Reason != "" {
		return because(lang.L("The farm does not answer"), f.Reason)
	}
	return lang.L("This machine is “{{.Name}}” in the farm.", with{"Name": plain(f.Member)})
}

// machineWords says in words in which state a machine is.
func machineWords(state string) string {
	switch state {
	case "idle":
		return lang.L("idle")
	case "busy":
		return lang.L("busy")
	case "draining":
		return lang.L("takes no more jobs")
	case "leaving":
		return lang.L("leaves the farm when its jobs have ended")
	case "starting":
		return lang.L("asks the farm what it may take")
	case "in use":
		return lang.L("a person works there")
	case "off":
		return lang.L("switched off in its settings")
	case "gone":
		return lang.L("no sign of life")
	}
	return plain(state)
}

// machineRow returns a line about a machine: its name, its state, what it does and what it has.
func machineRow(m api.FarmMachine, f api.Farm) fyne.CanvasObject {
	name := widget.NewLabelWithStyle(oneLine(m.Name, 60), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	name.Truncation = fyne.TextTruncateEllipsis
	does := machineWords(m.State)
	if len(m.Jobs) > 0 {
		does = beside(does, strings.Join(jobNames(m.Jobs, f), ", "))
	}
	has := ""
	if len(m.Blenders) > 0 {
		has = "Blender " + plain(strings.Join(m.Blenders, " "))
	}
	if m.Cores > 0 {
		has = beside(has, lang.L("{{.Count}} cores", with{"Count": m.Cores}))
	}
	if m.Memory > 0 {
		has = beside(has, lang.L("{{.Free}} of {{.Memory}} free", with{"Free": bytesText(m.Free), "Memory": bytesText(m.Memory)}))
	}
	if m.GPU != "" {
		has = beside(has, oneLine(m.GPU, 60))
	}
	about := widget.NewLabel(beside(does, has))
	about.Truncation = fyne.TextTruncateEllipsis
	return container.NewBorder(nil, nil, container.NewGridWrap(fyne.NewSize(180, name.MinSize().Height), name), nil, about)
}

// jobNames returns the names of the jobs that a machine has.
func jobNames(ids []string, f api.Farm) (names []string) {
	for _, id := range ids {
		name := id
		for _, g := range f.Groups {
			for _, j := range g.Jobs {
				if j.ID == id {
					name = filepath.Base(g.Name)
					if j.Frames != "" {
						name += " " + j.Frames
					} else if g.Parts > 1 {
						name = lang.L("{{.Name}}, {{.Part}} of {{.Count}}", with{"Name": name, "Part": j.Part, "Count": g.Parts})
					}
				}
			}
		}
		names = append(names, nameInLine(name, 60))
	}
	return names
}

// groupRow returns what is known of a group of jobs, with a strip of its jobs, if there are several, and its
// newest picture.
func (t *farmTab) groupRow(g api.FarmGroup) fyne.CanvasObject {
	name := widget.NewLabelWithStyle(nameInLine(filepath.Base(g.Name), 100), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	name.Truncation = fyne.TextTruncateEllipsis
	about := widget.NewLabel(groupWords(g))
	about.Wrapping = fyne.TextWrapWord
	text := container.NewVBox(name, about)
	if g.Parts > 1 { // the words say the state of one job, and one cell looks like a button
		text = container.NewVBox(name, stripOf(g), about)
	}
	if g.Picture == "" {
		return container.NewVBox(text, widget.NewSeparator())
	}
	path := g.Picture
	picture := newThumbnail(t.window, shot{path: path, output: scenePreview}, nameInLine(filepath.Base(path), 30), func() {
		t.window.shell.try("open the picture", func(context.Context) error { return t.window.shell.cfg.Host.Open(path, 0) })
	})
	return container.NewVBox(container.NewBorder(nil, nil, nil, picture, text), widget.NewSeparator())
}

// stripOf returns a strip with a cell for each job of a group.
func stripOf(g api.FarmGroup) fyne.CanvasObject {
	strip := canvas.NewRaster(func(w, h int) image.Image { return drawStrip(g, w, h) })
	strip.SetMinSize(fyne.NewSize(stripCell*float32(min(g.Parts, stripWide)), stripHeight))
	line := container.NewHBox(strip)
	if g.Parts > stripWide {
		line = container.NewStack(strip)
	}
	return container.New(layout.NewCustomPaddedLayout(theme.Padding(), theme.Padding(), theme.InnerPadding(), theme.InnerPadding()), line)
}

// thumbnailsIn returns the thumbnails in the rows of groups.
func thumbnailsIn(groups *fyne.Container) (all []fyne.CanvasObject) {
	for _, row := range groups.Objects {
		c, ok := row.(*fyne.Container)
		if !ok {
			continue
		}
		for _, o := range c.Objects {
			if inner, ok := o.(*fyne.Container); ok {
				all = append(all, inner.Objects...)
			}
		}
	}
	return all
}

// groupWords says how far a group of jobs is, and why jobs of it have failed.
func groupWords(g api.FarmGroup) string {
	count := map[string]int{}
	reason := ""
	for _, j := range g.Jobs {
		count[j.State]++
		if reason == "" && j.State != "succeeded" {
			reason = j.Reason
		}
	}
	text := lang.L("{{.Done}} of {{.Count}} done", with{"Done": count["succeeded"], "Count": g.Parts})
	if g.Parts == 1 && len(g.Jobs) == 1 {
		text = stateWords(g.Jobs[0].State)
		if p := g.Jobs[0].Progress; p != nil {
			text = beside(text, percent(p.Fraction))
		}
		if m := g.Jobs[0].Machine; m != "" {
			text = beside(text, lang.L("on {{.Machine}}", with{"Machine": plain(m)}))
		}
	} else {
		for _, state := range []string{"running", "failed", "crashed", "timed-out", "interrupted", "refused", "cancelled"} {
			if n := count[state]; n > 0 {
				text = beside(text, lang.L("{{.Count}} {{.State}}", with{"Count": n, "State": stateWords(state)}))
			}
		}
	}
	text = beside(text, lang.L("by {{.Name}}", with{"Name": plain(g.By)}), when(g.At.Local(), time.Now()))
	if reason != "" {
		text += "\n" + oneLine(reason, 300)
	}
	return text
}

// stateWords says in words in which state a job is.
func stateWords(state string) string {
	switch state {
	case "waiting":
		return lang.L("waiting")
	case "running":
		return lang.L("running")
	case "succeeded":
		return lang.L("succeeded")
	case "failed":
		return lang.L("failed")
	case "crashed":
		return lang.L("crashed")
	case "timed-out":
		return lang.L("timed out")
	case "interrupted":
		return lang.L("interrupted")
	case "refused":
		return lang.L("refused")
	case "cancelled":
		return lang.L("cancelled")
	}
	return plain(state)
}

// drawStrip draws the jobs of a group from the left to the right, each in the colour of its state. Where
// there are more jobs than points, a point shows the job that most needs to be seen.
func drawStrip(g api.FarmGroup, w, h int) image.Image {
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	parts := max(g.Parts, len(g.Jobs), 1)
	states := make([]string, parts)
	for i, j := range g.Jobs {
		at := i
		if j.Part >= 1 && j.Part <= parts {
			at = j.Part - 1
		}
		states[at] = j.State
	}
	for x := range w {
		from, to := x*parts/w, max((x+1)*parts/w, x*parts/w+1)
		state := slices.MaxFunc(states[from:to], func(a, b string) int { return rank(a) - rank(b) })
		c := stripColour(state)
		if cell := w / parts; cell >= 6 && (x+1)*parts/w != from {
			c = color.Transparent // a gap between two jobs
		}
		for y := range h {
			picture.Set(x, y, c)
		}
	}
	return picture
}

// rank says how much a state needs to be seen.
func rank(state string) int {
	switch state {
	case "", "waiting":
		return 0
	case "succeeded":
		return 1
	case "running":
		return 2
	}
	return 3
}

// stripColour returns the colour of a state.
func stripColour(state string) color.Color {
	switch state {
	case "":
		return theme.Color(theme.ColorNameInputBackground)
	case "waiting":
		return theme.Color(theme.ColorNameDisabled)
	case "running":
		return theme.Color(theme.ColorNamePrimary)
	case "succeeded":
		return theme.Color(theme.ColorNameSuccess)
	case "cancelled", "interrupted":
		return theme.Color(theme.ColorNameWarning)
	}
	return theme.Color(theme.ColorNameError)
}
