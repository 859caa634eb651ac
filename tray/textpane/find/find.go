// Package find searches the text that the lines of a buffer show.
//
// It finds text within a line, as a person sees the line: without sequences, and as carriage
// returns have left it. A search of 100 MB takes a fraction of a second, so it runs on a goroutine
// of its own.
package find

import (
	"bytes"
	"context"
	"unicode"
	"unicode/utf8"

	"blendtray/tray/textpane/ansi"
	"blendtray/tray/textpane/buffer"
)

// Match is where a text was found: its bytes in the text that a line shows.
type Match struct{ Line, Start, End int }

// Query says what to find.
type Query struct {
	Text  string
	Exact bool // upper and lower case differ
}

// Search returns the matches in the lines from a line to the line before another, in their order,
// at most so many. It returns ctx's error when ctx ends before.
func Search(ctx context.Context, b *buffer.Buffer, q Query, from, to, most int) ([]Match, error) {
	s := searcher{query: q, most: most, word: []byte(q.Text)}
	if !q.Exact {
		s.word = fold(nil, s.word)
	}
	if len(s.word) == 0 {
		return nil, nil
	}
	for block := range b.Blocks(from, to) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s.block(block); len(s.found) >= most {
			break
		}
	}
	return s.found, nil
}

type searcher struct {
	query Query
	word  []byte // folded unless the query is exact
	most  int
	found []Match

	folded, shown []byte // reused
}

// block searches a block as a whole where its bytes are its text, which is much quicker, and
// else line by line.
func (s *searcher) block(b buffer.Block) {
	text := b.Data
	ascii := isASCII(text)
	if !s.query.Exact && ascii {
		s.folded = lower(s.folded[:0], text)
		text = s.folded
	}
	if bytes.IndexByte(s.word, '\n') < 0 && plain(b.Data) && (s.query.Exact || ascii) {
		for at := 0; len(s.found) < s.most; {
			i := bytes.Index(text[at:], s.word)
			if i < 0 {
				return
			}
			at += i
			line, start := b.At(at)
			s.found = append(s.found, Match{b.First + line, at - start, at - start + len(s.word)})
			at += len(s.word)
		}
		return
	}
	for n := range b.Len() {
		line := b.Line(n)
		s.shown = ansi.AppendText(s.shown[:0], line.Raw)
		s.line(line.Number, s.shown)
		if len(s.found) >= s.most {
			return
		}
	}
}

// line searches the text of a line.
func (s *searcher) line(number int, text []byte) {
	add := func(start, end int) { s.found = append(s.found, Match{number, start, end}) }
	switch {
	case s.query.Exact:
		each(text, s.word, s.most-len(s.found), func(at int) { add(at, at+len(s.word)) })
	case isASCII(text):
		s.folded = lower(s.folded[:0], text)
		each(s.folded, s.word, s.most-len(s.found), func(at int) { add(at, at+len(s.word)) })
	default:
		s.folded = fold(s.folded[:0], text)
		if !bytes.Contains(s.folded, s.word) {
			return
		}
		// Folding may change how many bytes a letter has.
		where := make([]int, 0, len(s.folded)+1)
		var one []byte
		for at := 0; at < len(text); {
			_, size := utf8.DecodeRune(text[at:])
			one = fold(one[:0], text[at:at+size])
			for range one {
				where = append(where, at)
			}
			at += size
		}
		where = append(where, len(text))
		each(s.folded, s.word, s.most-len(s.found), func(at int) { add(where[at], where[at+len(s.word)]) })
	}
}

// each calls found for the places of a word in a text, which do not overlap, at most so many times.
func each(text, word []byte, most int, found func(at int)) {
	for at := 0; most > 0; most-- {
		i := bytes.Index(text[at:], word)
		if i < 0 {
			return
		}
		found(at + i)
		at += i + len(word)
	}
}

// plain reports whether the lines of a text show their bytes.
func plain(text []byte) bool {
	for _, b := range text {
		if b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return isASCII(text) || utf8.Valid(text) && bytes.IndexByte(text, 0xc2) < 0
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lower appends ASCII text in lower case.
func lower(out, text []byte) []byte {
	at := len(out)
	out = append(out, text...)
	for i, b := range out[at:] {
		if b >= 'A' && b <= 'Z' {
			out[at+i] = b + ('a' - 'A')
		}
	}
	return out
}

// fold appends a text in which letters that differ only in their case are the same.
func fold(out, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if least >= 'A' && least <= 'Z' {
			least += 'a' - 'A'
		}
		out = utf8.AppendRune(out, least)
		text = text[size:]
	}
	return out
}
