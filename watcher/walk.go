package watcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// sourceEvery is how often it is tried to get events from a system that refused them.
const sourceEvery = 5 * time.Second

// dir is one folder on disk that is watched or polled; guarded by Watcher.mu.
type dir struct {
	folder  *folder // that the files in it belong to
	watched bool    // with events; without them it is polled
	slow    bool    // on another machine, or polled by wish: only looks tell what has settled
	folders int     // how many dirs lie directly in it
	visit   uint64  // the last full scan that came by
	seen    map[string]look
}

// scanMode is why a folder is looked through.
type scanMode int

const (
	scanFull    scanMode = iota // to find what changed while nobody looked
	scanArrived                 // it came just now, so all that is in it was saved just now
	scanPoll                    // to find what changed since the last time
)

// walk keeps the watches in line with the folders and the disk, and makes all scans.
func (w *Watcher) walk(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var source, roots time.Time // when to try again, when to look again
	for ctx.Err() == nil {
		now := time.Now()
		w.renewSource(now, &source)
		w.adopt()
		w.mu.Lock()
		look := w.roots || !now.Before(roots) || slices.ContainsFunc(w.folders, func(f *folder) bool { return f.needsScan })
		w.roots = false
		folders := slices.Clone(w.folders)
		w.mu.Unlock()
		if look {
			for _, f := range folders {
				w.checkRoot(f)
			}
			roots = now.Add(w.rootsWait())
		}
		for _, f := range folders {
			w.scanFolder(ctx, f)
		}
		w.scanArrivals(ctx)
		next := w.poll(ctx, folders)
		w.publish()

		timer.Reset(max(0, min(time.Until(roots), time.Until(next))))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// renewSource gets events from the system, and again after they broke off.
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
	src, err := w.opts.newSource(w.take)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.log.Warn("the system gives no events, folders are polled", "error", err)
		for _, f := range w.folders {
			f.limited = limitation(err)
		}
		return
	}
	w.src, w.exact, w.rescan = src, src.exact(), true
}

// adopt carries out what was decided elsewhere: folders that were set, and a rescan.
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
	for path, d := range w.dirs {
		if f := w.owner(path); f == nil {
			w.leave(path)
		} else if f != d.folder {
			d.move(f)
		}
	}
}

// move gives d to another folder; mu is held.
func (d *dir) move(f *folder) {
	d.count(-1)
	d.folder = f
	d.count(1)
}

func (d *dir) count(n int) {
	if d.watched {
		d.folder.watched += n
	} else {
		d.folder.unwatched += n
	}
}

// checkRoot finds out whether a folder has come, gone, or become another one.
func (w *Watcher) checkRoot(f *folder) {
	fi, err := os.Stat(f.Path)
	problem := ""
	switch {
	case err == nil && !fi.IsDir():
		problem = "it is not a folder; it is watched when it becomes one"
	case isGone(err):
		problem = "it does not exist; it is watched as soon as it does"
	case err != nil:
		problem = fmt.Sprintf("it cannot be looked at: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if problem != "" {
		f.problem, f.root = problem, nil
		w.leaveTree(f.Path)
		return
	}
	if f.root != nil && !os.SameFile(f.root, fi) {
		w.leaveTree(f.Path)
	}
	if f.root == nil || w.dirs[f.Path] == nil {
		f.needsScan = true
	}
	_ = os.SameFile(fi, fi) // Windows reads now what tells files apart
	f.root, f.problem = fi, ""
}

// rootsWait is how long roots need not be looked at. Nothing tells that a folder comes into
// being, or that one above it was moved or mounted over.
func (w *Watcher) rootsWait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.folders, func(f *folder) bool { return f.problem != "" }) {
		return w.opts.retryEvery
	}
	return w.opts.checkEvery
}

// scanFolder makes the full scan that a folder needs.
func (w *Watcher) scanFolder(ctx context.Context, f *folder) {
	w.mu.Lock()
	if !f.needsScan || f.removed || f.problem != "" {
		w.mu.Unlock()
		return
	}
	f.needsScan, f.scanning, f.announce, f.denied = false, true, true, ""
	w.visits++
	visit := w.visits
	w.mu.Unlock()

	w.scanTree(ctx, f, f.Path, scanFull)

	w.mu.Lock()
	defer w.mu.Unlock()
	f.scanning = false
	if ctx.Err() != nil {
		return
	}
	for path, d := range w.dirs {
		if d.folder == f && d.visit < visit {
			w.leave(path)
		}
	}
	if w.dirs[f.Path] == nil { // it went while it was scanned
		f.announce = false
		return
	}
	w.announce(f)
}

