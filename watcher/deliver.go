package watcher

import (
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// deliver looks at marked paths when they are due and hands on those that have settled. It
// is the only one that calls Save and Scanned.
func (w *Watcher) deliver(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		e, scanned, wait := w.next()
		for _, path := range scanned {
			if w.cfg.Scanned != nil && ctx.Err() == nil {
				w.cfg.Scanned(path)
			}
		}
		if e != nil {
			w.finish(ctx, e, w.examine(e))
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-w.work:
		case <-timer.C:
		}
	}
}

// next gives the entry to look at now, or how long there is none.
func (w *Watcher) next() (e *entry, scanned []string, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	scanned, w.scanned = w.scanned, nil
	if w.paused || len(w.queue) == 0 {
		return nil, scanned, time.Hour
	}
	if wait = time.Until(w.queue[0].due); wait > 0 {
		return nil, scanned, wait
	}
	e = heap.Pop(&w.queue).(*entry)
	e.due = time.Time{}
	w.looking = e
	return e, scanned, 0
}

// finish does what a look came to, and calls Save for what has settled.
func (w *Watcher) finish(ctx context.Context, e *entry, v verdict) {
	w.mu.Lock()
	if w.dirty[e.path] != e { // its folder went meanwhile
		w.looking = nil
		w.mu.Unlock()
		return
	}
	if v.what == later {
		w.looking = nil
		if e.due.IsZero() || v.at.Before(e.due) {
			e.due = v.at
		}
		heap.Push(&w.queue, e)
		w.mu.Unlock()
		return
	}
	save := Save{Folder: e.folder.Path, Path: e.path, Code: v.code, Stamp: v.look.stamp(), Scan: e.scan, Seen: e.seen}
	wanted := v.what == settled && !w.paused
	var before look
	var known bool
	if v.what == settled {
		before, known = w.recall(e.path)
		if known && before.same(v.look) {
			v.look.since = before.since
		}
		// The same file with the same times and bytes is the same save: it was opened for
		// writing and closed (gio does that to the old file before it renames the new one),
		// or saved twice within one tick of the file system's clock.
		if known && before.same(v.look) {
			wanted = false
		}
		if e.verify && !e.scan {
			wanted = wanted && !(known && before.hash == v.look.hash)
		}
	}
	scan := e.scan
	w.mu.Unlock()

	if wanted && scan {
		wanted = w.news(save, before, known)
	}

	w.mu.Lock()
	w.looking = nil                    // only now: until here, who marks e leaves the queue to this function
	if v.what == settled && w.paused { // paused during the look: it waits
		e.due = time.Now()
		heap.Push(&w.queue, e)
		w.mu.Unlock()
		return
	}
	if v.what == settled {
		w.remember(e.path, v.look)
	}
	w.settleEntry(e, v.marks)
	w.mu.Unlock()
	if wanted && ctx.Err() == nil {
		w.cfg.Save(ctx, save)
	}
}

// settleEntry ends the life of an entry, or begins a new one when it was marked again since
// the look; mu is held.
func (w *Watcher) settleEntry(e *entry, answered uint64) {
	w.unscan(e)
	if w.dirty[e.path] != e {
		return
	}
	if e.marks == answered {
		delete(w.dirty, e.path)
		return
	}
	e.last, e.busySince, e.tries, e.gap = nil, time.Time{}, 0, 0
	if e.due.IsZero() {
		e.due = time.Now()
	}
	heap.Push(&w.queue, e)
}

// news tells whether what a scan found differs from what is known of it.
func (w *Watcher) news(s Save, before look, seen bool) bool {
	if w.cfg.Known == nil {
		return !seen || before.stamp().Hash != s.Stamp.Hash
	}
	st, ok := w.cfg.Known(s.Path)
	return !ok || st.Hash != s.Stamp.Hash
}

// place tells whether e's folder is watched still, and whether leases and the like mean
// nothing there; mu is held.
func (w *Watcher) place(e *entry) (watched, slow bool) {
	if e.folder.removed {
		return false, false
	}
	d := w.dirs[filepath.Dir(e.path)]
	return d != nil, d != nil && d.slow
}

// recall gives the last look at a path; mu is held.
func (w *Watcher) recall(path string) (look, bool) {
	if d := w.dirs[filepath.Dir(path)]; d != nil {
		l, ok := d.seen[filepath.Base(path)]
		return l, ok
	}
	return look{}, false
}

// remember keeps a look for as long as its folder is watched; mu is held.
func (w *Watcher) remember(path string, l look) {
	if d := w.dirs[filepath.Dir(path)]; d != nil {
		d.seen[filepath.Base(path)] = l
	}
}

// forgetSeen drops what was seen of a path; mu is held.
func (w *Watcher) forgetSeen(path string) {
	if d := w.dirs[filepath.Dir(path)]; d != nil {
		delete(d.seen, filepath.Base(path))
	}
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
