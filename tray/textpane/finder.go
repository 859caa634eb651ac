//go:build !headless

package textpane

import (
	"context"
	"sort"

	"blendtray/tray/textpane/find"
	"blendtray/tray/textpane/selection"
)

// maxFound is how many matches are kept; with more, nobody goes through them all.
const maxFound = 100_000

// finder finds text in a pane, and goes on finding it in what comes.
type finder struct {
	pane  *Pane
	query find.Query
	told  func(Found)

	stop  context.CancelFunc // ends the search that goes on, or nil
	to    int                // lines before this number were searched
	found []find.Match
	at    int  // the match that is shown
	moved bool // somebody has gone to a match, or a match was shown
}

// Found says what was found.
type Found struct {
	At, Count int  // the match that is shown, from 1 on, and how many there are
	More      bool // there are more than that
	Searching bool // the search goes on
}

// Find finds a text, shows the first match from the lines in sight on, and calls told on the
// toolkit's goroutine with what was found, again and again while more is found. It ends the
// search before. A query without a text finds nothing.
func (p *Pane) Find(q find.Query, told func(Found)) {
	f := &p.finder
	f.query, f.told = q, told
	f.again()
	p.Refresh()
}

// Next shows the match that is so many matches after the shown match, or before it for a negative
// number, and after the last match the first.
func (p *Pane) Next(by int) {
	f := &p.finder
	f.forget()
	if len(f.found) == 0 {
		return
	}
	f.at = ((f.at+by)%len(f.found) + len(f.found)) % len(f.found)
	f.show()
	f.tell()
}

// again searches from the beginning.
func (f *finder) again() {
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
	f.found, f.at, f.to, f.moved = nil, 0, 0, false
	if f.query.Text == "" {
		f.tell()
		return
	}
	f.search()
}

// search searches the lines that were not searched, on a goroutine of its own.
func (f *finder) search() {
	p, query := f.pane, f.query
	first, end := p.buffer.Bounds()
	from := max(f.to, first)
	// The last line may still change. It is searched, and searched again.
	f.found = f.found[:f.before(from)]
	most := maxFound - len(f.found)
	if f.to = max(first, end-1); from >= end || most <= 0 {
		f.tell()
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	_, resets := p.buffer.Version()
	go func() {
		found, err := find.Search(ctx, p.buffer, query, from, end, most)
		p.opts.Do(func() {
			defer stop()
			if _, now := p.buffer.Version(); err != nil || ctx.Err() != nil || now != resets {
				return
			}
			f.stop = nil
			f.found = append(f.found, found...)
			if len(f.found) > 0 { // the last line may have lost the shown match
				f.at = min(f.at, len(f.found)-1)
			}
			if !f.moved && len(f.found) > 0 {
				f.first()
			}
			f.tell()
			p.Refresh()
		})
	}()
	f.tell()
}

// grown searches what has come, unless a search goes on.
func (f *finder) grown() {
	if f.query.Text != "" && f.stop == nil {
		f.search()
	}
}

// before returns how many matches are before a line.
func (f *finder) before(line int) int {
	return sort.Search(len(f.found), func(i int) bool { return f.found[i].Line >= line })
}

// forget drops the matches in lines that are not kept any more.
func (f *finder) forget() {
	first, _ := f.pane.buffer.Bounds()
	n := f.before(first)
	f.found = f.found[n:]
	f.at = max(0, f.at-n)
}

// first shows the first match from the lines in sight on.
func (f *finder) first() {
	f.moved = true
	f.pane.view.settle()
	if f.at = f.before(f.pane.view.top.line); f.at == len(f.found) {
		f.at = 0
	}
	f.show()
}

// show shows the match that was gone to, and selects it.
func (f *finder) show() {
	m, v := f.found[f.at], &f.pane.view
	v.reveal(m.Line, m.Start)
	f.pane.sel.Move(selection.Pos{Line: m.Line, Byte: m.Start})
	v.follow = false
	f.pane.Refresh()
}

func (f *finder) tell() {
	if f.told == nil {
		return
	}
	found := Found{Count: len(f.found), More: len(f.found) >= maxFound, Searching: f.stop != nil}
	if found.Count > 0 {
		// The shown match may be in the last line, which is being searched again.
		found.At = min(f.at, found.Count-1) + 1
	}
	f.told(found)
}

// foundInLine is a match in a line.
type foundInLine struct {
	find.Match
	here bool // it is the match that is shown
}

// inLine returns the matches in a line.
func (f *finder) inLine(line int) (all []foundInLine) {
	for i := f.before(line); i < len(f.found) && f.found[i].Line == line; i++ {
		all = append(all, foundInLine{f.found[i], i == f.at && f.moved})
	}
	return all
}
