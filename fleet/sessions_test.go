package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

func TestASessionHasABlenderOfItsOwn(t *testing.T) {
	t.Parallel()
	ofA := view{use: ofSession, state: api.BlenderReady, session: "a"}
	busyA := view{use: ofSession, state: api.BlenderRunning, session: "a", busy: true}
	inA, inB := need{isolation: api.IsolateKeep, session: "a"}, need{isolation: api.IsolateKeep, session: "b"}
	for _, c := range []struct {
		name    string
		members []view
		need    need
		want    int
	}{
		{"its own", []view{ready, ofA}, inA, 1},
		{"a clean one at first", []view{keep, left, ready}, inA, 2},
		{"not another session's", []view{ofA, ready}, inB, 1},
		{"not another session's, and waits", []view{ofA}, inB, -1},
		{"it waits for its own", []view{busyA, ready}, inA, -1},
		{"not one with a file open", []view{withA}, inA, -1},
		{"no isolated run has it", []view{ofA}, need{isolation: api.IsolateProcess}, -1},
		{"no other run that keeps has it", []view{ofA}, need{isolation: api.IsolateKeep}, -1},
		{"no look has it", []view{ofA}, need{isolation: api.IsolateKeep, look: true}, -1},
	} {
		if got := choose(c.members, c.need); got != c.want {
			t.Errorf("%s: member %d, want %d", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		name    string
		members []view
		policy  policy
		want    plan
	}{
		{"it stays", []view{ready, ofA}, policy{ahead: 1, cores: 2}, plan{}},
		{"it stays when memory is short", []view{ofA}, policy{ahead: 1, cores: 2, scarce: true}, plan{}},
		{"it stays when it has read other settings", []view{ready, {use: ofSession, state: api.BlenderReady, session: "a", stale: true}}, policy{ahead: 1, cores: 2}, plan{}},
		{"another waits when it was taken", []view{ofA}, policy{ahead: 1, cores: 2}, plan{add: []addition{{use: clean}}}},
		{"one is started for a new session", []view{ofA}, policy{cores: 2, want: []need{inB}}, plan{add: []addition{{use: clean}}}},
		{"none is started for one that is there", []view{busyA}, policy{cores: 2, want: []need{inA}}, plan{}},
	} {
		if got := decide(c.members, c.policy); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestANewSessionIsRefusedWithThoseThereAre(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := sessionView{name: "a", used: now.Add(-3 * time.Minute)}
	b := sessionView{name: "b", busy: true, running: "12", used: now}
	over := sessionView{name: "c", ended: true, used: now}
	for _, c := range []struct {
		name   string
		there  []sessionView
		most   int
		scarce bool
		says   []string
	}{
		{"the first", nil, 2, false, nil},
		{"one more", []sessionView{a}, 2, false, nil},
		{"one too many", []sessionView{b, a}, 2, false, []string{"there are 2 sessions", "a (not used for 3m0s), b (run 12 is running)", "session end NAME"}},
		{"ended sessions do not count", []sessionView{a, over}, 2, false, nil},
		{"memory is short", []sessionView{a}, 9, true, []string{"memory is short", "a (not used for 3m0s)", "session end NAME"}},
		{"memory is short, and it is the only one", nil, 9, true, nil},
		{"none is allowed", nil, 0, false, []string{"sessions.max"}},
		{"it is one of them", []sessionView{a, b}, 2, false, []string{}},
	} {
		name := "new"
		if c.name == "it is one of them" {
			name = "a"
		}
		why := mayBegin(name, c.there, c.most, c.scarce, now)
		if (why == "") != (len(c.says) == 0) {
			t.Errorf("%s: %q", c.name, why)
		}
		for _, text := range c.says {
			if !strings.Contains(why, text) {
				t.Errorf("%s: %q does not say %q", c.name, why, text)
			}
		}
	}
}

func TestASessionEndsThatIsNotUsed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(name string, ago time.Duration) sessionView { return sessionView{name: name, used: now.Add(-ago)} }
	busy := at("busy", time.Hour)
	busy.busy = true
	for _, c := range []struct {
		name  string
		all   []sessionView
		limit time.Duration
		over  []string
		next  time.Duration
	}{
		{"none", nil, time.Minute, nil, 0},
		{"not yet", []sessionView{at("a", 20*time.Second), at("b", 50*time.Second)}, time.Minute, nil, 10 * time.Second},
		{"two of three", []sessionView{at("a", time.Minute), at("b", 2*time.Minute), at("c", 0)}, time.Minute, []string{"a", "b"}, time.Minute},
		{"never", []sessionView{at("a", time.Hour)}, 0, nil, 0},
		{"one that is used", []sessionView{busy}, time.Minute, nil, 0},
		{"one that has ended", []sessionView{{name: "e", ended: true}}, time.Minute, nil, 0},
	} {
		over, next := idle(c.all, c.limit, now)
		if !slices.Equal(over, c.over) || next != c.next {
			t.Errorf("%s: %v, %s; want %v, %s", c.name, over, next, c.over, c.next)
		}
	}
}

func TestAnUndoGoesBackOneCheckpointAfterTheOther(t *testing.T) {
	t.Parallel()
	var c checkpoints
	made := func(number int, bytes uint64) []int {
		var gone []int
		for _, one := range c.add(api.Checkpoint{Number: number, Bytes: bytes}, api.SessionSettings{Checkpoints: 3, CheckpointBytes: 100}) {
			gone = append(gone, one.Number)
		}
		return gone
	}
	number := func() int {
		if c.back() < 0 {
			return 0
		}
		return c.all[c.back()].Number
	}
	if number() != 0 {
		t.Error("there is a checkpoint before the first")
	}
	made(1, 10)
	made(2, 10)
	made(3, 10)
	if gone := made(4, 10); !slices.Equal(gone, []int{1}) {
		t.Errorf("%v are gone, want the oldest", gone)
	}
	if gone := made(5, 85); !slices.Equal(gone, []int{2, 3}) {
		t.Errorf("%v are gone, want those that there is no room for", gone)
	}
	if number() != 5 {
		t.Errorf("back to %d, want the newest", number())
	}
	c.wentBack(c.back())
	if number() != 4 {
		t.Errorf("then to %d, want the one before", number())
	}
	c.undone = false // a script has run
	if number() != 5 {
		t.Errorf("after a script to %d, want the newest", number())
	}
	c.wentBack(c.back())
	if gone := c.wentBack(c.back()); len(gone) != 1 || gone[0].Number != 5 || c.back() >= 0 {
		t.Errorf("%v are gone and back is %d, want that after it, and none before it", gone, c.back())
	}
	if gone := made(6, 500); !slices.Equal(gone, []int{4}) || number() != 6 {
		t.Errorf("%v are gone, and back to %d: the newest always stays", gone, number())
	}
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sessions is a fleet of real Blenders for tests of sessions.
func sessions(t *testing.T, settings api.SessionSettings) (*Fleet, *clock) {
	t.Helper()
	if settings.Max == 0 {
		settings.Max = 10
	}
	c := &clock{now: time.Now()}
	dir := t.TempDir()
	f := New(Config{
		Spec: api.BlenderSpec{
			Name: "default", Dir: t.TempDir(), Fleet: api.FleetSettings{Ahead: 1}, Sessions: settings,
			BlenderSettings: api.BlenderSettings{FactoryStartup: true, CancelGrace: api.Duration(time.Second)},
		},
		Checkpoints: filepath.Join(dir, "checkpoints"), Now: c.Now,
		NewMember: func(spec api.BlenderSpec, _ bool, changed func(api.BlenderStatus)) Member {
			return blender.New(blender.Config{BlenderSpec: spec, Changed: changed})
		},
	})
	t.Cleanup(func() { // after the fleet has ended
		if all, _ := filepath.Glob(filepath.Join(dir, "checkpoints")); len(all) > 0 {
			t.Errorf("left: %v", all)
		}
	})
	serveFleet(t, f)
	return f, c
}

// in has a session execute code and returns how that ended and what it printed.
func in(t *testing.T, f *Fleet, session, code string) (blender.Outcome, string) {
	t.Helper()
	return perform(t, f, blender.Request{Session: session, Code: []byte(code), Name: "<test>"})
}

// operate has a session do an operation, which has to succeed.
func operate(t *testing.T, f *Fleet, session string, what api.SessionOperation, file ...string) {
	t.Helper()
	if out, text := perform(t, f, blender.Request{Session: session, Operation: what, Args: file, Name: "<test>"}); out.Verdict != blender.Succeeded {
		t.Fatalf("%s: %+v %+v %s", what, out, out.Error, text)
	}
}

func perform(t *testing.T, f *Fleet, req blender.Request) (blender.Outcome, string) {
	t.Helper()
	count.Lock()
	count.n++
	req.ID = fmt.Sprintf("s%d", count.n)
	count.Unlock()
	req.Scene, req.Isolation = "keep", api.IsolateKeep
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := newRecorder()
	out, err := f.Run(ctx, req, r)
	if errors.Is(err, blender.ErrNotStarted) { // the Blender went at this moment, and the engine sends the run again
		r = newRecorder()
		out, err = f.Run(ctx, req, r)
	}
	if err != nil {
		t.Fatalf("%s: %v", req.Code, err)
	}
	return out, strings.TrimSpace(r.output())
}

// says fails unless code in a session prints a text.
func says(t *testing.T, f *Fleet, session, code, want string) {
	t.Helper()
	if out, text := in(t, f, session, code); out.Verdict != blender.Succeeded || text != want {
		t.Errorf("%s: %s says %q, want %q (%+v)", session, code, text, want, out.Error)
	}
}

// the returns the session with a name.
func the(t *testing.T, f *Fleet, name string) api.Session {
	t.Helper()
	for _, s := range f.Sessions() {
		if s.Name == name {
			return s
		}
	}
	return api.Session{}
}

func TestASessionKeepsItsSceneModulesAndNames(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "helper.py"), []byte("made = []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	from := func(dir, code string) (blender.Outcome, string) {
		return perform(t, f, blender.Request{Session: "a", Code: []byte(code), Name: "<test>", Dir: dir})
	}
	if out, text := from(dir, "import helper; helper.made.append(1); x = 41; bpy.context.object.name = 'Mine'"); out.Verdict != blender.Succeeded {
		t.Fatalf("%+v %s", out.Error, text)
	}
	out, text := from(other, "import sys; print(x + 1, sys.modules['helper'].made, 'Mine' in bpy.data.objects, helper.made)")
	if out.Verdict != blender.Succeeded || text != "42 [1] True [1]" {
		t.Errorf("%q %+v", text, out.Error)
	}
	// Another session, an isolated run and a look see nothing of it.
	says(t, f, "b", "print('x' in globals(), 'Mine' in bpy.data.objects)", "False False")
	if got := do(t, f, blender.Request{Code: []byte("import bpy; print('Mine' in bpy.data.objects)"), Isolation: api.IsolateProcess}); got != "False" {
		t.Errorf("an isolated run: %s", got)
	}
	if got := do(t, f, blender.Request{Code: []byte("print('x' in globals(), 'Mine' in bpy.data.objects)"), Scene: "keep", Isolation: api.IsolateKeep, Look: true}); got != "False False" {
		t.Errorf("a look: %s", got)
	}
	says(t, f, "a", "print(x)", "41")
	a := the(t, f, "a")
	if a.State != api.SessionReady || a.Runs != 3 || a.PID == 0 || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	found := slices.ContainsFunc(f.Processes(), func(p api.ProcessStatus) bool {
		return p.Use == "session" && p.Session == "a" && p.PID == a.PID
	})
	if !found {
		t.Errorf("%+v", f.Processes())
	}
	// A helper that has changed is read afresh.
	if err := os.WriteFile(filepath.Join(dir, "helper.py"), []byte("made = 'new'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, text := from(dir, "import helper; print(helper.made)"); text != "new" {
		t.Errorf("a changed helper: %s", text)
	}
}

func TestFramesFollowAScriptInASession(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	dir := t.TempDir()
	frames, err := api.FramesOf("7-8")
	if err != nil {
		t.Fatal(err)
	}
	render := func(code, name string) {
		t.Helper()
		out, text := perform(t, f, blender.Request{Session: "a", Code: []byte(code), Render: &blender.Render{Render: api.Render{
			Frames: frames, Output: filepath.Join(dir, name),
		}}})
		if out.Verdict != blender.Succeeded || len(out.Outputs) != 2 {
			t.Fatalf("%+v %v %s", out.Error, out.Outputs, text)
		}
		for _, frame := range []string{"0007", "0008"} {
			if _, err := os.Stat(filepath.Join(dir, name+frame+".png")); err != nil {
				t.Error(err)
			}
		}
	}
	render(`
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_x = scene.render.resolution_y = 16
x = 41`, "script_")
	operate(t, f, "a", api.SessionCheckpoint)
	// The session goes on, and needs no script for its frames.
	says(t, f, "a", "bpy.context.object.name = 'Mine'; print(x + 1, bpy.context.scene.frame_start, bpy.context.scene.frame_end)", "42 1 250")
	render("", "alone_")
	operate(t, f, "a", api.SessionUndo)
	says(t, f, "a", "print(x, 'Mine' in bpy.data.objects)", "41 False")
	if got := the(t, f, "a"); got.State != api.SessionReady {
		t.Errorf("%+v", got)
	}
}

// manySessions is how many sessions have how many runs, such as "10 1000", where 3 and 60 are too few.
const manySessions = "BLENDTRAY_TEST_SESSIONS"

func TestSessionsSideBySideNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	count, runs := 3, 60
	if text := os.Getenv(manySessions); text != "" {
		if _, err := fmt.Sscan(text, &count, &runs); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range count {
		name := fmt.Sprintf("s%d", i)
		all.Go(func() {
			for n := range runs {
				out, text := in(t, f, name, fmt.Sprintf(
					"seen = globals().get('seen', 0)\nprint(seen, sorted(o.name for o in bpy.data.objects if o.name.startswith('own')))\n"+
						"seen += 1\nfor o in list(bpy.data.objects):\n    if o.name.startswith('own'): bpy.data.objects.remove(o)\n"+
						"bpy.data.objects.new('own-%s-%d', None)", name, n))
				want := fmt.Sprintf("%d ['own-%s-%d']", n, name, n-1)
				if n == 0 {
					want = "0 []"
				}
				if out.Verdict != blender.Succeeded || text != want {
					t.Errorf("%s: %q, want %q: %+v", name, text, want, out.Error)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestALongRunOfASessionHoldsUpNoOtherSession(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	says(t, f, "b", "print(1)", "1")
	ctx, cancel := context.WithCancel(context.Background())
	begun, done := newRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.Run(ctx, blender.Request{ID: "long", Session: "a", Code: []byte("import time\nwhile True: time.sleep(.01)"), Scene: "keep", Isolation: api.IsolateKeep}, begun)
	}()
	<-begun.begun
	says(t, f, "b", "print(2)", "2")
	says(t, f, "c", "print(3)", "3")
	if a := the(t, f, "a"); a.State != api.SessionRunning || a.Run != "long" || a.EndsAt != nil {
		t.Errorf("%+v", a)
	}
	cancel()
	<-done
}

func TestTheNextRunOfASessionIsToldThatItHasCrashed(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	says(t, f, "a", "x = 1; bpy.context.object.name = 'Kept'; print(1)", "1")
	operate(t, f, "a", api.SessionCheckpoint)
	out, _ := in(t, f, "a", "import os; os.abort()")
	if out.Verdict != blender.Crashed || out.Note != "" {
		t.Fatalf("%+v", out)
	}
	eventually(t, "the session has crashed", func() bool { return the(t, f, "a").State == api.SessionCrashed })
	if a := the(t, f, "a"); !strings.Contains(a.Reason, "crashed") || len(a.Checkpoints) != 1 || a.PID != 0 {
		t.Errorf("%+v", a)
	}
	out, text := in(t, f, "a", "print('x' in globals(), 'Kept' in bpy.data.objects)")
	first, rest, _ := strings.Cut(text, "\n")
	if out.Verdict != blender.Succeeded || rest != "False False" || "["+out.Note+"]" != first ||
		!strings.Contains(first, "had crashed") || !strings.Contains(first, "session undo a") {
		t.Errorf("%q, %+v", text, out)
	}
	if out, text := in(t, f, "a", "print(2)"); out.Note != "" || text != "2" {
		t.Errorf("it is told again: %q, %q", out.Note, text)
	}
	// The checkpoint outlives the crash.
	operate(t, f, "a", api.SessionUndo)
	says(t, f, "a", "print('Kept' in bpy.data.objects)", "True")

	// It is the same when Blender ends between two runs.
	kill(t, the(t, f, "a").PID)
	eventually(t, "the session has crashed again", func() bool { return the(t, f, "a").State == api.SessionCrashed })
	if out, text := in(t, f, "a", "print(3)"); !strings.Contains(out.Note, "had ended") || !strings.HasSuffix(text, "3") {
		t.Errorf("%q %q", out.Note, text)
	}
	// A run that does not stop takes its Blender with it.
	out, _ = perform(t, f, blender.Request{Session: "a", Name: "<test>", TimeLimit: 200 * time.Millisecond, Code: []byte("sum(range(10**13))")})
	if out.Verdict != blender.TimedOut {
		t.Fatalf("%+v", out)
	}
	if out, _ := in(t, f, "a", "print(4)"); !strings.Contains(out.Note, "had ended with run") {
		t.Errorf("%q", out.Note)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnIdleSessionEndsAndSaysSo(t *testing.T) {
	t.Parallel()
	f, now := sessions(t, api.SessionSettings{Idle: api.Duration(20 * time.Minute)})
	says(t, f, "a", "print(1)", "1")
	operate(t, f, "a", api.SessionCheckpoint)
	dir := f.sessions["a"].dir
	pid := the(t, f, "a").PID
	if at := the(t, f, "a").EndsAt; at == nil || !at.Equal(now.Now().Add(20*time.Minute)) {
		t.Errorf("it ends at %v", at)
	}
	now.pass(19 * time.Minute)
	says(t, f, "a", "print(2)", "2") // it is used
	now.pass(19 * time.Minute)
	wake(f.poke)
	says(t, f, "b", "print(1)", "1")
	if the(t, f, "a").State != api.SessionReady {
		t.Fatalf("%+v", the(t, f, "a"))
	}
	now.pass(time.Minute)
	wake(f.poke)
	eventually(t, "a has ended", func() bool { return the(t, f, "a").State == api.SessionEnded })
	if a := the(t, f, "a"); !strings.Contains(a.Reason, "not used for 20m") || a.PID != 0 {
		t.Errorf("%+v", a)
	}
	if the(t, f, "b").State != api.SessionReady {
		t.Errorf("%+v", the(t, f, "b"))
	}
	eventually(t, "its Blender and checkpoints are gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist) && !slices.ContainsFunc(f.Processes(), func(p api.ProcessStatus) bool { return p.PID == pid })
	})
	if out, text := perform(t, f, blender.Request{Session: "a", Operation: api.SessionCheckpoint}); out.Error == nil || !strings.Contains(out.Error.Message, "has ended") {
		t.Errorf("a checkpoint of an ended session: %+v %s", out, text)
	}
	if out, text := in(t, f, "a", "print(3)"); !strings.Contains(out.Note, "not used for 20m") || !strings.HasSuffix(text, "3") {
		t.Errorf("%q %q", out.Note, text)
	}
}

func TestASessionEndsWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{Max: 2})
	ctx := context.Background()
	says(t, f, "a", "x = 1; print(1)", "1")
	operate(t, f, "a", api.SessionCheckpoint)
	dir, pid := f.sessions["a"].dir, the(t, f, "a").PID
	says(t, f, "b", "print(1)", "1")
	out, _ := in(t, f, "c", "print(1)")
	if out.Verdict != blender.Errored || out.Error.Type != "RunRefused" || !strings.Contains(out.Error.Message, "a (not used") {
		t.Errorf("one too many: %+v", out)
	}
	if err := f.EndSession(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(f.Processes(), func(p api.ProcessStatus) bool { return p.PID == pid }) {
		t.Errorf("its Blender is there: %+v", f.Processes())
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its checkpoints are there: %v", err)
	}
	if err := f.EndSession(ctx, "a"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("ended twice: %v", err)
	}
	if out, text := in(t, f, "a", "print('x' in globals())"); text != "False" || out.Note != "" {
		t.Errorf("%q %q", text, out.Note)
	}
	// When Blender is stopped, all sessions end.
	if err := f.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if s := the(t, f, name); s.State != api.SessionEnded || !strings.Contains(s.Reason, "Blender was stopped") {
			t.Errorf("%+v", s)
		}
	}
	f.Start()
	if out, _ := in(t, f, "b", "print(1)"); !strings.Contains(out.Note, "Blender was stopped") {
		t.Errorf("%q", out.Note)
	}
}

// describe is code that prints a digest of all data-blocks, or writes the text to a file.
func describe(t *testing.T, f *Fleet, session string) []string {
	t.Helper()
	file, here := filepath.Join(t.TempDir(), "text"), testdata(t)
	out, text := in(t, f, session, fmt.Sprintf("import sys\nif %q not in sys.path: sys.path.append(%q)\nimport compare\n"+
		"open(%q, 'w').write(compare.text())", here, here, file))
	if out.Verdict != blender.Succeeded {
		t.Fatalf("%+v %s", out.Error, text)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

func testdata(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(filepath.Join("testdata", "sessions"))
	if err != nil {
		t.Fatal(err)
	}
	return here
}

// differences returns where two descriptions differ.
func differences(a, b []string) (all []string) {
	if len(a) != len(b) {
		all = append(all, fmt.Sprintf("%d and %d data-blocks", len(a), len(b)))
	}
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		one, other := strings.Fields(a[i]), strings.Fields(b[i])
		for k := range min(len(one), len(other)) {
			if one[k] != other[k] {
				all = append(all, fmt.Sprintf("%.60s: %s and %s", a[i], one[k], other[k]))
				break
			}
		}
	}
	return all
}

func TestUndoGivesBackWhatTheCheckpointHad(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	code, err := os.ReadFile(filepath.Join(testdata(t), "scene.py"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, text := perform(t, f, blender.Request{Session: "a", Code: code, Name: "<scene>", Args: []string{dir}})
	if out.Verdict != blender.Succeeded {
		t.Fatalf("%+v %s", out.Error, text)
	}
	before := describe(t, f, "a")
	if len(before) < 100 {
		t.Fatalf("only %d data-blocks are compared", len(before))
	}
	operate(t, f, "a", api.SessionCheckpoint)
	if all := differences(before, describe(t, f, "a")); len(all) > 0 {
		t.Errorf("the checkpoint has changed the scene: %s", strings.Join(all, "\n"))
	}
	says(t, f, "a", `
kept = [1]
def handler(*_): print("called")
bpy.app.handlers.load_post.append(handler)
bpy.app.driver_namespace["mine"] = handler
bpy.data.objects["Ball"].location.x = 99
bpy.data.objects["Ball"].data.vertices[0].co.x += 1
bpy.data.objects["Ball"]["number"] = 8
bpy.data.images["Painted"].pixels[0] = 9
bpy.data.meshes.remove(bpy.data.meshes["Nobody"])
bpy.data.texts.new("later")
bpy.data.libraries[0].filepath = "//elsewhere.blend"
bpy.context.window.scene = bpy.data.scenes["Scene"]
bpy.ops.wm.save_as_mainfile(filepath=`+"r'"+filepath.Join(dir, "parts", "other.blend")+"'"+`)
print("changed")`, "Info: Total files 2 | Changed 2 | Failed 0\nInfo: Saved \"other.blend\"\nchanged")
	if len(differences(before, describe(t, f, "a"))) < 5 {
		t.Error("the comparison sees nothing")
	}
	operate(t, f, "a", api.SessionUndo)
	if all := differences(before, describe(t, f, "a")); len(all) > 0 {
		t.Errorf("the undo has not given back everything: %s", strings.Join(all, "\n"))
	}
	// Relative paths mean what they meant; Python has kept its names and handlers.
	says(t, f, "a", "import os; print(os.path.exists(bpy.path.abspath(bpy.data.images['Disk'].filepath)), kept, handler in bpy.app.handlers.load_post, 'mine' in bpy.app.driver_namespace, "+
		"os.path.relpath(bpy.data.filepath, "+fmt.Sprintf("%q", dir)+"))", "True [1] True True own.blend")
}

func TestUndoGoesBackFurther(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{Checkpoints: 2})
	name := func(n int) string { return fmt.Sprintf("bpy.context.object.name = 'v%d'; print(%d)", n, n) }
	const tell = "print(bpy.context.object.name, repr(bpy.data.filepath))"
	if out, _ := perform(t, f, blender.Request{Session: "a", Operation: api.SessionUndo}); out.Error == nil || !strings.Contains(out.Error.Message, "no session of this name") {
		t.Errorf("%+v", out)
	}
	says(t, f, "a", "print(0)", "0")
	if out, _ := perform(t, f, blender.Request{Session: "a", Operation: api.SessionUndo}); out.Error == nil || !strings.Contains(out.Error.Message, "no checkpoint to go back to") {
		t.Errorf("%+v", out)
	}
	for n := 1; n <= 3; n++ {
		says(t, f, "a", name(n), fmt.Sprint(n))
		operate(t, f, "a", api.SessionCheckpoint)
	}
	all := the(t, f, "a").Checkpoints
	if len(all) != 2 || all[0].Number != 2 || all[0].Bytes < 100_000 {
		t.Errorf("%+v", all)
	}
	if files, _ := filepath.Glob(filepath.Join(f.sessions["a"].dir, "*.blend")); len(files) != 2 {
		t.Errorf("%v", files)
	}
	at := func(want int) {
		t.Helper()
		if got := the(t, f, "a").AtCheckpoint; got != want {
			t.Errorf("it is at checkpoint %d, want %d", got, want)
		}
	}
	says(t, f, "a", name(4), "4")
	at(0)
	operate(t, f, "a", api.SessionUndo)
	at(3)
	says(t, f, "a", tell, "v3 ''")
	at(0)
	operate(t, f, "a", api.SessionUndo) // a script has run since
	operate(t, f, "a", api.SessionUndo)
	at(2)
	says(t, f, "a", tell, "v2 ''")
	operate(t, f, "a", api.SessionUndo)
	if out, _ := perform(t, f, blender.Request{Session: "a", Operation: api.SessionUndo}); out.Error == nil || !strings.Contains(out.Error.Message, "first checkpoint") {
		t.Errorf("%+v", out)
	}
	says(t, f, "a", tell, "v2 ''")
}

func TestASessionIsSavedAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	dir := t.TempDir()
	file := filepath.Join(dir, "saved.blend")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	says(t, f, "a", "bpy.context.object.name = 'Saved'; print(1)", "1")
	refuses := func(what api.SessionOperation, file, text string) {
		t.Helper()
		out, _ := perform(t, f, blender.Request{Session: "a", Operation: what, Args: []string{file}})
		if out.Verdict != blender.Errored || out.Error == nil || !strings.Contains(out.Error.Message, text) {
			t.Errorf("%s %s: %+v, want %q", what, file, out.Error, text)
		}
	}
	refuses(api.SessionSave, filepath.Join(dir, "none", "x.blend"), "there is no folder "+filepath.Join(dir, "none"))
	refuses(api.SessionOpen, filepath.Join(dir, "none.blend"), "there is no scene file")
	refuses(api.SessionOpen, file, "can't be opened")
	says(t, f, "a", "print(bpy.context.object.name)", "Saved")
	out, text := perform(t, f, blender.Request{Session: "a", Operation: api.SessionSave, Args: []string{file}})
	if out.Verdict != blender.Succeeded || !slices.Equal(out.Outputs, []string{file}) {
		t.Errorf("%+v %+v %s", out, out.Error, text)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("more is there: %v", all)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	says(t, f, "a", "print(repr(bpy.data.filepath))", "''") // it was a copy
	if out, _ := perform(t, f, blender.Request{Session: "b", Operation: api.SessionOpen, Args: []string{filepath.Join(dir, "none.blend")}}); out.Verdict != blender.Errored || the(t, f, "b").Name != "" {
		t.Errorf("a file that is not there begins a session: %+v, %+v", out, the(t, f, "b"))
	}
	operate(t, f, "b", api.SessionOpen, file)
	says(t, f, "b", "print(bpy.context.object.name, bpy.data.filepath == "+fmt.Sprintf("%q", file)+")", "Saved True")
}

func TestScriptsInACheckpointDoNotRun(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	file := filepath.Join(t.TempDir(), "own.blend")
	// A script that has opened a file with its scripts has set this for the files after that file, too.
	if _, printed := in(t, f, "a", fmt.Sprintf(`
file = %q
bpy.ops.wm.save_as_mainfile(filepath=file)
bpy.ops.wm.open_mainfile(filepath=file, use_scripts=True)
text = bpy.data.texts.new("boot.py")
text.write("print('RAN')")
text.use_module = True
bpy.ops.wm.save_as_mainfile(filepath=file)
bpy.ops.wm.open_mainfile(filepath=file)
print("made")`, file)); !strings.HasSuffix(printed, "RAN\nmade") {
		t.Fatalf("the script in the file does not run where it is trusted: %s", printed)
	}
	operate(t, f, "a", api.SessionCheckpoint)
	for _, req := range []blender.Request{
		{Session: "a", Operation: api.SessionUndo},
		{Session: "a", Operation: api.SessionOpen, Args: []string{file}},
	} {
		out, printed := perform(t, f, req)
		if out.Verdict != blender.Succeeded || strings.Contains(printed, "RAN") {
			t.Errorf("%s: %+v %s", req.Operation, out, printed)
		}
	}
	says(t, f, "a", "print('boot.py' in bpy.data.texts)", "True")
}

func TestASessionIsInJSONAsItsClientsExpect(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	says(t, f, "a", "print(1)", "1")
	data, err := json.Marshal(the(t, f, "a"))
	if err != nil || !strings.Contains(string(data), `"checkpoints":[]`) || !strings.Contains(string(data), `"state":"ready"`) {
		t.Errorf("%s %v", data, err)
	}
}

func TestARunIsToldThatACompletionBeforeItHasCostTheBlender(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	dir := t.TempDir()
	begun, end := filepath.Join(dir, "begun"), filepath.Join(dir, "end")
	says(t, f, "a", fmt.Sprintf(`
class Thing:
    @property
    def deadly(self):
        import os, time
        open(%q, "w").close()
        while not os.path.exists(%q):
            try:
                time.sleep(0.01)
            except BaseException:
                pass # it does not stop when it is asked to
        os.abort()
thing = Thing()
print(1)
`, begun, end), "1")
	first := the(t, f, "a").PID
	go func() { _, _ = f.Complete(t.Context(), "a", "thing.deadly.", 13) }() // it is to fail
	eventually(t, "the completion has begun", func() bool { _, err := os.Stat(begun); return err == nil })
	var out blender.Outcome
	var text string
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, text = in(t, f, "a", "print('thing' in globals())")
	}()
	eventually(t, "the run waits behind the completion", func() bool { return the(t, f, "a").State == api.SessionRunning })
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-done
	// Where the run was being sent to the Blender when that died, it is sent again.
	toldSo := strings.Contains(out.Note, "had ended while the run waited") || strings.Contains(out.Note, "begins anew: its Blender had ended")
	if out.Verdict != blender.Succeeded || !toldSo || text != "["+out.Note+"]\nFalse" {
		t.Errorf("%q, %+v", text, out)
	}
	second := the(t, f, "a")
	if second.State != api.SessionReady || second.PID == first || second.Reason != "" {
		t.Errorf("after process %d: %+v", first, second)
	}
	if out, text := in(t, f, "a", "print(2)"); out.Note != "" || text != "2" {
		t.Errorf("the next run: %q, %+v", text, out)
	}
}

func TestCodeIsCompletedFromWhatASessionHas(t *testing.T) {
	t.Parallel()
	f, _ := sessions(t, api.SessionSettings{})
	matches := func(code string) ([]string, error) {
		t.Helper()
		found, err := f.Complete(t.Context(), "a", code, len(code))
		return found.Matches, err
	}
	if _, err := matches("bpy.da"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("before the first run: %v", err)
	}
	if all := f.Sessions(); len(all) != 0 {
		t.Errorf("it has begun sessions: %+v", all)
	}
	says(t, f, "a", `
class Thing:
    colour = 1
    @property
    def hanging(self):
        import time
        while True: time.sleep(100)
    @property
    def raises(self): raise SystemExit
    @property
    def deadly(self): import os; os.abort()
thing = Thing()
import collections
counts = collections.defaultdict(list, known=[])
table = {"a": [thing]}
print("said")
`, "said")
	if got, err := matches(`bpy.data.objects["Cu`); err != nil || !slices.Equal(got, []string{`bpy.data.objects["Cube"]`}) {
		t.Errorf("%q, %v", got, err)
	}
	for code, want := range map[string][]string{
		`table["a"][0].col`:               {`table["a"][0].colour`},
		`counts["known"].app`:             {`counts["known"].append`},
		`bpy.data.objects["Cube"].locati`: {`bpy.data.objects["Cube"].location`},
		`bpy.data.objects[0].locati`:      {`bpy.data.objects[0].location`},
		`counts["new"].app`:               nil, // to look that up would make it
		`counts["new"][0].app`:            nil,
	} {
		if got, err := matches(code); err != nil || len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s: %q, %v", code, got, err)
		}
	}
	says(t, f, "a", "print(list(counts))", "['known']")
	if got, err := matches("thing.raises."); err != nil || len(got) > 0 {
		t.Errorf("a property that raises: %q, %v", got, err)
	}
	if got, err := matches("thing.hanging."); err != nil || len(got) > 0 {
		t.Errorf("a property that hangs: %q, %v", got, err)
	}
	pid, runs := the(t, f, "a").PID, the(t, f, "a").Runs
	if got, err := matches("thing.col"); err != nil || !slices.Equal(got, []string{"thing.colour"}) {
		t.Errorf("after it: %q, %v", got, err)
	}
	if a := the(t, f, "a"); a.PID != pid || a.Runs != runs || a.State != api.SessionReady {
		t.Errorf("%+v", a)
	}

	ctx, cancel := context.WithCancel(t.Context())
	begun, done := newRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.Run(ctx, blender.Request{ID: "long", Session: "a", Scene: "keep", Isolation: api.IsolateKeep, Code: []byte("while True: pass")}, begun) // it is cancelled
	}()
	<-begun.begun
	if _, err := matches("thing.col"); !errors.Is(err, api.ErrBusy) {
		t.Errorf("while a run is running: %v", err)
	}
	cancel()
	<-done
	says(t, f, "a", "print(thing.colour)", "1")

	if got, err := matches("thing.deadly."); err != nil || len(got) > 0 {
		t.Errorf("a property that ends Blender: %q, %v", got, err)
	}
	eventually(t, "the session has crashed", func() bool { return the(t, f, "a").State == api.SessionCrashed })
	if _, err := matches("bpy.da"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("after the crash: %v", err)
	}
	if out, text := in(t, f, "a", "print('thing' in globals())"); !strings.Contains(out.Note, "begins anew") || !strings.HasSuffix(text, "False") {
		t.Errorf("%q, %q", out.Note, text)
	}
	if got, err := matches("thing.col"); err != nil || len(got) > 0 {
		t.Errorf("of the new session: %q, %v", got, err)
	}
}
