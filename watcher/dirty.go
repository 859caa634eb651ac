package watcher

import (
	"container/heap"
	"path/filepath"
	"time"
)

// mark is what is known about a path that may have changed. Marks only say where to look.
type mark int

const (
	// Marks made by the system's events: the file was saved while it was watched.
	created mark = iota // its name appeared; whoever made it is probably about to write
	changed             // bytes were written; more may follow
	closed              // a writer closed it, or it was moved into place
	// Marks made by looking. They say nothing new of a path that is marked already.
	found    // by a full scan
	arrived  // in a folder that came while its parent was watched
	polled   // by polling
	doubtful // by polling: looks the same, but too young to be sure
)

// How long after an event the first look is taken where the event does not say that the
// writer is done. They bound latency for rare writers only: a close comes first for all
// ordinary ones.
const (
	createdGrace = 10 * time.Millisecond  // link, symlink: no close follows
	changedGrace = 500 * time.Millisecond // truncate(2), or a writer that keeps it open
)

// entry is a path that was marked and is not dealt with yet; guarded by Watcher.mu.
type entry struct {
	path   string
	folder *folder
	order  uint64    // of its first mark, so that equal times go first come, first served
	due    time.Time // when to look; zero while it is being looked at and not marked again
	at     int       // place in the queue, -1 when it isn't there

	marks    uint64    // counts marks, so that one that came during a look is not lost
	seen     time.Time // when the last event came
	closedAt time.Time
	scan     bool // a full scan found it, and no event since says that it is being saved
	verify   bool // deliver it only if its bytes are not those of the last look

	// What looks have taught about its writer.
	busySince time.Time
	last      *look
	changedAt time.Time     // when a look last differed from the one before
	gap       time.Duration // the longest the writer was seen to pause
	tries     int           // looks that failed
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

// mark notes that path, a script of f, is to be looked at; mu is held.
func (w *Watcher) mark(f *folder, path string, m mark, at time.Time) {
	e := w.dirty[path]
	isNew := e == nil
	if isNew {
		w.marked++
		e = &entry{path: path, folder: f, order: w.marked, at: -1, seen: at}
		w.dirty[path] = e
		if d := w.dirs[filepath.Dir(path)]; d != nil {
			// A change right after a save was delivered: that writer pauses longer than it
			// was waited for.
			if l, ok := d.seen[filepath.Base(path)]; ok && at.Sub(l.at) < 8*l.waited {
				e.gap = at.Sub(l.at)
			}
		}
	}
	switch m {
	case found, arrived, polled, doubtful:
		if !isNew {
			if e == w.looking {
				e.marks++ // that look may have found its folder gone
			}
			return
		}
		e.verify = m == found || m == doubtful
		if m == found {
			e.scan = true
			f.pending++
		}
		e.due = at
	default:
		w.saved(e, m, at, isNew)
	}
	w.schedule(e)
	poke(w.work)
}

// saved notes an event; mu is held.
func (w *Watcher) saved(e *entry, m mark, at time.Time, isNew bool) {
	w.unscan(e)
	e.verify = false
	e.marks++
	if !isNew {
		e.gap = max(e.gap, min(at.Sub(e.seen), maxWait))
	}
	e.seen = at
	due := at
	switch {
	case m == closed:
		e.closedAt = at
	case !w.exact:
		// Every event puts the look off: only quiet says that the writer may be done.
		e.due = at.Add(quiet)
		return
	case m == created:
		due = at.Add(createdGrace)
	case m == changed:
		due = at.Add(changedGrace)
	}
	if e.due.IsZero() || due.Before(e.due) {
		e.due = due
	}
}

// schedule puts e where its due time belongs; mu is held. An entry that is being looked at
// is put back when that is over.
func (w *Watcher) schedule(e *entry) {
	switch {
	case e == w.looking:
	case e.at < 0:
		heap.Push(&w.queue, e)
	default:
		heap.Fix(&w.queue, e.at)
	}
}

// unscan takes e out of what its folder's full scan waits for; mu is held.
func (w *Watcher) unscan(e *entry) {
	if !e.scan {
		return
	}
	e.scan = false
	e.folder.pending--
	w.announce(e.folder)
}

// announce has Scanned called when all that f's full scan found is dealt with; mu is held.
func (w *Watcher) announce(f *folder) {
	if f.announce && !f.scanning && f.pending == 0 && !f.removed {
		f.announce = false
		w.scanned = append(w.scanned, f.Path)
		poke(w.work)
	}
}

// forget drops the entries for which drop says so; mu is held.
func (w *Watcher) forget(drop func(*entry) bool) {
	for path, e := range w.dirty {
		if !drop(e) {
			continue
		}
		w.unscan(e)
		delete(w.dirty, path)
		if e.at >= 0 {
			heap.Remove(&w.queue, e.at)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}
