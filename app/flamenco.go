package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
	"blendtray/farm/flamenco"
)

type flamencoCmd struct {
	Worker flamencoWorkerCmd `cmd:"" help:"Work for a manager of Flamenco until Ctrl-C."`
}

type flamencoWorkerCmd struct {
	URL     string   `arg:"" name:"url" help:"The manager, such as http://farm:8080."`
	Name    string   `placeholder:"NAME" help:"The name of this worker (default: the name of the machine)."`
	Tags    []string `placeholder:"TAG" help:"The tags of the manager that this worker is to have. Default: those that it has been given."`
	Blender string   `placeholder:"NAME" help:"The Blender that executes tasks that name none: a name of \"blendtray status\", or a version such as 4.5."`
}

func (flamencoWorkerCmd) Help() string {
	return `Registers this machine as a worker of a manager of Flamenco 3, and executes its tasks in the warm Blenders of the engine: as runs, in the same history. An engine that runs is used; where none runs, this command runs one. Ctrl-C hands the task at hand back and signs off.

    blendtray flamenco worker http://farm:8080
    blendtray flamenco worker farm:8080 --name desk-3 --tags gpu

An engine that is to work for a manager always has the setting flamenco.manager.`
}

func (c *flamencoWorkerCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	manager, err := flamenco.ManagerURL(c.URL)
	if err != nil {
		return fault.New(fault.Usage, "Flamenco's manager prints its address when it starts", "%w", err)
	}
	ctx, stop := context.WithCancel(e)
	defer stop()
	go stopOnSignal(ctx, e.terminal, stop)
	end, err := e.engineFor(ctx, paths, stop)
	if err != nil {
		return err
	}
	err = c.serve(ctx, e, paths, manager)
	return errors.Join(err, end())
}

// serve works for a manager, with the engine that answers.
func (c *flamencoWorkerCmd) serve(ctx context.Context, e *env, paths home.Paths, manager string) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	worker, unlock, err := newFlamencoWorker(paths, client, flamenco.Config{
		Manager: manager, Name: c.Name, Tags: c.Tags, Blender: c.Blender,
		Tell: func(sentence string) {
			e.printf("%s  %s\n", time.Now().Format(time.TimeOnly), clean(sentence))
		},
	})
	switch {
	case errors.Is(err, home.ErrHeld):
		return fault.New(fault.Failed, "`blendtray settings flamenco.manager` says whether the engine does", "a worker of this home works for %s already", manager)
	case err != nil:
		return err
	}
	defer unlock()
	return worker.Serve(ctx)
}

// engineFor makes this process the engine unless one runs. The returned function ends that engine and
// returns why it has failed. stop is called when the engine ends by itself.
func (e *env) engineFor(ctx context.Context, paths home.Paths, stop func()) (end func() error, err error) {
	if home.EngineRuns(paths) {
		return func() error { return nil }, nil
	}
	h, err := openHouse(paths, homeSource(paths), e.terminal)
	if err != nil {
		return nil, err
	}
	// The engine outlives the worker, which has to cancel its run first.
	serving, endEngine := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		served <- h.serve(serving, endEngine)
		stop()
	}()
	return func() error {
		endEngine()
		err := <-served
		h.close()
		return err
	}, nil
}

// newFlamencoWorker returns a worker with the credentials of a home, and what frees them for another
// worker. It fails with [home.ErrHeld] when another worker of the home works for the manager.
func newFlamencoWorker(paths home.Paths, client *control.Client, cfg flamenco.Config) (worker *flamenco.Worker, unlock func(), err error) {
	file := paths.Flamenco(cfg.Manager)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, nil, err
	}
	release, err := home.LockFlamenco(paths, cfg.Manager)
	if err != nil {
		return nil, nil, err
	}
	cfg.Engine, cfg.Store, cfg.Version = client, credentialsFile(file), version
	cfg.Lost = func(err error) bool { return errors.Is(err, control.ErrLost) || errors.Is(err, control.ErrNoEngine) }
	if worker, err = flamenco.New(cfg); err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return worker, func() { _ = release() }, nil // the system would release it, too
}

// credentialsFile is the file in which a worker keeps its credentials, for the user alone.
type credentialsFile string

// Load returns the credentials, or none. It fails when others may read them.
func (c credentialsFile) Load() ([]byte, error) {
	text, err := os.ReadFile(string(c))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && home.OpenToOthers(string(c)):
		return nil, fmt.Errorf("%s can be read by others; remove it, and the worker registers again", string(c))
	}
	return text, err
}

// Save replaces the credentials.
func (c credentialsFile) Save(text []byte) error {
	return home.Replace(string(c), text, 0o600, nil)
}

// flamencoRetry is how long an engine waits after its worker has failed.
const flamencoRetry = time.Minute

// flamencoWorker returns the part of the house that works for the manager of the settings. A
// worker that the manager has sent offline stays so until a setting of it changes.
func (h *house) flamencoWorker() *keptPart[api.FlamencoSettings] {
	return &keptPart[api.FlamencoSettings]{
		wanted: func(s api.FlamencoSettings) bool { return s.Manager != "" },
		work:   h.workForFlamenco,
		failed: func(err error) { h.announce("the worker of Flamenco has ended: "+err.Error(), true) },
		retry:  flamencoRetry, changed: make(chan struct{}, 1),
	}
}

// workForFlamenco works for a manager until ctx ends.
func (h *house) workForFlamenco(ctx context.Context, s api.FlamencoSettings) error {
	manager, err := flamenco.ManagerURL(s.Manager)
	if err != nil {
		return err
	}
	worker, unlock, err := newFlamencoWorker(h.paths, control.NewClient(h.listener.Addr().String()), flamenco.Config{
		Manager: manager, Name: s.Name, Tags: s.Tags, Logger: h.logs.Logger,
		Tell: func(sentence string) { h.logs.Logger.Info("flamenco: " + sentence) },
	})
	if errors.Is(err, home.ErrHeld) {
		return fmt.Errorf("another worker of this home works for %s", manager)
	}
	if err != nil {
		return err
	}
	defer unlock()
	return worker.Serve(ctx)
}
