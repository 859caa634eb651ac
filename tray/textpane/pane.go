//go:build !headless

package textpane

import (
	"image"
	"image/color"
	"io"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"blendtray/tray/textpane/buffer"
	"blendtray/tray/textpane/raster"
	"blendtray/tray/textpane/selection"
)

// Span is a part of a line, in bytes, in a colour of its own.
type Span struct {
	Start, End   int
	Color        color.Color
	Bold, Italic bool
}

// Options say what a pane is for. The zero Options show a text and no more.
type Options struct {
	Buffer buffer.Options
	// Do calls a function on the toolkit's goroutine; nil means fyne.Do.
	Do func(func())
	// Numbers shows the number of each line beside it.
	Numbers bool
	// Spans, if not nil, returns the colours of a line, such as those of code. They go before those
	// that the text brings along.
	Spans func(line int, text string) []Span
	// Labels, if not nil, returns what stands beside a line in place of its number, and LabelWidth how
	// many columns the widest label has.
	Labels     func(line int) string
	LabelWidth func() int
	// Back, if not nil, returns the background of a line, or nil where the line has none of its own.
	Back func(line int) color.Color
	// Opens, if not nil, reports whether a click on a line does something, and Open does it.
	Opens func(text string) bool
	Open  func(text string)
	// Wrapped, if not nil, is told whether long lines are wrapped when a person has changed that in the
	// pane's menu.
	Wrapped func(bool)
	// Shortcut, if not nil, is asked first what to do for a shortcut, and reports whether it did
	// something.
	Shortcut func(fyne.Shortcut) bool
}

// Pane shows a text. Append, SetText and Clear may be called on any goroutine, and everything else
// only on the toolkit's.
type Pane struct {
	widget.BaseWidget
	opts   Options
	buffer *buffer.Buffer
	raster *canvas.Raster
	image  *image.RGBA // drawn again and again

	painter *raster.Painter
	palette palette

	view    view
	sel     selection.Selection
	finder  finder
	pointer pointer
	shift   bool // a Shift key is held
	focused bool
	marked  int // the line that is marked, or -1

	mu      sync.Mutex
	waiting bool          // a refresh will come
	last    time.Time     // when the last refresh began
	took    time.Duration // how long it took
}

// The pane is what the toolkit asks of a widget with a selection.
var (
	_ fyne.Draggable         = (*Pane)(nil)
	_ fyne.Scrollable        = (*Pane)(nil)
	_ fyne.Focusable         = (*Pane)(nil)
	_ fyne.Shortcutable      = (*Pane)(nil)
	_ fyne.SecondaryTappable = (*Pane)(nil)
	_ desktop.Mouseable      = (*Pane)(nil)
	_ desktop.Hoverable      = (*Pane)(nil)
	_ desktop.Cursorable     = (*Pane)(nil)
	_ desktop.Keyable        = (*Pane)(nil)
)

// New returns an empty pane, which follows the newest line.
func New(opts Options) *Pane {
	if opts.Do == nil {
		opts.Do = fyne.Do
	}
	p := &Pane{opts: opts, buffer: buffer.New(opts.Buffer), marked: -1}
	p.view = view{pane: p, follow: true}
	p.finder.pane = p
	p.raster = canvas.NewRaster(p.draw)
	p.raster.ScaleMode = canvas.ImageScalePixels
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer returns a renderer; see [fyne.Widget].
func (p *Pane) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(p.raster) }

// MinSize returns a size in which a few words can be read.
func (p *Pane) MinSize() fyne.Size {
	p.ExtendBaseWidget(p)
	return fyne.NewSize(120, 60)
}

// Append adds text at the end.
func (p *Pane) Append(text []byte) {
	p.buffer.Append(text)
	p.changed()
}

// SetText replaces the text. The pane follows the newest line again.
func (p *Pane) SetText(text string) {
	p.Clear()
	p.Append([]byte(text))
}

// Clear makes the pane empty. The pane follows the newest line again.
func (p *Pane) Clear() {
	p.buffer.Reset()
	p.opts.Do(func() {
		p.view.reset()
		p.sel = selection.Selection{}
		p.marked = -1
		p.finder.again()
		p.Refresh()
	})
}

// Close releases what the pane keeps. It is empty then.
func (p *Pane) Close() {
	shared.Lock()
	delete(shared.panes, p)
	shared.Unlock()
	p.buffer.Close()
}

// Text returns all lines without their styles.
func (p *Pane) Text() string { return p.buffer.Text(p.buffer.Bounds()) }

