package watcher

import (
	"container/heap"
	"path/filepath"
	"time"
)

// mark says why a path may have changed. Marks only say where to look.
type mark int

const (
	// Marks made by the system's events: the file was saved while it was watched.
	created mark = iota // the file's name appeared; its writer is probably about to write
	changed             // bytes were written; more may follow
	closed              // a writer closed the file, or the file was moved into place
	// Marks made by scans. They say nothing new about a path that is marked already.
	found    // a full look found the file
	arrived  // the file is in a folder that appeared while its parent was watched
	polled   // polling found the file changed
	doubtful // polling found the file unchanged, but too young to be sure
)

// These are the times from an event to the first examination, where the event does not say that
// the writer is done. They delay rare writers only: all ordinary writers close the file before.
const (
	createdGrace = 10 * time.Millisecond  // link, symlink: no close follows
	changedGrace = 500 * time.Millisecond // truncate(2), or a writer that keeps it open
)

// entry is a path that was marked and is not dealt with yet. Its fields are guarded by Watcher.mu.
type entry struct {
	path   string
	folder *folder
	order  uint64    // number of its first mark, so that equal times are first come, first served
	due    time.Time // when to examine it; zero while it is being examined and not marked again
	at     int       // place in the queue, or -1 when it is not queued

	marks    uint64    // number of marks, so that a mark made during an examination is not lost
	saved    uint64    // which mark was the last that came from an event of a save
	seen     time.Time // when the last event came
	closedAt time.Time // when a writer last closed the file
	scan     bool      // a full look found the file, and no event since says that it is being saved
	late     bool      // a full look found the file, which was saved after the watch or the wait for it began
	absent   bool      // there was no file before
	first    bool      // the look that found the file was the first look at what lies there
	from     string    // the path from which the file was renamed, when its save was not taken
	moved    snapshot  // the file that was renamed
	verify   bool      // hand the file on only if its bytes differ from the last snapshot

	// What examinations have found out about the writer.
	open      bool          // bytes were written, and no close was told since
	busySince time.Time     // when the file was first found being written
	reported  bool          // the status says that the file waits for its writer
	holder    program       // which program that is
	last      *snapshot     // the newest snapshot that differed from the one before
	changedAt time.Time     // when last was taken
	grown     bool          // last has more bytes than the snapshot before
	gap       time.Duration // the longest pause that the writer was seen to make
	tries     int           // how often reading failed
}

// queue is a heap of entries by due time.
type queue []*entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.at = -1
	return e
}

// markLocked notes that path, a script of f, is to be examined. It needs mu.
func (w *Watcher) markLocked(f *folder, path string, m mark, at time.Time) {
	e := w.dirty[path]
	isNew := e == nil
	if isNew {
		w.marked++
		e = &entry{path: path, folder: f, order: w.marked, at: -1, seen: at, absent: w.absentLocked(path, m, at)}
		w.dirty[path] = e
		if d := w.dirs[filepath.Dir(path)]; d != nil {
			// A change right after a save was handed on: the writer pauses for longer than
			// the watcher waited.
			if s, ok := d.seen[filepath.Base(path)]; ok && at.Sub(s.at) < 8*s.waited {
				e.gap = at.Sub(s.at)
			}
		}
	}
	switch m {
	case found, arrived, polled, doubtful:
		if !isNew {
			if e == w.examining {
				e.marks++ // the examination may have found the folder gone
			}
			return
		}
		e.verify = m == found || m == doubtful
		if m == found {
			w.findLocked(e)
		}
		e.due = at
	default:
		w.markSavedLocked(e, m, at, isNew)
	}
	w.scheduleLocked(e)
	poke(w.work)
}

// markSavedLocked notes an event of e, and when to examine e. It needs mu.
func (w *Watcher) markSavedLocked(e *entry, m mark, at time.Time, isNew bool) {
	w.unscanLocked(e)
	e.verify = false
	e.marks++
	e.saved = e.marks
	if !isNew {
		e.gap = max(e.gap, min(at.Sub(e.seen), maxWait))
	}
	e.seen = at
	due := at
	switch {
	case m == closed:
		e.closedAt, e.open = at, false
	case !w.exact:
		// Every event puts the examination off: only quiet says that the writer may be done.
		e.due = at.Add(quiet)
		return
	case m == created:
		e.open = false
		due = at.Add(createdGrace)
	case m == changed:
		e.open = true
		due = at.Add(changedGrace)
	}
	if e.due.IsZero() || due.Before(e.due) {
		e.due = due
	}
}

// scheduleLocked puts e where its due time belongs in the queue. An entry that is being examined
// is put back when the examination is over. It needs mu.
func (w *Watcher) scheduleLocked(e *entry) {
	switch {
	case e == w.examining:
	case e.at < 0:
		heap.Push(&w.queue, e)
	default:
		heap.Fix(&w.queue, e.at)
	}
}

// findLocked adds e to the entries that its folder's full scan waits for. It needs mu.
func (w *Watcher) findLocked(e *entry) {
	if !e.scan {
		e.scan = true
		e.folder.pending++
	}
}

// unscanLocked removes e from the entries that its folder's full scan waits for. It needs mu.
func (w *Watcher) unscanLocked(e *entry) {
	if !e.scan {
		return
	}
	e.scan = false
	e.folder.pending--
	w.announceLocked(e.folder)
}

// announceLocked has the deliverer call Scanned if everything that f's full scan found is dealt
// with. It needs mu.
func (w *Watcher) announceLocked(f *folder) {
	if f.announce && !f.scanning && f.pending == 0 && !f.removed {
		f.announce = false
		w.scanned = append(w.scanned, f.Path)
		poke(w.work)
	}
}

// forgetLocked removes the entries for which drop returns true. It needs mu.
func (w *Watcher) forgetLocked(drop func(*entry) bool) {
	for _, e := range w.dirty {
		if !drop(e) {
			continue
		}
		w.unscanLocked(e)
		w.removeLocked(e)
		if e.at >= 0 {
			heap.Remove(&w.queue, e.at)
		}
	}
}

// removeLocked removes an entry that was dealt with. It needs mu.
func (w *Watcher) removeLocked(e *entry) {
	delete(w.dirty, e.path)
	if e.reported {
		poke(w.wake) // for the status
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // the receiver is going to wake already
	}
}
