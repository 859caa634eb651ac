//go:build !headless

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"blendtray/addon"
	"blendtray/api"
	"blendtray/app/doctor"
	"blendtray/app/home"
	"blendtray/app/login"
	"blendtray/app/settings"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/tray"
)

// hasTray is true: this build has a tray.
const hasTray = true

// runTray is the program without arguments. It shows the tray of the engine that runs already,
// or of an engine of its own. When a tray runs already, it shows the window of that tray
// instead.
func runTray(e *env) error {
	if err := needDisplay(); err != nil {
		return err
	}
	paths, err := home.Find()
	if err != nil {
		return err
	}
	if err := paths.Make(); err != nil {
		return err
	}
	address, err := control.Prepare(paths.Tray())
	if err != nil {
		return err
	}
	again, err := firstTray(paths, address)
	if errors.Is(err, control.ErrInUse) {
		return showFirst(e, address)
	}
	if err != nil {
		return err
	}
	defer again.Close()
	show := make(chan struct{}, 1)
	go shownAgain(again, show)

	ctx, stop := context.WithCancel(e)
	defer stop()
	atLogin, err := login.New()
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	go stopOnSignal(ctx, e.terminal, stop)
	go keepLean(ctx)
	engine := newOwnEngine(ctx, e, paths)
	trouble := ""
	if err := engine.start(); err != nil {
		trouble = err.Error()
		e.warn("%s", trouble)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	_, unseen := os.Stat(paths.WindowFile())
	err = tray.Run(ctx, tray.Config{
		Client: client, Language: languageOf(homeSource(paths)), Login: atLogin, Show: show,
		Open:        openOnDesktop,
		Window:      func() *exec.Cmd { return exec.Command(program, "window") },
		OpenAtStart: errors.Is(unseen, os.ErrNotExist),
		Errors:      e.err,
		Own:         engine.runs.Load, Trouble: trouble, Broken: engine.broken,
		StartEngine: engine.start, Ended: engine.fault,
	})
	stop()
	return errors.Join(err, engine.wait())
}

// firstTray makes this process the tray of this user and home and returns the listener for later
// starts. It fails with [control.ErrInUse] when a tray runs already. The system releases the
// lock when the process ends.
func firstTray(paths home.Paths, address string) (net.Listener, error) {
	unlock, err := home.LockTray(paths)
	if errors.Is(err, home.ErrHeld) {
		return nil, control.ErrInUse
	}
	if err != nil {
		return nil, err
	}
	l, err := control.Listen(address)
	if err != nil {
		_ = unlock() // nothing was done under the lock
		return nil, err
	}
	return &lockedListener{l, unlock}, nil
}

// lockedListener holds a lock until it is closed.
type lockedListener struct {
	net.Listener
	unlock func() error
}

func (l *lockedListener) Close() error { return errors.Join(l.Listener.Close(), l.unlock()) }

// showFirst asks the tray that runs already to show its window.
func showFirst(ctx context.Context, address string) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	for {
		err := knock(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // that tray may be about to listen
		case <-ctx.Done():
			return fmt.Errorf("the tray that runs already does not answer: %w", err)
		}
	}
}

// knock connects to address, which is the whole message, and waits until the other side hangs
// up.
func knock(ctx context.Context, address string) error {
	conn, err := control.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// shownAgain takes every connection as a request to show the window.
func shownAgain(l net.Listener, show chan<- struct{}) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // the program ends
		}
		_ = conn.Close() // nothing was read or written
		select {
		case show <- struct{}{}:
		default: // the window is about to be shown
		}
	}
}

// ownEngine is the engine that the tray runs in its own process, unless an engine runs already.
type ownEngine struct {
	ctx   context.Context // the engine runs until it ends
	env   *env
	paths home.Paths
	// runs is true while the engine runs.
	runs atomic.Bool
	// broken receives the status of the settings while the engine waits for a mended file.
	broken chan api.SettingsStatus
	// fault receives why the engine has ended by itself.
	fault chan error

	mu    sync.Mutex
	busy  bool // the engine runs, or waits for a mended file
	err   error
	parts sync.WaitGroup
}

