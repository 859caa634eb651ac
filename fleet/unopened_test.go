package fleet

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// pretended is a Blender that starts at once, and fails with the reason in why when it is to open a file.
type pretended struct {
	Member
	changed func(api.BlenderStatus)
	of      *pretence

	mu   sync.Mutex
	spec api.BlenderSpec
	st   api.BlenderStatus
}

// pretence is what the Blenders of one fleet have in common.
type pretence struct {
	mu    sync.Mutex
	why   string // why a file can't be opened, or ""
	opens int    // how often a Blender was started with a file
}

func (p *pretence) set(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
}

func (p *pretence) opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opens
}

func (p *pretended) become(st api.BlenderStatus) {
	p.mu.Lock()
	p.st = st
	p.mu.Unlock()
	p.changed(st)
}

func (p *pretended) Start() {
	p.mu.Lock()
	opens := p.spec.Scene != ""
	p.mu.Unlock()
	p.of.mu.Lock()
	st := api.BlenderStatus{State: api.BlenderReady, PID: 1}
	if opens {
		p.of.opens++
		if p.of.why != "" {
			st = api.BlenderStatus{State: api.BlenderFailed, Reason: p.of.why}
		}
	}
	p.of.mu.Unlock()
	p.become(st)
}

func (p *pretended) Run(_ context.Context, req blender.Request, _ blender.Sink) (blender.Outcome, error) {
	time.Sleep(time.Second)
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.of.why != "" {
		return blender.Outcome{Verdict: blender.Errored, Error: &api.ScriptError{Type: "SceneError", Message: p.of.why}}, nil
	}
	return blender.Outcome{Verdict: blender.Succeeded}, nil
}

func (p *pretended) Stop(context.Context) error {
	p.become(api.BlenderStatus{State: api.BlenderStopped})
	return nil
}

func (p *pretended) Status() api.BlenderStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st
}

func (p *pretended) Configure(spec api.BlenderSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spec = spec
}

func (p *pretended) Serve(ctx context.Context) error { <-ctx.Done(); return nil }
func (p *pretended) Outdated() bool                  { return false }
func (p *pretended) Pause() bool                     { return false }
func (p *pretended) Resume()                         {}
func (p *pretended) Discard(string)                  {}

// pretend serves a fleet of such Blenders, of which one waits, until the bubble's context ends.
func pretend(t *testing.T) (*Fleet, *pretence) {
	p := &pretence{}
	f := New(Config{
		Spec: api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 1}},
		NewMember: func(spec api.BlenderSpec, _ bool, changed func(api.BlenderStatus)) Member {
			return &pretended{of: p, changed: changed, spec: spec, st: api.BlenderStatus{State: api.BlenderStopped}}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); _ = f.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-served })
	return f, p
}

// brokenFile makes a file, and returns it with what is told of it when it can't be opened.
func brokenFile(t *testing.T) (path, why string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shot.blend")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, path + blender.CantOpen + ": it is broken"
}

func TestAFileThatCouldNotBeOpenedIsNotOpenedBeforehandUntilItChanges(t *testing.T) {
	t.Parallel()
	path, why := brokenFile(t)
	synctest.Test(t, func(t *testing.T) {
		f, p := pretend(t)
		p.set(why)
		f.Expect(0, []string{path})
		time.Sleep(time.Hour)
		if n := p.opened(); n != 1 {
			t.Errorf("it was opened %d times in an hour", n)
		}
		if st := f.Status(); st.State != api.BlenderReady || !strings.Contains(st.Reason, why) {
			t.Errorf("the fleet says %+v", st)
		}
		p.set("")
		if err := os.WriteFile(path, []byte("whole again"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * lookTime)
		if n := p.opened(); n != 2 || waiting(f, path).PID == 0 {
			t.Errorf("after a change it was opened %d times", n)
		}
		if st := f.Status(); st.Reason != "" {
			t.Errorf("the fleet still says %+v", st)
		}
	})
}

func TestAFileThatARunCouldNotOpenIsNotOpenedBeforehandUntilARunSucceeds(t *testing.T) {
	t.Parallel()
	path, why := brokenFile(t)
	synctest.Test(t, func(t *testing.T) {
		f, p := pretend(t)
		p.set(why)
		run := func() {
			out, err := f.Run(t.Context(), blender.Request{Isolation: api.IsolateProcess, Scene: path}, newRecorder())
			if err != nil || (out.Error == nil) != (p.why == "") {
				t.Fatalf("a run: %+v, %v", out, err)
			}
		}
		run()
		time.Sleep(time.Minute)
		first := p.opened() // a Blender may have begun before the run has told that the file can't be opened
		if first > 1 {
			t.Errorf("after the first run it was opened %d times beforehand", first)
		}
		for range 20 {
			run() // which tries
			time.Sleep(sceneTime / 2)
		}
		p.set("") // as when the folder with its libraries is there again
		time.Sleep(time.Minute)
		if n := p.opened(); n != first {
			t.Errorf("it was opened %d times beforehand, and then %d times", first, n)
		}
		run()
		time.Sleep(time.Minute)
		if n := p.opened(); n != first+1 || waiting(f, path).PID == 0 {
			t.Errorf("after a run has succeeded it was opened %d times", n)
		}
	})
}

func TestABlenderThatFailsForAnotherReasonIsTriedAgainWithItsFile(t *testing.T) {
	t.Parallel()
	path, _ := brokenFile(t)
	synctest.Test(t, func(t *testing.T) {
		f, p := pretend(t)
		p.set("the disk is full")
		f.Expect(0, []string{path})
		time.Sleep(time.Minute)
		if n := p.opened(); n < 3 {
			t.Errorf("it was opened %d times in a minute", n)
		}
		p.set("")
		time.Sleep(2 * time.Minute)
		if waiting(f, path).PID == 0 {
			t.Error("no Blender waits with the file")
		}
	})
}
