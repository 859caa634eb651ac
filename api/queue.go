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
	// Why says in a sentence what the run waits for. Reason is the same as a word, and Behind the id of
	// the run that is to end or to begin before, or "".
	Why    string      `json:"why"`
	Reason QueueReason `json:"reason"`
	Behind string      `json:"behind"`
}

// QueueReason says in a word what a run waits for.
type QueueReason string

// The values of [QueuedRun.Reason].
const (
	WaitsForEngine  QueueReason = "engine"   // the engine begins no runs for now
	WaitsForStart   QueueReason = "start"    // its Blender starts
	WaitsForBlender QueueReason = "blender"  // its Blender takes no runs: it is stopped or has failed, or a person is to open it
	WaitsForScript  QueueReason = "script"   // a run of the same script is running
	WaitsForSession QueueReason = "session"  // another run is running in its session
	WaitsForState   QueueReason = "state"    // another run is running in the Blender whose state it needs
	WaitsForPlace   QueueReason = "parallel" // as many runs are running as runs.parallel allows
	WaitsForFree    QueueReason = "free"     // no process of its Blender is free
	WaitsForTurn    QueueReason = "turn"     // another run begins before it
	WaitsForNothing QueueReason = "soon"     // it begins in a moment
)

// QueueLine names the runs that wait for the same turn, as [QueuedRun] does.
type QueueLine struct {
	Line     string `json:"line"`
	LineKind string `json:"line_kind"`
}

// Front says ahead of which runs a run is put.
type Front string

// The values of [Front].
const (
	FrontOfAll  Front = "all"
	FrontOfLine Front = "line" // those of its folder, client or session
)
