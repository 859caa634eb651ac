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
