package watcher

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

// sourceEvery is how often the walker asks for events again when the system refused them.
const sourceEvery = 5 * time.Second

// dir is one folder on disk that is watched or polled. Its fields are guarded by Watcher.mu.
type dir struct {
	folder   *folder   // the watched folder that the files in it belong to
	watched  bool      // with events that tell everything; without them it is polled
	slow     bool      // on another machine: only closes that were told and equal snapshots show what has settled
	folders  int       // how many dirs lie directly in it
	visit    uint64    // number of the last full scan that visited it
	id       fileID    // of the folder that lies there
	born     int64     // when it was made: see folderBorn
	ended    bool      // its watch has ended
	replaced bool      // another folder lies there than was listed
	fresh    bool      // it appeared while its parent was watched, or while it was waited for
	arrived  bool      // it appeared while its parent was watched, and could not be read
	unread   bool      // it could not be read when it was last to be listed
	listed   bool      // it was listed to its end since it was entered
	checked  time.Time // when its watch was last found there
	seen     map[string]snapshot
	linked   map[string]struct{} // the scripts in it that can be written by other names
}

// scanMode is why a folder is scanned.
type scanMode int

const (
	scanFull    scanMode = iota // to find what changed while nothing was watched or waited for
	scanArrived                 // the folder appeared just now, so everything in it was saved just now
	scanPoll                    // to find what changed since the last poll
)

// look says how folders are scanned.
type look struct {
	mode scanMode
	// since, when it is set, is when the watch or the wait began, for a full scan that comes later:
	// what was saved after that is a save and no find.
	since time.Time
	// anew is set when what lies there may be something else than before. If no script in it is
	// known then, first is set: it is the first look at it.
	anew, first bool
	// written is set when the rights of what lies there may have changed since, as by chmod -R, which
	// changes the times of all inodes. Only the time of the last writing shows then what was saved.
	written bool
}

// entry returns how the look enters folders. A folder that came into being while it was watched or
// waited for had no script in it before.
func (l look) entry() entering {
	if l.mode == scanArrived || !l.since.IsZero() {
		return appeared
	}
	return met
}

// walk keeps the watches in line with the folders and the disk, and makes all scans, until ctx
// ends.
func (w *Watcher) walk(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var source, roots time.Time // when to ask for a source again, when to check the roots again
	for ctx.Err() == nil {
		now := time.Now()
		w.renewSource(now, &source)
		w.adopt()
		w.mu.Lock()
		w.looking = true
		check := w.roots || !now.Before(roots) || slices.ContainsFunc(w.folders, func(f *folder) bool { return f.needsScan })
		w.roots = false
		folders := slices.Clone(w.folders)
		w.mu.Unlock()
		if check {
			for _, f := range folders {
				w.checkRoot(f)
				w.reconsider(f)
			}
			w.checkWatches()
			w.checkTwins(ctx)
			roots = pulse.Next(now, w.rootsWait())
		}
		w.scanFolders(ctx, folders)
		w.scanArrivals(ctx)
		w.markFinds() // first, so that polling does not take them for saves
		w.mu.Lock()
		w.announceMovesLocked()
		w.mu.Unlock()
		next := w.poll(ctx, folders)
		w.markFinds()
		w.forgetGone()
		if ask := w.findHolders(time.Now()); ask.Before(next) {
			next = ask
		}
		w.publish()
		w.mu.Lock()
		w.looking = false
		w.mu.Unlock()

		timer.Reset(max(0, min(time.Until(roots), time.Until(next))))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// renewSource asks the system for events, when there is no source and after the source broke
// down. It asks at most once every sourceEvery; next is when it may ask again.
func (w *Watcher) renewSource(now time.Time, next *time.Time) {
	w.mu.Lock()
	old := w.src
	if old != nil && !w.broken || old == nil && now.Before(*next) {
		w.mu.Unlock()
		return
	}
	w.src, w.broken = nil, false
	for _, d := range w.dirs {
		if d.watched {
			d.watched = false
			d.folder.watched--
			d.folder.unwatched++
		}
	}
	w.mu.Unlock()
	if old != nil {
		old.close()
		if now.Before(*next) {
			return
		}
	}
	*next = now.Add(sourceEvery)
	src, err := w.opts.newSource(w.noteHint)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.log.Warn("the system sends no events; folders are polled", "error", err)
		w.noSource = limitation(err)
		return
	}
	w.noSource = ""
	w.src, w.exact, w.rescan = src, src.exact(), true
}

// adopt applies what other goroutines have asked for: a rescan, and folders that were set.
func (w *Watcher) adopt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rescan {
		w.rescan = false
		for _, f := range w.folders {
			f.needsScan = true
		}
	}
	if !w.regroup {
		return
	}
	w.regroup = false
	for _, f := range w.folders {
		if len(f.twins) > 0 { // the other names may not be watched any more
			f.needsScan = true
		}
	}
	for path, d := range w.dirs {
		if f := w.ownerLocked(path); f == nil {
			w.unwatchLocked(path)
		} else if f != d.folder {
			d.moveLocked(f)
		}
	}
}

// moveLocked makes d belong to another watched folder. It needs mu.
func (d *dir) moveLocked(f *folder) {
	d.countLocked(-1)
	d.folder.links -= len(d.linked)
	d.folder = f
	d.countLocked(1)
	d.folder.links += len(d.linked)
}

