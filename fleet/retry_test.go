package fleet

import (
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

// counted counts how often it is started.
type counted struct {
	Member
	starts int
}

func (c *counted) Start() { c.starts++ }
