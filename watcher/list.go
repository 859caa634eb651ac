package watcher

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blendtray/api"
)

// list marks the scripts in one folder that the look asks for. It returns the folders in it that
// f's scan is to go into, and with which look; when polling, only those that are new.
func (w *Watcher) list(ctx context.Context, f *folder, d *dir, path string, l look) (subs []string, with look) {
	h, err := openDir(path)
	if err != nil {
		w.mu.Lock()
		d.unlistedLocked(l.mode)
		w.mu.Unlock()
		w.cannotList(path, err)
		return nil, l
	}
	defer h.Close() // read only
	w.mu.Lock()
	unread := !d.listed && (d.unread || l.mode == scanPoll) // it could not be read until now
	anew := l.mode == scanPoll && (!d.listed || d.replaced) || l.mode == scanFull && unread
	switch {
	case anew && d.arrived:
		l, anew = look{mode: scanArrived}, false
	case anew:
		l = look{mode: scanFull, since: d.checked, anew: true, written: unread}
	}
	d.replaced, d.arrived, d.unread = false, false, false
	w.mu.Unlock()
	if anew {
		l.first = !w.anyKnown(ctx, f, path)
	}
	names := map[string]bool{} // whether what has the name is a script of f
	for ctx.Err() == nil {
		entries, err := h.ReadDir(512)
		for _, e := range entries {
			name := e.Name()
			full := join(path, name)
			names[name] = false
			switch t := e.Type(); {
			case t.IsDir():
				if w.goesInto(f, full, l.mode) {
					subs = append(subs, full)
				}
			case t.IsRegular() || t&fs.ModeSymlink != 0:
				names[name] = w.counts(f, d, full)
			}
		}
		if errors.Is(err, io.EOF) {
			w.prune(f, d, path, names, l.mode) // first, so that a renamed script is known to be gone
			break
		}
		if err != nil {
			w.cannotList(path, err)
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] && ctx.Err() == nil {
			w.consider(d, join(path, name), name, l)
		}
	}
	slices.Sort(subs)
	if l.mode == scanPoll {
		l.mode = scanArrived
	}
	l.anew = false // first says what came of it
	return subs, l
}

// unlistedLocked notes that d could not be listed, so that the next look is like this one. It needs mu.
func (d *dir) unlistedLocked(mode scanMode) {
	d.arrived = d.arrived || mode == scanArrived
	d.unread = true
}

// goesInto reports whether f's scan goes into a folder.
func (w *Watcher) goesInto(f *folder, path string, mode scanMode) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.removed || !f.enters(path) {
		return false
	}
	if mode == scanPoll && w.dirs[path] != nil {
		return false
	}
	inner := w.ownerLocked(path)
	return inner == f || inner == nil || !inner.Recursive
}

// counts reports whether a file in d is a script of f.
func (w *Watcher) counts(f *folder, d *dir, path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return d.folder == f && !f.removed && f.script(path)
}

