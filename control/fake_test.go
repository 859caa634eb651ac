package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
)

// fakeEngine is an engine without a Blender: runs are queued and stay so until the test says
// otherwise, through publish.
type fakeEngine struct {
	mu    sync.Mutex
	runs  []api.Run
	code  map[string][]byte
	subs  map[*fakeSub]bool
	asked []string
	// onSubmit, when set, is called before Submit returns.
	onSubmit func(api.Run)
	blender  error
	// submitErr, when set, is what Submit fails with.
	submitErr error
	last      api.Submission
	agents    map[string]api.Agent
}

type fakeSub struct {
	of     *fakeEngine
	output bool
	ch     chan api.Event
}

// submitted returns what was submitted last.
func (f *fakeEngine) submitted() api.Submission {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (s *fakeSub) Events() <-chan api.Event { return s.ch }

func (s *fakeSub) Close() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	delete(s.of.subs, s)
}

func newFake() *fakeEngine {
	return &fakeEngine{code: map[string][]byte{}, subs: map[*fakeSub]bool{}}
}

// publish gives an event to every subscriber that has room, like the real one.
func (f *fakeEngine) publish(ev api.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		if ev.Kind == api.KindOutput && !s.output {
			continue
		}
		select {
		case s.ch <- ev:
		default:
		}
	}
}

// publishAndWait gives an event to every subscriber, and waits for room.
func (f *fakeEngine) publishAndWait(ev api.Event) {
	f.mu.Lock()
	var subs []*fakeSub
	for s := range f.subs {
		subs = append(subs, s)
	}
	f.mu.Unlock()
	for _, s := range subs {
		s.ch <- ev
	}
}

// set puts a run in a state and publishes it.
func (f *fakeEngine) set(id string, state api.State) { f.publish(f.change(id, state)) }

// change puts a run in a state and returns the event that says so.
func (f *fakeEngine) change(id string, state api.State) api.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	var run api.Run
	for i := range f.runs {
		if f.runs[i].ID == id {
			f.runs[i].State = state
			run = f.runs[i]
		}
	}
	return api.Event{Kind: api.KindRun, ID: id, Run: &run}
}

func (f *fakeEngine) subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

func (f *fakeEngine) Submit(_ context.Context, s api.Submission) (api.Run, error) {
	if f.submitErr != nil {
		return api.Run{}, f.submitErr
	}
	if s.Scene == "bad" {
		return api.Run{}, fmt.Errorf("%w: scene bad", api.ErrBad)
	}
	f.mu.Lock()
	run := api.Run{ID: fmt.Sprintf("r%d", len(f.runs)+1), Script: s.Script, State: api.Queued, Source: api.FromCommand}
	f.runs = append(f.runs, run)
	f.code[run.ID] = s.Code
	f.last = s
	f.mu.Unlock()
	f.publish(api.Event{Kind: api.KindRun, ID: run.ID, Run: &run})
	if f.onSubmit != nil {
		f.onSubmit(run)
	}
	return run, nil
}

func (f *fakeEngine) find(id string) (*api.Run, error) {
	for i := range f.runs {
		if f.runs[i].ID == id {
			return &f.runs[i], nil
		}
	}
	return nil, fmt.Errorf("run %s: %w", id, api.ErrNotFound)
}

func (f *fakeEngine) Cancel(_ context.Context, id string) (api.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, err := f.find(id)
	if err != nil {
		return api.Run{}, err
	}
	if run.State.Final() {
		return api.Run{}, fmt.Errorf("run %s: %w", id, api.ErrEnded)
	}
	run.State = api.Cancelled
	return *run, nil
}

func (f *fakeEngine) RunStale(context.Context) ([]api.Run, error) { return nil, nil }

func (f *fakeEngine) Retry(_ context.Context, id string) (api.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, err := f.find(id)
	if err != nil {
		return api.Run{}, err
	}
	again := api.Run{ID: run.ID + "-again", State: api.Queued, RetryOf: run.ID}
	f.runs = append(f.runs, again)
	return again, nil
}

func (f *fakeEngine) Run(_ context.Context, id string) (api.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, err := f.find(id)
	if err != nil {
		return api.Run{}, err
	}
	out := *run
	out.Output = "printed\n"
	return out, nil
}

