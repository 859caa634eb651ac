package ansi

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestALineShowsItsTextInItsStyles(t *testing.T) {
	t.Parallel()
	red, plain := Style{Fg: Indexed(1)}, []Span(nil)
	for _, c := range []struct {
		raw, text string
		spans     []Span
	}{
		{"plain\ttext", "plain\ttext", plain},
		{"\x1b[31mred\x1b[0m not", "red not", []Span{{0, 3, red}}},
		{"\x1b[31mred\x1b[m not", "red not", []Span{{0, 3, red}}},
		{"\x1b[1;4;31mx", "x", []Span{{0, 1, Style{Fg: Indexed(1), Attr: Bold | Underline}}}},
		{"\x1b[;31mx", "x", []Span{{0, 1, red}}},
		{"\x1b[31;mx", "x", plain},
		{"\x1b[1mb\x1b[22mp", "bp", []Span{{0, 1, Style{Attr: Bold}}}},
		{"\x1b[7mi\x1b[27mp", "ip", []Span{{0, 1, Style{Attr: Inverse}}}},
		{"\x1b[38;5;208mo", "o", []Span{{0, 1, Style{Fg: Indexed(208)}}}},
		{"\x1b[48;2;1;2;3mo", "o", []Span{{0, 1, Style{Bg: RGB(1, 2, 3)}}}},
		{"\x1b[1;38:2::1:2:3mo", "o", []Span{{0, 1, Style{Fg: RGB(1, 2, 3), Attr: Bold}}}},
		{"\x1b[38:5:9;4:3mo", "o", []Span{{0, 1, Style{Fg: Indexed(9), Attr: Underline}}}},
		{"\x1b[91;102mo", "o", []Span{{0, 1, Style{Fg: Indexed(9), Bg: Indexed(10)}}}},
		{"\x1b[38;5mo", "o", plain},
		{"\x1b[>4;1mo\x1b[?25l", "o", plain},
		{"\x1b]0;title\x07t\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "tlink", plain},
		{"a\x1b(Bb\x1bMc\x00d\x7fe", "abcde", plain},
		{"cut \x1b[3", "cut ", plain},
		{"\xffbad\xc3", "\ufffdbad\ufffd", plain},
		{"\u009b31mred", "red", []Span{{0, 3, red}}},
		{"é\x1b[31mé", "éé", []Span{{2, 4, red}}},

		{"10%\r100%", "100%", plain},
		{"abcdef\rxy", "xycdef", plain},
		{"end\r", "end", plain},
		{"abcdef\r\x1b[Kxy", "xy", plain},
		{"ab\bc", "ac", plain},
		{"\b\bx", "x", plain},
		{"中文\rx", "x 文", plain},
		{"x中\x1b[2Gy", "xy ", plain},
		{"abc\r中", "中c", plain},
		{"ab\x1b[3Cc", "ab   c", plain},
		{"\x1b[31mab\r\x1b[0mc", "cb", []Span{{1, 2, red}}},
		{"a\rb\u0301", "b\u0301", plain},
		{"1\t2\r3", "3\t2", plain},
		{"abcd\x1b[2D\x1b[1Pz", "abzd"[:2] + "z", plain},
	} {
		line, _ := Parse([]byte(c.raw), Style{})
		if err := check([]byte(c.raw)); err != nil {
			t.Errorf("%q: %v", c.raw, err)
		}
		if line.Text != c.text || !slices.Equal(line.Spans, c.spans) {
			t.Errorf("%q shows %q %v, want %q %v", c.raw, line.Text, line.Spans, c.text, c.spans)
		}
	}
}

func TestAStyleGoesOnInTheNextLine(t *testing.T) {
	t.Parallel()
	line, end := Parse([]byte("a \x1b[31mb"), Style{Attr: Bold})
	if end != (Style{Fg: Indexed(1), Attr: Bold}) || After([]byte("a \x1b[31mb"), Style{Attr: Bold}) != end {
		t.Errorf("it ends in %v", end)
	}
	if !slices.Equal(line.Spans, []Span{{0, 2, Style{Attr: Bold}}, {2, 3, end}}) {
		t.Errorf("%v", line.Spans)
	}
	next, _ := Parse([]byte("c"), end)
	if !slices.Equal(next.Spans, []Span{{0, 1, end}}) {
		t.Errorf("the next line has %v", next.Spans)
	}
}

// check fails unless what is promised of every line holds for raw.
func check(raw []byte) error {
	start := Style{Fg: Indexed(3)}
	line, end := Parse(raw, start)
	if after := After(bytes.TrimSuffix(raw, []byte("\r")), start); after != end {
		return fmt.Errorf("it ends in %v, and After says %v", end, after)
	}
	if text := AppendText(nil, raw); string(text) != line.Text {
		return fmt.Errorf("it shows %q, and its text is %q", line.Text, text)
	}
	if !utf8.ValidString(line.Text) {
		return fmt.Errorf("it shows %q", line.Text)
	}
	for _, r := range line.Text {
		if unicode.IsControl(r) && r != '\t' {
			return fmt.Errorf("it shows the control character %U in %q", r, line.Text)
		}
	}
	at := 0
	for _, s := range line.Spans {
		if s.Start < at || s.End <= s.Start || s.End > len(line.Text) || s.Style == (Style{}) {
			return fmt.Errorf("it has the spans %v in %d bytes", line.Spans, len(line.Text))
		}
		at = s.End
	}
	again, to := Parse(Encode(line, start, end), start)
	if again.Text != line.Text || !slices.Equal(again.Spans, line.Spans) || to != end {
		return fmt.Errorf("encoded as %q it shows %q %v, and not %q %v", Encode(line, start, end), again.Text, again.Spans, line.Text, line.Spans)
	}
	if bytes.ContainsFunc(raw, func(r rune) bool { return r >= 0x300 && !unicode.Is(unicode.Han, r) }) {
		return nil // signs that join with the sign before them take other columns when it is another sign
	}
	raw = append(bytes.Clone(raw), "m\a"...) // ends the sequence that is open
	for _, more := range []string{"", "z", "\b中"} {
		short := append(Compact(raw, start), more...)
		want, _ := Parse(slices.Concat(raw, []byte(more)), start)
		if got, _ := Parse(short, start); got.Text != want.Text {
			return fmt.Errorf("with %q after it, the compact line %q shows %q, want %q", more, short, got.Text, want.Text)
		}
	}
	return nil
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"plain", "\x1b[31mred\x1b[0m", "10%\r\x1b[K100%", "中文\bx\ty", "\x1b]8;;x\x07l", "\xc2\x9b1m\xc2", "\x1b[38:2::1:2:3;4;;m", "a\u0301\r\u0301",
		"\x1b[5P\x1b[9X\x1b[2K\x1b[99999999C.",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.IndexByte(raw, '\n') >= 0 {
			return
		}
		if err := check(raw); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}
