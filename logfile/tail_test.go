package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLastLinesOfALog(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""},
		{"a\n", 3, "a\n"},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 2, "b\nc"},
		{"a\nb\nc\n", 3, "a\nb\nc\n"},
		{"a\nb\nc\n", 0, ""},
		{"a\n\n\n", 2, "\n\n"},
		{strings.Repeat(strings.Repeat("x", 999)+"\n", 300), 200, strings.Repeat(strings.Repeat("x", 999)+"\n", 200)},
	} {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, x.text)
		var got strings.Builder
		tl := &Tail{Path: path, Write: func(s string) { got.WriteString(s) }}
		if err := tl.Begin(x.n); err != nil {
			t.Fatal(err)
		}
		tl.Close()
		if got.String() != x.want {
			t.Errorf("last %d of %.20q: %.40q, want %.40q", x.n, x.text, got.String(), x.want)
		}
	}
}

func TestFollowingALogGoesOnOverItsRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	var got strings.Builder
	tl := &Tail{Path: path, Write: func(s string) { got.WriteString(s) }}
	defer func() { tl.Close() }()
	look := func(want string) {
		t.Helper()
		if err := tl.poll(); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("shown %q, want %q", got.String(), want)
		}
		got.Reset()
	}
	look("") // not there yet
	write(t, path, "one\n")
	look("one\n")
	look("")
	more(t, path, "two\n")
	look("two\n")

	more(t, path, "three\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	look("three\n")
	more(t, path+".1", "late\n")
	write(t, path, "four\n")
	look("late\nfour\n")

	write(t, path, "") // somebody emptied it
	look("")
	more(t, path, "five\n")
	look("five\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func more(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
