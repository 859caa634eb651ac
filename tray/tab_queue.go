//go:build !headless

package tray

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

const (
	// queuePace is the shortest time between two requests for what waits.
	queuePace = time.Second
	// queueShare bounds what the engine does for the list: of ten thousand runs that wait it takes up to 120 ms
	// to find out the order of the first thousand, and begins no run meanwhile.
	queueShare = 20
	// queueRest bounds the rest that follows from that.
	queueRest = 5 * time.Second
	// usagePace is how often the engine is asked for memory and CPU, which is how often it measures.
	usagePace = 2 * time.Second
	// calmUsagePace is how often the engine is asked when no run is running and it had nothing new.
	calmUsagePace = 5 * time.Second
)

// queueTab is the tab Queue: what each Blender does, which agents are connected, and below what waits. It asks the engine only while
// it is shown.
type queueTab struct {
	window  *window
	content fyne.CanvasObject

	split  *container.Split // between what the Blenders do and what waits
	above  fyne.CanvasObject
	offset float64 // of split, as the window has set it

	processes *fyne.Container
	rows      map[string]*processRow // by keyOf
	idle      *widget.Label          // says why there is no row, or is hidden

	agents     *fyne.Container
	agentsHead *widget.Label
	agentRows  map[string]*agentRow // by the ids of agents

	list                         *queueList
	count, empty, about          *widget.Label
	next, up, cancel, cancelLine *widget.Button
	waiting                      waitingRuns
	names                        map[string]string

	usage     usageKept
	state     State
	stale     atomic.Bool // what waits may have changed
	ticking   bool        // tick comes by itself
	asking    bool        // the engine is asked for what waits
	asked     bool        // the engine has answered once
	askAgain  time.Time   // when it may be asked again
	measuring bool        // the engine is asked for memory and CPU
	calm      bool        // the engine had nothing new about memory and CPU the last time
	measured  time.Time   // when it was asked last
	trouble   string      // why what waits is not known, or ""
	choosing  bool        // the window selects a line, and no person
}

func newQueueTab(w *window) *queueTab {
	t := &queueTab{window: w, rows: map[string]*processRow{}, names: map[string]string{}}
	t.stale.Store(true)
	t.processes = container.NewVBox()
	t.idle = widget.NewLabel("")
	t.idle.Wrapping = fyne.TextWrapWord
	t.agents = container.NewVBox()
	t.agentsHead = heading(lang.L("Agents that are connected"))
	t.list = newQueueList(t)
	t.count = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	t.count.Truncation = fyne.TextTruncateEllipsis
	t.empty = widget.NewLabel("")
	t.empty.Wrapping, t.empty.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	t.about = widget.NewLabel("")
	t.about.Wrapping = fyne.TextWrapWord
	t.about.Hide()
	t.next = widget.NewButtonWithIcon(lang.L("Run next"), theme.MediaSkipNextIcon(), func() { t.move(api.FrontOfAll) })
	t.up = widget.NewButtonWithIcon(lang.L("Move up in its line"), theme.MoveUpIcon(), func() { t.move(api.FrontOfLine) })
	t.cancel = widget.NewButtonWithIcon(lang.L("Cancel"), theme.CancelIcon(), t.cancelRuns)
	t.cancelLine = widget.NewButtonWithIcon("", theme.DeleteIcon(), t.askCancelLine)
	buttons := container.New(newWrappedRows(), t.next, t.up, t.cancel, t.cancelLine)
	head := container.New(queueColumns{},
		widget.NewLabel(""), heading("#"), heading(lang.L("Script")), heading(lang.L("Line")), heading(lang.L("Since")), heading(lang.L("Why it waits")))
	above := container.NewVBox(t.count, container.NewPadded(buttons), head, widget.NewSeparator())
	below := container.NewBorder(above, t.about, nil, nil, container.NewStack(t.list, container.NewPadded(t.empty)))
	t.above = container.NewPadded(container.NewVBox(t.idle, t.processes, t.agents))
	t.offset = 0.38
	t.split = container.NewVSplit(container.NewVScroll(t.above), below)
	t.split.SetOffset(t.offset)
	t.content = t.split
	t.refresh()
	return t
}

func heading(text string) *widget.Label {
	l := widget.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	l.Truncation = fyne.TextTruncateEllipsis
	return l
}

