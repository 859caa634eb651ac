package fleet

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const patience = 60 * time.Second

// recorder keeps what a run does.
type recorder struct {
	mu   sync.Mutex
	text strings.Builder
	once sync.Once
	// begun is closed when the run has started.
	begun chan struct{}
}

func newRecorder() *recorder { return &recorder{begun: make(chan struct{})} }

func (r *recorder) Started(time.Time)     { r.once.Do(func() { close(r.begun) }) }
func (r *recorder) Progress(api.Progress) {}
func (r *recorder) Output(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(p)
}

func (r *recorder) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// real is a fleet of real Blenders, served until the test ends.
func real(t *testing.T, settings api.FleetSettings) *Fleet {
	t.Helper()
	return serve(t, api.BlenderSettings{FactoryStartup: true}, settings)
}

func serve(t *testing.T, b api.BlenderSettings, settings api.FleetSettings) *Fleet {
	t.Helper()
	return serveWith(t, b, settings, func(*blender.Config) {})
}

// serveWith is serve for Blenders of another configuration.
func serveWith(t *testing.T, b api.BlenderSettings, settings api.FleetSettings, configure func(*blender.Config)) *Fleet {
	t.Helper()
	f := New(Config{
		Spec: api.BlenderSpec{Name: "default", Dir: t.TempDir(), Fleet: settings, BlenderSettings: b},
		NewMember: func(spec api.BlenderSpec, _ bool, changed func(api.BlenderStatus)) Member {
			c := blender.Config{BlenderSpec: spec, Changed: changed}
			configure(&c)
			return blender.New(c)
		},
	})
	serveFleet(t, f)
	return f
}

// serveFleet serves a fleet until the test ends.
func serveFleet(t *testing.T, f *Fleet) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
		if all := f.Processes(); len(all) > 0 {
			t.Errorf("left: %+v", all)
		}
	})
}

var count struct {
	sync.Mutex
	n int
}

// do has a fleet execute code and returns what it printed.
func do(t *testing.T, f *Fleet, req blender.Request) string {
	t.Helper()
	count.Lock()
	count.n++
	req.ID = "r" + strings.Repeat("x", count.n%50)
	count.Unlock()
	if req.Scene == "" {
		req.Scene = "fresh"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := newRecorder()
	out, err := f.Run(ctx, req, r)
	if err != nil || out.Verdict != blender.Succeeded {
		t.Fatalf("%s: %+v %+v, %v", req.Code, out, out.Error, err)
	}
	return strings.TrimSpace(r.output())
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("did not come: %s", what)
		}
	}
}

const tellPID = "import os, bpy; print(os.getpid()); bpy.context.scene['mark'] = 1"

func TestAnIsolatedRunHasABlenderInWhichNothingHasRun(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	seen := map[string]bool{}
	for range 4 {
		f.Alert(blender.Request{Isolation: api.IsolateProcess}) // it disturbs nothing
		got := do(t, f, blender.Request{Code: []byte("import os, sys, bpy\nprint(os.getpid(), 'trace' in sys.__dict__)\nsys.trace = 1"), Isolation: api.IsolateProcess})
		pid, leaked, _ := strings.Cut(got, " ")
		if seen[pid] || leaked != "False" {
			t.Errorf("process %s was used before: %v, %s", pid, seen[pid], leaked)
		}
		seen[pid] = true
	}
}

func TestWhatTheLastRunLeftCanBeLookedAt(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	first := do(t, f, blender.Request{Code: []byte(tellPID), Isolation: api.IsolateProcess})
	look := blender.Request{Code: []byte("import os, bpy; print(os.getpid(), bpy.context.scene.get('mark'))"), Scene: "keep", Isolation: api.IsolateKeep, Look: true}
	for range 2 {
		if got := do(t, f, look); got != first+" 1" {
			t.Errorf("it finds %s, want %s 1", got, first)
		}
	}
	second := do(t, f, blender.Request{Code: []byte(tellPID), Isolation: api.IsolateProcess})
	if got := do(t, f, look); got != second+" 1" || second == first {
		t.Errorf("after the next run it finds %s, want %s 1", got, second)
	}
	eventually(t, "what the first run left is gone", func() bool {
		for _, p := range f.Processes() {
			if p.Use == "left" {
				return second == strconv.Itoa(p.PID)
			}
		}
		return false
	})
}

