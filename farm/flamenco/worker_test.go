package flamenco

import (
	"context"
	"errors"
	"image"
	"image/png"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/farm/flamenco/flamencotest"
)

const patience = time.Minute

// errGone is the error of an engine that may come back.
var errGone = errors.New("no engine answers")

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// memory is a store in memory.
type memory struct {
	mu   sync.Mutex
	text []byte
}

func (m *memory) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text, nil
}

func (m *memory) Save(text []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = text
	return nil
}

// engineOfTest executes runs as a test wants. What becomes of runs in a real engine is tried in e2e.
type engineOfTest struct {
	mu        sync.Mutex
	submitted []api.Submission
	cancelled chan string
	down      error // what Status fails with
	// do has the events of a run; it ends early when the run is cancelled.
	do func(ctx context.Context, s api.Submission, event func(api.Event)) api.Run
	// losses is how many streams end in their middle.
	losses int
}

func newEngine() *engineOfTest {
	return &engineOfTest{cancelled: make(chan string, 10), do: func(_ context.Context, _ api.Submission, event func(api.Event)) api.Run {
		event(api.Event{Kind: api.KindOutput, ID: "7", Text: "hello\nFra:1 Mem:24.19M (Peak 1M) | Sample 1/24\nbye"})
		return api.Run{State: api.Succeeded, BlenderVersion: "4.5.0"}
	}}
}

func (e *engineOfTest) setDown(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
}

func (e *engineOfTest) Status(context.Context) (api.Status, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return api.Status{}, e.down
}

func (e *engineOfTest) Settings(context.Context) (api.SettingsReport, error) {
	return api.SettingsReport{}, nil
}

func (e *engineOfTest) Cancel(_ context.Context, id string) (api.Run, error) {
	e.cancelled <- id
	return api.Run{}, nil
}

func (e *engineOfTest) SubmitAndFollow(ctx context.Context, s api.Submission) iter.Seq2[api.Event, error] {
	return func(each func(api.Event, error) bool) {
		var turn sync.Mutex // events come from goroutines of the tests, too
		yield := func(ev api.Event, err error) bool {
			turn.Lock()
			defer turn.Unlock()
			return each(ev, err)
		}
		e.mu.Lock()
		e.submitted = append(e.submitted, s)
		lost := e.losses > 0
		e.losses--
		e.mu.Unlock()
		run := api.Run{ID: "7", State: api.Running}
		first := run
		yield(api.Event{Kind: api.KindRun, ID: run.ID, Run: &first}, nil)
		if lost {
			yield(api.Event{}, errGone)
			return
		}
		run = e.do(ctx, s, func(ev api.Event) { yield(ev, nil) })
		run.ID = "7"
		yield(api.Event{Kind: api.KindRun, ID: run.ID, Run: &run}, nil)
	}
}

func (e *engineOfTest) runs() []api.Submission {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.submitted)
}

// working is a worker that works.
type working struct {
	t       *testing.T
	manager *flamencotest.Manager
	engine  *engineOfTest
	store   *memory
	stop    func()
	err     chan error

	mu   sync.Mutex
	told []string
}

var quick = pauses{
	idle: 5 * time.Millisecond, mostIdle: 20 * time.Millisecond, retry: 5 * time.Millisecond, mostRetry: 20 * time.Millisecond,
	mayRun: 10 * time.Millisecond, report: 5 * time.Millisecond, picture: 5 * time.Millisecond,
	farewell: 5 * time.Second, engine: patience,
}

func prepare(t *testing.T) *working {
	return &working{t: t, manager: flamencotest.New(t), engine: newEngine(), store: &memory{}, err: make(chan error, 10), stop: func() {}}
}