// shown reports whether a person sees the tab.
func (t *queueTab) shown() bool {
	tabs := t.window.tabs
	return tabs != nil && tabs.Selected() != nil && tabs.Selected().Content == t.content
}

// heard notes that an event may have changed what waits. It may be called on any goroutine.
func (t *queueTab) heard() { t.stale.Store(true) }

// show shows a state of the engine, if the tab is shown.
func (t *queueTab) show(s State) {
	if s.Link == Attached && t.state.Link != Attached {
		t.stale.Store(true)
		t.usage = usageKept{} // of another engine
		t.askAgain, t.trouble, t.asked = time.Time{}, "", false
	}
	same := s.Link == t.state.Link && sameRuns(s.Running, t.state.Running)
	t.state = s
	switch {
	case !t.shown():
		return
	case same && t.ticking:
		t.refreshProcesses()
	default:
		t.refresh()
	}
	t.begin()
}

// sameRuns reports whether two lists have the same runs, however far they are, and the same of them wait on the
// farm.
func sameRuns(a, b []api.Run) bool {
	return slices.EqualFunc(a, b, func(a, b api.Run) bool { return a.ID == b.ID && a.AwaitsMachine() == b.AwaitsMachine() })
}

// begin begins to ask the engine, which ends by itself when the tab is not shown any more.
func (t *queueTab) begin() {
	if !t.ticking {
		t.ticking = true
		t.tick()
	}
}

// tick asks the engine for what may have changed, and comes again.
func (t *queueTab) tick() {
	s := t.window.shell
	if !t.shown() || s.ctx.Err() != nil {
		t.ticking = false
		return
	}
	if t.state.Link == Attached {
		t.ask()
		t.measure()
	}
	time.AfterFunc(queuePace, func() {
		if s.ctx.Err() == nil {
			s.do(t.tick)
		}
	})
}

// ask asks the engine for what waits, if that may have changed.
func (t *queueTab) ask() {
	began := time.Now()
	if t.asking || began.Before(t.askAgain) || !t.stale.Swap(false) {
		return
	}
	t.asking = true
	type answer struct {
		runs  []api.QueuedRun
		total int
	}
	fetch(t.window, func(ctx context.Context) (answer, error) {
		runs, total, err := t.window.shell.cfg.Client.Queue(ctx, maxListed)
		return answer{runs, total}, err
	}, func(a answer, err error) {
		now := time.Now()
		t.asking, t.asked, t.trouble, t.askAgain = false, true, "", now.Add(min(now.Sub(began)*queueShare, queueRest))
		if err != nil {
			t.trouble, t.askAgain = err.Error(), time.Time{}
			t.stale.Store(true)
		} else {
			t.take(a.runs, a.total)
		}
		t.refresh()
	})
}

// measure asks the engine for memory and CPU, from time to time.
func (t *queueTab) measure() {
	pace := usagePace
	if t.calm && len(t.state.Running) == 0 {
		pace = calmUsagePace
	}
	if t.measuring || time.Since(t.measured) < pace*9/10 {
		return
	}
	t.measuring, t.measured = true, time.Now()
	since := t.usage.at
	fetch(t.window, func(ctx context.Context) (api.Usage, error) {
		return t.window.shell.cfg.Client.Usage(ctx, since)
	}, func(u api.Usage, err error) {
		t.measuring = false
		if err == nil && since.Equal(t.usage.at) { // else nothing new is shown; the link says why
			t.usage.add(u)
			t.calm = t.usage.at.Equal(since)
			if !t.calm {
				t.drawUsage()
			}
		}
	})
}

// take shows other runs that wait, and keeps the lines in sight where they are.
func (t *queueTab) take(runs []api.QueuedRun, total int) {
	before, offset, height := t.waiting.runs, t.list.GetScrollOffset(), t.lineHeight()
	t.waiting.update(runs, total)
	t.list.Refresh()
	if offset > 0 { // at the top, what comes next is to be seen
		lowest := max(0, height*float32(len(runs))-t.list.Size().Height)
		t.list.ScrollToOffset(min(max(0, offset+height*float32(moved(before, runs, int(offset/height)))), lowest))
	}
	t.markChosen()
}

