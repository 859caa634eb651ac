package watcher

import (
	"os"
	"path/filepath"
	"time"
)

// noteHint notes a hint of the source. It only marks, because the source's reader must not wait.
func (w *Watcher) noteHint(h hint, path string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch h {
	case hintCreated, hintChanged, hintClosed:
		w.markFileLocked(h, path, at)
	case hintRights:
		w.markUnreadLocked(path, at)
	case hintFolder:
		w.queueFolderLocked(path)
	case hintFolderOff:
		w.unwatchTreeLocked(path)
	case hintGone:
		w.forgetSeenLocked(path)
		if f := w.ownerLocked(filepath.Dir(path)); f != nil {
			delete(f.refused, path) // what comes next under this name is something else
		}
		if e := w.dirty[path]; e != nil {
			e.open = false // the next file of this name is another
			if e == w.examining {
				e.marks++ // the examination may still note what was wrong with the file
			}
		}
		if _, is := w.dirs[path]; is {
			w.unwatchTreeLocked(path)
		}
	case hintSelf:
		w.lookAnewLocked(path) // another folder may have its path now
	case hintLost:
		w.log.Info("the system lost events; all folders are scanned")
		w.rescan = true
		for _, f := range w.folders {
			if !f.next.anew {
				f.next = look{since: f.began} // it was watched, so what was saved meanwhile is a save
			}
		}
		w.forgetOpenLocked()
		poke(w.wake)
	case hintBroken:
		w.broken = true
		w.forgetOpenLocked()
		poke(w.wake)
	}
}

// forgetOpenLocked notes that the closes of the files that are open may never be told. It needs
// mu.
func (w *Watcher) forgetOpenLocked() {
	for _, e := range w.dirty {
		e.open = false
	}
}

// markFileLocked marks a file for a hint, if it is a script of a watched folder. It needs mu.
func (w *Watcher) markFileLocked(h hint, path string, at time.Time) {
	if h == hintCreated && !w.exact {
		w.queueFolderLocked(path) // it may be a folder
	}
	f := w.ownerLocked(filepath.Dir(path))
	if f == nil || !f.script(path) {
		return
	}
	m := changed
	switch h {
	case hintCreated:
		m = created
	case hintClosed:
		m = closed
	}
	w.markLocked(f, path, m, at)
}

// markUnreadLocked marks a script that could not be read or was refused, and perhaps can be read and
// run now. It needs mu.
func (w *Watcher) markUnreadLocked(path string, at time.Time) {
	f := w.ownerLocked(filepath.Dir(path))
	s, ok := w.recallLocked(path)
	e := w.dirty[path]
	if e != nil && e == w.examining {
		e.marks++ // the examination may have come too early; its entry is examined again
	}
	if f == nil || !ok || !s.unread || e != nil {
		return
	}
	if !s.scan {
		w.markLocked(f, path, arrived, at)
		return
	}
	w.markLocked(f, path, found, at)
	w.dirty[path].first = true // it was there at the first look, and is read for the first time
}

// queueFolderLocked has the walker scan path, which may be a new folder. It needs mu.
func (w *Watcher) queueFolderLocked(path string) {
	f := w.ownerLocked(path)
	switch {
	case w.isRootLocked(path):
		w.roots = true
	case f == nil || !f.enters(path):
		return
	default:
		w.arrivals[path] = look{mode: scanArrived}
	}
	poke(w.wake)
}

// lookAnewLocked has the walker enter and look through a folder whose watch has ended, or that may
// be another folder than before, whatever its identity says: file systems give the identity of a
// removed folder to the next folder that is made. It needs mu.
func (w *Watcher) lookAnewLocked(path string) {
	d := w.dirs[path]
	if d == nil {
		w.queueFolderLocked(path)
		return
	}
	d.ended = true
	if w.isRootLocked(path) {
		w.roots = true
	} else if _, queued := w.arrivals[path]; !queued {
		w.arrivals[path] = look{mode: scanFull, since: d.checked, anew: true}
	}
	poke(w.wake)
}

// unwatchTreeLocked stops watching a folder that is gone and all folders in it. It needs mu.
func (w *Watcher) unwatchTreeLocked(path string) {
	d := w.dirs[path]
	if d == nil {
		return
	}
	if d.folders == 0 {
		w.unwatchLocked(path)
		return
	}
	for p := range w.dirs {
		if _, in := below(path, p); in {
			w.unwatchLocked(p)
		}
	}
}

// unwatchLocked stops watching one folder. It needs mu.
func (w *Watcher) unwatchLocked(path string) {
	d := w.dirs[path]
	if d == nil {
		return
	}
	if d.watched {
		d.folder.watched--
	} else {
		d.folder.unwatched--
	}
	d.folder.links -= len(d.linked)
	for name, s := range d.seen {
		w.noteGoneLocked(d.folder, join(path, name), s, true)
	}
	if w.src != nil {
		w.src.remove(path)
	}
	if up := w.dirs[filepath.Dir(path)]; up != nil && up != d {
		up.folders--
	}
	delete(w.dirs, path)
	if w.byID[d.id] == path {
		delete(w.byID, d.id)
	}
	if w.isRootLocked(path) {
		w.roots = true
		poke(w.wake)
	}
}

// isRootLocked reports whether path is the root of a watched folder. It needs mu.
func (w *Watcher) isRootLocked(path string) bool {
	for _, f := range w.folders {
		if f.Path == path {
			return true
		}
	}
	return false
}

// join is filepath.Join for clean parts.
func join(dir, name string) string {
	if os.IsPathSeparator(dir[len(dir)-1]) {
		return dir + name
	}
	return dir + string(filepath.Separator) + name
}
