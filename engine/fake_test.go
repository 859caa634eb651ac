package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// fakeBlender stands for a Blender where a test is about the queue, the database or the
// events. It claims nothing about Blender itself.
type fakeBlender struct {
	changed func(api.BlenderStatus)
	calls   chan *call
	// do, when set, does each run at once; otherwise the test takes it from calls.
	do func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error)

	mu         sync.Mutex
	restarting func()                          // called while Blender is started anew, or nil
	busy       func(req blender.Request) bool  // for which runs no Blender is free; nil for none
	fails      func(req blender.Request) error // why there is none for a run, which is not waited for; nil for no run
	spec       api.BlenderSpec
	status     api.BlenderStatus
	scenes     []string
	alerts     []blender.Request
	processes  []api.ProcessStatus
	slots      map[string]chan struct{}
	drawn      []string      // the runs of which pictures were asked for
	news       chan struct{} // closed when status changes
}

// call is one run in the hands of a test.
type call struct {
	ctx  context.Context
	req  blender.Request
	sink blender.Sink
	end  chan result
}

type result struct {
	out blender.Outcome
	err error
}

func (c *call) finish(v blender.Verdict) { c.end <- result{out: blender.Outcome{Verdict: v}} }

var errFakeStopped = errors.New("blender is stopped")

func newFakeBlender() *fakeBlender {
	return &fakeBlender{
		calls: make(chan *call, 1000), news: make(chan struct{}),
		status: api.BlenderStatus{State: api.BlenderStopped},
	}
}

func (f *fakeBlender) make(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
	f.changed = changed
	f.status.Name, f.status.Kind = spec.Name, spec.Kind()
	return f
}

func (f *fakeBlender) Await(ctx context.Context, req blender.Request) error {
	for {
		if err := f.Ready(ctx); err != nil {
			return err
		}
		f.mu.Lock()
		busy, news := f.busy != nil && f.busy(req), f.news
		err := f.failureLocked(req)
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if !busy {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeBlender) Free(req blender.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.status.State
	return (state == api.BlenderReady || state == api.BlenderRunning) && (f.busy == nil || !f.busy(req)) && f.failureLocked(req) == nil
}

func (f *fakeBlender) failureLocked(req blender.Request) error {
	if f.fails == nil {
		return nil
	}
	return f.fails(req)
}

// setFailing says why there is no Blender for a run from now on.
func (f *fakeBlender) setFailing(fails func(req blender.Request) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = fails
}

// setBusy says for which runs no Blender is free from now on.
func (f *fakeBlender) setBusy(busy func(req blender.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = busy
	close(f.news)
	f.news = make(chan struct{})
}

func (f *fakeBlender) Alert(req blender.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alerts = append(f.alerts, req)
}

// alerted returns the isolations and scenes of the runs that the engine has said are about to come.
func (f *fakeBlender) alerted() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, req := range f.alerts {
		all = append(all, fmt.Sprint(req.Isolation, " ", req.Scene))
	}
	return all
}

func (f *fakeBlender) Expect(_ int, scenes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scenes = scenes
}

// expected returns the .blend files with which runs will begin, as the engine last told.
func (f *fakeBlender) expected() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.scenes
}

func (f *fakeBlender) Processes() []api.ProcessStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.processes
}

func (f *fakeBlender) Configure(spec api.BlenderSpec) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec = spec
}

func (f *fakeBlender) set(s api.BlenderState, reason string) {
	f.mu.Lock()
	f.status = api.BlenderStatus{Name: f.status.Name, Kind: f.status.Kind, State: s, Reason: reason, Source: f.status.Source}
	st := f.status
	close(f.news)
	f.news = make(chan struct{})
	f.mu.Unlock()
	f.changed(st)
}

func (f *fakeBlender) Serve(ctx context.Context) error { <-ctx.Done(); return nil }
func (f *fakeBlender) Start()                          { f.set(api.BlenderReady, "") }
func (f *fakeBlender) Restart(context.Context) error {
	f.mu.Lock()
	restarting := f.restarting
	f.mu.Unlock()
	if restarting != nil {
		restarting()
	}
	f.set(api.BlenderReady, "")
	return nil
}

