package watcher

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Of a script that can be written by other names than its own, no event tells in the folder of its
// own name: its target lies elsewhere, a link on the way to the target is replaced (Kubernetes
// does that with its ..data), or the file has a second name. Such scripts are looked at regularly.

// noteLink notes whether a script can be written by other names than path.
func (w *Watcher) noteLink(path string, linked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.dirs[filepath.Dir(path)]
	if d == nil {
		return
	}
	name := filepath.Base(path)
	_, was := d.linked[name]
	switch {
	case linked && !was:
		if d.linked == nil {
			d.linked = map[string]struct{}{}
		}
		d.linked[name] = struct{}{}
		d.folder.links++
	case was && !linked:
		delete(d.linked, name)
		d.folder.links--
	default:
		return
	}
	poke(w.wake) // for the status, and to look at it
}

// lookAtLinks looks at the linked scripts in the watched folders of f that are due, and returns when
// to do that again.
func (w *Watcher) lookAtLinks(ctx context.Context, f *folder) (next time.Time) {
	type link struct {
		d          *dir
		path, name string
	}
	var due []link
	start := time.Now()
	w.mu.Lock()
	switch {
	case f.links == 0:
		w.mu.Unlock()
		return start.Add(time.Hour)
	case start.Before(f.nextLinks):
		defer w.mu.Unlock()
		return f.nextLinks
	}
	for path, d := range w.dirs {
		if d.folder == f && d.watched { // a polled folder's scripts are looked at anyway
			for name := range d.linked {
				due = append(due, link{d, join(path, name), name})
			}
		}
	}
	w.mu.Unlock()
	slices.SortFunc(due, func(a, b link) int { return cmp.Compare(a.path, b.path) })
	for _, l := range due {
		if ctx.Err() != nil {
			break
		}
		w.consider(l.d, l.path, l.name, look{mode: scanPoll})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.nextLinks = time.Now().Add(max(w.pollEveryOf(f), 10*time.Since(start)))
	return f.nextLinks
}

// linksNoteLocked returns the sentence for the status about the linked scripts of f, or "". It
// needs mu.
func (w *Watcher) linksNoteLocked(f *folder) string {
	every := w.pollEveryOf(f)
	switch f.links {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 script is a link, has several names or lies where nobody may look; it is looked at every %v", every)
	}
	return fmt.Sprintf("%d scripts are links, have several names or lie where nobody may look; they are looked at every %v", f.links, every)
}

// pollEveryOf returns how often f is polled.
func (w *Watcher) pollEveryOf(f *folder) time.Duration {
	if f.Poll > 0 {
		return time.Duration(f.Poll)
	}
	return w.opts.pollEvery
}
