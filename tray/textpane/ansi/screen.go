package ansi

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"blendtray/tray/textpane/cells"
)

// maxColumns bounds how far a sequence can move the cursor to the right.
const maxColumns = 1 << 15

// screen is a line in which text overwrites text, cell by cell.
type screen struct {
	cells []cell
	at    int // the column of the cursor
	style Style
}

// cell is a column. A cluster that is wider than one column has its text in its first cell, and
// the others follow it.
type cell struct {
	text    string // "" is an empty cell, which shows a space
	style   Style
	follows bool
}

func (s *screen) print(p []byte) {
	text := strings.ToValidUTF8(string(p), string(utf8.RuneError))
	for text != "" {
		cluster, width := cells.Cut(text)
		text = text[len(cluster):]
		if width == 0 {
			s.combine(cluster)
			continue
		}
		s.put(cluster, width)
	}
}

// combine adds a mark to the cell before the cursor.
func (s *screen) combine(mark string) {
	i := min(s.at, len(s.cells)) - 1
	for i > 0 && s.cells[i].follows {
		i--
	}
	switch {
	case i < 0:
		s.put(mark, 1)
	case s.cells[i].text == "":
		s.cells[i].text = " " + mark
	default:
		s.cells[i].text += mark
	}
}

// put writes a cluster at the cursor.
func (s *screen) put(cluster string, width int) {
	if s.at >= maxColumns {
		return
	}
	s.grow(s.at + width)
	s.clear(s.at, s.at+width, s.style)
	s.cells[s.at] = cell{text: cluster, style: s.style}
	for i := 1; i < width; i++ {
		s.cells[s.at+i] = cell{style: s.style, follows: true}
	}
	s.at += width
}

func (s *screen) grow(columns int) {
	for len(s.cells) < columns {
		s.cells = append(s.cells, cell{})
	}
}

// clear empties the cells from a column to the column before another, and what is left of clusters
// that it cuts.
func (s *screen) clear(from, to int, style Style) {
	to = min(to, len(s.cells))
	if from >= to {
		return
	}
	for i := from; i > 0 && s.cells[i].follows; i-- {
		s.cells[i-1].text = ""
	}
	for i := to; i < len(s.cells) && s.cells[i].follows; i++ {
		s.cells[i].follows = false
	}
	for i := from; i < to; i++ {
		s.cells[i] = cell{style: Style{Bg: style.Bg}}
	}
}

func (s *screen) control(b byte) {
	switch b {
	case '\r':
		s.at = 0
	case '\b':
		s.at = max(0, s.at-1)
	case '\t':
		width := cells.TabWidth - s.at%cells.TabWidth
		if s.at >= len(s.cells) {
			s.put("\t", width)
		} else {
			s.at += width // over text, a tab moves the cursor
		}
	}
}

func (s *screen) csi(final byte, params []byte) {
	n := number(params, 1)
	switch final {
	case 'C':
		s.at = min(s.at+max(1, n), maxColumns)
	case 'D':
		s.at = max(0, s.at-max(1, n))
	case 'G', '`':
		s.at = min(max(0, n-1), maxColumns)
	case 'K':
		switch number(params, 0) {
		case 0:
			s.erase(s.at, len(s.cells))
		case 1:
			s.erase(0, s.at+1)
		case 2:
			s.erase(0, len(s.cells))
		}
	case 'X':
		s.erase(s.at, s.at+max(1, n))
	case 'P':
		s.erase(s.at, s.at) // cuts a wide cluster
		if from := min(s.at, len(s.cells)); from < len(s.cells) {
			to := min(from+max(1, n), len(s.cells))
			s.clear(from, to, s.style)
			s.cells = append(s.cells[:from], s.cells[to:]...)
		}
	default:
		sgr(&s.style, final, params)
	}
}

// erase empties cells. The line ends before empty cells at its end.
func (s *screen) erase(from, to int) {
	s.clear(min(from, len(s.cells)), to, s.style)
	n := len(s.cells)
	for n > 0 && s.cells[n-1].text == "" && !s.cells[n-1].follows && s.cells[n-1].style == (Style{}) {
		n--
	}
	s.cells = s.cells[:n]
}

func (s *screen) line() Line {
	var out sheet
	for _, c := range s.cells {
		if c.follows {
			continue
		}
		if c.text == "" {
			c.text = " "
		}
		out.style = c.style
		out.print([]byte(c.text))
	}
	return out.finish()
}

// Compact returns shorter bytes for a line without an end, which show the same and leave the
// cursor where it is. raw must not end within a sequence.
func Compact(raw []byte, start Style) []byte {
	s := screen{style: start}
	scan(raw, &s)
	out := Encode(s.line(), start, s.style)
	if s.at != len(s.cells) {
		out = fmt.Appendf(out, "\x1b[%dG", s.at+1)
	}
	return out
}
