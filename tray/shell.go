//go:build !headless

package tray

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/systray"

	"blendtray/api"
	"blendtray/assets"
	"blendtray/control"
)

// notifyKey is the setting that says which runs are told on the desktop.
const notifyKey = "tray.notify"

// Login is the switch that starts the tray when the user logs in.
type Login interface {
	Enabled() (bool, error)
	Set(on bool) error
}

// Found is a Blender on this machine.
type Found struct {
	Path, Version string
	// Source says in words where it was found, and Trouble why it can't be used, or "".
	Source, Trouble string
	// AddOn says in words how the add-on stands in it; HasAddOn tells that this program's own
	// is there, as it was installed.
	AddOn    string
	HasAddOn bool
}

// Host is what the tray asks of the program that it is the face of, beside the engine.
type Host interface {
	// Blenders looks for Blenders, which takes seconds. The path is that of the settings, or "".
	Blenders(ctx context.Context, path string) []Found
	// Choose fails when a path is no Blender that works, which takes a second to find out.
	Choose(ctx context.Context, path string) error
	// SetAddOn installs the add-on into a Blender and runs code through it, or removes it, and
	// gives the Blender as it is then. It takes seconds.
	SetAddOn(ctx context.Context, in Found, want bool) (Found, error)
	// Open opens a file or a folder with the desktop's program for it, at a line if that is
	// not 0 and the program can.
	Open(path string, line int) error
	// BlenderLog is where Blender's log lies.
	BlenderLog() string
}

// Config is what a tray is made from.
type Config struct {
	Client  *control.Client
	Host    Host
	Login   Login
	Version string
	// Own tells whether the engine is in this process.
	Own func() bool
	// Show has a value for each time that the program was started once more.
	Show <-chan struct{}
	// Trouble says why this process could not run an engine of its own, or is "".
	Trouble string
	// Broken has the state of the settings whenever it changes while their file is wrong, so that
	// this process waits with its engine. A state without an error says that it waits no longer.
	Broken <-chan api.SettingsStatus
}

// repaint is the shortest time between two changes of menu and icon.
const repaint = 50 * time.Millisecond

// shell shows a State with Fyne.
type shell struct {
	cfg    Config
	ctx    context.Context
	app    fyne.App
	do     func(func()) // calls a function on Fyne's goroutine, sometime soon
	window *window
	menu   *menu // nil where there is no tray
	icon   assets.Icon
	// visible tells whether the window is shown, and wake has a value when there is
	// something to do for Fyne's goroutine.
	visible atomic.Bool
	wake    chan struct{}
	raised  chan struct{} // has a value when the window was brought up

	mu      sync.Mutex
	state   State
	broken  api.SettingsStatus // what the engine of this process waits for
	trouble string
	login   bool
	fresh   chan struct{}
	// stale has a value when the settings have to be asked for.
	stale chan struct{}
}

// Run shows the tray until the user quits or ctx ends. It has to be called on the main
// goroutine, where there is a display.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &shell{cfg: cfg, ctx: ctx, fresh: make(chan struct{}, 1), wake: make(chan struct{}, 1), raised: make(chan struct{}, 1), stale: make(chan struct{}, 1)}
	s.do = func(f func()) {
		fyne.Do(f)
		s.rouse()
	}
	s.app = app.NewWithID("org.blendtray.Blendtray")
	s.app.Settings().SetTheme(palette{theme.DefaultTheme()})
	s.app.SetIcon(fyne.NewStaticResource("blendtray.png", assets.App()))
	s.window = newWindow(s)
	s.readLogin()
	s.trouble = cfg.Trouble

	if desk, ok := s.app.(desktop.App); ok {
		desk.SetSystemTrayIcon(resource(assets.Starting)) // until the first look at the state
		desk.SetSystemTrayWindow(s.window.Window)
		systray.SetOnTapped(func() { s.do(s.window.raise) })
		s.menu = newMenu(Menu(State{}, time.Now()), s.clicked)
	}
	s.window.SetCloseIntercept(s.closeWindow)
	s.app.Lifecycle().SetOnStarted(func() {
		if s.window.firstTime() {
			s.window.raise()
		}
	})

	var parts sync.WaitGroup
	follower := &Follower{Engine: OverClient(cfg.Client), Changed: s.changed, Heard: s.heard}
	parts.Go(func() { _ = follower.Serve(ctx) }) // it ends with ctx alone
	parts.Go(s.paint)
	parts.Go(s.notify)
	if mayDrowse {
		parts.Go(s.drowse)
	}
	parts.Go(s.tidy)
	parts.Go(s.awaitHost)
	parts.Go(s.followLogin)
	parts.Go(s.followSettings)
	closed := make(chan struct{})
	parts.Go(func() {
		<-ctx.Done()
		select {
		case <-closed: // it has ended, and with it all that a call would need
		default:
			s.do(s.app.Quit)
		}
	})
	parts.Go(func() {
		for {
			select {
			case <-cfg.Show:
				s.do(s.window.raise)
			case <-ctx.Done():
				return
			}
		}
	})
	s.app.Run()
	close(closed)
	stop()
	return nil
}

