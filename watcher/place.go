package watcher

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
)

// A drive may be mounted over a folder while no watcher watches it: what lies there then was not saved
// since the last look, and is looked at for the first time. So the watcher has its owner remember
// on which file systems a folder lies.

// Place is what tells a file system that is mounted somewhere from another one. The number of the
// device alone does not: it may be another after the system was started anew.
type Place struct {
	// Dev is the number of the device; Inode and Born are those of the folder that lies there.
	Dev, Inode uint64
	Born       int64
}

// Places are the file systems on which a watched folder lies, by the path from that folder: "." for the
// folder itself, and each folder in it over which another file system is mounted.
type Places map[string]Place

// isOther reports whether b is a folder on another file system than a.
func (a Place) isOther(b Place) bool {
	return a.Dev != b.Dev && (a.Inode != b.Inode || a.Born != b.Born)
}

// placeOf returns the place of the folder at a path, and false when the system does not say.
func placeOf(path string) (Place, bool) {
	h, err := openDir(path)
	if err != nil {
		return Place{}, false // the scan reports it
	}
	defer h.Close() // read only
	fi, err := h.Stat()
	if err != nil {
		return Place{}, false
	}
	id, _ := identity(fi)
	return Place{id.dev, id.ino, bornAt(h, fi)}, id.ino != 0
}

// isElsewhere notes the place of a folder of f that a look has entered, and reports whether it is on
// another file system than it was on when it was last looked through, as far as that is known.
func (w *Watcher) isElsewhere(f *folder, path string) bool {
	rel, in := below(f.Path, path)
	if !in {
		return false
	}
	w.mu.Lock()
	d, up := w.dirs[path], w.dirs[filepath.Dir(path)]
	ask := f.places == nil && w.cfg.Places != nil
	w.mu.Unlock()
	var before Places
	if ask {
		before = w.cfg.Places(f.Path)
	}
	w.mu.Lock()
	if f.places == nil {
		f.places = Places{}
		maps.Copy(f.places, before)
	}
	was, known := f.places[rel]
	if rel == "." {
		f.placed = known
	}
	placed := f.placed
	mounted := rel == "." || d != nil && up != nil && up != d && up.folder == f && d.id.dev != up.id.dev
	w.mu.Unlock()
	if !mounted && !known {
		return false
	}
	now, ok := placeOf(path)
	if !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if mounted {
		f.places[rel] = now
	} else {
		delete(f.places, rel)
	}
	f.moved = f.moved || mounted != known || was != now
	return known && was.isOther(now) || !known && placed
}

// lookInto returns how a folder of f is looked through that a look has entered: for the first time if
// it is on another file system than before and no script in it is known.
func (w *Watcher) lookInto(ctx context.Context, f *folder, path string, l look) look {
	if l.mode == scanFull && w.isElsewhere(f, path) {
		l.first = !w.anyKnown(ctx, f, path)
	}
	return l
}

// announceMovesLocked has the owner told of the places of the folders of which a mount was noticed
// since they were looked through. It needs mu.
func (w *Watcher) announceMovesLocked() {
	for _, f := range w.folders {
		if f.moved && !f.needsScan && !f.scanning && f.problem == "" && !slices.Contains(w.scanned, f.Path) {
			f.announce = true
			w.announceLocked(f)
		}
	}
}
