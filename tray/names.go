package tray

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
	"blendtray/tray/textpane/cells"
)

// Names of files, and what scripts say, come from others. What is shown of names passes through nameInLine or
// api.NameInLine, and what is shown of texts through plain, revealed or oneLine, so that it neither breaks a line nor looks like something that it is not.

const (
	// maxLabel is how wide a line of the menu may be, in letters of which a Chinese sign or an emoji
	// takes two: a wider menu does not fit on the screen of a small laptop.
	maxLabel = 60
	maxName  = 32
)

// The signs between which a text is from left to right whatever it has, and changes nothing outside. The
// first of them has a line that begins with such a text begin at the left: GTK's menus take the first
// letter for that, also between such signs.
const (
	leftToRight = "\u200e\u2066"
	endOfThat   = "\u2069"
)

// plain returns a text without line feeds and control characters. What would change the order of the
// signs becomes visible: a file "\u202egpj.py" looks like "yp.jpg" otherwise.
func plain(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
	})
	return revealed(strings.Join(words, " "))
}

// revealed returns a text of several lines in which nothing changes the order of the signs; see plain.
func revealed(text string) string {
	if !strings.ContainsFunc(text, api.HidesText) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if api.HidesText(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, "<U+%04X>", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isolated returns a text that stands in a line as it stands alone: letters from right to left, such as
// Hebrew and Arabic, take no number or word after them along. The end of a file's name, such as ".py",
// stays at its end.
func isolated(text string) string {
	if !strings.ContainsFunc(text, cells.RTL) {
		return text
	}
	return leftToRight + text + endOfThat
}

// oneLine returns a text that fits into one line: as plain has it, and cut.
func oneLine(text string, most int) string { return cut(plain(text), most) }

// cut cuts a text in the middle, where a path and a message say least, to a width in letters. What a
// person sees as one sign, such as an emoji of several, stays whole or goes.
func cut(text string, most int) string {
	var signs []string
	var widths []int
	all := 0
	for rest := text; rest != ""; {
		sign, width := cells.Cut(rest)
		signs, widths, rest = append(signs, sign), append(widths, width), rest[len(sign):]
		all += width
	}
	if all <= most {
		return text
	}
	head := (most - 1) * 2 / 3
	tail := most - 1 - head
	first, last := 0, len(signs)
	for ; first < last && widths[first] <= head; first++ {
		head -= widths[first]
	}
	for ; last > first && widths[last-1] <= tail; last-- {
		tail -= widths[last-1]
	}
	return strings.Join(signs[:first], "") + "…" + strings.Join(signs[last:], "")
}

// nameInLine returns a name, such as the path of a file, that fits into one line: with escapes for the
// line feeds in it, so that it does not look like another name, and cut.
func nameInLine(name string, most int) string { return cut(api.NameInLine(name), most) }

// nameOf returns the name of a run to show: its script's file name, or the name that it was given.
func nameOf(r api.Run) string {
	name := r.Script
	if filepath.IsAbs(name) {
		name = filepath.Base(name)
	}
	if name = nameInLine(name, maxName); strings.TrimSpace(name) == "" {
		return lang.L("a script without a name")
	}
	return isolated(name)
}
