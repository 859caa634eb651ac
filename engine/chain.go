package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/watcher"
)

// A script may save scripts, itself among them. Whether a run has made a save is decided by what
// the run's journal says that it was about to write, never by the time alone: while a script runs,
// a person may save it, and that save runs.
const (
	// maxChain is how many runs in a row may each be started by a save that the run before has
	// made.
	maxChain = 10
	// freshWrite is how long after a line of the journal a save may come that the line explains by
	// itself: nearly all programs open a file, write it and close it at once.
	freshWrite = 2 * time.Second
	// soonAgain is freshWrite for a line that has explained a save already.
	soonAgain = 500 * time.Millisecond
	// tooQuick is the time in which no person saves maxChain times: where a chain is only likely,
	// because scripts start other programs, it is stopped only when it is as quick.
	tooQuick = 20 * time.Second
	// sameMoment is what the clock of Blender's Python may be ahead.
	sameMoment = 5 * time.Millisecond
	// lately is how long after its end a run may still explain a save.
	lately = 10 * time.Second
	// firstScans is how long after a start the runs of the engine before may still explain a save:
	// the first scans find the saves.
	firstScans = 10 * time.Minute
	// lastChild is how long after the end of a run the programs that it has started may explain a
	// save.
	lastChild = time.Second
)

// evidence is what shows that a run has made a save.
type evidence int

const (
	noEvidence evidence = iota
	// mayHave: the run has started another program, and the save is of its own script, or of a
	// script before it in the chain.
	mayHave
	// likely: the run has opened the file to write it, long before the save.
	likely
	// proven: the run has opened the file to write it, or moved another file there, right before
	// the save, and it is that file which is there now.
	proven
)

// origin is what is known of who has made a save.
type origin struct {
	by  *job // nil when no run has
	how evidence
}

// itself reports whether the script of a save was saved by its own run.
func (o origin) itself(path string) bool {
	return o.how == proven && o.by.isFile && o.by.run.Script == path
}

// chain is how a run came to be: by a save that another run has made, which came by another.
type chain struct {
	length  int       // how many runs before it
	scripts []string  // the names of their scripts, the last maxChain of them
	began   time.Time // when the first of them was queued
	sure    bool      // each link is likely or proven
}

// next returns the chain of a run whose script was saved by the run by.
func (o origin) next() *chain {
	if o.by == nil {
		return nil
	}
	c := chain{began: o.by.run.QueuedAt, sure: true}
	if o.by.chain != nil {
		c = *o.by.chain
	}
	c.length++
	c.scripts = append(slices.Clone(c.scripts), o.by.run.Script)
	c.scripts = c.scripts[max(0, len(c.scripts)-maxChain):]
	c.sure = c.sure && o.how >= likely
	return &c
}

// len returns how many runs a chain has before its last; nil is the chain of a run that no run has
// started.
func (c *chain) len() int {
	if c == nil {
		return 0
	}
	return c.length
}

// has reports whether a script is among the scripts of a chain.
func (c *chain) has(script string) bool { return c != nil && slices.Contains(c.scripts, script) }

// ends reports whether no run is to follow in a chain.
func (c *chain) ends(now time.Time) bool {
	return c.len() > maxChain && (c.sure || now.Sub(c.began) < tooQuick)
}

// String returns the names of the scripts of a chain.
func (c *chain) String() string {
	names := make([]string, len(c.scripts))
	for i, script := range c.scripts {
		names[i] = filepath.Base(script)
	}
	return strings.Join(names, " → ")
}

// originLocked returns who has made a save, and takes note that the lines of journals which explain
// it are used up. It needs turn.
func (e *Engine) originLocked(s watcher.Save) (found origin) {
	e.mu.Lock()
	candidates := make([]*job, 0, len(e.running)+len(e.ended))
	for _, j := range e.running {
		candidates = append(candidates, j)
	}
	e.forgetEndedLocked()
	candidates = append(candidates, e.ended...)
	names := []string{s.Path}
	if f := e.folders[s.Folder]; f != nil && f.real != "" {
		if rel, err := filepath.Rel(s.Folder, s.Path); err == nil {
			names = append(names, filepath.Join(f.real, rel))
		}
	}
	e.mu.Unlock()
	if len(candidates) == 0 {
		return origin{}
	}
	seen := s.Seen
	if changed := time.Unix(0, s.Stamp.Changed); s.Scan && s.Stamp.Changed != 0 && changed.Before(seen) {
		seen = changed // a scan comes any time later
	}
	inode := inodeOf(s.Path)
	for _, j := range candidates {
		if j.over.IsZero() {
			j.journal.look()
		}
		how := j.journal.explains(names, inode, s.Stamp, seen)
		if how == noEvidence && j.mayHaveSaved(s) {
			how = mayHave
		}
		if how > found.how || how == found.how && how != noEvidence && j.chain.len() > found.by.chain.len() {
			found = origin{j, how}
		}
	}
	if found.by != nil {
		found.by = found.by.trace() // a save that is held keeps it
	}
	return found
}

// forgetEndedLocked forgets the runs that ended too long ago to explain a save. It needs mu.
func (e *Engine) forgetEndedLocked() {
	e.ended = slices.DeleteFunc(e.ended, func(j *job) bool { return time.Since(j.over) > lately && time.Now().After(j.until) })
}

