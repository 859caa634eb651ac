//go:build !headless

package tray

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"

	"blendtray/api"
	"blendtray/assets"
	"blendtray/control"
	"blendtray/tray/chooser"
	"blendtray/tray/translations"
)

// notifyKey is the setting that says which runs bring a notification.
const notifyKey = "tray.notify"

// startsAtLogin reports whether the tray starts at the login. It does not where there is no switch, or
// where the switch can't be read.
func startsAtLogin(l Login) bool {
	if l == nil {
		return false
	}
	on, err := l.Enabled()
	return on && err == nil
}

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

// Log is a log file of the engine or of a Blender.
type Log struct {
	// Blender is the name of the Blender, or "" for the engine's log.
	Blender string
	Path    string
}

// First is what is known of the first start of the program.
type First struct {
	// Example is the path of the script that the program has put into the drop folder itself, or puts
	// there soon. It is "" when there is none.
	Example string
	// Unread is true while the first page is to be shown: no person has closed it yet.
	Unread bool
}

// About is what the program says of itself.
type About struct {
	// Version and Commit are those of the program. Commit may be "".
	Version, Commit string
	// Places are the files and folders of the program.
	Places []Place
}

// Place is where something lies on the disk.
type Place struct{ Name, Path string }

// Host is what the window asks of the program that it belongs to, besides the engine.
type Host interface {
	// Blenders returns the Blenders of this machine. path is the path in the settings, or "".
	// It takes seconds.
	Blenders(ctx context.Context, path string) []Found
	// BlenderPaths returns the paths of the programs that Blenders would start. It starts none of them.
	BlenderPaths(path string) []string
	// Choose fails when the program at path is no Blender that works. It takes a second.
	Choose(ctx context.Context, path string) error
	// SetAddOn installs the add-on into a Blender and runs code through it, or removes it. It
	// returns the Blender as it is then. It takes seconds.
	SetAddOn(ctx context.Context, in Found, want bool) (Found, error)
	// Open opens a file or a folder with the desktop's program for it, or with a line that is not 0 as
	// Edit without a command.
	Open(path string, line int) error
	// Edit opens a file in a person's editor: with a command of the settings, or for "" with the
	// editor that is found. The editor shows a line if line is not 0 and the editor can do that.
	Edit(command api.Command, path string, line int) error
	// OpenScene opens a copy of the scene that a run left in a Blender with a window. Where the scene is
	// not there any more, it fails with [api.ErrSceneGone], or with again makes the run once more first.
	// It takes seconds.
	OpenScene(ctx context.Context, run string, again bool) error
	// Logs returns the log of the engine and then those of the Blenders, the default Blender first. A file
	// may not be there yet.
	Logs() []Log
	// First returns what is known of the first start.
	First() First
	// ReadFirst notes that a person has closed the first page.
	ReadFirst() error
	// About returns what the program says of itself.
	About() About
	// Report returns all that helps to find a fault of this installation, as `blendtray doctor` finds
	// it. It takes up to a minute.
	Report(ctx context.Context) string
	// View returns what SaveView was given last, or nil.
	View() []byte
	// SaveView keeps a text for the next window.
	SaveView(text []byte) error
	// Kept returns what Keep was given last under a name, or nil. The name is the name of a file.
	Kept(name string) []byte
	// Keep keeps a text under a name for the next window, readable by this user alone.
	Keep(name string, text []byte) error
}

// WindowConfig is what a window is made from.
type WindowConfig struct {
	Client *control.Client
	// Language is the language of the texts: a word of [api.Language].
	Language string
	Host     Host
	Login    Login
	// Orders is where the orders of the tray come from. The window ends with them.
	Orders io.Reader
	// Requests is where the window writes what it asks of the tray.
	Requests io.Writer
	// Choose has a person choose a file or a folder; nil is the dialog of the system.
	Choose func(context.Context, chooser.Request) (string, error)
	// Fonts returns what reports whether a font has a sign; nil asks the fonts of the machine.
	Fonts func() (has func(rune) bool, err error)
}

// repaint is the shortest time between two changes of the menu and the icon, or of the window.
const repaint = 50 * time.Millisecond

