//go:build !headless

package tray

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
	"blendtray/control"
	"blendtray/tray/chooser"
)

// backend is an engine in memory, behind a real interface.
type backend struct {
	control.Engine // whose other methods the window does not call

	mu   sync.Mutex
	runs []api.Run // oldest first
	subs []*subscription
	made int // how many runs were made

	codes      map[string]string // by the id of a run
	changes    map[string]api.Changes
	codesAsked int

	waits queueOfTest

	sessions []api.Session
	// submit, if not nil, returns the run that is made of a submission, and completes how code goes on.
	submit    func(api.Submission) (api.Run, error)
	completes func(session, code string, cursor int) (api.Completion, error)
	did       []api.SessionRequest
	submitted []api.Submission
	// drawn are the pictures of scenes that were asked for, and picture is the file of each.
	drawn   []api.PreviewRequest
	picture string
	started atomic.Int32 // how often Blender was started
}

type subscription struct{ ch chan api.Event }

func (s *subscription) Events() <-chan api.Event { return s.ch }
func (s *subscription) Close()                   {}

func (b *backend) Status() api.Status {
	return api.Status{
		Blenders: []api.BlenderStatus{{State: api.BlenderReady, Version: "4.5.1", Path: "/opt/blender"}},
		Folders:  []api.FolderStatus{{Path: "/srv/scripts", Method: "inotify"}},
	}
}

func (b *backend) Run(_ context.Context, id string) (api.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return api.Run{}, &control.Error{Status: 404, Code: control.CodeNotFound, Message: "there is no run " + id}
}

func (b *backend) Runs(_ context.Context, f api.Filter) ([]api.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []api.Run{}
	for i := len(b.runs) - 1; i >= 0 && len(found) < f.Limit; i-- {
		r := b.runs[i]
		r.Output = ""
		if (f.Before == "" || newer(f.Before, r.ID)) && chooses(f, r) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (b *backend) add(r api.Run) api.Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	r.ID = strconv.Itoa(b.made)
	if r.QueuedAt.IsZero() {
		r.QueuedAt = time.Now()
	}
	b.runs = append(b.runs, r)
	for _, s := range b.subs {
		s.ch <- api.Event{Kind: api.KindRun, ID: r.ID, Run: &r}
	}
	return r
}

func (b *backend) Submit(_ context.Context, s api.Submission) (api.Run, error) {
	began := time.Now()
	b.mu.Lock()
	b.submitted = append(b.submitted, s)
	submit := b.submit
	b.mu.Unlock()
	if submit != nil {
		r, err := submit(s)
		if err != nil {
			return r, err
		}
		return b.add(r), nil
	}
	return b.add(api.Run{
		Script: s.Name, Scene: s.Scene, State: api.Succeeded, StartedAt: &began, Output: "printed\n",
		Result: json.RawMessage(strconv.Itoa(len(s.Code))),
	}), nil
}

func (*backend) RunStale(context.Context) ([]api.Run, error) { return nil, nil }

func (b *backend) Sessions() []api.Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sessions)
}

func (*backend) Session(string) (api.Session, error) { return api.Session{}, api.ErrNoSession }

func (b *backend) DoInSession(_ context.Context, r api.SessionRequest) (api.SessionDone, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, r)
	return api.SessionDone{Session: api.Session{Name: r.Session, Checkpoints: []api.Checkpoint{{Number: 3}}}}, nil
}

func (*backend) HearAgent(a api.Agent) api.Agent { return a }
func (*backend) AgentLeft(string) bool           { return false }
func (b *backend) Agents() []api.Agent           { return b.Status().Agents }

func (b *backend) Complete(_ context.Context, session, code string, cursor int) (api.Completion, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.completes == nil {
		return api.Completion{Start: cursor}, nil
	}
	return b.completes(session, code, cursor)
}

func (b *backend) EndSession(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions = slices.DeleteFunc(b.sessions, func(s api.Session) bool { return s.Name == name })
	return nil
}

// publish sends an event to all who listen.
func (b *backend) publish(ev api.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		s.ch <- ev
	}
}

// change changes a run and tells of it.
func (b *backend) change(id string, do func(*api.Run)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.runs {
		if b.runs[i].ID == id {
			do(&b.runs[i])
			r := b.runs[i]
			for _, s := range b.subs {
				s.ch <- api.Event{Kind: api.KindRun, ID: id, Run: &r}
			}
		}
	}
}

