//go:build !nofarmserver

package farm_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
	"blendtray/farm/server"
)

// patience bounds every wait; a busy machine is not a fault.
const patience = 60 * time.Second

// lease is short, so that the tests see its end.
const lease = 2 * time.Second

// hall is a farm: a server and those who join it.
type hall struct {
	t             *testing.T
	dir           string
	listen        string
	administrator farm.Key
	server        runningServer
	passes        bool // the server is a NATS server that knows no cards
}

// runningServer is the server of a farm.
type runningServer interface {
	Port() int
	Pin() string
	Stop()
}

func newHall(t *testing.T) *hall { t.Helper(); return newHallOn(t, false) }

// onBoth runs a test with the server that the program has in it, and with a NATS server that knows no cards.
func onBoth(t *testing.T, test func(*testing.T, *hall)) {
	t.Helper()
	t.Parallel()
	for name, passes := range map[string]bool{"embedded": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newHallOn(t, passes))
		})
	}
}

func newHallOn(t *testing.T, passes bool) *hall {
	t.Helper()
	key, err := farm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{t: t, dir: t.TempDir(), listen: "127.0.0.1:0", administrator: key, passes: passes}
	h.start()
	t.Cleanup(func() { h.server.Stop() })
	if err := farm.SetUp(t.Context(), h.dial("admin", farm.Roles()...)); err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts the server, at the port that it had before.
func (h *hall) start() {
	h.t.Helper()
	if h.passes {
		s := startPlain(h.t, h.administrator, filepath.Join(h.dir, "server"), h.listen)
		h.server, h.listen = s, fmt.Sprintf("127.0.0.1:%d", s.Port())
		return
	}
	s, err := server.Start(server.Config{Dir: filepath.Join(h.dir, "server"), Listen: h.listen, Administrator: h.administrator.Public()})
	if err != nil {
		h.t.Fatal(err)
	}
	h.server, h.listen = s, fmt.Sprintf("127.0.0.1:%d", s.Port())
}

// member returns the membership of a new member.
func (h *hall) member(name string, roles ...farm.Role) *farm.Membership {
	h.t.Helper()
	key, err := farm.NewKey()
	if err != nil {
		h.t.Fatal(err)
	}
	said := farm.Card{Key: key.Public(), Name: name, Roles: roles}
	card, err := h.administrator.NewCard(said)
	if err != nil {
		h.t.Fatal(err)
	}
	m := &farm.Membership{URL: "tls://" + h.listen, Pin: h.server.Pin(), Administrator: h.administrator.Public(), Name: name, Seed: key.Seed(), Card: card}
	if h.passes {
		m.Pass = passOf(h.t, h.administrator, said)
	}
	return m
}

func (h *hall) dial(name string, roles ...farm.Role) *farm.Client {
	h.t.Helper()
	return connect(h.t, h.member(name, roles...))
}

func connect(t *testing.T, m *farm.Membership) *farm.Client {
	t.Helper()
	c, err := farm.Dial(t.Context(), m, farm.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// machine is a worker with an engine of the test.
type machine struct {
	*engineOfTest
	dir   string
	file  string
	held  string
	name  string
	proxy *proxy
	stop  func() // ends the worker, as when its process is killed: it reports nothing more
}

// machine adds a machine that works. Its connection goes through a proxy that can be cut.
func (h *hall) machine(name string, settings api.FarmSettings) *machine {
	h.t.Helper()
	m := &machine{engineOfTest: newEngine(), name: name, proxy: newProxy(h.t, h.listen)}
	m.dir = h.t.TempDir()
	m.file, m.held = filepath.Join(m.dir, "membership.json"), filepath.Join(m.dir, "held")
	member := h.member(name, farm.RoleWork)
	member.URL = "tls://" + m.proxy.address()
	if err := member.Write(m.file); err != nil {
		h.t.Fatal(err)
	}
	m.work(h.t, settings)
	return m
}

// inUse is true while a person uses the machines of the tests that ask for that.
var inUse atomic.Bool

// work starts the worker of a machine.
func (m *machine) work(t *testing.T, settings api.FarmSettings) {
	ctx, cancel := context.WithCancel(context.Background())
	w := farm.NewWorker(farm.WorkerConfig{
		Membership: m.file, Leaving: m.leaving(), HeldDir: m.held, Engine: m.engineOfTest, Lease: lease,
		Porter: &cargo.Porter{Dir: m.attempts(), Open: func() (*files.Cache, error) {
			return files.OpenCache(filepath.Join(m.dir, "files"), func() int64 { return 0 })
		}},
		Settings: func() api.FarmSettings { return settings },
		Unused: func() (time.Duration, bool) {
			if inUse.Load() {
				return time.Second, true
			}
			return time.Hour, true
		},
		Machine: func() farm.Machine {
			return farm.Machine{Slots: 1, Blenders: []string{"default", "3.4.1"}, Free: 8e9}
		},
	})
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Serve(ctx) }()
	m.stop = func() { cancel(); <-done }
	t.Cleanup(func() { m.endAll(); m.stop() })
}

func (m *machine) leaving() string  { return filepath.Join(m.dir, "leaving") }
func (m *machine) attempts() string { return filepath.Join(m.dir, "attempts") }

var works = api.FarmSettings{Work: true}

// engineOfTest executes runs as their code says: "ok", "fail", "crash", and "wait", which ends when the test
// says so.
type engineOfTest struct {
	mu    sync.Mutex
	runs  []*runOfTest
	begun map[string]int // by the code
}

type runOfTest struct {
	api.Run
	events chan api.Event
	over   bool
}

func newEngine() *engineOfTest { return &engineOfTest{begun: map[string]int{}} }

func (e *engineOfTest) Follow(_ context.Context, s api.Submission) (api.Run, farm.Subscription, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if r.Key == s.Key {
			return r.Run, r, nil
		}
	}
	if string(s.Code) == "refuse" {
		return api.Run{}, nil, api.ErrNoBlender
	}
	r := &runOfTest{events: make(chan api.Event, 64), Run: api.Run{
		ID: fmt.Sprint(len(e.runs) + 1), Key: s.Key, Client: s.Client, Script: cmp.Or(s.Script, s.Name), State: api.Running, Args: s.Args,
	}}
	e.runs = append(e.runs, r)
	e.begun[string(s.Code)]++
	r.events <- api.Event{Kind: api.KindOutput, ID: r.ID, Text: "hello\n"}
	switch code, _, _ := strings.Cut(string(s.Code), " "); code {
	case "ok":
		r.endLocked(api.Succeeded, "")
	case "fail":
		r.endLocked(api.Failed, "")
	case "crash":
		r.endLocked(api.Crashed, "Blender crashed")
	}
	return r.Run, r, nil
}

func (r *runOfTest) endLocked(state api.State, reason string) {
	if r.over {
		return
	}
	r.over = true
	r.State, r.Reason, r.Output, r.Seconds = state, reason, "hello\n", 0.5
	run := r.Run
	r.events <- api.Event{Kind: api.KindRun, ID: r.ID, Run: &run}
}

func (r *runOfTest) Events() <-chan api.Event { return r.events }
func (r *runOfTest) Close()                   {}

func (e *engineOfTest) find(id string) *runOfTest {
	for _, r := range e.runs {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (e *engineOfTest) Run(_ context.Context, id string) (api.Run, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.find(id); r != nil {
		return r.Run, nil
	}
	return api.Run{}, api.ErrNotFound
}

func (e *engineOfTest) Cancel(_ context.Context, id string) (api.Run, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.find(id)
	if r == nil {
		return api.Run{}, api.ErrNotFound
	}
	r.endLocked(api.Cancelled, "cancelled on request")
	return r.Run, nil
}

func (e *engineOfTest) Status() api.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := api.Status{}
	for _, r := range e.runs {
		if !r.over {
			s.Running++
		}
	}
	return s
}

// end ends the runs that go on.
func (e *engineOfTest) end(state api.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		r.endLocked(state, "")
	}
}

// makes has the runs that go on have made files.
func (e *engineOfTest) makes(paths ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if !r.over {
			r.Outputs = paths
		}
	}
}