// shell shows a State in the window, with Fyne.
type shell struct {
	cfg    WindowConfig
	ctx    context.Context
	app    fyne.App
	do     func(func()) // has a function called on Fyne's goroutine, soon
	window *window
	raised chan struct{} // receives a value when the window was brought to the front

	// Only Fyne's goroutine uses these. busy is how many requests are under way, which would end with
	// the process, and closing is true when the window is closed and waits for them.
	busy    int
	closing bool
	saved   []byte // the place that was kept last

	mu      sync.Mutex
	state   State
	told    facts
	trouble string
	login   bool
	fresh   chan struct{} // receives a value when the state has changed
	stale   chan struct{} // receives a value when the shell has to ask for the settings

	telling sync.Mutex // guards cfg.Requests
}

// RunWindow shows the window until a person closes it, or the orders or ctx end. It must be called
// on the main goroutine, and needs a display.
func RunWindow(ctx context.Context, cfg WindowConfig) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := translations.Use(cfg.Language); err != nil {
		fmt.Fprintln(os.Stderr, "blendtray:", err)
	}
	idle := newIdler()
	s := newShell(ctx, cfg, app.NewWithID("org.blendtray.Blendtray"), idle.do)
	s.app.Settings().SetTheme(palette{theme.DefaultTheme()})
	s.app.SetIcon(fyne.NewStaticResource("blendtray.png", assets.App()))
	s.window = newWindow(s)
	s.window.SetCloseIntercept(s.closeWindow)
	s.window.Show()
	s.app.Lifecycle().SetOnEnteredForeground(func() { s.focused(true) })
	s.app.Lifecycle().SetOnExitedForeground(func() { s.focused(false) })

	var parts sync.WaitGroup
	follower := &Follower{Engine: OverClient(cfg.Client), Output: true, Changed: s.changed, Heard: s.heard}
	for _, part := range []func(){
		func() { _ = follower.Serve(ctx) }, // it ends only with ctx, and returns nil
		s.paint, s.followLogin, s.followSettings, s.saveViews,
		func() { idle.serve(ctx, s.quiet) },
	} {
		parts.Go(part)
	}
	go func() {
		messages(cfg.Orders, func(o order) { s.do(func() { s.obey(o) }) })
		stop() // the tray has ended
	}()
	closed := make(chan struct{})
	parts.Go(func() {
		<-ctx.Done()
		// A window that is stuck must not outlive its tray.
		time.AfterFunc(leaving, func() { os.Exit(1) })
		select {
		case <-closed: // the app has ended already, and can't be called any more
		default:
			s.do(s.end)
		}
	})
	s.app.Run()
	close(closed)
	stop()
	return nil
}

func newShell(ctx context.Context, cfg WindowConfig, a fyne.App, do func(func())) *shell {
	return &shell{
		cfg: cfg, ctx: ctx, app: a, do: do,
		raised: make(chan struct{}, 1), fresh: make(chan struct{}, 1), stale: make(chan struct{}, 1),
	}
}

// obey carries out an order of the tray.
func (s *shell) obey(o order) {
	if o.Facts != nil {
		s.mu.Lock()
		changed := s.told != *o.Facts
		note := o.Facts.Note
		noted := s.told.Note != note
		s.told = *o.Facts
		s.mu.Unlock()
		if noted {
			s.window.note(note)
		}
		if changed {
			s.poke()
		}
	}
	if o.Show == 0 {
		return
	}
	s.window.raise()
	if o.Run != "" {
		s.window.open(o.Run)
	}
	if o.Ask != "" {
		s.confirm(o.Ask, o.Words)
	}
	s.request(request{Shown: o.Show})
}

// request tells the tray something. Where there is no tray any more, the window is about to end.
func (s *shell) request(r request) {
	s.telling.Lock()
	defer s.telling.Unlock()
	if s.cfg.Requests != nil {
		_ = tell(s.cfg.Requests, r)
	}
}

func (s *shell) changed(st State) {
	s.mu.Lock()
	if len(st.Status.Folders) > 0 {
		st.Folder = st.Status.Folders[0].Path
	}
	if st.Link == Attached && s.state.Link != Attached {
		s.outdated()
	}
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
	st.Trouble, st.Login, st.Own = s.trouble, s.login, s.told.Own
	if st.Trouble == "" {
		st.Trouble = s.told.Trouble
	}
	if st.Link != Attached && s.told.Broken.Error != "" {
		st.Status.Settings = s.told.Broken
	}
	return st
}