func (b *backend) Retry(ctx context.Context, id string) (api.Run, error) {
	r, err := b.Run(ctx, id)
	if err != nil {
		return r, err
	}
	return b.add(r), nil
}

func (b *backend) Cancel(ctx context.Context, id string) (api.Run, error) {
	b.mu.Lock()
	b.waits.asked = append(b.waits.asked, "cancel "+id)
	b.mu.Unlock()
	return b.Run(ctx, id)
}

func (b *backend) Code(_ context.Context, id string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.codesAsked++
	if code, ok := b.codes[id]; ok {
		return []byte(code), nil
	}
	return nil, api.ErrNotFound
}

func (b *backend) Changes(_ context.Context, id string) (api.Changes, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes[id], nil
}

func (b *backend) Scripts(_ context.Context, f api.Filter, last int) ([]api.ScriptRuns, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []api.ScriptRuns
	for _, r := range slices.Backward(b.runs) {
		if !chooses(f, r) {
			continue
		}
		i := slices.IndexFunc(all, func(s api.ScriptRuns) bool { return s.Script == r.Script })
		if i < 0 {
			i = len(all)
			all = append(all, api.ScriptRuns{Script: r.Script, Folder: r.Folder})
		}
		if all[i].Runs++; len(all[i].Last) < last {
			all[i].Last = append(all[i].Last, api.Verdict{ID: r.ID, State: r.State, QueuedAt: r.QueuedAt, Pinned: r.Pinned, AwaitsMachine: r.AwaitsMachine()})
		}
	}
	return all[:min(len(all), f.Limit)], nil
}

func (b *backend) Pin(_ context.Context, id string, on bool) (api.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.runs {
		if b.runs[i].ID == id {
			b.runs[i].Pinned = on
			b.tellLocked(api.Event{Kind: api.KindHistory, ID: id})
			return b.runs[i], nil
		}
	}
	return api.Run{}, api.ErrNotFound
}

func (b *backend) DeleteRun(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs = slices.DeleteFunc(b.runs, func(r api.Run) bool { return r.ID == id })
	b.tellLocked(api.Event{Kind: api.KindHistory, ID: id})
	return nil
}

func (b *backend) ClearRuns(_ context.Context, f api.Filter) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.runs)
	b.runs = slices.DeleteFunc(b.runs, func(r api.Run) bool { return r.State.Final() && !r.Pinned && chooses(f, r) })
	b.tellLocked(api.Event{Kind: api.KindHistory})
	return before - len(b.runs), nil
}

// tellLocked tells all who listen of an event. It needs mu.
func (b *backend) tellLocked(ev api.Event) {
	for _, s := range b.subs {
		s.ch <- ev
	}
}

func (b *backend) Output(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error) {
	r, err := b.Run(ctx, id)
	kept := int64(len(r.Output))
	total = max(r.OutputBytes, kept)
	from = min(max(from, total-kept), total) // the rest is not kept
	return []byte(r.Output[from-(total-kept):]), from, total, err
}

func (b *backend) Preview(context.Context, string) ([]byte, error) { return nil, api.ErrNotFound }

func (b *backend) PreviewScene(_ context.Context, req api.PreviewRequest) (api.ScenePreview, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drawn = append(b.drawn, req)
	if len(b.runs) == 0 || req.View == "top" {
		return api.ScenePreview{}, fmt.Errorf("%w: there is nothing to see", api.ErrNoScene)
	}
	return api.ScenePreview{Run: b.runs[len(b.runs)-1], File: b.picture}, nil
}

func (*backend) Thumbnail(_ context.Context, id string, output int) ([]byte, error) {
	return nil, fmt.Errorf("%w: output %d of run %s", api.ErrNoThumbnail, output, id)
}

func (b *backend) StartBlender(context.Context, string) error {
	b.started.Add(1)
	return nil
}
func (b *backend) StopBlender(context.Context, string) error    { return nil }
func (b *backend) RestartBlender(context.Context, string) error { return nil }
func (b *backend) PauseWatching(bool)                           {}

func (b *backend) Follow(ctx context.Context, s api.Submission) (api.Run, control.Subscription, error) {
	sub := b.Subscribe(true)
	r, err := b.Submit(ctx, s)
	return r, sub, err
}

func (b *backend) Subscribe(bool) control.Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &subscription{make(chan api.Event, 1000)}
	b.subs = append(b.subs, s)
	return s
}

