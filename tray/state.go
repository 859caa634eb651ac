package tray

import (
	"time"

	"blendtray/api"
)

// Link is how the tray stands to an engine.
type Link int

// The links.
const (
	Connecting Link = iota // none has answered yet
	Attached
	Lost // one answered, and is gone
)

// RecentRuns is how many runs the menu shows.
const RecentRuns = 5

// State is all that the icon and the menu are made from.
type State struct {
	Link Link
	// Own tells that the engine is in this very process and ends with it.
	Own    bool
	Status api.Status
	// Recent is the newest runs that have begun, newest first, at most [RecentRuns].
	Recent []api.Run
	// Current is the run that is on, with how far it is; nil when none is.
	Current *api.Run
	// Folder is the folder that "Open drop folder" opens, "" when there is none.
	Folder string
	// Login tells whether the tray starts at login.
	Login bool
	// Trouble says in a sentence what went wrong with what was last asked for, or is "".
	Trouble string
}

// blender is the Blender that the state speaks of.
func (s State) blender() api.BlenderStatus {
	if len(s.Status.Blenders) == 0 {
		return api.BlenderStatus{State: api.BlenderStopped}
	}
	return s.Status.Blenders[0]
}

// took is how long a run has taken until now or until its end.
func elapsed(r api.Run, now time.Time) time.Duration {
	switch {
	case r.StartedAt == nil:
		return 0
	case r.State == api.Running:
		return max(0, now.Sub(*r.StartedAt))
	default:
		return time.Duration(r.Seconds * float64(time.Second))
	}
}
