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
//	path     for a path, what lies there: "program", "folder" or "scene"
//	alone    for a key of [blender]: "true" when a table [blenders.NAME] without the key has the
//	         default, and not the value of [blender]
//
// Everything else follows from here: the parser, the variables, the editor of the file, the
// answers of control, the window's form and the tables of the document. The engine, Blender's
// supervisor and the watcher take these structs as they are, so that no setting can be lost on
// the way to where it is used.
type Settings struct {
	Blender BlenderSettings `toml:"blender"`
	// Blenders are further Blenders by name. A key that is not written there has the value of
	// the table blender, unless it is one that each Blender has alone.
	Blenders map[string]BlenderSettings `toml:"blenders"`
	Fleet    FleetSettings              `toml:"fleet"`
	Sessions SessionSettings            `toml:"sessions"`
	Runs     RunSettings                `toml:"runs"`
	Tray     TraySettings               `toml:"tray"`
	Window   WindowSettings             `toml:"window"`
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
	Path           string   `toml:"path" path:"program" holds:"blender-start" help:"the program, or the folder it is in; empty: the newest Blender that is found"`
	Args           []string `toml:"args" holds:"blender-start" help:"more arguments for Blender, before \u0060--python\u0060"`
	FactoryStartup bool     `toml:"factory_startup" default:"true" holds:"blender-start" label:"Start Blender without my preferences and add-ons" help:"\u0060false\u0060 loads the preferences and add-ons of the user, and takes longer"`
	Attach         bool     `toml:"attach" alone:"true" holds:"now" label:"Run scripts in the Blender that I have open" help:"start no Blender, and run scripts in the Blender with a window whose add-on serves ([addon.md](addon.md)), the newest of several, in the scene that is open. \u0060fresh\u0060 then means \u0060keep\u0060, and of the other keys only \u0060cancel_grace\u0060 has a meaning. A change waits for the end of the current run"`
	Port           uint16   `toml:"port" alone:"true" default:"0" holds:"blender-start" help:"the port of 127.0.0.1 on which Blender listens; 0 lets the system choose"`
	MaxMemory      Bytes    `toml:"max_memory" default:"none" holds:"blender-start" label:"Replace Blender above this memory" help:"when Blender has more memory than this, it is replaced between two runs"`
	MaxRuns        uint32   `toml:"max_runs" default:"0" holds:"blender-start" label:"Replace Blender after so many runs" help:"after so many runs Blender is replaced; 0: never"`
	CancelGrace    Duration `toml:"cancel_grace" default:"3s" holds:"blender-start" label:"Kill Blender when a cancelled run goes on for" help:"how long a run may take to end when it is asked to, before Blender is killed"`
	StartTimeout   Duration `toml:"start_timeout" default:"1m" holds:"blender-start" help:"how long Blender may take to be ready"`
}

// FleetSettings say how many Blenders are started before they are needed.
type FleetSettings struct {
	Ahead     Count `toml:"ahead" default:"auto" holds:"now" label:"Blenders that wait for the next run" help:"how many Blenders wait, with nothing run in them, for the next runs: each has some 90 MB of its own. \u0060\"auto\"\u0060: 1, or 2 on a machine with four cores and 8 GB, and as many as \u0060runs.parallel\u0060 up to the number of cores"`
	MaxMemory Bytes `toml:"max_memory" default:"none" holds:"now" help:"above this memory of all its Blenders together the engine starts none before it is needed, and closes a \u0060.blend\u0060 with which one waits"`
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
	Idle            Duration `toml:"idle" default:"30m" holds:"now" label:"End a session that was not used for" help:"a session ends when it was not used for this time, and its scene with it"`
	Max             Count    `toml:"max" default:"auto" holds:"now" label:"Sessions at a time" help:"how many sessions each Blender of the settings may have; one more is refused. \u0060\"auto\"\u0060: one for each 512 MB of the machine's memory, at least 2, and at most 8 for each core"`
	Checkpoints     uint32   `toml:"checkpoints" default:"20" holds:"now" help:"how many checkpoints of a session are kept: the oldest goes; 0: any number"`
	CheckpointBytes Bytes    `toml:"checkpoint_bytes" default:"2GB" holds:"now" help:"how much disk all checkpoints of a session may take together: the oldest goes, and the newest always stays"`
}

// MaxOf returns how many sessions there may be on a machine with so many cores and bytes of memory.
func (s SessionSettings) MaxOf(cores int, memory uint64) int {
	if s.Max != CountAuto {
		return int(s.Max)
	}
	return max(2, min(8*cores, int(memory>>29)))
}

