package watcher

import (
	"fmt"
	"path/filepath"
)

// kind is what is wrong with a folder or a script. The status tells the lowest kind first, and each in a
// line.
type kind int

const (
	notWatched kind = iota // the system does not watch a folder, which is polled
	notListed              // a folder can't be read
	notRead                // a script can't be read, or is too large
	kinds                  // how many there are
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

// troublesLocked returns for each folder a sentence on each kind of what is wrong in it, in their order.
// It forgets what has to do with no watched folder any more. It needs mu.
func (w *Watcher) troublesLocked() map[*folder]*[kinds]string {
	type trouble struct {
		first  string // its path
		others int
	}
	all := map[*folder]*[kinds]trouble{}
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
		if all[d.folder] == nil {
			all[d.folder] = &[kinds]trouble{}
		}
		switch t := &all[d.folder][c.kind]; {
		case t.first == "":
			t.first = c.path
		default:
			t.others++
			t.first = min(t.first, c.path)
		}
	}
	texts := map[*folder]*[kinds]string{}
	for f, troubles := range all {
		texts[f] = &[kinds]string{}
		for k, t := range troubles {
			if t.first == "" {
				continue
			}
			texts[f][k] = w.troubles[cause{kind(k), t.first}]
			if t.others > 0 && kind(k) != notWatched { // there the text is about all of them
				texts[f][k] += fmt.Sprintf(" (and %d more)", t.others)
			}
		}
	}
	return texts
}
