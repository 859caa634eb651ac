package watcher

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// A folder may be met under two names: one of them is a symbolic link to the other, or the folder is
// mounted in two places. Under the second name it is not watched, so that each save runs once.

// twinOf returns the path under which the folder at path is watched already, or "". id is the
// folder's.
func (w *Watcher) twinOf(path string, id fileID) string {
	if id.ino == 0 {
		return ""
	}
	w.mu.Lock()
	other := w.byID[id]
	w.mu.Unlock()
	if other == "" || other == path {
		return ""
	}
	if !sameFolder(path, other) {
		return "" // it was renamed to path
	}
	return other
}

// sameFolder reports whether two paths lead to the same folder. Some stacked file systems give a
// number twice, so the times must be the same, too.
func sameFolder(a, b string) bool {
	for range 3 { // something may happen in it between the two questions
		fa, err := os.Stat(a)
		if err != nil {
			return false
		}
		fb, err := os.Stat(b)
		if err != nil || !os.SameFile(fa, fb) {
			return false
		}
		if snapshotOf(fa, time.Time{}).sameFile(snapshotOf(fb, time.Time{})) {
			return true
		}
	}
	return false
}

// rootTwin returns the path of another watched folder, before f in the list, or of a folder in such a
// folder, that is the same folder as f; fi is f's root. It returns "" when there is none.
func (w *Watcher) rootTwin(f *folder, fi os.FileInfo) string {
	w.mu.Lock()
	for _, g := range w.folders {
		if g == f {
			break
		}
		if g.root != nil && os.SameFile(g.root, fi) {
			w.mu.Unlock()
			return g.Path
		}
	}
	w.mu.Unlock()
	id, _ := identity(fi)
	return w.twinOf(f.Path, id)
}

// noteTwinLocked notes that a folder of f is not watched under path because it is watched as other.
// It needs mu.
func (w *Watcher) noteTwinLocked(f *folder, path, other string) {
	w.unwatchTreeLocked(path)
	if path == f.Path {
		f.problem, f.root = twinProblem(other), nil
		return
	}
	delete(f.refused, path)
	if _, was := f.twins[path]; !was {
		w.log.Info("a folder is watched under another name already", "path", path, "other", other)
	}
	f.twins[path] = other
}

func twinProblem(other string) string {
	return fmt.Sprintf("it is the same folder as %s, which is watched already, so that a save would run twice; remove one of them", other)
}

// checkTwins has the folders entered that are not watched under another name any more.
func (w *Watcher) checkTwins(ctx context.Context) {
	w.mu.Lock()
	all := map[string]string{}
	for _, f := range w.folders {
		maps.Copy(all, f.twins)
	}
	w.mu.Unlock()
	for path, other := range all {
		if ctx.Err() != nil {
			return
		}
		id, err := folderID(path)
		if err == nil && w.twinOf(path, id) == other {
			continue
		}
		w.mu.Lock()
		for _, f := range w.folders {
			delete(f.twins, path)
		}
		if err == nil {
			w.arrivals[path] = look{mode: scanFull, anew: true}
		}
		w.mu.Unlock()
	}
}

// twinsNoteLocked returns the sentence for the status about the folders in f that are watched under
// other names, or "". It needs mu.
func (f *folder) twinsNoteLocked() string {
	paths := slices.Sorted(maps.Keys(f.twins))
	switch len(paths) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s is the same folder as %s, so its scripts run once, as those of the latter", paths[0], f.twins[paths[0]])
	}
	return fmt.Sprintf("%s and %d other folders are watched under other names, so their scripts run once", paths[0], len(paths)-1)
}
