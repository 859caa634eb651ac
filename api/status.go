package api

import (
	"reflect"
	"time"
)

// Status is an engine at one moment, as `blendtray status --json` prints it.
type Status struct {
	Engine   EngineStatus    `json:"engine"`
	Blenders []BlenderStatus `json:"blenders"`
	// Processes are the Blenders that the engine has started, one by one.
	Processes []ProcessStatus `json:"processes"`
	Folders   []FolderStatus  `json:"folders"`
	// Agents are the programs for agents that are connected, in the order in which they came.
	Agents []Agent `json:"agents"`
	// Queued and Running count runs.
	Queued  int `json:"queued"`
	Running int `json:"running"`
	// OnFarm is how many of these go to the farm, from folders with farm = true.
	OnFarm int `json:"on_farm"`
	// Runs are the runs that are running, the oldest first, without their output.
	Runs           []Run `json:"runs"`
	WatchingPaused bool  `json:"watching_paused"`
	// SavesWaiting is how many saves could not be written down yet and will be tried again, and
	// SavesWaitFor says why.
	SavesWaiting int    `json:"saves_waiting"`
	SavesWaitFor string `json:"saves_wait_for"`
	// Hint says in a sentence how runs that wait would go faster, or is empty.
	Hint     string         `json:"hint"`
	Settings SettingsStatus `json:"settings"`
}

// SettingsStatus is the file of the settings at one moment.
type SettingsStatus struct {
	File string `json:"file"`
	// Error says what is wrong in the file, with file and line, or is "". The settings that held
	// before the file became wrong hold on.
	Error string `json:"error"`
	// Line is the first line that is wrong, or 0.
	Line int `json:"line"`
}

// EngineStatus is the process that the engine is in.
type EngineStatus struct {
	PID           int     `json:"pid"`
	Version       string  `json:"version"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	// Replaced tells whether another file lies where the engine's program lay when the engine
	// started, as after an upgrade: the engine is still the old program.
	Replaced bool `json:"replaced"`
	// Usage is what the process took, without Blenders, when it was measured last, at most 10 s ago;
	// nil before the first time.
	Usage *UsageSample `json:"usage"`
}

// BlenderState is where a Blender stands.
type BlenderState string

// The states of a Blender, in the order of a life: stopped → starting → ready ⇄ running →
// stopping → stopped. A Blender leaves the state failed only when it is started.
const (
	BlenderStopped  BlenderState = "stopped"
	BlenderStarting BlenderState = "starting"
	BlenderReady    BlenderState = "ready"
	BlenderRunning  BlenderState = "running"
	BlenderStopping BlenderState = "stopping"
	BlenderFailed   BlenderState = "failed"
)

// The values of [BlenderStatus.Source] for a program that was not searched for.
const (
	SourceChosen = "chosen" // named by the settings, the environment or a flag
	SourceOpen   = "open"   // somebody has opened it, and its add-on serves
)

// BlenderStatus is one Blender at one moment.
type BlenderStatus struct {
	// Name is unique in an engine: [DefaultBlender] for the table [blender] of the settings.
	Name string `json:"name"`
	// Kind says whether the engine owns the process or a person has opened it.
	Kind    BlenderKind  `json:"kind"`
	State   BlenderState `json:"state"`
	PID     int          `json:"pid"`
	Version string       `json:"version"`
	Path    string       `json:"path"`
	// Source says why this program is used: [SourceChosen], [SourceOpen], or in words where
	// it was found, such as "PATH", as the newest that works.
	Source string `json:"source"`
	Port   int    `json:"port"`
	// Loop is the class of the asyncio loop on which the server in Blender runs.
	Loop string `json:"loop"`
	// Run is the id of the run that this Blender is executing, or "". Of several runs it is any:
	// [Status.Runs] has all.
	Run         string `json:"run"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// Waiting is how many processes of this Blender wait with nothing run in them.
	Waiting int `json:"waiting"`
	// Resting is true when the Blender has no process because nothing needs it: it starts when a
	// run asks for it. Its state is stopped then.
	Resting bool `json:"resting"`
	// Reason says why the Blender failed or is stopped, or what it waits for while it is
	// starting; for a failed Blender the last lines that it printed follow.
	Reason string `json:"reason"`
}

// ProcessStatus is one process of a Blender at one moment.
type ProcessStatus struct {
	// Blender is the name of the [BlenderStatus] that it belongs to.
	Blender string       `json:"blender"`
	PID     int          `json:"pid"`
	State   BlenderState `json:"state"`
	// Use is what the process is for: "waiting" for a run, with nothing run in it; "left": it
	// has what the last isolated run left; "scene": it goes on, with a new scene for each run;
	// "keep": it keeps its state; "session": a session has it; "open": a person has it open.
	Use string `json:"use"`
	// Run is the id of the run that the process is executing, or "". Left is the id of the isolated run
	// whose scene the process has, where it was the last to end, or "".
	Run         string `json:"run"`
	Left        string `json:"left"`
	Port        int    `json:"port"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// Usage is what the process and the processes that it has started took when they were measured
	// last, at most 10 s ago; nil before the first time.
	Usage *UsageSample `json:"usage"`
	// Scene is the .blend that the process has opened at its start, or "".
	Scene string `json:"scene"`
	// Session is the name of the session that has the process, or "".
	Session string `json:"session"`
	// KeptAt is when the last run ended that has left something for the next run to go on with: a run
	// with the isolation "keep", also where it looked at what an isolated run had left. It is nil when
	// there was none in this process.
	KeptAt *time.Time `json:"kept_at"`
}

// FolderStatus is how a folder is being watched at one moment.
type FolderStatus struct {
	Path string `json:"path"`
	// Method is "inotify", "fsnotify" or "poll", or "" when the folder is not watched.
	Method string `json:"method"`
	// Error says why the folder is not (fully) watched and what to do, or is empty. It has a line for
	// each kind of what is wrong, the worst first.
	Error string `json:"error"`
	// Note says what is special about how the folder is watched, such as links, or is empty.
	Note string `json:"note"`
	// Waiting are the scripts that do not run because somebody has had them open for writing for
	// long, by path.
	Waiting []WaitingScript `json:"waiting"`
	// Stale are the scripts that wait for a person to run them again, because modules that they import
	// have changed since their last run, by path.
	Stale []string `json:"stale"`
	// Refused counts what is not watched or not run because others may write to it: the folder,
	// folders in it, and scripts. Error names the first of them.
	Refused int `json:"refused"`
}

// WaitingScript is a script whose writer has not closed it for long.
type WaitingScript struct {
	Path string `json:"path"`
	// Since is when the script was first found being written.
	Since time.Time `json:"since"`
	// Process is the name of the program that has the script open, and PID its process id. They
	// are "" and 0 where the system does not say.
	Process string `json:"process"`
	PID     int    `json:"pid"`
	// Hint says in a sentence whom the script waits for, and how to run it all the same.
	Hint string `json:"hint"`
}

// Equal reports whether two statuses say the same.
func (f FolderStatus) Equal(g FolderStatus) bool { return reflect.DeepEqual(f, g) }
