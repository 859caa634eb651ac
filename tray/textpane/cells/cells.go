// Package cells lays text out in cells of one width, as a terminal does.
//
// A cluster is what a person sees as one sign: a letter with its marks, an emoji of several runes.
// Most clusters take one cell; Chinese, Japanese and Korean signs and emoji take two; a tab takes
// as many as are left to the next stop. Letters that are written from right to left stand in that
// order, within their own cells. Characters that order another direction are obeyed by nobody and take
// no cell: a text is never shown as another text.
package cells

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/mattn/go-runewidth"
)

// TabWidth is the number of cells between two tab stops.
const TabWidth = 8

// widths knows how wide signs are, whatever the locale of the program.
var widths = runewidth.Condition{StrictEmojiNeutral: true}

// emoji is the sign that asks for the sign before it as a picture, which takes two cells.
const emoji = "\ufe0f"

// flag is the beginning of the letters of which two are a flag.
const flag = "\xf0\x9f\x87"

// Cut returns the first cluster of a text that is not empty, and the number of its cells: 0 for a
// sign that is not seen, 1 for a tab.
func Cut(text string) (cluster string, width int) {
	if c := text[0]; c < utf8.RuneSelf && (len(text) == 1 || text[1] < utf8.RuneSelf) {
		return text[:1], 1
	}
	first, size := utf8.DecodeRuneInString(text)
	switch {
	case first == utf8.RuneError && size == 1:
		return text[:1], 1 // no UTF-8; what follows is a sign of its own
	case unicode.Is(unicode.Bidi_Control, first):
		return text[:size], 0
	}
	iter := graphemes.FromString(text)
	if !iter.Next() {
		return text, 1
	}
	cluster = iter.Value()
	if !utf8.ValidString(cluster) { // graphemes takes bytes that are no UTF-8 for part of the sign before
		for i, r := range cluster {
			if _, n := utf8.DecodeRuneInString(cluster[i:]); r == utf8.RuneError && n == 1 {
				cluster = cluster[:i]
				break
			}
		}
	}
	if len(cluster) == 1 {
		return cluster, 1
	}
	if strings.Contains(cluster, emoji) || len(cluster) == 8 && strings.HasPrefix(cluster, flag) {
		return cluster, 2
	}
	return cluster, min(2, widths.StringWidth(cluster))
}

// Cell is a cluster of a line, where it stands.
type Cell struct {
	Start, End    int // its bytes in the text
	Column, Width int
	// Run is the part of the text in which the cluster takes its shape: the cluster alone, or the
	// letters around it that are joined to it.
	RunStart, RunEnd int
}

// Layout returns the cells of a text in the order of its bytes, and the number of its columns.
func Layout(text string) (all []Cell, columns int) {
	all = make([]Cell, 0, len(text))
	rtl := false
	for at := 0; at < len(text); {
		cluster, width := Cut(text[at:])
		if cluster == "\t" {
			width = TabWidth - columns%TabWidth
		}
		end := at + len(cluster)
		if width == 0 && len(all) > 0 {
			all[len(all)-1].End, all[len(all)-1].RunEnd = end, end // a mark that stands alone
		} else {
			width = max(1, width)
			all = append(all, Cell{Start: at, End: end, Column: columns, Width: width, RunStart: at, RunEnd: end})
		}
		columns += width
		rtl = rtl || len(cluster) > 1 && isRTL(cluster)
		at = end
	}
	if rtl {
		turn(text, all)
	}
	return all, columns
}

// isRTL reports whether a cluster begins with a letter that is written from right to left.
func isRTL(cluster string) bool {
	r, _ := utf8.DecodeRuneInString(cluster)
	return RTL(r)
}

// RTL reports whether a letter is written from right to left.
func RTL(r rune) bool {
	switch {
	case r < 0x590:
		return false
	case r <= 0x8ff, r >= 0xfb1d && r <= 0xfdff, r >= 0xfe70 && r <= 0xfeff, r >= 0x10800 && r <= 0x10fff, r >= 0x1e800 && r <= 0x1efff:
		return !(r >= 0x660 && r <= 0x669 || r >= 0x6f0 && r <= 0x6f9) // digits
	}
	return false
}

// turn gives the cells of letters from right to left their columns in that order. Spaces and signs
// between such letters belong to them.
func turn(text string, all []Cell) {
	for i := 0; i < len(all); i++ {
		if !isRTL(text[all[i].Start:all[i].End]) {
			continue
		}
		last := i
		for j := i + 1; j < len(all); j++ {
			part := text[all[j].Start:all[j].End]
			if isRTL(part) {
				last = j
			} else if r, n := utf8.DecodeRuneInString(part); part == "\t" || n < len(part) || !neutral(r) {
				break
			}
		}
		column := all[i].Column
		for j := last; j >= i; j-- {
			all[j].Column = column
			column += all[j].Width
		}
		joinRuns(text, all[i:last+1])
		i = last
	}
}

// neutral reports whether a sign has no direction of its own.
func neutral(r rune) bool {
	return r == ' ' || r < utf8.RuneSelf && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}

// joinRuns notes for each cell the word in which its letter takes its shape.
func joinRuns(text string, all []Cell) {
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && isRTL(text[all[j].Start:all[j].End]) {
			j++
		}
		for k := i; k < j; k++ {
			all[k].RunStart, all[k].RunEnd = all[i].Start, all[j-1].End
		}
		i = max(j, i+1)
	}
}

// Rows returns where the rows of a line begin when the line is wrapped at a number of columns, as
// indexes of its cells. A row ends after a space where there is one in its second half.
func Rows(text string, all []Cell, columns int) []int {
	rows := []int{0}
	first, space := 0, 0 // the first cell of the row, and the cell after the last space
	used := 0
	for i := 0; i < len(all); i++ {
		if used+all[i].Width > columns && i > first {
			to := i
			if space > first && spread(all[first:space]) > columns/2 {
				to = space
			}
			rows = append(rows, to)
			first, i = to, to
			used = 0
		}
		used += all[i].Width
		if b := text[all[i].Start]; b == ' ' || b == '\t' {
			space = i + 1
		}
	}
	return rows
}

// spread returns the number of columns of cells.
func spread(all []Cell) (n int) {
	for _, c := range all {
		n += c.Width
	}
	return n
}
