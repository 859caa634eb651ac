package app

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/engine"
	"blendtray/lab"
	"blendtray/pulse"
	"blendtray/reference"
)

// house is an engine in this process, with the control interface over it.
type house struct {
	paths    home.Paths
	owner    *settings.Owner
	logs     *home.Logs
	lock     *home.EngineLock
	listener net.Listener
	engine   *engine.Engine
	program  ownProgram
	// isService tells whether the system starts this process again when it fails.
	isService bool
	// hasWindow tells whether this process shows the tray and the window.
	hasWindow bool
	// thumbnails is what the engine has thumbnails made by.
	thumbnails *blender.Thumbnailer
	agents     *agentDoor
	// lab answers the clients of Blender Lab's MCP server.
	lab *lab.Server
	// reference has the Python APIs of Blenders.
	reference *reference.Library
	// farm answers who asks for the farm.
	farm     *farmView
	flamenco *keptPart[api.FlamencoSettings]
	// served is the server of a farm, where the settings have this engine be one.
	served *keptPart[string]
}

// openHouse makes this process the engine of this user and home, with the settings of a source.
// It fails when the settings are wrong, when another process is the engine (see
// [home.LockEngine]), or when the engine's files can't be opened. Nothing runs before
// [house.serve].
func openHouse(paths home.Paths, source settings.Source, t *terminal) (*house, error) {
	h := &house{paths: paths, program: findOwnProgram(), thumbnails: blender.NewThumbnailer(paths.ThumbnailBlender()), farm: newFarmView(paths.FarmMembership())}
	h.agents = &agentDoor{house: h, changed: make(chan struct{}, 1)}
	h.flamenco, h.served = h.flamencoWorker(), h.farmServer()
	h.owner = settings.New(settings.Config{Source: source, Lock: paths.SettingsLock(), Refuse: refuseOwn(paths), Tell: h.announce})
	if err := h.owner.Err(); err != nil {
		return nil, wrongSettings(err)
	}
	if err := paths.Make(); err != nil {
		return nil, err
	}
	address, err := control.Prepare(paths.Runtime)
	if err != nil {
		return nil, err
	}
	if h.lock, err = home.LockEngine(paths, address); err != nil {
		return nil, engineRuns(err)
	}
	h.logs = home.OpenLogs(paths, func(text string) { t.warn("%s", clean(text)) })
	h.reference = reference.New(reference.Config{Dir: paths.Reference(), Write: blender.WriteReference, Logger: h.logs.Logger})
	if err := h.open(address); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// homeSource returns the source of the settings of this home.
func homeSource(paths home.Paths) settings.Source {
	return settings.Source{File: paths.SettingsFile(), Environ: os.Environ()}
}

// languageOf returns the language that the settings choose for the window and the tray: a word of
// [api.Language]. Where the settings can't be read, it is the system's: there is a window, too, while
// they are wrong.
func languageOf(source settings.Source) string {
	loaded, err := source.Load()
	if err != nil {
		return settings.Default().Window.Language.String()
	}
	return loaded.Window.Language.String()
}

// engineRuns returns an error that says which engine runs already, and what to do, when err is a
// [home.EngineRunsError]. It returns other errors unchanged.
func engineRuns(err error) error {
	var other *home.EngineRunsError
	if !errors.As(err, &other) {
		return err
	}
	const hint = "`blendtray status` shows that engine; end it first, or set BLENDTRAY_HOME to another folder for this one"
	if other.Err != nil {
		return fault.New(fault.Failed, hint, "%w", err)
	}
	return fault.New(fault.Failed, hint, "an engine runs already: process %d, since %s, on %s",
		other.Holder.PID, moment(other.Holder.Since, time.Now()), other.Holder.Socket)
}

func (h *house) open(address string) error {
	// No other engine of this home runs, and so none of its Blenders.
	err := h.paths.CloseDoors()
	if err != nil {
		return err
	}
	// The last engine may have been killed, and the sessions have ended with it.
	if err := os.RemoveAll(h.paths.Checkpoints()); err != nil {
		h.logs.Logger.Warn("cannot remove the checkpoints of the last engine's sessions", "error", err)
	}
	if h.listener, err = control.Listen(address); err != nil {
		return err
	}
	if h.engine, err = engine.Open(h.engineConfig(h.owner.Current())); err != nil {
		h.listener.Close() // no client was served yet
		return err
	}
	h.agents.apply(h.owner.Current().MCP)
	client := control.NewClient(address)
	h.lab = lab.New(lab.Config{Engine: client, Presence: control.NewPresence(client), Logger: h.logs.Logger})
	h.lab.Configure(h.owner.Current().MCP)
	h.flamenco.set(h.owner.Current().Flamenco)
	h.served.set(h.owner.Current().Farm.Serve)
	h.owner.Attach(h.apply)
	return nil
}

// wrongSettings returns err, about wrong settings, with a hint that says what to do.
func wrongSettings(err error) error {
	hint := "`blendtray serve --help` explains the flags, docs/settings.md the settings and their variables"
	if mend := settings.Mend(err); mend != "" {
		hint = mend + "; docs/settings.md explains every key"
	}
	return fault.New(fault.Config, hint, "%w", err)
}

// apply gives new settings to the engine. Settings of runs and folders hold at once, the
// settings of a Blender from its next start on, and a new kind of Blender from the end of the
// current run on.
func (h *house) apply(s api.Settings) error {
	h.agents.apply(s.MCP)
	h.engine.SetRuns(s.Runs)
	if err := h.engine.SetBlenders(h.specs(s)); err != nil {
		return err
	}
	h.lab.Configure(s.MCP)
	h.flamenco.set(s.Flamenco)
	h.served.set(s.Farm.Serve)
	return h.engine.SetFolders(s.Folders)
}

// specs returns the Blenders that settings ask for, with what one of them may do that is confined.
func (h *house) specs(s api.Settings) []api.BlenderSpec {
	walls := api.Confinement{
		Workspace: s.MCP.Workspace,
		Hidden:    []string{h.paths.Data, h.paths.Runtime, h.paths.State, h.paths.Log, h.paths.Cache, h.paths.Config},
	}
	if walls.Workspace == "" {
		walls.Workspace = h.paths.Agents()
	}
	all := s.Specs(h.paths.Blenders())
	for i := range all {
		all[i].Confinement = walls
	}
	return all
}

// announce tells the log and every client what has become of the settings.
func (h *house) announce(sentence string, wrong bool) {
	if wrong {
		h.logs.Logger.Warn(sentence)
	} else {
		h.logs.Logger.Info(sentence)
	}
	if h.engine != nil { // before that, nobody could subscribe
		h.engine.Announce(api.Event{Kind: api.KindSettings, Message: sentence})
	}
}

// front returns the engine in the form that its clients see.
func (h *house) front() overEngine { return overEngine{h.engine, h.owner, h.program} }

// close releases the lock and the log files after the engine has ended.
func (h *house) close() {
	h.logs.Close()
	h.lock.Unlock()
}

// serve runs the engine and the parts that serve it until ctx ends, which a client may cause
// through stop, or until a part ends by itself. It returns nil when the end was asked for.
func (h *house) serve(ctx context.Context, stop func()) error {
	defer boundHeap()()
	if !h.hasWindow { // a window needs a thread of its own to stay smooth
		defer boundThreads()()
	}
	defer h.thumbnails.Close()
	defer h.reference.Close()
	defer h.farm.end(context.WithoutCancel(ctx))
	parts := []part{
		// The server starts before the engine, so that it ends after the engine: clients hear
		// how their runs ended.
		control.NewServer(control.Config{
			Engine: h.front(), Listener: h.listener, Shutdown: stop, Settings: h.owner, Farm: h.farm.look,
			SpoolDir: h.paths.Cache, Logger: h.logs.Logger,
		}),
		h.served, // the farm hears how the runs of this machine ended
		h.agents, // its agents hear how their runs ended, too
		// So does the farm, which reports how its runs ended.
		h.farmWorker(),
		closedEngine{h.engine},
		h.lab,
		h.owner,
		newGuard(h.lock, h.paths.Database()),
		h.flamenco,
	}
	if h.isService {
		parts = append(parts, successor{
			h.program, h.front().Status,
			func() time.Duration { return time.Duration(h.owner.Current().Sessions.Idle) }, h.logs.Logger,
		})
	}
	return serveParts(ctx, stop, parts)
}

// guardEvery is how often an engine looks whether its home is still there.
const guardEvery = pulse.Slow

// guard ends an engine whose home was removed: another engine could not know that it is there. It also ends an
// engine whose run history was removed: what the engine writes down would be gone with its end.
type guard struct {
	lock     *home.EngineLock
	database string
	opened   fs.FileInfo // nil where nothing is known
}

func newGuard(lock *home.EngineLock, database string) guard {
	opened, err := os.Stat(database)
	if err != nil {
		opened = nil
	}
	return guard{lock, database, opened}
}

// lost returns what is gone that the engine can't be without, or nil.
func (g guard) lost() error {
	const again = "start it again with `blendtray serve`"
	if g.lock.Lost() {
		return fault.New(fault.Failed, again, "the home of this engine was removed, so it has ended")
	}
	now, err := os.Stat(g.database)
	if gone := errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(g.opened, now); g.opened != nil && gone {
		return fault.New(fault.Failed, again, "the run history %s was removed or replaced, so the engine has ended; a new history begins with the next start", g.database)
	}
	return nil
}

// Serve returns when ctx ends, or fails when something is gone that the engine can't be without.
func (g guard) Serve(ctx context.Context) error {
	tick := time.NewTimer(pulse.Until(guardEvery))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			tick.Reset(pulse.Until(guardEvery))
			if err := g.lost(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// closedEngine is an engine that closes itself when it has ended.
type closedEngine struct{ *engine.Engine }

// Serve runs the engine until ctx ends, and closes it.
func (e closedEngine) Serve(ctx context.Context) error {
	err := e.Engine.Serve(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil // otherwise this error would hide the error of Close
	}
	return errors.Join(err, e.Close())
}