func (f *fakeBlender) Stop(context.Context) error {
	f.set(api.BlenderStopped, "asked to")
	return nil
}

func (f *fakeBlender) Status() api.BlenderStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeBlender) Ready(ctx context.Context) error {
	for {
		f.mu.Lock()
		st, news := f.status, f.news
		f.mu.Unlock()
		switch st.State {
		case api.BlenderReady, api.BlenderRunning:
			return nil
		case api.BlenderStopped, api.BlenderFailed:
			return errFakeStopped
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeBlender) Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	if f.do != nil {
		return f.do(ctx, req, sink)
	}
	if req.Session != "" { // its runs are executed one after the other, also where the next is sent early
		slot := f.slot(req.Session)
		select {
		case slot <- struct{}{}:
		case <-ctx.Done():
			return blender.Outcome{}, ctx.Err()
		}
		defer func() { <-slot }()
	}
	c := &call{ctx: ctx, req: req, sink: sink, end: make(chan result, 1)}
	sink.Started(time.Now())
	f.calls <- c
	select {
	case r := <-c.end:
		return r.out, r.err
	case <-ctx.Done():
		return blender.Outcome{Verdict: blender.Cancelled}, nil
	}
}

// slot returns the channel that holds one value while a session executes a run.
func (f *fakeBlender) slot(session string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slots == nil {
		f.slots = map[string]chan struct{}{}
	}
	if f.slots[session] == nil {
		f.slots[session] = make(chan struct{}, 1)
	}
	return f.slots[session]
}

func (f *fakeBlender) Preview(_ context.Context, run, path string, how blender.Drawing) error {
	f.mu.Lock()
	f.drawn = append(f.drawn, run)
	f.mu.Unlock()
	text := how.Engine
	if how.Size != 0 || how.View != "" {
		text = fmt.Sprint(how.Engine, " ", how.Size, " ", how.View)
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// succeed does every run at once.
func succeed(_ context.Context, _ blender.Request, sink blender.Sink) (blender.Outcome, error) {
	sink.Started(time.Now())
	return blender.Outcome{Verdict: blender.Succeeded, Version: "3.4.1"}, nil
}

// fakeWatcher is a watcher whose saves are made by the test.
type fakeWatcher struct {
	cfg     watcher.Config
	rescans chan struct{}
	mu      sync.Mutex
	paused  bool
	life    context.Context     // of Serve; nil before
	folders []api.WatchSettings // what SetFolders was last given
	modules *fakeWatcher        // the watcher of the modules that scripts import; nil before there are any
}

func (w *fakeWatcher) make(cfg watcher.Config) (Watcher, error) {
	if cfg.Only != nil {
		modules := &fakeWatcher{folders: cfg.Folders}
		modules.cfg, modules.rescans = cfg, make(chan struct{}, 100)
		w.mu.Lock()
		w.modules = modules
		w.mu.Unlock()
		return modules, nil
	}
	w.cfg, w.rescans = cfg, make(chan struct{}, 100)
	return w, nil
}

func (w *fakeWatcher) Serve(ctx context.Context) error {
	w.mu.Lock()
	w.life = ctx
	w.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (w *fakeWatcher) SetFolders(all []api.WatchSettings) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folders = all
	return nil
}
func (w *fakeWatcher) Status() []api.FolderStatus { return nil }
func (w *fakeWatcher) Rescan()                    { poke(w.rescans) }

func (w *fakeWatcher) Pause(p bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = p
}

// save is a person who saves a script; scan is the watcher that comes upon it.
func (w *fakeWatcher) save(path, code string) { w.give(watcher.Save{Path: path, Code: []byte(code)}) }

func (w *fakeWatcher) scan(path, code string) {
	w.give(watcher.Save{Path: path, Code: []byte(code), Scan: true})
}

// give hands on a save of which the caller has set what matters to it.
func (w *fakeWatcher) give(s watcher.Save) (taken bool) {
	s.Folder, s.Seen = filepath.Dir(s.Path), time.Now()
	s.Stamp = watcher.Stamp{Size: int64(len(s.Code)), ModTime: time.Now(), Hash: hashOf(s.Code)}
	w.mu.Lock()
	life := w.life
	w.mu.Unlock()
	if life == nil {
		life = context.Background()
	}
	return w.cfg.Save(life, s)
}

// house is an engine under test with what surrounds it.
type house struct {
	*Engine
	t       testing.TB
	b       *fakeBlender
	w       *fakeWatcher
	dir     string
	cfg     Config
	stop    func()
	watched string
}

// open opens an engine on a new database, not served yet.
func open(t testing.TB, edit ...func(*Config)) *house {
	t.Helper()
	dir := t.TempDir()
	watched := filepath.Join(dir, "scripts")
	return openIn(t, Config{
		Database: filepath.Join(dir, "home", "runs.db"),
		Folders:  []api.FolderSettings{{WatchSettings: api.WatchSettings{Path: watched}}},
		Version:  "test",
	}, edit...)
}

func openIn(t testing.TB, cfg Config, edit ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, b: newFakeBlender(), w: &fakeWatcher{}, dir: filepath.Dir(cfg.Database)}
	cfg.NewBlender, cfg.NewWatcher = h.b.make, h.w.make
	cfg.Blenders = []api.BlenderSpec{{Name: api.DefaultBlender}}
	cfg.JournalDir = filepath.Join(h.dir, "journals")
	cfg.Runs.StopTimeout = api.Duration(time.Millisecond) // the runs of most tests don't end by themselves
	for _, f := range edit {
		f(&cfg)
	}
	if os.Getenv("BLENDTRAY_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	h.cfg = cfg
	if len(cfg.Folders) > 0 {
		h.watched = cfg.Folders[0].Path
	}
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Engine = e
	t.Cleanup(func() {
		if h.stop != nil {
			h.stop()
		}
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

// serve serves the engine until the test ends or h.stop is called.
func (h *house) serve() *house {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx) }()
	var once sync.Once
	h.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("serve: %v", err)
			}
		})
	}
	return h
}