// lineHeight returns the height of a line of the list, with the space between two lines.
func (t *queueTab) lineHeight() float32 {
	return t.list.CreateItem().MinSize().Height + t.list.Theme().Size(theme.SizeNamePadding)
}

// markChosen puts the list's cursor on the chosen run, without scrolling.
func (t *queueTab) markChosen() {
	t.choosing = true
	defer func() { t.choosing = false }()
	i := t.waiting.index(t.waiting.chosen)
	if i < 0 {
		t.list.UnselectAll()
		return
	}
	offset := t.list.GetScrollOffset()
	t.list.Select(i)
	t.list.ScrollToOffset(offset)
}

// refresh shows what is known.
func (t *queueTab) refresh() {
	t.refreshProcesses()
	t.names = t.waiting.names(t.state.Running)
	t.empty.SetText(t.emptyWords())
	if t.emptyWords() != "" && len(t.waiting.runs) > 0 {
		t.take(nil, 0)
	}
	t.count.SetText(t.countWords())
	t.list.Refresh()
	t.refreshButtons()
}

// countWords says how many runs wait, and how many of them are not listed.
func (t *queueTab) countWords() string {
	listed := len(t.waiting.runs)
	if listed == 0 {
		return lang.L("Waiting runs")
	}
	text := waitWords(t.waiting.total)
	if more := t.waiting.total - listed; more > 0 {
		text += " · " + lang.L("the first {{.Count}} are listed, and {{.More}} more wait", map[string]any{"Count": grouped(listed), "More": grouped(more)})
	}
	if n := len(t.waiting.marked); n > 0 {
		text += " · " + lang.L("{{.Count}} marked", map[string]any{"Count": n})
	}
	return text
}

// emptyWords returns the sentence that says why no run is listed, or "" when there are runs.
func (t *queueTab) emptyWords() string {
	switch {
	case t.state.Link == Lost:
		return lang.L("The engine has ended. What waited begins when there is an engine again.")
	case t.state.Link != Attached:
		return lang.L("Looking for the engine…")
	case t.trouble != "":
		return lang.L("The runs that wait can't be listed: {{.Reason}}", map[string]any{"Reason": t.trouble})
	case len(t.waiting.runs) > 0:
		return ""
	case !t.asked:
		return lang.L("Asking the engine which runs wait…")
	}
	if n := t.state.awaiting(); n > 0 {
		return lang.N("No run waits here. {{.Count}} wait for a machine of the farm; Activity lists them.", n, with{"Count": grouped(n)})
	}
	return lang.L("No run waits. A script that is saved while others are running appears here.")
}

func (t *queueTab) refreshButtons() {
	some := len(t.waiting.targets()) > 0
	for _, b := range []*widget.Button{t.next, t.up, t.cancel} {
		enable(b, some)
	}
	of, _, ok := t.waiting.line()
	if text := lang.L("{{.Action}}…", map[string]any{"Action": cancelLineLabel(of.LineKind)}); text != t.cancelLine.Text {
		t.cancelLine.SetText(text)
	}
	enable(t.cancelLine, ok)
	text := ""
	if i := t.waiting.index(t.waiting.chosen); i >= 0 {
		q := t.waiting.runs[i]
		text = beside(nameInLine(q.Run.Script, 200), lang.L("run {{.ID}}", map[string]any{"ID": q.Run.ID}), t.why(q))
	}
	if text != t.about.Text {
		t.about.SetText(text)
		t.about.Hidden = text == ""
		t.content.Refresh()
	}
}

// why returns in words why a run waits.
func (t *queueTab) why(q api.QueuedRun) string {
	text := waitsWhy(q, t.names)
	if q.Ahead {
		return beside(lang.L("moved to the front"), text)
	}
	return text
}

// act does something to runs, one after the other, and asks for what waits then. A run that has begun meanwhile is left alone.
func (t *queueTab) act(ids []string, do func(ctx context.Context, id string) error) {
	slices.Reverse(ids) // of those that are put ahead, the last begins first; of those that are cancelled, none begins meanwhile
	fetchWithin(t.window, 5*time.Minute, func(ctx context.Context) (int, error) {
		for _, id := range ids {
			if err := do(ctx, id); err != nil && !errors.Is(err, api.ErrEnded) && !errors.Is(err, api.ErrNotFound) {
				return 0, err
			}
		}
		return 0, nil
	}, func(_ int, err error) { t.acted(err) })
}

