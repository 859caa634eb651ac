package logfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// block is how much is read at a time, from the end to the beginning.
const block = 1 << 20

// Start opens the file, and returns the last lines that a filter shows, as many as make up most bytes, with
// older logs that were put aside before it. more is true when there are older lines, whether the filter
// shows them or not. [Tail.Follow] goes on behind. Start fails with [fs.ErrNotExist] when there is no file
// yet, and with the error of ctx.
func (t *Tail) Start(ctx context.Context, most int64, filter Filter) (text []byte, more bool, err error) {
	f, err := openLog(t.Path)
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	t.file = f
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	t.at = info.Size()
	if !filter.All() {
		t.at = lastEnd(f, t.at) // whether a line is shown is known at its end
	}
	older := asideOf(t.Path)
	text, from, err := readBack(ctx, f, t.at, most, filter)
	for i := len(older) - 1; i >= 0 && from == 0 && err == nil && int64(len(text)) < most; i-- {
		var before []byte
		if before, from, err = readOld(ctx, older[i], most-int64(len(text)), filter); err == nil {
			text = append(before, text...)
			older = older[:i]
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	return text, from > 0 || len(older) > 0, nil
}

// lastEnd returns the offset behind the last line that has its end, of a file of a size. A line that is
// longer than a block counts as ended.
func lastEnd(f io.ReaderAt, size int64) int64 {
	n := min(block, size)
	buf := make([]byte, n)
	if read, _ := f.ReadAt(buf, size-n); int64(read) < n { // Start reads it again, and fails
		return size
	}
	if i := bytes.LastIndexByte(buf, '\n'); i >= 0 || n == size {
		return size - n + int64(i) + 1
	}
	return size
}

// readOld does what readBack does with a log that was put aside. One that is gone meanwhile is empty.
func readOld(ctx context.Context, path string, most int64, filter Filter) (text []byte, from int64, err error) {
	f, err := openLog(path)
	if os.IsNotExist(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return readBack(ctx, f, info.Size(), most, filter)
}

// putAside matches what the name of a log that was put aside has behind the name of the log.
var putAside = regexp.MustCompile(`^-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d`)

// asideOf returns the logs that were put aside when a log was full, the oldest first: their names end in
// the time at which that was.
func asideOf(path string) []string {
	extension := filepath.Ext(path)
	stem := strings.TrimSuffix(filepath.Base(path), extension)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), stem)
		if ok && strings.HasSuffix(rest, extension) && putAside.MatchString(rest) {
			all = append(all, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(all)
	return all
}

// readBack returns the last lines of the bytes before end that a filter shows, as many as make up most
// bytes and at least one, and the offset of the first line that was looked at.
func readBack(ctx context.Context, f io.ReaderAt, end, most int64, filter Filter) (text []byte, from int64, err error) {
	shows := filter.matcher()
	var pieces [][]byte // the last first
	size := int64(0)
	var head []byte // of a line whose beginning has not been read: what follows is its end
	for from = end; from > 0 && size < most; {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		n := min(block, from)
		buf := make([]byte, n, n+int64(len(head)))
		if read, err := f.ReadAt(buf, from-n); err != nil && (err != io.EOF || int64(read) < n) {
			if err == io.EOF {
				return nil, 0, nil // somebody emptied the file meanwhile
			}
			return nil, 0, err
		}
		from -= n
		buf = append(buf, head...)
		first := 0
		if from > 0 { // the first line may begin before
			first = bytes.IndexByte(buf, '\n') + 1
			if first == 0 && len(buf) < maxHeld+block {
				head = buf
				continue
			}
		}
		head = buf[:first:first]
		for last := len(buf); last > first; {
			start := first
			if i := bytes.LastIndexByte(buf[first:last-1], '\n'); i >= 0 {
				start = first + i + 1
			}
			if line := buf[start:last]; shows(line) {
				pieces = append(pieces, line)
				size += int64(len(line))
			}
			last = start
			if size >= most {
				slices.Reverse(pieces)
				return bytes.Join(pieces, nil), from + int64(start), nil
			}
		}
	}
	slices.Reverse(pieces)
	return bytes.Join(pieces, nil), from, nil
}
