//go:build !headless

package tray

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
	"blendtray/logfile"
)

const (
	// firstLog is how much of the end of a log is shown at first; Show more shows moreLog times as much, up
	// to mostLog, which is as much as a pane keeps.
	firstLog = 1 << 20
	moreLog  = 8
	mostLog  = 96 << 20
	// typingPause is how long nobody must have typed before a log is filtered.
	typingPause = 200 * time.Millisecond
)

// logTab is the tab Log: the log of the engine or of a Blender. It reads the files, so that it works when
// the engine is gone. While the tab is not shown, it keeps nothing.
type logTab struct {
	window  *window
	content fyne.CanvasObject
	view    *outputView

	choice, level *widget.Select
	filter        *entry
	follow        *widget.Button
	above         *widget.Label // how much is shown; hidden where all is
	more          *widget.Button
	aboveBox      *fyne.Container
	empty         *widget.Label // why nothing is shown

	logs   []Log
	want   int64 // how many bytes are shown at first
	before int   // how many lines were shown before a person asked for more, or 0
	typing *time.Timer
	active bool // the tab is shown, and reads
	stop   context.CancelFunc

	mu      sync.Mutex
	reading int  // counts the readers: only the last may write
	some    bool // the pane has some text
	failed  bool // an error stands over the text
}

// logLevels are the choices of the level, and what each shows.
var logLevels = []logfile.Level{logfile.AnyLevel, logfile.Warning, logfile.Error}

func newLogTab(w *window) *logTab {
	t := &logTab{window: w, want: firstLog, stop: func() {}}
	t.view = newGrowingView(w, lang.L("Find in the log"), nil)
	t.choice = widget.NewSelect(nil, func(string) { t.choose() })
	t.level = widget.NewSelect([]string{lang.L("All levels"), lang.L("Warnings and errors"), lang.L("Errors")}, func(string) { t.reload() })
	t.filter = &entry{typed: w.typed}
	t.filter.ExtendBaseWidget(t.filter)
	t.filter.SetPlaceHolder(lang.L("Filter the lines"))
	t.filter.OnChanged = func(string) { t.reloadSoon() }
	t.follow = widget.NewButton(lang.L("Follow"), func() {
		toggle(t.follow)
		t.reload()
	})
	t.follow.Importance = widget.HighImportance
	open := widget.NewButtonWithIcon(lang.L("Open the file"), theme.DocumentIcon(), func() { t.open(func(path string) string { return path }) })
	where := widget.NewButtonWithIcon(lang.L("Show in folder"), theme.FolderOpenIcon(), func() { t.open(filepath.Dir) })
	t.above = widget.NewLabel("")
	t.above.Truncation = fyne.TextTruncateEllipsis
	t.more = widget.NewButtonWithIcon(lang.L("Show more"), theme.MoveUpIcon(), t.showMore)
	t.aboveBox = container.NewBorder(nil, nil, nil, t.more, t.above)
	t.aboveBox.Hide()
	t.empty = widget.NewLabel("")
	t.empty.Wrapping, t.empty.Alignment = fyne.TextWrapWord, fyne.TextAlignCenter
	height := t.choice.MinSize().Height // a Select is as wide as its first text
	choices := container.NewHBox(
		container.NewGridWrap(fyne.NewSize(170, height), t.choice), container.NewGridWrap(fyne.NewSize(185, height), t.level))
	bar := container.NewBorder(nil, nil, choices, container.NewHBox(t.follow, open, where), t.filter)
	t.content = container.NewBorder(container.NewVBox(container.NewPadded(bar), t.aboveBox), nil, nil, nil,
		container.NewStack(t.view.content, container.New(layout.NewCustomPaddedLayout(40, 0, 40, 40), container.NewVBox(t.empty))))
	t.level.SetSelectedIndex(0)
	t.list()
	return t
}

// list lists the logs that there are, and keeps the chosen one.
func (t *logTab) list() {
	logs := t.window.shell.cfg.Host.Logs()
	if slices.Equal(logs, t.logs) {
		return
	}
	chosen := t.chosen()
	t.logs = logs
	t.choice.Options = nil
	for _, l := range logs {
		t.choice.Options = append(t.choice.Options, logName(l, len(logs)))
	}
	t.pick(slices.IndexFunc(logs, func(l Log) bool { return l == chosen }))
}

// pick chooses a log by its index, or the first.
func (t *logTab) pick(i int) {
	if len(t.logs) > 0 {
		t.choice.SetSelectedIndex(max(0, i))
	}
	t.choice.Refresh()
}

// logName returns the name of a log to show.
func logName(l Log, logs int) string {
	switch {
	case l.Blender == "":
		return lang.L("Engine")
	case logs <= 2:
		return "Blender"
	}
	return "Blender " + oneLine(l.Blender, 32)
}

// chosen returns the chosen log, or an empty one.
func (t *logTab) chosen() Log {
	if i := t.choice.SelectedIndex(); i >= 0 && i < len(t.logs) {
		return t.logs[i]
	}
	return Log{}
}

func (t *logTab) choose() {
	t.want = firstLog
	if t.chosen().Blender == "" { // the lines of Blenders have no level
		t.level.Enable()
	} else {
		t.level.Disable()
	}
	t.reload()
}

// shows returns what is shown of the chosen log.
func (t *logTab) shows() logfile.Filter {
	f := logfile.Filter{Text: t.filter.Text}
	if i := t.level.SelectedIndex(); i > 0 && t.chosen().Blender == "" {
		f.Least = logLevels[i]
	}
	return f
}