// awaitHost opens the window where nothing shows the icon. At login the tray may be there
// before the panel is, so it waits a little; and takes its word back when one comes.
func (s *shell) awaitHost() {
	const patience, pause = 10 * time.Second, 500 * time.Millisecond
	began, said := time.Now(), false
	for s.ctx.Err() == nil {
		there, why := IconHost()
		switch {
		case there:
			if said {
				s.do(func() { s.window.note("") })
			}
			return
		case !said && time.Since(began) >= patience:
			said = true
			s.do(func() {
				s.window.note("There is no tray here: " + why)
				s.window.raise()
			})
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

// rouse ends the pause that drowse makes.
func (s *shell) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake, or wakes
	}
}

// drowse has Fyne's goroutine wait while the window is hidden. It would look for events of the
// display 60 times a second, and that takes more of a processor than all else in the program
// together. What the display has to say to a hidden window can wait.
func (s *shell) drowse() {
	const pause = 250 * time.Millisecond
	for s.ctx.Err() == nil {
		if s.visible.Load() {
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
			continue
		}
		fyne.DoAndWait(func() {
			select {
			case <-s.wake:
			case <-time.After(pause):
			}
		})
	}
}

// tidy gives back the memory that the start and a window have needed, once nobody looks: a
// process that rests collects no garbage by itself for minutes.
func (s *shell) tidy() {
	const rest = 5 * time.Second
	for tidied := false; ; {
		select {
		case <-time.After(rest):
		case <-s.ctx.Done():
			return
		}
		visible := s.visible.Load()
		if !visible && !tidied {
			debug.FreeOSMemory()
		}
		tidied = !visible
	}
}

// resource is an icon as Fyne takes it.
func resource(i assets.Icon) fyne.Resource {
	return fyne.NewStaticResource(string(i)+".png", i.PNG())
}

func (s *shell) changed(st State) {
	s.mu.Lock()
	st.Own = s.cfg.Own != nil && s.cfg.Own()
	if len(st.Status.Folders) > 0 {
		st.Folder = st.Status.Folders[0].Path
	}
	if st.Link == Attached && s.state.Link != Attached {
		s.outdated()
	}
	s.window.notices.settings(st.Status.Settings.Error)
	s.state = st
	s.mu.Unlock()
	s.poke()
}

func (s *shell) poke() {
	select {
	case s.fresh <- struct{}{}:
	default: // it will see this one, too
	}
}

// now is the state as it is to be shown.
func (s *shell) now() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Trouble, st.Login = s.trouble, s.login
	if st.Link != Attached && s.broken.Error != "" {
		st.Status.Settings = s.broken
	}
	return st
}

// paint keeps icon, menu and window in line with the state: at once, and not more often than
// anybody can see. While a run is on its clock goes on.
func (s *shell) paint() {
	for {
		st := s.now()
		if s.menu != nil {
			s.menu.set(Menu(st, time.Now()))
			if icon := IconOf(st); icon != s.icon {
				s.icon = icon
				s.do(func() { s.setIcon(icon) })
			}
		}
		s.do(func() { s.window.show(st) })
		pause := time.NewTimer(repaint)
		select {
		case <-pause.C:
		case <-s.ctx.Done():
			return
		}
		var tick <-chan time.Time
		if st.Current != nil {
			tick = time.After(time.Second)
		}
		select {
		case <-s.fresh:
		case <-tick:
		case <-s.ctx.Done():
			return
		}
	}
}

// setIcon changes the icon in the tray.
func (s *shell) setIcon(icon assets.Icon) {
	desk, ok := s.app.(desktop.App)
	if !ok {
		return
	}
	// The library panics when the session bus is gone: at logout, and while this program ends.
	defer func() { _ = recover() }()
	showIcon(desk, icon)
}