// acted shows what has become of a request.
func (t *queueTab) acted(err error) {
	t.window.failed(err)
	t.stale.Store(true)
	t.askAgain = time.Time{} // a person waits for it
	if t.shown() {
		t.ask()
	}
}

func (t *queueTab) move(of api.Front) {
	t.act(t.waiting.targets(), func(ctx context.Context, id string) error {
		_, err := t.window.shell.cfg.Client.MoveFirst(ctx, id, of)
		return err
	})
}

// cancelRuns cancels the runs that are marked, or the chosen run. It asks first when they are several.
func (t *queueTab) cancelRuns() {
	ids := t.waiting.targets() // some may begin while the question is open, and then others would be meant
	cancel := func() {
		t.act(ids, func(ctx context.Context, id string) error {
			_, err := t.window.shell.cfg.Client.Cancel(ctx, id)
			return err
		})
	}
	if n := len(ids); n > 1 {
		t.window.confirm(lang.L("Cancel these runs?"),
			lang.L("{{.Count}} marked runs will not run.", map[string]any{"Count": grouped(n)}), lang.L("Cancel the runs"), cancel)
		return
	}
	cancel()
}

// askCancelLine cancels all runs of the line of the chosen run, after a question.
func (t *queueTab) askCancelLine() {
	of, count, ok := t.waiting.line()
	if !ok {
		return
	}
	words := map[string]any{"Count": grouped(count), "Line": lineWords(of)}
	text := lang.L("{{.Count}} runs of {{.Line}} wait and will not run. What is running goes on.", words)
	switch {
	case t.waiting.total > len(t.waiting.runs):
		text = lang.L("At least {{.Count}} runs of {{.Line}} wait and will not run. What is running goes on.", words)
	case count == 1:
		text = lang.L("1 run of {{.Line}} waits and will not run. What is running goes on.", words)
	}
	t.window.confirm(cancelLineLabel(of.LineKind)+"?", text, lang.L("Cancel the runs"), func() {
		fetchWithin(t.window, 5*time.Minute, func(ctx context.Context) (int, error) {
			return t.window.shell.cfg.Client.CancelLine(ctx, of)
		}, func(_ int, err error) { t.acted(err) })
	})
}

// queueList is the list of what waits: Space marks the chosen run, Delete cancels.
type queueList struct {
	runList
	tab *queueTab
}

func newQueueList(t *queueTab) *queueList {
	l := &queueList{tab: t}
	l.step = t.step
	l.Length = func() int { return len(t.waiting.runs) }
	l.CreateItem, l.UpdateItem = newQueueRow, t.fill
	l.OnSelected = func(i widget.ListItemID) {
		if !t.choosing && i < len(t.waiting.runs) {
			t.waiting.chosen = t.waiting.runs[i].Run.ID
			t.refreshButtons()
		}
	}
	l.ExtendBaseWidget(l)
	return l
}

func (l *queueList) TypedKey(key *fyne.KeyEvent) {
	t := l.tab
	switch key.Name {
	case fyne.KeySpace:
		if id := t.waiting.chosen; id != "" {
			t.mark(id, !t.waiting.marked[id])
			l.Refresh()
		}
	case fyne.KeyDelete:
		press(t.cancel)
	default:
		l.runList.TypedKey(key)
	}
}

// step chooses the run that is so many lines below the chosen one.
func (t *queueTab) step(by int) {
	if len(t.waiting.runs) == 0 {
		return
	}
	i := min(max(0, t.waiting.index(t.waiting.chosen)+by), len(t.waiting.runs)-1)
	t.list.Select(i)
	t.list.Highlight(i)
}

func (t *queueTab) mark(id string, on bool) {
	t.waiting.mark(id, on)
	t.count.SetText(t.countWords())
	t.refreshButtons()
}

// queueColumns lays out a line of the list: check box, position, script, line, time, reason.
type queueColumns struct{}

// widths returns the widths of the columns in a line of a width.
func (queueColumns) widths(check, whole float32) [6]float32 {
	const position, since = 56, 84
	rest := max(0, whole-check-position-since)
	return [6]float32{check, position, rest * 0.26, rest * 0.27, since, rest * 0.47}
}

