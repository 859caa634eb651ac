package tray

import (
	"slices"
	"time"

	"blendtray/api"
)

// Link says whether the tray has an engine.
type Link int

// The values of [Link].
const (
	Connecting Link = iota // no engine has answered yet
	Attached               // an engine answers
	Lost                   // an engine answered, and is gone
)

// RecentRuns is how many runs the menu shows.
const RecentRuns = 5

// State is everything that the icon and the menu are made from.
type State struct {
	Link Link
	// Own is true when the engine is in this process and ends with it.
	Own    bool
	Status api.Status
	// Recent has the newest runs, newest first, at most [RecentRuns].
	Recent []api.Run
	// Running are the runs that are running, with their progress, in the order in which they began.
	Running []api.Run
	// Folder is the folder that "Open the scripts folder" opens, or "".
	Folder string
	// Login is true when the tray starts at login.
	Login bool
	// Trouble says in a sentence why the last request of the person failed, or is "".
	Trouble string
}

// current returns the run that the icon, the menu and the window tell of, or nil: of those that are
// running the one that began last.
func (s State) current() *api.Run {
	for i := len(s.Running) - 1; i >= 0; i-- {
		if !s.Running[i].AwaitsMachine() {
			return &s.Running[i]
		}
	}
	return nil
}

// awaiting returns how many runs were sent to the farm, where no machine has begun them yet.
func (s State) awaiting() (n int) {
	for _, r := range s.Running {
		if r.AwaitsMachine() {
			n++
		}
	}
	return n
}

// here returns the runs that are running on this machine. Those on the farm go on without its Blenders and
// without its engine.
func (s State) here() (runs []api.Run) {
	for _, r := range s.Running {
		if !r.OnFarm() {
			runs = append(runs, r)
		}
	}
	return runs
}

// blender returns the Blender that the icon, the menu and the window show: the first one.
func (s State) blender() api.BlenderStatus {
	if len(s.Status.Blenders) == 0 {
		return api.BlenderStatus{State: api.BlenderStopped}
	}
	return s.Status.Blenders[0]
}

// indexOf returns where in Running the run with an id is, or -1.
func (s State) indexOf(id string) int {
	return slices.IndexFunc(s.Running, func(r api.Run) bool { return r.ID == id })
}

// elapsed returns how long a run has taken until now or until its end.
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
