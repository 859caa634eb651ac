package watcher

import (
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// deliver examines marked paths when they are due and hands on those that have settled, until
// ctx ends. Nothing else calls Save and Scanned.
func (w *Watcher) deliver(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		e, scanned, wait := w.next()
		for _, s := range scanned {
			if s.moved != nil && w.cfg.Placed != nil && ctx.Err() == nil {
				w.cfg.Placed(s.folder, s.moved)
			}
			if w.cfg.Scanned != nil && ctx.Err() == nil {
				w.cfg.Scanned(s.folder)
			}
		}
		if e != nil {
			w.finish(ctx, e, w.examine(e))
		}
		if e != nil || len(scanned) > 0 {
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

// scan is a full scan that is complete.
type scan struct {
	folder string
	moved  Places // where the folder lies, if the owner is to be told of that; else nil
}

// scannedLocked returns the scans that are complete and of which nobody was told. It needs mu.
func (w *Watcher) scannedLocked() (all []scan) {
	for _, path := range w.scanned {
		s := scan{folder: path}
		for _, f := range w.folders {
			if f.Path == path && f.moved {
				s.moved, f.moved = maps.Clone(f.places), false
			}
		}
		all = append(all, s)
	}
	w.scanned = nil
	return all
}

// next returns the entry to examine now, or how long to wait for one, and the folders whose full
// scan is complete.
func (w *Watcher) next() (e *entry, scanned []scan, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	scanned = w.scannedLocked()
	w.delivering = len(scanned) > 0
	if w.paused || len(w.queue) == 0 {
		return nil, scanned, time.Hour
	}
	if wait = time.Until(w.queue[0].due); wait > 0 {
		return nil, scanned, wait
	}
	e = heap.Pop(&w.queue).(*entry)
	e.due = time.Time{}
	w.examining, w.delivering = e, true
	return e, scanned, 0
}

// finish acts on the verdict of examining e, and calls Save if the file has settled.
func (w *Watcher) finish(ctx context.Context, e *entry, v verdict) {
	w.mu.Lock()
	if w.dirty[e.path] != e { // its folder was removed meanwhile
		w.examining = nil
		w.mu.Unlock()
		return
	}
	if v.what == later {
		w.examining = nil
		if e.due.IsZero() || v.at.Before(e.due) {
			e.due = v.at
		}
		heap.Push(&w.queue, e)
		w.mu.Unlock()
		return
	}
	save := Save{Folder: e.folder.Path, Path: e.path, Code: v.code, Stamp: v.snap.stamp(), Scan: e.scan && !e.late, Seen: e.seen}
	save.First = save.Scan && e.first
	wanted := v.what == settled && !w.paused
	var before snapshot
	var known bool
	if v.what == settled {
		before, known = w.recallLocked(e.path)
		if known && before.same(v.snap) {
			v.snap.since = before.since
		}
		// The same file with the same times and bytes is the same save. Either it was opened for
		// writing and closed (gio does that to the old file before it renames the new one), or
		// it was saved twice within one tick of the file system's clock.
		if known && before.same(v.snap) {
			wanted = false
		}
		if e.verify && !e.scan {
			wanted = wanted && !(known && before.hash == v.snap.hash)
		}
		if wanted && (!known || before.size == 0) {
			save.From = w.movedFromLocked(e, v.snap)
		}
		if wanted && (!known || before.size == 0 || before.unread) {
			save.New = e.absent && v.snap.hasIdentity()
		}
	}
	scan := e.scan
	w.mu.Unlock()

	if wanted && !known && !scan && w.cfg.Known != nil {
		if st, ok := w.cfg.Known(e.path); ok && v.snap.isFile(st) {
			wanted = false // the file that was there before is back
		}
	}
	if wanted && scan {
		wanted = w.news(save, v.snap, before, known)
	}

	w.mu.Lock()
	w.examining = nil                  // only now: until here, markLocked leaves the queue to this function
	if v.what == settled && w.paused { // paused during the examination: the save waits
		e.due = time.Now()
		heap.Push(&w.queue, e)
		w.mu.Unlock()
		return
	}
	if v.what == settled {
		w.rememberLocked(e.path, v.snap)
	}
	w.settleEntryLocked(e, v.marks)
	w.mu.Unlock()
	if wanted && ctx.Err() == nil && !w.cfg.Save(ctx, save) && ctx.Err() == nil {
		w.refused(e, save, v.snap, before, known)
	}
}

// refused has a file examined again whose save the owner has not taken. The file counts as not
// seen since the snapshot before, if known, and its folder as not scanned to the end.
func (w *Watcher) refused(e *entry, s Save, now, before snapshot, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seen, ok := w.recallLocked(s.Path); ok && seen.same(now) {
		if d := w.dirs[filepath.Dir(s.Path)]; d != nil {
			delete(d.seen, filepath.Base(s.Path)) // the file is not gone
		}
		if known {
			w.rememberLocked(s.Path, before)
		}
	}
	if w.dirty[s.Path] != nil || e.folder.removed {
		return // it is examined again anyway, or not wanted any more
	}
	e.last, e.busySince, e.tries, e.gap = nil, time.Time{}, 0, 0
	e.due = time.Now().Add(refusedWait)
	e.from, e.moved = s.From, now
	w.dirty[s.Path] = e
	if s.Scan {
		e.scan = true
		e.folder.pending++
		if i := slices.Index(w.scanned, e.folder.Path); i >= 0 {
			w.scanned = slices.Delete(w.scanned, i, i+1)
			e.folder.announce = true
		}
	}
	heap.Push(&w.queue, e)
}

// settleEntryLocked removes an entry that was dealt with, or queues it again when it was marked
// since it was examined; answered is the number of marks then. It needs mu.
func (w *Watcher) settleEntryLocked(e *entry, answered uint64) {
	unread, _ := w.recallLocked(e.path)
	again := w.dirty[e.path] == e && e.marks != answered
	saved := e.saved > answered
	if again && !saved {
		e.verify = true // its rights may have changed
	}
	if again && !saved && unread.unread && unread.scan {
		w.findLocked(e)
		e.first, e.late = true, false
	} else {
		w.unscanLocked(e)
	}
	if w.dirty[e.path] != e {
		return
	}
	if !again {
		w.removeLocked(e)
		return
	}
	e.last, e.busySince, e.tries, e.gap, e.grown = nil, time.Time{}, 0, 0, false
	if e.reported {
		e.reported = false
		poke(w.wake) // for the status
	}
	if e.due.IsZero() {
		e.due = time.Now()
	}
	heap.Push(&w.queue, e)
}

// news reports whether a script that a full scan found, and of which now is the snapshot, differs
// from what is known of it, or is another file that was dropped under its name.
func (w *Watcher) news(s Save, now, before snapshot, seen bool) bool {
	if w.cfg.Known == nil {
		return !seen || before.stamp().Hash != s.Stamp.Hash
	}
	st, ok := w.cfg.Known(s.Path)
	return !ok || st.Hash != s.Stamp.Hash || s.New && !now.isFile(st)
}

// placeLocked reports whether e's folder is still watched, and whether it is slow: there leases
// and the like mean nothing. It needs mu.
func (w *Watcher) placeLocked(e *entry) (watched, slow bool) {
	if e.folder.removed {
		return false, false
	}
	d := w.dirs[filepath.Dir(e.path)]
	return d != nil, d != nil && d.slow
}

// recallLocked returns the last snapshot of a path, and false when there is none. It needs mu.
func (w *Watcher) recallLocked(path string) (snapshot, bool) {
	if d := w.dirs[filepath.Dir(path)]; d != nil {
		s, ok := d.seen[filepath.Base(path)]
		return s, ok
	}
	return snapshot{}, false
}

// rememberLocked keeps a snapshot of a path for as long as its folder is watched. It needs mu.
func (w *Watcher) rememberLocked(path string, s snapshot) {
	if d := w.dirs[filepath.Dir(path)]; d != nil {
		d.seen[filepath.Base(path)] = s
	}
	if !s.unread {
		w.clearTroubleLocked(notRead, path)
	}
	if s.unread && s.scan {
		w.early[path] = s
	} else {
		delete(w.early, path)
	}
}

// forgetSeenLocked removes the snapshot of a path. It needs mu.
func (w *Watcher) forgetSeenLocked(path string) {
	d := w.dirs[filepath.Dir(path)]
	if d == nil {
		return
	}
	if s, ok := d.seen[filepath.Base(path)]; ok {
		w.noteGoneLocked(d.folder, path, s, false)
		delete(d.seen, filepath.Base(path))
	}
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
