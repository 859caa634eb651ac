package buffer

import (
	"os"
	"slices"
	"sort"

	"blendtray/tray/textpane/ansi"
)

// flushSize is how many bytes are written to a file at a time.
const flushSize = 256 << 10

// segment is a part of a buffer: whole lines, each with its line feed.
type segment struct {
	first int      // the number of the first line
	ends  []uint32 // where the lines end; joined marks those that continue the line before
	size  int64

	file    *os.File
	flushed int64  // the first bytes, which are in the file
	tail    []byte // the others

	styles []styleFrom // where the style in which lines begin changes
}

// joined marks a line that continues the line before.
const joined = 1 << 31

// styleFrom says in which style the lines from a line on begin.
type styleFrom struct {
	line  int // counted from the first line of the segment
	style ansi.Style
}

func (s *segment) lines() int { return len(s.ends) }

func (s *segment) add(line []byte, start ansi.Style, joins bool) {
	was := ansi.Style{}
	if n := len(s.styles); n > 0 {
		was = s.styles[n-1].style
	}
	if start != was {
		s.styles = append(s.styles, styleFrom{len(s.ends), start})
	}
	s.tail = append(append(s.tail, line...), '\n')
	s.size += int64(len(line)) + 1
	end := uint32(s.size)
	if joins {
		end |= joined
	}
	s.ends = append(s.ends, end)
}

// startOf returns the byte where a line begins, counted from the first line of the segment.
func (s *segment) startOf(line int) int64 {
	if line == 0 {
		return 0
	}
	return int64(s.ends[line-1] &^ joined)
}

// styleOf returns the style in which a line begins.
func (s *segment) styleOf(line int) ansi.Style {
	i := sort.Search(len(s.styles), func(i int) bool { return s.styles[i].line > line })
	if i == 0 {
		return ansi.Style{}
	}
	return s.styles[i-1].style
}

// flush writes what is in memory to the file, and reports whether that succeeded.
func (s *segment) flush(dir string) bool {
	if s.file == nil {
		file, err := tempFile(dir)
		if err != nil {
			return false
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(s.tail, s.flushed); err != nil {
		return false
	}
	s.flushed += int64(len(s.tail))
	s.tail = s.tail[:0]
	return true
}

// read appends the bytes from a byte to the byte before another.
func (s *segment) read(out []byte, from, to int64) []byte {
	if from < s.flushed {
		n := min(to, s.flushed) - from
		at := len(out)
		out = slices.Grow(out, int(to-from))[:at+int(n)]
		if _, err := s.file.ReadAt(out[at:], from); err != nil {
			// The file has no name, so that nobody else can have shortened it. What can't be
			// read is shown as empty.
			clear(out[at:])
		}
		from += n
	}
	if from < to {
		out = append(out, s.tail[from-s.flushed:to-s.flushed]...)
	}
	return out
}

func (s *segment) close() {
	if s.file != nil {
		release(s.file)
		s.file = nil
	}
	s.tail, s.ends, s.styles, s.size, s.flushed = nil, nil, nil, 0, 0
}
