// Package engine is the life of runs: it takes saves from the watcher and submissions from
// clients, writes each of them into SQLite, queues it, has a Blender execute it, and tells every
// subscriber what happens meanwhile.
//
// The package neither starts Blender nor looks at files: the packages blender and watcher do
// that, and the engine gets them through [Config]. The package speaks to nobody outside the
// process: the package control does that.
//
// To use an engine, call [Open], then [Engine.Serve], which returns after its context ends;
// meanwhile call [Engine.Submit], [Engine.Cancel], [Engine.Retry], [Engine.Runs] and
// [Engine.Subscribe] from any goroutine.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// Blender is what the engine needs of a Blender: *fleet.Fleet is the processes that the engine
// owns, and *blender.Attached is a Blender that a person has open.
//
// Never call a method with a lock of the engine held: the callback of the Blender takes a lock.
type Blender interface {
	Serve(ctx context.Context) error
	Start()
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Status() api.BlenderStatus
	// Processes returns the processes of this Blender.
	Processes() []api.ProcessStatus
	// Expect tells the Blender how many isolated runs wait for it, and with which .blend files runs
	// will begin.
	Expect(runs int, scenes []string)
	// Alert tells the Blender that a run like req is about to come. It returns at once.
	Alert(req blender.Request)
	// Configure sets another specification, of the same name and kind, which holds from the next
	// start on.
	Configure(api.BlenderSpec)
	// Ready waits while Blender is starting. It fails when Blender is stopped or has failed.
	Ready(ctx context.Context) error
	// Await waits until a Blender is ready for a run like req. It fails as Ready does.
	Await(ctx context.Context, req blender.Request) error
	// Free reports whether a run like req would begin at once.
	Free(req blender.Request) bool
	// Run has the script executed and returns how the run ended. Ending ctx cancels the run. An
	// error means that nothing was executed.
	Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error)
	// Preview makes a picture of the scene that a run has left. An error changes nothing.
	Preview(ctx context.Context, run, path string, how blender.Drawing) error
}

// Watcher is what the engine needs of a watcher; *watcher.Watcher implements it.
type Watcher interface {
	Serve(ctx context.Context) error
	SetFolders([]api.WatchSettings) error
	Status() []api.FolderStatus
	Pause(bool)
	Rescan()
}

// ErrClaimed is in the chain of the error of [Config.Claim] when another engine watches a folder.
var ErrClaimed = errors.New("another engine watches the folder")

// These are the defaults of the fields of [api.RunSettings] that are 0.
const (
	DefaultOutputLimit = 1 << 20
	DefaultHistoryRuns = 10_000
)

// Config holds what [Open] needs for an [Engine].
type Config struct {
	// Database is the path of the SQLite file. The engine makes the file with mode 0600, and so
	// the two files that SQLite puts beside it.
	Database string
	// Folders, Blenders and Runs are the first arguments of [Engine.SetFolders],
	// [Engine.SetBlenders] and [Engine.SetRuns].
	Folders  []api.FolderSettings
	Blenders []api.BlenderSpec
	Runs     api.RunSettings
	// NewBlender returns a new Blender for a specification. The Blender may call changed from
	// any goroutine; changed does not block.
	NewBlender func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender
	// ChooseBlender returns the program that a path of the settings means, with its version; ""
	// means the newest Blender that is found. FindBlenders returns the Blenders that the system has.
	// Both may be nil: then no run can ask for a version.
	ChooseBlender func(ctx context.Context, path string) (blender.Found, error)
	FindBlenders  func(ctx context.Context) ([]blender.Found, error)
	// NewWatcher returns the watcher that reports saves.
	NewWatcher func(watcher.Config) (Watcher, error)
	// Claim claims a folder for this engine. It fails with [ErrClaimed] when another engine watches
	// the folder, and with [fs.ErrNotExist] when there is no such folder. With nil, every folder is
	// watched.
	Claim func(path string, recursive bool) (Claim, error)
	// PreviewDir is the folder for the pictures, made with mode 0700; with "" the engine makes
	// no pictures.
	PreviewDir string
	// Thumbnails makes the thumbnails of outputs, which are kept in ThumbnailDir, made with mode 0700;
	// without one of the two there are none.
	Thumbnails   Thumbnailer
	ThumbnailDir string
	// Reference answers questions about the Python API of Blenders; with nil there are no answers.
	Reference Reference
	// SceneDir is the folder for copies of scenes of which nobody names the file, made with mode 0700;
	// with "" each needs a file.
	SceneDir string
	// JournalDir is the folder of the journals of runs, made with mode 0700; with "" a run that was
	// running when the engine died counts as begun, and what scripts write is not known.
	JournalDir string
	// Origin names this machine in the runs that are made here; "" means the host name.
	Origin  string
	Version string
	Logger  *slog.Logger
}

