//go:build !headless

package tray

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime/debug"
	"sync"
	"time"

	"fyne.io/fyne/v2/lang"
	"fyne.io/systray"

	"blendtray/api"
	"blendtray/assets"
	"blendtray/control"
	"blendtray/tray/translations"
)

// Config is what a tray is made from.
type Config struct {
	Client *control.Client
	// Language is the language of the texts: a word of [api.Language].
	Language string
	Login    Login
	// Open opens a folder with the desktop's program for it.
	Open func(path string) error
	// Window returns the command of the process that calls [RunWindow]. It must not be started.
	Window func() *exec.Cmd
	// OpenAtStart is true when the window opens without being asked for.
	OpenAtStart bool
	// Errors receives what goes wrong and what the window's process prints, for those who have started
	// the tray at a terminal.
	Errors io.Writer
	// Own reports whether the engine is in this process.
	Own func() bool
	// StartEngine starts an engine in this process, if none runs. It fails when it can't.
	StartEngine func() error
	// Ended receives why the engine of this process has ended by itself.
	Ended <-chan error
	// Show receives a value each time that the program is started again.
	Show <-chan struct{}
	// Trouble says why this process could not run an engine of its own, or is "".
	Trouble string
	// Broken receives the state of the settings whenever it changes while this process cannot
	// start its engine because their file is wrong. A state without an error ends that.
	Broken <-chan api.SettingsStatus
}

// indicator shows a State by an icon and its menu, with systray alone: Fyne takes 20 MB before it
// shows anything, 140 more for a window, and gives back little of them when the window is hidden.
type indicator struct {
	cfg    Config
	ctx    context.Context
	quit   func() // ends the program
	menu   *menu
	window *keeper

	// What is shown. Only paint uses it.
	icon    assets.Icon
	tooltip string

	mu      sync.Mutex
	state   State
	broken  api.SettingsStatus // the wrong settings that keep this process from starting its engine
	trouble string
	note    string // why nothing shows the icon, or ""
	login   bool
	notices notices
	noticed chan struct{} // receives a value when notices may have changed
	fresh   chan struct{} // receives a value when the state has changed
	stale   chan struct{} // receives a value when the indicator has to ask for the settings
}

// Run shows the tray until the user quits or ctx ends. It must be called on the main goroutine,
// and needs a display.
func Run(ctx context.Context, cfg Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := translations.Use(cfg.Language); err != nil {
		fmt.Fprintln(cfg.Errors, "blendtray:", err)
	}
	s := newIndicator(ctx, stop, cfg)
	var parts sync.WaitGroup
	begin := func() {
		follower := &Follower{Engine: OverClient(cfg.Client), Changed: s.changed, Heard: s.heard}
		for _, part := range []func(){
			func() { _ = follower.Serve(ctx) }, // it ends only with ctx, and returns nil
			func() { s.window.serve(ctx) },
			s.notify, s.tidy, s.awaitHost, s.followLogin, s.followSettings, s.followStarts,
		} {
			parts.Go(part)
		}
		if cfg.OpenAtStart {
			s.window.show(order{})
		}
	}
	runIcon(ctx, s.prepare, func() { parts.Go(s.paint) }, begin)
	stop()
	parts.Wait()
	return nil
}

func newIndicator(ctx context.Context, stop func(), cfg Config) *indicator {
	s := &indicator{
		cfg: cfg, ctx: ctx, quit: stop, trouble: cfg.Trouble,
		noticed: make(chan struct{}, 1), fresh: make(chan struct{}, 1), stale: make(chan struct{}, 1),
	}
	s.window = &keeper{
		command: cfg.Window, heard: s.asked, failed: s.windowFailed, prints: cfg.Errors, orders: make(chan order, 16),
	}
	s.readLogin()
	return s
}

// prepare makes the icon and the menu, as long as the state is not known.
func (s *indicator) prepare() {
	systray.SetTitle("Blendtray") // some panels crash without a title
	s.icon = assets.Starting
	showIcon(s.icon)
	items := Menu(State{}, time.Now())
	s.tooltip = items[0].Label
	systray.SetTooltip(s.tooltip)
	systray.SetOnTapped(func() { s.window.show(order{}) })
	s.menu = newMenu(items, s.clicked)
}

