package fleet

import (
	"context"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// checkWaiting finds out which of the waiting Blenders have read something that has changed
// since: the program, preferences, add-ons, the environment. It looks at Blenders without a file and
// at Blenders with that file alone: another file may lie on a drive that does not answer.
func (f *Fleet) checkWaiting(file string) {
	f.markOutdated(func(m *member) bool { return m.scene == "" || m.scene == file })
}

// markOutdated marks those waiting Blenders that have read something that has changed since.
func (f *Fleet) markOutdated(which func(*member) bool) {
	f.mu.Lock()
	var waiting []*member
	for _, m := range f.members {
		if m.use == clean && !m.parked && !m.stale && m.status.State == api.BlenderReady && which(m) {
			waiting = append(waiting, m)
		}
	}
	f.mu.Unlock()
	for _, m := range waiting {
		if !m.b.Outdated() {
			continue
		}
		f.mu.Lock()
		if m.use == clean {
			m.stale = true
			f.newsLocked()
		}
		f.mu.Unlock()
	}
}

// Alert wakes the Blender that would execute a request if the request came now, and finds out
// meanwhile whether the Blender has read something that has changed since. It returns at once.
func (f *Fleet) Alert(req blender.Request) {
	n := needOf(req)
	f.mu.Lock()
	i := choose(f.viewsLocked(), n)
	if i < 0 || !f.wanted {
		f.mu.Unlock()
		return
	}
	m := f.members[i]
	f.mu.Unlock()
	m.b.Alert()
	go f.checkFor(context.Background(), n.scene)
}

// check is a call of checkWaiting.
type check struct {
	begun time.Time
	done  chan struct{} // closed at its end
}

// checkedLately is for how long what checkFor has found out holds: the time from a save to its run.
const checkedLately = 5 * time.Millisecond

// checkFor calls checkWaiting, unless that was done for the same file a moment ago. It returns at the
// end of ctx, too: a drive that does not answer holds up nobody but those who need its file.
func (f *Fleet) checkFor(ctx context.Context, file string) {
	asked := time.Now()
	for {
		f.mu.Lock()
		c := f.checks[file]
		if c == nil || c.isDone() && asked.Sub(c.begun) >= checkedLately {
			c = &check{begun: time.Now(), done: make(chan struct{})}
			f.noteCheckLocked(file, c)
			go func() {
				defer close(c.done)
				f.checkWaiting(file)
			}()
		}
		f.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return
		}
		if asked.Sub(c.begun) < checkedLately {
			return
		}
	}
}

// noteCheckLocked notes a check, and forgets those of files that were not needed lately. It needs mu.
func (f *Fleet) noteCheckLocked(file string, c *check) {
	if f.checks == nil {
		f.checks = map[string]*check{}
	}
	for other, old := range f.checks {
		if old.isDone() && time.Since(old.begun) > time.Second {
			delete(f.checks, other)
		}
	}
	f.checks[file] = c
}

// isDone reports whether the check has come to its end.
func (c *check) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
