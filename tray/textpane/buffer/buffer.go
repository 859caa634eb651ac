// Package buffer keeps a text that grows, by lines: in memory while it is small, else in files
// with an index of its lines. It keeps the newest part of a text that is too large.
//
// A buffer knows lines and the styles in which they begin, and nothing of how they are shown. Its
// last line may be open: what comes next continues it. Lines keep their numbers when older lines
// are dropped.
package buffer

import (
	"bytes"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"blendtray/tray/textpane/ansi"
)

// Options bound a buffer. The zero Options are good for the output of a program.
type Options struct {
	Max    int64  // how many bytes are kept; 0 means 100 MB
	Memory int64  // how many bytes are kept in memory; 0 means 1 MB
	Dir    string // where files are made; "" is the system's folder for such files
	// Hide, if not nil, reports whether a line is left out. Of a line that is open, its end may be
	// missing.
	Hide func(line []byte, open bool) bool
}

const (
	defaultMax    = 100 << 20
	defaultMemory = 1 << 20
	// maxLine is how long a line may be. A longer line is kept as several.
	maxLine = 16 << 10
	// segments is in how many parts a full buffer is kept; the oldest part is dropped as a whole.
	segments = 8
)

// Buffer is a text by lines. Many goroutines may call its methods.
type Buffer struct {
	opts Options

	mu      sync.Mutex
	segs    []*segment
	open    []byte     // the last line, while its end has not come
	joins   bool       // open continues a line that was too long
	style   ansi.Style // in which open begins
	kept    int64      // bytes in segs
	dropped int64      // bytes of lines that are not kept any more
	noFile  bool       // no file can be written

	// What is asked for at each drawing, without waiting for who appends.
	now atomic.Pointer[state]
}

// state is what a buffer is like at a moment.
type state struct {
	first, end      int
	version, resets uint64
	kept, dropped   int64
}

// New returns an empty buffer.
func New(opts Options) *Buffer {
	if opts.Max == 0 {
		opts.Max = defaultMax
	}
	if opts.Memory == 0 {
		opts.Memory = defaultMemory
	}
	b := &Buffer{opts: opts, segs: []*segment{{}}}
	b.now.Store(&state{})
	return b
}

// changedLocked notes what the buffer is like now. It needs mu.
func (b *Buffer) changedLocked(resets uint64) {
	b.now.Store(&state{
		first: b.segs[0].first, end: b.endLocked(), version: b.now.Load().version + 1,
		resets: b.now.Load().resets + resets, kept: b.kept + int64(len(b.open)), dropped: b.dropped,
	})
}

// Append adds text at the end.
func (b *Buffer) Append(p []byte) {
	if len(p) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changedLocked(0)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		if len(b.open)+i > maxLine {
			b.extendLocked(p[:i])
			b.commitLocked(b.open)
		} else if len(b.open) > 0 {
			b.open = append(b.open, p[:i]...)
			b.commitLocked(b.open)
		} else {
			b.commitLocked(p[:i])
		}
		b.open, b.joins = b.open[:0], false
		p = p[i+1:]
	}
	b.extendLocked(p)
}

// extendLocked adds text without an end to the open line, in pieces that are not too long. It
// needs mu.
func (b *Buffer) extendLocked(p []byte) {
	for len(p) > 0 {
		n := min(len(p), max(1, 2*maxLine-len(b.open)))
		b.open, p = append(b.open, p[:n]...), p[n:]
		if len(b.open) > maxLine {
			b.shortenLocked()
		}
	}
}

// shortenLocked makes an open line shorter that is too long: by leaving out what it has
// overwritten itself, or else by making lines of its beginning. It needs mu.
func (b *Buffer) shortenLocked() {
	if bytes.IndexByte(b.open, '\r') >= 0 || bytes.IndexByte(b.open, '\b') >= 0 {
		end := beforeEscape(b.open)
		b.open = append(ansi.Compact(b.open[:end], b.style), b.open[end:]...)
	}
	for len(b.open) > maxLine {
		n := maxLine
		for n > maxLine/2 && !utf8.RuneStart(b.open[n]) {
			n--
		}
		n = beforeEscape(b.open[:n])
		rest := bytes.Clone(b.open[n:])
		b.commitLocked(b.open[:n])
		b.open, b.joins = rest, true
	}
}

// beforeEscape returns the length of p without a sequence that may not be complete.
func beforeEscape(p []byte) int {
	const longest = 256
	if i := bytes.LastIndexByte(p, 0x1b); i > 0 && i > len(p)-longest {
		return i
	}
	return len(p)
}

// commitLocked keeps a line that has ended. It needs mu.
func (b *Buffer) commitLocked(line []byte) {
	start := b.style
	b.style = ansi.After(line, start)
	if b.opts.Hide != nil && !b.joins && b.opts.Hide(line, false) {
		return
	}
	seg := b.segs[len(b.segs)-1]
	if seg.size >= max(b.opts.Max/segments, 1) {
		seg = &segment{first: seg.first + seg.lines()}
		b.segs = append(b.segs, seg)
	}
	before := seg.size
	seg.add(line, start, b.joins)
	b.kept += seg.size - before
	if !b.noFile && b.kept > b.opts.Memory && len(seg.tail) >= flushSize && !seg.flush(b.opts.Dir) {
		b.noFile = true
		b.opts.Max = min(b.opts.Max, 8*defaultMemory) // what memory may hold
	}
	for b.kept > b.opts.Max && len(b.segs) > 1 {
		oldest := b.segs[0]
		b.segs = b.segs[1:]
		b.kept -= oldest.size
		b.dropped += oldest.size
		oldest.close()
	}
}

// Reset makes the buffer empty.
func (b *Buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.segs {
		s.close()
	}
	b.segs, b.open, b.joins, b.style = []*segment{{}}, nil, false, ansi.Style{}
	b.kept, b.dropped = 0, 0
	b.changedLocked(1)
}

// Close releases the files of the buffer, which is empty then.
func (b *Buffer) Close() { b.Reset() }

// Version returns a number that is another one after each change, and how often the buffer was
// reset: while resets stays, a line that has ended stays as it is.
func (b *Buffer) Version() (version, resets uint64) {
	now := b.now.Load()
	return now.version, now.resets
}

// Now returns what Version and Bounds return, at one moment.
func (b *Buffer) Now() (version, resets uint64, first, end int) {
	now := b.now.Load()
	return now.version, now.resets, now.first, now.end
}

// Bounds returns the numbers of the first line that is kept and of the line after the last.
func (b *Buffer) Bounds() (first, end int) {
	now := b.now.Load()
	return now.first, now.end
}

func (b *Buffer) endLocked() int {
	last := b.segs[len(b.segs)-1]
	end := last.first + last.lines()
	if b.openShownLocked() {
		end++
	}
	return end
}

func (b *Buffer) openShownLocked() bool {
	return len(b.open) > 0 && !(b.opts.Hide != nil && !b.joins && b.opts.Hide(b.open, true))
}

// Size returns how many bytes are kept, and how many bytes of older lines are not kept any more.
func (b *Buffer) Size() (kept, dropped int64) {
	now := b.now.Load()
	return now.kept, now.dropped
}
