package api

import (
	"maps"
	"path/filepath"
	"slices"
)

// Settings are what a person may choose. The file settings.toml has them in tables of these
// names; docs/settings.md explains them.
//
// Each field of a table is the one declaration of a setting. Its Go type says what may be
// written, and its tags say the rest:
//
//	toml     the key
//	default  the value that holds when nobody chose another, as it is written in the file
//	holds    from when a change holds: see [Holds]
//	help     what the setting does; docs/settings.md, `blendtray settings` and the window show it
//	label    what the window calls the setting; a setting without a label is not in the window
//	max      for a number, the largest value; without it, the largest of the Go type
//	words    for a word, those words of the Go type that the setting may be, the default first; without
//	         it, all of them
//	path     for a path, what lies there: "program", "folder" or "scene"
//	alone    for a key of [blender]: "true" when a table [blenders.NAME] without the key has the
//	         default, and not the value of [blender]
//
// A table has the tags title, which is what the window calls its group of settings, and about, which
// says what the group is for. The groups stand in the order in which people look for them.
//
// Everything else follows from here: the parser, the variables, the editor of the file, the
// answers of control, the window's form and the tables of the document. The engine, Blender's
// supervisor and the watcher take these structs as they are, so that no setting can be lost on
// the way to where it is used.
type Settings struct {
	Blender BlenderSettings `toml:"blender" title:"Blender" about:"The Blender that executes scripts."`
	// Blenders are further Blenders by name. A key that is not written there has the value of
	// the table blender, unless it is one that each Blender has alone.
	Blenders map[string]BlenderSettings `toml:"blenders" title:"Further Blenders" about:"Folders, scripts and commands choose them by name. What is not set here is as it is for Blender above."`
	Runs     RunSettings                `toml:"runs" title:"Runs" about:"These settings hold for every run. A folder may have settings of its own, such as a time limit."`
	Tray     TraySettings               `toml:"tray" title:"Notifications" about:"What Blendtray says on the desktop."`
	Window   WindowSettings             `toml:"window" title:"Window" about:"How this window works."`
	Fleet    FleetSettings              `toml:"fleet" title:"Blenders ahead" about:"Blendtray starts Blenders before they are needed, so that a script does not wait."`
	Sessions SessionSettings            `toml:"sessions" title:"Sessions" about:"A session is a Blender that keeps its scene, modules and names from run to run."`
	MCP      AgentSettings              `toml:"mcp" title:"Agents" about:"Programs that let agents work with Blender, over the Model Context Protocol."`
	Farm     FarmSettings               `toml:"farm" title:"Farm" about:"Machines that have joined a farm share their runs (blendtray farm)."`
	Flamenco FlamencoSettings           `toml:"flamenco" title:"Flamenco" about:"Blendtray can work for a manager of Flamenco, Blender's render farm."`
	Folders  []FolderSettings           `toml:"folder"`
}

// Holds says from when a changed setting holds.
type Holds string

// The values of [Holds].
const (
	// HoldsNow: at once. Runs that wait or are running keep what was set when they were made.
	HoldsNow Holds = "now"
	// HoldsFromBlenderStart: from the next start of Blender on.
	HoldsFromBlenderStart Holds = "blender-start"
	// HoldsFromWindowStart: when the window is opened again; the tray follows when it starts again.
	HoldsFromWindowStart Holds = "window-start"
)

// BlenderSettings choose a Blender and say when it is replaced.
type BlenderSettings struct {
	Path           string   `toml:"path" path:"program" holds:"blender-start" label:"Blender to use" help:"The program of Blender, or the folder that it is in. Where this is empty, Blendtray takes the newest Blender that it finds."`
	Args           []string `toml:"args" holds:"blender-start" help:"More arguments for Blender. They stand before \u0060--python\u0060."`
	FactoryStartup bool     `toml:"factory_startup" default:"true" holds:"blender-start" label:"Start Blender without my preferences and add-ons" help:"Blender starts faster then, and scripts find the same on every machine. Otherwise Blender loads your preferences and add-ons."`
	Attach         bool     `toml:"attach" alone:"true" holds:"now" label:"Run scripts in the Blender that I have open" help:"Blendtray starts no Blender. Scripts run in the Blender with a window whose add-on serves ([addon.md](addon.md)), in the scene that is open there. If several serve, the newest is used. \u0060fresh\u0060 then means \u0060keep\u0060, and of the other keys only \u0060cancel_grace\u0060 has a meaning. A change waits until the current run has ended."`
	Port           uint16   `toml:"port" alone:"true" default:"0" holds:"blender-start" help:"The port of 127.0.0.1 on which Blender listens. With 0, the system chooses a port."`
	MaxMemory      Bytes    `toml:"max_memory" default:"none" holds:"blender-start" label:"Replace Blender above this memory" help:"A Blender that has more memory than this is replaced between two runs."`
	MaxRuns        uint32   `toml:"max_runs" default:"0" holds:"blender-start" label:"Replace Blender after so many runs" help:"A Blender that has executed so many runs is replaced. With 0, Blendtray does not count the runs."`
	CancelGrace    Duration `toml:"cancel_grace" default:"3s" holds:"blender-start" label:"Time for a cancelled run to end" help:"A cancelled run has this time to end. After that, Blender is killed."`
	StartTimeout   Duration `toml:"start_timeout" default:"1m" holds:"blender-start" label:"Time for Blender to start" help:"Blender has this time to become ready. After that, the start has failed."`
}

