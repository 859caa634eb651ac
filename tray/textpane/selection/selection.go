// Package selection knows which part of a text is selected, and how pointer and keys change it.
package selection

import (
	"unicode"
	"unicode/utf8"

	"blendtray/tray/textpane/cells"
)

// Pos is a place in a text: before a byte of what a line shows.
type Pos struct{ Line, Byte int }

// Before reports whether p comes before o.
func (p Pos) Before(o Pos) bool { return p.Line < o.Line || p.Line == o.Line && p.Byte < o.Byte }

// Text is a text whose lines are asked for by number. Lines that are not there are "".
type Text interface {
	Line(number int) string
	// Bounds returns the numbers of the first line and of the line after the last.
	Bounds() (first, end int)
}

// Unit is what a selection grows by.
type Unit int

// The units: a double click selects words, a triple click lines.
const (
	Signs Unit = iota
	Words
	Lines
)

// Selection is a part of a text, from where it was begun to where it was led. The zero Selection
// is empty.
type Selection struct {
	unit         Unit
	anchor, head Pos // as they were given
	from, to     Pos // in whole units
}

// Begin begins a selection at a place.
func (s *Selection) Begin(t Text, at Pos, unit Unit) {
	s.unit, s.anchor = unit, at
	s.Lead(t, at)
}

// Lead leads the selection to a place.
func (s *Selection) Lead(t Text, at Pos) {
	s.head = at
	from, to := s.anchor, s.head
	if to.Before(from) {
		from, to = to, from
	}
	switch s.unit {
	case Words:
		from.Byte, _ = word(t.Line(from.Line), from.Byte)
		_, to.Byte = word(t.Line(to.Line), to.Byte)
	case Lines:
		from.Byte = 0
		to = Pos{to.Line + 1, 0}
		if _, end := t.Bounds(); to.Line >= end {
			to = Pos{to.Line - 1, len(t.Line(to.Line - 1))}
		}
	}
	s.from, s.to = from, to
}

// All selects the whole text.
func (s *Selection) All(t Text) {
	first, end := t.Bounds()
	if end == first {
		s.Clear()
		return
	}
	s.Begin(t, Pos{first, 0}, Signs)
	s.Lead(t, Pos{end - 1, len(t.Line(end - 1))})
}

// Clear makes the selection empty; it stays where it was led.
func (s *Selection) Clear() { s.anchor, s.from, s.to, s.unit = s.head, s.head, s.head, Signs }

// Move clears the selection and leads it to a place.
func (s *Selection) Move(at Pos) {
	s.head = at
	s.Clear()
}

// Range returns the beginning and the end of the selection. ok is false when it is empty.
func (s *Selection) Range() (from, to Pos, ok bool) { return s.from, s.to, s.from != s.to }

// Head returns the place to which the selection was led.
func (s *Selection) Head() Pos { return s.head }

// InLine returns the selected bytes of a line with so many bytes, and whether its end is selected
// too. from equals to when nothing is.
func (s *Selection) InLine(line, size int) (from, to int, end bool) {
	if s.from == s.to || line < s.from.Line || line > s.to.Line {
		return 0, 0, false
	}
	if line == s.from.Line {
		from = min(s.from.Byte, size)
	}
	to = size
	if line == s.to.Line {
		return from, max(from, min(s.to.Byte, size)), false
	}
	return from, to, true
}

// Left returns the place one sign before another.
func Left(t Text, p Pos) Pos {
	line := t.Line(p.Line)
	if p.Byte = min(p.Byte, len(line)); p.Byte == 0 {
		if first, _ := t.Bounds(); p.Line <= first {
			return p
		}
		return Pos{p.Line - 1, len(t.Line(p.Line - 1))}
	}
	at := 0
	for at < p.Byte {
		cluster, _ := cells.Cut(line[at:])
		if at+len(cluster) >= p.Byte {
			break
		}
		at += len(cluster)
	}
	return Pos{p.Line, at}
}

// Right returns the place one sign after another.
func Right(t Text, p Pos) Pos {
	line := t.Line(p.Line)
	if p.Byte >= len(line) {
		if _, end := t.Bounds(); p.Line+1 >= end {
			return Pos{p.Line, len(line)}
		}
		return Pos{p.Line + 1, 0}
	}
	cluster, _ := cells.Cut(line[p.Byte:])
	return Pos{p.Line, p.Byte + len(cluster)}
}

// WordLeft returns the beginning of the word before a place.
func WordLeft(t Text, p Pos) Pos {
	for line := t.Line(p.Line); ; line = t.Line(p.Line) {
		to := Left(t, p)
		if to == p || to.Line != p.Line {
			return to
		}
		p = to
		if kindAt(line, p.Byte) != space {
			p.Byte, _ = word(line, p.Byte)
			return p
		}
	}
}

// WordRight returns the end of the word after a place.
func WordRight(t Text, p Pos) Pos {
	line := t.Line(p.Line)
	if p.Byte >= len(line) {
		return Right(t, p)
	}
	for p.Byte < len(line) && kindAt(line, p.Byte) == space {
		_, p.Byte = word(line, p.Byte)
	}
	_, p.Byte = word(line, p.Byte)
	return p
}

type kind int

const (
	space kind = iota
	letter
	other
)

func kindAt(line string, at int) kind {
	r, _ := utf8.DecodeRuneInString(line[at:])
	switch {
	case unicode.IsSpace(r):
		return space
	case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return letter
	}
	return other
}

// word returns where the word at a byte of a line begins and ends. Spaces that follow each other
// are a word, too; another sign is a word by itself.
func word(line string, at int) (from, to int) {
	if line == "" {
		return 0, 0
	}
	at = min(at, len(line))
	begin := 0
	for begin < len(line) {
		k := kindAt(line, begin)
		end := begin
		for end < len(line) && kindAt(line, end) == k {
			cluster, _ := cells.Cut(line[end:])
			end += len(cluster)
			if k == other {
				break
			}
		}
		if at < end || end == len(line) {
			return begin, end
		}
		begin = end
	}
	return begin, begin
}
