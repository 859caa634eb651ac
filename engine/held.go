package engine

import (
	"errors"
	"fmt"
	"slices"

	"blendtray/api"
	"blendtray/watcher"
)

// These limits bound the saves that are held in memory. The watcher keeps the rest: it hands on
// again what was not taken.
const (
	heldSaves = 100_000
	heldCode  = 64 << 20 // bytes of source
)

// held are the saves that could not be written down yet, in their order. Engine.mu guards it.
type held struct {
	saves   []watcher.Save
	code    int                 // bytes of source
	refused map[string]struct{} // paths whose saves the watcher keeps
	why     string              // why the first of them could not be written down
}

func (h *held) len() int { return len(h.saves) }

// waiting returns how many saves wait, those that the watcher keeps among them.
func (h *held) waiting() int { return len(h.saves) + len(h.refused) }

// add holds a save, in the place of an older save of the same script. It returns false when there
// is no room.
func (h *held) add(s watcher.Save) bool {
	i := slices.IndexFunc(h.saves, func(o watcher.Save) bool { return o.Path == s.Path })
	old := 0
	if i >= 0 {
		old = len(h.saves[i].Code)
	}
	if h.code-old+len(s.Code) > heldCode || i < 0 && len(h.saves) >= heldSaves {
		h.refuse(s.Path)
		return false
	}
	h.code += len(s.Code) - old
	delete(h.refused, s.Path)
	if i >= 0 {
		h.saves[i] = s
	} else {
		h.saves = append(h.saves, s)
	}
	return true
}

// refuse notes that the watcher keeps the save of a path.
func (h *held) refuse(path string) {
	if h.refused == nil {
		h.refused = map[string]struct{}{}
	}
	h.refused[path] = struct{}{}
}

// drop forgets the first save, which was taken.
func (h *held) drop() {
	h.code -= len(h.saves[0].Code)
	h.saves[0] = watcher.Save{}
	h.saves = h.saves[1:]
	if len(h.saves) == 0 {
		h.saves, h.why = nil, ""
	}
}

// holdLocked holds a save that can't be written down because of err, or because other saves wait
// already and err is nil. It returns whether the save is held; a save that a scan found and that
// is not to run is left to the watcher, so that the scan is not over before it is noted. It needs
// turn.
func (e *Engine) holdLocked(s watcher.Save, err error) bool {
	e.mu.Lock()
	what := e.decideLocked(s)
	if what == toDisregard {
		e.mu.Unlock()
		return true
	}
	isNew := e.held.waiting() == 0
	if err != nil {
		e.held.why = inShort(err)
	}
	taken := false
	if s.Scan && what != toRun {
		e.held.refuse(s.Path)
	} else {
		taken = e.held.add(s)
	}
	e.mu.Unlock()
	if isNew {
		e.warn(fmt.Sprintf("%s was saved but is not run, it will be tried again: %v", s.Path, err))
	}
	e.hub.publish(api.Event{Kind: api.KindFolders})
	poke(e.retries)
	return taken
}

// takeHeld takes the saves that wait, in their order. It fails when the first of them can't be
// written down; that save and all after it wait on.
func (e *Engine) takeHeld() error {
	took := 0
	for {
		more, err := e.takeFirstHeld()
		if err != nil || !more {
			if took > 0 {
				e.hub.publish(api.Event{Kind: api.KindFolders})
				e.note(fmt.Sprintf("%d saves that waited are written down now", took))
			}
			return err
		}
		took++
	}
}

// takeFirstHeld takes the first save that waits and returns whether there was one.
func (e *Engine) takeFirstHeld() (more bool, err error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	if e.held.len() == 0 {
		e.held.refused, e.held.why = nil, "" // the watcher hands them on by itself
		e.mu.Unlock()
		return false, nil
	}
	s := e.held.saves[0]
	e.mu.Unlock()
	err = e.takeLocked(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.held.drop()
	case !errors.Is(err, api.ErrStopping):
		e.held.why = inShort(err)
	}
	return err == nil, err
}
