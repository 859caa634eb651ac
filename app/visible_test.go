package app

import (
	"encoding/json"
	"strings"
	"testing"

	"blendtray/api"
)

// orders are what a terminal would obey, and what is shown for each.
var orders = map[string]string{
	"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\": "^[]8;;http://evil^[\\link^[]8;;^[\\",
	"\x1b]52;c;ZXZpbA==\a":                        "^[]52;c;ZXZpbA==^G",
	"\x1b[2J\x1b[H":                               "^[[2J^[[H",
	"\x1bc":                                       "^[c",
	"\x1b[1;31":                                   "^[[1;31",
	"\x1b[>4m":                                    "^[[>4m",
	"\x1b[38;5;" + strings.Repeat("1", 80) + "m": "^[[38;5;" + strings.Repeat("1", 80) + "m",
	"\u009b2J":               "<U+009B>2J",
	"\x9b2J":                 "\ufffd2J",
	"a\u202eb\u2066c\u061cd": "a<U+202E>b<U+2066>c<U+061C>d",
	"\u2028":                 "<U+2028>",
	"\b\x7f\x00":             "^H^?^@",
	"שלום, née, 😀👩‍💻\t|\r\n": "שלום, née, 😀👩‍💻\t|\r\n",
}

func TestATerminalIsNotOrderedAbout(t *testing.T) {
	t.Parallel()
	for text, want := range orders {
		for _, piece := range []int{len(text), 1, 2, 3, 5} { // as the text may come
			s := newScreen(true)
			for rest := text; rest != ""; rest = rest[min(piece, len(rest)):] {
				s.writeOut(rest[:min(piece, len(rest))])
			}
			s.exit(nil)
			if got := s.out.String(); got != want {
				t.Errorf("%q in pieces of %d is %q, want %q", text, piece, got, want)
			}
		}
		s := newScreen(true)
		s.writeErr(text)
		if got := s.err.String(); got != want {
			t.Errorf("%q on standard error is %q, want %q", text, got, want)
		}
		piped := newScreen(false)
		piped.writeOut(text)
		if got := piped.out.String(); got != text {
			t.Errorf("%q in a pipe is %q", text, got)
		}
	}
}

func TestAScriptsColoursStayAndEndWithIt(t *testing.T) {
	t.Parallel()
	s := newScreen(true)
	s.writeOut("\x1b[1;38:5:9")
	s.writeOut("mred\n")
	s.warn("mind")
	s.writeOut("\x1b[32mgreen\x1b[0m \x1b[4munder")
	s.exit(nil)
	if got, want := s.out.String(), "\x1b[1;38:5:9mred\n\x1b[0m\x1b[32mgreen\x1b[0m \x1b[4munder\x1b[0m"; got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
	s = newScreen(true)
	s.shownOut.colors = false // NO_COLOR
	s.writeOut("\x1b[31mred\x1b[m\n")
	if got := s.out.String(); got != "red\n" {
		t.Errorf("without colours it is %q", got)
	}
}

func TestJSONHasNoOrdersAndMeansTheSame(t *testing.T) {
	t.Parallel()
	for text := range orders {
		s := newScreen(true)
		if err := s.printJSON([]string{text}); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal([]byte(s.out.String()), &got); err != nil || got[0] != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%q comes back as %q, %v", text, got, err)
		}
		if strings.ContainsFunc(s.out.String(), mustEscape) {
			t.Errorf("%q is %q", text, s.out.String())
		}
	}
}

func TestLinesOfServeHaveNoOrders(t *testing.T) {
	t.Parallel()
	for text := range orders {
		p := &prefixer{prefix: "| "}
		if got := p.add(text+"\n") + p.rest(); strings.ContainsFunc(strings.TrimSuffix(got, "\n"), func(r rune) bool { return r != '\t' && r != '\n' && api.HidesText(r) }) {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func FuzzATerminalIsNotOrderedAbout(f *testing.F) {
	for text := range orders {
		f.Add(text, 1)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		v := &visible{}
		at = max(0, min(at, len(text)))
		got := v.add(text[:at]) + v.add(text[at:]) + v.rest()
		for _, r := range got {
			if api.HidesText(r) && r != '\n' && r != '\t' && r != '\r' {
				t.Errorf("%q is %q", text, got)
			}
		}
	})
}
