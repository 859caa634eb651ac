package fleet

import (
	"time"

	"blendtray/api"
)

// Status returns how the fleet is, as that of one Blender: the one that executes a run, or the
// one that the next run will find.
func (f *Fleet) Status() api.BlenderStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if !m.parked {
			m.status = m.b.Status() // with its memory
		}
	}
	return f.statusLocked()
}

func (f *Fleet) statusLocked() api.BlenderStatus {
	state, i := summary(f.viewsLocked())
	st := api.BlenderStatus{}
	if i >= 0 {
		st = f.members[i].shownLocked()
	}
	st.Name, st.Kind, st.State = f.cfg.Spec.Name, api.BlenderOwn, state
	st.Port, st.Waiting = 0, 0
	for _, m := range f.members {
		switch {
		case m.parked:
		case m.use == keeps:
			st.Port = m.status.Port // the only one that others may connect to
		case m.use == clean && m.scene == "" && !m.busy && m.status.State == api.BlenderReady:
			st.Waiting++
		}
	}
	switch {
	case f.over || !f.wanted:
		st.State = api.BlenderStopped
		for _, m := range f.members {
			if m.status.State != api.BlenderStopped && m.status.State != api.BlenderFailed {
				st.State = api.BlenderStopping
			}
		}
		st.Run, st.Reason = "", ""
		if st.State == api.BlenderStopped {
			st.PID, st.MemoryBytes = 0, 0
		}
	case i < 0 && f.serving && f.spec.Fleet.Ahead == 0:
		st.State, st.Reason = api.BlenderReady, "a Blender is started when a run needs it"
	case i < 0 && f.serving:
		st.State = api.BlenderStarting
	case i < 0:
		st.State, st.Reason = api.BlenderStopped, "not started yet"
	case st.Reason == "" && f.shutOutLocked() != "":
		st.Reason = f.shutOutLocked()
	case st.Reason == "" && f.unopenedLocked() != "":
		st.Reason = f.unopenedLocked()
	case f.scarce && st.Reason == "":
		st.Reason = "memory is short, so no Blender is started before it is needed"
	}
	return st
}

// shutOutLocked returns why the Blender that keeps its state waits with its start, or "". It needs mu.
func (f *Fleet) shutOutLocked() string {
	for _, m := range f.members {
		if m.use == keeps && !m.parked && m.status.State == api.BlenderStarting && m.status.Reason != "" {
			return m.status.Reason
		}
	}
	return ""
}

// unopenedLocked returns which file no Blender can open before a run needs it, and why, or "". It
// needs mu.
func (f *Fleet) unopenedLocked() string {
	const what = "no Blender waits with its scene open: "
	for _, s := range f.scenes {
		if s.there && s.unopened != "" {
			return what + s.unopened
		}
	}
	for _, m := range f.members {
		if st := m.shownLocked(); m.use == clean && m.scene != "" && !m.parked && st.State == api.BlenderFailed {
			return what + st.Reason
		}
	}
	return ""
}

// Processes returns the Blenders of the fleet, those without a process left out.
func (f *Fleet) Processes() []api.ProcessStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []api.ProcessStatus
	last := f.lastLocked()
	for _, m := range f.members {
		st := m.b.Status()
		if st.PID == 0 {
			continue
		}
		left := ""
		if m == last {
			left = m.left
		}
		var kept *time.Time
		if m.pid == st.PID && !m.kept.IsZero() {
			at := m.kept.UTC().Round(0)
			kept = &at
		}
		all = append(all, api.ProcessStatus{
			Blender: f.cfg.Spec.Name, PID: st.PID, State: st.State, Use: m.use.String(), Run: st.Run, Left: left,
			Port: st.Port, MemoryBytes: st.MemoryBytes, Scene: m.scene, Session: m.session, KeptAt: kept,
		})
	}
	return all
}

// publish calls Changed when the status is another one.
func (f *Fleet) publish() {
	f.telling.Lock()
	defer f.telling.Unlock()
	f.mu.Lock()
	st := f.statusLocked()
	same := sameButMemory(st, f.told)
	f.told = st
	f.mu.Unlock()
	if !same {
		f.cfg.Changed(st)
	}
}

// sameButMemory reports whether two statuses differ in nothing but the memory, which changes all
// the time.
func sameButMemory(a, b api.BlenderStatus) bool {
	a.MemoryBytes, b.MemoryBytes = 0, 0
	return a == b
}
