//go:build !headless

package tray

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// maxMatches is how many matches a search finds at most; with more, nobody goes through them all.
const maxMatches = 1000

// outputView shows what a run has printed, and finds text in it.
type outputView struct {
	content fyne.CanvasObject
	grid    *outputGrid
	find    *findEntry
	count   *widget.Label

	size    int // bytes shown
	matches []match
	at      int // the match that is shown
}

// match is a match in the output: a row, and its first and last column there.
type match struct{ row, first, last int }

// outputGrid is a TextGrid that can be scrolled to a row.
type outputGrid struct {
	widget.TextGrid
	scroller interface{ ScrollToOffset(fyne.Position) }
	open     func(path string, line int) // called for a line of a traceback that is clicked
}

// place matches a line of a traceback that names a file and a line.
var place = regexp.MustCompile(`^\s*File "(.+)", line (\d+)`)

// Tapped opens the file that a line of a traceback names.
func (g *outputGrid) Tapped(ev *fyne.PointEvent) {
	row, _ := g.CursorLocationForPosition(ev.Position)
	if row < 0 || row >= len(g.Rows) || g.open == nil {
		return
	}
	if m := place.FindStringSubmatch(g.RowText(row)); m != nil {
		if line, err := strconv.Atoi(m[2]); err == nil && filepath.IsAbs(m[1]) {
			g.open(m[1], line)
		}
	}
}

func newOutputGrid() *outputGrid {
	g := &outputGrid{}
	g.Scroll = fyne.ScrollBoth
	g.ExtendBaseWidget(g)
	return g
}

// CreateRenderer keeps the object inside that scrolls, which a TextGrid does not export.
func (g *outputGrid) CreateRenderer() fyne.WidgetRenderer {
	r := g.TextGrid.CreateRenderer()
	for _, o := range r.Objects() {
		if s, ok := o.(interface{ ScrollToOffset(fyne.Position) }); ok {
			g.scroller = s
		}
	}
	return r
}

// showRow scrolls until a row is in sight.
func (g *outputGrid) showRow(row int) {
	if g.scroller == nil {
		return
	}
	height := g.PositionForCursorLocation(1, 0).Y - g.PositionForCursorLocation(0, 0).Y
	g.scroller.ScrollToOffset(fyne.NewPos(0, max(0, float32(row)*height-g.Size().Height/3)))
	g.Refresh()
}

// findEntry is the field for the text to find: Enter goes to the next match, Shift+Enter to the
// match before, Escape clears the field.
type findEntry struct {
	entry
	step func(int)
	back bool // Shift is held
}

func (e *findEntry) KeyDown(key *fyne.KeyEvent) { e.shift(key, true) }
func (e *findEntry) KeyUp(key *fyne.KeyEvent)   { e.shift(key, false) }

func (e *findEntry) shift(key *fyne.KeyEvent, down bool) {
	if key.Name == "LeftShift" || key.Name == "RightShift" {
		e.back = down
	}
	if down {
		e.entry.KeyDown(key)
	} else {
		e.entry.KeyUp(key)
	}
}

func (e *findEntry) TypedKey(key *fyne.KeyEvent) {
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if e.back {
			e.step(-1)
		} else {
			e.step(1)
		}
	case fyne.KeyEscape:
		e.SetText("")
	default:
		e.entry.TypedKey(key)
	}
}

// newOutputView returns an empty view. Each shortcut goes to typed first.
func newOutputView(typed func(fyne.Shortcut) bool) *outputView {
	v := &outputView{grid: newOutputGrid(), count: widget.NewLabel("")}
	v.find = &findEntry{entry: entry{typed: typed}, step: v.step}
	v.find.SetPlaceHolder("Find in the output")
	v.find.ExtendBaseWidget(v.find)
	v.find.OnChanged = func(string) { v.search() }
	buttons := container.NewHBox(
		v.count,
		widget.NewButtonWithIcon("", theme.MoveUpIcon(), func() { v.step(-1) }),
		widget.NewButtonWithIcon("", theme.MoveDownIcon(), func() { v.step(1) }),
	)
	v.content = container.NewPadded(container.NewBorder(nil, container.NewBorder(nil, nil, nil, buttons, v.find), nil, nil, v.grid))
	return v
}

// set replaces the text.
func (v *outputView) set(text string) {
	if len(text) > maxShown {
		text = text[:maxShown/2] + "\n[…]\n" + text[len(text)-maxShown/2:]
	}
	text = printable(text)
	v.size = len(text)
	v.matches = nil
	v.grid.SetText(text)
	v.grid.Refresh()
	v.search()
}

// add appends to the text, and scrolls to its end unless somebody is searching.
func (v *outputView) add(text string) {
	if v.size >= maxShown {
		return // the engine keeps the rest
	}
	text = printable(text)
	v.size += len(text)
	v.grid.Append(text)
	if v.find.Text == "" {
		v.grid.ScrollToBottom()
	}
}

// search marks all matches of the text to find, regardless of case.
func (v *outputView) search() {
	for _, m := range v.matches {
		v.paint(m, nil)
	}
	v.matches, v.at = nil, 0
	v.count.SetText("")
	word := foldRunes([]rune(v.find.Text))
	if len(word) == 0 {
		v.grid.Refresh()
		return
	}
	for i := range v.grid.Rows {
		cells := v.grid.Rows[i].Cells
		line := make([]rune, len(cells))
		for j := range cells {
			line[j] = cells[j].Rune
		}
		for _, at := range indexes(foldRunes(line), word) {
			v.matches = append(v.matches, match{i, at, at + len(word) - 1})
		}
		if len(v.matches) >= maxMatches {
			break
		}
	}
	for _, m := range v.matches {
		v.paint(m, found)
	}
	v.step(0)
}

// step goes by so many matches forward or back, and from the last match to the first.
func (v *outputView) step(by int) {
	if len(v.matches) == 0 {
		if v.find.Text != "" {
			v.count.SetText("not found")
		}
		v.grid.Refresh()
		return
	}
	v.paint(v.matches[v.at], found)
	v.at = (v.at + by + len(v.matches)) % len(v.matches)
	v.paint(v.matches[v.at], foundHere)
	more := ""
	if len(v.matches) >= maxMatches {
		more = "+"
	}
	v.count.SetText(fmt.Sprintf("%d of %d%s", v.at+1, len(v.matches), more))
	v.grid.showRow(v.matches[v.at].row)
}

func (v *outputView) paint(m match, style widget.TextGridStyle) {
	for col := m.first; col <= m.last && m.row < len(v.grid.Rows); col++ {
		if cells := v.grid.Rows[m.row].Cells; col < len(cells) {
			cells[col].Style = style
		}
	}
}

// The styles of the matches, and of the match that is shown.
var (
	found     = themed{theme.ColorNameForeground, theme.ColorNameSelection}
	foundHere = themed{theme.ColorNameForegroundOnPrimary, theme.ColorNamePrimary}
)

// foldRunes returns a text in lower case, with as many runes as before.
func foldRunes(text []rune) []rune {
	folded := make([]rune, len(text))
	for i, r := range text {
		folded[i] = unicode.ToLower(r)
	}
	return folded
}

// indexes returns where a word is in a line, in runes.
func indexes(line, word []rune) (all []int) {
	text, w := string(line), string(word)
	runes := 0
	for {
		at := strings.Index(text, w)
		if at < 0 {
			return all
		}
		runes += len([]rune(text[:at]))
		all = append(all, runes)
		text = text[at+len(w):]
		runes += len(word)
	}
}