// Writer returns a function that writes the text that the pane has now, and what comes after it, without
// styles. The function may be called on any goroutine. It fails when another text is shown by then
// ([buffer.ErrReset]), or as the writer does.
func (p *Pane) Writer() func(io.Writer) error {
	_, resets := p.buffer.Version()
	return func(w io.Writer) error { return p.buffer.WriteText(w, resets) }
}

// Kept returns how many bytes of text the pane has, and how many bytes of older text it does not
// have any more.
func (p *Pane) Kept() (kept, dropped int64) { return p.buffer.Size() }

// These bound how often a text that grows is drawn: 15 times a second, and no more than a quarter
// of the time.
const (
	redraw = time.Second / 15
	share  = 4
)

// changed draws the pane again, soon. It may be called on any goroutine.
func (p *Pane) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting {
		return
	}
	p.waiting = true
	wait := max(redraw, share*p.took) - time.Since(p.last)
	if wait <= 0 {
		go p.opts.Do(p.refreshNow)
		return
	}
	time.AfterFunc(wait, func() { p.opts.Do(p.refreshNow) })
}

func (p *Pane) refreshNow() {
	p.mu.Lock()
	p.waiting = false
	p.last = time.Now()
	p.mu.Unlock()
	p.finder.grown()
	p.Refresh()
}

// Refresh draws the pane again.
func (p *Pane) Refresh() { p.raster.Refresh() }

// Resize sets the size; see [fyne.CanvasObject].
func (p *Pane) Resize(size fyne.Size) {
	p.BaseWidget.Resize(size)
	p.raster.Resize(size)
}

// SetWrap wraps lines that are too long for the pane, or cuts them at its edge.
func (p *Pane) SetWrap(wrap bool) {
	p.view.wrap, p.view.left = wrap, 0
	p.view.top.row = 0
	p.Refresh()
}

// Wrap reports whether long lines are wrapped.
func (p *Pane) Wrap() bool { return p.view.wrap }

// Follow shows the newest line, and goes on showing it when more comes.
func (p *Pane) Follow() {
	p.view.follow = true
	p.Refresh()
}

// Follows reports whether the pane shows the newest line when more comes: until a person scrolls
// up.
func (p *Pane) Follows() bool { return p.view.follow }

// Mark marks a line, such as the line of code that failed; -1 marks none.
func (p *Pane) Mark(line int) {
	p.marked = line
	p.Refresh()
}

// Lines returns the numbers of the first line that the pane has and of the line after the last.
// Lines keep their numbers when older lines are dropped.
func (p *Pane) Lines() (first, end int) { return p.buffer.Bounds() }

// Line returns the text of a line without its styles, or "" where the pane does not have the line.
func (p *Pane) Line(line int) string { return p.view.Line(line) }

// ShowLine brings a line into sight, a third from the top, and stops following. A pane that was not
// drawn yet does so when it is drawn.
func (p *Pane) ShowLine(line int) {
	p.view.show(line)
	p.Refresh()
}

// Top returns the first line in sight.
func (p *Pane) Top() int { return p.view.top.line }

// ShowTop makes a line the first in sight, if it can be, and stops following.
func (p *Pane) ShowTop(line int) {
	p.view.wanted = 0
	p.view.goTo(p.view.move(place{line: line}, 0))
	p.Refresh()
}

// Selected returns the selected text, or "".
func (p *Pane) Selected() string {
	from, to, ok := p.sel.Range()
	if !ok {
		return ""
	}
	return p.text(from, to)
}

// text returns the text from a place to another.
func (p *Pane) text(from, to selection.Pos) string {
	all := p.buffer.Text(from.Line, min(to.Line+1, p.end()))
	if first, _ := p.buffer.Bounds(); from.Line < first {
		from = selection.Pos{Line: first}
	}
	last := len(p.view.Line(to.Line))
	if to.Line >= p.end() {
		last = 0
	}
	start := min(from.Byte, len(all)) // the line may have become shorter
	return all[start:max(start, len(all)-max(0, last-to.Byte))]
}

func (p *Pane) end() int {
	_, end := p.buffer.Bounds()
	return end
}

// Select selects the text from a place to another.
func (p *Pane) Select(from, to selection.Pos) {
	p.sel.Begin(&p.view, from, selection.Signs)
	p.sel.Lead(&p.view, to)
	p.Refresh()
}

// SelectAll selects the whole text.
func (p *Pane) SelectAll() {
	p.sel.All(&p.view)
	p.Refresh()
}

// Copy puts the selected text on the clipboard, if some is selected.
func (p *Pane) Copy() {
	if text := p.Selected(); text != "" {
		fyne.CurrentApp().Clipboard().SetContent(text)
	}
}

// CopyAll puts the whole text on the clipboard.
func (p *Pane) CopyAll() { fyne.CurrentApp().Clipboard().SetContent(p.Text()) }
