package control

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"blendtray/api"
)

// These limits bound what a spool keeps for a client that reads slowly: first text in memory,
// then text in a file, then nothing more.
const (
	spoolMemory = 1 << 20
	spoolDisk   = 1 << 30
	// spoolText is how long the joined text of several output events may get.
	spoolText = 128 << 10
	// spoolProgress is how many events may wait before the spool leaves out progress events.
	spoolProgress = 256
)

// spool holds the events of a run between the engine, which waits for nobody, and a slow client,
// such as a pager or a slow disk. Blender prints 200 MB a second; text that a person asked to
// see must not be lost because of that.
type spool struct {
	dir          string
	memory, disk int64 // the limits

	mu       sync.Mutex
	items    []spooled
	inMemory int64
	file     *os.File
	end      int64 // where the next text is written in file
	inFile   int64
	dropped  int64
	closed   bool
	failed   error         // why nothing more is written to file
	wake     chan struct{} // gets a signal when an event waits
}

// spooled is an event. If n is not 0, its text is in the file.
type spooled struct {
	api.Event
	at, n int64
}

func newSpool(dir string) *spool {
	return &spool{dir: dir, memory: spoolMemory, disk: spoolDisk, wake: make(chan struct{}, 1)}
}

// put adds an event. It waits for nobody, but may write to disk.
func (s *spool) put(ev api.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	size := int64(len(ev.Text))
	switch {
	case ev.Kind == api.KindProgress && len(s.items) > spoolProgress:
		return // the next progress event says the same, and more
	case ev.Kind != api.KindOutput || s.inMemory+size <= s.memory:
		if last := s.last(); last != nil && joins(last, &ev) && last.n == 0 {
			last.Text += ev.Text
		} else {
			s.add(spooled{Event: ev})
		}
		s.inMemory += size
	case s.write(ev.Text):
		ev.Text = ""
		if last := s.last(); last != nil && joins(last, &ev) && last.n > 0 && last.at+last.n == s.end-size {
			last.n += size
		} else {
			s.add(spooled{Event: ev, at: s.end - size, n: size})
		}
	default:
		s.dropped += size + ev.Dropped
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *spool) last() *spooled {
	if len(s.items) == 0 {
		return nil
	}
	return &s.items[len(s.items)-1]
}

// joins reports whether ev can be joined to the last event.
func joins(last *spooled, ev *api.Event) bool {
	return last.Kind == api.KindOutput && ev.Kind == api.KindOutput && last.ID == ev.ID && ev.Dropped == 0 &&
		int64(len(last.Text)+len(ev.Text))+last.n <= spoolText
}

func (s *spool) add(it spooled) {
	it.Dropped, s.dropped = it.Dropped+s.dropped, 0
	s.items = append(s.items, it)
}

// write appends text to the file and reports whether it did: a full or broken file takes no
// text.
func (s *spool) write(text string) bool {
	if s.failed != nil || s.inFile+int64(len(text)) > s.disk {
		return false
	}
	if s.file == nil {
		if s.file, s.failed = tempFile(s.dir); s.failed != nil {
			return false
		}
	}
	if s.inFile == 0 {
		s.end = 0 // all text was read
	}
	if _, s.failed = s.file.WriteAt([]byte(text), s.end); s.failed != nil {
		return false
	}
	s.end += int64(len(text))
	s.inFile += int64(len(text))
	return true
}

// next returns the next event. ok is false when no event waits; then ended is true if none will
// come. next fails when the file can't be read.
func (s *spool) next() (ev api.Event, ok, ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) == 0 {
		s.items = nil
		return api.Event{}, false, s.closed, nil
	}
	it := s.items[0]
	s.items[0] = spooled{}
	s.items = s.items[1:]
	if it.n == 0 {
		if it.Kind == api.KindOutput {
			s.inMemory -= int64(len(it.Text))
		}
		return it.Event, true, false, nil
	}
	buf := make([]byte, it.n)
	if _, err := s.file.ReadAt(buf, it.at); err != nil {
		return api.Event{}, false, false, fmt.Errorf("read output that waited on disk: %w", err)
	}
	s.inFile -= it.n
	it.Text = string(buf)
	return it.Event, true, false, nil
}

// close records that no more events will be put.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// remove releases the file; the spool can't be used after that.
func (s *spool) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.items = true, nil
	if s.file != nil {
		// Nothing in the file is needed. On unix its name is gone already.
		s.file.Close()
		os.Remove(s.file.Name())
		s.file, s.failed = nil, errors.New("the spool is gone")
	}
}