func (w *working) start(change ...func(*Config)) {
	w.t.Helper()
	cfg := Config{
		Manager: w.manager.URL, Name: "desk", Version: "1.2.3", Engine: w.engine, Store: w.store, pauses: quick,
		Lost: func(err error) bool { return errors.Is(err, errGone) },
		Tell: func(s string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, s)
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	worker, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.err <- worker.Serve(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(w.stop)
}

func started(t *testing.T, change ...func(*Config)) *working {
	t.Helper()
	w := prepare(t)
	w.start(change...)
	return w
}

// ended waits until a task has a final status, and returns the task.
func (w *working) ended(id, status string) flamencotest.Task {
	w.t.Helper()
	var task flamencotest.Task
	eventually(w.t, "the task is "+status, func() bool {
		task = w.manager.Task(id)
		return task.Status == status || task.Status == "completed" || task.Status == "failed"
	})
	if task.Status != status {
		w.t.Errorf("the task is %s: %v\n%s", task.Status, task.Activities, task.Log)
	}
	return task
}

func (w *working) said(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.told, func(s string) bool { return strings.Contains(s, text) })
}

func script(code string) flamencotest.Command {
	return flamencotest.Command{Name: "blendtray-script", Parameters: map[string]any{"code": code}}
}

func expectIn(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", what, want, text)
		}
	}
}

func TestATaskBecomesARun(t *testing.T) {
	t.Parallel()
	w := started(t, func(c *Config) { c.Blender = "big" })
	id := w.manager.Add("blendtray", script("x = 1"), script("x = 2"))
	task := w.ended(id, "completed")
	expectIn(t, "the log", task.Log, "hello\nbye\n", "run 7 of the engine", "in Blender 4.5.0")
	if strings.Contains(task.Log, "Sample 1/24") {
		t.Errorf("the log has lines of progress: %s", task.Log)
	}
	runs := w.engine.runs()
	if len(runs) != 2 || string(runs[1].Code) != "x = 2" || runs[0].Blender != "big" || runs[0].Scene != "fresh" ||
		runs[0].Key == runs[1].Key || !strings.Contains(runs[0].Client, "task of a test") {
		t.Errorf("submitted: %+v", runs)
	}
	worker := w.manager.Workers()[0]
	if worker.Name != "desk" || worker.Version != "Blendtray 1.2.3" || !slices.Contains(worker.Types, "blender") {
		t.Errorf("%+v", worker)
	}
	w.stop()
	if worker := w.manager.Workers()[0]; worker.SignedOff != 1 || worker.Status != "offline" {
		t.Errorf("after the end: %+v", worker)
	}
}

func TestAWorkerThatStartsAgainIsTheSame(t *testing.T) {
	t.Parallel()
	w := started(t)
	w.ended(w.manager.Add("misc", flamencotest.Command{Name: "echo", Parameters: map[string]any{"message": "hi"}}), "completed")
	w.stop()
	w.start()
	task := w.ended(w.manager.Add("misc", flamencotest.Command{Name: "echo", Parameters: map[string]any{"message": "hi"}}), "completed")
	expectIn(t, "the log", task.Log, "echo: hi")
	if all := w.manager.Workers(); len(all) != 1 || all[0].SignedOn != 2 {
		t.Errorf("%+v", all)
	}
	w.manager.Forget()
	eventually(t, "the worker registers again", func() bool { return len(w.manager.Workers()) == 1 })
	w.ended(w.manager.Add("blendtray", script("x = 1")), "completed")
}

func TestARunThatFailsFailsItsTask(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.engine.do = func(context.Context, api.Submission, func(api.Event)) api.Run {
		return api.Run{State: api.Failed, Error: &api.ScriptError{Type: "ValueError", Message: "no\nsuch", Line: 3}}
	}
	w.start()
	task := w.ended(w.manager.Add("blendtray", script("x"), script("never")), "failed")
	expectIn(t, "the log", task.Log, "ValueError: no\nsuch (line 3)")
	if last := task.Activities[len(task.Activities)-1]; last != "Failed: blendtray-script: the run 7 is failed: ValueError: no" {
		t.Errorf("the activity is %q", last)
	}
	if n := len(w.engine.runs()); n != 1 {
		t.Errorf("%d runs, and none should come after the one that failed", n)
	}
	for name, c := range map[string]flamencotest.Command{
		`this worker has no command "rm"`: {Name: "rm"},
		`unknown field "shell"`:           {Name: "blendtray-script", Parameters: map[string]any{"code": "x", "shell": "y"}},
		"one of script and code":          {Name: "blendtray-script", Parameters: map[string]any{}},
		"no absolute path":                {Name: "blendtray-script", Parameters: map[string]any{"script": "a.py"}},
		"it names no scene":               {Name: "blendtray-render", Parameters: map[string]any{}},
		"are no frames":                   {Name: "blendtray-render", Parameters: map[string]any{"scene": "/a.blend", "frames": "x"}},
	} {
		task := w.ended(w.manager.Add("misc", c), "failed")
		expectIn(t, "the log", task.Log, name)
	}
}

