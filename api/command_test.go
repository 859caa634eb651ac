package api

import (
	"slices"
	"testing"
)

func TestACommandIsSplitAsAPersonWritesIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                nil,
		"  ":                              nil,
		"code --goto {file}:{line}":       {"code", "--goto", "{file}:{line}"},
		`"C:\Program Files\e.exe" {file}`: {`C:\Program Files\e.exe`, "{file}"},
		`emacs --eval '(a "b c")' ''`:     {"emacs", "--eval", `(a "b c")`, ""},
		`a"b c"d`:                         {"ab cd"},
	} {
		var c Command
		if err := c.UnmarshalText([]byte(text)); err != nil || !slices.Equal(c.Parts(), want) || c.String() != text {
			t.Errorf("%s is split into %q: %v", text, c.Parts(), err)
		}
	}
	for _, text := range []string{`code "x`, "it's", `"" x`} {
		c := Command("before")
		if err := c.UnmarshalText([]byte(text)); err == nil || c != "before" {
			t.Errorf("%s is taken for %q", text, c.Parts())
		}
	}
}
