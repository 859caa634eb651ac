package app

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"blendtray/api"
)

// visible makes the text for a terminal harmless, as less does: a terminal takes orders from
// escapes, such as to clear itself, to make a link or to fill the clipboard, and bidirectional
// controls show a text in another order than it has. Such characters become visible instead. Line
// feeds, tabs and carriage returns stay, and colours where colours are wanted.
//
// Text may come in pieces: the beginning of a character or of an escape waits for the rest. A nil
// visible changes nothing.
type visible struct {
	colors bool
	held   []byte // the beginning of a character or an escape
	lit    bool   // a colour is on
}

// maxColor is how long an escape for a colour may be.
const maxColor = 64

// resetColor ends all colours.
const resetColor = "\x1b[0m"

// add returns text as it is to be written.
func (v *visible) add(text string) string {
	if v == nil {
		return text
	}
	var b strings.Builder
	data := append(v.held, text...)
	v.held = nil
	for len(data) > 0 {
		n, shown := v.next(data)
		if n == 0 {
			v.held = bytes.Clone(data)
			break
		}
		b.WriteString(shown)
		data = data[n:]
	}
	return b.String()
}

// rest returns what was held back, after the last text, and ends a colour.
func (v *visible) rest() string {
	if v == nil {
		return ""
	}
	held := v.held
	v.held = nil
	return strings.ReplaceAll(strings.ToValidUTF8(string(held), string(unicode.ReplacementChar)), "\x1b", "^[") + v.reset()
}

// reset returns what ends a colour that is on, or "".
func (v *visible) reset() string {
	if v == nil || !v.lit {
		return ""
	}
	v.lit = false
	return resetColor
}

// next returns how many bytes at the beginning of data belong together, and what is shown for
// them. It returns 0 when more bytes are needed to know that.
func (v *visible) next(data []byte) (n int, shown string) {
	switch c := data[0]; {
	case c == 0x1b:
		n, whole := color(data)
		switch {
		case !whole:
			return 0, ""
		case n == 0:
			return 1, "^["
		case !v.colors:
			return n, ""
		}
		shown = string(data[:n])
		v.lit = shown != "\x1b[m" && shown != resetColor
		return n, shown
	case c < utf8.RuneSelf && printable(c):
		n = 1
		for n < len(data) && data[n] < utf8.RuneSelf && printable(data[n]) {
			n++
		}
		return n, string(data[:n])
	case c < utf8.RuneSelf:
		return 1, "^" + string(rune(c^0x40))
	case !utf8.FullRune(data):
		return 0, ""
	}
	r, n := utf8.DecodeRune(data)
	if api.HidesText(r) {
		return n, fmt.Sprintf("<U+%04X>", r)
	}
	return n, string(r) // the replacement character for a byte that is no UTF-8
}

// printable reports whether an ASCII character goes to a terminal as it is.
func printable(c byte) bool {
	return c >= ' ' && c != 0x7f || c == '\n' || c == '\t' || c == '\r'
}

// color returns the length of the escape for a colour or style (SGR) with which data begins, or 0
// when data begins with another escape. It returns false when data may be the beginning of such an
// escape.
func color(data []byte) (n int, whole bool) {
	if len(data) == 1 {
		return 0, false
	}
	if data[1] != '[' {
		return 0, true
	}
	for i, c := range data[2:min(len(data), maxColor)] {
		switch {
		case c == 'm':
			return i + 3, true
		case (c < '0' || c > '9') && c != ';' && c != ':':
			return 0, true
		}
	}
	return 0, len(data) >= maxColor
}
