package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blendtray/api"
	"blendtray/watcher"
)

// known returns what was last seen of a file, and whether the file was seen at all; the watcher
// calls it.
func (e *Engine) known(path string) (watcher.Stamp, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st, ok := e.stamps[path]
	return st, ok
}

// decision is what becomes of a save.
type decision int

const (
	toRun       decision = iota
	toNote               // the script was there before its folder was watched
	toCarry              // the script was renamed
	toLeave              // its bytes are those of its last run
	toDisregard          // its folder is not watched any more
)

// decideLocked returns what becomes of a save. It needs mu.
//
// A save that was seen as it was made runs, unless its bytes are those of the script's last run.
// The last run is the newest run that came from a folder, or a retry of such a run, whatever its
// state. So a save does not run again when its bytes wait, are running or have failed, while
// after saves of A and B another save of A does run. Only a run that was cancelled or
// interrupted, or that Blender never began, does not count: a person who saves again then wants
// the run. Nor does the last run count when the script was gone meanwhile and a new file has its
// name: somebody has dropped it again.
//
// A script that was renamed, alone or with its folder, does not run: what is known of it is known
// under its new path from then on.
//
// A file that a scan found runs when its bytes differ from the bytes that were seen last, so
// that changes which nobody watched run, and nothing else does. In a folder that is watched for
// the first time no file that a scan finds runs, unless the folder's settings say so. The same
// holds for the first look at what lies in the folder, such as on a drive that is mounted late. In
// a folder whose patterns were changed, a scan runs no file that was never seen before.
func (e *Engine) decideLocked(s watcher.Save) decision {
	f := e.folders[s.Folder]
	if f == nil {
		return toDisregard
	}
	if s.From != "" {
		from, was := e.stamps[s.From]
		to, is := e.stamps[s.Path]
		if was && from.Hash == s.Stamp.Hash && (!is || to.Hash == s.Stamp.Hash) {
			return toCarry
		}
	}
	if s.Scan {
		seen, ok := e.stamps[s.Path]
		switch {
		case ok && seen.Hash == s.Stamp.Hash:
			return toLeave
		case f.fresh() && !f.policy.RunExisting:
			return toNote
		case !f.fresh() && f.known != f.shape && !ok && (len(f.bared) == 0 || watchedBy(f.bared, s.Path)):
			return toNote
		case s.First && !ok && !f.policy.RunExisting:
			return toNote
		}
	}
	if l, ok := e.last[s.Path]; ok && l.ran() && l.hash == s.Stamp.Hash && !s.New {
		return toLeave
	}
	return toRun
}

// save handles a script whose bytes have settled and returns whether the save was taken; the
// watcher calls it. A save that is not taken is handed on again.
//
// The run and the stamp that keeps it from running again are written down together or not at all.
// A save whose run can't be written down is held in memory and tried again, with all saves that
// come after it, so that they keep their order. Should the engine end meanwhile, the stamps were
// not written either, and the next engine finds the saves.
func (e *Engine) save(ctx context.Context, seen watcher.Save) (taken bool) {
	if ctx.Err() != nil {
		return false // nothing is written down, so the next start finds the save
	}
	if !e.claimForSave(seen.Folder) {
		return false
	}
	chosen := e.chooseForSave(ctx, seen.Folder, seen.Code)
	if ctx.Err() != nil {
		return false
	}
	e.alert(seen.Folder, chosen.name)
	e.turn.Lock()
	defer e.turn.Unlock()
	// What shows who has made the save is used up now, and gone later.
	s := heldSave{seen, e.originLocked(seen), chosen}
	e.mu.Lock()
	if before := e.held.origin(seen); s.from.by == nil {
		s.from = before
	}
	waits := e.held.len() > 0
	e.mu.Unlock()
	if waits {
		return e.holdLocked(s, nil)
	}
	err := e.takeLocked(s)
	switch {
	case err == nil:
		return true
	case errors.Is(err, api.ErrStopping):
		return false
	}
	return e.holdLocked(s, err)
}

