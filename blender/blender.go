// Package blender is about one Blender: it finds the program, starts it, talks to it, keeps it
// alive and stops it.
//
// A [Supervisor] owns the process. [Supervisor.Run] executes one script and reports how the run
// ended: with success, an exception, a cancel, a time limit or a crash. The package knows nothing
// of folders, queues or history; the engine does.
package blender

import (
	"encoding/json"
	"time"

	"blendtray/api"
)

// Request describes one run for Blender.
type Request struct {
	// ID is unique among the runs of this engine: 1 to 64 of A-Z a-z 0-9 _ -.
	ID string
	// Code is Python source in any encoding that it declares itself.
	Code []byte
	// File is the script's absolute path, or "" when the code came from elsewhere; then Name takes
	// its place in tracebacks, and Dir, if not "", is the working directory.
	File, Name, Dir string
	Args            []string
	// Scene is "keep", "fresh" or the absolute path of a .blend.
	Scene string
	// Isolation says what the run shares with the runs before it, and Look whether the run looks at
	// what the last isolated run has left. A single Blender ignores both; a fleet chooses the
	// Blender by them.
	Isolation api.Isolation
	Look      bool
	// Left, for a run that looks, is the isolated run whose leavings are looked at: when another isolated
	// run has come after, the run is refused. "" is whatever the last isolated run has left.
	Left string
	// Session is the name of the session in whose Blender the run goes on; "" for none. A single
	// Blender ignores it.
	Session string
	// Confined has the session begin in a Blender that is confined. A single Blender ignores it.
	Confined bool
	// Echo has the value of the last expression shown, as the interactive interpreter does.
	Echo bool
	// Complete, if not nil, is where the cursor is in code that is only to be completed: the result is
	// an [api.Completion], and nothing of the code is executed.
	Complete *int
	// Operation, for a run in a session, is what is done in the place of a script; a fleet puts the
	// code in. "" is a script.
	Operation api.SessionOperation
	// SessionGone is why the session is not there any more for which the run was made; "" where it may
	// be there, or the run begins it.
	SessionGone string
	// TimeLimit counts from the moment Blender takes up the run; 0 is no limit.
	TimeLimit time.Duration
	// Leftover says how long a process may live that the run has started and left running; "" means
	// [LeftoverBlender].
	Leftover Leftover
	Limits   Limits
	// Journal is the path of a file without lines in which Blender itself writes down that the run begins,
	// what it writes in the folders Watched, and how it ended; "" for none. See docs/protocol.md.
	Journal string
	Watched []string
	// Render is what is rendered when the code has ended without an exception, or nil.
	Render *Render
	// Debug has the run wait for a debugger before its first line, or is nil.
	Debug *Debug
	// Key names the run among the runs of all engines, and Repeatable says that the run may begin again
	// after it was cut off. Both are for runs that go to other machines; a Blender ignores them.
	Key        string
	Repeatable bool
}

// Debug is how a run waits for a debugger.
type Debug struct {
	// Path is an absolute folder in which debugpy may lie, or "".
	Path string
}

// Render is a render of a run, which may have begun in other Blenders.
type Render struct {
	api.Render
	// Done are the frames that are there, and Begun those that may be half-written.
	Done, Begun []int
	// Since is when the render began, zero for one that begins now.
	Since time.Time
}

// Leftover says when a process ends, at the latest, that a run has started and left running. On
// Linux and Windows this holds for every descendant of Blender, whatever the descendant did to
// escape. On other systems it holds for the processes that have stayed in Blender's process group.
// In a Blender that a person has open, such processes are left alone.
type Leftover string

const (
	// LeftoverBlender ends the process when its Blender ends.
	LeftoverBlender Leftover = "blender"
	// LeftoverRun ends the process when its run ends, before [Supervisor.Run] returns.
	LeftoverRun Leftover = "run"
)

// Taker is a [Sink] that wants to know when the Blender was chosen that executes the run.
type Taker interface {
	// Taken is called once before the run is sent, with the id of Blender's process or 0. It must not
	// block.
	Taken(pid int)
}

// Viewer is a [Sink] that wants to see what a run renders.
type Viewer interface {
	// Rendered tells that a render has written a picture. Of many at a time, some are left out.
	Rendered(picture string)
}

// Sink receives what a run does while it runs. Its methods are called one at a time and must not
// block: the goroutine that calls them also reads the pipe from Blender.
type Sink interface {
	Started(at time.Time)
	// Output is given the next bytes of the run's output, which it must not keep.
	Output(p []byte)
	Progress(api.Progress)
}

// Verdict is how a run ended.
type Verdict string

// The verdicts. Their texts are those of the run states of the engine.
const (
	Succeeded Verdict = "succeeded"
	Errored   Verdict = "failed"
	Cancelled Verdict = "cancelled"
	TimedOut  Verdict = "timed-out"
	Crashed   Verdict = "crashed"
)

// Outcome is the result of a run that reached Blender.
type Outcome struct {
	Verdict           Verdict
	Started, Finished time.Time
	Error             *api.ScriptError
	// Result is the JSON of the script's global "result", or nil.
	Result json.RawMessage
	// ExitCode is the exit code of a Blender that executes only this script; it is 0 where a signal
	// has ended the run.
	ExitCode int
	// Outputs are the absolute paths of the files that the run made, in the order in which it made
	// them.
	Outputs []string
	// Imports are the files of modules below the folders Watched that the run has imported, each with
	// the SHA-256, in lower-case hex, of the source that was loaded; at most 500.
	Imports [][2]string
	// Version is the version of the Blender that executed the run.
	Version string
	// Note says in a sentence what a person should know of the run beside its end, such as that its
	// session has begun anew; "" is nothing.
	Note string
	// FromOutside is true for a crash that is no fault of the script: a person, or the system, has
	// killed Blender.
	FromOutside bool
}