// FleetSettings say how many Blenders are started before they are needed.
type FleetSettings struct {
	Ahead     Count `toml:"ahead" default:"auto" holds:"now" label:"Blenders that wait for the next run" help:"So many Blenders wait for the next runs. Nothing has run in them, and each takes some 90 MB of its own. \u0060\"auto\"\u0060 is 1, or 2 on a machine with four cores and 8 GB, and as many as \u0060runs.parallel\u0060 up to the number of cores."`
	MaxMemory Bytes `toml:"max_memory" default:"none" holds:"now" label:"Memory of all Blenders together" help:"While all its Blenders together have more memory than this, the engine starts no Blender before it is needed, and closes a \u0060.blend\u0060 that a waiting Blender has open."`
}

// AheadOf returns how many Blenders wait on a machine with so many cores and bytes of memory, where
// so many runs may go on at the same time.
func (s FleetSettings) AheadOf(cores int, memory uint64, parallel int) int {
	if s.Ahead != CountAuto {
		return int(s.Ahead)
	}
	ahead := 1
	if cores >= 4 && memory >= 8e9 {
		ahead = 2
	}
	return max(ahead, min(parallel, cores))
}

// SessionSettings bound the sessions: Blenders that keep their state from run to run.
type SessionSettings struct {
	Idle            Duration `toml:"idle" default:"30m" holds:"now" label:"End a session that was not used for" help:"A session that was not used for this time ends, and its scene with it."`
	Max             Count    `toml:"max" default:"auto" holds:"now" label:"Sessions at a time" help:"Each Blender of the settings may have so many sessions. One more is refused. \u0060\"auto\"\u0060 is one for each 512 MB of the machine's memory, at least 2, and at most 8 for each core."`
	Checkpoints     uint32   `toml:"checkpoints" default:"20" holds:"now" label:"Checkpoints of a session" help:"A session keeps so many checkpoints. A new checkpoint replaces the oldest. With 0, a session keeps any number."`
	CheckpointBytes Bytes    `toml:"checkpoint_bytes" default:"2GB" holds:"now" label:"Disk space for the checkpoints of a session" help:"All checkpoints of a session together may take so much disk space. The oldest goes first, and the newest always stays."`
}

// MaxOf returns how many sessions there may be on a machine with so many cores and bytes of memory.
func (s SessionSettings) MaxOf(cores int, memory uint64) int {
	if s.Max != CountAuto {
		return int(s.Max)
	}
	return max(2, min(8*cores, int(memory>>29)))
}

// AgentSettings say what agents may do, and where they reach the engine: docs/agents.md.
type AgentSettings struct {
	Allow     Allow  `toml:"allow" default:"all" holds:"now" label:"What agents may do" help:"With \u0060\"all\"\u0060, agents run code and change scenes. With \u0060\"ask\"\u0060, the agent's program asks you before each change, and a program that can't ask is refused. With \u0060\"read\"\u0060, agents may only look. This guards against mistakes: it does not confine the code that runs."`
	HTTPPort  uint16 `toml:"http_port" default:"0" holds:"now" label:"Port for agents over HTTP" help:"The engine answers agents over HTTP on this port of 127.0.0.1, and demands the token that \u0060blendtray mcp token\u0060 prints. With 0, it does not. An agent's program that starts \u0060blendtray mcp\u0060 itself needs no port."`
	Workspace string `toml:"workspace" path:"folder" default:"" holds:"now" label:"Folder for what agents make" help:"Runs of agents begin in this folder, and paths of agents that are not absolute lie in it. Where this is empty, it is the folder \u0060agents\u0060 in Blendtray's folder for data."`
	Confine   bool   `toml:"confine" default:"false" holds:"now" label:"Confine the Blenders of agents" help:"A session that an agent begins has a Blender that reaches no network and no other program, and writes only below \u0060workspace\u0060 ([security.md](security.md#confined-sessions)). It needs Linux and bubblewrap; where they are missing, such a session is refused."`
	LabPort   uint16 `toml:"lab_port" default:"0" holds:"now" help:"The port of 127.0.0.1 on which the engine answers the MCP server of Blender Lab in place of Blender Lab's add-on, which listens on 9876. The code runs in the session \u0060blender-lab\u0060. With 0, the engine does not listen. **Nothing on this port proves who asks**: every program of yours can run code there, and on Windows and macOS every program of every user of the machine ([security.md](security.md#blender-labs-port))."`
}