// countLocked adds n to the number of folders that d's watched folder has in d's state. It
// needs mu.
func (d *dir) countLocked(n int) {
	if d.watched {
		d.folder.watched += n
	} else {
		d.folder.unwatched += n
	}
}

// scanFolders makes the full scans that folders need. What they find is marked when all of them
// are made, so that it is handed on in the order in which it was saved.
func (w *Watcher) scanFolders(ctx context.Context, folders []*folder) {
	w.mu.Lock()
	w.visits++
	visit := w.visits
	w.mu.Unlock()
	var scanned []*folder
	for _, f := range folders {
		if w.scanFolder(ctx, f) {
			scanned = append(scanned, f)
		}
	}
	w.markFinds()

	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range scanned {
		f.scanning = false
		if ctx.Err() != nil {
			continue
		}
		for path, d := range w.dirs {
			if d.folder == f && d.visit < visit {
				w.unwatchLocked(path)
			}
		}
		if w.dirs[f.Path] == nil { // it was removed while it was scanned
			f.announce = false
			continue
		}
		w.announceLocked(f)
	}
}

// scanFolder makes the full scan that a folder needs, and reports whether it needed one.
func (w *Watcher) scanFolder(ctx context.Context, f *folder) bool {
	w.mu.Lock()
	if !f.needsScan || f.removed || f.problem != "" {
		w.mu.Unlock()
		return false
	}
	f.needsScan, f.scanning, f.announce = false, true, true
	l := f.next
	f.next = look{}
	clear(f.twins)
	if f.began.IsZero() {
		f.began = time.Now()
	}
	w.mu.Unlock()
	w.scanTree(ctx, f, f.Path, l)
	return true
}

// scanArrivals scans the folders that have appeared.
func (w *Watcher) scanArrivals(ctx context.Context) {
	w.mu.Lock()
	arrivals := w.arrivals
	w.arrivals = map[string]look{}
	w.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(arrivals)) {
		fi, err := os.Lstat(path)
		if err != nil || !fi.IsDir() {
			continue // it is gone again, or no folder
		}
		l := arrivals[path]
		w.mu.Lock()
		f, d := w.ownerLocked(path), w.dirs[path]
		// A first look that was made meanwhile is not made again: it would find later saves.
		done := l.mode == scanFull && l.since.IsZero() && d != nil && d.listed && !d.ended
		w.mu.Unlock()
		if f != nil && !done {
			w.scanTree(ctx, f, path, l)
		}
	}
}

// poll scans all folders without events that are due, and returns when the next one is due.
func (w *Watcher) poll(ctx context.Context, folders []*folder) (next time.Time) {
	next = time.Now().Add(time.Hour)
	for _, f := range folders {
		if links := w.lookAtLinks(ctx, f); links.Before(next) {
			next = links
		}
		w.mu.Lock()
		var due []string
		start := time.Now()
		if f.unwatched > 0 && !start.Before(f.nextPoll) {
			for path, d := range w.dirs {
				if d.folder == f && !d.watched {
					due = append(due, path)
				}
			}
		}
		w.mu.Unlock()
		slices.Sort(due)
		dirs := make([]*dir, len(due))
		for n, path := range due { // all of them first, so that a renamed folder is known to be gone
			dirs[n] = w.enter(f, path, again)
		}
		for n, path := range due {
			if ctx.Err() != nil {
				return next
			}
			if d := dirs[n]; d != nil {
				subs, l := w.list(ctx, f, d, path, look{mode: scanPoll})
				for _, sub := range subs {
					w.scanTree(ctx, f, sub, l)
				}
			}
		}
		w.mu.Lock()
		if len(due) > 0 {
			f.nextPoll = time.Now().Add(max(w.pollEveryOf(f), 10*time.Since(start)))
		}
		if f.unwatched > 0 && f.nextPoll.Before(next) {
			next = f.nextPoll
		}
		w.mu.Unlock()
	}
	return next
}

// publish calls Changed when a folder's status has changed.
func (w *Watcher) publish() {
	w.mu.Lock()
	now := w.statusesLocked()
	changed := !slices.EqualFunc(now, w.published, api.FolderStatus.Equal)
	w.published = now
	w.mu.Unlock()
	if changed && w.cfg.Changed != nil {
		w.cfg.Changed(slices.Clone(now))
	}
}

// scanTree scans top, which f covers, and the folders below it. Each folder is watched before it
// is listed, so that no file is missed in between.
func (w *Watcher) scanTree(ctx context.Context, f *folder, top string, l look) {
	if again, was := w.refusedLook(f, top); was {
		l = again
	}
	if l.anew {
		l.first = !w.anyKnown(ctx, f, top)
	}
	type task struct {
		path string
		look look
	}
	todo := []task{{top, l}}
	for len(todo) > 0 && ctx.Err() == nil {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, was := w.refusedLook(f, next.path); was && next.path != top {
			w.scanTree(ctx, f, next.path, next.look)
			continue
		}
		if d := w.enter(f, next.path, next.look.entry()); d != nil {
			subs, l := w.list(ctx, f, d, next.path, w.lookInto(ctx, f, next.path, next.look))
			for _, sub := range slices.Backward(subs) { // the last of todo is the next
				todo = append(todo, task{sub, l})
			}
		}
	}
}