func newOwnEngine(ctx context.Context, e *env, paths home.Paths) *ownEngine {
	return &ownEngine{ctx: ctx, env: e, paths: paths, broken: make(chan api.SettingsStatus, 1), fault: make(chan error, 1)}
}

// start starts the engine, unless an engine runs already. While the settings file is wrong, the
// engine waits for the mended file. start fails when the engine can't run for another reason, and
// may be called again.
func (o *ownEngine) start() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy || home.EngineRuns(o.paths) || o.ctx.Err() != nil {
		return nil
	}
	example, err := firstStart(o.paths)
	var h *house
	if err == nil {
		h, err = openHouse(o.paths, homeSource(o.paths), o.env.terminal)
	}
	var wrong *settings.Wrong
	switch {
	case err == nil:
		o.goLocked(func() { o.serve(h, example) })
		return nil
	case errors.As(err, &wrong):
		o.env.warn("%v", err)
		o.goLocked(o.await)
		return nil
	}
	return err
}

// goLocked runs a part of the engine's life. The mutex must be held.
func (o *ownEngine) goLocked(part func()) {
	o.busy = true
	o.parts.Go(part)
}

// rest notes that the engine does not run any more and waits for nothing, with the error that ended it.
func (o *ownEngine) rest(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy, o.err = false, err
}

