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

	"blendtray/api"
)

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
	// Isolation is what the run shares with the runs before it, and Look whether it looks at
	// what the last isolated run has left. A single Blender does not mind; a fleet chooses the
	// Blender by them.
	Isolation api.Isolation
	Look      bool
	// TimeLimit counts from the moment Blender takes up the run; 0 is no limit.
	TimeLimit time.Duration
	// Leftover says how long a process may live that the run has started and left running; ""
	// is [LeftoverBlender].
	Leftover Leftover
	Limits   Limits
}

// Leftover says when a process ends that a run has started and left running, at the latest. On
// Linux and Windows that is every descendant of Blender, whatever it did to get away. On other
// systems it is what has stayed in Blender's process group. A Blender that a person has open is
// left alone.
type Leftover string

const (
	// LeftoverBlender ends it with its Blender.
	LeftoverBlender Leftover = "blender"
	// LeftoverRun ends it with its run, before [Supervisor.Run] returns.
	LeftoverRun Leftover = "run"
)

// Sink receives what a run does while it does it. Its methods are called one at a time and
// must not block: the pipe from Blender is read by the same goroutine.
type Sink interface {
	Started(at time.Time)
	// Output is given the next bytes of the run's output, which it must not keep.
	Output(p []byte)
	Progress(api.Progress)
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

// Outcome is what came of a run that reached Blender.
type Outcome struct {
	Verdict           Verdict
	Started, Finished time.Time
	Error             *api.ScriptError
	// Result is the JSON of the script's global "result", or nil.
	Result json.RawMessage
	// ExitCode is the exit code of a Blender that executes the script and nothing else; 0 where
	// the run has ended by a signal.
	ExitCode int
	// Outputs are absolute paths of files the run made, in the order it made them.
	Outputs []string
	// Version is that of the Blender that did it.
	Version string
}