func TestALookAtWhatARunHasLeftIsRefusedAfterAnotherRun(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	run := func(req blender.Request) blender.Outcome {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		out, err := f.Run(ctx, req, newRecorder())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	isolated := blender.Request{Code: []byte("pass"), Scene: "fresh", Isolation: api.IsolateProcess}
	look := blender.Request{ID: "look", Code: []byte("pass"), Scene: "keep", Isolation: api.IsolateKeep, Look: true, Left: "first"}
	isolated.ID = "first"
	run(isolated)
	if out := run(look); out.Verdict != blender.Succeeded {
		t.Errorf("%+v, %+v", out, out.Error)
	}
	isolated.ID = "second"
	run(isolated)
	if out := run(look); out.Verdict != blender.Errored || out.Error.Type != api.Refused || !strings.Contains(out.Error.Message, "second came after run first") {
		t.Errorf("%+v, %+v", out, out.Error)
	}
	look.Left = ""
	if out := run(look); out.Verdict != blender.Succeeded {
		t.Errorf("a look that is not refused: %+v, %+v", out, out.Error)
	}
}

func TestALookIsNotCutOffByTheNextRun(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	do(t, f, blender.Request{Code: []byte(tellPID), Isolation: api.IsolateProcess})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	looking := newRecorder()
	ended := make(chan blender.Outcome, 1)
	go func() {
		out, _ := f.Run(ctx, blender.Request{ID: "look", Code: []byte("import time\nprint('looks', flush=True)\nwhile True: time.sleep(0.01)"), Scene: "keep", Isolation: api.IsolateKeep, Look: true}, looking)
		ended <- out
	}()
	eventually(t, "somebody looks", func() bool { return strings.Contains(looking.output(), "looks") })
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
	select {
	case out := <-ended:
		t.Fatalf("the look has ended: %+v", out)
	default:
	}
	stop()
	if out := <-ended; out.Verdict != blender.Cancelled {
		t.Errorf("%+v", out)
	}
}

func TestOfRunsAtTheSameTimeWhatTheLastToEndLeftIsKept(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 2})
	dir := t.TempDir()
	// begin has the fleet begin a run that goes on until it is told to end, which the returned
	// function does.
	begin := func(id string) (pid string, end func()) {
		r, over, file := newRecorder(), make(chan error, 1), filepath.Join(dir, id)
		code := tellPID + "\nimport sys, time\nsys.stdout.flush()\nwhile not os.path.exists(" + strconv.Quote(file) + "): time.sleep(0.005)"
		go func() {
			out, err := f.Run(t.Context(), blender.Request{ID: id, Code: []byte(code), Scene: "fresh", Isolation: api.IsolateProcess}, r)
			if err == nil && out.Verdict != blender.Succeeded {
				err = errors.New(string(out.Verdict))
			}
			over <- err
		}()
		eventually(t, id+" has begun", func() bool { return strings.HasSuffix(r.output(), "\n") })
		return strings.TrimSpace(r.output()), func() {
			if err := errors.Join(os.WriteFile(file, nil, 0o600), <-over); err != nil {
				t.Errorf("run %s: %v", id, err)
			}
		}
	}
	look := func() string {
		return do(t, f, blender.Request{Code: []byte("import os; print(os.getpid())"), Scene: "keep", Isolation: api.IsolateKeep, Look: true})
	}
	first, endFirst := begin("first")
	second, endSecond := begin("second")
	if first == second {
		t.Fatalf("both runs are in the process %s", first)
	}
	for _, p := range f.Processes() {
		if want := map[string]string{first: "first", second: "second"}[strconv.Itoa(p.PID)]; p.Run != want {
			t.Errorf("process %d executes %q, want %q", p.PID, p.Run, want)
		}
	}
	endFirst()
	if got := look(); got != first {
		t.Errorf("when the first has ended a look finds %s, want %s", got, first)
	}
	endSecond()
	for _, p := range f.Processes() {
		if p.Left != "" && (p.Left != "second" || strconv.Itoa(p.PID) != second) {
			t.Errorf("the process %d has what %q left", p.PID, p.Left)
		}
	}
	picture := filepath.Join(dir, "picture")
	if err := f.Preview(t.Context(), "first", picture, blender.Drawing{Engine: "cycles"}); !errors.Is(err, blender.ErrNoPreview) {
		t.Errorf("a picture of the first run, in whose process another was the last: %v", err)
	}
	if err := f.Preview(t.Context(), "second", picture, blender.Drawing{Engine: "cycles"}); err != nil {
		t.Errorf("a picture of the second run: %v", err)
	}
	if got := look(); got != second {
		t.Errorf("when the second has ended, too, a look finds %s, want %s", got, second)
	}

	if err := f.Preview(t.Context(), "second", picture, blender.Drawing{Engine: "cycles"}); !errors.Is(err, blender.ErrNoPreview) {
		t.Errorf("a picture of what the second run alone has left, after a look: %v", err)
	}
	// A picture that a person asks for is made after a look, and waits for what the Blender does.
	made := make(chan error, 2)
	for i := range 2 {
		go func() {
			made <- f.Preview(t.Context(), "second", picture+strconv.Itoa(i), blender.Drawing{Engine: "cycles", Left: true})
		}()
	}
	for range 2 {
		if err := <-made; err != nil {
			t.Errorf("a picture of what the second run left, after a look: %v", err)
		}
	}
	if err := f.Preview(t.Context(), "first", picture, blender.Drawing{Engine: "cycles", Left: true}); !errors.Is(err, blender.ErrNoPreview) {
		t.Errorf("a picture of what the first run left: %v", err)
	}
}