// hostOfTest is a [Host] that keeps what it was asked for.
type hostOfTest struct {
	mu     sync.Mutex
	opened []string
	chosen []string
	editor api.Command // the command of the last file that was edited
	view   []byte
	logs   []Log
	kept   map[string][]byte
	first  First
	noneOf atomic.Bool  // there is no Blender
	found  atomic.Int32 // how often all Blenders were started
	paths  []string
	looked int // how often the paths were asked for
}

// settingsOfTest are settings without a file.
type settingsOfTest struct {
	mu      sync.Mutex
	report  api.SettingsReport
	changed []string
}

func newSettingsOfTest() *settingsOfTest {
	return &settingsOfTest{report: api.SettingsReport{
		File: "/settings.toml",
		Groups: []api.SettingsGroup{
			{Table: "blender", Title: "Blender", Help: "It executes."},
			{Table: "blenders", Title: "Further Blenders", Help: "By name."},
			{Table: "runs", Title: "Runs", Help: "Every run."},
			{Table: "tray", Title: "Desktop", Help: "What is seen."},
			{Table: "window", Title: "Window", Help: "How it works."},
		},
		Settings: []api.Setting{
			{Key: previewKey, Label: "Picture", Type: api.TypeWord, Words: []string{"off", "cycles"}, Value: "off", Default: "off"},
			{Key: "runs.timeout", Label: "Time limit", Help: "The limit of `a` run.", Type: api.TypeDuration, Value: "none", Default: "none", Holds: api.HoldsFromBlenderStart},
			{Key: notifyKey, Label: "Notifications", Type: api.TypeWord, Words: []string{"failures", "all"}, Value: "failures", Default: "failures"},
			{Key: "blender.factory_startup", Label: "Start", Type: api.TypeBool, Value: true, Default: true, Fixed: "set by the variable X"},
			{Key: editorKey, Label: "Editor", Type: api.TypeText, Value: "", Default: ""},
			{Key: "blender.port", Type: api.TypeNumber, Value: 0, Default: 0},
			{Key: "blenders.b.1.path", Label: "Program", Type: api.TypePath, Path: "program", Value: "/opt/b", Default: ""},
			{Key: "blenders.b.1.factory_startup", Label: "Start", Type: api.TypeBool, Value: true, Default: true},
		},
		Folders: []api.FolderReport{{Path: "/srv/scripts", From: api.FromFile, Settings: []api.Setting{
			{Key: "scene", Label: "Scene", Type: api.TypePath, Value: "fresh", Default: "fresh"},
		}}},
	}}
}

func (s *settingsOfTest) Report() api.SettingsReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Settings, r.Folders = slices.Clone(r.Settings), slices.Clone(r.Folders)
	return r
}

func (s *settingsOfTest) Set(key string, value any) (api.SettingsReport, error) {
	if value == "wrong" {
		return api.SettingsReport{}, fmt.Errorf("%w: that can't be", api.ErrBad)
	}
	s.mu.Lock()
	s.changed = append(s.changed, fmt.Sprintf("%s=%v", key, value))
	for i := range s.report.Settings {
		if s.report.Settings[i].Key == key {
			s.report.Settings[i].Value = value
		}
	}
	s.mu.Unlock()
	return s.Report(), nil
}

func (s *settingsOfTest) Unset(key string) (api.SettingsReport, error) {
	found, _ := s.Report().Find(key)
	return s.Set(key, found.Default)
}

func (s *settingsOfTest) AddFolder(path string, _ map[string]any) (api.SettingsReport, error) {
	return s.Set("folder", path)
}

func (s *settingsOfTest) ChangeFolder(path string, values map[string]any) (api.SettingsReport, error) {
	return s.Set(path, values)
}

func (s *settingsOfTest) RemoveFolder(path string) (api.SettingsReport, error) {
	return s.Set("no folder", path)
}

func (s *settingsOfTest) Reload() error { return nil }

func (s *settingsOfTest) changes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changed)
}

func (h *hostOfTest) Blenders(context.Context, string) []Found {
	h.found.Add(1)
	if h.noneOf.Load() {
		return nil
	}
	return []Found{{Path: "/opt/blender", Version: "4.5.1", Source: "PATH", AddOn: "not installed"}, {Path: "/bad", Trouble: "it is none"}}
}

func (h *hostOfTest) BlenderPaths(string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looked++
	return h.paths
}

func (h *hostOfTest) Choose(_ context.Context, path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.chosen = append(h.chosen, path)
	return nil
}

