// Package engine is the life of runs: it takes saves from the watcher and submissions from
// clients, writes each down in SQLite, queues it, has a Blender do it, and tells every
// subscriber what happens meanwhile.
//
// It is not for starting Blender or looking at files; those are the packages blender and
// watcher, which it is given through [Config]. It speaks to nobody outside the process:
// that is control's part.
//
// Use: [Open], then [Engine.Serve] until its context ends; [Engine.Submit], [Engine.Cancel],
// [Engine.Retry], [Engine.Runs] and [Engine.Subscribe] from any goroutine in between.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// Blender is what the engine needs of a Blender: *fleet.Fleet is the processes that the engine
// owns, and *blender.Attached is a Blender that a person has open.
//
// None of its methods may be called with a lock of the engine held: its callback takes one.
type Blender interface {
	Serve(ctx context.Context) error
	Start()
	Stop(ctx context.Context) error
	Restart(ctx context.Context) error
	Status() api.BlenderStatus
	// Processes returns the processes of this Blender.
	Processes() []api.ProcessStatus
	// Expect tells how many isolated runs wait for it.
	Expect(runs int)
	// Configure has another specification, of the same name and kind, hold from the next start
	// on.
	Configure(api.BlenderSpec)
	// Ready waits while Blender is starting; its error says that it is stopped or failed.
	Ready(ctx context.Context) error
	// Await waits until there is a Blender for a run like req; it fails as Ready does.
	Await(ctx context.Context, req blender.Request) error
	// Run has the script executed and reports how it ended; ending ctx cancels the run. An
	// error says that nothing was executed.
	Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error)
	// Preview makes a picture of what the last run left. An error changes nothing.
	Preview(ctx context.Context, path, engine string) error
}

// Watcher is what the engine needs of a watcher; *watcher.Watcher is one.
type Watcher interface {
	Serve(ctx context.Context) error
	SetFolders([]api.WatchSettings) error
	Status() []api.FolderStatus
	Pause(bool)
	Rescan()
}

// Defaults of [api.RunSettings] that are 0.
const (
	DefaultOutputLimit = 1 << 20
	DefaultHistoryRuns = 10_000
)

// Config is what an [Engine] is made from.
type Config struct {
	// Database is the path of the SQLite file. It is made with mode 0600, as are the two
	// that SQLite puts beside it.
	Database string
	// Folders is what [Engine.SetFolders] is told at first, Blenders what [Engine.SetBlenders]
	// is told and Runs what [Engine.SetRuns] is told.
	Folders  []api.FolderSettings
	Blenders []api.BlenderSpec
	Runs     api.RunSettings
	// NewBlender makes a Blender of a specification; changed may be called from any goroutine
	// and does not block.
	NewBlender func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender
	// NewWatcher makes the watcher that saves come from.
	NewWatcher func(watcher.Config) (Watcher, error)
	// PreviewDir is the folder for the pictures; "" makes none. It is made with mode 0700.
	PreviewDir string
	// Origin names this machine in the runs that are made here; "" is its host name.
	Origin  string
	Version string
	Logger  *slog.Logger
}

// Engine joins watcher, queue, Blender and history.
//
// Locks, in the order they are taken: arranging, turn, mu, then those of events and output. turn makes
// decisions one at a time and may be held while SQLite writes; mu guards memory alone and is
// never held while anything waits, so that looking at the engine is always quick.
type Engine struct {
	cfg   Config
	log   *slog.Logger
	store *store
	hub   *hub
	began time.Time

	watcher Watcher

	// arranging is held while the watcher is told something, so that it hears it in order.
	arranging sync.Mutex
	turn      sync.Mutex

	mu      sync.Mutex
	queue   queue
	running map[int64]*job
	unsaved map[int64]*job // ended, but the end is not in the database yet
	folders map[string]*folder
	workers []*worker // replaced, never changed
	// defaultBlender is the name of the Blender for runs that name none.
	defaultBlender string
	stamps         map[string]watcher.Stamp
	last           map[string]lastRun
	stopping       bool // the engine is ending
	paused         bool // watching is paused
	runs           api.RunSettings
	// outputPace is that of the constant, and shorter in tests.
	outputPace time.Duration
	blocked    string // why the next run cannot be written down as running

	tidy    chan struct{} // something was written: tidy up when it is quiet
	retries chan struct{} // something could not be written: try again
	serving bool          // guarded by turn
	working group         // the workers
	closed  sync.Once
}

