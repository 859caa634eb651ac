package cells

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClustersTakeTheirCells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width []int
	}{
		{"abc", []int{1, 1, 1}},
		{"中文", []int{2, 2}},
		{"한글かな", []int{2, 2, 2, 2}},
		{"e\u0301x", []int{1, 1}},
		{"👍🏽👨‍👩‍👧!", []int{2, 2, 1}},
		{"❤️", []int{2}},
		{"🇩🇪1️⃣", []int{2, 2}},
		{"a\tb", []int{1, 7, 1}},
		{"\u0301a", []int{1, 1}},
		{"ａ", []int{2}},
		{"…–—│", []int{1, 1, 1, 1}},
	} {
		all, columns := Layout(c.text)
		var widths []int
		sum, at := 0, 0
		for _, cell := range all {
			widths = append(widths, cell.Width)
			sum += cell.Width
			if cell.Start != at {
				t.Errorf("%q: a cell begins at %d, want %d", c.text, cell.Start, at)
			}
			at = cell.End
		}
		if !slices.Equal(widths, c.width) || sum != columns || at != len(c.text) {
			t.Errorf("%q has cells of %v in %d columns, want %v", c.text, widths, columns, c.width)
		}
	}
}

// hardLines break what is careless: each has the signs that a person sees, in the order of their cells.
var hardLines = map[string][]string{
	"渲染 シーン 렌더":                            {"渲", "染", " ", "シ", "ー", "ン", " ", "렌", "더"},
	"कर्म नमस्ते":                          {"क", "र्", "म", " ", "न", "म", "स्", "ते"},
	"สวัสดี":                               {"ส", "วั", "ส", "ดี"},
	"🏴\U000e0067\U000e0062\U000e007f👩🏽‍🚀x": {"🏴\U000e0067\U000e0062\U000e007f", "👩🏽‍🚀", "x"},
	"مُحَمَّد a":                           {"د", "مَّ", "حَ", "مُ", " ", "a"},
	"ab שלום 12":                           {"a", "b", " ", "ם", "ו", "ל", "ש", " ", "1", "2"},
	"\u202egpj.py":                         {"\u202e", "g", "p", "j", ".", "p", "y"}, // changes no order
	"a\u202eb":                             {"a\u202e", "b"},
	"\u2067a\u2069b":                       {"\u2067", "a\u2069", "b"},
	"a\u200bb\ufeffc":                      {"a\u200b", "b\ufeff", "c"},
	"\u0301\u0301":                         {"\u0301\u0301"},
	"\xff\xe4x":                            {"\xff", "\xe4", "x"},
	"a\xffb\xe4\xb8":                       {"a", "\xff", "b", "\xe4", "\xb8"},
	"中\xff文":                               {"中", "\xff", "文"},
	"z̴̛͔a":                                {"z̴̛͔", "a"},
}

func TestAHardLineKeepsEachSignAndItsCells(t *testing.T) {
	t.Parallel()
	for text, want := range hardLines {
		all, columns := Layout(text)
		byColumn := slices.Clone(all)
		slices.SortFunc(byColumn, func(a, b Cell) int { return a.Column - b.Column })
		var shown []string
		at, used := 0, 0
		for i, c := range all {
			if c.Start != at || c.End <= c.Start || c.RunStart > c.Start || c.RunEnd < c.End {
				t.Errorf("%+q: cell %d is %+v, and begins at %d", text, i, c, at)
			}
			at = c.End
		}
		for _, c := range byColumn {
			if c.Column != used || c.Width < 1 || c.Width > 2 {
				t.Errorf("%+q: a cell of %d columns begins at %d, want %d", text, c.Width, c.Column, used)
			}
			used += c.Width
			shown = append(shown, text[c.Start:c.End])
		}
		if at != len(text) || used != columns || !slices.Equal(shown, want) {
			t.Errorf("%+q is shown as %+q in %d columns, want %+q", text, shown, columns, want)
		}
	}
}

func TestLettersFromRightToLeftStandInThatOrderWithinTheirCells(t *testing.T) {
	t.Parallel()
	text := "open שלום עולם.py, line 3"
	all, _ := Layout(text)
	shown := make([]string, len(all))
	for _, c := range all {
		shown[c.Column] = text[c.Start:c.End]
	}
	if got := strings.Join(shown, ""); got != "open םלוע םולש.py, line 3" {
		t.Errorf("it shows %q", got)
	}
	word := all[6]
	if text[word.RunStart:word.RunEnd] != "שלום" {
		t.Errorf("a letter takes its shape in %q", text[word.RunStart:word.RunEnd])
	}
}

func TestALineIsWrappedAfterASpace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 5, `[""]`},
		{"short", 5, `["short"]`},
		{"one two three", 8, `["one two " "three"]`},
		{"abcdefghij", 4, `["abcd" "efgh" "ij"]`},
		{"a bcdefghij", 5, `["a bcd" "efghi" "j"]`},
		{"中文中文", 3, `["中" "文" "中" "文"]`},
		{"中文", 1, `["中" "文"]`},
	} {
		all, _ := Layout(c.text)
		rows := Rows(c.text, all, c.columns)
		var got []string
		for i, from := range rows {
			to := len(all)
			if i+1 < len(rows) {
				to = rows[i+1]
			}
			part := ""
			for _, cell := range all[from:to] {
				part += c.text[cell.Start:cell.End]
			}
			got = append(got, part)
		}
		if fmt.Sprintf("%q", got) != c.want {
			t.Errorf("%q at %d: %q, want %s", c.text, c.columns, got, c.want)
		}
	}
}

func FuzzLayout(f *testing.F) {
	for _, s := range []string{"abc", "中文\t👍🏽", "שלום a عربي", "e\u0301\u200d\u200e"} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, text string, columns int) {
		if !utf8.ValidString(text) || columns < 1 {
			return
		}
		all, width := Layout(text)
		taken := make([]bool, width)
		at := 0
		for _, c := range all {
			if c.Start != at || c.End <= c.Start || c.RunStart > c.Start || c.RunEnd < c.End {
				t.Fatalf("%q: %+v after byte %d", text, c, at)
			}
			at = c.End
			for i := c.Column; i < c.Column+c.Width; i++ {
				if taken[i] {
					t.Fatalf("%q: two cells at column %d", text, i)
				}
				taken[i] = true
			}
		}
		if at != len(text) || slices.Contains(taken, false) {
			t.Fatalf("%q: %d bytes, %v", text, at, taken)
		}
		rows := Rows(text, all, columns)
		if !slices.IsSorted(rows) || rows[0] != 0 || rows[len(rows)-1] > len(all) {
			t.Fatalf("%q: rows %v", text, rows)
		}
	})
}
