package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// kinds is a Switch over fake Blenders, of which there is one for each time it was made.
type kinds struct {
	*Switch
	mu   sync.Mutex
	made []*servedBlender
	told []api.BlenderStatus
}

// servedBlender is a fake whose Serve can be seen, and takes its time to end.
type servedBlender struct {
	*fakeBlender
	kind          string
	served, ended chan struct{}
	leave         chan struct{} // closed when Serve may return
}

func (b *servedBlender) Serve(ctx context.Context) error {
	close(b.served)
	<-ctx.Done()
	<-b.leave
	b.set(api.BlenderStopped, "left")
	close(b.ended)
	return nil
}

func newKinds(t *testing.T, kind string) *kinds {
	t.Helper()
	k := &kinds{}
	k.Switch = NewSwitch(kind, func(kind string, changed func(api.BlenderStatus)) Blender {
		b := &servedBlender{
			fakeBlender: newFakeBlender(), kind: kind,
			served: make(chan struct{}), ended: make(chan struct{}), leave: make(chan struct{}),
		}
		b.make(changed)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.made = append(k.made, b)
		return b
	}, func(st api.BlenderStatus) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.told = append(k.told, st)
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		for _, b := range k.made {
			select {
			case <-b.leave:
			default:
				close(b.leave)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-k.at(0).served
	return k
}

func (k *kinds) at(i int) *servedBlender {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.made[i]
}

func (k *kinds) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.made)
}

// deaf is a sink that nobody listens to.
type deaf struct{}

func (deaf) Started(time.Time)     {}
func (deaf) Output([]byte)         {}
func (deaf) Progress(api.Progress) {}

func TestABlenderOfAnotherKindComesAfterTheRunThatIsOn(t *testing.T) {
	t.Parallel()
	k := newKinds(t, "own")
	k.Start()
	ended := make(chan error, 1)
	go func() {
		_, err := k.Run(context.Background(), blender.Request{ID: "1"}, deaf{})
		ended <- err
	}()
	run := <-k.at(0).calls
	k.Set("open")
	k.Set("own")
	k.Set("open")
	if k.count() != 1 || run.ctx.Err() != nil {
		t.Fatal("it did not wait for the run")
	}
	run.finish(blender.Succeeded)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if k.count() != 2 || k.at(1).kind != "open" {
		t.Fatal("there is none of the other kind")
	}
	if st := k.Status(); st.State != api.BlenderStarting {
		t.Errorf("while the one before ends it is %+v", st)
	}
	select {
	case <-k.at(1).served:
		t.Error("both are served")
	default:
	}
	close(k.at(0).leave)
	<-k.at(0).ended
	<-k.at(1).served
	k.at(1).set(api.BlenderReady, "")
	if st := k.Status(); st.State != api.BlenderReady {
		t.Errorf("then it is %+v", st)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, st := range k.told {
		if st.Reason == "left" {
			t.Errorf("the word of the one before was passed on: %+v", k.told)
		}
	}
	if last := k.told[len(k.told)-1]; last.State != api.BlenderReady {
		t.Errorf("told last was %+v", last)
	}
}

func TestABlenderThatWasStoppedStaysSoAsAnotherKind(t *testing.T) {
	t.Parallel()
	k := newKinds(t, "own")
	k.Start()
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.Set("open")
	if st := k.Status(); st.State != api.BlenderStopped {
		t.Errorf("it is %+v", st)
	}
	// A stop waits until the one before has left, too.
	short, done := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer done()
	if err := k.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stop while the one before is there: %v", err)
	}
	close(k.at(0).leave)
	if err := k.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	<-k.at(1).served
	if err := k.Restart(context.Background()); err != nil || k.Status().State != api.BlenderReady {
		t.Errorf("restarted, it is %+v: %v", k.Status(), err)
	}
}