func (f *fakeEngine) Code(_ context.Context, id string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	return f.code[id], nil
}

func (f *fakeEngine) Changes(_ context.Context, id string) (api.Changes, error) {
	return api.Changes{Run: id, Before: "r0", Diff: "-a\n+b\n"}, nil
}

func (f *fakeEngine) Output(_ context.Context, id string, from int64) (text []byte, at, total int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return nil, 0, 0, err
	}
	const all = "printed\n"
	from = min(from, int64(len(all)))
	return []byte(all[from:]), from, int64(len(all)), nil
}

func (f *fakeEngine) Preview(_ context.Context, id string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	return []byte("\xff\xd8picture"), nil
}

func (f *fakeEngine) Complete(_ context.Context, session, code string, cursor int) (api.Completion, error) {
	if session == "busy" {
		return api.Completion{}, api.ErrBusy
	}
	signature := session + "()"
	return api.Completion{Start: cursor - 1, Matches: []string{code}, Signature: &signature}, nil
}

func (f *fakeEngine) Thumbnail(_ context.Context, id string, output int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	if output > 0 {
		return nil, fmt.Errorf("%w: run %s has 1 output", api.ErrNoThumbnail, id)
	}
	return []byte("\xff\xd8small"), nil
}

func (f *fakeEngine) API(_ context.Context, q api.ReferenceQuery) (api.Reference, error) {
	f.mu.Lock()
	f.asked = append(f.asked, fmt.Sprintf("%+v", q))
	f.mu.Unlock()
	if q.Blender == "none" {
		return api.Reference{}, fmt.Errorf("%w: there is no Blender with the name %q", api.ErrNoBlender, q.Blender)
	}
	return api.Reference{Blender: "default", Version: "3.4.1", Entries: []api.ReferenceEntry{{Path: q.Path + q.Words}}, Total: 1}, nil
}

func (f *fakeEngine) HearAgent(a api.Agent) api.Agent {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.agents == nil {
		f.agents = map[string]api.Agent{}
	}
	if a.Since.IsZero() {
		a.Since = time.Now()
	}
	f.agents[a.ID] = a
	return a
}

func (f *fakeEngine) AgentLeft(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.agents[id]
	delete(f.agents, id)
	return ok
}

func (f *fakeEngine) Agents() []api.Agent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.agents))
}

func (f *fakeEngine) Sessions() []api.Session { return []api.Session{{Name: "chair"}} }

func (f *fakeEngine) Session(name string) (api.Session, error) {
	if name != "chair" {
		return api.Session{}, fmt.Errorf("%w: %q; there are: chair", api.ErrNoSession, name)
	}
	return api.Session{Name: "chair"}, nil
}

func (f *fakeEngine) DoInSession(_ context.Context, req api.SessionRequest) (api.SessionDone, error) {
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(fmt.Sprintln(req.Operation, req.Session, req.File, req.Client)))
	f.mu.Unlock()
	if req.File == "/none/x.blend" {
		return api.SessionDone{}, fmt.Errorf("%w %s: there is no folder /none", api.ErrSession, req.Session)
	}
	session, err := f.Session(req.Session)
	return api.SessionDone{Run: api.Run{ID: "r1"}, Session: session}, err
}

func (f *fakeEngine) EndSession(_ context.Context, name string) error {
	_, err := f.Session(name)
	return err
}

func (f *fakeEngine) Runs(_ context.Context, flt api.Filter) ([]api.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprint(flt))
	var out []api.Run
	for i := len(f.runs) - 1; i >= 0; i-- {
		out = append(out, f.runs[i])
	}
	return out, nil
}

func (f *fakeEngine) SaveScene(_ context.Context, req api.SceneRequest) (api.SavedScene, error) {
	if req.Run == "old" && !req.Again {
		return api.SavedScene{}, fmt.Errorf("%w: run 3 came after run old", api.ErrSceneGone)
	}
	return api.SavedScene{File: req.File, Program: "/usr/bin/blender", Run: api.Run{ID: req.Run}}, nil
}

