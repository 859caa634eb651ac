package syntax

import (
	"fmt"
	"strings"
	"testing"
)

func TestThePartsOfPythonAreFound(t *testing.T) {
	t.Parallel()
	names := map[Kind]string{
		Keyword: "keyword", Builtin: "builtin", Defined: "defined", Decorator: "decorator",
		Constant: "constant", String: "string", Escape: "escape", Number: "number", Comment: "comment",
	}
	for _, c := range []struct{ code, want string }{
		{"", ""},
		{"import bpy", "1 keyword import"},
		{"def häuser(n):\n    return len(n) + 0x1f # zählt", "1 keyword def, 1 defined häuser, 2 keyword return, 2 builtin len, 2 number 0x1f, 2 comment # zählt"},
		{"x = '名字🙂' + f\"{x}\"", "1 string '名字🙂', 1 escape f, 1 string \", 1 escape {, 1 escape }, 1 string \""},
		{"\"\"\"one\ntwo\"\"\"\nclass A:\n  @property\n  def b(self): raise ValueError", "1 string \"\"\"one, 2 string two\"\"\", 3 keyword class, 3 defined A, 4 decorator @property, 5 keyword def, 5 defined b, 5 constant self, 5 keyword raise, 5 builtin ValueError"},
		{"a = True and not None\n\n\n1", "1 constant True, 1 keyword and, 1 keyword not, 1 constant None, 4 number 1"},
		{"x = 'not ended\ny = 2", "1 string 'not ended, 2 number 2"},
	} {
		lines, err := Python(c.code)
		if err != nil {
			t.Errorf("%q: %v", c.code, err)
			continue
		}
		texts := strings.Split(c.code, "\n")
		if len(lines) != len(texts) {
			t.Errorf("%q has %d lines", c.code, len(lines))
		}
		var got []string
		for i, spans := range lines {
			for _, s := range spans {
				got = append(got, fmt.Sprintf("%d %s %s", i+1, names[s.Kind], texts[i][s.Start:s.End]))
			}
		}
		if all := strings.Join(got, ", "); all != c.want {
			t.Errorf("%q has\n%s, want\n%s", c.code, all, c.want)
		}
	}
}

func FuzzPython(f *testing.F) {
	for _, code := range []string{"x = 1\r\n", "'''", "f'{x!r:>{y}}'\n", "\x00\t\f", "def \n@", "é = '\\N{BULLET}'"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		code = strings.ToValidUTF8(code, "?")
		lines, err := Python(code)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range strings.Split(code, "\n") {
			end := 0
			for _, s := range lines[i] {
				if s.Start < end || s.End <= s.Start || s.End > len(text) {
					t.Fatalf("line %d of %q has the span %+v after %d", i+1, code, s, end)
				}
				end = s.End
			}
		}
	})
}