// awaitHost opens the window and says why, where nothing shows the icon. At login the tray may
// start before the panel, so awaitHost waits for a while first. It takes its note back when
// something shows the icon.
func (s *indicator) awaitHost() {
	const patience, pause = 10 * time.Second, 500 * time.Millisecond
	began, said := time.Now(), false
	for s.ctx.Err() == nil {
		there, why := IconHost()
		switch {
		case there:
			if said {
				s.setNote("")
			}
			return
		case !said && time.Since(began) >= patience:
			said = true
			s.setNote(because(lang.L("The tray icon can't be shown"), translated(why)))
			s.window.show(order{})
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

func (s *indicator) setNote(text string) {
	s.mu.Lock()
	s.note = text
	s.mu.Unlock()
	s.inform()
}

// inform tells the window what the engine does not know.
func (s *indicator) inform() {
	s.mu.Lock()
	f := facts{Own: s.cfg.Own != nil && s.cfg.Own(), Note: s.note, Trouble: s.trouble, Broken: s.broken}
	s.mu.Unlock()
	s.window.know(f)
}

// tidy returns memory to the system a while after the last change: the memory that the start and the
// runs have needed. Go collects no garbage for minutes in a process that does nothing.
func (s *indicator) tidy() {
	const rest = 5 * time.Second
	var tidied State
	for first := true; ; first = false {
		select {
		case <-time.After(rest):
		case <-s.ctx.Done():
			return
		}
		now := s.now()
		same := !first && len(now.Recent) == len(tidied.Recent) && (len(now.Recent) == 0 || now.Recent[0].ID == tidied.Recent[0].ID)
		if !same && len(now.Running) == 0 {
			debug.FreeOSMemory()
			tidied = now
		}
	}
}

func (s *indicator) changed(st State) {
	s.mu.Lock()
	if len(st.Status.Folders) > 0 {
		st.Folder = st.Status.Folders[0].Path
	}
	if st.Link == Attached && s.state.Link != Attached {
		s.outdated()
	}
	s.notices.settings(st.Status.Settings.Error)
	s.state = st
	s.mu.Unlock()
	s.wakeNotify()
	s.poke()
}

func (s *indicator) poke() {
	select {
	case s.fresh <- struct{}{}:
	default: // paint is going to see this state, too
	}
}

// now returns the state to show.
func (s *indicator) now() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Trouble, st.Login = s.trouble, s.login
	st.Own = s.cfg.Own != nil && s.cfg.Own() // the engine may have ended since
	if st.Link != Attached && s.broken.Error != "" {
		st.Status.Settings = s.broken
	}
	return st
}

// paint shows each new state in the icon and the menu: at once, but not more often than anybody can
// see. While a run is running, paint updates its time every second.
func (s *indicator) paint() {
	for {
		st := s.now()
		items := Menu(st, time.Now())
		s.menu.set(items)
		s.paintIcon(IconOf(st), items[0].Label)
		s.inform()
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

// paintIcon shows an icon and its tooltip, if they have changed.
func (s *indicator) paintIcon(icon assets.Icon, tooltip string) {
	// The systray library panics when the session bus is gone: at logout, and while this program
	// ends.
	defer func() { _ = recover() }()
	if icon != s.icon {
		s.icon = icon
		showIcon(icon)
	}
	if tooltip != s.tooltip {
		s.tooltip = tooltip
		systray.SetTooltip(tooltip)
	}
}

func (s *indicator) heard(ev api.Event) {
	if ev.Kind == api.KindSettings || ev.Kind == api.KindGap {
		s.outdated()
	}
	s.mu.Lock()
	s.notices.observe(ev)
	s.mu.Unlock()
	s.wakeNotify()
}

func (s *indicator) wakeNotify() {
	select {
	case s.noticed <- struct{}{}:
	default: // notify is going to ask already
	}
}

// notify shows the notifications when they are due.
func (s *indicator) notify() {
	var again <-chan time.Time
	for {
		select {
		case <-s.noticed:
		case <-again:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		n, wait := s.notices.due(time.Now())
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
func (s *indicator) outdated() {
	select {
	case s.stale <- struct{}{}:
	default: // followSettings is going to ask already
	}
}

// followSettings asks the engine which runs bring a notification whenever that may have changed, and
// keeps the wrong settings that hold up the engine of this process.
func (s *indicator) followSettings() {
	for {
		select {
		case <-s.stale:
			// This fails when there is no engine. The next engine is asked when it answers.
			report, err := s.cfg.Client.Settings(s.ctx)
			if notify, ok := report.Find(notifyKey); err == nil && ok {
				s.mu.Lock()
				s.notices.which = notify.Text()
				s.mu.Unlock()
			}
		case broken := <-s.cfg.Broken:
			s.mu.Lock()
			s.broken = broken
			s.notices.settings(broken.Error)
			s.mu.Unlock()
			s.wakeNotify()
			s.poke()
		case err := <-s.cfg.Ended:
			s.fail(lang.L("The engine has ended"), err)
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *indicator) readLogin() {
	on := startsAtLogin(s.cfg.Login)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = on
}

// followLogin reads the switch for the login whenever somebody opens the menu, because the window
// and other programs can change it.
func (s *indicator) followLogin() {
	for {
		select {
		case <-systray.TrayOpenedCh:
		case <-s.ctx.Done():
			return
		}
		s.readLogin()
		s.poke()
	}
}

// followStarts shows the window each time that the program is started again.
func (s *indicator) followStarts() {
	for {
		select {
		case <-s.cfg.Show:
			s.window.show(order{})
		case <-s.ctx.Done():
			return
		}
	}
}

// clicked does what a click on an item of the menu asks for. It may be called on any goroutine.
func (s *indicator) clicked(it Item) {
	switch it.Do {
	case ShowWindow:
		s.window.show(order{})
	case ShowRun:
		s.window.show(order{Run: it.ID})
	case OpenFolder:
		s.try("open the folder", func(context.Context) error { return s.cfg.Open(s.now().Folder) })
	case StartAtLogin:
		s.try("change what starts at login", func(context.Context) error {
			defer s.readLogin()
			return s.cfg.Login.Set(it.On)
		})
	case Quit:
		st := s.now()
		if words := endsRuns(st); st.Own && words != "" {
			s.window.show(order{Ask: askQuit, Words: words})
			return
		}
		s.quit()
	case StartEngine:
		s.startEngine()
	case StopBlender, RestartBlender:
		if words := endsRuns(s.now()); words != "" {
			s.window.show(order{Ask: map[Do]question{StopBlender: askStop, RestartBlender: askRestart}[it.Do], Words: words})
			return
		}
		s.ask(it)
	default:
		s.ask(it)
	}
}

// startEngine starts an engine in this process.
func (s *indicator) startEngine() {
	s.try("start the engine", func(context.Context) error { return s.cfg.StartEngine() })
}

// ask asks the engine for what a click on an item of the menu asks for.
func (s *indicator) ask(it Item) {
	if what, do := asking(s.cfg.Client, it); do != nil {
		s.try(what, do)
	}
}

// asking returns what a click on an item asks of the engine, in words and as a function, or nil when
// the click asks for nothing.
func asking(c *control.Client, it Item) (what deed, do func(context.Context) error) {
	switch it.Do {
	case StartBlender:
		return deed("start Blender"), func(ctx context.Context) error { _, err := c.StartBlender(ctx, ""); return err }
	case StopBlender:
		return deed("stop Blender"), func(ctx context.Context) error { _, err := c.StopBlender(ctx, ""); return err }
	case RestartBlender:
		return deed("restart Blender"), func(ctx context.Context) error { _, err := c.RestartBlender(ctx, ""); return err }
	case CancelRun:
		return deed("cancel the run"), func(ctx context.Context) error { _, err := c.Cancel(ctx, it.ID); return err }
	case PauseWatching:
		return deed("pause watching"), func(ctx context.Context) error { _, err := c.PauseWatching(ctx, it.On); return err }
	}
	return "", nil
}

// try calls do, which may take a while, on another goroutine. It tells the error, if there is one.
func (s *indicator) try(what deed, do func(context.Context) error) {
	go func() {
		if err := do(s.ctx); err != nil && s.ctx.Err() == nil {
			s.fail(couldNot(what), err)
			return
		}
		s.setTrouble("")
	}()
}

// fail tells a person that what they have asked for did not succeed: in the window, and by a
// notification, because the window may be closed.
func (s *indicator) fail(what string, err error) {
	s.setTrouble(because(what, err.Error()))
	s.mu.Lock()
	s.notices.add(notice{what, oneLine(err.Error(), 200), ""})
	s.mu.Unlock()
	s.wakeNotify()
}

func (s *indicator) setTrouble(text string) {
	s.mu.Lock()
	s.trouble = text
	s.mu.Unlock()
	s.poke()
}

// asked does what the window asks for.
func (s *indicator) asked(r request) {
	if r.Read {
		s.mu.Lock()
		s.trouble, s.note = "", ""
		s.mu.Unlock()
		s.inform()
	}
	if r.StartEngine {
		s.startEngine()
	}
	if r.Focus != nil {
		s.mu.Lock()
		s.notices.watched = *r.Focus
		s.mu.Unlock()
	}
	if r.Quit {
		s.quit()
	}
}

// windowFailed tells that the window's process has ended by a fault, which costs nothing else.
func (s *indicator) windowFailed(err error) {
	fmt.Fprintln(s.cfg.Errors, "blendtray:", err)
	s.fail(lang.L("The window can't be shown"), err)
}
