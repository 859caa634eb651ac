package find

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"blendtray/tray/textpane/buffer"
)

func search(t *testing.T, text string, q Query, most int) []Match {
	t.Helper()
	b := buffer.New(buffer.Options{Dir: t.TempDir()})
	t.Cleanup(b.Close)
	b.Append([]byte(text))
	first, end := b.Bounds()
	found, err := Search(t.Context(), b, q, first, end, most)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTextIsFoundAsItIsSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		q    Query
		want []Match
	}{
		{"one\ntwo one\n", Query{Text: "one"}, []Match{{0, 0, 3}, {1, 4, 7}}},
		{"One\noNE", Query{Text: "onE"}, []Match{{0, 0, 3}, {1, 0, 3}}},
		{"One\none", Query{Text: "one", Exact: true}, []Match{{1, 0, 3}}},
		{"aaaa", Query{Text: "aa"}, []Match{{0, 0, 2}, {0, 2, 4}}},
		{"Käse KÄSE", Query{Text: "käse"}, []Match{{0, 0, 5}, {0, 6, 11}}},
		{"Käse KÄSE", Query{Text: "KÄSE", Exact: true}, []Match{{0, 6, 11}}},
		{"300 \u212A ſ", Query{Text: "k S"}, []Match{{0, 4, 10}}}, // signs of three and two bytes
		{"e\x1b[31mrr\x1b[0mor", Query{Text: "error"}, []Match{{0, 0, 5}}},
		{"10 %\r20 %", Query{Text: "10"}, nil},
		{"10 %\r20 %", Query{Text: "20"}, []Match{{0, 0, 2}}},
		{"31m \x1b[31m", Query{Text: "[31m"}, nil},
		{"中文中", Query{Text: "中"}, []Match{{0, 0, 3}, {0, 6, 9}}},
		{"a\nb", Query{Text: "a\nb"}, nil},
		{"a", Query{}, nil},
	} {
		if got := search(t, c.text, c.q, 100); !slices.Equal(got, c.want) {
			t.Errorf("%+v in %q: %v, want %v", c.q, c.text, got, c.want)
		}
	}
	if got := search(t, strings.Repeat("x", 100), Query{Text: "x"}, 7); len(got) != 7 {
		t.Errorf("%d matches were found", len(got))
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b := buffer.New(buffer.Options{})
	b.Append([]byte("x"))
	if _, err := Search(ctx, b, Query{Text: "x"}, 0, 1, 1); err == nil {
		t.Error("it has an answer")
	}
}

// Whatever is found, its bytes fold to what was asked for, and a plain search finds as much.
func FuzzSearch(f *testing.F) {
	f.Add("a Käse\nA", "a", false)
	f.Add("\x1b[1mſK\x1b[0m\rİi", "i", true)
	f.Fuzz(func(t *testing.T, text, word string, exact bool) {
		if word == "" || strings.ContainsAny(word, "\n") || !utf8.ValidString(word) {
			return
		}
		b := buffer.New(buffer.Options{})
		b.Append([]byte(text))
		_, end := b.Bounds()
		found, _ := Search(t.Context(), b, Query{word, exact}, 0, end, 1<<20)
		n := 0
		for number := range end {
			shown := b.Text(number, number+1)
			for ; n < len(found) && found[n].Line == number; n++ {
				got := shown[found[n].Start:found[n].End]
				if got != word && (exact || string(fold(nil, []byte(got))) != string(fold(nil, []byte(word)))) {
					t.Fatalf("%q was found for %q", got, word)
				}
			}
			if exact && strings.Contains(shown, word) && (n == 0 || found[n-1].Line != number) {
				t.Fatalf("%q was not found in %q", word, shown)
			}
		}
	})
}