// Open opens the database, brings it to this version's form and finds out what the last
// engine left: queued runs are queued again, running ones become interrupted. Nothing runs
// before [Engine.Serve].
func Open(cfg Config) (*Engine, error) {
	if cfg.Database == "" || cfg.NewBlender == nil || cfg.NewWatcher == nil {
		return nil, errors.New("open engine: Database, NewBlender and NewWatcher must be given")
	}
	if cfg.Origin == "" {
		cfg.Origin, _ = os.Hostname() // a machine without a name has none to tell
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
		unsaved: map[int64]*job{},
		folders: map[string]*folder{},
		tidy:    make(chan struct{}, 1),
		retries: make(chan struct{}, 1),

		outputPace: outputPace,
	}
	e.SetRuns(cfg.Runs)
	for _, text := range notes {
		e.warn(text)
	}
	if err := e.recover(); err != nil {
		st.close()
		return nil, fmt.Errorf("read the runs in %s: %w", cfg.Database, err)
	}
	if err := e.adoptFolders(cfg.Folders); err != nil {
		st.close()
		return nil, err
	}
	e.watcher, err = cfg.NewWatcher(watcher.Config{
		Folders: watcherFolders(cfg.Folders),
		Known:   e.known,
		Save:    e.save,
		Scanned: e.scanned,
		Changed: func([]api.FolderStatus) { e.hub.publish(api.Event{Kind: api.KindFolders}) },
		Logger:  cfg.Logger,
	})
	if err != nil {
		st.close()
		return nil, fmt.Errorf("watch folders: %w", err)
	}
	if err := e.SetBlenders(cfg.Blenders); err != nil {
		st.close()
		return nil, err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	for _, name := range e.queue.openBlenders() {
		e.attachLocked(name)
	}
	return e, nil
}

// recover takes over what the last engine left.
func (e *Engine) recover() error {
	interrupted, err := e.store.interrupt(time.Now())
	if err != nil {
		return err
	}
	for _, id := range interrupted {
		e.warn(fmt.Sprintf("run %d was running when the engine ended and was not repeated; repeat it with: blendtray retry %d", id, id))
	}
	jobs, err := e.store.queued()
	if err != nil {
		return err
	}
	for _, j := range jobs {
		j.out = newCapture(int(e.runSettings().Output))
		e.queue.push(j)
	}
	if e.stamps, err = e.store.stamps(); err != nil {
		return err
	}
	e.last, err = e.store.lastRuns()
	return err
}

// Close closes an engine that is not being served; [Engine.Serve] does it by itself.
func (e *Engine) Close() error {
	var err error
	e.closed.Do(func() {
		e.turn.Lock()
		e.mu.Lock()
		e.stopping = true
		e.mu.Unlock()
		e.turn.Unlock()
		e.hub.close()
		err = e.store.close()
	})
	return err
}

// warn tells the log and every subscriber something a person should know.
func (e *Engine) warn(text string) {
	e.log.Warn(text)
	e.hub.publish(api.Event{Kind: api.KindNote, Message: text})
}

// note tells subscribers something a person may want to know.
func (e *Engine) note(text string) {
	e.log.Info(text)
	e.hub.publish(api.Event{Kind: api.KindNote, Message: text})
}

// poke makes sure that one signal waits in c.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one waits already
	}
}

// SetRuns says what holds for runs from now on. Runs that wait or are running keep their limits.
func (e *Engine) SetRuns(c api.RunSettings) {
	if c.Output <= 0 {
		c.Output = DefaultOutputLimit
	}
	if c.History <= 0 {
		c.History = DefaultHistoryRuns
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runs = c
}

func (e *Engine) runSettings() api.RunSettings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs
}
