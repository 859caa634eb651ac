package fleet

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"blendtray/api"
)

func TestAFailedBlenderIsTriedAgainAfterLongerTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{})
		m := &member{fleet: f, b: &counted{}}
		f.members = []*member{m}
		tries := func() int { return m.b.(*counted).starts }
		fail := func() { m.changed(api.BlenderStatus{State: api.BlenderFailed, Reason: "there is no such file"}) }
		fail()
		for i, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			time.Sleep(wait - time.Second)
			if f.retry(); tries() != i {
				t.Fatalf("try %d came too soon", i+1)
			}
			time.Sleep(time.Second)
			if f.retry(); tries() != i+1 {
				t.Fatalf("try %d did not come after %s", i+1, wait)
			}
			m.changed(api.BlenderStatus{State: api.BlenderStarting})
			if st := f.statusLocked(); st.State != api.BlenderFailed || st.Reason == "" {
				t.Errorf("while it tries it is %+v", st)
			}
			fail()
		}
		m.changed(api.BlenderStatus{State: api.BlenderReady})
		m.changed(api.BlenderStatus{State: api.BlenderStarting})
		if st := f.statusLocked(); st.State == api.BlenderFailed {
			t.Errorf("after it was ready it is %+v", st)
		}
	})
}

func TestAStartThatIsAskedForOutlivesTheAttemptThatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{})
		b := &counted{}
		m := &member{fleet: f, b: b}
		b.started = func() { m.changed(api.BlenderStatus{State: api.BlenderStarting}) }
		f.members = []*member{m}
		starting, failed := api.BlenderStatus{State: api.BlenderStarting}, api.BlenderStatus{State: api.BlenderFailed, Reason: "it is broken"}
		m.changed(starting)
		f.Start() // the attempt began before the person mended the program
		ready := make(chan error, 1)
		go func() { ready <- f.Ready(t.Context()) }()
		m.changed(failed)
		f.mu.Lock()
		st := f.statusLocked()
		f.mu.Unlock()
		if st.State != api.BlenderStarting || st.Reason != "" {
			t.Errorf("before the next attempt it is %+v", st)
		}
		synctest.Wait()
		if n := b.starts; n != 1 {
			t.Fatalf("started %d times", n)
		}
		select {
		case err := <-ready:
			t.Fatalf("told %v while it starts", err)
		default:
		}
		m.changed(failed)
		synctest.Wait()
		if n := b.starts; n != 1 {
			t.Errorf("started %d times though nobody has asked again", n)
		}
		if err := <-ready; err == nil || !strings.Contains(err.Error(), "it is broken") {
			t.Errorf("told %v", err)
		}
	})
}

// counted counts how often it is started.
type counted struct {
	Member
	starts  int
	started func() // called with each start; it may be nil
}

func (c *counted) Start() {
	if c.starts++; c.started != nil {
		c.started()
	}
}