// FarmSettings say what a machine does for the farm that it has joined.
type FarmSettings struct {
	Serve     string   `toml:"serve" default:"" holds:"now" label:"Serve a farm on" help:"The engine is the server of a farm on this address, such as \u0060\"0.0.0.0:4222\"\u0060, as \u0060blendtray farm serve\u0060 is, and this machine a member. \u0060blendtray farm invite\u0060 prints the line with which another machine joins. Where this is empty, the engine serves no farm."`
	Work      bool     `toml:"work" default:"true" holds:"now" label:"Execute jobs of the farm" help:"This machine executes jobs of the farm that it has joined, as many at the same time as \u0060runs.parallel\u0060 allows beside its own runs."`
	When      When     `toml:"when" default:"always" holds:"now" label:"When to execute them" help:"With \u0060\"idle\"\u0060, this machine takes jobs only while nobody uses it. A job that is running goes on."`
	IdleAfter Duration `toml:"idle_after" default:"5m" holds:"now" label:"The machine is unused after" help:"With \u0060when = \"idle\"\u0060: nobody uses the machine when no key was pressed and no mouse was moved for this time."`
	MaxFiles  Bytes    `toml:"max_files" default:"20GB" holds:"now" label:"Disk space for files of jobs" help:"This machine keeps the files that jobs of the farm have needed, so that each is fetched once. They take so much disk space; those that were used the longest ago go first. With \u0060\"none\"\u0060, all are kept."`
	Labels    []string `toml:"labels" holds:"now" help:"Words by which jobs ask for this machine, such as \u0060\"linux\"\u0060 or \u0060\"big\"\u0060 (\u0060blendtray farm run --label\u0060)."`
}

// FlamencoSettings say for which manager of Flamenco an engine works.
type FlamencoSettings struct {
	Manager string   `toml:"manager" default:"" holds:"now" label:"Manager to work for" help:"The URL of a manager of Flamenco 3, such as \u0060\"http://farm:8080\"\u0060. The engine is then a worker of that manager and executes its tasks. Where this is empty, the engine works for no manager."`
	Name    string   `toml:"name" default:"" holds:"now" label:"Name of this worker" help:"What the manager calls this worker. Where this is empty, it has the name of the machine."`
	Tags    []string `toml:"tags" holds:"now" help:"The names of the manager's tags that this worker is to have. Without any, it keeps the tags that it has been given there."`
}