func (h *hostOfTest) SetAddOn(_ context.Context, in Found, want bool) (Found, error) {
	in.AddOn, in.HasAddOn = "not installed", want
	if want {
		in.AddOn = "installed, version 1"
	}
	return in, nil
}

func (h *hostOfTest) Open(path string, line int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened = append(h.opened, fmt.Sprintf("%s:%d", path, line))
	return nil
}

func (h *hostOfTest) Edit(command api.Command, path string, line int) error {
	h.mu.Lock()
	h.editor = command
	h.mu.Unlock()
	return h.Open(path, line)
}

func (h *hostOfTest) OpenScene(_ context.Context, run string, again bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if run == "1" && !again {
		return api.ErrSceneGone
	}
	if again {
		run += " again"
	}
	h.opened = append(h.opened, "scene of "+run)
	if run == "3 again" {
		return errors.New("no Blender can be started")
	}
	return nil
}

func (h *hostOfTest) Logs() []Log { return h.logs }

func (h *hostOfTest) First() First {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first
}

func (h *hostOfTest) ReadFirst() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first.Unread = false
	return nil
}

func (h *hostOfTest) About() About {
	return About{Version: "1.2.3", Commit: "abc", Places: []Place{{Name: "Settings", Path: "/settings.toml"}}}
}

func (h *hostOfTest) Report(context.Context) string { return "right  everything" }

func (h *hostOfTest) View() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view
}

func (h *hostOfTest) SaveView(text []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.view = text
	return nil
}

func (h *hostOfTest) Kept(name string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept[name]
}

func (h *hostOfTest) Keep(name string, text []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == nil {
		h.kept = map[string][]byte{}
	}
	h.kept[name] = text
	return nil
}

// open is a window over a backend. until makes its calls to Fyne.
type open struct {
	*window
	t       *testing.T
	backend *backend
	owned   *settingsOfTest
	host    *hostOfTest
	told    *told // what the window has told the tray
	calls   chan func()
}

// told keeps what a window tells the tray.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *told) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// last returns the last line.
func (w *told) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(w.text.String()), "\n")
	return lines[len(lines)-1]
}

func openWindow(t *testing.T, runs ...api.Run) *open {
	t.Helper()
	return openWindowOf(t, &hostOfTest{}, runs...)
}

// openWindowOf opens a window of a host, which may have kept the view of another window.
func openWindowOf(t *testing.T, host *hostOfTest, runs ...api.Run) *open {
	t.Helper()
	b, owned := &backend{}, newSettingsOfTest()
	for _, r := range runs {
		b.add(r)
	}
	address, err := control.Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := control.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = control.NewServer(control.Config{Engine: b, Listener: listener, Settings: owned}).Serve(ctx)
	}()
	o := &open{t: t, backend: b, owned: owned, host: host, calls: make(chan func(), 10_000)}
	o.told = &told{}
	s := newShell(ctx, WindowConfig{Client: control.NewClient(address), Host: o.host, Requests: o.told, Choose: noChooser}, test.NewTempApp(t), func(f func()) { o.calls <- f })
	o.window = newWindow(s)
	s.window = o.window
	follower := &Follower{Engine: OverClient(s.cfg.Client), Output: true, Changed: s.changed, Heard: s.heard}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		_ = follower.Serve(ctx)
	}()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		s.followSettings()
	}()
	t.Cleanup(func() {
		stop()
		<-followed
		<-asked
		<-done
	})
	o.until("the window is attached", func() bool {
		o.show(s.now())
		return o.link == Attached && len(o.report.Settings) > 0
	})
	return o
}

// noChooser stands for a system without a dialog for files.
func noChooser(context.Context, chooser.Request) (string, error) { return "", chooser.ErrNone }