// alert tells the Blender that will execute the run of a save in a folder that the run is about to
// come, unless other runs come first.
func (e *Engine) alert(folder, name string) {
	e.mu.Lock()
	f := e.folders[folder]
	if f == nil || e.queue.len() > 0 || e.load.counted >= e.parallelLocked() {
		e.mu.Unlock()
		return
	}
	isolation, err := isolationOf(f.policy.Isolation, f.policy.Scene, e.runs.Isolation)
	j := &job{run: api.Run{Isolation: isolation, Scene: f.policy.Scene, Folder: folder, Blender: name}}
	var b Blender
	for _, w := range e.workers {
		if !w.halted && !w.retired && !w.resting && w.name == name {
			b = w.blender
		}
	}
	e.mu.Unlock()
	if b != nil && err == nil { // the run itself tells of an error
		b.Alert(j.request(nil))
	}
}

// takeLocked does with a save what is decided. It fails when that can't be written down; then
// nothing was done. It needs turn.
func (e *Engine) takeLocked(held heldSave) error {
	s, from := held.Save, held.from
	e.noteHelperLocked(s, from)
	if s.Scan && s.From == "" {
		s.From = e.renamedFrom(s)
	}
	e.mu.Lock()
	what := e.decideLocked(s)
	f := e.folders[s.Folder]
	e.mu.Unlock()
	switch {
	case what == toDisregard:
		return nil
	case what == toRun && from.itself(s.Path):
		return e.leaveOwnLocked(s, from.by)
	case what == toRun:
		return e.runSaveLocked(s, f.policy, from, held.choice, api.FromFolder)
	}
	if what == toCarry {
		return e.carryLocked(s)
	}
	if err := e.store.noteStamp(s.Path, s.Stamp); err != nil {
		return err
	}
	e.mu.Lock()
	e.stamps[s.Path] = s.Stamp
	if what == toNote {
		f.noted++
	}
	e.mu.Unlock()
	poke(e.tidy)
	if what == toLeave && !s.Scan {
		e.note(s.Path + ": unchanged, not run")
	}
	return nil
}

// renamedFrom returns under which path a script was known that a scan has found, when the script was renamed while
// nobody watched, and else "". Then the file has the number, the time of its making and the bytes of a known
// script, and no file has that script's path.
func (e *Engine) renamedFrom(s watcher.Save) string {
	e.mu.Lock()
	paths := e.sameFileLocked(s)
	e.mu.Unlock()
	for _, path := range paths {
		if isMissing(path) { // without the lock: a network drive may never answer
			return path
		}
	}
	return ""
}

// sameFileLocked returns the paths in the folder of a script that is not known, under which its file was known. It
// needs mu.
func (e *Engine) sameFileLocked(s watcher.Save) (paths []string) {
	if _, known := e.stamps[s.Path]; known || s.Stamp.Inode == 0 {
		return nil
	}
	if e.byInode == nil {
		e.byInode = map[uint64][]string{}
		for path, st := range e.stamps {
			if st.Inode != 0 {
				e.byInode[st.Inode] = append(e.byInode[st.Inode], path)
			}
		}
	}
	for _, path := range e.byInode[s.Stamp.Inode] {
		st, known := e.stamps[path]
		made := st.Born != 0 && st.Born == s.Stamp.Born || st.Born == 0 && !st.ModTime.IsZero() && st.ModTime.Equal(s.Stamp.ModTime)
		if known && made && st.Inode == s.Stamp.Inode && st.Hash == s.Stamp.Hash && e.folderOfLocked(path) == s.Folder {
			paths = append(paths, path)
		}
	}
	return paths
}

// folderOfLocked returns the innermost watched folder in which a script lies, or "". It needs mu.
func (e *Engine) folderOfLocked(script string) (folder string) {
	for _, path := range e.order {
		if len(path) > len(folder) && watchedBy([]string{path}, script) {
			folder = path
		}
	}
	return folder
}

