package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Tail shows the end of a file and everything that is added to the file.
type Tail struct {
	Path string
	// Write is given the text, in pieces that may end within a line.
	Write func(text string)

	file *os.File
	at   int64
}

// Close closes the file.
func (t *Tail) Close() {
	if t.file != nil {
		t.file.Close() // the file was only read
		t.file = nil
	}
}

// Begin opens the file and shows its last n lines. It fails with [fs.ErrNotExist] when there is no file
// yet; [Tail.Follow] then waits for the file.
func (t *Tail) Begin(n int) error {
	f, err := openLog(t.Path)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	t.file = f
	if t.at, err = lastLines(f, n); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	return t.drain()
}

// lastLines returns the offset where the last n lines of a file begin. An unfinished last line
// counts as a line.
func lastLines(f io.ReadSeeker, n int) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return end, err
	}
	buf := make([]byte, 64<<10)
	seen := 0
	for pos := end; pos > 0; {
		size := min(int64(len(buf)), pos)
		pos -= size
		if _, err := f.Seek(pos, io.SeekStart); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(f, buf[:size]); err != nil {
			return 0, err
		}
		for i := size - 1; i >= 0; i-- {
			if buf[i] != '\n' || pos+i == end-1 {
				continue // the line feed at the very end begins no line
			}
			if seen++; seen == n {
				return pos + i + 1, nil
			}
		}
	}
	return 0, nil
}

// drain shows everything between the last shown byte and the end of the file.
func (t *Tail) drain() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := t.file.ReadAt(buf, t.at)
		t.at += int64(n)
		if n > 0 {
			t.Write(string(buf[:n]))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the log: %w", err)
		}
	}
}

// lookTime is how often a followed log is looked at. File events of the system would not say
// more, and do not come on every file system.
const lookTime = 200 * time.Millisecond

// Follow shows what is added until ctx ends. When a log is full, it is moved aside and a new log
// begins; Follow shows the last lines of the old log before the new log. It fails when the log can't be
// read.
func (t *Tail) Follow(ctx context.Context) error {
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	for {
		if err := t.poll(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (t *Tail) poll() error {
	now, err := os.Stat(t.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the log: %w", err)
	}
	if t.file != nil {
		if err := t.drain(); err != nil {
			return err
		}
		if now == nil {
			return nil // between the old log and the new log
		}
		was, err := t.file.Stat()
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if os.SameFile(was, now) {
			if now.Size() < t.at {
				t.at = 0 // somebody emptied the file
			}
			return nil
		}
		// drain is called again: the old log may have got its last lines between the first call
		// and the new log.
		if err := t.drain(); err != nil {
			return err
		}
		t.Close()
	}
	if now == nil {
		return nil
	}
	f, err := openLog(t.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	t.file, t.at = f, 0
	return t.drain()
}