// RunSettings hold for every run.
type RunSettings struct {
	Parallel     Parallel  `toml:"parallel" default:"1" holds:"now" label:"Runs at the same time" help:"So many runs may go on at the same time, in all Blenders of the engine together: 1 to 64, or \u0060\"auto\"\u0060, which is the number of the machine's cores. Two runs of one script never go on at the same time. Runs of sessions, and runs in a Blender that you have open, go on beside them."`
	Isolation    Isolation `toml:"isolation" default:"process" words:"process,scene" holds:"now" label:"What runs share" help:"What a run in a fresh scene shares with the runs before it. With \u0060\"process\"\u0060, it shares nothing: nothing has run in its Blender before. With \u0060\"scene\"\u0060, one Blender executes run after run and makes the scene anew each time, for thousands of small scripts."`
	MaxMemory    Bytes     `toml:"max_memory" default:"none" holds:"now" label:"Memory limit of a run" help:"Each process of a run may allocate so much memory. The memory that Blender has already counts, too. An allocation beyond the limit fails, and the run with it. The limit holds on Linux, and on Windows for all processes of the run together."`
	Nice         uint32    `toml:"nice" default:"0" max:"19" holds:"now" label:"Lower the priority of runs by" help:"The priority of a run on the processor is lower by so much, as for nice(1): 0 to 19. Where only root may raise a priority again, the Blender executes no other run."`
	MaxProcesses uint32    `toml:"max_processes" default:"0" holds:"now" help:"A run may start so many processes. With 0, it may start any number. The limit holds on Windows, and on Linux for users other than root. On Linux, threads count, and so does what the user starts meanwhile."`
	Leftover     Leftover  `toml:"leftover" default:"blender" words:"blender,run" holds:"now" label:"Processes that a run leaves running" help:"When a process ends that a run has started and left running. With \u0060\"blender\"\u0060, the process ends with its Blender, at the latest. With \u0060\"run\"\u0060, it ends with the run."`
	Timeout      Duration  `toml:"timeout" default:"none" holds:"now" label:"Time limit of a run" help:"The time limit of a run that has no time limit of its own."`
	Output       Bytes     `toml:"output" default:"1MiB" holds:"now" label:"Output of a run to keep" help:"So much of what a run prints is kept: the beginning and the end."`
	History      uint32    `toml:"history" default:"10000" holds:"now" label:"Runs to keep" help:"So many ended runs are kept, whatever their scripts are. The engine also remembers so many scripts that are gone."`
	OnStop       OnStop    `toml:"on_stop" default:"wait" holds:"now" label:"A run that is running when the engine is stopped" help:"With \u0060\"wait\"\u0060, the run may end within \u0060stop_timeout\u0060. With \u0060\"requeue\"\u0060, the engine ends the run at once, and the run begins again from its first line when the engine starts."`
	StopTimeout  Duration  `toml:"stop_timeout" default:"1m" holds:"now" label:"Wait for a run when the engine is stopped" help:"The engine waits for this time, and then ends the run. With \u0060\"none\"\u0060, the engine waits as long as the run takes. systemd is told to wait as long."`
	Preview      Preview   `toml:"preview" default:"off" holds:"now" label:"Picture of the scene after each run" help:"Blendtray makes a small picture of the scene after each run with the isolation \u0060process\u0060. \u0060\"cycles\"\u0060 needs neither a display nor a GPU. \u0060\"workbench\"\u0060 is faster and needs one of them. The picture is made when nothing waits, and not of very large scenes. The pictures of the last 1,000 runs are kept."`
}

// Limits returns what a run that has no limits of its own may use.
func (s RunSettings) Limits() Limits { return limits(s.MaxMemory, s.Nice, s.MaxProcesses) }

// Render returns what is rendered after a script of the folder, or nil.
func (s FolderSettings) Render() *Render {
	frames := s.Frame.Or(s.Frames)
	if frames.None() {
		return nil
	}
	return &Render{Frames: frames}
}

// Limits returns what a run of the folder may use; 0 is what holds for every run.
func (s FolderSettings) Limits() Limits { return limits(s.MaxMemory, s.Nice, s.MaxProcesses) }

func limits(memory Bytes, nice, processes uint32) Limits {
	return Limits{MaxMemory: int64(memory), Nice: int(nice), MaxProcesses: int(processes)}
}

// TraySettings are for the tray alone.
type TraySettings struct {
	Notify Notify `toml:"notify" default:"failures" holds:"now" label:"Notifications" help:"The desktop shows a notification when a run fails (\u0060\"failures\"\u0060), when any run ends (\u0060\"all\"\u0060), or never (\u0060\"off\"\u0060)."`
}

// WindowSettings are for what a person sees: the window, and the menu of the tray.
type WindowSettings struct {
	Language Language `toml:"language" default:"auto" holds:"window-start" label:"Language" help:"The language of the window and of the tray. \u0060\"auto\"\u0060 is the language of the system, or English where there is no translation; \u0060\"en\"\u0060, \u0060\"de\"\u0060 and \u0060\"zh\"\u0060 are English, German and Simplified Chinese. Commands, logs and the messages of the engine are in English. A change holds for the next window, and for the menu of the tray when the tray starts again."`
	Editor   Command  `toml:"editor" default:"" holds:"now" label:"Editor" help:"The command that opens a script in your editor. \u0060{file}\u0060 stands for the path of the script, and \u0060{line}\u0060 for the line that failed, as in \u0060\"code --goto {file}:{line}\"\u0060. A part with spaces stands in single quotes. Where this is empty, \u0060$VISUAL\u0060 of the tray's environment is used, or else an editor that is installed and can open a file at a line, or else the desktop's program for the file."`
}

