package watcher

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"blendtray/api"
)

// The waits of settling. The watcher does not wait for a file that all writers are known to have
// closed; these waits are for all other files.
const (
	// quiet is how long there must be no event before the first examination, where the system
	// does not report closes.
	quiet = 10 * time.Millisecond
	// closedWait is how far apart two equal snapshots must be when the system has told that a
	// writer closed the file, but can't say whether it was the last writer. Where no close was
	// told, the folder's setting settle holds, which is no less than settleFloor. Both grow with
	// the pauses that the writer makes, up to maxWait.
	closedWait  = 20 * time.Millisecond
	settleFloor = 50 * time.Millisecond
	maxWait     = 2 * time.Second
	// The pauses between tries for a lease are a quarter of the time tried so far, within
	// these bounds. After reportAfter they are lateTry.
	shortestTry = 30 * time.Microsecond
	longestTry  = 250 * time.Millisecond
	// refusedWait is the wait before a save that was not taken is handed on again.
	refusedWait = time.Second
	lateTry     = time.Second
	// failedTries is how often reading is tried again when it failed, with longestTry between.
	failedTries = 5
)

// holding is what is known about who has a file open for writing.
type holding int

const (
	unknown holding = iota // the system can't say
	nobody
	somebody
)

// verdict is the result of examining an entry.
type verdict struct {
	what  outcome
	at    time.Time // for later: when to examine the entry again
	marks uint64    // the number of marks that this examination answers
	code  []byte
	snap  snapshot
}

type outcome int

const (
	drop    outcome = iota // the file is no script (any more), or nothing new
	later                  // the file has not settled
	settled                // code and snap are the file as it is now
)

// examine reads the file of e once and returns whether it has settled. It never waits. The code
// of a settled file is whole.
func (w *Watcher) examine(e *entry) verdict {
	w.mu.Lock()
	v := verdict{marks: e.marks}
	dir, slow := w.placeLocked(e)
	w.mu.Unlock()
	if !dir {
		return v
	}
	f, fi, linked, err := openScript(e.path)
	w.noteLink(e.path, linked)
	if err != nil {
		return w.cannotRead(e, v, fi, err)
	}
	defer f.Close() // read only; this ends the lease, too
	if w.refusesFile(e, f, fi) || w.tooLarge(e, fi) {
		return v
	}
	if fi.Size() == 0 {
		// Its writer has just truncated it, or it holds the place of a script that is to come.
		// What is written into it is a save.
		w.noteSnapshot(e, snapshotOf(fi, time.Now()))
		return v
	}
	state, still := unknown, func() bool { return true }
	if !slow && !w.opts.adaptive {
		state, still = guard(f, e.path)
	}
	now := time.Now()
	if state == somebody || state == unknown && w.isOpen(e) {
		return w.retry(e, v, now)
	}
	code, s, err := read(f, fi)
	if errors.Is(err, errChanged) {
		return w.retry(e, v, now)
	}
	if err != nil {
		return w.cannotRead(e, v, fi, err)
	}
	// The drain notes all events of what was read. An event that comes after it, while the path
	// is still this file, belongs to a later save.
	w.mu.Lock()
	src := w.src
	w.mu.Unlock()
	if src != nil {
		src.drain()
	}
	w.mu.Lock()
	v.marks = e.marks
	w.mu.Unlock()
	there, err := os.Stat(e.path)
	if err != nil {
		return w.cannotRead(e, v, fi, err)
	}
	if slow {
		// Some file servers change the numbers of their files; size and time must do.
		s.id, s.born = fileID{}, 0
	} else if !os.SameFile(there, fi) {
		return w.retry(e, v, now)
	}
	if there.Size() != s.size || !there.ModTime().Equal(s.mtime) || !still() {
		return w.retry(e, v, now)
	}
	v.code, v.snap = code, s
	return w.judge(e, v, state)
}

// judge decides whether a file that was read whole has settled.
func (w *Watcher) judge(e *entry, v verdict, state holding) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := v.snap.at
	if state == nobody {
		v.what = settled
		return v
	}
	if before, ok := w.recallLocked(e.path); ok && before.same(v.snap) {
		v.what = settled // nothing new, so there is nothing to wait for
		return v
	}
	// There must be two equal snapshots, and no event since, for long enough.
	if e.last == nil || !e.last.same(v.snap) {
		if e.last != nil && (!e.last.sameWrite(v.snap) || e.last.hash != v.snap.hash) {
			e.gap = max(e.gap, min(now.Sub(e.changedAt), maxWait))
			e.grown = v.snap.size > e.last.size
			w.unscanLocked(e) // the file is being saved just now
			e.verify = false
		}
		s := v.snap
		e.last, e.changedAt = &s, now
	}
	wait := w.waitLocked(e, v.code)
	since := e.changedAt
	if e.seen.After(since) {
		since = e.seen
	}
	if e.last.at.Before(v.snap.at) && now.Sub(since) >= wait {
		v.what = settled
		v.snap.waited = wait
		return v
	}
	v.what, v.at = later, since.Add(wait)
	return v
}