// consider marks a script that differs, or may differ, from what is known of it.
func (w *Watcher) consider(d *dir, path, name string, l look) {
	fi, linked, err := statScript(path)
	w.noteLink(path, linked)
	now := time.Now()
	if errors.Is(err, fs.ErrPermission) {
		w.noteBarred(path, err, l.mode == scanFull && l.since.IsZero(), false)
		return
	}
	if err != nil || !fi.Mode().IsRegular() {
		w.forgetBarred(path)
		return // it is gone, or a link to something that is no script
	}
	s := snapshotOf(fi, now)
	w.mu.Lock()
	if d.slow {
		s.id = fileID{}
	}
	w.unbarLocked(d, name, s)
	w.mu.Unlock()
	var stamp Stamp
	known := false
	if l.mode == scanFull && w.cfg.Known != nil {
		stamp, known = w.cfg.Known(path)
		known = known && s.fits(stamp)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, seen := d.seen[name]
	if early, was := w.early[path]; was && !seen { // its folder was not watched for a while
		before, seen = early, true
		d.seen[name] = early
	}
	if seen && before.unread && before.sameWrite(s) && !known {
		if l.mode == scanFull || !before.sameFile(s) {
			w.markUnreadLocked(path, now)
		}
		return
	}
	same := seen && before.sameFile(s)
	m := found
	switch l.mode {
	case scanFull:
		if known {
			if !seen || before.unread {
				w.rememberLocked(path, s.believed(stamp))
			}
			return
		}
		if (w.cfg.Known == nil || !l.since.IsZero()) && same && before.trusted() {
			return
		}
		saved := s.savedAt()
		if l.written {
			saved = s.mtime
		}
		w.finds = append(w.finds, find{
			d: d, path: path, at: s.mtime, late: !l.since.IsZero() && !saved.Before(l.since.Add(-clockStep)), first: l.first,
		})
		return
	case scanArrived:
		if same {
			return
		}
		m = arrived
	case scanPoll:
		m = polled
		if same {
			if before.trusted() {
				return
			}
			m = doubtful
		}
		if !same && seen && before.sameWrite(s) {
			m = doubtful // perhaps only its owner or its rights have changed
		}
		if d.slow && seen && before.size == s.size {
			m = doubtful // a file server may give a file another time some seconds after its close
		}
	}
	w.markLocked(d.folder, path, m, now)
}

// noteBarred notes that nothing can be known of a script because a folder on the way to it refuses
// access. scan and absent are kept for when the folder does not any more.
func (w *Watcher) noteBarred(path string, err error, scan, absent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.dirs[filepath.Dir(path)]
	if d == nil {
		return
	}
	if _, seen := d.seen[filepath.Base(path)]; !seen {
		now := time.Now()
		d.seen[filepath.Base(path)] = snapshot{at: now, since: now, unread: true, barred: true, scan: scan, absent: absent}
	}
	if text := api.NameInLine(path) + " cannot be read, so it does not run: " + reason(err); w.noteTroubleLocked(notRead, path, text) {
		w.log.Warn("a script does not run", "error", text)
	}
}

// forgetBarred forgets a script that was barred, and is none.
func (w *Watcher) forgetBarred(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.recallLocked(path); ok && s.barred {
		w.forgetSeenLocked(path)
	}
}

// unbarLocked makes of a script in d that was barred, and of which s is the first snapshot, a script
// that could not be read. It was saved when it was written since it was met. It needs mu.
func (w *Watcher) unbarLocked(d *dir, name string, s snapshot) {
	before, seen := d.seen[name]
	if !seen || !before.barred {
		return
	}
	s.unread, s.absent = true, before.absent
	s.scan = before.scan && s.mtime.Before(before.since.Add(-clockStep))
	s.ctime-- // so that it is examined, whatever the look
	d.seen[name] = s
}

// find is a script that a full look has found and that differs, or may differ, from what is known
// of it.
type find struct {
	d     *dir
	path  string
	at    time.Time // when it was saved
	late  bool
	first bool
}

// markFinds marks what full looks have found, in the order in which it was saved.
func (w *Watcher) markFinds() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.finds, func(a, b find) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.path, b.path)) })
	now := time.Now()
	for _, f := range w.finds {
		if w.dirs[filepath.Dir(f.path)] != f.d || f.d.folder.removed || w.dirty[f.path] != nil && w.dirty[f.path] != w.examining {
			continue
		}
		before := w.dirty[f.path]
		w.markLocked(f.d.folder, f.path, found, now)
		if e := w.dirty[f.path]; e != before { // else it is being examined, and it is known how it was found
			e.late, e.first = f.late, f.first
			e.absent = f.late && w.absentLocked(f.path, arrived, now)
		}
	}
	w.finds = nil
}

// believed returns s, the snapshot of a file that was not read, with the hash of a stamp that is
// to be trusted.
func (s snapshot) believed(stamp Stamp) snapshot {
	if b, err := hex.DecodeString(stamp.Hash); err == nil {
		copy(s.hash[:], b)
	}
	s.born, s.young = stamp.Born, false
	s.since = s.at.Add(-youth)
	return s
}

// prune removes the snapshots of files that are gone, where no event does that. names are the names that were listed,
// and whether what has them is a script of f. A script that was not listed may be there all the same: ext4 leaves out
// some files of a folder that grows while it is listed.
func (w *Watcher) prune(f *folder, d *dir, path string, names map[string]bool, mode scanMode) {
	var left []string
	w.mu.Lock()
	if f.removed || d.folder != f { // folders were set meanwhile, so scripts were left out that are there
		d.unlistedLocked(mode)
		w.mu.Unlock()
		return
	}
	d.listed = true
	w.clearTroubleLocked(notListed, path)
	if mode != scanArrived && (mode != scanPoll || !d.watched) {
		for name := range d.seen {
			if is, listed := names[name]; !listed {
				left = append(left, name)
			} else if !is {
				w.forgetSeenLocked(join(path, name))
			}
		}
	}
	w.mu.Unlock()
	for _, name := range left {
		if _, err := os.Lstat(join(path, name)); !isGone(err) {
			continue
		}
		w.mu.Lock()
		if w.dirs[path] == d {
			w.forgetSeenLocked(join(path, name))
		}
		w.mu.Unlock()
	}
}

// cannotList reports a folder that cannot be read, or stops watching a folder that is gone.
func (w *Watcher) cannotList(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if isGone(err) {
		w.unwatchTreeLocked(path)
		return
	}
	if w.dirs[path] != nil && w.noteTroubleLocked(notListed, path, api.NameInLine(path)+" cannot be read: "+reason(err)) {
		w.log.Warn("a folder cannot be read", "path", path, "error", err)
	}
}

// reason returns an error's text without the path, which the message has already.
func reason(err error) string {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// anyKnown reports whether f's owner knows a script in top or in the folders below it.
func (w *Watcher) anyKnown(ctx context.Context, f *folder, top string) bool {
	if w.cfg.Known == nil {
		return false
	}
	todo := []string{top}
	for len(todo) > 0 && ctx.Err() == nil {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // the scan reports it
		}
		for _, e := range entries {
			full := join(dir, e.Name())
			if e.IsDir() {
				if f.enters(full) {
					todo = append(todo, full)
				}
			} else if f.script(full) {
				if _, ok := w.cfg.Known(full); ok {
					return true
				}
			}
		}
	}
	return false
}
