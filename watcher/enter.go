package watcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// identifyLocked notes which folder d is at path. It needs mu.
func (w *Watcher) identifyLocked(d *dir, path string, id fileID, slow bool) {
	if w.byID[d.id] == path {
		delete(w.byID, d.id)
	}
	d.id, d.slow = id, slow
	if id.ino != 0 && !slow {
		w.byID[id] = path
	}
}

// folderID returns the id of the folder at a path, where the system has such numbers. It fails when
// nothing is there.
func folderID(path string) (fileID, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	id, _ := identity(fi)
	return id, nil
}

// folderBorn returns when the folder at a path was made, in ns, if src does not know by itself whether
// it still watches that folder. Else, and where the system does not say, it returns 0.
func (w *Watcher) folderBorn(src source, path string) int64 {
	if src.exact() {
		return 0
	}
	f, err := openDir(path)
	if err != nil {
		return 0 // it is gone or can't be read, which the caller finds out, too
	}
	defer f.Close() // read only
	fi, err := f.Stat()
	if err != nil {
		return 0
	}
	return bornAt(f, fi)
}

// entering is why a folder is entered.
type entering int

const (
	met      entering = iota // a look met the folder
	appeared                 // the folder came into being while it was watched or waited for
	again                    // the folder was entered before, and is polled
)

// enter begins to watch one folder, or marks it as polled, for a look at the watched folder by. It
// returns nil for a folder that is gone or belongs to no watched folder, and when by is not watched
// any more. It also returns nil for a folder that is to be entered again and is not watched any more:
// a look enters what has its path now, and knows since when that is waited for.
func (w *Watcher) enter(by *folder, path string, why entering) *dir {
	slow, now := w.opts.isRemote(path), time.Now()
	id, err := folderID(path)
	twin := ""
	if !slow {
		twin = w.twinOf(path, id)
	}
	w.mu.Lock()
	f := w.ownerLocked(path)
	switch {
	case f == nil:
	case by.removed:
		f = nil
	case isGone(err):
		w.unwatchTreeLocked(path)
		f = nil
	case twin != "":
		w.noteTwinLocked(f, path, twin)
		f = nil
	}
	if f == nil {
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	if w.refusesFolder(f, path) {
		return nil
	}
	w.mu.Lock()
	if by.removed || w.ownerLocked(path) != f { // folders were set meanwhile, and are looked through
		w.mu.Unlock()
		return nil
	}
	d := w.dirs[path]
	if d == nil {
		if why == again {
			w.mu.Unlock()
			return nil
		}
		d = &dir{folder: f, seen: map[string]snapshot{}, checked: now, id: id, fresh: why == appeared}
		w.dirs[path] = d
		d.countLocked(1)
		if up := w.dirs[filepath.Dir(path)]; up != nil && up != d {
			up.folders++
		}
	} else if d.folder != f {
		d.moveLocked(f)
	}
	if err == nil && (id.dev != d.id.dev || id.ino != d.id.ino && !slow) {
		d.replaced = true // list has to know
	}
	w.identifyLocked(d, path, id, slow)
	d.visit, d.ended = w.visits, false
	polled := slow || f.Poll > 0
	src := w.src
	if polled {
		d.setWatchedLocked(false)
	}
	w.mu.Unlock()
	if src == nil {
		return d
	}

	// A polled folder is watched beside: what programs on this machine save in it is told.
	_, err = src.add(path)
	born := w.folderBorn(src, path)
	w.mu.Lock()
	defer w.mu.Unlock()
	d.born = born
	if w.dirs[path] != d { // it was removed meanwhile
		src.remove(path)
		return nil
	}
	if d.listed && !d.replaced {
		d.checked = now
	}
	d.setWatchedLocked(err == nil && !polled)
	switch {
	case err == nil:
		w.clearTroubleLocked(notWatched, path)
	case isGone(err):
		w.unwatchLocked(path)
		return nil
	case errors.Is(err, fs.ErrPermission): // list reports it
	case polled: // nothing is lost
	default:
		if w.noteTroubleLocked(notWatched, path, limitation(err)) {
			w.log.Warn("a folder is polled because the system does not watch it", "path", path, "error", err)
		}
	}
	return d
}

// setWatchedLocked notes whether d is watched with events. It needs mu.
func (d *dir) setWatchedLocked(watched bool) {
	d.countLocked(-1)
	d.watched = watched
	d.countLocked(1)
}

// limitation returns the sentence for the status of a folder that is polled because of err.
func limitation(err error) string {
	if s := watchError(err); s != "" {
		return s
	}
	return fmt.Sprintf("it is polled, because the system does not watch it: %v", err)
}