func (o *open) until(what string, ok func() bool) {
	o.t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case call := <-o.calls:
			call()
		case <-time.After(time.Millisecond):
		case <-deadline:
			o.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func failed(script string) api.Run {
	began := time.Now()
	return api.Run{
		Script: script, State: api.Failed, Scene: "fresh", StartedAt: &began, Seconds: 0.01, Output: "before\n",
		Error: &api.ScriptError{Type: "KeyError", Message: "'x'", Line: 4, Traceback: "Traceback (most recent call last):\n  File \"/srv/help.py\", line 2, in f\nKeyError: 'x'\n"},
	}
}

func succeeded(script string) api.Run {
	began := time.Now()
	return api.Run{
		Script: script, State: api.Succeeded, Scene: "fresh", StartedAt: &began, Seconds: 0.5, Output: "hello\nFra:1 Mem:1M | Sample 1/2\n",
		Result: json.RawMessage(`{"a":1}`),
	}
}

func TestTheNewestRunIsShownWithItsOutput(t *testing.T) {
	o := openWindow(t, failed("/srv/bad.py"), succeeded("/srv/good.py"))
	d := o.runs.detail
	o.until("the newest is shown", func() bool { return strings.Contains(d.output.pane.Text(), "hello") })
	if strings.Contains(d.output.pane.Text(), "Fra:") || !strings.Contains(d.title.Text, "good.py · succeeded") || d.cause.Text != `result {"a":1}` {
		t.Errorf("it shows %q, %q, %q", d.output.pane.Text(), d.title.Text, d.cause.Text)
	}
	// A run that somebody picks stays shown when others come.
	o.runs.list.Select(1)
	o.until("the other one is shown", func() bool { return strings.Contains(d.output.pane.Text(), "Traceback") })
	if !strings.Contains(d.cause.Text, "KeyError: 'x' (line 4)") {
		t.Errorf("the cause is %q", d.cause.Text)
	}
	o.backend.add(succeeded("/srv/third.py"))
	o.until("the third is listed", func() bool { return len(o.runs.activity.runs) == 3 })
	if d.run.Script != "/srv/bad.py" {
		t.Errorf("%s is shown", d.run.Script)
	}
	o.Resize(fyne.NewSize(900, 600))
	o.Canvas().Capture() // draws it: before, nothing is in sight
	for y := float32(0); y < d.output.pane.Size().Height; y += 10 {
		test.TapAt(d.output.pane, fyne.NewPos(40, y))
	}
	o.until("the place in the traceback is opened", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return slices.Equal(slices.Compact(slices.Clone(o.host.opened)), []string{"/srv/help.py:2"})
	})
	o.change(func(ctx context.Context) (api.SettingsReport, error) {
		return o.shell.cfg.Client.SetSetting(ctx, editorKey, "my editor")
	}, o.failed)
	o.until("the editor is set", func() bool { return o.editor() == "my editor" })
	test.Tap(d.script)
	o.until("the script is opened at its line", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return slices.Contains(o.host.opened, "/srv/bad.py:4") && o.host.editor == "my editor"
	})
	test.Tap(d.again)
	o.until("it runs again", func() bool { return len(o.runs.activity.runs) == 4 })
}

func TestTheSceneOfARunIsOpened(t *testing.T) {
	crashed := failed("/srv/crash.py")
	crashed.State = api.Crashed
	o := openWindow(t, failed("/srv/first.py"), crashed, succeeded("/srv/last.py"))
	d := o.runs.detail
	o.until("the newest is shown", func() bool { return strings.Contains(d.title.Text, "last.py") })
	opened := func() []string {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return slices.Clone(o.host.opened)
	}
	id := d.run.ID
	test.Tap(d.scene)
	o.until("its scene is opened", func() bool { return slices.Equal(opened(), []string{"scene of " + id}) && !d.opening })
	// The run that saves the copy does not take the place of the shown run.
	o.backend.add(succeeded("/srv/copy.py"))
	o.until("the copy is listed", func() bool { return len(o.runs.activity.runs) == 4 })
	if d.run.ID != id {
		t.Errorf("run %s is shown", d.run.ID)
	}
	o.runs.list.Select(2)
	o.until("the crashed run is shown", func() bool { return strings.Contains(d.title.Text, "crash.py") })
	if able(d.run, openInBlender) || d.scene.Visible() {
		t.Error("the scene of a run that has crashed can be opened")
	}
	o.runs.list.Select(3)
	o.until("the first run is shown", func() bool { return strings.Contains(d.title.Text, "first.py") })
	d.act(openInBlender)
	o.until("it is told that the scene is gone", func() bool { return o.dialogSays("still has its scene") })
	test.Tap(o.dialogButtons()["Run again and open"])
	o.until("the run is made again, and its scene opened", func() bool { return slices.Contains(opened(), "scene of 1 again") && !d.opening })
	third := d.run
	third.ID = "3"
	d.openScene(third, true)
	o.until("it is told that this fails", func() bool { return o.dialogSays("Blender can be started") })
	if d.opening {
		t.Error("nobody can try again")
	}
}

