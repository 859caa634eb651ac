package app

import (
	"context"
	"errors"
	"net"
	"sync"

	"blendtray/control"
	"blendtray/engine"
)

// house is an engine in this process, with the interface over it.
type house struct {
	paths    Paths
	load     func() (Settings, error)
	logs     *logs
	unlock   func()
	listener net.Listener
	engine   *engine.Engine
	blender  *engine.Switch

	mu   sync.Mutex
	last Settings // that could be read
}

// openHouse makes this process the engine of this user and home, with the settings that load
// gives now, and whenever a client asks for its folders to be read again. It fails when load
// does, when another process is the engine (see [lockEngine]), or when its files can't be had.
// Nothing runs before [house.serve].
func openHouse(paths Paths, load func() (Settings, error), t *terminal) (*house, error) {
	settings, err := load()
	if err != nil {
		return nil, err
	}
	if err := makeFolders(paths); err != nil {
		return nil, err
	}
	address, err := control.Address(paths.Runtime)
	if err != nil {
		return nil, err
	}
	h := &house{paths: paths, load: load, last: settings}
	if h.unlock, err = lockEngine(paths, address); err != nil {
		return nil, err
	}
	h.logs = openLogs(paths, t)
	if err := h.open(address, settings); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *house) open(address string, settings Settings) error {
	secret, err := readToken(h.paths)
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

// reload has what the settings now say of folders and runs hold. What they say of Blender holds
// from its next start on, but for which kind of Blender it is.
func (h *house) reload() error {
	settings, err := h.load()
	if err != nil {
		return err
	}
	h.engine.SetRuns(runsConfig(settings))
	h.blender.Set(blenderKind(settings))
	return h.engine.SetFolders(folderPolicies(settings))
}

// settings are those in the file or, while they are wrong, the last that were not.
func (h *house) settings() Settings {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, err := h.load()
	if err != nil {
		h.logs.logger.Warn("the settings can't be read, and Blender starts as before", "error", err)
	} else {
		h.last = now
	}
	return h.last
}

// close gives the lock and the log files back, when the engine has ended.
func (h *house) close() {
	h.logs.close()
	h.unlock()
}

// overEngine is an engine as the control interface needs it.
type overEngine struct{ *engine.Engine }

// Subscribe returns a stream of events, with what runs print if output is true.
func (o overEngine) Subscribe(output bool) control.Subscription {
	return o.Engine.Subscribe(engine.SubscribeOptions{Output: output})
}

// serve runs engine and interface until ctx ends, which a client may ask for through stop, or
// one of them fails. It returns nil for an end that was asked for.
func (h *house) serve(ctx context.Context, stop func()) error {
	server := control.NewServer(control.Config{
		Engine: overEngine{h.engine}, Listener: h.listener, Shutdown: stop, Reload: h.reload,
		SpoolDir: h.paths.Cache, Logger: h.logs.logger,
	})
	// The server ends after the engine, so that clients hear how their runs ended; without it
	// nobody could reach the engine, so if it fails the engine ends too.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	var wg sync.WaitGroup
	var serverErr error
	wg.Go(func() {
		serverErr = server.Serve(serving)
		stop()
	})
	engineErr := errors.Join(h.engine.Serve(ctx), h.engine.Close())
	stopServing()
	wg.Wait()
	if err := errors.Join(engineErr, serverErr); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
