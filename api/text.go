package api

import "unicode"

// HidesText reports whether a character in a name or a message shows the text as something that it is
// not: a control character, a bidirectional control, after which "gpj.py" can look like "yp.jpg", or a
// separator of lines or paragraphs. Whoever shows such text to a person makes these characters visible,
// as <U+202E>.
func HidesText(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