// paint shows each new state in the window: at once, but not more often than anybody can see. While
// a run is running, paint updates its time every second.
func (s *shell) paint() {
	for {
		st := s.now()
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

func (s *shell) heard(ev api.Event) {
	s.window.heard(ev)
	if ev.Kind == api.KindSettings || ev.Kind == api.KindGap {
		s.outdated()
	}
}

// outdated has followSettings ask for the settings.
func (s *shell) outdated() {
	select {
	case s.stale <- struct{}{}:
	default: // followSettings is going to ask already
	}
}

// followSettings asks the engine for its settings whenever they may have changed.
func (s *shell) followSettings() {
	for {
		select {
		case <-s.stale:
			// This fails when there is no engine. The next engine is asked when it answers.
			if report, err := s.cfg.Client.Settings(s.ctx); err == nil {
				s.do(func() { s.window.showSettings(report) })
			}
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *shell) readLogin() {
	on := startsAtLogin(s.cfg.Login)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = on
}

// followLogin reads the switch for the login at the start and whenever the window comes to the
// front, because other programs can change it.
func (s *shell) followLogin() {
	for {
		s.readLogin()
		s.poke()
		select {
		case <-s.raised:
		case <-s.ctx.Done():
			return
		}
	}
}

// startAtLogin turns the switch for the login.
func (s *shell) startAtLogin(on bool) {
	s.try("change what starts at login", func(context.Context) error {
		defer s.readLogin()
		return s.cfg.Login.Set(on)
	})
}

// ask asks the engine for what a click on an item asks for. It asks the person first when that would
// end a run.
func (s *shell) ask(it Item) {
	if words := endsRuns(s.now()); words != "" {
		switch it.Do {
		case StopBlender:
			s.confirm(askStop, words)
			return
		case RestartBlender:
			s.confirm(askRestart, words)
			return
		}
	}
	s.carryOut(it)
}

// carryOut asks the engine for what a click on an item asks for.
func (s *shell) carryOut(it Item) {
	if what, do := asking(s.cfg.Client, it); do != nil {
		s.try(what, do)
	}
}

// try calls do, which may take a while, on another goroutine. It shows the error, if there is one.
// It must be called on Fyne's goroutine.
func (s *shell) try(what deed, do func(context.Context) error) {
	s.busy++
	go func() {
		err := do(s.ctx)
		s.mu.Lock()
		s.trouble = ""
		if err != nil && s.ctx.Err() == nil {
			s.trouble = because(couldNot(what), err.Error())
		}
		s.mu.Unlock()
		s.poke()
		s.do(s.rested)
	}()
}

// rested notes that a request has been answered, and ends the process if the window is closed and
// waits for nothing else.
func (s *shell) rested() {
	s.busy--
	if s.closing && s.busy == 0 {
		s.end()
	}
}

// dismiss removes what the banner of the window says.
func (s *shell) dismiss() {
	s.mu.Lock()
	s.trouble, s.told.Trouble = "", ""
	s.mu.Unlock()
	s.request(request{Read: true})
	st := s.now()
	s.window.dismissed, s.window.dismissedSettings = st.blender().Reason, st.Status.Settings.Error
	s.window.note("")
	s.poke()
}

// closeWindow ends the window where something shows the tray icon; else it quits the program. What
// the window was asked for before is done first, while the window is hidden already.
func (s *shell) closeWindow() {
	if there, _ := IconHost(); !there {
		s.quit() // a person could not bring the window back
		return
	}
	s.saveView()
	s.window.Hide()
	s.closing = true
	if s.busy == 0 {
		s.end()
	}
}

// end ends the process of the window.
func (s *shell) end() {
	s.saveView()
	s.window.console.files.flush()
	s.app.Quit()
}

// focused tells the tray whether the window has the focus: a person who sees how a run ends needs no
// notification.
func (s *shell) focused(on bool) { s.request(request{Focus: &on}) }

// confirm asks a person whether to do what ends runs, and does that. words say which runs.
func (s *shell) confirm(q question, words string) {
	switch q {
	case askQuit:
		s.window.confirm(lang.L("Quit Blendtray?"), words, lang.L("Quit"), s.leave)
	case askStop:
		s.window.confirm(lang.L("Stop Blender?"), words, lang.L("Stop Blender"), func() { s.carryOut(Item{Do: StopBlender}) })
	case askRestart:
		s.window.confirm(lang.L("Restart Blender?"), words, lang.L("Restart Blender"), func() { s.carryOut(Item{Do: RestartBlender}) })
	}
}

// quit ends the program. It asks first when that would end a run.
func (s *shell) quit() {
	st := s.now()
	words := endsRuns(st)
	if words == "" || !st.Own {
		s.leave()
		return
	}
	s.window.raise()
	s.confirm(askQuit, words)
}

// leave ends the program: the tray, and with it the window.
func (s *shell) leave() {
	s.request(request{Quit: true})
	s.end()
}
