//go:build !headless

package textpane

import (
	"blendtray/tray/textpane/ansi"
	"blendtray/tray/textpane/cells"
)

// view is which part of the text is in sight.
type view struct {
	pane   *Pane
	wrap   bool
	follow bool
	top    place // the first row in sight
	left   int   // the first column in sight
	wanted int   // one more than the line to show when it is known how much is in sight, or 0

	// The size of the pane in cells, as it was drawn last.
	rows, columns int
	widest        int // columns of the widest line in sight

	lines   map[int]*line // laid out, by number
	last    int           // the number of a line that may still change, if version does
	version uint64
	resets  uint64
	inSight []row
}

// place is a row of the text: a line, and a row of that line where it is wrapped.
type place struct{ line, row int }

// line is a line that is laid out.
type line struct {
	text    string
	styles  []ansi.Span
	spans   []Span
	cells   []cells.Cell
	columns int
	rows    []int // the first cells of its rows, for a width
	width   int
}

// row is a row in sight.
type row struct {
	place
	shown    *line // as it was when the row was found: the text goes on growing
	from, to int   // its cells
	first    int   // the column of its first cell
}

// maxLines is how many lines are kept laid out.
const maxLines = 4096

func (v *view) reset() {
	*v = view{pane: v.pane, wrap: v.wrap, follow: true, rows: v.rows, columns: v.columns, resets: v.resets}
}

// get returns a line, laid out. A line that is not there is empty.
func (v *view) get(number int) *line {
	version, resets, first, end := v.pane.buffer.Now()
	if resets != v.resets {
		v.lines, v.version, v.resets = nil, version, resets
	} else if version != v.version {
		delete(v.lines, v.last)
		v.version = version
	}
	if l := v.lines[number]; l != nil {
		return l
	}
	if v.lines == nil || len(v.lines) > maxLines {
		v.lines = map[int]*line{}
	}
	if number < first || number >= end {
		return &line{}
	}
	// Those that follow are likely to be asked for, too.
	block := v.pane.buffer.Block(number, min(number+max(1, v.rows), end), 64<<10)
	for n := range block.Len() {
		raw := block.Line(n)
		if v.lines[raw.Number] != nil && raw.Number != number {
			continue
		}
		shown, _ := ansi.Parse(raw.Raw, raw.Start)
		l := &line{text: shown.Text, styles: shown.Spans}
		l.cells, l.columns = cells.Layout(l.text)
		if v.pane.opts.Spans != nil {
			l.spans = v.pane.opts.Spans(raw.Number, l.text)
		}
		v.lines[raw.Number] = l
		if raw.Number == end-1 {
			v.last = raw.Number
		}
	}
	if l := v.lines[number]; l != nil {
		return l
	}
	return &line{}
}

// Line returns what a line shows; see [selection.Text].
func (v *view) Line(number int) string { return v.get(number).text }

// Bounds returns the numbers of the first line and of the line after the last.
func (v *view) Bounds() (first, end int) { return v.pane.buffer.Bounds() }

// rowsOf returns the first cells of the rows of a line.
func (v *view) rowsOf(number int) []int {
	if !v.wrap {
		return oneRow
	}
	return v.rowsIn(v.get(number))
}

// rowsIn returns the first cells of the rows of a line that is laid out.
func (v *view) rowsIn(l *line) []int {
	if !v.wrap {
		return oneRow
	}
	if l.rows == nil || l.width != v.columns {
		l.rows, l.width = cells.Rows(l.text, l.cells, max(1, v.columns)), v.columns
	}
	return l.rows
}

var oneRow = []int{0}

