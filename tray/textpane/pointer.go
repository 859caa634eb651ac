//go:build !headless

package textpane

import (
	"image"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"blendtray/tray/textpane/selection"
)

// pointer is what the mouse does.
type pointer struct {
	metrics
	what   holding
	offset int // from the top of the thumb that is held, in pixels

	clicks int // how often the button was pressed at about this place
	at     fyne.Position
	when   time.Time

	last   fyne.Position // where the pointer is, while it is held
	beyond *time.Ticker  // scrolls while the pointer is held beyond an edge, or nil
	over   bool          // the pointer is over a line that a click opens
	moved  bool          // the pointer was moved since the button was pressed
}

// holding is what is held with the mouse.
type holding int

const (
	nothing holding = iota
	theText
	theThumb
	theBottomBar
)

// pixel returns where a position is in the picture.
func (m metrics) pixel(at fyne.Position) image.Point {
	return image.Pt(int(at.X*m.scale), int(at.Y*m.scale))
}

// placeAt returns the place in the text at a position. inText is false beside a line's text.
func (p *Pane) placeAt(at fyne.Position) (to selection.Pos, inText bool) {
	m, v := p.pointer.metrics, &p.view
	if len(v.inSight) == 0 || m.cellH == 0 {
		first, _ := v.Bounds()
		return selection.Pos{Line: first}, false
	}
	px := m.pixel(at)
	if px.Y < m.pad {
		r := v.inSight[0]
		if px.Y >= 0 {
			return p.placeIn(r, px.X)
		}
		return p.placeIn(r, 0)
	}
	n := (px.Y - m.pad) / m.cellH
	if n >= len(v.inSight) {
		r := v.inSight[len(v.inSight)-1]
		to, _ = p.placeIn(r, m.width*2+v.widest*m.cellW)
		return to, false
	}
	return p.placeIn(v.inSight[n], px.X)
}

// placeIn returns the place in a row at a column of pixels.
func (p *Pane) placeIn(r row, x int) (_ selection.Pos, inText bool) {
	m, l := p.pointer.metrics, p.view.get(r.line)
	x -= m.pad + m.gutter - p.view.left*m.cellW
	for _, c := range l.cells[min(r.from, len(l.cells)):min(r.to, len(l.cells))] {
		left := (c.Column - r.first) * m.cellW
		if right := left + c.Width*m.cellW; x >= left && x < right {
			if x > (left+right)/2 {
				return selection.Pos{Line: r.line, Byte: c.End}, true
			}
			return selection.Pos{Line: r.line, Byte: c.Start}, true
		}
	}
	at := len(l.text)
	switch {
	case x < 0 && r.from < len(l.cells):
		at = l.cells[r.from].Start
	case r.to < len(l.cells): // the line goes on in the next row
		at = l.cells[r.to].Start
	}
	return selection.Pos{Line: r.line, Byte: at}, false
}

// wordAt returns the place of the sign at a position, to select its word: not the nearer of two
// places between signs.
func (p *Pane) wordAt(at fyne.Position) selection.Pos {
	to, _ := p.placeAt(at)
	left, _ := p.placeAt(at.SubtractXY(float32(p.pointer.cellW)/p.pointer.scale/2, 0))
	if left.Line == to.Line && left.Byte < to.Byte {
		return left
	}
	return to
}