// Engine joins the watcher, the queue, the Blenders and the history.
//
// The locks, in the order in which they are taken, are arranging, turn, mu, and then the locks
// of events and output. turn makes decisions one at a time and may be held while SQLite writes.
// mu guards memory alone and is never held while anything waits, so that looking at the engine
// is always quick.
type Engine struct {
	cfg    Config
	log    *slog.Logger
	store  *store
	hub    *hub
	spares spareJournals
	// keepers holds a value for each run of which thumbnails are made that nobody has asked for.
	keepers chan struct{}
	began   time.Time

	watcher Watcher

	// arranging is held during calls of the watcher, so that the calls keep their order.
	arranging sync.Mutex
	claims    map[string]claimed // guarded by arranging
	offered   []string           // the paths that the watcher was last given; guarded by arranging
	turn      sync.Mutex
	later     []*job // jobs of which something is written down in a moment; guarded by turn
	laterDue  bool   // a timer will write them down; guarded by turn

	mu      sync.Mutex
	queue   queue
	arrival *arrival   // the run that is written down when it is sent, or nil
	joining []*arrival // runs that are written down when their turn comes, or together, in their order
	running map[int64]*job
	load    *load
	// laterFails: what waited to be written down could not be; until it can, nothing new waits.
	laterFails bool
	// looked is closed when what waits was written down for those who look at the runs; nil while nobody waits.
	looked chan struct{}
	// followersDue: a timer will take back the runs that wait behind one that goes on.
	followersDue bool
	unsaved      map[int64]*job // runs that ended, but whose end is not in the database yet
	folders      map[string]*folder
	order        []string  // the paths of folders, as the settings have them
	workers      []*worker // replaced, never changed
	// defaultBlender is the name of the Blender for runs that name none.
	defaultBlender string
	base           api.BlenderSpec // of the default Blender
	machine        machine
	needed         map[string]bool // the names of the Blenders that folders name
	// restAfter is the constant of the same name, or a shorter time in tests.
	restAfter time.Duration
	stamps    map[string]watcher.Stamp
	lost      map[string]string   // why sessions are gone whose Blender is not wanted any more, until a run is told
	byInode   map[uint64][]string // the paths of stamps by the numbers of their files; nil until a scan needs it
	last      map[string]lastRun
	stopping  bool // the engine is ending
	paused    bool // watching is paused
	runs      api.RunSettings
	// outputPace is the constant of the same name, or a shorter time in tests.
	outputPace time.Duration
	// openPatience, laterPatience, lookPatience and followPatience are the constants of the same names, or other times in tests.
	openPatience, laterPatience, lookPatience, followPatience time.Duration
	largeLog                                                  int64  // the constant of the same name, or a smaller size in tests
	blocked                                                   string // why the engine cannot write down that the next run is running
	held                                                      held   // saves that could not be written down
	swept                                                     int    // how many scripts were known after the last sweep of those that are gone
	ended                                                     []*job // runs that ended a moment ago and may have made saves that come now

	tidy    chan struct{} // gets a signal after a write: tidy up when it is quiet
	retries chan struct{} // gets a signal after a failed write: try again
	reclaim chan struct{} // gets a signal when the watcher is to leave a folder
	helpers helpers
	usage   usage
	agents  agents
	arrange chan struct{} // gets a signal when folders may name other Blenders
	serving bool          // guarded by turn
	working group         // the workers
	closed  sync.Once
}

