package api

// QueuedRun is a run that waits, in the order in which the runs will begin as it looks now. Which
// Blender is free first, and what comes meanwhile, may change the order.
type QueuedRun struct {
	// Position counts from 1 on.
	Position int `json:"position"`
	Run      Run `json:"run"`
	// Line is whose turn the run waits for: the folder, the client or the session whose runs begin in
	// their order. LineKind is "folder", "client" or "session".
	Line     string `json:"line"`
	LineKind string `json:"line_kind"`
	// Ahead is true for a run that somebody has put ahead of all others.
	Ahead bool `json:"ahead"`
	// Why says in a sentence what the run waits for.
	Why string `json:"why"`
}

// Front says ahead of which runs a run is put.
type Front string

// The values of [Front].
const (
	FrontOfAll  Front = "all"
	FrontOfLine Front = "line" // those of its folder, client or session
)