// waitLocked returns how far apart two equal snapshots of e must be; code is the file's content. It
// needs mu.
func (w *Watcher) waitLocked(e *entry, code []byte) time.Duration {
	d := max(time.Duration(e.folder.Settle), settleFloor)
	switch {
	case !e.closedAt.IsZero():
		d = closedWait
	case unfinished(code):
		d *= 3
	case e.grown, !bytes.HasSuffix(code, []byte("\n")): // most files end with a line feed when they are finished
		d *= 2
	}
	return max(d, min(4*e.gap, maxWait))
}

// isOpen reports whether the system's events say that a writer has the file of e open.
func (w *Watcher) isOpen(e *entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return e.open
}

// retry returns the verdict "later" for a file that somebody is writing. The next examination
// comes after a quarter of the time since the file was first found being written, or since a
// writer closed it: the event of a close comes shortly before the close takes effect.
func (w *Watcher) retry(e *entry, v verdict, now time.Time) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	start := e.busySince
	if e.closedAt.After(start) {
		start = e.closedAt
	}
	if e.busySince.IsZero() {
		e.busySince = now
	}
	if start.IsZero() {
		start = now
	}
	longest := longestTry
	if now.Sub(e.busySince) >= w.opts.reportAfter {
		longest = lateTry
		if !e.reported {
			e.reported = true
			poke(w.wake) // for the status
		}
	}
	v.what, v.at = later, now.Add(min(max(now.Sub(start)/4, shortestTry), longest))
	return v
}

// cannotRead returns what an error of reading means. A file that is gone or may not be read is
// dropped; other errors are tried again. fi is what the file was before it was to be read, or nil.
func (w *Watcher) cannotRead(e *entry, v verdict, fi fs.FileInfo, err error) verdict {
	switch {
	case isGone(err):
		w.mu.Lock()
		w.forgetSeenLocked(e.path)
		w.clearTroubleLocked(notRead, e.path)
		delete(e.folder.refused, e.path)
		w.mu.Unlock()
		// Perhaps not only the file but its folder is gone.
		w.requestRootCheck(e.folder)
		return v
	case errors.Is(err, errNoScript):
		return v
	case errors.Is(err, fs.ErrPermission) && fi == nil:
		w.mu.Lock()
		scan, absent := e.scan && !e.late, e.absent
		w.mu.Unlock()
		w.noteBarred(e.path, err, scan, absent)
		return v
	case errors.Is(err, fs.ErrPermission):
		w.noteUnread(e, fi, api.NameInLine(e.path)+" cannot be read, so it does not run: "+reason(err))
		return v
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.tries++; e.tries <= failedTries {
		v.what, v.at = later, time.Now().Add(longestTry)
		return v
	}
	if text := api.NameInLine(e.path) + " cannot be read, so it does not run: " + reason(err); w.noteTroubleLocked(notRead, e.path, text) {
		w.log.Warn("a script does not run", "error", text)
	}
	return v
}

// tooLarge reports whether a file is over the limit of size, and notes that for the status. Such
// a file is not read before it changes.
func (w *Watcher) tooLarge(e *entry, fi fs.FileInfo) bool {
	if fi.Size() <= w.cfg.MaxFileBytes {
		return false
	}
	w.noteUnread(e, fi, fmt.Sprintf("%s is not read: its %d bytes are more than the %d that a script may have", api.NameInLine(e.path), fi.Size(), w.cfg.MaxFileBytes))
	return true
}

// noteUnread takes a snapshot of a file that is not read, so that polling leaves the file alone
// until it changes. fi is what was refused, and not what the file is by now: a change that was made
// in between must be seen. Where fi is nil there is nothing to remember. text says for the status why
// the file is not read; where it is empty, the caller says so.
func (w *Watcher) noteUnread(e *entry, fi fs.FileInfo, text string) {
	if fi == nil {
		return
	}
	s := snapshotOf(fi, time.Now())
	s.young = false
	s.since = s.since.Add(-youth)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, slow := w.placeLocked(e); slow {
		s.id = fileID{}
	}
	s.unread, s.scan = true, e.scan && !e.late
	if before, ok := w.recallLocked(e.path); ok && before.unread && before.sameWrite(s) {
		s.scan = before.scan // no event that has come since says that it was saved
	}
	if text != "" && w.noteTroubleLocked(notRead, e.path, text) {
		w.log.Warn("a script does not run", "error", text)
	}
	w.noteSnapshotLocked(e, s) // with the trouble: who forgets the one forgets the other
}

// noteSnapshot remembers the snapshot of a file that is not handed on.
func (w *Watcher) noteSnapshot(e *entry, s snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteSnapshotLocked(e, s)
}

// noteSnapshotLocked is noteSnapshot for a caller that has mu.
func (w *Watcher) noteSnapshotLocked(e *entry, s snapshot) {
	if before, ok := w.recallLocked(e.path); ok && before.same(s) {
		s.since = before.since
	}
	s.absent = e.absent
	w.rememberLocked(e.path, s)
}