func (queueColumns) MinSize(objects []fyne.CanvasObject) fyne.Size {
	height := float32(0)
	for _, o := range objects {
		height = max(height, o.MinSize().Height)
	}
	return fyne.NewSize(360, height)
}

func (c queueColumns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	x := float32(0)
	for i, width := range c.widths(checkWidth(), size.Width) {
		objects[i].Move(fyne.NewPos(x, 0))
		objects[i].Resize(fyne.NewSize(width, size.Height))
		x += width
	}
}

// checkWidth returns the width of the column with the check box.
func checkWidth() float32 { return theme.IconInlineSize() + 2*theme.InnerPadding() }

// newQueueRow returns an empty line of the list.
func newQueueRow() fyne.CanvasObject {
	cells := []fyne.CanvasObject{widget.NewCheck("", nil)}
	for range 5 {
		l := widget.NewLabel("")
		l.Truncation = fyne.TextTruncateEllipsis
		cells = append(cells, l)
	}
	return container.New(queueColumns{}, cells...)
}

// fill shows a run in a line of the list.
func (t *queueTab) fill(i widget.ListItemID, row fyne.CanvasObject) {
	if i >= len(t.waiting.runs) {
		return
	}
	q := t.waiting.runs[i]
	cells := row.(*fyne.Container).Objects
	check := cells[0].(*widget.Check)
	check.OnChanged = nil
	check.SetChecked(t.waiting.marked[q.Run.ID])
	check.OnChanged = func(on bool) { t.mark(q.Run.ID, on) }
	for n, text := range []string{
		strconv.Itoa(q.Position), nameOf(q.Run), lineWords(api.QueueLine{Line: q.Line, LineKind: q.LineKind}),
		when(q.Run.QueuedAt, time.Now()), t.why(q),
	} {
		if l := cells[n+1].(*widget.Label); l.Text != text {
			l.SetText(text)
		}
	}
}

// processRow is a line for a process: what it does, and what it takes.
type processRow struct {
	content     fyne.CanvasObject
	title, use  *widget.Label
	cpu, memory *usageGraph
	graphs      *fyne.Container
}

func newProcessRow() *processRow {
	r := &processRow{title: widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), use: widget.NewLabel("")}
	r.title.Truncation, r.use.Truncation = fyne.TextTruncateEllipsis, fyne.TextTruncateEllipsis
	r.cpu, r.memory = newUsageGraph(theme.ColorNamePrimary), newUsageGraph(theme.ColorNameSuccess)
	r.graphs = container.NewHBox(r.cpu.content, r.memory.content)
	r.content = container.NewBorder(nil, widget.NewSeparator(), nil, r.graphs, container.New(halves{beside: r.graphs, first: 0.47}, r.title, r.use))
	return r
}

// halves lays out two objects beside each other, in the middle of the height.
type halves struct {
	// beside, if not nil, takes room to the right of them when it is shown. The second object begins at the
	// same place when it is hidden.
	beside fyne.CanvasObject
	// first is the share of the first object.
	first float32
}

func (halves) MinSize(objects []fyne.CanvasObject) fyne.Size {
	a, b := objects[0].MinSize(), objects[1].MinSize()
	return fyne.NewSize(a.Width+b.Width, max(a.Height, b.Height))
}

func (h halves) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	first := size.Width
	if h.beside != nil && !h.beside.Visible() {
		first -= h.beside.MinSize().Width + theme.Padding()
	}
	first = max(0, first) * h.first
	for i, o := range objects {
		height := o.MinSize().Height
		o.Move(fyne.NewPos(first*float32(i), (size.Height-height)/2))
		o.Resize(fyne.NewSize([]float32{first, size.Width - first}[i], height))
	}
}

// set shows what a process is and does.
func (r *processRow) set(title, use string) {
	if r.title.Text != title {
		r.title.SetText(title)
	}
	if r.use.Text != use {
		r.use.SetText(use)
	}
}

// processLine is what is to be shown of a process, or of a Blender without one.
type processLine struct {
	key, title, use string
	pid             int // 0 without a process
	engine          bool
	stops           bool // so that it is measured no more
}