// RunSettings hold for every run.
type RunSettings struct {
	Parallel     Parallel  `toml:"parallel" default:"1" holds:"now" label:"Runs at the same time" help:"how many runs go on at the same time, in all Blenders of the engine together: 1 to 64, or \u0060\"auto\"\u0060, as many as the machine has cores. Two runs of one script never do. Runs of sessions, and runs in a Blender that a person has open, go on beside them"`
	Isolation    Isolation `toml:"isolation" default:"process" holds:"now" label:"What runs share" help:"what a run in a fresh scene shares with the runs before it: \u0060\"process\"\u0060: nothing, it has a Blender in which nothing has run; \u0060\"scene\"\u0060: a Blender that goes on, with a scene made anew, for thousands of small scripts"`
	MaxMemory    Bytes     `toml:"max_memory" default:"none" holds:"now" label:"Memory limit of a run" help:"how much memory each process of a run may allocate, Blender with what it has already included: an allocation beyond it fails, and the run with it. Linux and Windows; on Windows all processes of the run together"`
	Nice         uint32    `toml:"nice" default:"0" holds:"now" help:"how much lower the priority of a run on the processor is, as for nice(1): 0 to 19. Where only root may raise a priority again, the Blender executes no other run"`
	MaxProcesses uint32    `toml:"max_processes" default:"0" holds:"now" help:"how many processes a run may start; 0: any number. Linux, where threads and what the user starts meanwhile count, too, and not for root; and Windows"`
	Leftover     Leftover  `toml:"leftover" default:"blender" holds:"now" help:"when a process ends that a run has started and left running: \u0060\"blender\"\u0060: with its Blender, at the latest; \u0060\"run\"\u0060: with the run"`
	Timeout      Duration  `toml:"timeout" default:"none" holds:"now" label:"Time limit of a run" help:"the time limit of a run that has none of its own"`
	Output       Bytes     `toml:"output" default:"1MiB" holds:"now" help:"how much of what a run prints is kept: its beginning and its end"`
	History      uint32    `toml:"history" default:"10000" holds:"now" label:"Runs to keep" help:"how many ended runs are kept, whatever their scripts; and of how many scripts that are gone the engine knows that they have run"`
	OnStop       OnStop    `toml:"on_stop" default:"wait" holds:"now" label:"A run that is running when the engine is stopped" help:"what becomes of a run that is running when the engine is stopped: \u0060\"wait\"\u0060 lets it end, within \u0060stop_timeout\u0060; \u0060\"requeue\"\u0060 ends it at once, and it runs again, from its first line, when the engine starts"`
	StopTimeout  Duration  `toml:"stop_timeout" default:"1m" holds:"now" help:"how long the engine waits for such a run when it is stopped, before it ends it; \u0060\"none\"\u0060: as long as it takes. systemd is told to wait as long"`
	Preview      Preview   `toml:"preview" default:"off" holds:"now" label:"Picture of the scene after each run" help:"a small picture of the scene after each run with the isolation \u0060process\u0060: \u0060\"cycles\"\u0060, or \u0060\"workbench\"\u0060, which is faster and needs a display or a GPU. It is made when nothing waits, and not of very large scenes; the pictures of the last 1,000 runs are kept"`
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
	Notify Notify `toml:"notify" default:"failures" holds:"now" label:"Notifications" help:"which runs are told on the desktop: \u0060\"failures\"\u0060, \u0060\"all\"\u0060 that end, or \u0060\"off\"\u0060"`
}

// WindowSettings are for what a person sees: the window, and the menu of the tray.
type WindowSettings struct {
	Language Language `toml:"language" default:"auto" holds:"window-start" label:"Language" help:"The language of the window and of the tray. \u0060\"auto\"\u0060 is the language of the system, or English where there is no translation; \u0060\"en\"\u0060, \u0060\"de\"\u0060 and \u0060\"zh\"\u0060 are English, German and Simplified Chinese. Commands, logs and the messages of the engine are in English. A change holds for the next window, and for the menu of the tray when the tray starts again."`
	Editor   Command  `toml:"editor" default:"" holds:"now" label:"Editor" help:"the command that opens a script in your editor: \u0060{file}\u0060 stands for its path, and \u0060{line}\u0060 for the line that failed, as in \u0060\"code --goto {file}:{line}\"\u0060; a part with spaces stands in single quotes. Empty: \u0060$VISUAL\u0060 of the tray's environment, else an editor that is installed and can open a file at a line, else the desktop's program for the file"`
}

// WatchSettings are a folder and which of its files are scripts.
type WatchSettings struct {
	Path      string   `toml:"path" path:"folder" holds:"now" help:"the folder; it need not be there yet"`
	Recursive bool     `toml:"recursive" default:"true" holds:"now" label:"Watch the folders in it, too" help:"watch the folders in it, too"`
	Include   []string `toml:"include" default:"[\"**/*.py\"]" holds:"now" help:"which files are scripts: patterns with \u0060*\u0060, \u0060**\u0060, \u0060?\u0060, \u0060[a-z]\u0060 and \u0060{a,b}\u0060, for the path below the folder"`
	Exclude   []string `toml:"exclude" holds:"now" help:"which of these files are no scripts"`
	Poll      Duration `toml:"poll" default:"none" holds:"now" help:"look at the folder at this interval instead of waiting for events; network mounts are polled by themselves"`
	Settle    Duration `toml:"settle" default:"2s" holds:"now" help:"how long a script must stay as it is before it runs, where the system does not tell that its writer has closed it: what other machines save on network mounts, and macOS. It takes longer while the script grows or looks unfinished"`
	Trust     Trust    `toml:"trust" default:"me" holds:"now" label:"Whose scripts run" help:"whose scripts run: \u0060\"me\"\u0060: only those that nobody but you and root could have put there; \u0060\"anyone\"\u0060: also those of everybody who may write to the folder, as on a share"`
}