// Open opens the database, migrates it to this version's schema and finds out what the last
// engine left: see [Engine.recover]. It returns the
// engine or fails when the configuration is wrong or the database can't be used. Nothing runs
// before [Engine.Serve].
func Open(cfg Config) (*Engine, error) {
	if cfg.Database == "" || cfg.NewBlender == nil || cfg.NewWatcher == nil {
		return nil, errors.New("open engine: Database, NewBlender and NewWatcher must be given")
	}
	if cfg.Origin == "" {
		cfg.Origin, _ = os.Hostname() // a machine without a name has no origin to report
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	st, notes, err := openStore(cfg.Database)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, log: cfg.Logger, store: st, hub: newHub(), began: time.Now(),
		running: map[int64]*job{},
		load:    newLoad(),
		unsaved: map[int64]*job{},
		folders: map[string]*folder{},
		claims:  map[string]claimed{},
		reclaim: make(chan struct{}, 1),
		tidy:    make(chan struct{}, 1),
		retries: make(chan struct{}, 1),
		arrange: make(chan struct{}, 1),
		needed:  map[string]bool{},
		helpers: newHelpers(),
		usage:   usage{woken: make(chan struct{}, 1)},
		keepers: make(chan struct{}, maxKeepers),

		outputPace: outputPace, openPatience: openPatience, laterPatience: laterPatience, lookPatience: lookPatience, followPatience: followPatience, largeLog: largeLog, restAfter: restAfter,
	}
	e.agents.life, e.agents.changed = agentTime, func() { e.hub.publish(api.Event{Kind: api.KindAgents}) }
	e.SetRuns(cfg.Runs)
	for _, text := range notes {
		e.warn(text)
	}
	if err := e.adoptFolders(cfg.Folders); err != nil {
		st.close()
		return nil, err
	}
	if err := e.recover(); err != nil {
		st.close()
		return nil, fmt.Errorf("read the runs in %s: %w", cfg.Database, err)
	}
	e.claimLocked()
	allowed := e.allowedFolders()
	e.offered = pathsOf(allowed)
	e.watcher, err = cfg.NewWatcher(watcher.Config{
		Folders: allowed,
		Known:   e.known,
		Save:    e.save,
		Scanned: e.scanned,
		Places:  e.placesOf,
		Placed:  e.placed,
		Changed: func([]api.FolderStatus) { e.hub.publish(api.Event{Kind: api.KindFolders}) },
		Logger:  cfg.Logger,
	})
	if err == nil {
		err = e.SetBlenders(cfg.Blenders)
	} else {
		err = fmt.Errorf("watch folders: %w", err)
	}
	if err != nil {
		e.releaseClaims()
		st.close()
		return nil, err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	for _, name := range e.queue.passing() {
		e.attachLocked(name)
	}
	return e, nil
}

// Close closes an engine that is not being served; [Engine.Serve] closes its engine by itself.
func (e *Engine) Close() error {
	var err error
	e.closed.Do(func() {
		e.turn.Lock()
		e.mu.Lock()
		e.stopping = true
		e.mu.Unlock()
		e.turn.Unlock()
		e.releaseClaims()
		e.spares.remove()
		e.agents.close()
		e.hub.close()
		err = e.store.close()
	})
	return err
}

// warn writes text, which a person should know, to the log and tells it to every subscriber.
func (e *Engine) warn(text string) {
	e.log.Warn(text)
	e.hub.publish(api.Event{Kind: api.KindNote, Message: text})
}

// note tells every subscriber text, which a person may want to know.
func (e *Engine) note(text string) {
	e.log.Info(text)
	e.hub.publish(api.Event{Kind: api.KindNote, Message: text})
}

// poke makes sure that a signal waits in c.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // a signal waits already
	}
}

// SetRuns replaces the settings of runs. Runs that wait or are running keep their limits.
func (e *Engine) SetRuns(c api.RunSettings) {
	if c.Output <= 0 {
		c.Output = DefaultOutputLimit
	}
	if c.History <= 0 {
		c.History = DefaultHistoryRuns
	}
	e.mu.Lock()
	e.runs = c
	e.wakeWorkersLocked() // more may begin
	e.mu.Unlock()
	e.expect() // other scenes are opened before they are needed
}

// expect tells all Blenders what runs they should expect.
func (e *Engine) expect() {
	for _, w := range e.allWorkers() {
		w.expect()
	}
}

// parallelLocked returns how many runs go on at the same time, those of sessions and of open Blenders
// left out. It needs mu.
func (e *Engine) parallelLocked() int { return e.runs.Parallel.Of(runtime.NumCPU()) }

func (e *Engine) runSettings() api.RunSettings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs
}
