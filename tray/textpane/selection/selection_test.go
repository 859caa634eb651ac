package selection

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lines is a text whose first line has the number 10.
type lines []string

func (l lines) Line(n int) string {
	if n < 10 || n >= 10+len(l) {
		return ""
	}
	return l[n-10]
}
func (l lines) Bounds() (first, end int) { return 10, 10 + len(l) }

// selected returns the selected text.
func (l lines) selected(s *Selection) string {
	var out strings.Builder
	for n, line := range l {
		from, to, end := s.InLine(n+10, len(line))
		out.WriteString(line[from:to])
		if end {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

var text = lines{"one two_2, 中文", "", "  e\u0301nd 👍🏽!"}

func TestASelectionGrowsByItsUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to Pos
		unit     Unit
		want     string
	}{
		{Pos{10, 1}, Pos{10, 5}, Signs, "ne t"},
		{Pos{10, 5}, Pos{10, 1}, Signs, "ne t"},
		{Pos{10, 4}, Pos{12, 2}, Signs, "two_2, 中文\n\n  "},
		{Pos{10, 5}, Pos{10, 5}, Words, "two_2"},
		{Pos{10, 5}, Pos{10, 0}, Words, "one two_2"},
		{Pos{10, 9}, Pos{10, 9}, Words, ","},
		{Pos{10, 12}, Pos{10, 12}, Words, "中文"},
		{Pos{10, 17}, Pos{10, 17}, Words, "中文"},
		{Pos{11, 0}, Pos{11, 0}, Words, ""},
		{Pos{12, 0}, Pos{12, 0}, Words, "  "},
		{Pos{12, 3}, Pos{12, 3}, Words, "e\u0301nd"},
		{Pos{10, 3}, Pos{10, 3}, Lines, text[0] + "\n"},
		{Pos{11, 0}, Pos{10, 3}, Lines, text[0] + "\n\n"},
		{Pos{12, 3}, Pos{12, 3}, Lines, text[2]},
	} {
		var s Selection
		s.Begin(text, c.from, c.unit)
		s.Lead(text, c.to)
		if got := text.selected(&s); got != c.want {
			t.Errorf("from %v to %v by %v: %q, want %q", c.from, c.to, c.unit, got, c.want)
		}
	}
	var s Selection
	s.All(text)
	if got := text.selected(&s); got != strings.Join(text, "\n") {
		t.Errorf("all is %q", got)
	}
	s.Clear()
	if _, _, ok := s.Range(); ok || s.Head() != (Pos{12, len(text[2])}) {
		t.Errorf("cleared it is at %v, and something is selected: %v", s.Head(), ok)
	}
	s.All(lines{})
	if _, _, ok := s.Range(); ok {
		t.Error("something of nothing is selected")
	}
}

func TestKeysGoBySignsAndWords(t *testing.T) {
	t.Parallel()
	walk := func(p Pos, step func(Text, Pos) Pos) (all []string) {
		for {
			next := step(text, p)
			if next == p {
				return all
			}
			all = append(all, fmt.Sprintf("%d:%d", next.Line, next.Byte))
			p = next
		}
	}
	first, last := Pos{10, 0}, Pos{12, len(text[2])}
	right, left := walk(first, Right), walk(last, Left)
	slices.Reverse(left)
	if n := len(right); n != 23 || len(left) != n || !slices.Equal(right[:n-1], left[1:]) {
		t.Errorf("to the right %v, to the left %v", right, left)
	}
	if got := walk(first, WordRight); fmt.Sprint(got) != "[10:3 10:9 10:10 10:17 11:0 12:0 12:7 12:16 12:17]" {
		t.Errorf("by words to the right: %v", got)
	}
	if got := walk(last, WordLeft); fmt.Sprint(got) != "[12:16 12:8 12:2 11:0 10:17 10:11 10:9 10:4 10:0]" {
		t.Errorf("by words to the left: %v", got)
	}
}

func TestASelectionStaysInTheTextWhateverIsDone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		var s Selection
		for range 100 {
			p := Pos{9 + r.IntN(5), r.IntN(30)}
			switch r.IntN(6) {
			case 0:
				s.Begin(text, p, Unit(r.IntN(3)))
			case 1:
				s.Lead(text, p)
			case 2:
				s.Move(p)
			case 3:
				s.All(text)
			case 4:
				s.Lead(text, WordRight(text, s.Head()))
			case 5:
				s.Lead(text, WordLeft(text, s.Head()))
			}
			if all := strings.Join(text, "\n"); !strings.Contains(all+"\n", text.selected(&s)) {
				t.Fatalf("seed %d: %q is selected", seed, text.selected(&s))
			}
			if from, to, _ := s.Range(); to.Before(from) {
				t.Fatalf("seed %d: it goes from %v to %v", seed, from, to)
			}
		}
	}
}
