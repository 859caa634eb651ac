package api

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// State is where a run stands in its life.
type State string

// The states of a run. Queued and Running runs go on; all other states are final.
const (
	Queued      State = "queued"
	Running     State = "running"
	Succeeded   State = "succeeded"
	Failed      State = "failed"
	Cancelled   State = "cancelled"
	TimedOut    State = "timed-out"
	Crashed     State = "crashed"
	Interrupted State = "interrupted" // the engine died while the run was running
)

// States returns all states of a run, in the order of a life.
func States() []State {
	return []State{Queued, Running, Succeeded, Failed, Cancelled, TimedOut, Crashed, Interrupted}
}

// Final reports whether a run in this state will not change any more.
func (s State) Final() bool { return s != Queued && s != Running }

// Source is where a run came from.
type Source string

// The sources of runs.
const (
	FromFolder  Source = "folder"  // a save in a watched folder
	FromCommand Source = "command" // `blendtray run`, or another client of control
	FromRetry   Source = "retry"
	FromSession Source = "session" // an operation of a session, such as a checkpoint
	FromModule  Source = "module"  // a change of a module that a script in a watched folder imports
)

// Run is one execution of one script, as the engine writes it down and as every client sees it.
// Its field names are a contract: `blendtray runs --json` prints them.
type Run struct {
	ID string `json:"id"`
	// Script is the absolute path of the script, or a name such as "<command line>".
	Script string `json:"script"`
	SHA256 string `json:"sha256"`
	// Scene is "keep", "fresh" or the absolute path of a .blend.
	Scene string `json:"scene"`
	// Isolation is what the run shares with the runs before it.
	Isolation Isolation `json:"isolation"`
	// Leftover is when a process ends, at the latest, that the run leaves running.
	Leftover Leftover `json:"leftover"`
	// Limits are what the run may use; 0 is no limit.
	Limits Limits   `json:"limits"`
	Args   []string `json:"args"`
	State  State    `json:"state"`
	// Times are RFC 3339 in UTC; null as long as they have not come.
	QueuedAt   time.Time  `json:"queued_at"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	// Seconds is how long the run took, by the monotonic clock; 0 while it has not ended.
	Seconds float64 `json:"seconds"`
	// Output is what the run printed, bounded: the beginning and the end, with a line between
	// them that says how many bytes were cut. Left out of lists.
	Output string `json:"output"`
	// OutputBytes is how many bytes the run printed in all.
	OutputBytes int64 `json:"output_bytes"`
	// ExitCode is the exit code of a Blender that executes the script and nothing else, such as 3
	// after sys.exit(3); null while the run has not ended by itself.
	ExitCode *int `json:"exit_code"`
	// Error is null for a run that succeeded or has not ended.
	Error *ScriptError `json:"error"`
	// Result is the JSON value of the script's global "result", or null.
	Result  json.RawMessage `json:"result"`
	Outputs []string        `json:"outputs"`
	// Imports are the modules beside the script that the run has imported, for a run that was submitted with
	// [Submission.Imports]. The history does not keep them.
	Imports []Import `json:"imports,omitzero"`
	// Preview is the path of a small picture of the scene as the run left it, or "".
	Preview string `json:"preview"`
	// BlenderVersion is the version of the Blender that executed the run, or "".
	BlenderVersion string `json:"blender_version"`
	// Blender is the name of the Blender that executes the run, as the status names it: "open" or
	// "open-PID" is a Blender that a person has open. It is "" when there is no Blender for the
	// run.
	Blender string `json:"blender"`
	// Session is the name of the session in whose Blender the run goes on, or "".
	Session string `json:"session"`
	Source  Source `json:"source"`
	// Pinned is true for a run that the history keeps, however old it gets.
	Pinned bool `json:"pinned"`
	// Client says who asked for the run, as the client named itself, or "".
	Client string `json:"client"`
	// Origin is the name of the machine on which the run was made.
	Origin string `json:"origin"`
	// Key is the client's own name for the run, or "": see [Submission].
	Key string `json:"key"`
	// Folder is the watched folder in which the script was saved, or "".
	Folder string `json:"folder"`
	// RetryOf is the id of the run that this run repeats, or "".
	RetryOf string `json:"retry_of"`
	// WrittenBy is the id of the run whose script has saved this script, or "".
	WrittenBy string `json:"written_by"`
	// Reason says in a sentence why the run is cancelled or interrupted, or what it waits for.
	Reason string `json:"reason"`
	// PID is the process that executes the run while the run is running, as far as it is known, or 0.
	PID int `json:"pid"`
	// Progress is set while the run is running and says how far it is.
	Progress *Progress `json:"progress,omitempty"`
	// TimeLimitSeconds is the run's time limit, 0 for none.
	TimeLimitSeconds float64 `json:"time_limit_seconds"`
	// Render is what the run renders when its script has ended, or null. A run that has no script
	// has the path of its .blend in Script, and no code.
	Render *Render `json:"render"`
}

// RendersOnly reports whether the run renders without a script, or after one that is empty.
func (r *Run) RendersOnly() bool { return r.Render != nil && r.SHA256 == noCode }

// GoesOn reports whether another Blender can go on with the run when its Blender dies: it renders without
// a script, and a scene that no other run has made, as a run in a session or with the scene keep does not.
func (r *Run) GoesOn() bool { return r.RendersOnly() && r.Isolation != IsolateKeep }

// noCode is the SHA-256 of no bytes.
const noCode = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// HasTaken reports whether Seconds is how long the run took: the run has ended, at a time that
// is known. The end of an interrupted run is not known.
func (r *Run) HasTaken() bool {
	return r.State.Final() && r.State != Interrupted && r.StartedAt != nil
}

// ExecutedBy returns the version of the Blender that executed the run, with its name when it is not the
// default Blender; "" before it is known.
func (r *Run) ExecutedBy() string {
	if r.BlenderVersion == "" || r.Blender == "" || r.Blender == DefaultBlender || r.Blender == r.BlenderVersion {
		return r.BlenderVersion
	}
	return r.BlenderVersion + " (" + r.Blender + ")"
}

// InOpenBlender reports whether the run asks for a Blender that a person has open.
func (r *Run) InOpenBlender() bool {
	return r.Blender == "open" || strings.HasPrefix(r.Blender, "open-")
}

// FarmBlender returns what the Blender is called that executes the runs which go to the farm, on
// machines that have the Blender asked for: a version, a name, or "" for any.
func FarmBlender(asked string) string {
	if asked == "" {
		return farmName
	}
	return farmName + "-" + asked
}

// farmName is what [FarmBlender] returns for any Blender.
const farmName = "farm"

// FarmAsks returns the Blender that a name asks for which [FarmBlender] has returned. ok is false for
// other names.
func FarmAsks(name string) (asked string, ok bool) {
	if name == farmName {
		return "", true
	}
	asked, ok = strings.CutPrefix(name, farmName+"-")
	return asked, ok && asked != ""
}

// OnFarm reports whether a machine of the farm executes the run.
func (r *Run) OnFarm() bool {
	_, ok := FarmAsks(r.Blender)
	return ok
}

// ToGoOn ends the Reason of a run that waits, for ever if need be, until a person has done something.
const ToGoOn = "to go on"

// AwaitsPerson reports whether the run waits until a person has done what its Reason says.
func (r *Run) AwaitsPerson() bool { return r.State == Queued && strings.HasSuffix(r.Reason, ToGoOn) }

// AwaitsMachine reports whether the run was sent to the farm, where no machine has begun it yet. Its state
// is [Running], because it waits in the queue of the farm and no longer in the queue of the engine.
func (r *Run) AwaitsMachine() bool {
	return r.State == Running && r.StartedAt == nil && r.OnFarm()
}

// Progress is how far a run has come.
type Progress struct {
	// Fraction is 0 to 1, or negative when unknown.
	Fraction float64 `json:"fraction"`
	Text     string  `json:"text"`
	// RemainingSeconds is an estimate: Blender's own, or from the frames that are finished. It is 0
	// when there is none.
	RemainingSeconds float64 `json:"remaining_seconds"`
	// Frames is how many frames the run renders ([Render]), 0 when that is not known. FramesDone of
	// them are there, and Frame is the frame that is being rendered, or was the last.
	Frame      int `json:"frame"`
	FramesDone int `json:"frames_done"`
	Frames     int `json:"frames"`
	// Picture is the path of the last finished picture of these frames, or "".
	Picture string `json:"picture"`
}

// Refused is the type of the error of a run that no Blender has executed.
const Refused = "RunRefused"

// LeftGone begins the message of the [Refused] of a run that was to look at what another run left, and
// that is gone.
const LeftGone = "the scene is gone: "

// ScriptError is what ended a run that did not succeed.
type ScriptError struct {
	// Type is the exception's class, or "Crash", "TimeLimit", "RunCancelled", or [Refused].
	Type    string `json:"type"`
	Message string `json:"message"`
	// Line is the line in the script itself, 0 when there is none.
	Line int `json:"line"`
	// Traceback is as Python would print it, or the stack that faulthandler printed.
	Traceback string `json:"traceback"`
}

// Submission is what a client sends to have a run made.
type Submission struct {
	// Code is the source, in any encoding (base64 in JSON), of at most [MaxCode] bytes.
	Code []byte `json:"code"`
	// Script is the absolute path of the file the code came from, or "" with Name.
	Script string `json:"script"`
	Name   string `json:"name"`
	// Dir is the working directory when there is no Script.
	Dir   string   `json:"dir"`
	Args  []string `json:"args"`
	Scene string   `json:"scene"`
	// Isolation is what the run is to share with the runs before it; [IsolateAuto] is
	// [IsolateKeep] for the scene "keep" and the engine's default for others.
	Isolation Isolation `json:"isolation"`
	// Session is the name of a session, "" for none: see [CheckSession]. The run goes on in the
	// session's Blender, after the session's runs before it, with the isolation [IsolateKeep].
	Session string `json:"session"`
	// Confined has the session begin in a Blender that is confined: without network, and able to write in
	// one folder alone. A session that is there and is not confined refuses the run. Without it, a run
	// goes on in the session as it is.
	Confined bool `json:"confined"`
	// Echo has the value of the last expression shown, as the interactive interpreter does. Code that is
	// only the beginning of a statement fails with the error IncompleteInput, and nothing of it runs. It
	// is for runs in a session.
	Echo bool `json:"echo"`
	// Leftover is when a process ends, at the latest, that the run leaves running; [LeftoverAuto]
	// is the engine's default.
	Leftover Leftover `json:"leftover"`
	// Limits are what the run may use: 0 is the engine's default, and a negative number no limit.
	Limits Limits `json:"limits"`
	// TimeLimitSeconds is 0 for the engine's default and negative for none.
	TimeLimitSeconds float64 `json:"time_limit_seconds"`
	// Key is the client's own name for the run, of at most 200 bytes. A second submission with
	// the same key makes no second run: the first one is returned. So a client that got no
	// answer may ask again. "" is no key.
	Key string `json:"key"`
	// Client says who asks, for the history: a program's name, of at most 200 bytes.
	Client string `json:"client"`
	// Peer tells the programs apart that ask without a name of their own: which of them belong
	// together, as the server knows it, or "". Clients don't send it.
	Peer string `json:"-"`
	// Left is the isolated run whose scene the run looks at: when another isolated run has come after, the
	// run is refused. "" is what is there. Clients don't send it.
	Left string `json:"-"`
	// Imports has the ended run tell which modules below the folder of Script it has imported. Clients don't
	// send it.
	Imports bool `json:"-"`
	// Blender is the Blender that is to execute the run: the name of a Blender, "open" or
	// "open-PID", or a version, such as "4.5", which means the newest Blender of that version. With
	// "" a comment in the script may name the Blender, else the run is for the default Blender.
	Blender string `json:"blender"`
	// Attach has the run executed in a Blender that a person has open: the Blender with the
	// process id PID, or for 0 the Blender whose add-on was the last to begin to serve.
	Attach bool `json:"attach"`
	PID    int  `json:"pid"`
	// Render has frames rendered when the script has ended without an error. With it there need be
	// no script: then frames of Scene are rendered, without a time limit unless one is given.
	Render *Render `json:"render"`
}

// Import is a module that a run has imported.
type Import struct {
	// Path is the path of the file, and SHA256 the hash of the bytes that were loaded, in hexadecimal digits.
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Limits bound what a run may use. What a system does not have of them is ignored there, and so are
// all of them in a Blender that a person has open.
type Limits struct {
	// MaxMemory is how many bytes each process of the run may allocate; on Windows all processes
	// of the run together.
	MaxMemory int64 `json:"max_memory"`
	// Nice lowers the priority of the run on the processor, as nice(1) does: by 1 to 19.
	Nice int `json:"nice"`
	// MaxProcesses is how many processes the run may start.
	MaxProcesses int `json:"max_processes"`
}

// Or returns the limits with those of standard where l says nothing. A negative number, which
// lifts a limit, becomes 0.
func (l Limits) Or(standard Limits) Limits {
	return Limits{
		MaxMemory:    max(0, cmp.Or(l.MaxMemory, standard.MaxMemory)),
		Nice:         max(0, cmp.Or(l.Nice, standard.Nice)),
		MaxProcesses: max(0, cmp.Or(l.MaxProcesses, standard.MaxProcesses)),
	}
}

// Filter chooses runs for a list.
type Filter struct {
	// Limit is how many runs to return at most; 0 is 20.
	Limit int
	// States, when given, are the wanted states.
	States []State
	// Name, when given, is a part of the script's path, in upper or lower case; Script is the whole
	// path or name.
	Name   string
	Script string
	// Folder, when given, is the watched folder in which the script was saved, and Client who asked
	// for the run.
	Folder string
	Client string
	// Since and Until, when given, are times: only runs are returned that were queued from Since on and
	// before Until.
	Since time.Time
	Until time.Time
	// Pinned chooses runs that are pinned.
	Pinned bool
	// Before, when given, is the id of a run: only older runs are returned, for paging.
	Before string
}

// All reports whether the filter chooses all runs.
func (f Filter) All() bool {
	return len(f.States) == 0 && f.Name == "" && f.Script == "" && f.Folder == "" && f.Client == "" &&
		f.Since.IsZero() && f.Until.IsZero() && !f.Pinned && f.Before == ""
}

// ScriptRuns is a script with its last runs.
type ScriptRuns struct {
	// Script is the path or the name of the script.
	Script string `json:"script"`
	// Folder is the watched folder of the newest of the runs, or "".
	Folder string `json:"folder"`
	// Runs is how many runs there are, and Last are the newest of them, the newest first.
	Runs int       `json:"runs"`
	Last []Verdict `json:"last"`
}

// Verdict is what is seen of a run in a list of the runs of a script.
type Verdict struct {
	ID       string    `json:"id"`
	State    State     `json:"state"`
	QueuedAt time.Time `json:"queued_at"`
	// Seconds is how long the run took, 0 while it has not ended.
	Seconds float64 `json:"seconds"`
	Pinned  bool    `json:"pinned"`
	// AwaitsMachine is [Run.AwaitsMachine].
	AwaitsMachine bool `json:"awaits_machine,omitempty"`
}

// Shown returns the state that a person sees: a run that no machine of the farm has begun is queued.
func (v Verdict) Shown() State {
	if v.AwaitsMachine {
		return Queued
	}
	return v.State
}
