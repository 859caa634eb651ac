package watcher

import (
	"os"
	"path/filepath"
	"time"
)

// take notes a hint. It is called by the source, whose reader must not wait: it only marks.
func (w *Watcher) take(h hint, path string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch h {
	case hintCreated, hintChanged, hintClosed:
		w.takeFile(h, path, at)
	case hintFolder:
		w.takeFolder(path)
	case hintFolderOff:
		w.leaveTree(path)
	case hintGone:
		w.forgetSeen(path)
		if _, is := w.dirs[path]; is {
			w.leaveTree(path)
		}
	case hintSelf:
		w.takeFolder(path) // it may be another one now
	case hintLost:
		w.log.Info("the system lost events; all folders are scanned")
		w.rescan = true
		poke(w.wake)
	case hintBroken:
		w.broken = true
		poke(w.wake)
	}
}

func (w *Watcher) takeFile(h hint, path string, at time.Time) {
	if h == hintCreated && !w.exact {
		w.takeFolder(path) // it may be one
	}
	f := w.owner(filepath.Dir(path))
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
	w.mark(f, path, m, at)
}

// takeFolder has the walker look at what may be a new folder; mu is held.
func (w *Watcher) takeFolder(path string) {
	f := w.owner(path)
	switch {
	case w.isRoot(path):
		w.roots = true
	case f == nil || !f.enters(path):
		return
	default:
		w.arrivals[path] = struct{}{}
	}
	poke(w.wake)
}

// leaveTree stops watching a folder that is gone and all that was in it; mu is held.
func (w *Watcher) leaveTree(path string) {
	d := w.dirs[path]
	if d == nil {
		return
	}
	if d.folders == 0 {
		w.leave(path)
		return
	}
	for p := range w.dirs {
		if _, in := below(path, p); in {
			w.leave(p)
		}
	}
}

// leave stops watching one folder; mu is held.
func (w *Watcher) leave(path string) {
	d := w.dirs[path]
	if d == nil {
		return
	}
	if d.watched {
		d.folder.watched--
		if w.src != nil {
			w.src.remove(path)
		}
	} else {
		d.folder.unwatched--
	}
	if up := w.dirs[filepath.Dir(path)]; up != nil && up != d {
		up.folders--
	}
	delete(w.dirs, path)
	if w.isRoot(path) {
		w.roots = true
		poke(w.wake)
	}
}

func (w *Watcher) isRoot(path string) bool {
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
