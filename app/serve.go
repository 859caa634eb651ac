package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/blender"
	"blendtray/engine"
	"blendtray/watcher"
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
	paths, err := home.Find()
	if err != nil {
		return err
	}
	notifier := service.FindNotifier()
	h, err := openHouse(paths, func() (Settings, error) { return c.settings(paths) }, e.terminal)
	if err != nil {
		return err
	}
	defer h.close()
	ctx, stop := context.WithCancel(e)
	defer stop()
	go func() {
		if client, err := e.client(); err == nil {
			notifier.Inform(ctx, client)
		}
	}()
	return service.Run(func() error { return c.serve(ctx, stop, e, h) }, stop)
}

// settings reads the settings and puts the flags over them.
func (c *serveCmd) settings(paths home.Paths) (Settings, error) {
	file := c.Config
	if file == "" {
		file = paths.SettingsFile()
	} else if _, err := os.Stat(file); err != nil {
		return Settings{}, fault.New(fault.Usage, "", "read the settings: %w", err)
	}
	s, err := LoadSettings(file, os.Environ())
	if err != nil {
		return s, fault.New(fault.Usage, "docs/settings.md explains every key", "%w", err)
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
			return s, fault.New(fault.Usage, "`mkdir -p "+dir+"` makes one", "there is no folder %s", abs)
		}
		s.Folders = append(s.Folders, FolderSettings{Path: abs, RunExisting: c.RunExisting})
	}
	return s, nil
}

// serve runs engine, control and printer until one of them fails or a signal comes.
func (c *serveCmd) serve(ctx context.Context, stop func(), e *env, h *house) error {
	go stopOnSignal(ctx, e.terminal, stop)

	printer := &printer{env: e, quiet: c.Quiet, stopAfter: c.ExitAfterRuns, stop: stop, status: h.engine.Status, warned: h.logs.Warned}
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

func folderPolicies(s Settings) (all []api.FolderSettings) {
	for _, f := range s.Folders {
		all = append(all, f.policy())
	}
	return all
}

func runsConfig(s Settings) api.RunSettings {
	return api.RunSettings{
		Timeout: api.Duration(s.Runs.Timeout), Output: api.Bytes(s.Runs.Output), History: s.Runs.History,
		Preview: api.Preview(s.Runs.Preview),
	}
}

// specs returns the Blenders that the settings ask for.
func (h *house) specs(s Settings) []api.BlenderSpec {
	settings := api.Settings{Blender: api.BlenderSettings{
		Path: s.Blender.Path, Args: s.Blender.Args, FactoryStartup: s.Blender.FactoryStartup, Attach: s.Blender.Attach,
		Port: s.Blender.Port, MaxMemory: api.Bytes(s.Blender.MaxMemory), MaxRuns: s.Blender.MaxRuns,
		CancelGrace: api.Duration(s.Blender.CancelGrace), StartTimeout: api.Duration(s.Blender.StartTimeout),
	}}
	return settings.Specs(h.paths.Blenders())
}

// engineConfig returns an engine with the settings s.
func (h *house) engineConfig(s Settings, token string) engine.Config {
	return engine.Config{
		Database:   h.paths.Database(),
		Folders:    folderPolicies(s),
		Blenders:   h.specs(s),
		Runs:       runsConfig(s),
		NewWatcher: func(c watcher.Config) (engine.Watcher, error) { return watcher.New(c) },
		NewBlender: func(spec api.BlenderSpec, changed func(api.BlenderStatus)) engine.Blender {
			if spec.Kind() == api.BlenderOpen {
				return newAttached(h.paths, spec, h.logs.Logger, changed)
			}
			return blender.New(blender.Config{
				BlenderSpec: spec, Token: token, Log: h.logs.Blender, Logger: h.logs.Logger, Changed: changed,
			})
		},
		PreviewDir: h.paths.Previews(),
		Version:    version, Logger: h.logs.Logger,
	}
}

// newAttached returns a Blender of the kind open.
func newAttached(paths home.Paths, spec api.BlenderSpec, logger *slog.Logger, changed func(api.BlenderStatus)) *blender.Attached {
	return blender.NewAttached(blender.AttachedConfig{
		BlenderSpec: spec, Logger: logger, Changed: changed,
		Find: func(ctx context.Context, pid int) (blender.Open, error) { return findOpen(ctx, paths, pid) },
	})
}