// FolderSettings are a watched folder, and how the scripts that are saved in it run.
type FolderSettings struct {
	WatchSettings
	Blender      string    `toml:"blender" default:"" holds:"now" label:"Blender" help:"which Blender executes the scripts: the name of a Blender, a version such as \u0060\"4.5\"\u0060, or \u0060\"open\"\u0060 ([Which Blender](#which-blender)); empty: the Blender of \u0060[blender]\u0060"`
	Scene        string    `toml:"scene" path:"scene" default:"fresh" holds:"now" label:"Scene of a run" help:"\u0060\"fresh\"\u0060: a factory scene before each run; \u0060\"keep\"\u0060: what the last run left; or the path of a \u0060.blend\u0060, which is opened"`
	Isolation    Isolation `toml:"isolation" default:"auto" holds:"now" label:"What runs share" help:"what a run shares with the runs before it: \u0060\"process\"\u0060 or \u0060\"scene\"\u0060 as \u0060runs.isolation\u0060, or \u0060\"keep\"\u0060: everything. \u0060\"auto\"\u0060: \u0060runs.isolation\u0060 holds, but for \u0060scene = \"keep\"\u0060, which means \u0060\"keep\"\u0060"`
	MaxMemory    Bytes     `toml:"max_memory" default:"none" holds:"now" help:"how much memory each process of a run may allocate; \u0060\"none\"\u0060: what \u0060runs.max_memory\u0060 says"`
	Nice         uint32    `toml:"nice" default:"0" holds:"now" help:"how much lower the priority of a run on the processor is; 0: what \u0060runs.nice\u0060 says"`
	MaxProcesses uint32    `toml:"max_processes" default:"0" holds:"now" help:"how many processes a run may start; 0: what \u0060runs.max_processes\u0060 says"`
	Leftover     Leftover  `toml:"leftover" default:"auto" holds:"now" help:"when a process ends that a run has left running, at the latest: \u0060\"blender\"\u0060 or \u0060\"run\"\u0060; \u0060\"auto\"\u0060: what \u0060runs.leftover\u0060 says"`
	Timeout      Duration  `toml:"timeout" default:"none" holds:"now" label:"Time limit of a run" help:"the time limit of a run; \u0060\"none\"\u0060: what \u0060runs.timeout\u0060 says"`
	Args         []string  `toml:"args" holds:"now" help:"arguments for the scripts, which find them in \u0060sys.argv\u0060 after \u0060--\u0060"`
	Frame        Frame     `toml:"frame" holds:"now" help:"a frame that is rendered when the script has ended without an error, as by Blender's \u0060--render-frame\u0060"`
	Frames       Frames    `toml:"frames" holds:"now" help:"frames that are rendered then, such as \u0060\"1-250,300\"\u0060 ([rendering.md](rendering.md)); of \u0060frame\u0060 and \u0060frames\u0060 a folder has one"`
	OnBusy       OnBusy    `toml:"on_busy" default:"wait" holds:"now" label:"A save while its script is running" help:"what a save does while the same script is running: \u0060\"wait\"\u0060 for its end, or \u0060\"cancel\"\u0060 it"`
	OnHelper     OnHelper  `toml:"on_helper" default:"run" holds:"now" label:"When a module of a script changes" help:"what a change of a module does that a script has imported in its last run, and that is no script itself, as \u0060_helper.py\u0060, or that belongs to a package: \u0060\"run\"\u0060 the script again, \u0060\"ask\"\u0060: it waits for \u0060blendtray retry --stale\u0060, or \u0060\"off\"\u0060"`
	Retries      uint32    `toml:"retries" default:"0" holds:"now" label:"Repeat a run that was cut off" help:"how often a run is repeated by itself that was cut off because the engine or Blender died: for scripts that may run again"`
	RunExisting  bool      `toml:"run_existing" default:"false" holds:"now" help:"run the scripts that are there already when the folder is watched for the first time"`
}

// BlenderKind is how a Blender comes to be there.
type BlenderKind string

// The kinds of Blenders.
const (
	// BlenderOwn is started, supervised and stopped by the engine.
	BlenderOwn BlenderKind = "own"
	// BlenderOpen was opened by a person, and its add-on serves. The engine never ends it.
	BlenderOpen BlenderKind = "open"
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
	// PID, for a Blender of the kind open, chooses the one with this process id; 0 chooses the
	// one that was the last to serve.
	PID int
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