// scanArrivals looks through folders that came.
func (w *Watcher) scanArrivals(ctx context.Context) {
	w.mu.Lock()
	paths := make([]string, 0, len(w.arrivals))
	for path := range w.arrivals {
		paths = append(paths, path)
	}
	clear(w.arrivals)
	w.mu.Unlock()
	slices.Sort(paths)
	for _, path := range paths {
		fi, err := os.Lstat(path)
		if err != nil || !fi.IsDir() {
			continue // gone again, or no folder
		}
		w.mu.Lock()
		f := w.owner(path)
		w.mu.Unlock()
		if f != nil {
			w.scanTree(ctx, f, path, scanArrived)
		}
	}
}

// poll looks through all folders without events that are due, and says when the next is.
func (w *Watcher) poll(ctx context.Context, folders []*folder) (next time.Time) {
	next = time.Now().Add(time.Hour)
	for _, f := range folders {
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
		for _, path := range due {
			if ctx.Err() != nil {
				return next
			}
			if d := w.enter(path); d != nil {
				for _, sub := range w.list(ctx, f, d, path, scanPoll) {
					w.scanTree(ctx, f, sub, scanArrived)
				}
			}
		}
		w.mu.Lock()
		if len(due) > 0 {
			every := time.Duration(f.Poll)
			if every == 0 {
				every = w.opts.pollEvery
			}
			f.nextPoll = time.Now().Add(max(every, 10*time.Since(start)))
		}
		if f.unwatched == 0 {
			f.limited = ""
		} else if f.nextPoll.Before(next) {
			next = f.nextPoll
		}
		w.mu.Unlock()
	}
	return next
}

// publish tells of folders' statuses when they have changed.
func (w *Watcher) publish() {
	w.mu.Lock()
	now := w.statuses()
	changed := !slices.Equal(now, w.published)
	w.published = now
	w.mu.Unlock()
	if changed && w.cfg.Changed != nil {
		w.cfg.Changed(slices.Clone(now))
	}
}

// askForRoots has the walker look whether f is still there.
func (w *Watcher) askForRoots(f *folder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !f.removed {
		w.roots = true
		poke(w.wake)
	}
}

// scanTree goes through top, which f covers, and what lies below it. Each folder is watched
// before it is listed, so that no file falls between.
func (w *Watcher) scanTree(ctx context.Context, f *folder, top string, mode scanMode) {
	todo := []string{top}
	for len(todo) > 0 && ctx.Err() == nil {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if d := w.enter(path); d != nil {
			todo = append(todo, w.list(ctx, f, d, path, mode)...)
		}
	}
}

// enter begins to watch one folder, or says that it is to be polled. It gives nil for one
// that is gone or belongs to nobody.
func (w *Watcher) enter(path string) *dir {
	slow := w.opts.isRemote(path)
	w.mu.Lock()
	f := w.owner(path)
	if f == nil {
		w.mu.Unlock()
		return nil
	}
	d := w.dirs[path]
	if d == nil {
		d = &dir{folder: f, seen: map[string]look{}}
		w.dirs[path] = d
		d.count(1)
		if up := w.dirs[filepath.Dir(path)]; up != nil && up != d {
			up.folders++
		}
	} else if d.folder != f {
		d.move(f)
	}
	d.visit = w.visits
	d.slow = slow || f.Poll > 0
	src := w.src
	if d.slow {
		d.setWatched(false)
		if src != nil {
			src.remove(path)
		}
		src = nil
	}
	w.mu.Unlock()
	if src == nil {
		return d
	}

	err := src.add(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dirs[path] != d { // it went meanwhile
		src.remove(path)
		return nil
	}
	d.setWatched(err == nil)
	switch {
	case err == nil:
	case isGone(err):
		w.leave(path)
		return nil
	case errors.Is(err, fs.ErrPermission): // list will say so
	default:
		if f.limited == "" {
			w.log.Warn("a folder is polled because the system does not watch it", "path", path, "error", err)
		}
		f.limited = limitation(err)
	}
	return d
}

func (d *dir) setWatched(watched bool) {
	d.count(-1)
	d.watched = watched
	d.count(1)
}

func limitation(err error) string {
	if s := watchError(err); s != "" {
		return s
	}
	return fmt.Sprintf("it is polled, for the system does not watch it: %v", err)
}
