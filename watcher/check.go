package watcher

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// checkRoot finds out whether a watched folder has appeared, is gone, or was replaced by another.
func (w *Watcher) checkRoot(f *folder) {
	now := time.Now()
	fi, err := os.Stat(f.Path)
	path := f.Path
	if len(w.own) > 0 {
		path = realPath(path)
	}
	problem := ownRefusal(path, w.own)
	waits := false // for the folder to come into being
	switch {
	case problem != "":
	case err == nil && !fi.IsDir():
		problem, waits = "it is not a folder; it is watched as soon as it is one", true
	case isGone(err):
		problem, waits = "it does not exist; it is watched as soon as it does", true
	case err != nil:
		problem = fmt.Sprintf("it cannot be examined: %v", err)
	default:
		if other := w.rootTwin(f, fi); other != "" {
			problem = twinProblem(other)
		}
	}
	distrusted := false
	if problem == "" {
		problem = Refusal(f.WatchSettings)
		distrusted = problem != ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.distrusted, f.own = distrusted, ownIn(f.Path, path, w.own)
	if problem != "" {
		if distrusted && f.problem != problem {
			w.log.Warn("a folder: "+problem, "path", f.Path)
		}
		switch {
		case !waits:
			w.closeRootLocked(f)
		case f.checked.IsZero():
			f.checked = now
		}
		f.problem, f.root = problem, nil
		if waits {
			clear(f.refused)
		}
		w.unwatchTreeLocked(f.Path)
		return
	}
	anew := f.closed && (f.before == nil || !os.SameFile(f.before, fi))
	f.closed, f.before = false, nil
	since := f.checked // zero at the start: nothing was watched or waited for before
	d := w.dirs[f.Path]
	if d != nil && f.root != nil {
		since = d.checked
	}
	if f.root != nil && !os.SameFile(f.root, fi) {
		w.unwatchTreeLocked(f.Path)
		d = nil
	}
	if f.root == nil || d == nil || d.ended {
		f.needsScan = true
		f.next = look{since: since, anew: anew || !since.IsZero()}
	}
	_ = os.SameFile(fi, fi) // Windows reads only now what identifies the file
	f.root, f.problem, f.checked = fi, "", now
}

// closeRootLocked notes that f's folder is there and may not be watched. The scripts that lie in it
// when it may be were not saved while it was waited for, whatever the times of their inodes say:
// who mends a folder by chmod -R or chown -R changes these times for all scripts. It needs mu.
func (w *Watcher) closeRootLocked(f *folder) {
	if !f.checked.IsZero() {
		f.closed = true
	}
	if d := w.dirs[f.Path]; f.root != nil && d != nil && !d.ended {
		f.before = f.root
	}
	f.checked, f.began = time.Time{}, time.Time{}
}

// watchesPerCheck is how many watches are checked at one time, so that the check costs nothing
// worth mentioning with any number of folders.
const watchesPerCheck = 256

// checkWatches finds out whether the watches of all roots, and of some of the folders below them,
// are still there, and has the folders looked through whose watches are not: no event says that
// a file system was mounted over a folder.
func (w *Watcher) checkWatches() {
	w.mu.Lock()
	src := w.src
	var paths, rest []string
	for path, d := range w.dirs {
		switch {
		case d.ended:
		case w.isRootLocked(path):
			paths = append(paths, path)
		default:
			rest = append(rest, path)
		}
	}
	slices.Sort(rest)
	from, _ := slices.BinarySearch(rest, w.turn)
	for n := range min(watchesPerCheck, len(rest)) {
		paths = append(paths, rest[(from+n)%len(rest)])
	}
	if len(rest) > 0 {
		w.turn = rest[(from+watchesPerCheck)%len(rest)]
	}
	w.mu.Unlock()
	if src == nil {
		return
	}
	for _, path := range paths {
		now := time.Now()
		fresh, err := src.add(path)
		born := w.folderBorn(src, path)
		w.mu.Lock()
		d := w.dirs[path]
		switch {
		case d == nil:
			src.remove(path)
		case err != nil && !d.watched: // it is polled, and was not watched before either
		case isGone(err):
			w.unwatchTreeLocked(path)
		case err != nil || (fresh || born != d.born) && d.watched:
			w.lookAnewLocked(path)
		case d.listed:
			d.checked = now
		}
		w.mu.Unlock()
	}
}

// rootsWait returns how long to wait before roots are checked again. No event says that a root
// was made, or that a folder above it was moved or mounted over.
func (w *Watcher) rootsWait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.folders, func(f *folder) bool { return f.problem != "" || len(f.refused) > 0 }) {
		return w.opts.retryEvery
	}
	return w.opts.checkEvery
}

// requestRootCheck has the walker check whether f's root is still there.
func (w *Watcher) requestRootCheck(f *folder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !f.removed {
		w.roots = true
		poke(w.wake)
	}
}
