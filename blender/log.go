package blender

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// logBacklog is how many bytes wait at most for a log that is slower than Blender prints.
	logBacklog = 4 << 20
	// logPatience is how long Blender is held up for its log when so many bytes wait. After that the
	// log loses text until it moves again, because a disk that hangs must not stop a run.
	logPatience = time.Second
)

// logWriter writes to a log from a goroutine of its own.
type logWriter struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
	dropped int64
	stuck   bool
	closed  bool
	more    chan struct{} // holds a signal when there is something to write or the log is closed
	room    chan struct{} // holds a signal when something was written
}

func newLogWriter(out io.Writer) *logWriter {
	return &logWriter{out: out, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// Write takes all of p and never fails.
func (l *logWriter) Write(p []byte) (int, error) {
	if l.out == io.Discard {
		return len(p), nil
	}
	var patience <-chan time.Time
	for {
		l.mu.Lock()
		if len(l.waiting) < logBacklog {
			l.waiting = append(l.waiting, p...)
			l.mu.Unlock()
			signal(l.more)
			return len(p), nil
		}
		if l.stuck {
			l.dropped += int64(len(p))
			l.mu.Unlock()
			return len(p), nil
		}
		l.mu.Unlock()
		if patience == nil {
			patience = time.After(logPatience)
		}
		select {
		case <-l.room:
		case <-patience:
			l.mu.Lock()
			l.stuck = true
			l.mu.Unlock()
		}
	}
}

// serve writes until close is called and everything is written.
func (l *logWriter) serve() {
	l.mu.Lock()
	l.closed = false
	l.mu.Unlock()
	var writing []byte
	for {
		l.mu.Lock()
		writing, l.waiting = l.waiting, writing[:0]
		dropped, closed := l.dropped, l.closed
		l.dropped, l.stuck = 0, false
		l.mu.Unlock()
		if dropped > 0 {
			writing = fmt.Appendf(writing, "\nblendtray: %d bytes are missing here: the log was too slow\n", dropped)
		}
		if len(writing) == 0 {
			if closed {
				return
			}
			if cap(writing) > 256<<10 {
				writing = nil // after a flood its memory is given back
			}
			<-l.more
			continue
		}
		signal(l.room)
		// A log that can't be written, on a full disk, say, is no reason to stop a run.
		_, _ = l.out.Write(writing)
	}
}

// close makes serve return when serve has written everything.
func (l *logWriter) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	signal(l.more)
}

// signal makes sure that one signal waits in c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a signal waits already
	}
}
