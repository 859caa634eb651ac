package ansi

import (
	"bytes"
	"strconv"
)

// sgr changes a style as a control sequence says, if the sequence is one for styles.
func sgr(st *Style, final byte, params []byte) {
	if final != 'm' || len(params) > 0 && params[0] >= '<' { // private sequences
		return
	}
	var flat [16]int // codes between semicolons, which may belong together
	n := 0
	flush := func() {
		for i := 0; i < n; i++ {
			i += st.apply(flat[i:n])
		}
		n = 0
	}
	for more := true; more; {
		var field []byte
		field, params, more = bytes.Cut(params, []byte{';'})
		if bytes.IndexByte(field, ':') >= 0 {
			flush()
			st.applyGroup(field)
			continue
		}
		if n == len(flat) {
			flush()
		}
		flat[n] = number(field, 0)
		n++
	}
	flush()
}

// applyGroup applies a code with its parts between colons.
func (st *Style) applyGroup(field []byte) {
	var codes [6]int
	n := 0
	for more := true; more && n < len(codes); n++ {
		var part []byte
		part, field, more = bytes.Cut(field, []byte{':'})
		codes[n] = number(part, 0)
	}
	switch {
	case codes[0] == 4 && codes[1] == 0: // no underline; other numbers are kinds of it
		st.apply([]int{24})
	case n == 6 && codes[1] == 2: // 38:2:SPACE:R:G:B
		st.apply([]int{codes[0], 2, codes[3], codes[4], codes[5]})
	default:
		st.apply(codes[:n])
	}
}

// The attributes that a code sets, and those that a code clears.
var (
	sets   = [22]Attr{1: Bold, 2: Faint, 3: Italic, 4: Underline, 7: Inverse, 8: Hidden, 9: Strike, 21: Underline}
	clears = [30]Attr{22: Bold | Faint, 23: Italic, 24: Underline, 27: Inverse, 28: Hidden, 29: Strike}
)

// apply applies the first code and returns how many more codes it has read.
func (st *Style) apply(codes []int) int {
	switch c := codes[0]; {
	case c == 0:
		*st = Style{}
	case c < len(sets):
		st.Attr |= sets[c]
	case c < len(clears):
		st.Attr &^= clears[c]
	case c >= 30 && c <= 37:
		st.Fg = Indexed(uint8(c - 30))
	case c >= 90 && c <= 97:
		st.Fg = Indexed(uint8(c - 90 + 8))
	case c >= 40 && c <= 47:
		st.Bg = Indexed(uint8(c - 40))
	case c >= 100 && c <= 107:
		st.Bg = Indexed(uint8(c - 100 + 8))
	case c == 39:
		st.Fg = 0
	case c == 49:
		st.Bg = 0
	case c == 38:
		return extended(&st.Fg, codes)
	case c == 48:
		return extended(&st.Bg, codes)
	case c == 58:
		var ignored Color // the colour of an underline
		return extended(&ignored, codes)
	}
	return 0
}

// extended reads a colour after 38 or 48: 5 and a number of the palette, or 2 and three parts. It
// returns how many codes it has read.
func extended(c *Color, codes []int) int {
	part := func(i int) uint8 { return uint8(min(codes[i], 255)) }
	switch {
	case len(codes) >= 3 && codes[1] == 5:
		*c = Indexed(part(2))
		return 2
	case len(codes) >= 5 && codes[1] == 2:
		*c = RGB(part(2), part(3), part(4))
		return 4
	}
	return len(codes) - 1
}

// sequence returns the sequence that sets the style, whatever the style before.
func (st Style) sequence() string {
	out := []byte("\x1b[0")
	for code, attr := range sets[:10] {
		if st.Attr&attr != 0 {
			out = strconv.AppendInt(append(out, ';'), int64(code), 10)
		}
	}
	return string(append(st.Bg.codes(st.Fg.codes(out, "38"), "48"), 'm'))
}

// codes appends the codes of a colour; kind is 38 or 48.
func (c Color) codes(out []byte, kind string) []byte {
	add := func(parts ...uint8) {
		for _, p := range parts {
			out = strconv.AppendInt(append(out, ';'), int64(p), 10)
		}
	}
	if n, ok := c.Index(); ok {
		out = append(append(out, ';'), kind...)
		add(5, n)
	}
	if r, g, b, ok := c.Parts(); ok {
		out = append(append(out, ';'), kind...)
		add(2, r, g, b)
	}
	return out
}
