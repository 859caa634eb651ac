package fleet

import (
	"time"

	"blendtray/api"
)

const (
	// firstRetry is after how long a Blender that failed is tried again by itself; the time
	// doubles with each failure, up to lastRetry.
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
)

// startAnew starts the Blender of a member, which has failed since a person asked for a start.
func (f *Fleet) startAnew(m *member) {
	f.moving.Lock()
	defer f.moving.Unlock()
	f.mu.Lock()
	wanted := f.wanted && !f.over && !m.parked && m.ending == 0
	f.mu.Unlock()
	if wanted {
		m.b.Start()
	}
	f.mu.Lock()
	m.anew = false
	f.newsLocked()
	f.mu.Unlock()
	f.publish()
}

// shownLocked returns how the member is. A Blender that failed counts as failed while it tries
// again by itself, and as starting where a person has asked for the next attempt. It needs mu.
func (m *member) shownLocked() api.BlenderStatus {
	st := m.status
	switch {
	case m.failures > 0 && st.State == api.BlenderStarting:
		return m.failed
	case m.anew && st.State == api.BlenderFailed:
		st.State, st.Reason = api.BlenderStarting, ""
	}
	return st
}

// retry has Blenders that failed try again, after longer and longer times: the program may be
// there now, or the drive that it is on.
func (f *Fleet) retry() {
	f.moving.Lock()
	defer f.moving.Unlock()
	f.mu.Lock()
	var again []*member
	for _, m := range f.members {
		if m.parked || m.status.State != api.BlenderFailed || !f.wanted {
			continue
		}
		wait := min(firstRetry<<max(0, min(m.failures-1, 10)), lastRetry)
		if time.Since(m.retried) >= wait {
			m.retried = time.Now()
			f.opensLocked(m)
			again = append(again, m)
		}
	}
	f.mu.Unlock()
	for _, m := range again {
		m.b.Start()
	}
}