func TestRunsAreSearchedAndFiltered(t *testing.T) {
	o := openWindow(t, failed("/srv/bad.py"), succeeded("/srv/good.py"), succeeded("/srv/other.py"))
	names := func() (all []string) {
		for _, r := range o.runs.activity.runs {
			all = append(all, filepath.Base(r.Script))
		}
		return all
	}
	shows := func(want ...string) {
		t.Helper()
		o.until(fmt.Sprint(want, " are shown"), func() bool { return slices.Equal(names(), want) })
	}
	shows("other.py", "good.py", "bad.py")
	test.Type(o.runs.search, "GOO")
	shows("good.py")
	o.runs.search.SetText("")
	o.runs.setFilter(runFilter{States: "Failed"})
	shows("bad.py")
	o.backend.add(succeeded("/srv/more.py"))
	o.backend.add(failed("/srv/worse.py"))
	shows("worse.py", "bad.py")
	o.runs.setFilter(runFilter{States: "Cancelled"})
	o.until("nothing is found", func() bool { return o.runs.empty.Text == "No run matches: Cancelled." })
}

func TestTenThousandRunsComePageByPage(t *testing.T) {
	var runs []api.Run
	for n := range 10_000 {
		runs = append(runs, api.Run{Script: fmt.Sprintf("/srv/%d.py", n), State: api.Succeeded})
	}
	o := openWindow(t, runs...)
	o.Resize(fyne.NewSize(900, 600))
	o.until("the first page is there", func() bool { return len(o.runs.activity.runs) > 0 })
	if n := len(o.runs.activity.runs); n > pageRuns {
		t.Errorf("%d runs were asked for at first", n)
	}
	o.until("the last one was scrolled to", func() bool {
		o.runs.list.ScrollToBottom()
		return o.runs.activity.complete
	})
	if n := len(o.runs.activity.runs); n != 10_000 || o.runs.activity.runs[9999].ID != "1" {
		t.Errorf("%d runs, the last is %s", n, o.runs.activity.runs[n-1].ID)
	}
}

func TestAFolderThatIsDroppedIsAdded(t *testing.T) {
	o := openWindow(t)
	dir := t.TempDir()
	o.folders.dropped([]fyne.URI{storage.NewFileURI(dir)})
	o.until("the folder is added", func() bool { return slices.Equal(o.owned.changes(), []string{"folder=" + dir}) })
	o.folders.dropped([]fyne.URI{storage.NewFileURI(filepath.Join(dir, "none"))})
	o.until("the mistake is told", func() bool { return o.Canvas().Overlays().Top() != nil })
	if got := o.owned.changes(); len(got) != 1 {
		t.Errorf("what is no folder was added: %q", got)
	}
}

func TestButtonsFollowTheState(t *testing.T) {
	o := openWindow(t)
	for _, c := range []struct {
		state               State
		start, stop, cancel bool
	}{
		{State{}, false, false, false},
		{attached(api.BlenderStopped), true, false, false},
		{attached(api.BlenderReady), false, true, false},
		{attached(api.BlenderRunning, running(&api.Progress{Fraction: 0.5})), false, true, true},
	} {
		o.show(c.state)
		for name, b := range map[string]struct {
			button *widget.Button
			want   bool
		}{"start": {o.start, c.start}, "stop": {o.stop, c.stop}, "cancel": {o.cancel, c.cancel}} {
			if b.button.Disabled() == b.want {
				t.Errorf("%s of %+v: enabled %v", name, c.state.Link, !b.button.Disabled())
			}
		}
		if o.bar.Visible() != c.cancel {
			t.Errorf("the bar of %+v is visible: %v", c.state.Link, o.bar.Visible())
		}
	}
	o.show(State{Link: Attached, Trouble: "Could not stop Blender: no"})
	if !o.bannerBox.Visible() || o.banner.Text != "Could not stop Blender: no" {
		t.Errorf("the banner says %q", o.banner.Text)
	}
	o.show(State{Link: Attached})
	if o.bannerBox.Visible() {
		t.Error("the banner stays")
	}
	o.note("done")
	o.shell.trouble = "Could not stop Blender: no"
	o.show(o.shell.now())
	o.shell.dismiss()
	o.show(o.shell.now())
	if o.bannerBox.Visible() {
		t.Error("what was taken away stays")
	}
}

