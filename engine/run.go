package engine

import (
	"encoding/json"
	"time"

	"blendtray/blender"
)

// State is where a run stands in its life.
type State string

// The states of a run. Queued and Running are the ones that go on; all others are final.
const (
	Queued      State = "queued"
	Running     State = "running"
	Succeeded   State = "succeeded"
	Failed      State = "failed"
	Cancelled   State = "cancelled"
	TimedOut    State = "timed-out"
	Crashed     State = "crashed"
	Interrupted State = "interrupted" // the engine died while it ran
)

// Final tells whether a run in this state will not change any more.
func (s State) Final() bool { return s != Queued && s != Running }

// Source is where a run came from.
type Source string

// The sources of runs.
const (
	FromFolder  Source = "folder"  // a save in a watched folder
	FromCommand Source = "command" // `blendtray run`, or another client of control
	FromRetry   Source = "retry"
)

// Run is one execution of one script, as it is written down and as every client sees it.
// Its field names are a contract: `blendtray runs --json` prints them.
type Run struct {
	ID string `json:"id"`
	// Script is the absolute path of the script, or a name such as "<command line>".
	Script string `json:"script"`
	SHA256 string `json:"sha256"`
	// Scene is "keep", "fresh" or the absolute path of a .blend.
	Scene string   `json:"scene"`
	Args  []string `json:"args"`
	State State    `json:"state"`
	// Times are RFC 3339 in UTC; null as long as they have not come.
	QueuedAt   time.Time  `json:"queued_at"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	// Seconds is how long it ran, by the monotonic clock; 0 while it has not ended.
	Seconds float64 `json:"seconds"`
	// Output is what it printed, bounded: the beginning and the end, with a line between
	// them that says how many bytes were cut. Left out of lists.
	Output string `json:"output"`
	// OutputBytes is how much it printed in all.
	OutputBytes int64 `json:"output_bytes"`
	// Error is null for a run that succeeded or has not ended.
	Error *blender.ScriptError `json:"error"`
	// Result is the JSON value of the script's global "result", or null.
	Result  json.RawMessage `json:"result"`
	Outputs []string        `json:"outputs"`
	// Preview is the path of a small picture of the scene as the run left it, or "".
	Preview string `json:"preview"`
	// BlenderVersion is that of the Blender that ran it, or "".
	BlenderVersion string `json:"blender_version"`
	Source         Source `json:"source"`
	// Folder is the watched folder it was saved in, or "".
	Folder string `json:"folder"`
	// RetryOf is the id of the run that this one repeats, or "".
	RetryOf string `json:"retry_of"`
	// Reason says in a sentence why it is cancelled or interrupted, or what it waits for.
	Reason string `json:"reason"`
	// Progress is set while it runs and says how far it is.
	Progress *blender.Progress `json:"progress,omitempty"`
	// TimeLimitSeconds is its time limit, 0 for none.
	TimeLimitSeconds float64 `json:"time_limit_seconds"`
}

// HasTaken tells whether Seconds are how long it took: it has ended, at a time that is known,
// which that of an interrupted run is not.
func (r *Run) HasTaken() bool {
	return r.State.Final() && r.State != Interrupted && r.StartedAt != nil
}

// Submission is what is asked for when a run is to be made.
type Submission struct {
	// Code is the source, in any encoding (base64 in JSON).
	Code []byte `json:"code"`
	// Script is the absolute path of the file the code came from, or "" with Name.
	Script string `json:"script"`
	Name   string `json:"name"`
	// Dir is the working directory when there is no Script.
	Dir   string   `json:"dir"`
	Args  []string `json:"args"`
	Scene string   `json:"scene"`
	// TimeLimitSeconds is 0 for the engine's default and negative for none.
	TimeLimitSeconds float64 `json:"time_limit_seconds"`
	Source           Source  `json:"source"`
	Folder           string  `json:"folder"`
}

// Filter chooses runs for a list.
type Filter struct {
	// Limit is how many at most; 0 is 20.
	Limit int
	// States, when given, are the ones wanted.
	States []State
	// Name, when given, is a part of the script's path, letter case aside.
	Name string
	// Before, when given, is an id: only runs older than it, for paging.
	Before string
}

// Event is one thing that happened, as clients of the event stream see it.
type Event struct {
	Time time.Time `json:"time"`
	// Kind is one of the Kind constants and says which other fields are set.
	Kind Kind `json:"kind"`
	// ID is the run's, for run, output and progress events.
	ID string `json:"id,omitempty"`
	// Run is the run as it now stands, without its output.
	Run *Run `json:"run,omitempty"`
	// Text is printed output, UTF-8, with what is not UTF-8 replaced.
	Text string `json:"text,omitempty"`
	// Dropped is how many bytes of output were left out before this event, because this
	// client read too slowly.
	Dropped  int64             `json:"dropped,omitempty"`
	Progress *blender.Progress `json:"progress,omitempty"`
	Blender  *blender.Status   `json:"blender,omitempty"`
	// Message is a sentence for a person, for note events.
	Message string `json:"message,omitempty"`
}

// Kind is the kind of an Event.
type Kind string

// The kinds of events.
const (
	KindRun      Kind = "run"      // a run changed state: Run
	KindOutput   Kind = "output"   // a run printed: ID, Text
	KindProgress Kind = "progress" // a run got on: ID, Progress
	KindPreview  Kind = "preview"  // a picture of what a run left was made: ID, Run
	KindBlender  Kind = "blender"  // a Blender changed state: Blender
	KindFolders  Kind = "folders"  // a folder's watch changed: ask for Status
	KindNote     Kind = "note"     // something a person may want to know: Message
	KindGap      Kind = "gap"      // this client was too slow and missed events: ask for Status
)
