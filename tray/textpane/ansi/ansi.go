// Package ansi reads a line of a terminal's text: which text it shows, and in which styles.
//
// It knows the colours and styles of SGR (16, 256 and 24-bit colours), and what moves the cursor
// within a line: carriage return, backspace, tab, and the sequences that progress bars write. It
// leaves out every other sequence and control character. It is no terminal: a sequence that
// moves the cursor to another line has no effect.
package ansi

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Color is the colour of text or of its background: the default, one of 256 in a palette, or any.
type Color uint32

// These are the kinds of colours, in the highest byte. The zero Color is the default.
const (
	indexed Color = 1 << 24
	rgb     Color = 2 << 24
)

// Indexed returns the colour with a number of the palette.
func Indexed(n uint8) Color { return indexed | Color(n) }

// RGB returns a 24-bit colour.
func RGB(r, g, b uint8) Color { return rgb | Color(r)<<16 | Color(g)<<8 | Color(b) }

// Default reports whether c is the default colour.
func (c Color) Default() bool { return c == 0 }

// Index returns the number of the colour in the palette. ok is false for other colours.
func (c Color) Index() (n uint8, ok bool) { return uint8(c), c>>24 == indexed>>24 }

// Parts returns the parts of a 24-bit colour. ok is false for other colours.
func (c Color) Parts() (r, g, b uint8, ok bool) {
	return uint8(c >> 16), uint8(c >> 8), uint8(c), c>>24 == rgb>>24
}

// Attr is a set of attributes of text.
type Attr uint8

// The attributes of text.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Underline
	Inverse
	Hidden
	Strike
)

// Style is how text looks. The zero Style is plain text.
type Style struct {
	Fg, Bg Color
	Attr   Attr
}

// Span is a part of a text, in bytes, with a style.
type Span struct {
	Start, End int
	Style      Style
}

// Line is the text that a line shows, as UTF-8 without control characters except tabs, and the
// parts of it that are not plain, in their order.
type Line struct {
	Text  string
	Spans []Span
}

// Plain reports whether the bytes of a line are its text: no sequence, no control character
// except tabs, and no byte that is not UTF-8.
func Plain(raw []byte) bool {
	high := false
	for _, b := range raw {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
		high = high || b >= utf8.RuneSelf
	}
	// C1 control characters are U+0080 to U+009F: 0xc2 and a byte up to 0x9f.
	return !high || utf8.Valid(raw) && !hasC1(raw)
}

func hasC1(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, 0xc2)
		if i < 0 || i+1 >= len(raw) {
			return false
		}
		if raw[i+1] < 0xa0 {
			return true
		}
		raw = raw[i+1:]
	}
}

// Parse returns what a line shows that begins in a style, and the style in which the next line
// begins. The line has no line feed; a carriage return at its end has no effect.
func Parse(raw []byte, start Style) (Line, Style) {
	raw = bytes.TrimSuffix(raw, []byte("\r"))
	if Plain(raw) {
		line := Line{Text: string(raw)}
		if start != (Style{}) && len(raw) > 0 {
			line.Spans = []Span{{0, len(raw), start}}
		}
		return line, start
	}
	if needsCells(raw) {
		s := screen{style: start}
		scan(raw, &s)
		return s.line(), s.style
	}
	s := sheet{style: start}
	scan(raw, &s)
	return s.finish(), s.style
}

// AppendText appends the text that a line shows, as [Parse] does.
func AppendText(out, raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte("\r"))
	switch {
	case Plain(raw):
		return append(out, raw...)
	case needsCells(raw):
		line, _ := Parse(raw, Style{})
		return append(out, line.Text...)
	}
	s := stripper{out}
	scan(raw, &s)
	return s.out
}

// stripper gathers text without styles.
type stripper struct{ out []byte }

func (s *stripper) print(p []byte) { s.out = appendValid(s.out, p) }

func (s *stripper) control(b byte) {
	if b == '\t' {
		s.out = append(s.out, b)
	}
}
func (*stripper) csi(byte, []byte) {}

// appendValid appends text in which what is not UTF-8 is replaced.
func appendValid(out, p []byte) []byte {
	if utf8.Valid(p) {
		return append(out, p...)
	}
	return append(out, bytes.ToValidUTF8(p, []byte(string(utf8.RuneError)))...)
}

// After returns the style in which the next line begins, as [Parse] does.
func After(raw []byte, start Style) Style {
	if bytes.IndexByte(raw, esc) < 0 && !hasC1(raw) {
		return start
	}
	s := follower{style: start}
	scan(raw, &s)
	return s.style
}

// Encode returns a line as bytes that [Parse], with the same start, reads as that line, and that
// end in the style end.
func Encode(line Line, start, end Style) []byte {
	var out []byte
	now, at := start, 0
	to := func(st Style) {
		if st != now {
			out, now = append(out, st.sequence()...), st
		}
	}
	for _, sp := range line.Spans {
		if sp.Start > at {
			to(Style{})
			out = append(out, line.Text[at:sp.Start]...)
		}
		to(sp.Style)
		out = append(out, line.Text[sp.Start:sp.End]...)
		at = sp.End
	}
	if at < len(line.Text) {
		to(Style{})
		out = append(out, line.Text[at:]...)
	}
	to(end)
	return out
}

// needsCells reports whether something in a line moves the cursor, so that text may overwrite text.
func needsCells(raw []byte) bool {
	if bytes.IndexByte(raw, '\r') >= 0 || bytes.IndexByte(raw, '\b') >= 0 {
		return true
	}
	for rest := raw; ; {
		i := bytes.IndexByte(rest, esc)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		if len(rest) == 0 || rest[0] != '[' {
			continue
		}
		n := 1
		for n < len(rest) && rest[n] >= ' ' && rest[n] < '@' {
			n++
		}
		if n < len(rest) && strings.IndexByte("CDGKPX@", rest[n]) >= 0 {
			return true
		}
	}
}

// sheet gathers text that nothing overwrites.
type sheet struct {
	text  []byte
	spans []Span
	style Style
}

func (s *sheet) print(p []byte) {
	from := len(s.text)
	s.text = appendValid(s.text, p)
	if s.style == (Style{}) {
		return
	}
	s.spans = appendSpan(s.spans, Span{from, len(s.text), s.style})
}

func (s *sheet) control(b byte) {
	if b == '\t' {
		s.print([]byte{'\t'})
	}
}
func (s *sheet) csi(final byte, params []byte) { sgr(&s.style, final, params) }
func (s *sheet) finish() Line                  { return Line{string(s.text), s.spans} }

func appendSpan(spans []Span, sp Span) []Span {
	if sp.Start == sp.End {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].End == sp.Start && spans[n-1].Style == sp.Style {
		spans[n-1].End = sp.End
		return spans
	}
	return append(spans, sp)
}

// follower notes the style alone.
type follower struct{ style Style }

func (*follower) print([]byte)                    {}
func (*follower) control(byte)                    {}
func (f *follower) csi(final byte, params []byte) { sgr(&f.style, final, params) }