// MouseDown begins a selection, or takes hold of a bar; see [desktop.Mouseable].
func (p *Pane) MouseDown(ev *desktop.MouseEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(p); c != nil {
		c.Focus(p)
	}
	if ev.Button != desktop.MouseButtonPrimary {
		return
	}
	h := &p.pointer
	h.moved, h.last = false, ev.Position
	px := h.pixel(ev.Position)
	if thumb := p.thumb(h.metrics); px.X >= h.width-h.bar && !thumb.Empty() {
		h.what, h.offset = theThumb, px.Y-thumb.Min.Y
		if h.offset < 0 || h.offset > thumb.Dy() {
			h.offset = thumb.Dy() / 2
			p.pullThumb(px.Y)
		}
		return
	}
	if !p.view.wrap && p.view.widest+1 > p.view.columns && px.Y >= h.height-h.bar {
		h.what = theBottomBar
		p.pullBottomBar(px.X)
		return
	}
	h.what = theText
	near := ev.Position.Subtract(h.at)
	if time.Since(h.when) > fyne.CurrentApp().Driver().DoubleTapDelay() || near.X*near.X+near.Y*near.Y > 16 {
		h.clicks = 0
	}
	h.clicks++
	h.at, h.when = ev.Position, time.Now()
	to, _ := p.placeAt(ev.Position)
	switch {
	case ev.Modifier&fyne.KeyModifierShift != 0 && h.clicks == 1:
		p.sel.Lead(&p.view, to)
	case h.clicks%3 == 2:
		p.sel.Begin(&p.view, p.wordAt(ev.Position), selection.Words)
	case h.clicks%3 == 0:
		p.sel.Begin(&p.view, to, selection.Lines)
	default:
		p.sel.Begin(&p.view, to, selection.Signs)
	}
	p.Refresh()
}

// MouseUp ends what MouseDown began; see [desktop.Mouseable].
func (p *Pane) MouseUp(*desktop.MouseEvent) { p.release() }

// DragEnd ends what MouseDown began; see [fyne.Draggable].
func (p *Pane) DragEnd() { p.release() }

func (p *Pane) release() {
	p.pointer.what = nothing
	if p.pointer.beyond != nil {
		p.pointer.beyond.Stop()
		p.pointer.beyond = nil
	}
}

// Dragged leads the selection, or pulls a bar; see [fyne.Draggable].
func (p *Pane) Dragged(ev *fyne.DragEvent) {
	h := &p.pointer
	h.last, h.moved = ev.Position, true
	switch px := h.pixel(ev.Position); h.what {
	case theThumb:
		p.pullThumb(px.Y)
	case theBottomBar:
		p.pullBottomBar(px.X)
	case theText:
		p.lead()
		if p.outside() != 0 && h.beyond == nil {
			p.scrollBeyond()
		}
	}
}

// lead leads the selection to where the pointer is.
func (p *Pane) lead() {
	to, _ := p.placeAt(p.pointer.last)
	p.sel.Lead(&p.view, to)
	p.Refresh()
}

// outside returns how many rows the pointer is above the pane (negative) or below it.
func (p *Pane) outside() int {
	h := &p.pointer
	switch y := h.pixel(h.last).Y; {
	case y < 0:
		return y/max(1, h.cellH) - 1
	case y >= h.height:
		return (y-h.height)/max(1, h.cellH) + 1
	}
	return 0
}

// scrollBeyond scrolls while the pointer is held beyond an edge: the quicker, the further away.
func (p *Pane) scrollBeyond() {
	ticker := time.NewTicker(50 * time.Millisecond)
	p.pointer.beyond = ticker
	go func() {
		for range ticker.C {
			ended := make(chan bool, 1)
			p.opts.Do(func() {
				by := p.outside()
				if p.pointer.beyond != ticker || by == 0 {
					ticker.Stop()
					if p.pointer.beyond == ticker {
						p.pointer.beyond = nil
					}
					ended <- true
					return
				}
				p.view.scroll(by)
				p.view.look()
				p.lead()
				ended <- false
			})
			if <-ended {
				return
			}
		}
	}()
}

// pullThumb shows the lines that belong to a place of the thumb.
func (p *Pane) pullThumb(y int) {
	h, v := &p.pointer, &p.view
	thumb, last := p.thumb(h.metrics), v.bottom()
	first, _ := v.Bounds()
	way := h.height - thumb.Dy()
	if way <= 0 {
		return
	}
	y = min(max(0, y-h.offset), way)
	to := place{line: first + (last.line-first)*y/way}
	if y == way {
		to = last
	}
	v.goTo(to)
	p.Refresh()
}