func TestWordsAreFoundInTheOutput(t *testing.T) {
	o := openWindow(t, api.Run{
		Script: "/srv/a.py", State: api.Succeeded, Output: strings.Repeat("nothing\n", 500) + "one Käse, two KÄSE\n" + strings.Repeat("nothing\n", 500) + "käse\n",
	})
	o.Resize(fyne.NewSize(900, 600))
	v := o.runs.detail.output
	o.until("the output is shown", func() bool { return strings.Contains(v.pane.Text(), "KÄSE") })
	o.Canvas().Capture()
	counts := func(want string) {
		t.Helper()
		o.until("it says "+want, func() bool { return v.count.Text == want })
	}
	test.Type(v.find, "käse")
	counts("3 of 3") // the newest line is in sight
	enter := func() { v.find.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn}) }
	enter()
	counts("1 of 3")
	enter()
	counts("2 of 3")
	v.find.KeyDown(&fyne.KeyEvent{Name: "LeftShift"})
	enter()
	enter()
	v.find.KeyUp(&fyne.KeyEvent{Name: "LeftShift"})
	counts("3 of 3")
	test.Tap(v.exact)
	counts("1 of 1")
	test.Tap(v.exact)
	test.Type(v.find, "!")
	counts("not found")
	v.find.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if v.find.Text != "" || v.count.Text != "" {
		t.Errorf("%q, %q", v.find.Text, v.count.Text)
	}
}

func TestAFolderIsChangedInItsForm(t *testing.T) {
	o := openWindow(t)
	o.folders.change("/srv/scripts")
	o.folders.form.row("scene").typed.OnSubmitted("keep")
	o.until("the folder is changed", func() bool {
		return slices.Equal(o.owned.changes(), []string{"/srv/scripts=map[scene:keep]"})
	})
	// A person can see the settings of a folder of the command line, but not change or remove it.
	report := o.owned.Report()
	report.Folders[0].Fixed = "given by the flag --folder"
	o.showSettings(report)
	row := o.folders.rows.Objects[0].(*fyne.Container)
	below := row.Objects[1].(*fyne.Container)
	buttons := below.Objects[1].(*fyne.Container).Objects[0].(*fyne.Container)
	if b := buttons.Objects[2].(*widget.Button); b.Text != "Stop watching…" || !b.Disabled() {
		t.Errorf("%q can be clicked: the folder can be removed", b.Text)
	}
	if text := below.Objects[0].(*widget.Label).Text; !strings.Contains(text, "--folder") {
		t.Errorf("it says %q", text)
	}
}

func TestWrongSettingsAreToldWhereverTheEngineIs(t *testing.T) {
	o := openWindow(t)
	wrong := api.SettingsStatus{File: "/settings.toml", Error: "/settings.toml:3:1: there is no key x", Line: 3}
	st := State{Link: Attached, Status: api.Status{Settings: wrong}}
	o.show(st)
	if !o.mend.Visible() || !strings.Contains(o.banner.Text, "3:1: there is no key x") || !strings.Contains(o.banner.Text, "settings from before hold") {
		t.Errorf("the banner says %q", o.banner.Text)
	}
	st.Link = Connecting
	o.show(st)
	if !strings.Contains(o.banner.Text, "starts when") || !strings.Contains(headline(st, time.Now()), "has an error") {
		t.Errorf("without an engine it says %q", o.banner.Text)
	}
	st.Status.Settings.Error = ""
	o.show(st)
	if o.bannerBox.Visible() {
		t.Errorf("mended, it says %q", o.banner.Text)
	}
}

func TestTheTabBlenderSaysWhyThisOne(t *testing.T) {
	o := openWindow(t)
	for source, want := range map[string]string{
		"PATH":           "the newest Blender that works; found in PATH",
		api.SourceChosen: "it was chosen, in the settings or for this start",
		api.SourceOpen:   "the settings ask for an open Blender",
		"":               "–",
	} {
		s := attached(api.BlenderReady)
		s.Status.Blenders[0].Source = source
		o.show(s)
		if got := o.blender.values["Why this one"].Text; got != want {
			t.Errorf("%q is shown as %q, want %q", source, got, want)
		}
	}
	s := attached(api.BlenderFailed)
	s.Status.Blenders[0].Reason = "it has no Python"
	o.show(s)
	if got := o.blender.values["State"].Text; got != "can't start: it has no Python" {
		t.Errorf("the state is %q", got)
	}
}

