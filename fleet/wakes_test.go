package fleet

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// quick is a Blender that executes runs in no time, and tells its status as a real Blender does.
type quick struct {
	*pretended
	slow   atomic.Int64 // how long a start takes, in ns
	lasts  atomic.Int64 // how long a run takes, in ns
	pauses atomic.Int64
}

func (q *quick) Start() {
	if d := q.slow.Load(); d > 0 {
		q.become(api.BlenderStatus{State: api.BlenderStarting})
		go func() { time.Sleep(time.Duration(d)); q.pretended.Start() }()
		return
	}
	q.pretended.Start()
}

func (q *quick) Pause() bool { q.pauses.Add(1); return true }

func (q *quick) Run(_ context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	st := q.Status()
	st.State, st.Run = api.BlenderRunning, req.ID
	q.become(st)
	now := time.Now()
	sink.Started(now)
	if d := q.lasts.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	st.State, st.Run = api.BlenderReady, ""
	q.become(st)
	return blender.Outcome{Verdict: blender.Succeeded, Started: now, Finished: now}, nil
}

// quicks is a fleet of such Blenders.
type quicks struct {
	*Fleet
	asked atomic.Int64 // how often the fleet has asked for the time

	mu      sync.Mutex
	members []*quick
	starts  time.Duration // how long the next starts take
}

func (q *quicks) all() []*quick {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]*quick(nil), q.members...)
}

func newQuicks(spec api.BlenderSpec) (*quicks, func()) {
	q := &quicks{}
	q.Fleet = New(Config{
		Spec: spec,
		Now:  func() time.Time { q.asked.Add(1); return time.Now() },
		NewMember: func(spec api.BlenderSpec, _ bool, changed func(api.BlenderStatus)) Member {
			m := &quick{pretended: &pretended{of: &pretence{}, changed: changed, spec: spec, st: api.BlenderStatus{State: api.BlenderStopped}}}
			q.mu.Lock()
			defer q.mu.Unlock()
			m.slow.Store(int64(q.starts))
			q.members = append(q.members, m)
			return m
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); _ = q.Serve(ctx) }()
	return q, func() { cancel(); <-served }
}

var fewSessions = api.SessionSettings{Max: 4}

var inBench = blender.Request{ID: "r", Session: "bench", Scene: "keep"}

func (q *quicks) run(t testing.TB, req blender.Request) {
	t.Helper()
	if out, err := q.Run(context.Background(), req, newRecorder()); err != nil || out.Verdict != blender.Succeeded {
		t.Errorf("%+v %+v, %v", out, out.Error, err)
	}
}

func TestRunsOfASessionDoNotWakeServe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what string
		req  blender.Request
		own  int64 // how often the run itself asks for the time
	}{
		{"in a session", inBench, 2},
		{"in the Blender that keeps its state", blender.Request{ID: "r", Isolation: api.IsolateKeep}, 1},
		{"in the Blender that resets its scene", blender.Request{ID: "r", Isolation: api.IsolateScene}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			q, end := newQuicks(api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 1}, Sessions: fewSessions})
			defer end()
			q.run(t, test.req)
			synctest.Wait()
			// Each pass of Serve asks for the time by which sessions end.
			before := q.asked.Load()
			q.run(t, test.req)
			synctest.Wait()
			each := q.asked.Load() - before
			if each != test.own {
				t.Errorf("a run %s: the fleet asked for the time %d times, and the run itself %d times", test.what, each, test.own)
			}
		})
	}
}

func TestAStartIsPausedBesideARunOfASessionAndPutOffStartsFollowTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, end := newQuicks(api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 1}, Sessions: fewSessions})
		defer end()
		q.run(t, inBench)
		synctest.Wait()
		q.mu.Lock()
		q.starts = 2 * time.Second
		q.mu.Unlock()
		session := q.all()[0]
		session.lasts.Store(int64(time.Second))
		// Another Blender is wanted while the run is running, and starts right after it.
		done := make(chan struct{})
		go func() { defer close(done); q.run(t, inBench) }()
		time.Sleep(100 * time.Millisecond)
		there := len(q.all())
		q.Configure(api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 2}, Sessions: fewSessions})
		synctest.Wait()
		if n := len(q.all()); n != there {
			t.Fatalf("%d Blenders began to start beside the run", n-there)
		}
		<-done
		synctest.Wait()
		all := q.all()
		if len(all) != there+1 {
			t.Fatalf("after the run there are %d Blenders, and were %d before", len(all), there)
		}
		// The start is under way when the next run begins.
		starting := all[there]
		before := starting.pauses.Load()
		go q.run(t, inBench)
		synctest.Wait()
		if starting.pauses.Load() == before {
			t.Error("a start goes on beside a run")
		}
		time.Sleep(5 * time.Second)
	})
}

func TestASessionEndsOnTimeAlthoughItsRunsWakeNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, end := newQuicks(api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 1}, Sessions: api.SessionSettings{Max: fewSessions.Max, Idle: api.Duration(20 * time.Minute)}})
		defer end()
		q.run(t, inBench)
		time.Sleep(15 * time.Minute)
		q.run(t, inBench)
		time.Sleep(20*time.Minute - time.Second)
		if st := q.Sessions()[0]; st.State != api.SessionReady {
			t.Fatalf("a second before its time the session is %+v", st)
		}
		time.Sleep(2 * time.Second)
		if st := q.Sessions()[0]; st.State != api.SessionEnded {
			t.Errorf("a second after its time the session is %+v", st)
		}
	})
}

// BenchmarkRunInSession is what the fleet adds to a run of a session, with clients that wait for
// their turn.
func BenchmarkRunInSession(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(strconv.Itoa(clients)+"-clients", func(b *testing.B) {
			q, end := newQuicks(api.BlenderSpec{Fleet: api.FleetSettings{Ahead: 1}, Sessions: fewSessions})
			defer end()
			q.run(b, inBench)
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						q.run(b, inBench)
					}
				})
			}
			all.Wait()
		})
	}
}
