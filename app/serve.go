package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/mem"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/app/settings"
	"blendtray/blender"
	"blendtray/engine"
	"blendtray/farm/remote"
	"blendtray/fleet"
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
	return `Starts Blender without a window, keeps it warm, watches the folders of the settings and of --folder, and runs a Python script there as soon as it is saved. Prints a line for each thing that happens, and what scripts print indented below. It needs no screen. Ctrl-C or SIGTERM ends it cleanly, and a second time at once.

    blendtray serve --folder ~/scripts
    blendtray serve --folder ~/scripts --folder ~/renders --blender /opt/blender/blender

One engine runs for each user and home. If Blender can't be found or started, the engine stays, says why, and tries again on "blendtray start". Settings are read from settings.toml; "blendtray doctor" says where that file is.`
}

func (c *serveCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	notifier := service.FindNotifier()
	source, err := c.source(paths)
	if err != nil {
		return err
	}
	h, err := c.open(e, paths, source, notifier)
	if err != nil {
		return err
	}
	defer h.close()
	h.isService = notifier.StartsAgain()
	ctx, stop := context.WithCancel(e)
	defer stop()
	go func() {
		if client, err := e.client(); err == nil {
			notifier.Inform(ctx, client, h.stopTime)
		}
	}()
	go notifier.Renew(h.logs.Logger)
	return service.Run(func() error { return c.serve(ctx, stop, e, h) }, stop, h.stopTime)
}

// open makes this process the engine, as [openHouse] does. A service waits a while for another
// engine to end, such as a tray's engine, and takes its place: systemd would start the service again
// and again.
func (c *serveCmd) open(e *env, paths home.Paths, source settings.Source, notifier service.Notifier) (*house, error) {
	const lookTime = 500 * time.Millisecond
	for deadline := time.Now().Add(notifier.Patience()); ; {
		h, err := openHouse(paths, source, e.terminal)
		if err == nil || !time.Now().Before(deadline) || !home.EngineRuns(paths) {
			return h, err
		}
		if code, _ := fault.Explain(err); code == fault.Config {
			return nil, err // another engine changes nothing about that
		}
		select {
		case <-e.Done():
			return nil, err
		case <-time.After(lookTime):
		}
	}
}

// source returns the source of the settings: the file, the variables and the flags.
func (c *serveCmd) source(paths home.Paths) (settings.Source, error) {
	s := homeSource(paths)
	if c.Config != "" {
		if _, err := os.Stat(c.Config); err != nil {
			return s, fault.New(fault.Usage, "", "read the settings: %w", err)
		}
		var err error
		if s.File, err = filepath.Abs(c.Config); err != nil {
			return s, err
		}
		s.Required = true
	}
	if c.Blender != "" {
		path := c.Blender
		// A bare name is looked up in PATH; anything else is a path from the current folder.
		if filepath.Base(path) != path {
			var err error
			if path, err = filepath.Abs(path); err != nil {
				return s, err
			}
		}
		s.Flags.Values = append(s.Flags.Values, settings.FlagValue{Key: "blender.path", Flag: "--blender", Text: path})
	}
	for _, dir := range c.Folder {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return s, err
		}
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			return s, fault.New(fault.Usage, "`mkdir -p "+dir+"` makes one", "there is no folder %s", abs)
		}
		s.Flags.Folders = append(s.Flags.Folders, settings.FlagFolder{Flag: "--folder", Path: abs, RunExisting: c.RunExisting})
	}
	return s, nil
}

// serve runs the engine, control and printer until one of them fails or a signal comes.
func (c *serveCmd) serve(ctx context.Context, stop func(), e *env, h *house) error {
	go stopOnSignal(ctx, e.terminal, stop)
	go keepLean(ctx)

	printer := &printer{env: e, quiet: c.Quiet, stopAfter: c.ExitAfterRuns, stop: stop, status: h.front().Status, warned: h.logs.Warned}
	events := h.front().Subscribe(!c.Quiet)
	defer events.Close()
	printer.say("engine", plain, fmt.Sprintf("version %s, process %d, on %s", version, os.Getpid(), h.listener.Addr()))
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		printer.serve(events.Events()) // until the engine has ended and every event was printed
	}()
	err := h.serve(ctx, stop)
	<-printed
	if err != nil {
		return err
	}
	printer.say("engine", plain, "ended")
	return nil
}

