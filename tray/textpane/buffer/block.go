package buffer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"sort"

	"blendtray/tray/textpane/ansi"
)

// Block is a copy of lines that follow each other.
type Block struct {
	First int
	// Data has the lines, each with a line feed.
	Data []byte

	ends  []int  // where the lines end in Data
	joins []bool // whether they continue the line before
	style []ansi.Style
}

// Line is a line of a buffer, without its line feed.
type Line struct {
	Number int
	Raw    []byte
	Start  ansi.Style // in which the line begins
	Joins  bool       // it continues the line before, which was too long
}

// Block returns lines from a line on, up to the line before end, as many as have some number of
// bytes, and at least one. Lines that are not kept are left out; the block is empty when there
// is none.
func (b *Buffer) Block(from, end, most int) Block {
	b.mu.Lock()
	defer b.mu.Unlock()
	from = max(from, b.segs[0].first)
	block := Block{First: from}
	i := sort.Search(len(b.segs), func(i int) bool { return b.segs[i].first > from }) - 1
	for ; i < len(b.segs) && len(block.Data) < most; i++ {
		s := b.segs[i]
		line := from + len(block.ends) - s.first
		to := min(s.lines(), end-s.first)
		if line >= to {
			continue
		}
		// The last line that begins within the bytes that are asked for.
		limit := s.startOf(line) + int64(most-len(block.Data))
		if n := sort.Search(to-line, func(n int) bool { return s.startOf(line+n) >= limit }); n > 0 {
			to = line + n
		} else {
			to = line + 1
		}
		base := int64(len(block.Data)) - s.startOf(line)
		block.Data = s.read(block.Data, s.startOf(line), s.startOf(to))
		for ; line < to; line++ {
			block.add(int(base+s.startOf(line+1)), s.ends[line]&joined != 0, s.styleOf(line))
		}
	}
	if last := from + len(block.ends); last == b.endLocked()-1 && last < end && b.openShownLocked() && (len(block.Data) < most || len(block.ends) == 0) {
		block.Data = append(append(block.Data, b.open...), '\n')
		block.add(len(block.Data), b.joins, b.style)
	}
	return block
}

func (b *Block) add(end int, joins bool, style ansi.Style) {
	b.ends = append(b.ends, end)
	b.joins = append(b.joins, joins)
	b.style = append(b.style, style)
}

// Len returns the number of lines.
func (b Block) Len() int { return len(b.ends) }

// Line returns a line of the block, counted from its first line.
func (b Block) Line(n int) Line {
	start := 0
	if n > 0 {
		start = b.ends[n-1]
	}
	return Line{b.First + n, b.Data[start : b.ends[n]-1 : b.ends[n]-1], b.style[n], b.joins[n]}
}

// At returns which line of the block has a byte of Data, counted from its first line, and where
// that line begins.
func (b Block) At(i int) (line, start int) {
	line = sort.SearchInts(b.ends, i+1)
	if line > 0 {
		start = b.ends[line-1]
	}
	return line, start
}

// blockSize is how much of a buffer is read at a time.
const blockSize = 1 << 20

// Lines returns the lines from a line to the line before another, read in blocks: so long as the
// loop runs, others can go on using the buffer.
func (b *Buffer) Lines(from, to int) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for block := range b.Blocks(from, to) {
			for n := range block.Len() {
				if !yield(block.Line(n)) {
					return
				}
			}
		}
	}
}

// Blocks is [Buffer.Lines] by blocks.
func (b *Buffer) Blocks(from, to int) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		for from < to {
			block := b.Block(from, to, blockSize)
			if block.Len() == 0 || !yield(block) {
				return
			}
			from = block.First + block.Len()
		}
	}
}

// Text returns what the lines from a line to the line before another show, without styles.
func (b *Buffer) Text(from, to int) string {
	var out bytes.Buffer
	_ = b.write(&out, from, to, func() bool { return true }) // a bytes.Buffer takes everything
	return out.String()
}

// ErrReset says that the buffer was made empty while its text was being written.
var ErrReset = errors.New("another text is shown by now")

// WriteText writes what all lines show, without styles, unless the buffer was reset since it had been
// reset so many times (see [Buffer.Version]). It fails with [ErrReset], also when the buffer is reset
// meanwhile, or as w does.
func (b *Buffer) WriteText(w io.Writer, resets uint64) error {
	_, now, first, end := b.Now()
	same := func() bool { return now == resets }
	if !same() {
		return ErrReset
	}
	out := bufio.NewWriterSize(w, 1<<20)
	err := b.write(out, first, end, func() bool {
		_, now = b.Version()
		return same()
	})
	if err == nil {
		err = out.Flush()
	}
	return err
}

// write writes what the lines from a line to the line before another show, as long as the text is the
// same.
func (b *Buffer) write(out io.Writer, from, to int, same func() bool) error {
	first, _ := b.Bounds()
	from = max(from, first)
	for line := range b.Lines(from, to) {
		if !same() {
			return ErrReset
		}
		shown, _ := ansi.Parse(line.Raw, line.Start)
		text := shown.Text
		if line.Number > from && !line.Joins {
			text = "\n" + text
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	if !same() {
		return ErrReset
	}
	return nil
}
