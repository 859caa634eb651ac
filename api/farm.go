package api

import "time"

// Farm is what an engine knows of the farm that its machine has joined.
type Farm struct {
	// Member is the name of this machine in the farm, or "" when it has joined none.
	Member string `json:"member"`
	// Reason says why the farm does not answer, or is "".
	Reason string `json:"reason"`
	// Machines are the members that work, by name.
	Machines []FarmMachine `json:"machines"`
	// Groups are the newest groups of jobs, the newest first. A job that was submitted alone is a group of
	// its own.
	Groups []FarmGroup `json:"groups"`
}

// FarmMachine is a machine of a farm.
type FarmMachine struct {
	Name string `json:"name"`
	// State is "idle", "busy", "draining", "leaving" (the farm), "starting" (it has not learnt yet whether it
	// is drained), "in use" (a person works there), "off" or "gone".
	State   string `json:"state"`
	OS      string `json:"os"`
	Version string `json:"version"`
	// Blenders are the names and the versions of its Blenders.
	Blenders []string `json:"blenders"`
	GPU      string   `json:"gpu"`
	Cores    int      `json:"cores"`
	// Memory and Free are in bytes.
	Memory uint64 `json:"memory"`
	Free   uint64 `json:"free"`
	// Slots is how many jobs it takes at the same time, and Jobs are the ids of those that it has.
	Slots int      `json:"slots"`
	Jobs  []string `json:"jobs"`
	// SeenAt is when it gave its last sign of life.
	SeenAt time.Time `json:"seen_at"`
}

// FarmGroup are the jobs of one command.
type FarmGroup struct {
	ID string `json:"id"`
	// Name is the script or the scene, Kind is "script" or "render", and By who has submitted it.
	Name string    `json:"name"`
	Kind string    `json:"kind"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	// Parts is how many jobs the group has, and Jobs are those that are known, in their order.
	Parts int       `json:"parts"`
	Jobs  []FarmJob `json:"jobs"`
	// To is the folder on the submitter's machine that outputs come back to, or "". Picture is the newest
	// picture in it where this machine has submitted the group, or "".
	To      string `json:"to"`
	Picture string `json:"picture"`
}

// FarmJob is one job of a group.
type FarmJob struct {
	ID   string `json:"id"`
	Part int    `json:"part"`
	// Frames are those that it renders, such as "1-5", or "".
	Frames string `json:"frames"`
	// State is "waiting", "running", "succeeded", "failed", "cancelled", "timed-out", "crashed",
	// "interrupted" or "refused". Reason says why, or is "".
	State  string `json:"state"`
	Reason string `json:"reason"`
	// Machine is the name of the machine that executes or has executed it, or "".
	Machine  string    `json:"machine"`
	Progress *Progress `json:"progress"`
}
