package watcher

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// The waits of settling. A file that is known to be closed by all writers is not waited for;
// these are for the rest.
const (
	// quiet is how long there must be no event before the first look where the system does
	// not tell of closes.
	quiet = 10 * time.Millisecond
	// emptyGrace is how long an empty file is waited for: nearly always it is one whose
	// writer has just truncated it.
	emptyGrace = 50 * time.Millisecond
	// heldWait is how long the bytes of a file that stays open for writing must be stable.
	heldWait = 1500 * time.Millisecond
	// The distance of two equal looks starts at one of these and grows with the pauses the
	// writer makes, up to maxWait.
	closedWait = 20 * time.Millisecond
	eventWait  = 50 * time.Millisecond
	remoteWait = 100 * time.Millisecond
	maxWait    = 2 * time.Second
	// The pauses between tries for a lease are a quarter of the time tried so far, within
	// these bounds.
	shortestTry = 30 * time.Microsecond
	longestTry  = 250 * time.Millisecond
	// failedTries is how often a file that can't be read is tried, with longestTry between.
	failedTries = 5
)

// holding is what is known about who has a file open for writing.
type holding int

const (
	unknown holding = iota // the system can't say
	nobody
	somebody
)

// verdict is what a look at an entry came to.
type verdict struct {
	what  outcome
	at    time.Time // for later: when to look again
	marks uint64    // the marks that the look has answered
	code  []byte
	look  look
}

type outcome int

const (
	drop    outcome = iota // it is no script (any more), or nothing new
	later                  // it has not settled
	settled                // code and look are what it is now
)

// examine looks at e once. It never waits, and what it returns as settled was whole.
func (w *Watcher) examine(e *entry) verdict {
	w.mu.Lock()
	v := verdict{marks: e.marks}
	dir, slow := w.place(e)
	w.mu.Unlock()
	if !dir {
		return v
	}
	f, fi, err := openScript(e.path)
	if err != nil {
		return w.cannotRead(e, v, err)
	}
	defer f.Close() // read only; it gives the lease back too
	if w.tooLarge(e, fi) {
		return v
	}
	state, still := unknown, func() bool { return true }
	if !slow && !w.opts.adaptive {
		state, still = guard(f, e.path)
	}
	now := time.Now()
	if state == somebody && !w.wantsLook(e, now) {
		return w.again(e, v, now)
	}
	code, l, err := read(f, fi)
	if errors.Is(err, errChanged) {
		return w.again(e, v, now)
	}
	if err != nil {
		return w.cannotRead(e, v, err)
	}
	// All events of what was read are taken in now. One that comes after this, while the
	// path still is this file, tells of a later save.
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
		return w.cannotRead(e, v, err)
	}
	if slow {
		// Not all file servers number their files for good; size and time must do.
		l.id = fileID{}
	} else if !os.SameFile(there, fi) {
		return w.again(e, v, now)
	}
	if there.Size() != l.size || !there.ModTime().Equal(l.mtime) || !still() {
		return w.again(e, v, now)
	}
	v.code, v.look = code, l
	return w.judge(e, v, state, slow)
}

// judge decides whether whole bytes that were read are settled.
func (w *Watcher) judge(e *entry, v verdict, state holding, slow bool) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := v.look.at
	if state == nobody {
		v.what = settled
		if v.look.size == 0 && now.Sub(e.seen) < emptyGrace {
			v.what, v.at = later, e.seen.Add(emptyGrace)
		}
		return v
	}
	// Two equal looks, and no event since, for long enough.
	if e.last == nil || !e.last.same(v.look) {
		if e.last != nil {
			e.gap = max(e.gap, min(now.Sub(e.changedAt), maxWait))
			w.unscan(e) // it is being saved just now
			e.verify = false
		}
		l := v.look
		e.last, e.changedAt = &l, now
	}
	wait := e.wait(slow)
	if state == somebody {
		wait = heldWait
		v.look.held = true
	}
	since := e.changedAt
	if e.seen.After(since) {
		since = e.seen
	}
	if e.last.at.Before(v.look.at) && now.Sub(since) >= wait {
		v.what = settled
		v.look.waited = wait
		return v
	}
	v.what, v.at = later, since.Add(wait)
	if state == somebody {
		v.at = now.Add(longestTry)
	}
	return v
}

// wait is how far apart two equal looks at e must be; mu is held.
func (e *entry) wait(slow bool) time.Duration {
	d := eventWait
	switch {
	case slow:
		d = remoteWait
	case !e.closedAt.IsZero():
		d = closedWait
	}
	switch {
	case e.last.size == 0:
		d = max(4*d, emptyGrace)
	case e.last.tail && e.closedAt.IsZero():
		d *= 4 // most files end with a line feed when they are finished
	}
	return min(max(d, 4*e.gap), maxWait)
}

// wantsLook tells whether a file that somebody has open is to be read, to see whether it is
// stable although that writer never closes it.
func (w *Watcher) wantsLook(e *entry, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.busySince.IsZero() {
		e.busySince = now
	}
	return now.Sub(e.busySince) >= longestTry
}

// again has a file that somebody writes looked at after a quarter of the time that this has
// gone on since it was first seen, or since a writer closed it: a close is told of shortly
// before it takes effect.
func (w *Watcher) again(e *entry, v verdict, now time.Time) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	start := e.busySince
	if e.closedAt.After(start) {
		start = e.closedAt
	}
	if start.IsZero() {
		start = now
		e.busySince = now
	}
	v.what, v.at = later, now.Add(min(max(now.Sub(start)/4, shortestTry), longestTry))
	return v
}

// cannotRead decides what an error means: a file that is gone or may not be read is dropped.
func (w *Watcher) cannotRead(e *entry, v verdict, err error) verdict {
	switch {
	case isGone(err):
		w.mu.Lock()
		w.forgetSeen(e.path)
		delete(e.folder.tooLarge, e.path)
		w.mu.Unlock()
		// Perhaps it is not the file but its folder that went.
		w.askForRoots(e.folder)
		return v
	case errors.Is(err, errNoScript):
		return v
	case errors.Is(err, fs.ErrPermission):
		w.log.Warn("a script is not run because it may not be read", "path", e.path, "error", err)
		w.noteUnread(e)
		return v
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.tries++; e.tries <= failedTries {
		v.what, v.at = later, time.Now().Add(longestTry)
		return v
	}
	w.log.Warn("a script is not run because it cannot be read", "path", e.path, "error", err)
	return v
}

// tooLarge reports a file that is over the limit. It is not read before it changes.
func (w *Watcher) tooLarge(e *entry, fi fs.FileInfo) bool {
	w.mu.Lock()
	before, was := e.folder.tooLarge[e.path]
	over := fi.Size() > w.cfg.MaxFileBytes
	switch {
	case over:
		e.folder.tooLarge[e.path] = fi.Size()
	case was:
		delete(e.folder.tooLarge, e.path)
	}
	w.mu.Unlock()
	if over {
		w.noteUnread(e)
		if !was || before != fi.Size() {
			w.log.Warn("a script is not read because it is too large", "path", e.path, "bytes", fi.Size(), "limit", w.cfg.MaxFileBytes)
		}
	}
	if over || was {
		poke(w.wake) // for the status
	}
	return over
}

// noteUnread remembers what a file that isn't read looks like, so that polling leaves it
// alone until it changes.
func (w *Watcher) noteUnread(e *entry) {
	fi, err := os.Stat(e.path)
	if err != nil {
		return // gone: nothing to remember
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l := lookOf(fi, time.Now())
	l.young = false
	l.since = l.since.Add(-youth)
	w.remember(e.path, l)
}