// trace returns what of a job explains the saves that it has made, without source, output and
// result. Engine.turn is needed.
func (j *job) trace() *job {
	t := &job{
		id: j.id, isFile: j.isFile, chain: j.chain,
		run: api.Run{ID: j.run.ID, Script: j.run.Script, QueuedAt: j.run.QueuedAt},
	}
	left := *j.journal
	left.path, left.half, left.ended = "", nil, nil
	t.journal, t.execution = &left, &execution{over: j.over, until: j.until}
	return t
}

// explains returns what the journal shows for a save of a file of these names, which has a number,
// a stamp and a time at which it was seen. The lines that explain the save are used up: the next save
// needs other lines. A line that may be about the next save is kept, for a script that writes twice at once:
// a line that is later than the save, which it explains because clocks are coarse; and a line before which
// the file was as it is now.
func (j *journal) explains(names []string, inode uint64, stamp watcher.Stamp, seen time.Time) (how evidence) {
	now := written{stamp.Size, stamp.ModTime.UnixNano()}
	for i := range j.wrote {
		w := &j.wrote[i]
		file := slices.Contains(names, w.path)
		below := slices.ContainsFunc(names, func(name string) bool {
			return strings.HasPrefix(name, w.path+string(filepath.Separator)) // a folder was moved there
		})
		switch {
		case !file && !below, file && w.inode != 0 && inode != 0 && w.inode != inode:
			continue
		case seen.Add(sameMoment).Before(w.at):
			continue // the save came before the write
		case w.fresh(stamp, seen):
			how = max(how, proven)
		case file:
			how = max(how, likely)
		}
		untold := w.at.After(seen) || !w.kept && w.before != nil && *w.before == now
		w.used, w.kept = file && !untold, file
	}
	j.wrote = slices.DeleteFunc(j.wrote, func(w wrote) bool { return w.used })
	return how
}

// fresh reports whether a save came so soon after a line that the line explains it by itself. For a line
// that has explained a save already only saves right after it count, so that a person's save is not taken
// for the script's.
func (w *wrote) fresh(stamp watcher.Stamp, seen time.Time) bool {
	if !w.kept {
		return seen.Sub(w.at) <= freshWrite
	}
	if changed := time.Unix(0, stamp.Changed); stamp.Changed != 0 && changed.Before(seen) {
		seen = changed // on a busy machine a save is seen late
	}
	return seen.Sub(w.at) <= soonAgain
}

// mayHaveSaved reports whether other programs that a run has started may have made a save. A save
// of any other script than those of the chain does not count: many scripts may be saved while one
// is running.
func (j *job) mayHaveSaved(s watcher.Save) bool {
	if !j.journal.child || !j.isFile || s.Path != j.run.Script && !j.chain.has(s.Path) {
		return false
	}
	return j.over.IsZero() || s.Seen.Sub(j.over) < lastChild
}

// leaveOwnLocked notes a script that its own run has saved, and does not run it. It needs turn.
func (e *Engine) leaveOwnLocked(s watcher.Save, by *job) error {
	if err := e.store.noteStamp(s.Path, s.Stamp); err != nil {
		return err
	}
	e.mu.Lock()
	e.stamps[s.Path] = s.Stamp
	if l, ok := e.last[s.Path]; ok {
		l.rewritten = true
		e.last[s.Path] = l
	}
	e.mu.Unlock()
	poke(e.tidy)
	e.note(fmt.Sprintf("%s was saved by its own run %s, and is not run again", s.Path, by.run.ID))
	return nil
}

// endChainLocked writes down that a script is not run because its chain has become too long. It
// needs turn.
func (e *Engine) endChainLocked(j *job, code []byte, stamp watcher.Stamp) error {
	j.run.State = api.Cancelled
	j.run.Reason = fmt.Sprintf("not run: %d runs in a row were started because a script had saved a script (%s → %s). Save it by hand to run it",
		j.chain.length, j.chain, filepath.Base(j.run.Script))
	if err := e.recordUnrunLocked(j, code, stamp); err != nil {
		return err
	}
	e.warn(j.run.Script + " is " + j.run.Reason)
	return nil
}

// refuseSaveLocked writes down that a save is not run because there is no Blender for it. The run old
// of an older save of the script, unless it is nil, is cancelled. It needs turn.
func (e *Engine) refuseSaveLocked(j, old *job, s watcher.Save, why error) error {
	j.run.State, j.run.Error = api.Failed, noBlender(why)
	if err := e.recordUnrunLocked(j, s.Code, s.Stamp); err != nil {
		return err
	}
	if old != nil {
		e.endLocked(old, api.Run{State: api.Cancelled, Reason: replacedBy(j.id)})
	}
	e.warn(s.Path + ": " + j.run.Error.Message)
	return nil
}

// recordUnrunLocked writes down the run of a save that has ended without being queued. It needs
// turn.
func (e *Engine) recordUnrunLocked(j *job, code []byte, stamp watcher.Stamp) error {
	now := time.Now().UTC().Round(0)
	j.run.Origin, j.run.Outputs = e.cfg.Origin, []string{}
	j.run.QueuedAt, j.run.FinishedAt = now, &now
	if err := e.store.record(insert{job: j, code: code, path: j.run.Script, stamp: stamp}, kept{}); err != nil {
		return err
	}
	e.mu.Lock()
	e.stamps[j.run.Script] = stamp
	e.rememberLocked(j)
	r := j.run
	e.mu.Unlock()
	e.publishRun(r)
	poke(e.tidy)
	return nil
}
