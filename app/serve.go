package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/engine"
)

type serveCmd struct {
	Folder        []string `placeholder:"DIR" sep:"none" help:"Watch this folder, beside those of the settings. May be given more than once."`
	RunExisting   bool     `help:"Also run the scripts that are in the --folder folders already, the first time they are watched."`
	Blender       string   `placeholder:"PATH" help:"The Blender to use. Default: the settings, then the newest one that is found."`
	Config        string   `placeholder:"FILE" help:"Read the settings from this file."`
	Quiet         bool     `short:"q" help:"Leave out what scripts print."`
	ExitAfterRuns int      `placeholder:"N" help:"End when N runs have ended: for demonstrations and tests."`
}

func (serveCmd) Help() string {
	return `Starts Blender without a window, keeps it warm, watches the folders of the settings and of --folder, and runs a Python script there as soon as it is saved. Prints a line for each thing that happens, and what scripts print indented below. It needs no screen. Ctrl-C or SIGTERM ends it cleanly; a second one at once.

    blendtray serve --folder ~/scripts
    blendtray serve --folder ~/scripts --folder ~/renders --blender /opt/blender/blender

One engine runs for each user and home. If Blender can't be found or started, the engine stays, says why, and tries again on "blendtray start". Settings are read from settings.toml, whose place "blendtray doctor" tells.`
}

func (c *serveCmd) Run(e *env) error {
	paths, err := FindPaths()
	if err != nil {
		return err
	}
	manager := findServiceManager()
	h, err := openHouse(paths, func() (Settings, error) { return c.settings(paths) }, e.terminal)
	if err != nil {
		return err
	}
	defer h.close()
	ctx, stop := context.WithCancel(e)
	defer stop()
	go func() {
		if client, err := e.client(); err == nil {
			manager.inform(ctx, client)
		}
	}()
	return underServiceManager(func() error { return c.serve(ctx, stop, e, h) }, stop)
}

// settings reads the settings and puts the flags over them.
func (c *serveCmd) settings(paths Paths) (Settings, error) {
	file := c.Config
	if file == "" {
		file = settingsFile(paths)
	} else if _, err := os.Stat(file); err != nil {
		return Settings{}, fail(exitUsage, "", "read the settings: %w", err)
	}
	s, err := LoadSettings(file, os.Environ())
	if err != nil {
		return s, &failure{code: exitUsage, err: err, hint: "docs/settings.md explains every key"}
	}
	if c.Blender != "" {
		s.Blender.Path = c.Blender
		// A bare name is looked up in PATH; anything else is a path from here.
		if filepath.Base(c.Blender) != c.Blender {
			if s.Blender.Path, err = filepath.Abs(c.Blender); err != nil {
				return s, err
			}
		}
	}
	for _, dir := range c.Folder {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return s, err
		}
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			return s, fail(exitUsage, "`mkdir -p "+dir+"` makes one", "there is no folder %s", abs)
		}
		s.Folders = append(s.Folders, FolderSettings{Path: abs, RunExisting: c.RunExisting})
	}
	return s, nil
}

// serve runs engine, control and printer until one of them fails or a signal comes.
func (c *serveCmd) serve(ctx context.Context, stop func(), e *env, h *house) error {
	go stopOnSignal(ctx, e.terminal, stop)

	printer := &printer{env: e, quiet: c.Quiet, stopAfter: c.ExitAfterRuns, stop: stop, status: h.engine.Status, warned: h.logs.warned}
	events := h.engine.Subscribe(engine.SubscribeOptions{Output: !c.Quiet})
	defer events.Close()
	printer.say("engine", plain, fmt.Sprintf("version %s, process %d, on %s", version, os.Getpid(), h.listener.Addr()))
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		printer.serve(events.Events()) // until the engine has ended and all was said
	}()
	err := h.serve(ctx, stop)
	<-printed
	if err != nil {
		return err
	}
	printer.say("engine", plain, "ended")
	return nil
}

func folderPolicies(s Settings) (all []engine.FolderPolicy) {
	for _, f := range s.Folders {
		all = append(all, f.policy())
	}
	return all
}

func runsConfig(s Settings) engine.RunsConfig {
	return engine.RunsConfig{
		TimeLimit: time.Duration(s.Runs.Timeout), OutputLimit: int(s.Runs.Output), HistoryRuns: int(s.Runs.History),
		Preview: s.Runs.Preview.String(), KeepScene: s.Blender.Attach,
	}
}

// startConfig is what a start of Blender takes from the settings.
func startConfig(s Settings) blender.Config {
	return blender.Config{
		Path: s.Blender.Path, Args: s.Blender.Args, FactoryStartup: s.Blender.FactoryStartup, Port: int(s.Blender.Port),
		MaxMemoryBytes: uint64(s.Blender.MaxMemory), MaxRuns: int(s.Blender.MaxRuns),
		CancelGrace: time.Duration(s.Blender.CancelGrace), StartTimeout: time.Duration(s.Blender.StartTimeout),
	}
}

// The kinds of Blender.
const (
	kindOwn  = "own"  // that is started here
	kindOpen = "open" // that somebody has open
)

func blenderKind(s Settings) string {
	if s.Blender.Attach {
		return kindOpen
	}
	return kindOwn
}

// engineConfig is an engine with the settings s.
func (h *house) engineConfig(s Settings, token string) engine.Config {
	paths, logs := h.paths, h.logs
	return engine.Config{
		Database:   databaseFile(paths),
		Folders:    folderPolicies(s),
		NewWatcher: newWatcher,
		NewBlender: func(changed func(api.BlenderStatus)) engine.Blender {
			h.blender = engine.NewSwitch(blenderKind(s), func(kind string, changed func(api.BlenderStatus)) engine.Blender {
				if kind == kindOpen {
					return blender.NewAttached(blender.AttachedConfig{
						Find:        func(ctx context.Context) (blender.Open, error) { return newestOpen(ctx, paths) },
						CancelGrace: time.Duration(h.settings().Blender.CancelGrace), Logger: logs.logger, Changed: changed,
					})
				}
				return blender.New(blender.Config{
					Renew: func() blender.Config { return startConfig(h.settings()) },
					Dir:   filepath.Join(paths.Cache, "blender"), Token: token,
					Log: logs.blender, Logger: logs.logger, Changed: changed,
				})
			}, changed)
			return h.blender
		},
		Runs: runsConfig(s), PreviewDir: filepath.Join(paths.Cache, "previews"),
		Version: version, Logger: logs.logger,
	}
}
