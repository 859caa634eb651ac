package watcher

import (
	"path/filepath"
	"time"
)

const (
	// goneFor is how long no file must have had a name for the next file of the name to be another
	// script: editors remove a file and make it again when they save.
	goneFor = 2 * time.Second
	// movedWithin is how long after a name disappeared the same file may appear under another name
	// and count as renamed.
	movedWithin = 10 * time.Second
	// rememberGone is how long the watcher knows what disappeared, so that a large folder can be
	// looked through meanwhile.
	rememberGone = time.Minute
)

// gone is a script whose name disappeared.
type gone struct {
	path   string
	folder *folder
	snap   snapshot
	at     time.Time
	tree   bool // it disappeared with its folder
}

// noteGoneLocked notes that a script's name disappeared; s is what is known of the script. It needs
// mu.
func (w *Watcher) noteGoneLocked(f *folder, path string, s snapshot, tree bool) {
	now := time.Now()
	w.left[path] = now
	w.clearTroubleLocked(notRead, path)
	if !tree {
		delete(w.early, path)
	}
	if s.id != (fileID{}) && !s.unread && s.size > 0 {
		w.gone[s.id] = gone{path, f, s, now, tree}
	}
}

// forgetGone removes what is too old to matter of what disappeared.
func (w *Watcher) forgetGone() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Sub(w.forgot) < goneFor {
		return
	}
	w.forgot = now
	for path, at := range w.left {
		if now.Sub(at) > goneFor {
			delete(w.left, path)
		}
	}
	for id, g := range w.gone {
		if now.Sub(g.at) > rememberGone {
			delete(w.gone, id)
		}
	}
}

// absentLocked reports whether there was no file at path for goneFor before at, when it was marked
// with m. It needs mu.
func (w *Watcher) absentLocked(path string, m mark, at time.Time) bool {
	d := w.dirs[filepath.Dir(path)]
	if d == nil {
		return false
	}
	if s, ok := d.seen[filepath.Base(path)]; ok {
		// It is a place that was made for the script, or the script could not be read until now.
		return (s.size == 0 || s.unread) && s.absent
	}
	left, was := w.left[path]
	return (d.listed || d.fresh || m == arrived) && !(was && at.Sub(left) < goneFor)
}

// movedFromLocked returns the path under which the file of e was known until it was renamed, or "".
// A single file counts as renamed only if it was left alone for a while: some programs write a
// file under one name and rename it to the name that is meant. It needs mu.
func (w *Watcher) movedFromLocked(e *entry, s snapshot) string {
	if e.from != "" && e.moved.sameWrite(s) && e.moved.hash == s.hash {
		return e.from
	}
	g, ok := w.gone[s.id]
	if !ok || s.id == (fileID{}) || g.path == e.path || g.folder != e.folder || e.seen.Sub(g.at) > movedWithin ||
		g.snap.hash != s.hash || !g.snap.mtime.Equal(s.mtime) || g.snap.born != 0 && g.snap.born != s.born ||
		!g.tree && g.at.Sub(g.snap.at) < goneFor {
		return ""
	}
	return g.path
}

// isFile reports whether the file of s is that of a stamp, with the same bytes.
func (s snapshot) isFile(st Stamp) bool {
	return s.hasIdentity() && st.Inode == s.id.ino && st.Born == s.born &&
		(st.ModTime.IsZero() || st.ModTime.Equal(s.mtime)) && st.Hash == s.stamp().Hash
}

// hasIdentity reports whether the system tells the file of s from other files of its name.
func (s snapshot) hasIdentity() bool { return s.id.ino != 0 || s.born != 0 }