func (e *engineOfTest) endAll() { e.end(api.Interrupted) }

// timesBegun returns how often a code was begun here.
func (e *engineOfTest) timesBegun(code string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.begun[code]
}

// proxy passes connections on until it is cut.
type proxy struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	off      bool
	conns    []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) pass(c net.Conn) {
	p.mu.Lock()
	if p.off {
		p.mu.Unlock()
		c.Close()
		return
	}
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		p.mu.Unlock()
		c.Close()
		return
	}
	p.conns = append(p.conns, c, up)
	p.mu.Unlock()
	go func() { _, _ = io.Copy(up, c); up.Close() }()
	_, _ = io.Copy(c, up)
	c.Close()
}

// cut ends all connections and lets none through.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// script returns a job with a code.
func script(code string) farm.Job {
	return farm.Job{Kind: farm.KindScript, Name: code, Code: []byte(code), Scene: "fresh"}
}

func repeatable(code string) farm.Job {
	j := script(code)
	j.Repeatable = true
	return j
}

func submit(t *testing.T, c *farm.Client, job farm.Job) farm.Job {
	t.Helper()
	job, err := c.Submit(t.Context(), job, "")
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// resultOf waits for the result of a job.
func resultOf(t *testing.T, c *farm.Client, job farm.Job) farm.Result {
	t.Helper()
	var r farm.Result
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	err := c.Follow(ctx, []string{job.ID}, func(u farm.Update) bool {
		if u.Result != nil {
			r = *u.Result
		}
		return u.Result == nil
	})
	if err != nil {
		t.Fatalf("job %s has no result: %v", job.Name, err)
	}
	return r
}

// stateOf returns the state of a job as the farm shows it.
func stateOf(t *testing.T, c *farm.Client, job farm.Job) farm.JobStatus {
	t.Helper()
	s, _, err := c.Show(t.Context(), job.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAJobIsExecutedOnceAndItsResultComesBack(t *testing.T) {
	onBoth(t, aJobIsExecutedOnce)
}

func aJobIsExecutedOnce(t *testing.T, h *hall) {
	a, b, c := h.machine("a", works), h.machine("b", works), h.dial("desk", farm.RoleSubmit)
	var all []farm.Job
	for i := range 20 {
		all = append(all, submit(t, c, script(fmt.Sprintf("ok %d", i))))
	}
	for _, job := range all {
		r := resultOf(t, c, job)
		if r.State != farm.StateSucceeded || r.Run == nil || r.Run.Output != "hello\n" || r.Run.Client != "farm: desk" {
			t.Errorf("%s: %+v", job.Name, r)
		}
		if n := a.timesBegun(job.Name) + b.timesBegun(job.Name); n != 1 {
			t.Errorf("%s was begun %d times", job.Name, n)
		}
	}
	jobs, err := c.Jobs(t.Context(), 100)
	if err != nil || len(jobs) != len(all) || jobs[0].ID != all[19].ID || jobs[0].State != farm.StateSucceeded {
		t.Errorf("%v: %d jobs, %+v", err, len(jobs), jobs)
	}
}

func TestAKeyMakesOneJob(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	first, err := c.Submit(t.Context(), script("ok"), "my key")
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Submit(t.Context(), script("ok"), "my key")
	if err != nil || second.ID != first.ID || !second.At.Equal(first.At) {
		t.Errorf("%v: %+v, and first %+v", err, second, first)
	}
	jobs, err := c.Jobs(t.Context(), 10)
	if err != nil || len(jobs) != 1 || jobs[0].State != farm.StateWaiting {
		t.Errorf("%v %+v", err, jobs)
	}
}

func TestWhatAMachineLacksKeepsJobsFromIt(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	plain, big := h.machine("plain", works), h.machine("big", api.FarmSettings{Work: true, Labels: []string{"big"}})
	c := h.dial("desk", farm.RoleSubmit)
	for i, needs := range []farm.Needs{{Labels: []string{"big"}}, {Machines: []string{"big"}}, {Labels: []string{"BIG"}, Blender: "3.4", Memory: 1e9}} {
		job := script(fmt.Sprint("ok ", i))
		job.Needs = needs
		if r := resultOf(t, c, submit(t, c, job)); r.Machine != "big" {
			t.Errorf("%v: it ran on %s", needs, r.Machine)
		}
	}
	for _, needs := range []farm.Needs{{GPU: true}, {Blender: "4.5"}, {Memory: 1e12}, {Machines: []string{"other"}}} {
		job := script("ok never")
		job.Needs = needs
		submit(t, c, job)
	}
	resultOf(t, c, submit(t, c, script("ok last")))
	if n := plain.timesBegun("ok never") + big.timesBegun("ok never"); n != 0 {
		t.Errorf("%d jobs ran where what they need is lacking", n)
	}
}

func TestAHigherPriorityGoesFirst(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	m, c := h.machine("a", works), h.dial("desk", farm.RoleSubmit)
	first := submit(t, c, script("wait"))
	eventually(t, "the machine is busy", func() bool { return m.timesBegun("wait") == 1 })
	var jobs []farm.Job
	for _, p := range []farm.Priority{farm.PriorityLow, farm.PriorityNormal, farm.PriorityHigh} {
		job := script("ok " + string(p))
		job.Priority = p
		jobs = append(jobs, submit(t, c, job))
	}
	m.end(api.Succeeded)
	resultOf(t, c, first)
	for _, job := range jobs {
		resultOf(t, c, job)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	order := ""
	for _, r := range m.runs {
		order += r.Script + ", "
	}
	if order != "wait, ok high, ok normal, ok low, " {
		t.Errorf("the order was %s", order)
	}
}

func TestAJobIsCancelledWhereverItIs(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	m, c := h.machine("a", works), h.dial("desk", farm.RoleSubmit)
	running := submit(t, c, script("wait"))
	eventually(t, "the job is running", func() bool { return m.timesBegun("wait") == 1 })
	waiting := submit(t, c, script("ok"))
	for _, job := range []farm.Job{waiting, running} {
		if err := c.Cancel(t.Context(), job.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, job := range []farm.Job{running, waiting} {
		if r := resultOf(t, c, job); r.State != farm.StateCancelled || !strings.Contains(r.Reason, "cancelled") {
			t.Errorf("%s: %+v", job.Name, r)
		}
	}
	if m.timesBegun("ok") != 0 {
		t.Error("the waiting job ran")
	}
	if err := c.Cancel(t.Context(), waiting.ID); !errors.Is(err, farm.ErrEnded) {
		t.Errorf("cancelled twice: %v", err)
	}
	if err := c.Cancel(t.Context(), "none"); !errors.Is(err, farm.ErrNoJob) {
		t.Errorf("no such job: %v", err)
	}
	again, err := c.Retry(t.Context(), waiting.ID)
	if err != nil || again.RetryOf != waiting.ID || again.ID == waiting.ID {
		t.Fatalf("%v %+v", err, again)
	}
	if r := resultOf(t, c, again); r.State != farm.StateSucceeded {
		t.Errorf("%+v", r)
	}
}

func TestADrainedMachineTakesNothing(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.machine("a", works)
	admin, c := h.dial("boss", farm.Roles()...), h.dial("desk", farm.RoleSubmit)
	state := func() string {
		machines, err := c.Machines(t.Context())
		if err != nil || len(machines) == 0 {
			return fmt.Sprint(err)
		}
		return machines[0].State
	}
	eventually(t, "the machine is known", func() bool { return state() == "idle" })
	if _, err := c.Drain(t.Context(), "a", true); !errors.Is(err, farm.ErrRefused) {
		t.Errorf("a submitter drains a machine: %v", err)
	}
	if _, err := admin.Drain(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the machine says that it is drained", func() bool { return state() == "draining" })
	b := h.machine("b", works)
	for i := range 5 {
		resultOf(t, c, submit(t, c, script(fmt.Sprint("ok ", i))))
	}
	if len(a.runs) != 0 || len(b.runs) != 5 {
		t.Errorf("it took %d jobs, and the other %d", len(a.runs), len(b.runs))
	}
	b.stop()
	if _, err := admin.Drain(t.Context(), "a", false); err != nil {
		t.Fatal(err)
	}
	if r := resultOf(t, c, submit(t, c, script("ok"))); r.Machine != "a" {
		t.Errorf("%+v", r)
	}
}

func TestAMachineInUseTakesNothingUntilItIsIdle(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	inUse.Store(true)
	t.Cleanup(func() { inUse.Store(false) })
	m := h.machine("desk", api.FarmSettings{Work: true, When: api.WhenIdle, IdleAfter: api.Duration(time.Minute)})
	c := h.dial("other", farm.RoleSubmit)
	job := submit(t, c, script("ok"))
	eventually(t, "the machine says that it is in use", func() bool {
		machines, err := c.Machines(t.Context())
		return err == nil && len(machines) == 1 && machines[0].State == "in use"
	})
	if m.timesBegun("ok") != 0 {
		t.Error("it takes jobs")
	}
	inUse.Store(false)
	if r := resultOf(t, c, job); r.State != farm.StateSucceeded {
		t.Errorf("%+v", r)
	}
}

func TestADrainHasNoEndAndIsKnownBeforeAMachineTakesJobs(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.machine("a", works)
	admin, c := h.dial("boss", farm.Roles()...), h.dial("desk", farm.RoleSubmit)
	state := func() string {
		machines, err := c.Machines(t.Context())
		if err != nil || len(machines) == 0 {
			return fmt.Sprint(err)
		}
		return machines[0].State
	}
	eventually(t, "the machine is known", func() bool { return state() == "idle" })
	a.stop()
	if _, err := admin.Drain(t.Context(), "a", true); err != nil {
		t.Fatal(err)
	}
	kv, err := admin.JetStream().KeyValue(t.Context(), "bt-drains")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := kv.Status(t.Context()); err != nil || status.TTL() != 0 {
		t.Errorf("a drain ends after %v: %v", status.TTL(), err)
	}
	job := submit(t, c, script("ok")) // it waits when the machine starts
	m := h.machine("b", api.FarmSettings{})
	a.work(t, works)
	eventually(t, "the machine has said anew what it does", func() bool {
		machines, err := c.Machines(t.Context())
		return err == nil && len(machines) == 2 && machines[1].Name == "b"
	})
	m.work(t, works)
	if r := resultOf(t, c, job); r.Machine != "b" || a.timesBegun("ok") != 0 {
		t.Errorf("a drained machine has taken a job: %+v", r)
	}
}

func TestAGroupIsCancelledAndShownWholeWhateverCameAfterIt(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	m := h.machine("a", works)
	var jobs []farm.Job
	for range 30 {
		jobs = append(jobs, script("wait"))
	}
	made, err := c.SubmitAll(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a job of the group is running", func() bool { return m.timesBegun("wait") == 1 })
	after := submit(t, c, script("ok"))
	if newest, err := c.Jobs(t.Context(), 5); err != nil || len(newest) != 5 || newest[0].ID != after.ID {
		t.Errorf("%v %+v", err, newest)
	}
	group, err := c.Group(t.Context(), made[0].Group)
	if err != nil || len(group) != 30 {
		t.Fatalf("the group has %d jobs: %v", len(group), err)
	}
	if ended, err := c.CancelGroup(t.Context(), made[0].Group); err != nil || len(ended) != 30 {
		t.Fatalf("%d jobs were cancelled: %v", len(ended), err)
	}
	for _, job := range made {
		if r := resultOf(t, c, job); r.State != farm.StateCancelled {
			t.Errorf("%+v", r)
		}
	}
	if r := resultOf(t, c, after); r.State != farm.StateSucceeded {
		t.Errorf("a job of no group: %+v", r)
	}
	if m.timesBegun("wait") != 1 {
		t.Errorf("%d jobs of the group were begun", m.timesBegun("wait"))
	}
	if ended, err := c.CancelGroup(t.Context(), made[0].Group); err != nil || len(ended) != 0 {
		t.Errorf("cancelled twice: %d jobs, %v", len(ended), err)
	}
	if _, err := c.CancelGroup(t.Context(), "none"); !errors.Is(err, farm.ErrNoJob) {
		t.Errorf("no such group: %v", err)
	}
}
