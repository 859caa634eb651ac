//go:build !headless

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blendtray/addon"
	"blendtray/app/home"
	"blendtray/app/login"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/examples"
	"blendtray/tray"
)

// hasTray tells whether this build has a tray.
const hasTray = true

// runTray is the program without arguments: the tray of the engine that runs, or of one of
// its own. One that is started again shows the window of the first.
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
	address, err := control.Address(paths.Tray())
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
	host := &trayHost{paths: paths}
	own, ended := ownEngine(ctx, e, paths, host)
	if host.trouble != "" {
		e.warn("%s", host.trouble)
	}
	err = tray.Run(ctx, tray.Config{
		Client: client, Host: host, Login: atLogin, Version: version, Own: own, Show: show, Trouble: host.trouble,
	})
	stop()
	return errors.Join(err, <-ended)
}

// firstTray makes this process the tray of this user and home, or fails with
// [control.ErrInUse]. The system releases the lock when the process ends.
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

// lockedListener holds a lock for as long as it listens.
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
		case <-time.After(100 * time.Millisecond): // it may only be about to listen
		case <-ctx.Done():
			return fmt.Errorf("the tray that runs already does not answer: %w", err)
		}
	}
}

// knock connects, which is all that there is to say, and waits until the other side hangs up.
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

// shownAgain takes each connection for the wish to see the window.
func shownAgain(l net.Listener, show chan<- struct{}) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // the program ends
		}
		_ = conn.Close() // nothing was read or written
		select {
		case show <- struct{}{}:
		default: // it is about to be shown
		}
	}
}

// ownEngine runs an engine in this process, unless one runs already. ended gives one error,
// or nil, when it has ended.
func ownEngine(ctx context.Context, e *env, paths home.Paths, host *trayHost) (own bool, ended <-chan error) {
	done := make(chan error, 1)
	nothing := func(why error) (bool, <-chan error) {
		host.trouble = ""
		if why != nil {
			host.trouble = why.Error()
		}
		done <- nil
		return false, done
	}
	if home.EngineRuns(paths) {
		return nothing(nil)
	}
	if err := firstStart(paths); err != nil {
		return nothing(err)
	}
	h, err := openHouse(paths, func() (Settings, error) { return LoadSettings(paths.SettingsFile(), os.Environ()) }, e.terminal)
	if err != nil {
		return nothing(err)
	}
	var once sync.Once
	go func() {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		err := h.serve(ctx, stop)
		h.close()
		once.Do(func() { done <- err })
	}()
	return true, done
}

// firstStart gives a user who has chosen nothing yet a drop folder with an example in it.
func firstStart(paths home.Paths) error {
	file := paths.SettingsFile()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	folder := filepath.Join(user, "Blendtray")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the drop folder: %w", err)
	}
	example := filepath.Join(folder, "first_light.py")
	if _, err := os.Stat(example); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(example, examples.FirstLight, 0o644); err != nil {
			return fmt.Errorf("put an example into the drop folder: %w", err)
		}
	}
	return editSettings(file, func(text []byte) ([]byte, error) {
		return addFolder(text, FolderSettings{Path: folder, RunExisting: true})
	})
}

// trayHost is what the tray may ask of this program.
type trayHost struct {
	paths   home.Paths
	trouble string
}

// Blenders are the Blenders of this machine.
func (h *trayHost) Blenders(ctx context.Context) []tray.Found {
	settings, err := LoadSettings(h.paths.SettingsFile(), os.Environ())
	if err != nil {
		settings = defaultSettings()
	}
	found, err := blender.Find(ctx, settings.Blender.Path)
	if err != nil {
		return nil // nobody waits for it any more
	}
	all := make([]tray.Found, len(found))
	var asking sync.WaitGroup
	for i, f := range found {
		asking.Go(func() { all[i] = foundWith(f, addonIn(ctx, f)) })
	}
	asking.Wait()
	return all
}

// foundWith is a Blender with the add-on that is in it.
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

// SetAddOn installs the add-on into a Blender and proves it there, or removes it.
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

// UseBlender writes a Blender to the settings, if it is one.
func (h *trayHost) UseBlender(ctx context.Context, path string) error {
	if err := plainPath(path); err != nil {
		return err
	}
	if path != "" {
		if _, err := blender.Choose(ctx, path); err != nil {
			return err
		}
	}
	return editSettings(h.paths.SettingsFile(), func(text []byte) ([]byte, error) {
		if path == "" {
			return setKey(text, "blender", "path", nil)
		}
		return setKey(text, "blender", "path", path)
	})
}

// plainPath fails for a path that the settings would take for another one.
func plainPath(path string) error {
	if strings.Contains(path, "$") {
		return fmt.Errorf("%s has a $ in it, which stands for a variable in the settings; please give it another name", path)
	}
	return nil
}

// AddFolder writes a folder to the settings.
func (h *trayHost) AddFolder(path string) error {
	if err := plainPath(path); err != nil {
		return err
	}
	return editSettings(h.paths.SettingsFile(), func(text []byte) ([]byte, error) {
		return addFolder(text, FolderSettings{Path: path})
	})
}

// RemoveFolder takes a folder out of the settings.
func (h *trayHost) RemoveFolder(path string) error {
	file := h.paths.SettingsFile()
	return editSettings(file, func(text []byte) ([]byte, error) {
		return removeFolder(text, path, filepath.Dir(file))
	})
}

// Open opens a file or folder with the desktop's program for it.
func (h *trayHost) Open(path string, line int) error { return openOnDesktop(path, line) }

// BlenderLog is where Blender's log lies.
func (h *trayHost) BlenderLog() string { return h.paths.BlenderLog() }

// SettingsFile is where the settings lie.
func (h *trayHost) SettingsFile() string { return h.paths.SettingsFile() }
