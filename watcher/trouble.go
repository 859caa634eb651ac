package watcher

import (
	"fmt"
	"path/filepath"
)

// kind is what is wrong with a folder or a script. The status tells the lowest kind first.
type kind int

const (
	notWatched kind = iota // the system does not watch a folder, which is polled
	notListed              // a folder can't be read
	notRead                // a script can't be read, or is too large
)

// cause is a folder or script with which something is wrong.
type cause struct {
	kind kind
	path string
}

// noteTroubleLocked notes what is wrong, for the status, and reports whether that is new. It needs
// mu.
func (w *Watcher) noteTroubleLocked(k kind, path, text string) bool {
	c := cause{k, path}
	if w.troubles[c] == text {
		return false
	}
	w.troubles[c] = text
	poke(w.wake) // for the status
	return true
}

// clearTroubleLocked notes that something is not wrong any more. It needs mu.
func (w *Watcher) clearTroubleLocked(k kind, path string) {
	if _, was := w.troubles[cause{k, path}]; was {
		delete(w.troubles, cause{k, path})
		poke(w.wake) // for the status
	}
}

// troublesLocked returns for each folder a sentence on what is wrong in it. It forgets what has to do
// with no watched folder any more. It needs mu.
func (w *Watcher) troublesLocked() map[*folder]string {
	type worst struct {
		cause
		others int
	}
	all := map[*folder]worst{}
	for c := range w.troubles {
		dir := c.path
		if c.kind == notRead {
			dir = filepath.Dir(dir)
		}
		d := w.dirs[dir]
		if d == nil || c.kind == notRead && !d.folder.script(c.path) {
			delete(w.troubles, c)
			continue
		}
		now, was := all[d.folder]
		switch {
		case !was:
			now = worst{cause: c}
		case c.kind < now.kind:
			now = worst{cause: c} // what is less bad is told when this is mended
		case c.kind > now.kind:
		default:
			now.others++
			if c.path < now.path {
				now.cause = c
			}
		}
		all[d.folder] = now
	}
	texts := map[*folder]string{}
	for f, c := range all {
		texts[f] = w.troubles[c.cause]
		if c.others > 0 && c.kind != notWatched { // there the text is about all of them
			texts[f] += fmt.Sprintf(" (and %d more)", c.others)
		}
	}
	return texts
}