// WatchSettings are a folder and which of its files are scripts.
type WatchSettings struct {
	Path      string   `toml:"path" path:"folder" holds:"now" help:"The folder. It need not be there yet."`
	Recursive bool     `toml:"recursive" default:"true" holds:"now" label:"Watch the folders in it, too" help:"Scripts that are saved in folders below this folder run, too."`
	Include   []string `toml:"include" default:"[\"**/*.py\"]" holds:"now" help:"Which files are scripts. A pattern stands for the path below the folder, and may have \u0060*\u0060, \u0060**\u0060, \u0060?\u0060, \u0060[a-z]\u0060 and \u0060{a,b}\u0060."`
	Exclude   []string `toml:"exclude" holds:"now" help:"Which of these files are no scripts."`
	Poll      Duration `toml:"poll" default:"none" holds:"now" help:"Blendtray looks at the folder at this interval instead of waiting for events. Network mounts are polled in any case."`
	Settle    Duration `toml:"settle" default:"2s" holds:"now" help:"A script must stay as it is for this time before it runs, where the system does not tell that the writer has closed the file: for what other machines save on network mounts, and on macOS. It takes longer while the script grows or looks unfinished."`
	Trust     Trust    `toml:"trust" default:"me" holds:"now" label:"Whose scripts run" help:"With \u0060\"me\"\u0060, only those scripts run that nobody but you and root could have put there. With \u0060\"anyone\"\u0060, the scripts of everybody who may write to the folder run, as on a share."`
}

// FolderSettings are a watched folder, and how the scripts that are saved in it run.
type FolderSettings struct {
	WatchSettings
	Farm         bool      `toml:"farm" default:"false" holds:"now" label:"Run on the farm" help:"The scripts run on machines of the farm that this machine has joined ([farm.md](farm.md#a-folder-of-the-farm)), and what they make comes back beside them."`
	Blender      string    `toml:"blender" default:"" holds:"now" label:"Blender" help:"Which Blender executes the scripts: the name of a Blender, a version such as \u0060\"4.5\"\u0060, or \u0060\"open\"\u0060 ([Which Blender](#which-blender)). Where this is empty, the Blender of \u0060[blender]\u0060 does."`
	Scene        string    `toml:"scene" path:"scene" default:"fresh" holds:"now" label:"Scene of a run" help:"With \u0060\"fresh\"\u0060, each run begins with a factory scene. With \u0060\"keep\"\u0060, it begins with what the last run left. With the path of a \u0060.blend\u0060, it begins with the scene of that file."`
	Isolation    Isolation `toml:"isolation" default:"auto" holds:"now" label:"What runs share" help:"What a run shares with the runs before it: \u0060\"process\"\u0060 or \u0060\"scene\"\u0060 as in \u0060runs.isolation\u0060, or \u0060\"keep\"\u0060, which is everything. With \u0060\"auto\"\u0060, \u0060runs.isolation\u0060 holds, but \u0060scene = \"keep\"\u0060 means \u0060\"keep\"\u0060."`
	MaxMemory    Bytes     `toml:"max_memory" default:"none" holds:"now" help:"Each process of a run may allocate so much memory. With \u0060\"none\"\u0060, \u0060runs.max_memory\u0060 holds."`
	Nice         uint32    `toml:"nice" default:"0" max:"19" holds:"now" help:"The priority of a run on the processor is lower by so much: 1 to 19. With 0, \u0060runs.nice\u0060 holds."`
	MaxProcesses uint32    `toml:"max_processes" default:"0" holds:"now" help:"A run may start so many processes. With 0, \u0060runs.max_processes\u0060 holds."`
	Leftover     Leftover  `toml:"leftover" default:"auto" holds:"now" help:"When a process ends, at the latest, that a run has left running: with its Blender (\u0060\"blender\"\u0060) or with the run (\u0060\"run\"\u0060). With \u0060\"auto\"\u0060, \u0060runs.leftover\u0060 holds."`
	Timeout      Duration  `toml:"timeout" default:"none" holds:"now" label:"Time limit of a run" help:"The time limit of a run. With \u0060\"none\"\u0060, \u0060runs.timeout\u0060 holds."`
	Args         []string  `toml:"args" holds:"now" help:"Arguments for the scripts, which find them in \u0060sys.argv\u0060 after \u0060--\u0060."`
	Frame        Frame     `toml:"frame" holds:"now" help:"This frame is rendered when the script has ended without an error, as by Blender's \u0060--render-frame\u0060."`
	Frames       Frames    `toml:"frames" holds:"now" help:"These frames, such as \u0060\"1-250,300\"\u0060 ([rendering.md](rendering.md)), are rendered when the script has ended without an error. A folder has \u0060frame\u0060 or \u0060frames\u0060, and not both."`
	OnBusy       OnBusy    `toml:"on_busy" default:"wait" holds:"now" label:"A save while its script is running" help:"With \u0060\"wait\"\u0060, the new run waits until the old run has ended. With \u0060\"cancel\"\u0060, the save cancels the old run."`
	OnHelper     OnHelper  `toml:"on_helper" default:"run" holds:"now" label:"When a module of a script changes" help:"What happens when a module changes that a script has imported in its last run. Such a module is no script itself, as \u0060_helper.py\u0060, or belongs to a package. With \u0060\"run\"\u0060, the script runs again. With \u0060\"ask\"\u0060, it waits for \u0060blendtray retry --stale\u0060. With \u0060\"off\"\u0060, nothing happens."`
	Retries      uint32    `toml:"retries" default:"0" holds:"now" label:"Repeat a run that was cut off" help:"A run that was cut off because the engine or Blender died is repeated so often by itself. This is for scripts that may run again."`
	RunExisting  bool      `toml:"run_existing" default:"false" holds:"now" help:"Scripts that are there already run when the folder is watched for the first time."`
}