// wait waits until the engine has ended, and returns the error that ended the engine, or nil.
func (o *ownEngine) wait() error {
	o.parts.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// serve runs the engine, and puts an example into the drop folder unless example is "".
func (o *ownEngine) serve(h *house, example string) {
	o.runs.Store(true)
	ctx, stop := context.WithCancel(o.ctx)
	defer stop()
	if example != "" {
		go putExample(ctx, h, example)
	}
	h.hasWindow = true
	err := h.serve(ctx, stop)
	o.runs.Store(false)
	h.close()
	o.rest(err)
	if err != nil && o.ctx.Err() == nil {
		select {
		case o.fault <- err:
		default: // a fault is being told already
		}
	}
}

// await waits until the settings are right, and then starts the engine.
func (o *ownEngine) await() {
	var owner *settings.Owner
	owner = settings.New(settings.Config{Source: homeSource(o.paths), Refuse: refuseOwn(o.paths), Tell: func(string, bool) { o.report(owner.Status()) }})
	o.report(owner.Status())
	err := owner.Await(o.ctx)
	o.rest(nil)
	if err != nil {
		return // the tray ends
	}
	o.report(api.SettingsStatus{})
	if err := o.start(); err != nil {
		o.env.warn("%v", err)
		select {
		case o.fault <- err:
		default: // a fault is being told already
		}
	}
}

func (o *ownEngine) report(st api.SettingsStatus) {
	select {
	case o.broken <- st:
	case <-o.ctx.Done():
	}
}

// trayHost does what the window asks of this program.
type trayHost struct {
	paths  home.Paths
	client *control.Client
}

// Blenders returns the Blenders of this machine and the Blender of the settings.
func (h *trayHost) Blenders(ctx context.Context, path string) []tray.Found {
	found, err := blender.Find(ctx, path)
	if err != nil {
		return nil // nobody waits for the answer any more
	}
	all := make([]tray.Found, len(found))
	var asking sync.WaitGroup
	for i, f := range found {
		asking.Go(func() { all[i] = foundWith(f, addonIn(ctx, f)) })
	}
	asking.Wait()
	return all
}

// BlenderPaths returns the paths at which Blenders would finds programs.
func (h *trayHost) BlenderPaths(path string) []string { return blender.Paths(path) }

// foundWith returns a Blender with the state of its add-on.
func foundWith(f blender.Found, r AddonReport) tray.Found {
	shown := tray.Found{Path: f.Path, Version: f.Version, Source: f.Source, Trouble: f.Error}
	if f.Error == "" {
		shown.AddOn, shown.HasAddOn = r.words(), r.State == string(addon.Current)
		if r.Error != "" {
			shown.AddOn = r.Error
		}
	}
	return shown
}

// SetAddOn installs the add-on in a Blender and proves it, or removes it. It returns the Blender
// with the new state of its add-on.
func (h *trayHost) SetAddOn(ctx context.Context, in tray.Found, want bool) (tray.Found, error) {
	f := blender.Found{Path: in.Path, Version: in.Version, Source: in.Source}
	r := addonIn(ctx, f)
	if want {
		r.install(ctx, "auto", false)
	} else {
		r.uninstall()
	}
	if r.Error != "" {
		return in, errors.New(r.Error)
	}
	return foundWith(f, r), nil
}

// Choose checks the Blender at path. It fails when no working Blender is there.
func (h *trayHost) Choose(ctx context.Context, path string) error {
	_, err := blender.Choose(ctx, path)
	return err
}

// Open opens a file or folder with the desktop's program for it.
func (h *trayHost) Open(path string, line int) error {
	if line > 0 {
		return editFile("", path, line)
	}
	return openOnDesktop(path)
}

// Edit opens a file in a person's editor at a line.
func (h *trayHost) Edit(command api.Command, path string, line int) error {
	return editFile(command, path, line)
}

// OpenScene opens a copy of the scene that a run left in a Blender with a window.
func (h *trayHost) OpenScene(ctx context.Context, run string, again bool) error {
	return openScene(ctx, h.client, run, again)
}

// Logs returns the log of the engine and those of the Blenders.
func (h *trayHost) Logs() []tray.Log {
	logs := []tray.Log{{Path: h.paths.EngineLog()}}
	for _, name := range h.paths.BlenderLogs() {
		logs = append(logs, tray.Log{Blender: name, Path: h.paths.BlenderLog(name)})
	}
	return logs
}

// First returns what is known of the first start.
func (h *trayHost) First() tray.First {
	first, ok := readFirst(h.paths)
	return tray.First{Example: first.Example, Unread: ok && first.Example != "" && !first.Read}
}

// ReadFirst notes that a person has closed the first page.
func (h *trayHost) ReadFirst() error {
	return changeFirst(h.paths, func(first *firstTime, ok bool) bool {
		if !ok || first.Read {
			return false // it was asked for, and not shown by itself
		}
		first.Read = true
		return true
	})
}

// About returns what the program says of itself.
func (h *trayHost) About() tray.About {
	return tray.About{Version: version, Commit: builtFrom(), Places: []tray.Place{
		{Name: "Settings", Path: h.paths.SettingsFile()},
		{Name: "Runs", Path: h.paths.Data},
		{Name: "Engine's log", Path: h.paths.EngineLog()},
		{Name: "Blender's log", Path: h.paths.BlenderLog(api.DefaultBlender)},
		{Name: "State", Path: h.paths.State},
		{Name: "Cache", Path: h.paths.Cache},
	}}
}

// Report returns what the doctor finds.
func (h *trayHost) Report(ctx context.Context) string {
	text := versionLine(builtFrom())
	for found := range doctor.Examine(ctx, (&doctorCmd{}).config(h.paths)) {
		text += describe(found, false)
	}
	return text
}

// View returns what the last window has kept, or nil.
func (h *trayHost) View() []byte {
	text, err := os.ReadFile(h.paths.WindowFile())
	if err != nil {
		return nil // there was no window yet
	}
	return text
}

// SaveView keeps a text for the next window.
func (h *trayHost) SaveView(text []byte) error {
	return home.Replace(h.paths.WindowFile(), text, 0o600, nil)
}

// Kept returns what a window has kept under a name, or nil.
func (h *trayHost) Kept(name string) []byte {
	text, err := os.ReadFile(h.paths.Kept(name))
	if err != nil {
		return nil // nothing was kept yet
	}
	return text
}

// Keep keeps a text under a name for the next window.
func (h *trayHost) Keep(name string, text []byte) error {
	return home.Replace(h.paths.Kept(name), text, 0o600, nil)
}

// openScene saves a copy of the scene that a run left, for "" the last run, and opens the copy in a
// Blender with a window, which stays when this program ends. It fails with [api.ErrSceneGone] when the
// scene is not there any more, unless the run may be made again, and when no Blender can be started.
func openScene(ctx context.Context, client *control.Client, id string, again bool) error {
	saved, err := client.SaveScene(ctx, api.SceneRequest{Run: id, Again: again, Client: "blendtray open"})
	if err != nil {
		return err
	}
	return openSaved(saved)
}
