package engine

import (
	"context"
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

// heldSave is a save with who has made it. The journals that show it may be gone when the save is
// taken.
type heldSave struct {
	watcher.Save
	from origin
	choice
}

// held are the saves that could not be written down yet, in their order. Engine.mu guards it.
type held struct {
	saves   []heldSave
	code    int                 // bytes of source
	refused map[string]struct{} // paths whose saves the watcher keeps
	why     string              // why the first of them could not be written down
	// origins are who has made saves that the watcher keeps, by path.
	origins map[string]heldOrigin
}

// heldOrigin is who has made a save of bytes that have a hash.
type heldOrigin struct {
	hash string
	from origin
}

func (h *held) len() int { return len(h.saves) }

// waiting returns how many saves wait, those that the watcher keeps among them.
func (h *held) waiting() int { return len(h.saves) + len(h.refused) }

// add holds a save, in the place of an older save of the same script. It returns false when there
// is no room.
func (h *held) add(s heldSave) bool {
	i := -1
	for n, o := range slices.Backward(h.saves) {
		if o.Path != s.Path {
			continue
		}
		// A save that does not run because the script itself has made it takes the place of no other
		// save, nor does another save take its place.
		if o.from.itself(o.Path) == s.from.itself(s.Path) {
			i = n
		}
		break
	}
	old := 0
	if i >= 0 {
		old = len(h.saves[i].Code)
		s = s.after(h.saves[i])
	}
	if h.code-old+len(s.Code) > heldCode || i < 0 && len(h.saves) >= heldSaves {
		h.refuse(s)
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

// after returns the save that takes the place of an older save of the same script, and decides as
// both would, one after the other.
func (s heldSave) after(old heldSave) heldSave {
	switch {
	case s.Stamp.Hash != old.Stamp.Hash:
		s.New = true // the older bytes would be those of the last run now
	case s.Scan:
		return old // a scan has found what is held already
	default:
		s.New = s.New || old.New
		if s.From == "" {
			s.From = old.From
		}
	}
	s.Scan = s.Scan && old.Scan
	return s
}

// refuse notes that the watcher keeps a save.
func (h *held) refuse(s heldSave) {
	if h.refused == nil {
		h.refused = map[string]struct{}{}
	}
	h.refused[s.Path] = struct{}{}
	if s.from.by == nil {
		return
	}
	if h.origins == nil {
		h.origins = map[string]heldOrigin{}
	}
	h.origins[s.Path] = heldOrigin{s.Stamp.Hash, s.from}
}

// origin returns who has made a save that was left to the watcher before and comes again, and
// forgets it.
func (h *held) origin(s watcher.Save) origin {
	o := h.origins[s.Path]
	delete(h.origins, s.Path)
	if o.hash != s.Stamp.Hash {
		return origin{}
	}
	return o.from
}

// drop forgets the first save, which was taken.
func (h *held) drop() {
	h.code -= len(h.saves[0].Code)
	h.saves[0] = heldSave{}
	h.saves = h.saves[1:]
	if len(h.saves) == 0 {
		h.saves, h.why = nil, ""
	}
}

// holdLocked holds a save that can't be written down because of err, or because other saves wait
// already and err is nil. It returns whether the save is held; a save that a scan found and that
// is not to run is left to the watcher, so that the scan is not over before it is noted. It needs
// turn.
func (e *Engine) holdLocked(s heldSave, err error) bool {
	e.mu.Lock()
	what := e.decideLocked(s.Save)
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
		e.held.refuse(s)
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
				text := "1 save that waited is written down now"
				if took > 1 {
					text = fmt.Sprintf("%d saves that waited are written down now", took)
				}
				e.note(text)
			}
			return err
		}
		took++
	}
}

// chooseForHeld chooses the Blender of the first held save anew: the settings may be others since it was
// held.
func (e *Engine) chooseForHeld() {
	e.mu.Lock()
	if e.held.len() == 0 {
		e.mu.Unlock()
		return
	}
	s := e.held.saves[0]
	e.mu.Unlock()
	chosen := e.chooseForSave(context.Background(), s.Folder, s.Code)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held.len() > 0 && e.held.saves[0].Path == s.Path && e.held.saves[0].Stamp == s.Stamp {
		e.held.saves[0].choice = chosen
	}
}

// takeFirstHeld takes the first save that waits and returns whether there was one.
func (e *Engine) takeFirstHeld() (more bool, err error) {
	e.chooseForHeld()
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