func TestTheWindowSaysHowManyRunsWaitAndHowTheyWouldGoFaster(t *testing.T) {
	o := openWindow(t)
	shows := func(s State, runs, hint string) {
		t.Helper()
		o.show(s)
		if got := o.blender.values["Runs"].Text; got != runs {
			t.Errorf("the tab Blender says %q, want %q", got, runs)
		}
		if got := o.runs.hint; got.Text != hint || got.Visible() != (hint != "") {
			t.Errorf("above the runs stands %q, want %q; to be seen: %v", got.Text, hint, got.Visible())
		}
	}
	s := attached(api.BlenderReady)
	shows(s, "–", "")
	s.Status.Running, s.Status.Queued, s.Status.Hint = 1, 30, "there is a quicker way"
	shows(s, "1 running, 30 waiting", "there is a quicker way")
	if got := o.headline.Text; !strings.HasSuffix(got, " · 30 waiting") {
		t.Errorf("the headline is %q", got)
	}
	s.Status.Running, s.Status.Hint = 0, ""
	shows(s, "0 running, 30 waiting", "")
}

func TestABlenderThatCannotStartIsToldUntilItIsRead(t *testing.T) {
	o := openWindow(t)
	broken := func(reason string) State {
		s := attached(api.BlenderFailed)
		s.Status.Blenders[0].Reason = reason + "\nwhat it printed last"
		return s
	}
	o.show(broken("there is none"))
	if !o.choose.Visible() || !o.bannerBox.Visible() || o.banner.Text != "Blender can't start: there is none" {
		t.Errorf("it says %q", o.banner.Text)
	}
	o.shell.state = broken("there is none")
	o.shell.dismiss()
	o.show(broken("there is none"))
	if o.bannerBox.Visible() {
		t.Errorf("what was read is still told: %q", o.banner.Text)
	}
	o.show(broken("it has no Python"))
	if !o.bannerBox.Visible() || !strings.HasSuffix(o.banner.Text, "it has no Python") {
		t.Errorf("another reason is not told: %q", o.banner.Text)
	}
	test.Tap(o.choose)
	o.until("the Blenders are shown", func() bool {
		return o.tabs.SelectedIndex() == o.tabOf(o.blender.content) && len(o.blender.found.Objects) == 2
	})
	waits := attached(api.BlenderStarting)
	waits.Status.Blenders[0].Source, waits.Status.Blenders[0].Reason = api.SourceOpen, "it waits for one"
	o.show(waits)
	if !o.bannerBox.Visible() || o.choose.Visible() || !strings.HasSuffix(o.banner.Text, "it waits for one") {
		t.Errorf("one that is waited for: %q", o.banner.Text)
	}
	o.show(attached(api.BlenderReady))
	if o.bannerBox.Visible() {
		t.Errorf("a Blender that is ready has the banner %q", o.banner.Text)
	}
}

func TestAChoiceThatHoldsLaterOffersARestart(t *testing.T) {
	o := openWindow(t)
	if o.restart.Visible() {
		t.Error("a restart is offered at first")
	}
	o.blender.use("/opt/other/blender")
	o.until("a restart is offered", func() bool { return o.bannerBox.Visible() && o.restart.Visible() })
	if !slices.Contains(o.owned.changes(), "blender.path=/opt/other/blender") || !slices.Contains(o.host.chosen, "/opt/other/blender") || !strings.Contains(o.banner.Text, "/opt/other/blender") {
		t.Errorf("changed are %q, and it says %q", o.owned.changes(), o.banner.Text)
	}
	test.Tap(o.restart)
	if o.bannerBox.Visible() {
		t.Error("the offer stays")
	}
	o.note("something else")
	if o.restart.Visible() {
		t.Error("a restart is offered with something else")
	}
}

func TestTheAddOnIsInstalledIntoABlenderThatWasFound(t *testing.T) {
	o := openWindow(t)
	search := &widget.Button{}
	o.blender.findBlenders(search)
	o.until("two Blenders are shown", func() bool { return len(o.blender.found.Objects) == 2 })
	var button *widget.Button
	var state *widget.Label
	for _, part := range o.blender.found.Objects[0].(*fyne.Container).Objects[1].(*fyne.Container).Objects {
		switch part := part.(type) {
		case *widget.Button:
			button = part
		case *widget.Label:
			state = part
		}
	}
	for _, step := range []struct{ button, state string }{
		{"Install the add-on", "not installed"}, {"Remove the add-on", "installed, version 1"}, {"Install the add-on", "not installed"},
	} {
		o.until(step.button+" is offered", func() bool {
			return button.Text == step.button && !button.Disabled() && strings.HasSuffix(state.Text, ": "+step.state)
		})
		test.Tap(button)
	}
	o.until("it is installed", func() bool { return button.Text == "Remove the add-on" && strings.Contains(o.noted, "TCP Echo") })
}