// turn notes whether the tab is shown. A tab that is not shown reads nothing and keeps nothing.
func (t *logTab) turn(shown bool) {
	if shown == t.active {
		return
	}
	t.active = shown
	if shown {
		t.list()
		t.reload()
		return
	}
	t.want = firstLog
	t.end()
	t.view.pane.Clear()
}

// end ends the reader, if there is one. Nothing of it comes into the pane any more.
func (t *logTab) end() (next int) {
	t.stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading++
	t.some, t.failed = false, false
	return t.reading
}

// reloadSoon reads the log anew when nobody has typed for a moment.
func (t *logTab) reloadSoon() {
	if t.typing != nil {
		t.typing.Stop()
	}
	t.typing = time.AfterFunc(typingPause, func() { t.window.shell.do(t.reload) })
}

// showMore shows more of what is before.
func (t *logTab) showMore() {
	first, end := t.view.pane.Lines()
	t.want, t.before = min(t.want*moreLog, mostLog), end-first
	t.reload()
}

// reload reads the log anew, and follows it.
func (t *logTab) reload() {
	if !t.active {
		return
	}
	number := t.end()
	ctx, stop := context.WithCancel(t.window.shell.ctx)
	t.stop = stop
	t.say(lang.L("Reading…"))
	filter, follows, log, want := t.shows(), isOn(t.follow), t.chosen(), t.want
	go t.read(ctx, number, log, filter, want, follows)
}

// read shows the end of a log, and what is added until ctx ends, on a goroutine of its own.
func (t *logTab) read(ctx context.Context, number int, log Log, filter logfile.Filter, want int64, follows bool) {
	write := func(text string) { t.write(number, []byte(text)) }
	tail := &logfile.Tail{Path: log.Path, Write: filter.Writer(write)}
	defer tail.Close()
	text, more, err := tail.Start(ctx, want, filter)
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	if t.reading == number {
		t.view.pane.Clear()
	}
	t.mu.Unlock()
	t.write(number, text)
	t.tell(number, func() {
		t.showAbove(int64(len(text)), more, filter)
		if first, end := t.view.pane.Lines(); t.before > 0 && end-t.before > first {
			t.view.pane.ShowLine(end - t.before) // what the person looked at
		}
		t.before = 0
		t.say(t.emptyWords(log, filter, err))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) || !follows {
		return
	}
	for ctx.Err() == nil {
		err := tail.Follow(ctx) // of this turn alone: what tell is given runs later, on another goroutine
		if err == nil || ctx.Err() != nil {
			return
		}
		t.fail(number, log, filter, err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the file may be readable again
		}
	}
}

// write gives the pane what a reader has read, if the reader is the last.
func (t *logTab) write(number int, text []byte) {
	if len(text) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading != number {
		return
	}
	t.view.pane.Append(text)
	if !t.some || t.failed {
		t.some, t.failed = true, false
		t.window.shell.do(func() { t.say("") })
	}
}

// fail says why a reader can't go on, if the reader is the last. The next text removes the sentence.
func (t *logTab) fail(number int, log Log, filter logfile.Filter, err error) {
	t.mu.Lock()
	if t.reading == number {
		t.failed = true
	}
	t.mu.Unlock()
	t.tell(number, func() { t.say(t.emptyWords(log, filter, err)) })
}

// tell calls do on Fyne's goroutine, if the reader is the last.
func (t *logTab) tell(number int, do func()) {
	t.window.shell.do(func() {
		t.mu.Lock()
		last := t.reading == number
		t.mu.Unlock()
		if last {
			do()
		}
	})
}

// emptyWords returns the sentence that says why no line is shown, or "" when there are lines.
func (t *logTab) emptyWords(log Log, filter logfile.Filter, err error) string {
	t.mu.Lock()
	some := t.some
	t.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lang.L("There is no log yet: {{.Path}}", map[string]any{"Path": api.NameInLine(log.Path)})
	case err != nil:
		return lang.L("The log can't be read: {{.Reason}}", map[string]any{"Reason": revealed(err.Error())})
	case some:
		return ""
	case !filter.All():
		return lang.L("No line of this log matches.")
	}
	return lang.L("The log is empty.")
}

// say shows why nothing is shown, or for "" nothing.
func (t *logTab) say(text string) {
	if t.empty.Text != text {
		t.empty.SetText(text)
	}
}

// showAbove says how much of a log is shown, where that is not all.
func (t *logTab) showAbove(shown int64, more bool, filter logfile.Filter) {
	t.aboveBox.Hidden, t.more.Hidden = !more, t.want >= mostLog
	switch {
	case !more:
	case filter.All():
		t.above.SetText(lang.L("The last {{.Size}} are shown; there are older lines.", map[string]any{"Size": bytesText(uint64(shown))}))
	default:
		t.above.SetText(lang.L("The last {{.Size}} of lines that match are shown; there are older lines.", map[string]any{"Size": bytesText(uint64(shown))}))
	}
	t.content.Refresh()
}

// open opens what of returns for the path of the chosen log.
func (t *logTab) open(of func(path string) string) {
	s, path := t.window.shell, of(t.chosen().Path)
	s.try("open the log", func(context.Context) error { return s.cfg.Host.Open(path, 0) })
}

// showLog goes to the tab Log and shows the log of a Blender.
func (w *window) showLog(blender string) {
	w.goTo(w.tabOf(w.log.content))
	if i := slices.IndexFunc(w.log.logs, func(l Log) bool { return l.Blender == blender }); i >= 0 {
		w.log.pick(i)
	}
}