// again is the next engine on the same database.
func (h *house) again(edit ...func(*Config)) *house {
	h.t.Helper()
	if h.stop != nil {
		h.stop()
	}
	if err := h.Engine.Close(); err != nil {
		h.t.Fatal(err)
	}
	return openIn(h.t, h.cfg, edit...)
}

func (h *house) path(name string) string { return filepath.Join(h.watched, name) }

func (h *house) submit(code string) api.Run {
	h.t.Helper()
	r, err := h.Submit(context.Background(), api.Submission{Code: []byte(code)})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) run(id string) api.Run {
	h.t.Helper()
	r, err := h.Run(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// call is the next run that Blender is given.
func (h *house) call() *call {
	h.t.Helper()
	select {
	case c := <-h.b.calls:
		return c
	case <-time.After(20 * time.Second):
		h.t.Fatal("Blender was given no run")
		return nil
	}
}

// await returns the first of the events for which want is true.
func await(t testing.TB, sub *Subscription, what string, want func(api.Event) bool) api.Event {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case ev, ok := <-sub.Events():
			if !ok {
				t.Fatalf("the events ended before: %s", what)
			}
			if want(ev) {
				return ev
			}
		case <-limit:
			t.Fatalf("did not come: %s", what)
		}
	}
}

// ended waits until the run has ended.
func (h *house) ended(id string) api.Run {
	h.t.Helper()
	sub := h.Subscribe(SubscribeOptions{Run: id})
	defer sub.Close()
	if r := h.run(id); r.State.Final() {
		return r
	}
	await(h.t, sub, "end of run "+id, func(ev api.Event) bool { return ev.Kind == api.KindRun && ev.Run.State.Final() })
	return h.run(id)
}

// all is every run, oldest first, as "id script-name state".
func (h *house) all() []string {
	h.t.Helper()
	runs, err := h.Runs(context.Background(), api.Filter{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	lines := []string{}
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		lines = append(lines, fmt.Sprintf("%s %s %s", r.ID, filepath.Base(r.Script), r.State))
	}
	return lines
}