func (f *fakeEngine) PreviewScene(_ context.Context, req api.PreviewRequest) (api.ScenePreview, error) {
	if req.Run == "old" {
		return api.ScenePreview{}, fmt.Errorf("%w: run 3 came after run old", api.ErrSceneGone)
	}
	return api.ScenePreview{File: fmt.Sprintf("/%s-%s-%d.jpg", req.Engine, req.View, req.Size), Run: api.Run{ID: req.Run}}, nil
}

func (f *fakeEngine) Queue(n int) ([]api.QueuedRun, int) {
	return []api.QueuedRun{{Position: n, Line: "/a"}}, 4711
}

func (f *fakeEngine) CancelLine(_ context.Context, of api.QueueLine) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "cancel "+of.LineKind+" "+of.Line)
	if of.LineKind == "" {
		return 0, api.ErrBad
	}
	return 3, nil
}

func (f *fakeEngine) Usage(since time.Time) api.Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, "usage since "+since.Format(time.RFC3339Nano))
	return api.Usage{Cores: 4}
}

func (f *fakeEngine) MoveFirst(_ context.Context, id string, of api.Front) (api.Run, error) {
	if id == "running" {
		return api.Run{}, fmt.Errorf("%w: it is running", api.ErrEnded)
	}
	return api.Run{ID: id}, f.ask("first of " + string(of))
}

func (f *fakeEngine) Scripts(_ context.Context, flt api.Filter, last int) ([]api.ScriptRuns, error) {
	return nil, f.ask(fmt.Sprint("scripts ", flt.Limit, last, flt.Folder))
}

func (f *fakeEngine) Pin(_ context.Context, id string, on bool) (api.Run, error) {
	return api.Run{ID: id, Pinned: on}, nil
}

func (f *fakeEngine) DeleteRun(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(id)
	return err
}

func (f *fakeEngine) ClearRuns(_ context.Context, flt api.Filter) (int, error) {
	return 7, f.ask(fmt.Sprint("clear ", flt.Client, flt.Since.UTC()))
}

func (f *fakeEngine) Status() api.Status { return api.Status{} }

func (f *fakeEngine) ask(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	return f.blender
}

func (f *fakeEngine) StartBlender(_ context.Context, name string) error {
	return f.askOf("start", name)
}

func (f *fakeEngine) StopBlender(_ context.Context, name string) error { return f.askOf("stop", name) }

func (f *fakeEngine) RestartBlender(_ context.Context, name string) error {
	return f.askOf("restart", name)
}

func (f *fakeEngine) askOf(what, name string) error {
	if name == "none" {
		return fmt.Errorf("%w: %s", api.ErrNoBlender, name)
	}
	return f.ask(strings.TrimSpace(what + " " + name))
}
func (f *fakeEngine) PauseWatching(paused bool) { f.ask(fmt.Sprint("paused ", paused)) }

func (f *fakeEngine) Follow(ctx context.Context, s api.Submission) (api.Run, Subscription, error) {
	sub := f.Subscribe(true)
	run, err := f.Submit(ctx, s)
	if err != nil {
		sub.Close()
		return run, nil, err
	}
	return run, sub, nil
}

func (f *fakeEngine) Subscribe(output bool) Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &fakeSub{of: f, output: output, ch: make(chan api.Event, 1000)}
	f.subs[s] = true
	return s
}

// serve starts a server over f in a folder of its own and returns its address and a client.
// It ends with the test, and the test fails when it ends badly.
func serve(t *testing.T, f *fakeEngine, change ...func(*Server)) (string, *Client) {
	t.Helper()
	address, err := Address(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, address, f, change...)
	return address, NewClient(address)
}

func serveOn(t *testing.T, address string, f *fakeEngine, change ...func(*Server)) (stop func()) {
	t.Helper()
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := NewServer(Config{Engine: f, Listener: l, Shutdown: cancel})
	s.endTime = 100 * time.Millisecond
	for _, c := range change {
		c(s)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// raw opens a connection to send bytes that no http.Client would.
func raw(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// refusedWith fails the test unless err is a refusal with this code.
func refusedWith(t *testing.T, err error, status int, code string) {
	t.Helper()
	var told *Error
	if !errors.As(err, &told) || told.Status != status || told.Code != code {
		t.Errorf("got error %v (%T), want status %d and code %s", err, err, status, code)
	}
}