func TestACancelledTaskCancelsItsRun(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	begun := make(chan struct{}, 10)
	w.engine.do = func(_ context.Context, _ api.Submission, event func(api.Event)) api.Run {
		begun <- struct{}{}
		<-w.engine.cancelled
		return api.Run{State: api.Cancelled}
	}
	w.start()
	id := w.manager.Add("blendtray", script("while True: pass"))
	<-begun
	w.manager.Cancel(id)
	eventually(t, "the log says so", func() bool {
		return strings.Contains(w.manager.Task(id).Log, "stopped: the manager has taken the task back: the task is canceled")
	})
	if task := w.manager.Task(id); task.Status != "canceled" {
		t.Errorf("it is %s", task.Status)
	}

	// The worker is to sleep: the task goes to another worker, and comes back when this worker is awake.
	id = w.manager.Add("blendtray", script("while True: pass"))
	<-begun
	w.manager.Want("asleep")
	eventually(t, "the worker sleeps", func() bool { return w.manager.Workers()[0].Status == "asleep" })
	if task := w.manager.Task(id); task.Status != "queued" {
		t.Errorf("the task is %s", task.Status)
	}
	w.manager.Want("awake")
	<-begun

	// The worker is ended: it hands its task back.
	w.stop()
	if task := w.manager.Task(id); task.Status != "queued" || task.Given != 2 {
		t.Errorf("the task is %s, given %d times", task.Status, task.Given)
	}
	if err := <-w.err; err != nil {
		t.Error(err)
	}
}

func TestTheManagerSendsAWorkerOffline(t *testing.T) {
	t.Parallel()
	w := started(t)
	eventually(t, "it is awake", func() bool { return len(w.manager.Workers()) == 1 && w.manager.Workers()[0].Status == "awake" })
	w.manager.Want("restart")
	eventually(t, "it signs on again", func() bool { return w.manager.Workers()[0].SignedOn == 2 && w.manager.Workers()[0].Status == "awake" })
	w.manager.Want("offline")
	if err := <-w.err; err != nil {
		t.Error(err)
	}
	if worker := w.manager.Workers()[0]; worker.Status != "offline" {
		t.Errorf("%+v", worker)
	}
}

func TestAManagerThatIsAwayLosesNothing(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.manager.Break("sign-on", http.StatusServiceUnavailable)
	w.start()
	eventually(t, "the worker says that it waits", func() bool { return w.said("does not answer yet") })
	w.manager.Break("sign-on", 0)
	w.engine.do = func(_ context.Context, _ api.Submission, event func(api.Event)) api.Run {
		w.manager.Break("/worker/", http.StatusInternalServerError)
		event(api.Event{Kind: api.KindOutput, ID: "7", Text: "kept\n"})
		return api.Run{State: api.Succeeded}
	}
	id := w.manager.Add("blendtray", script("x"))
	eventually(t, "the run has ended", func() bool { return w.said("is completed") })
	if task := w.manager.Task(id); task.Status != "active" {
		t.Errorf("it is %s", task.Status)
	}
	w.manager.Break("/worker/", 0)
	task := w.ended(id, "completed")
	if strings.Count(task.Log, "kept\n") != 1 {
		t.Errorf("the log: %s", task.Log)
	}
}

