package fleet

import (
	"context"
	"testing"
	"testing/synctest"

	"blendtray/api"
)

// dead is a Blender whose .blend lies on a drive that does not answer.
type dead struct {
	Member
	answers chan struct{}
}

func (d *dead) Outdated() bool {
	<-d.answers
	return false
}

func TestADriveThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{})
		d := &dead{answers: make(chan struct{})}
		f.members = []*member{{fleet: f, b: d, scene: "/dead.blend", status: api.BlenderStatus{State: api.BlenderReady}}}
		life, end := context.WithCancel(t.Context())
		first, second := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(first)
			f.checkFor(life, "/dead.blend")
		}()
		go func() {
			defer close(second)
			f.checkFor(t.Context(), "/dead.blend")
		}()
		synctest.Wait()
		f.checkFor(t.Context(), "")             // returns
		f.checkFor(t.Context(), "/other.blend") // returns
		end()
		<-first // a run that waits can be cancelled
		close(d.answers)
		<-second
	})
}

// A run that waits for the Blender of its session needs no other, so nobody looks whether the others are
// up to date: that would read the disk with each run.
func TestARunOfASessionThatHasItsBlenderHasNoOtherChecked(t *testing.T) {
	t.Parallel()
	f := New(Config{})
	m := &member{fleet: f, use: ofSession, session: "s", busy: true, status: api.BlenderStatus{State: api.BlenderRunning}}
	f.members = []*member{m}
	f.sessions["s"] = &session{name: "s", m: m}
	f.sessions["new"] = &session{name: "new"}
	for name, want := range map[string]bool{"s": false, "new": true, "other": true} {
		if got := f.mayTakeNew(need{session: name, isolation: api.IsolateKeep}); got != want {
			t.Errorf("a run of the session %q may take a new Blender: %t", name, got)
		}
	}
}
