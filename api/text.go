package api

import (
	"fmt"
	"strings"
	"unicode"
)

// HidesText reports whether a character in a name or a message shows the text as something that it is
// not: a control character, a bidirectional control, after which "gpj.py" can look like "yp.jpg", or a
// separator of lines or paragraphs. Whoever shows such text to a person makes these characters visible,
// as <U+202E>.
func HidesText(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// NameInLine returns a name, such as the path of a file, as it is shown in a line: a line feed is \n, and
// other characters that hide text are such words as <U+202E>. Names that differ in such characters and in
// spaces look different.
func NameInLine(name string) string {
	if name = strings.ToValidUTF8(name, string(unicode.ReplacementChar)); !strings.ContainsFunc(name, HidesText) {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case HidesText(r):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