func TestNoTaskIsTakenWhileTheEngineIsAway(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.engine.setDown(errGone)
	w.start()
	id := w.manager.Add("blendtray", script("x"))
	eventually(t, "the worker says why", func() bool { return w.said("no tasks are taken: " + errGone.Error()) })
	if worker := w.manager.Workers()[0]; worker.Asked != 0 {
		t.Errorf("it has asked %d times", worker.Asked)
	}
	w.engine.mu.Lock()
	w.engine.losses = 1
	w.engine.mu.Unlock()
	w.engine.setDown(nil)
	task := w.ended(id, "completed")
	expectIn(t, "the log", task.Log, "the engine does not answer, and is asked again", "hello")
	if runs := w.engine.runs(); len(runs) != 2 || runs[0].Key != runs[1].Key || runs[0].Key == "" {
		t.Errorf("submitted: %+v", runs)
	}
}

func TestATaskOfAnotherWorkerIsLeft(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	begun := make(chan func(api.Event), 10)
	w.engine.do = func(_ context.Context, _ api.Submission, event func(api.Event)) api.Run {
		begun <- event
		<-w.engine.cancelled
		return api.Run{State: api.Cancelled}
	}
	w.start(func(c *Config) { c.pauses.mayRun = patience })
	id := w.manager.Add("blendtray", script("x"))
	event := <-begun
	w.manager.Cancel(id) // so that nobody gets it
	w.manager.AddTask(flamencotest.Task{Type: "none"})
	func() {
		defer w.manager.Break("/task/"+id, 0)
		w.manager.Break("/task/"+id, http.StatusConflict)
		event(api.Event{Kind: api.KindOutput, ID: "7", Text: "more\n"})
		eventually(t, "the worker leaves it", func() bool { return w.said("another worker has it") })
	}()
}

func TestTags(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.manager.AddTag("GPU")
	w.manager.AddTag("night")
	w.start(func(c *Config) { c.Tags = []string{"gpu"} })
	eventually(t, "it has the tag", func() bool {
		all := w.manager.Workers()
		return len(all) == 1 && slices.Equal(all[0].Tags, []string{"GPU"})
	})
	w.stop()
	<-w.err
	w.start(func(c *Config) { c.Tags = []string{"cpu"} })
	if err := <-w.err; err == nil || !strings.Contains(err.Error(), `there is no tag "cpu"; the tags are: `) {
		t.Error(err)
	}
}

func TestThePictureRenderedLastIsShown(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	path := filepath.Join(t.TempDir(), "p.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 3840, 1000))), f.Close()); err != nil {
		t.Fatal(err)
	}
	w.engine.do = func(_ context.Context, _ api.Submission, event func(api.Event)) api.Run {
		event(api.Event{Kind: api.KindPreview, ID: "7", Live: true, Run: &api.Run{ID: "7", Preview: path}})
		event(api.Event{Kind: api.KindProgress, ID: "7", Progress: &api.Progress{Text: "frame 3 (3 of 9)"}})
		return api.Run{State: api.Succeeded, Outputs: []string{path}}
	}
	w.start()
	id := w.manager.Add("blendtray", flamencotest.Command{Name: "blendtray-render", Parameters: map[string]any{
		"scene": "/a.blend", "frames": "1-3", "engine": "CYCLES", "output": "/out/p_##", "format": "PNG",
	}})
	w.ended(id, "completed")
	eventually(t, "a picture is there", func() bool { return w.manager.Task(id).Pictures > 0 })
	if size := w.manager.Task(id).Size; size != image.Pt(1920, 500) {
		t.Errorf("its size is %v", size)
	}
	if r := w.engine.runs()[0].Render; r == nil || r.Frames.String() != "1-3" || r.Engine != "CYCLES" || r.Output != "/out/p_##" || r.Format != "PNG" {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNoManagerIsToldSo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	w := prepare(t)
	w.start(func(c *Config) { c.Manager = server.URL })
	if err := <-w.err; !errors.Is(err, errNoManager) || !strings.Contains(err.Error(), server.URL) {
		t.Error(err)
	}
	for _, bad := range []string{"", "ftp://farm", "http://", "http://me:pw@farm", "http://farm?x=1", "http://fa rm"} {
		if _, err := New(Config{Manager: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for text, want := range map[string]string{"farm:8080": "http://farm:8080", " http://farm/ ": "http://farm", "https://farm/f/": "https://farm/f"} {
		if got, err := ManagerURL(text); got != want {
			t.Errorf("%q is %q: %v", text, got, err)
		}
	}
}