func TestBlendersThatGoOnAreOnesOfTheirOwn(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	isolated := do(t, f, blender.Request{Code: []byte(tellPID), Isolation: api.IsolateProcess})
	in := func(isolation api.Isolation, name string) (string, string) {
		req := blender.Request{Isolation: isolation, Scene: name}
		req.Code = []byte(tellPID)
		first := do(t, f, req)
		req.Code = []byte("import os, bpy; print(os.getpid(), bpy.context.scene.get('mark'))")
		return first, do(t, f, req)
	}
	scenes, then := in(api.IsolateScene, "fresh")
	if then != scenes+" None" {
		t.Errorf("runs in a scene: %s, then %s", scenes, then)
	}
	keeps, then := in(api.IsolateKeep, "keep")
	if then != keeps+" 1" {
		t.Errorf("runs that keep the scene: %s, then %s", keeps, then)
	}
	if isolated == scenes || scenes == keeps || keeps == isolated {
		t.Errorf("they share a process: %s, %s, %s", isolated, scenes, keeps)
	}
}

func TestAProcessTellsSinceWhenItKeepsWhatTheNextRunGoesOnWith(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	kept := func() (uses []string) {
		for _, p := range f.Processes() {
			if p.KeptAt != nil {
				uses = append(uses, p.Use)
			}
		}
		return uses
	}
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateScene})
	if got := kept(); got != nil {
		t.Errorf("runs that share nothing have left something to go on with in %v", got)
	}
	do(t, f, blender.Request{Code: []byte("a = 1"), Isolation: api.IsolateKeep, Scene: "keep"})
	do(t, f, blender.Request{Code: []byte("a = 1"), Isolation: api.IsolateKeep, Scene: "keep", Look: true})
	got := kept()
	slices.Sort(got)
	if !slices.Equal(got, []string{"keep", "left"}) {
		t.Errorf("what the next run goes on with is in %v", got)
	}
	// A crash takes what was kept, and another process has nothing yet.
	if out, err := f.Run(t.Context(), blender.Request{ID: "crash", Code: []byte("import os; os.kill(os.getpid(), 11)"), Scene: "keep", Isolation: api.IsolateKeep}, newRecorder()); err != nil || out.Verdict != blender.Crashed {
		t.Fatalf("%+v, %v", out, err)
	}
	eventually(t, "a Blender that keeps its state is there again", func() bool {
		return slices.ContainsFunc(f.Processes(), func(p api.ProcessStatus) bool { return p.Use == "keep" && p.State == api.BlenderReady })
	})
	if got := kept(); !slices.Equal(got, []string{"left"}) {
		t.Errorf("after a crash, what the next run goes on with is in %v", got)
	}
}