func (s *shell) heard(ev api.Event) {
	s.window.heard(ev)
	if ev.Kind == api.KindSettings || ev.Kind == api.KindGap {
		s.outdated()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window.notices.observe(ev)
	select {
	case s.window.noticed <- struct{}{}:
	default: // it is looking already
	}
}

// notify shows what is worth a notification.
func (s *shell) notify() {
	var again <-chan time.Time
	for {
		select {
		case <-s.window.noticed:
		case <-again:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		n, wait := s.window.notices.due(time.Now())
		s.mu.Unlock()
		again = nil
		if wait > 0 {
			again = time.After(wait)
		}
		if n != nil {
			s.show(*n)
		}
	}
}

// outdated has the settings asked for, soon.
func (s *shell) outdated() {
	select {
	case s.stale <- struct{}{}:
	default: // they will be
	}
}

// followSettings asks the engine for its settings whenever they may have changed, and keeps what
// the engine of this process waits for.
func (s *shell) followSettings() {
	for {
		select {
		case <-s.stale:
			// When it fails there is no engine; the settings are asked for when one is there.
			if report, err := s.cfg.Client.Settings(s.ctx); err == nil {
				s.settingsChanged(report)
			}
		case broken := <-s.cfg.Broken:
			s.mu.Lock()
			s.broken = broken
			s.window.notices.settings(broken.Error)
			s.mu.Unlock()
			s.poke()
		case <-s.ctx.Done():
			return
		}
	}
}

// settingsChanged shows the settings as the engine has told them. It may be called on any goroutine.
func (s *shell) settingsChanged(report api.SettingsReport) {
	s.setNotify(report)
	s.do(func() { s.window.showSettings(report) })
}

// setNotify takes over which runs are told on the desktop.
func (s *shell) setNotify(report api.SettingsReport) {
	if notify, ok := report.Find(notifyKey); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.window.notices.which = notify.Text()
	}
}

func (s *shell) readLogin() {
	if s.cfg.Login == nil {
		return
	}
	on, err := s.cfg.Login.Enabled()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = on && err == nil
}

// followLogin reads what may have been changed from outside whenever somebody looks.
func (s *shell) followLogin() {
	for {
		select {
		case <-systray.TrayOpenedCh:
		case <-s.raised:
		case <-s.ctx.Done():
			return
		}
		s.readLogin()
		s.poke()
	}
}

// clicked does what an item of the menu asks for. It may be called on any goroutine.
func (s *shell) clicked(it Item) {
	switch it.Do {
	case ShowWindow:
		s.do(s.window.raise)
	case ShowRun:
		s.do(func() {
			s.window.raise()
			s.window.open(it.ID)
		})
	case OpenFolder:
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(s.now().Folder, 0) })
	case StartAtLogin:
		s.try("change what starts at login", func(context.Context) error {
			defer s.readLogin()
			return s.cfg.Login.Set(it.On)
		})
	case Quit:
		s.do(s.quit)
	default:
		s.ask(it)
	}
}

// ask asks the engine.
func (s *shell) ask(it Item) {
	c := s.cfg.Client
	switch it.Do {
	case StartBlender:
		s.try("start Blender", func(ctx context.Context) error { _, err := c.StartBlender(ctx, ""); return err })
	case StopBlender:
		s.try("stop Blender", func(ctx context.Context) error { _, err := c.StopBlender(ctx, ""); return err })
	case RestartBlender:
		s.try("restart Blender", func(ctx context.Context) error { _, err := c.RestartBlender(ctx, ""); return err })
	case CancelRun:
		s.try("cancel the run", func(ctx context.Context) error { _, err := c.Cancel(ctx, it.ID); return err })
	case PauseWatching:
		s.try("pause watching", func(ctx context.Context) error { _, err := c.PauseWatching(ctx, it.On); return err })
	}
}

// try does something that may take a while, and shows when it failed.
func (s *shell) try(what string, do func(context.Context) error) {
	go func() {
		err := do(s.ctx)
		s.mu.Lock()
		s.trouble = ""
		if err != nil && s.ctx.Err() == nil {
			s.trouble = "Could not " + what + ": " + err.Error()
		}
		s.mu.Unlock()
		s.poke()
	}()
}

// dismiss takes away what the banner of the window says.
func (s *shell) dismiss() {
	s.mu.Lock()
	s.trouble = ""
	s.mu.Unlock()
	st := s.now()
	s.window.dismissed, s.window.dismissedSettings = st.blender().Reason, st.Status.Settings.Error
	s.window.note("")
	s.poke()
}

// closeWindow hides the window, where the tray stays.
func (s *shell) closeWindow() {
	if there, _ := IconHost(); there {
		s.window.hide()
	} else {
		s.quit() // nothing would be left to bring it back with
	}
}

// quit ends the program, after a question when that would end a run.
func (s *shell) quit() {
	st := s.now()
	if st.Current == nil || !st.Own {
		s.app.Quit()
		return
	}
	s.window.raise()
	s.window.confirm("Quit", nameOf(*st.Current)+" is running. To quit ends it, and Blender.", "Quit", s.app.Quit)
}