// engineConfig returns the configuration of an engine with the settings s.
func (h *house) engineConfig(s api.Settings) engine.Config {
	return engine.Config{
		Database:      h.paths.Database(),
		Folders:       s.Folders,
		Blenders:      h.specs(s),
		Runs:          s.Runs,
		ChooseBlender: blender.Choose,
		FindBlenders:  func(ctx context.Context) ([]blender.Found, error) { return blender.Find(ctx, "") },
		NewWatcher: func(c watcher.Config) (engine.Watcher, error) {
			c.Own = h.paths.Own()
			return watcher.New(c)
		},
		NewBlender: func(spec api.BlenderSpec, changed func(api.BlenderStatus)) engine.Blender {
			switch spec.Kind() {
			case api.BlenderOpen:
				return newAttached(h.paths, spec, h.logs.Logger, changed)
			case api.BlenderFarm:
				return remote.New(remote.Config{Spec: spec, Membership: h.paths.FarmMembership(), Changed: changed})
			}
			return h.newFleet(spec, changed)
		},
		Claim:      h.claim,
		Thumbnails: h.thumbnails, ThumbnailDir: h.paths.Thumbnails(),
		Reference:  h.reference,
		PreviewDir: h.paths.Previews(), SceneDir: h.paths.Opened(), JournalDir: h.paths.Journals(),
		Version: version, Logger: h.logs.Logger,
	}
}

// claim claims a folder for the engine of this home.
func (h *house) claim(path string, recursive bool) (engine.Claim, error) {
	c, err := home.ClaimFolder(h.paths, path, recursive)
	var claimed *home.ClaimedError
	if errors.As(err, &claimed) {
		return nil, refusal{claimed}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// refusal is the error for a folder that another engine watches.
type refusal struct{ *home.ClaimedError }

// Is makes a refusal an [engine.ErrClaimed].
func (refusal) Is(target error) bool { return target == engine.ErrClaimed }

// stopTime returns how long the engine may take to end: as long as it waits for the
// current run, and some time for its Blenders.
func (h *house) stopTime() time.Duration {
	return service.StopTime(time.Duration(h.owner.Current().Runs.StopTimeout))
}

// newFleet returns the fleet for a specification. The user's programs can reach only the Blender that
// keeps its state.
func (h *house) newFleet(spec api.BlenderSpec, changed func(api.BlenderStatus)) *fleet.Fleet {
	total := uint64(0)
	if memory, err := mem.VirtualMemory(); err == nil { // otherwise the machine counts as a small machine
		total = memory.Total
	}
	return fleet.New(fleet.Config{
		Spec: spec, Memory: total, Free: freeMemory, Changed: changed, Logger: h.logs.Logger,
		WhyNotConfined: blender.WhyNotConfined,
		Checkpoints:    filepath.Join(h.paths.Checkpoints(), url.PathEscape(spec.Name)),
		NewMember: func(spec api.BlenderSpec, public bool, changed func(api.BlenderStatus)) fleet.Member {
			c := blender.Config{BlenderSpec: spec, Log: h.logs.Blender(spec.Name), Logger: h.logs.Logger, Changed: changed}
			if public {
				c.Announce = func(pid, port int, token string) func() { return h.openDoor(spec.Name, pid, port, token) }
			}
			return blender.New(c)
		},
	})
}

// openDoor tells the user's programs how to reach a Blender, and returns a function that ends this.
func (h *house) openDoor(blender string, pid, port int, token string) func() {
	remove, err := h.paths.OpenDoor(blender, pid, port, token)
	if err != nil {
		h.logs.Logger.Error("other programs can't reach Blender", "blender", blender, "error", err)
		return func() {}
	}
	return remove
}

// freeMemory returns how much memory programs may still have, in bytes.
func freeMemory() uint64 {
	memory, err := mem.VirtualMemory()
	if err != nil {
		return math.MaxUint64 // an unknown amount is no reason to wait
	}
	return memory.Available
}

// newAttached returns a Blender of the kind open, which a person has started.
func newAttached(paths home.Paths, spec api.BlenderSpec, logger *slog.Logger, changed func(api.BlenderStatus)) *blender.Attached {
	return blender.NewAttached(blender.AttachedConfig{
		BlenderSpec: spec, Logger: logger, Changed: changed,
		Find: func(ctx context.Context, pid int) (blender.Open, error) { return findOpen(ctx, paths, pid) },
	})
}