func TestACrashTakesOneProcess(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	if err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 7 { // more than a Blender may fail
		out, err := f.Run(t.Context(), blender.Request{ID: "crash", Code: []byte("import os; os.kill(os.getpid(), 11)"), Scene: "fresh", Isolation: api.IsolateProcess}, newRecorder())
		if err != nil || out.Verdict != blender.Crashed {
			t.Fatalf("crash %d: %+v, %v", i, out, err)
		}
	}
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
}

func TestAFleetIsStoppedAndStartedAsOne(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 2})
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateScene})
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := f.Status(); st.State != api.BlenderStopped || len(f.Processes()) != 0 {
		t.Errorf("stopped it is %+v with %+v", st, f.Processes())
	}
	if _, err := f.Run(t.Context(), blender.Request{ID: "a", Code: []byte("pass"), Scene: "fresh"}, newRecorder()); !errors.Is(err, blender.ErrStopped) {
		t.Errorf("a run then: %v", err)
	}
	f.Start()
	if err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
	eventually(t, "two wait again", func() bool { return f.Status().Waiting == 2 })
	if err := f.Restart(t.Context()); err != nil || f.Status().State != api.BlenderReady {
		t.Errorf("restarted it is %+v, %v", f.Status(), err)
	}
}

func TestABurstStartsAsManyAsThereAreCores(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	f.Expect(6, nil)
	for i := range 6 {
		do(t, f, blender.Request{Code: []byte("pass"), Isolation: api.IsolateProcess})
		f.Expect(5-i, nil)
	}
	eventually(t, "one waits, and one has what the last left", func() bool { return len(f.Processes()) == 2 && f.Status().Waiting == 1 })
}

func TestABlenderThatIsThereLaterIsFoundByItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "blender")
	f := serve(t, api.BlenderSettings{Path: path, FactoryStartup: true}, api.FleetSettings{Ahead: 1})
	eventually(t, "it is missing", func() bool { return f.Status().State == api.BlenderFailed })
	program, err := exec.LookPath("blender")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is found", func() bool { return f.Status().State == api.BlenderReady })
}

func TestOtherSettingsHoldForTheNextIsolatedRun(t *testing.T) {
	t.Parallel()
	f := real(t, api.FleetSettings{Ahead: 1})
	value := blender.Request{Code: []byte("import bpy; print(bpy.app.debug_value)"), Isolation: api.IsolateProcess}
	goesOn := value
	goesOn.Isolation = api.IsolateScene
	for _, req := range []blender.Request{value, goesOn} {
		if got := do(t, f, req); got != "0" {
			t.Errorf("at first it has %s", got)
		}
	}
	eventually(t, "a Blender waits", func() bool { return f.Status().Waiting == 1 })
	spec := f.spec
	spec.Args = []string{"--debug-value", "7"}
	f.Configure(spec)
	if got := do(t, f, value); got != "7" {
		t.Errorf("with other arguments it has %s", got)
	}
	if got := do(t, f, goesOn); got != "0" {
		t.Errorf("a Blender that goes on has %s without a start", got)
	}
	if err := f.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := do(t, f, goesOn); got != "7" {
		t.Errorf("after its start it has %s", got)
	}
}

func TestABlenderThatCantBeStartedIsTold(t *testing.T) {
	t.Parallel()
	f := New(Config{
		Spec: api.BlenderSpec{Name: "default", Dir: t.TempDir(), BlenderSettings: api.BlenderSettings{Path: "/nowhere/blender"}},
		NewMember: func(spec api.BlenderSpec, _ bool, changed func(api.BlenderStatus)) Member {
			return blender.New(blender.Config{BlenderSpec: spec, Changed: changed})
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Serve(ctx) }()
	var failed *blender.FailedError
	_, err := f.Run(t.Context(), blender.Request{ID: "a", Code: []byte("pass"), Scene: "fresh"}, newRecorder())
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "/nowhere/blender") {
		t.Errorf("%v", err)
	}
	if st := f.Status(); st.State != api.BlenderFailed {
		t.Errorf("it is %+v", st)
	}
	cancel()
	<-done
}
