package app

import (
	"context"
	"errors"
	"net"
	"time"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
	"blendtray/engine"
)

// house is an engine in this process, with the interface over it.
type house struct {
	paths    home.Paths
	load     func() (Settings, error)
	logs     *home.Logs
	unlock   func()
	listener net.Listener
	engine   *engine.Engine
}

// openHouse makes this process the engine of this user and home, with the settings that load
// gives now, and whenever a client asks for its folders to be read again. It fails when load
// does, when another process is the engine (see [home.LockEngine]), or when its files can't be had.
// Nothing runs before [house.serve].
func openHouse(paths home.Paths, load func() (Settings, error), t *terminal) (*house, error) {
	settings, err := load()
	if err != nil {
		return nil, err
	}
	if err := paths.Make(); err != nil {
		return nil, err
	}
	address, err := control.Address(paths.Runtime)
	if err != nil {
		return nil, err
	}
	h := &house{paths: paths, load: load}
	if h.unlock, err = home.LockEngine(paths, address); err != nil {
		return nil, engineRuns(err)
	}
	h.logs = home.OpenLogs(paths, func(text string) { t.warn("%s", clean(text)) })
	if err := h.open(address, settings); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// engineRuns says which engine runs already, and what to do, when err is a
// [home.EngineRunsError]. It returns other errors as they are.
func engineRuns(err error) error {
	var other *home.EngineRunsError
	if !errors.As(err, &other) {
		return err
	}
	const hint = "`blendtray status` shows it; end it first, or give this one another BLENDTRAY_HOME"
	if other.Err != nil {
		return fault.New(fault.Failed, hint, "%w", err)
	}
	return fault.New(fault.Failed, hint, "an engine runs already: process %d, since %s, on %s",
		other.Holder.PID, moment(other.Holder.Since, time.Now()), other.Holder.Socket)
}

func (h *house) open(address string, settings Settings) error {
	secret, err := home.Token(h.paths)
	if err != nil {
		return err
	}
	if h.listener, err = control.Listen(address); err != nil {
		return err
	}
	if h.engine, err = engine.Open(h.engineConfig(settings, secret)); err != nil {
		h.listener.Close() // nobody was served yet
		return err
	}
	return nil
}

// reload has what the settings now say hold: of runs and folders at once, of Blender from its
// next start on, of which kind Blender is from the end of the current run on.
func (h *house) reload() error {
	settings, err := h.load()
	if err != nil {
		return err
	}
	h.engine.SetRuns(runsConfig(settings))
	if err := h.engine.SetBlenders(h.specs(settings)); err != nil {
		return err
	}
	return h.engine.SetFolders(folderPolicies(settings))
}

// close gives the lock and the log files back, when the engine has ended.
func (h *house) close() {
	h.logs.Close()
	h.unlock()
}

// overEngine is an engine as the control interface needs it.
type overEngine struct {
	*engine.Engine
	house *house
}

// Subscribe returns a stream of events, with what runs print if output is true.
func (o overEngine) Subscribe(output bool) control.Subscription {
	return o.Engine.Subscribe(engine.SubscribeOptions{Output: output})
}

// serve runs the engine and what serves it until ctx ends, which a client may ask for through stop,
// or one of them ends by itself. It returns nil for an end that was asked for.
func (h *house) serve(ctx context.Context, stop func()) error {
	return serveParts(ctx, stop, []part{
		// Before the engine, so that it ends after the engine: clients hear how their runs ended.
		control.NewServer(control.Config{
			Engine: overEngine{h.engine, h}, Listener: h.listener, Shutdown: stop, Reload: h.reload,
			SpoolDir: h.paths.Cache, Logger: h.logs.Logger,
		}),
		closedEngine{h.engine},
	})
}

// closedEngine is an engine that is closed when it has ended.
type closedEngine struct{ *engine.Engine }

// Serve runs the engine until ctx ends, and closes it.
func (e closedEngine) Serve(ctx context.Context) error {
	err := e.Engine.Serve(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil // or it would hide the error of Close
	}
	return errors.Join(err, e.Close())
}