// processLines returns a line for each process, for each Blender that has none, and for the engine.
func processLines(s State, now time.Time) (lines []processLine) {
	versions, has := map[string]string{}, map[string]bool{}
	for _, b := range s.Status.Blenders {
		versions[b.Name] = b.Version
	}
	for _, p := range s.Status.Processes {
		has[p.Blender] = true
		var run *api.Run
		if i := s.indexOf(p.Run); i >= 0 && p.Run != "" {
			run = &s.Running[i]
		}
		lines = append(lines, processLine{
			key: "process " + strconv.Itoa(p.PID), title: blenderTitle(p.Blender, versions[p.Blender], p.PID),
			use: processUse(p, run, now), pid: p.PID, stops: p.State == api.BlenderStopping,
		})
	}
	for _, b := range s.Status.Blenders {
		if !has[b.Name] {
			line := processLine{key: "blender " + b.Name, title: blenderTitle(b.Name, b.Version, 0), use: restingUse(b)}
			if b.Kind == api.BlenderFarm {
				line.title, line.use = farmTitle(b), farmUse(b, s.Running)
			}
			lines = append(lines, line)
		}
	}
	e := s.Status.Engine
	return append(lines, processLine{
		key: "engine", engine: true, use: lang.L("watching, and keeping the queue"),
		title: beside(lang.L("Engine"), e.Version, lang.L("process {{.PID}}", map[string]any{"PID": e.PID})),
	})
}

// mostAbove bounds the part of the tab in which the window itself makes room for Blenders and agents.
const mostAbove = 0.65

// makeRoom has all Blenders and agents in sight, as far as there is room for them, unless a person has
// moved the line between them and what waits. The line does not go back when there are fewer: what
// waits would jump.
func (t *queueTab) makeRoom() {
	height := t.split.Leading.Size().Height + t.split.Trailing.Size().Height
	if height <= 0 || t.split.Offset != t.offset {
		return
	}
	if want := min(float64(t.above.MinSize().Height/height), mostAbove); want > t.offset {
		t.offset = want
		t.split.SetOffset(want)
	}
}

// refreshProcesses shows what each Blender does. Rows that stay are changed where they are.
func (t *queueTab) refreshProcesses() {
	defer t.makeRoom()
	t.refreshAgents()
	if t.state.Link != Attached {
		clear(t.rows)
		t.processes.RemoveAll()
		t.idle.SetText(lang.L("Without an engine there is no Blender."))
		t.idle.Show()
		return
	}
	t.idle.Hide()
	lines := processLines(t.state, time.Now())
	rows := make(map[string]*processRow, len(lines))
	var objects []fyne.CanvasObject
	for _, l := range lines {
		row := t.rows[l.key]
		if row == nil {
			row = newProcessRow()
			t.drawRow(row, l)
		}
		row.set(l.title, l.use)
		row.graphs.Hidden = l.pid == 0 && !l.engine
		rows[l.key] = row
		objects = append(objects, row.content)
	}
	t.rows = rows
	if !slices.Equal(objects, t.processes.Objects) {
		t.processes.Objects = objects
		t.processes.Refresh()
	}
}

// drawUsage draws all graphs anew.
func (t *queueTab) drawUsage() {
	for _, l := range processLines(t.state, time.Now()) {
		if row := t.rows[l.key]; row != nil {
			t.drawRow(row, l)
		}
	}
}

// drawRow draws the graphs of a row.
func (t *queueTab) drawRow(row *processRow, l processLine) {
	samples := t.usage.samplesOf(l.pid)
	if l.engine {
		samples = t.usage.engine
	}
	cpu, memory := lang.L("CPU is measured…"), lang.L("memory is measured…")
	if n := len(samples); n == 0 && l.stops {
		cpu, memory = "", ""
	} else if n > 0 {
		cpu, memory = coresText(samples[n-1].CPUCores), memoryText(samples[n-1])
	}
	now := time.Now()
	graph := func(value func(api.UsageSample) float64, least float64) func(int) ([]float64, float64) {
		return func(columns int) ([]float64, float64) {
			points := graphPoints(samples, now, columns, value)
			return points, top(points, least)
		}
	}
	row.cpu.show(cpu, graph(coresOf, 1))
	row.memory.show(memory, graph(memoryOf, 1))
}
