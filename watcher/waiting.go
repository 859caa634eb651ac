package watcher

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"blendtray/api"
)

// program is a program that a script waits for.
type program struct {
	name string
	pid  int
}

// findHolders finds out for which programs the scripts wait that the status reports, and returns
// when to ask again.
func (w *Watcher) findHolders(now time.Time) (next time.Time) {
	w.mu.Lock()
	var waiting []*entry
	for _, e := range w.dirty {
		if e.reported {
			waiting = append(waiting, e)
		}
	}
	w.mu.Unlock()
	if len(waiting) == 0 {
		return now.Add(time.Hour)
	}
	for _, e := range waiting {
		name, pid := holderOf(e.path)
		w.mu.Lock()
		e.holder = program{name, pid}
		w.mu.Unlock()
	}
	return now.Add(max(w.opts.holderEvery, 10*time.Since(now)))
}

// waitingLocked returns the scripts of f that have waited for their writers for long, by path. It
// needs mu.
func (w *Watcher) waitingLocked(f *folder) []api.WaitingScript {
	all := []api.WaitingScript{}
	for _, e := range w.dirty {
		if e.folder != f || !e.reported {
			continue
		}
		who := "another program"
		if e.holder.pid != 0 {
			who = fmt.Sprintf("%s (process %d)", e.holder.name, e.holder.pid)
		}
		all = append(all, api.WaitingScript{
			Path: e.path, Since: e.busySince.UTC().Round(0), Process: e.holder.name, PID: e.holder.pid,
			Hint: fmt.Sprintf("it waits until %s has closed it; run it now with: blendtray run %s", who, quoted(e.path)),
		})
	}
	slices.SortFunc(all, func(a, b api.WaitingScript) int { return cmp.Compare(a.Path, b.Path) })
	return all
}
