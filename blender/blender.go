// Package blender is one Blender: it finds the program, starts it, talks to it, keeps it
// alive and stops it.
//
// A [Supervisor] owns the process. [Supervisor.Run] has it execute one script and reports
// what came of it, whatever came: an exception, a cancel, a time limit, a crash. It knows
// nothing of folders, queues or history; those are the engine's.
package blender

import (
	"encoding/json"
	"time"
)

// State is where a supervised Blender stands.
type State string

// The states, in the order of a life: stopped → starting → ready ⇄ running → stopping →
// stopped. Failed is left by Start only.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Ready    State = "ready"
	Running  State = "running"
	Stopping State = "stopping"
	Failed   State = "failed"
)

// What [Status.Source] is where the program was not looked for.
const (
	SourceChosen = "chosen" // named by the settings, the environment or a flag
	SourceOpen   = "open"   // somebody has opened it, and its add-on serves
)

// Status is one supervised Blender at one moment. The field names are part of the control
// interface and of `blendtray status --json`.
type Status struct {
	State   State  `json:"state"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Path    string `json:"path"`
	// Source says why it is this one: [SourceChosen], [SourceOpen], or in words where it was
	// found, such as "PATH", being the newest there is.
	Source string `json:"source"`
	Port   int    `json:"port"`
	// Loop is the class of asyncio loop the server inside runs on.
	Loop string `json:"loop"`
	// Run is the id of the run it executes, or "".
	Run         string `json:"run"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// Reason says why it is failed or stopped, or what it waits for while starting; for a
	// failed one the last lines Blender printed follow.
	Reason string `json:"reason"`
}

// anew is a status in another state, of which all that is still true is the program.
func (st Status) anew(state State, reason string) Status {
	return Status{State: state, Path: st.Path, Source: st.Source, Version: st.Version, Reason: reason}
}

// Request is one run as Blender is asked to do it.
type Request struct {
	// ID is unique among the runs of this engine: 1 to 64 of A-Z a-z 0-9 _ -.
	ID string
	// Code is Python source in any encoding that it declares itself.
	Code []byte
	// File is the script's absolute path, or "" when the code came from elsewhere; then Name
	// stands for it in tracebacks and Dir, if not "", is the working directory.
	File, Name, Dir string
	Args            []string
	// Scene is "keep", "fresh" or the absolute path of a .blend.
	Scene string
	// TimeLimit counts from the moment the run started in Blender; 0 is no limit.
	TimeLimit time.Duration
}

// Progress is how far a run has come.
type Progress struct {
	// Fraction is 0 to 1, or negative when unknown.
	Fraction float64 `json:"fraction"`
	Text     string  `json:"text"`
	// Remaining is Blender's own estimate in seconds, 0 when there is none.
	RemainingSeconds float64 `json:"remaining_seconds"`
}

// Sink receives what a run does while it does it. Its methods are called one at a time and
// must not block: the pipe from Blender is read by the same goroutine.
type Sink interface {
	Started(at time.Time)
	// Output is given the next bytes of the run's output, which it must not keep.
	Output(p []byte)
	Progress(Progress)
}

// Verdict is how a run ended.
type Verdict string

// The verdicts; their texts are those of the engine's run states.
const (
	Succeeded Verdict = "succeeded"
	Errored   Verdict = "failed"
	Cancelled Verdict = "cancelled"
	TimedOut  Verdict = "timed-out"
	Crashed   Verdict = "crashed"
)

// ScriptError is what ended a run that did not succeed.
type ScriptError struct {
	// Type is the exception's class, or "Crash", "TimeLimit".
	Type    string `json:"type"`
	Message string `json:"message"`
	// Line is the line in the script itself, 0 when there is none.
	Line int `json:"line"`
	// Traceback is as Python would print it, or the stack that faulthandler printed.
	Traceback string `json:"traceback"`
}

// Outcome is what came of a run that reached Blender.
type Outcome struct {
	Verdict           Verdict
	Started, Finished time.Time
	Error             *ScriptError
	// Result is the JSON of the script's global "result", or nil.
	Result json.RawMessage
	// Outputs are absolute paths of files the run made, in the order it made them.
	Outputs []string
	// Version is that of the Blender that did it.
	Version string
}