// pullBottomBar shows the columns around a place of the bar at the bottom.
func (p *Pane) pullBottomBar(x int) {
	h, v := &p.pointer, &p.view
	all := v.widest + 1
	v.left = max(0, min(all*x/max(1, h.width-h.bar)-v.columns/2, all-v.columns))
	p.Refresh()
}

// Scrolled scrolls by rows, or by columns; see [fyne.Scrollable].
func (p *Pane) Scrolled(ev *fyne.ScrollEvent) {
	h := &p.pointer
	if h.cellH == 0 {
		return
	}
	dx, dy := ev.Scrolled.DX, ev.Scrolled.DY
	if p.shift && dx == 0 {
		dx, dy = dy, 0
	}
	if dy != 0 {
		p.view.scroll(-stepsOf(dy * h.scale / float32(h.cellH)))
	}
	if dx != 0 && !p.view.wrap {
		p.view.left = max(0, p.view.left-stepsOf(dx*h.scale/float32(h.cellW)))
	}
	p.Refresh()
}

// stepsOf returns a number of steps, at least one.
func stepsOf(by float32) int {
	switch {
	case by > 0:
		return max(1, int(by+0.5))
	default:
		return min(-1, int(by-0.5))
	}
}

// Tapped opens what a line names; see [fyne.Tappable]. Since the pane also listens to double
// taps, a click that becomes a selection of a word opens nothing.
func (p *Pane) Tapped(ev *fyne.PointEvent) {
	if p.opts.Open == nil || p.pointer.moved || p.shift {
		return
	}
	if _, _, selected := p.sel.Range(); selected {
		return
	}
	if at, inText := p.placeAt(ev.Position); inText && p.opens(at.Line) {
		p.opts.Open(p.view.Line(at.Line))
	}
}

// DoubleTapped has no effect of its own: MouseDown has selected a word; see
// [fyne.DoubleTappable].
func (p *Pane) DoubleTapped(*fyne.PointEvent) {}

func (p *Pane) opens(line int) bool { return p.opts.Opens != nil && p.opts.Opens(p.view.Line(line)) }

// TappedSecondary shows a menu; see [fyne.SecondaryTappable].
func (p *Pane) TappedSecondary(ev *fyne.PointEvent) {
	c := fyne.CurrentApp().Driver().CanvasForObject(p)
	if c == nil {
		return
	}
	widget.ShowPopUpMenuAtPosition(p.menu(), c, ev.AbsolutePosition)
}

// menu returns the menu of the pane.
func (p *Pane) menu() *fyne.Menu {
	_, _, selected := p.sel.Range()
	first, end := p.view.Bounds()
	copySelected := fyne.NewMenuItem(lang.L("Copy"), p.Copy)
	copySelected.Disabled = !selected
	copyAll := fyne.NewMenuItem(lang.L("Copy all"), p.CopyAll)
	selectAll := fyne.NewMenuItem(lang.L("Select all"), p.SelectAll)
	copyAll.Disabled, selectAll.Disabled = first == end, first == end
	wrap := fyne.NewMenuItem(lang.L("Wrap long lines"), func() {
		p.SetWrap(!p.Wrap())
		if p.opts.Wrapped != nil {
			p.opts.Wrapped(p.Wrap())
		}
	})
	wrap.Checked = p.Wrap()
	return fyne.NewMenu("", copySelected, copyAll, selectAll, fyne.NewMenuItemSeparator(), wrap)
}

// MouseIn and MouseOut do nothing; see [desktop.Hoverable].
func (p *Pane) MouseIn(*desktop.MouseEvent) {}

// MouseOut forgets what the pointer was over.
func (p *Pane) MouseOut() { p.pointer.over = false }

// MouseMoved notes whether the pointer is over a line that a click opens.
func (p *Pane) MouseMoved(ev *desktop.MouseEvent) {
	at, inText := p.placeAt(ev.Position)
	p.pointer.over = inText && p.opens(at.Line)
}

// Cursor returns the pointer's picture; see [desktop.Cursorable].
func (p *Pane) Cursor() desktop.Cursor {
	if p.pointer.over {
		return desktop.PointerCursor
	}
	return desktop.TextCursor
}