// move returns the place so many rows below another. It stops at the last row, and at the first.
func (v *view) move(from place, rows int) place {
	first, end := v.Bounds()
	if end == first {
		return place{line: first}
	}
	if from.line < first {
		from = place{line: first}
	}
	if !v.wrap {
		return place{line: min(max(first, from.line+rows), end-1)}
	}
	from.row += rows
	for from.row < 0 && from.line > first {
		from.line--
		from.row += len(v.rowsOf(from.line))
	}
	for from.line < end-1 && from.row >= len(v.rowsOf(from.line)) {
		from.row -= len(v.rowsOf(from.line))
		from.line++
	}
	from.row = min(max(0, from.row), len(v.rowsOf(from.line))-1)
	return from
}

// bottom returns the place of the first row in sight when the last row is the last in sight.
func (v *view) bottom() place {
	first, end := v.Bounds()
	if end == first {
		return place{line: first}
	}
	last := place{line: end - 1, row: len(v.rowsOf(end-1)) - 1}
	return v.move(last, 1-max(1, v.rows))
}

func (p place) before(o place) bool { return p.line < o.line || p.line == o.line && p.row < o.row }

// settle brings the first row in sight to where it can be.
func (v *view) settle() {
	bottom := v.bottom()
	v.top = v.move(v.top, 0)
	if v.follow || bottom.before(v.top) {
		v.top = bottom
	}
}

// scroll moves so many rows down. It stops following on the way up, and follows at the end.
func (v *view) scroll(rows int) {
	v.settle()
	v.goTo(v.move(v.top, rows))
}

// goTo makes a place the first in sight, if it can be.
func (v *view) goTo(to place) {
	bottom := v.bottom()
	v.follow = !to.before(bottom)
	v.top = to
	if v.follow {
		v.top = bottom
	}
}

// show brings a line into sight.
func (v *view) show(number int) {
	v.wanted = 0
	if v.rows == 0 {
		v.wanted = number + 1
	}
	v.goTo(v.move(place{line: number}, -v.rows/3))
}

// reveal brings a place in the text into sight, without moving more than necessary.
func (v *view) reveal(number, at int) {
	l := v.get(number)
	rows, cell := v.rowsIn(l), l.cellAt(at)
	r := 0
	for r+1 < len(rows) && rows[r+1] <= cell {
		r++
	}
	to := place{number, r}
	v.settle()
	switch {
	case to.before(v.top):
		v.goTo(to)
	case v.move(v.top, v.rows-1).before(to):
		v.goTo(v.move(to, 1-v.rows))
	}
	if v.wrap {
		return
	}
	column := l.columns
	if cell < len(l.cells) {
		column = l.cells[cell].Column
	}
	if column < v.left || column >= v.left+v.columns {
		v.left = max(0, column-v.columns/2)
	}
}

// cellAt returns the cell that has a byte, or the number of cells after the last.
func (l *line) cellAt(at int) int {
	for i, c := range l.cells {
		if at < c.End {
			return i
		}
	}
	return len(l.cells)
}

// look finds out which rows are in sight.
func (v *view) look() {
	if v.wanted > 0 {
		v.show(v.wanted - 1)
	}
	v.settle()
	v.inSight, v.widest = v.inSight[:0], 0
	_, end := v.Bounds()
	at := v.top
	for len(v.inSight) <= v.rows && at.line < end { // and a part of one more
		l := v.get(at.line)
		rows := v.rowsIn(l)
		v.widest = max(v.widest, l.columns)
		for ; at.row < len(rows) && len(v.inSight) <= v.rows; at.row++ {
			r := row{place: at, shown: l, from: rows[at.row], to: len(l.cells)}
			if at.row+1 < len(rows) {
				r.to = rows[at.row+1]
			}
			r.first = leftmost(l.cells[r.from:r.to])
			v.inSight = append(v.inSight, r)
		}
		at = place{line: at.line + 1}
	}
	if v.wrap {
		v.left = 0
	} else {
		v.left = max(0, min(v.left, v.widest+1-v.columns))
	}
}

func leftmost(all []cells.Cell) int {
	if len(all) == 0 {
		return 0
	}
	least := all[0].Column
	for _, c := range all {
		least = min(least, c.Column)
	}
	return least
}