// carryLocked notes a script that was renamed: what is known of its last run is known under the new
// path from then on, and how that run ends, too. It fails when that can't be written down. It needs
// turn.
func (e *Engine) carryLocked(s watcher.Save) error {
	e.mu.Lock()
	l, ok := e.last[s.From]
	_, is := e.last[s.Path]
	j := e.liveLocked(l.id)
	e.mu.Unlock()
	ran := ""
	if l.ran() && j == nil { // else the end of the run says whether it counts
		ran = l.hash
	}
	var err error
	if ok && !is {
		err = e.store.noteCarried(s.Path, s.Stamp, ran)
	} else {
		err = e.store.noteStamp(s.Path, s.Stamp)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.stamps[s.Path] = s.Stamp
	if ok && !is {
		e.last[s.Path] = l
		if j != nil {
			j.carried = append(j.carried, s.Path)
		}
	}
	e.mu.Unlock()
	e.carryImportsLocked(s.From, s.Path, s.Folder)
	poke(e.tidy)
	return nil
}

// isOpenLocked reports whether a person has a Blender open. It needs mu.
func (e *Engine) isOpenLocked(name string) bool {
	w := e.workerLocked(name)
	_, open := openPID(name)
	return open || w != nil && w.spec.Kind() == api.BlenderOpen
}

// runSaveLocked makes a run of a save, or of a script whose modules have changed, as source says. It
// needs turn. The run takes the place of a run that waits for an older save of the same script. When a
// run of the script is running, the new run waits for it or cancels it, as the folder's settings say.
// A save that another run has made runs, too, unless their chain has become too long.
func (e *Engine) runSaveLocked(s watcher.Save, p api.FolderSettings, from origin, chosen choice, source api.Source) error {
	runs := e.runSettings()
	isolation, err := isolationOf(p.Isolation, p.Scene, runs.Isolation)
	if err != nil {
		return err // checkFolder has refused such settings already
	}
	j := &job{isFile: true, code: blob(s.Code), limit: time.Duration(p.Timeout), run: api.Run{
		Script: s.Path, SHA256: s.Stamp.Hash, Scene: p.Scene, Args: append([]string{}, p.Args...), Render: p.Render(),
		Source: source, Folder: s.Folder, Isolation: isolation, Blender: chosen.name,
		Leftover: p.Leftover.Or(runs.Leftover), Limits: p.Limits().Or(runs.Limits()),
	}}
	if p.Timeout == 0 {
		j.limit = time.Duration(runs.Timeout)
	}
	if from.by != nil {
		j.chain, j.run.WrittenBy = from.next(), from.by.run.ID
	}
	if j.chain.ends(time.Now()) {
		return e.endChainLocked(j, s.Code, s.Stamp)
	}
	e.mu.Lock()
	old := e.queue.saved(s.Path)
	if chosen.err == nil && e.isOrphanLocked(j) { // it has gone since
		chosen.err = e.noBlenderLocked(chosen.name)
	}
	if chosen.err == nil && j.run.Render != nil && e.isOpenLocked(chosen.name) {
		chosen.err = errors.New(noFramesThere + "; name another Blender for the folder, or no frames")
	}
	stopping := e.stopping
	e.mu.Unlock()
	if chosen.err != nil && (stopping || errors.Is(chosen.err, api.ErrStopping)) {
		return api.ErrStopping // the next engine finds the save
	}
	if chosen.err != nil {
		return e.refuseSaveLocked(j, old, s, chosen.err)
	}
	if _, err := e.acceptLocked(insert{job: j, code: s.Code, replaces: old, path: s.Path, stamp: s.Stamp}); err != nil {
		return err
	}
	if p.OnBusy != api.OnBusyCancel {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.running {
		if r.run.Folder != "" && r.run.Script == s.Path {
			r.askToEndLocked(fmt.Sprintf("cancelled for a newer save, run %d", j.id), false)
		}
	}
	return nil
}