// BlenderKind is how a Blender comes to be there.
type BlenderKind string

// The kinds of Blenders.
const (
	// BlenderOwn is started, supervised and stopped by the engine.
	BlenderOwn BlenderKind = "own"
	// BlenderOpen was opened by a person, and its add-on serves. The engine never ends it.
	BlenderOpen BlenderKind = "open"
	// BlenderFarm are the machines of the farm, to which the engine sends runs.
	BlenderFarm BlenderKind = "farm"
)

// Kind returns which kind of Blender the settings ask for.
func (s BlenderSettings) Kind() BlenderKind {
	if s.Attach {
		return BlenderOpen
	}
	return BlenderOwn
}

// DefaultBlender is the name of the Blender of the table [blender].
const DefaultBlender = "default"

// BlenderSpec is a Blender that an engine is to have.
type BlenderSpec struct {
	// Name is unique in an engine: [DefaultBlender], or NAME of the table [blenders.NAME].
	Name string
	BlenderSettings
	// Fleet says how many processes of it wait, where Parallel runs may go on at the same time.
	Fleet    FleetSettings
	Parallel Parallel
	// Sessions bounds its sessions.
	Sessions SessionSettings
	// Dir is an absolute folder of this Blender alone, for the add-on and for temporary files.
	Dir string
	// Scene is the absolute path of a .blend that Blender opens at its start, or "".
	Scene string
	// Confined says that this process is confined, as Confinement says.
	Confined    bool
	Confinement Confinement
	// PID, for a Blender of the kind open, chooses the one with this process id; 0 chooses the
	// one that was the last to serve.
	PID int
	// Farm has the runs sent to machines of the farm which have the Blender Asked, or any with "".
	Farm  bool
	Asked string
}

// Kind returns which kind of Blender is asked for.
func (s BlenderSpec) Kind() BlenderKind {
	if s.Farm {
		return BlenderFarm
	}
	return s.BlenderSettings.Kind()
}

// Confinement is what a confined Blender may do.
type Confinement struct {
	// Workspace is the absolute folder in which it may write, "" for none: then no Blender is confined.
	Workspace string
	// Store is a folder of this process alone in which it may write, too, or "".
	Store string
	// Hidden are absolute folders that it does not see.
	Hidden []string
}

// Specs returns the Blenders that the settings ask for, the default Blender first and the
// others by name. Each has a folder of its own below dir, which is absolute.
func (s Settings) Specs(dir string) []BlenderSpec {
	spec := func(name string, b BlenderSettings) BlenderSpec {
		return BlenderSpec{
			Name: name, BlenderSettings: b, Fleet: s.Fleet, Parallel: s.Runs.Parallel, Sessions: s.Sessions,
			Dir: filepath.Join(dir, name),
		}
	}
	all := []BlenderSpec{spec(DefaultBlender, s.Blender)}
	for _, name := range slices.Sorted(maps.Keys(s.Blenders)) {
		all = append(all, spec(name, s.Blenders[name]))
	}
	return all
}
