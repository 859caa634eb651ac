//go:build !headless

package tray

import (
	"context"
	"fmt"
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

// notifyKey is the setting that says which runs bring a notification.
const notifyKey = "tray.notify"

// Login is the switch that starts the tray when the user logs in.
type Login interface {
	Enabled() (bool, error)
	Set(on bool) error
}

// Found is a Blender on this machine.
type Found struct {
	Path, Version string
	// Source says in words where the Blender was found, and Trouble why it can't be used, or "".
	Source, Trouble string
	// AddOn says in words whether the add-on is installed in this Blender. HasAddOn is true when
	// it is this program's add-on, unchanged since it was installed.
	AddOn    string
	HasAddOn bool
}

// Host is what the tray asks of the program that it belongs to, besides the engine.
type Host interface {
	// Blenders returns the Blenders of this machine. path is the path in the settings, or "".
	// It takes seconds.
	Blenders(ctx context.Context, path string) []Found
	// Choose fails when the program at path is no Blender that works. It takes a second.
	Choose(ctx context.Context, path string) error
	// SetAddOn installs the add-on into a Blender and runs code through it, or removes it. It
	// returns the Blender as it is then. It takes seconds.
	SetAddOn(ctx context.Context, in Found, want bool) (Found, error)
	// Open opens a file or a folder with the desktop's program for it. It opens a file at a line
	// if line is not 0 and the program can do that.
	Open(path string, line int) error
	// OpenScene opens a copy of the scene that a run left in a Blender with a window. It fails when
	// the scene is not there any more. It takes seconds.
	OpenScene(ctx context.Context, run string) error
	// BlenderLog returns the path of Blender's log.
	BlenderLog() string
}

// Config is what a tray is made from.
type Config struct {
	Client  *control.Client
	Host    Host
	Login   Login
	Version string
	// Own reports whether the engine is in this process.
	Own func() bool
	// Show receives a value each time that the program is started again.
	Show <-chan struct{}
	// Trouble says why this process could not run an engine of its own, or is "".
	Trouble string
	// Broken receives the state of the settings whenever it changes while this process cannot
	// start its engine because their file is wrong. A state without an error ends that.
	Broken <-chan api.SettingsStatus
}

// repaint is the shortest time between two changes of the menu and the icon.
const repaint = 50 * time.Millisecond

// shell shows a State with Fyne.
type shell struct {
	cfg    Config
	ctx    context.Context
	app    fyne.App
	do     func(func()) // has a function called on Fyne's goroutine, soon
	window *window
	menu   *menu // nil where there is no tray
	icon   assets.Icon
	// visible is true while the window is shown. wake receives a value when Fyne's goroutine has
	// something to do.
	visible atomic.Bool
	wake    chan struct{}
	raised  chan struct{} // receives a value when the window was brought to the front

	mu      sync.Mutex
	state   State
	broken  api.SettingsStatus // the wrong settings that keep this process from starting its engine
	trouble string
	login   bool
	fresh   chan struct{} // receives a value when the state has changed
	stale   chan struct{} // receives a value when the shell has to ask for the settings
}

// Run shows the tray until the user quits or ctx ends. It must be called on the main goroutine,
// and needs a display.
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
		desk.SetSystemTrayIcon(resource(assets.Starting)) // until the state is known
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
	parts.Go(func() { _ = follower.Serve(ctx) }) // it ends only with ctx, and returns nil
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
		case <-closed: // the app has ended already, and can't be called any more
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

// awaitHost opens the window and says why, where nothing shows the icon. At login the tray may
// start before the panel, so awaitHost waits for a while first. It takes its note back when
// something shows the icon.
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
				s.window.note("The tray icon can't be shown: " + why)
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
	default: // Fyne's goroutine is awake, or going to wake
	}
}

// drowse has Fyne's goroutine sleep while the window is hidden. That goroutine asks for events of
// the display 60 times a second, which takes more of a processor than everything else in the
// program together. Events for a hidden window can wait.
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

// tidy returns memory to the system when the window is hidden: the memory that the start and the
// window have needed. Go collects no garbage for minutes in a process that does nothing.
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

// resource returns an icon as a resource of Fyne.
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
	default: // paint is going to see this state, too
	}
}

// now returns the state to show.
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

// paint shows each new state in the icon, the menu and the window: at once, but not more often
// than anybody can see. While a run is running, paint updates its time every second.
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
		if len(st.Running) > 0 {
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
	// The systray library panics when the session bus is gone: at logout, and while this program
	// ends.
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
	default: // notify is going to ask already
	}
}

// notify shows the notifications when they are due.
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

// outdated has followSettings ask for the settings.
func (s *shell) outdated() {
	select {
	case s.stale <- struct{}{}:
	default: // followSettings is going to ask already
	}
}

// followSettings asks the engine for its settings whenever they may have changed, and keeps the
// wrong settings that hold up the engine of this process.
func (s *shell) followSettings() {
	for {
		select {
		case <-s.stale:
			// This fails when there is no engine. The next engine is asked when it answers.
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

// settingsChanged shows a report of the settings. It may be called on any goroutine.
func (s *shell) settingsChanged(report api.SettingsReport) {
	s.setNotify(report)
	s.do(func() { s.window.showSettings(report) })
}

// setNotify takes from a report which runs bring a notification.
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

// followLogin reads the switch for the login whenever somebody opens the menu or the window,
// because other programs can change it.
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

// clicked does what a click on an item of the menu asks for. It may be called on any goroutine.
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

// ask asks the engine for what a click on an item of the menu asks for.
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

// try calls do, which may take a while, on another goroutine. It shows the error, if there is one.
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

// dismiss removes what the banner of the window says.
func (s *shell) dismiss() {
	s.mu.Lock()
	s.trouble = ""
	s.mu.Unlock()
	st := s.now()
	s.window.dismissed, s.window.dismissedSettings = st.blender().Reason, st.Status.Settings.Error
	s.window.note("")
	s.poke()
}

// closeWindow hides the window where something shows the tray icon; else it quits.
func (s *shell) closeWindow() {
	if there, _ := IconHost(); there {
		s.window.hide()
	} else {
		s.quit() // a person could not bring the window back
	}
}

// quit ends the program. It asks first when that would end a run.
func (s *shell) quit() {
	st := s.now()
	if len(st.Running) == 0 || !st.Own {
		s.app.Quit()
		return
	}
	s.window.raise()
	s.window.confirm("Quit", quitWords(st), "Quit", s.app.Quit)
}

// quitWords says which runs quitting ends.
func quitWords(s State) string {
	if n := len(s.Running); n > 1 {
		return fmt.Sprintf("%d runs are running. Quitting ends them and Blender.", n)
	}
	return nameOf(*s.current()) + " is running. Quitting ends the run and Blender."
}
