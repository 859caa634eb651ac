package api

import "testing"

func TestNamesThatDifferLookDifferentInALine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                     "",
		"/srv/a b.py":          "/srv/a b.py",
		"/srv/a  b.py":         "/srv/a  b.py",
		"/srv/a\nb.py":         `/srv/a\nb.py`,
		"/srv/a\tb.py":         `/srv/a\tb.py`,
		"/srv/a\r\nb.py":       `/srv/a\r\nb.py`,
		"\u202egpj.py":         "<U+202E>gpj.py",
		"a\u2028b\x1b[2J.py":   "a<U+2028>b<U+001B>[2J.py",
		"渲染 \xff.py":           "渲染 \ufffd.py",
		`C:\scripts\new.py`:    `C:\scripts\new.py`,
		"C:\\scripts\\a\nb.py": `C:\scripts\a\nb.py`,
	} {
		if got := NameInLine(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}
