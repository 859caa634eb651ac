// Package fleet is the Blenders of one specification: which is free, which waits for the next
// run with nothing run in it, which goes on from run to run, and which is to end.
//
// A [Fleet] starts Blenders before they are needed, so that an isolated run finds a process in
// which nothing has run and does not wait for it. Whoever asks for a run says what the run
// shares with others and never learns how many Blenders there are. What to start and to end is
// decided by the functions of decide.go, which see nothing but a picture of the members; the
// processes themselves are the package blender's.
//
// Use: [New], then [Fleet.Serve] until its context ends; [Fleet.Run] from any goroutine.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/pulse"
)

// Member is what a fleet needs of a Blender; *blender.Supervisor is one.
type Member interface {
	Serve(ctx context.Context) error
	Start()
	Stop(ctx context.Context) error
	Status() api.BlenderStatus
	Configure(api.BlenderSpec)
	Ready(ctx context.Context) error
	Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error)
	Preview(ctx context.Context, path string, how blender.Drawing) error
	Complete(ctx context.Context, code string, cursor int) (api.Completion, error)
	// Alert wakes the Blender, because a run is about to come.
	Alert()
	// Pause stops a Blender that is starting where it is, and Resume lets it go on.
	Pause() bool
	Resume()
	// Outdated reports whether something has changed that the Blender has read at its start.
	Outdated() bool
	// Discard has the process ended without asking it to quit.
	Discard(reason string)
}

const (
	// holdTime is for how long a start is put off beside a run: a start beside a run on two
	// cores makes the run 1.08 to 1.12 times as long, and most runs are over before.
	holdTime = 10 * time.Second
	// lookTime is how often a fleet looks at the memory that is left, and at what a Blender
	// that waits has read.
	lookTime = pulse.Slow
	// scarceMemory is how much memory has to be free for a start ahead, in bytes: a waiting
	// Blender has 90 MB of its own, and the script that runs in it needs some too.
	scarceMemory = 512 << 20
	// stopTime is how long the end of a member may take; its own ladder is shorter.
	stopTime = 30 * time.Second
)

// Config is what a [Fleet] is made from.
type Config struct {
	// Spec is what all members are like. Its limits MaxRuns and MaxMemory, and its port, hold
	// for members that go on from run to run.
	Spec api.BlenderSpec
	// NewMember makes a Blender that nobody serves yet. Public tells that others may connect to
	// it, by the token that the user's programs know; to all others nobody may.
	NewMember func(spec api.BlenderSpec, public bool, changed func(api.BlenderStatus)) Member
	// Memory is how much memory the machine has, in bytes.
	Memory uint64
	// Free returns how much memory is free, in bytes; nil never lacks any.
	Free func() uint64
	// Checkpoints is the folder for the checkpoints of sessions, which is made when it is needed and
	// goes when Serve ends; with "" there are no checkpoints.
	Checkpoints string
	// WhyNotConfined returns why no Blender can be confined here as it is to be, or ""; nil is always "".
	WhyNotConfined func(api.Confinement) string
	// Now returns the time by which sessions end that are not used; nil is [time.Now].
	Now func() time.Time
	// Changed is called after each change of the status, one call at a time. It must not block.
	Changed func(api.BlenderStatus)
	Logger  *slog.Logger
}

// Fleet has runs executed in the Blenders of one specification.
type Fleet struct {
	cfg  Config
	log  *slog.Logger
	poke chan struct{} // something may have to be started or ended

	// moving is held from a decision to what it does to the members, so that nothing is started
	// that was stopped meanwhile. It is taken before mu.
	moving sync.Mutex

	mu       sync.Mutex
	spec     api.BlenderSpec
	members  []*member
	wanted   bool // Blender is not stopped
	serving  bool
	over     bool
	asked    []*need // what waits for a member
	expected int     // isolated runs that the engine has queued
	scenes   []*file // the .blend files that runs begin with, the most recently used first
	runs     int     // runs that are running, previews left out
	turns    int     // counts the beginnings and ends of isolated runs
	sessions map[string]*session
	since    time.Time
	changed  chan struct{} // closed at the next change
	told     api.BlenderStatus
	telling  sync.Mutex // around Changed
	scarce   bool
	unwalled string // why no Blender can be confined, as it was when it was last asked for
	free     uint64 // how much memory programs may still have, in bytes
	held     bool   // Serve has put off what it starts, or does so just now, because of a run
	looking  bool   // somebody looks at the files that runs begin with
	looked   time.Time
	checks   map[string]*check // the last checks of the waiting Blenders, by the file that these have open
}

// member is a Blender of the fleet. All but fleet and b are guarded by Fleet.mu.
type member struct {
	fleet *Fleet
	b     Member

	use    use
	status api.BlenderStatus
	busy   bool
	parked bool
	// turn is when the isolated run that was executed in its process began or, once that run has
	// ended, when it ended, by Fleet.turns; 0 where there was none.
	turn int
	// ran is the run that was executed last in its process, and left the isolated run that has ended
	// in it; "" for none.
	ran, left string
	// kept is when the last run ended in its process whose state the next run goes on with; zero for none.
	kept   time.Time
	ending int // how many stops of its process are under way
	// retried is when the fleet last had a failed Blender try again, and failures how often it
	// failed since it was ready; failed is what it then said of itself.
	retried  time.Time
	failures int
	failed   api.BlenderStatus
	// asked: a person has asked for a start while an attempt was under way, which may fail because of
	// what the person has mended since it began. anew: it has failed, and another attempt is about to begin.
	asked, anew bool
	stale       bool // its process was started by a specification that does not hold any more
	// scene is the .blend with which its process was started, or "".
	scene string
	// finds is what was known of that file before the start, or nil.
	finds   os.FileInfo
	session string // the session that has its process, or ""
	// confined: its processes are confined, and store is the folder in which they may write.
	confined bool
	store    string
	quits    bool // a session has ended that had its process, which is asked to quit
	pid      int  // the process in which it executed its last run
	end      context.CancelFunc
	ended    chan struct{} // closed when its supervisor has ended
}

// New makes a fleet with no members. It starts Blenders when it is served.
func New(cfg Config) *Fleet {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(api.BlenderStatus) {}
	}
	f := &Fleet{
		cfg: cfg, log: cfg.Logger, spec: cfg.Spec, wanted: true, free: math.MaxUint64 / 2,
		poke: make(chan struct{}, 1), changed: make(chan struct{}), sessions: map[string]*session{},
	}
	f.told = f.statusLocked()
	return f
}

// Serve starts Blenders and ends them as they are needed, until ctx ends. Then it stops all of
// them and returns when none is left.
func (f *Fleet) Serve(ctx context.Context) error {
	f.mu.Lock()
	f.serving, f.over = true, false
	f.mu.Unlock()
	tick := time.NewTimer(pulse.Until(lookTime))
	defer tick.Stop()
	f.checkMemory()
	for ctx.Err() == nil {
		f.checkScenes()
		ends := f.endIdle()
		wait := f.arrange()
		if ends > 0 && (wait == 0 || ends < wait) {
			wait = ends
		}
		var hold <-chan time.Time
		if wait > 0 {
			hold = time.After(wait)
		}
		select {
		case <-f.poke:
		case <-hold:
		case <-tick.C:
			f.checkMemory()
			f.checkWaiting("")
			f.retry()
			tick.Reset(pulse.Until(lookTime))
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	f.serving, f.over = false, true
	members := f.members
	f.members = nil
	remove := f.endSessionsLocked("the engine had ended")
	f.newsLocked()
	f.mu.Unlock()
	defer func() { // no Blender writes any more
		remove()
		if f.cfg.Checkpoints != "" {
			_ = os.RemoveAll(f.cfg.Checkpoints) // the next engine tries again
		}
	}()
	var ending sync.WaitGroup
	for _, m := range members {
		ending.Go(func() { m.leave() })
	}
	ending.Wait()
	f.publish()
	return nil
}

// checkMemory finds out whether memory is short.
func (f *Fleet) checkMemory() {
	if f.cfg.Free == nil {
		return
	}
	f.mu.Lock()
	for _, m := range f.members {
		if (m.scene != "" || m.session != "") && !m.parked {
			m.status = m.b.Status() // how much a Blender has that is opening a file
		}
	}
	f.mu.Unlock()
	free := min(f.cfg.Free(), math.MaxUint64/2)
	f.mu.Lock()
	f.scarce, f.free = free < scarceMemory, free
	f.mu.Unlock()
	f.publish()
}

// arrange starts and ends members as decide says, and returns after how long it should be called
// again, 0 when nothing but news can change its mind.
func (f *Fleet) arrange() time.Duration {
	f.moving.Lock()
	defer f.moving.Unlock()
	f.mu.Lock()
	if !f.wanted || !f.serving {
		f.mu.Unlock()
		return 0
	}
	p := f.policyLocked()
	f.held = p.hold
	again := max(time.Millisecond, holdTime-time.Since(f.since))
	views := f.viewsLocked()
	out := decide(views, p)
	var start, park, discard, starting []*member
	for _, m := range f.members {
		if m.use == clean && !m.parked && m.status.State == api.BlenderStarting {
			starting = append(starting, m)
		}
	}
	for _, s := range out.start {
		m := f.members[s.member]
		m.parked, m.stale = false, false
		if m.scene != s.scene {
			m.scene, m.failures = s.scene, 0
		}
		f.opensLocked(m)
		m.b.Configure(f.memberSpecLocked(m))
		start = append(start, m)
	}
	for _, i := range out.park {
		m := f.members[i]
		if m.use == spent && !m.quits {
			discard = append(discard, m)
		}
		m.parked, m.use, m.quits = true, m.cleanUse(), false
		m.forgetLocked()
		m.ending++
		park = append(park, m)
	}
	f.mu.Unlock()
	for _, m := range discard {
		m.b.Discard("its run is over, and another one has begun")
	}
	for _, m := range park {
		m.stop()
	}
	for _, m := range start {
		m.b.Start()
	}
	for _, m := range starting {
		if p.hold && p.expected == 0 && len(p.want) == 0 {
			m.b.Pause() // it may have just started, and then it is ready
		} else {
			m.b.Resume()
		}
	}
	for _, a := range out.add {
		f.add(a)
	}
	if len(out.start)+len(out.park)+len(out.add) > 0 {
		f.publish()
	}
	if p.hold {
		return again
	}
	return 0
}

// policyLocked returns what a plan keeps to just now. It needs mu.
func (f *Fleet) policyLocked() policy {
	p := policy{
		ahead: f.spec.Fleet.AheadOf(runtime.NumCPU(), f.cfg.Memory, f.spec.Parallel.Of(runtime.NumCPU())), cores: runtime.NumCPU(), expected: f.expected,
		scarce: f.scarce || f.spec.Fleet.MaxMemory > 0 && f.memoryLocked() >= uint64(f.spec.Fleet.MaxMemory),
		port:   f.spec.Port != 0,
		hold:   f.runs > 0 && time.Since(f.since) < holdTime,
	}
	for _, n := range f.asked {
		p.want = append(p.want, *n)
	}
	if p.ahead > 0 {
		p.scenes, p.room = f.wantedScenesLocked()
	}
	return p
}

// memoryLocked returns how much memory the fleet has, in bytes. It needs mu.
func (f *Fleet) memoryLocked() (bytes uint64) {
	for _, m := range f.members {
		bytes += m.status.MemoryBytes
	}
	return bytes
}

func (f *Fleet) viewsLocked() []view {
	views := make([]view, len(f.members))
	last := f.lastLocked()
	for i, m := range f.members {
		views[i] = view{
			use: m.use, state: m.shownLocked().State, busy: m.busy, last: m == last, stale: m.stale, scene: m.scene,
			session: m.session,
			parked:  m.parked || m.status.State == api.BlenderStopped && !m.busy, ending: m.ending > 0,
		}
	}
	return views
}

// lastLocked returns the member that has what the last isolated run left, or nil. Of several that are
// running it is the member whose run began last, until one of the runs ends. It needs mu.
func (f *Fleet) lastLocked() *member {
	var last *member
	for _, m := range f.members {
		if m.use == spent && m.turn > 0 && (last == nil || m.turn > last.turn) {
			last = m
		}
	}
	return last
}

// forgetLocked takes note that what runs have left in the member is gone. It needs Fleet.mu.
func (m *member) forgetLocked() { m.turn, m.ran, m.left, m.kept = 0, "", "", time.Time{} }

// add makes a member and starts it.
func (f *Fleet) add(a addition) {
	f.mu.Lock()
	m := &member{fleet: f, use: a.use, scene: a.scene, confined: a.use == confinedClean}
	if m.confined && f.cfg.Checkpoints != "" {
		m.store = f.newStore()
	}
	f.opensLocked(m)
	spec := f.memberSpecLocked(m)
	f.mu.Unlock()
	m.b = f.cfg.NewMember(spec, a.use == keeps, m.changed)
	m.status = m.b.Status()
	life, end := context.WithCancel(context.Background())
	m.end, m.ended = end, make(chan struct{})
	f.mu.Lock()
	m.b.Configure(f.memberSpecLocked(m)) // it may be another one by now
	f.members = append(f.members, m)
	over := !f.serving
	f.mu.Unlock()
	if over {
		close(m.ended)
		return
	}
	go func() {
		defer close(m.ended)
		if err := m.b.Serve(life); err != nil {
			f.log.Error("the supervisor of a Blender ended", "error", err)
		}
	}()
	m.b.Start()
}

// newStore returns a folder for the checkpoints of a confined member's sessions, or "" where none can be
// made; a checkpoint then says so.
func (f *Fleet) newStore() string {
	err := os.MkdirAll(f.cfg.Checkpoints, 0o700)
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp(f.cfg.Checkpoints, "confined-")
	}
	if err != nil {
		f.log.Warn("a confined Blender has no folder for checkpoints", "error", err)
		return ""
	}
	return dir
}

// memberSpecLocked returns what a member is like. It needs mu.
func (f *Fleet) memberSpecLocked(m *member) api.BlenderSpec {
	spec := f.spec
	if m.use == clean || m.use == spent || m.use == ofSession || m.confined {
		spec.MaxRuns, spec.MaxMemory = 0, 0
	}
	if m.use != keeps {
		spec.Port = 0
	}
	spec.Confined, spec.Confinement.Store = m.confined, m.store
	spec.Scene = m.scene
	return spec
}

// changed takes what a member's Blender says of itself.
func (m *member) changed(st api.BlenderStatus) {
	f := m.fleet
	f.mu.Lock()
	expected := m.goesOnLocked(st)
	m.status = st
	switch st.State {
	case api.BlenderReady:
		m.failures, m.asked = 0, false
	case api.BlenderFailed:
		if m.asked {
			m.asked, m.anew = false, true
			go f.startAnew(m)
		} else {
			m.failures++
		}
		m.failed, m.retried = st, time.Now()
		if m.use == clean && m.scene != "" && strings.Contains(st.Reason, m.scene+blender.CantOpen) {
			f.noteUnopenedLocked(m.scene, st.Reason, m.finds)
		}
	}
	m.renewLocked()
	if !expected {
		f.newsLocked()
	}
	f.mu.Unlock()
	f.publish()
}

// goesOnLocked reports whether a new status says no more than that the run begins or ends which has the
// member: the member stays taken until its run gives it back, so nobody waits for that. It needs mu.
func (m *member) goesOnLocked(st api.BlenderStatus) bool {
	taken := func(s api.BlenderState) bool { return s == api.BlenderReady || s == api.BlenderRunning }
	return m.busy && m.use.goesOn() && st.PID == m.status.PID && taken(st.State) && taken(m.status.State)
}

// renewLocked takes note of a new process, in which nothing has run. It needs mu.
func (m *member) renewLocked() {
	if m.use == ofSession && !m.busy && m.status.PID != m.pid {
		why := "its Blender had ended by itself"
		if line, _, _ := strings.Cut(m.status.Reason, "\n"); line != "" {
			why = fmt.Sprintf("its Blender had ended (%s)", strings.TrimPrefix(line, blender.EndedAlone))
		}
		m.fleet.loseLocked(m, why)
	}
	if m.use == spent && !m.busy && m.status.PID != m.pid {
		m.quits = false
		m.use, m.stale = m.cleanUse(), false
		m.forgetLocked()
	}
}

// cleanUse returns what the member is for when it has a new process.
func (m *member) cleanUse() use {
	switch {
	case m.confined:
		return confinedClean
	case m.use == spent:
		return clean
	}
	return m.use
}

// stop ends the member's process; it stays in the fleet, parked.
func (m *member) stop() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := m.b.Stop(ctx); err != nil {
			m.fleet.log.Warn("a Blender did not stop", "error", err)
		}
		m.fleet.mu.Lock()
		m.ending--
		m.fleet.newsLocked()
		m.fleet.mu.Unlock()
	}()
}

// leave stops the member and ends its supervisor.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := m.b.Stop(ctx); err != nil {
		m.fleet.log.Warn("a Blender did not stop", "error", err)
	}
	m.end()
	select {
	case <-m.ended:
	case <-ctx.Done():
	}
}

// newsLocked wakes those who wait for a change. It needs mu.
func (f *Fleet) newsLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
	wake(f.poke)
}

// runNewsLocked wakes those who wait for a member that goes on from run to run, when a run has given it
// back. Serve sleeps on, unless the run has changed what Serve would do: a short run is a matter of
// microseconds, and each wake-up may have to wake a thread. It needs mu.
func (f *Fleet) runNewsLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
	f.tellServeLocked()
}

// tellServeLocked wakes Serve when the beginning or the end of a run that changes nothing else concerns
// it: it pauses Blenders that are starting beside a run, and goes on after the run with what it has put
// off. It needs mu.
func (f *Fleet) tellServeLocked() {
	concerns := f.held
	for _, m := range f.members {
		concerns = concerns || m.use == clean && !m.parked && m.status.State == api.BlenderStarting
	}
	if concerns {
		wake(f.poke)
	}
}

// wake makes sure that one signal waits in c.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one waits already
	}
}

// Expect tells how many isolated runs wait for the fleet, so that it starts as many Blenders as
// are needed, up to the number of cores at the same time; and with which .blend files runs will
// begin, so that Blenders wait with these files open.
func (f *Fleet) Expect(runs int, scenes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news := f.expectScenesLocked(scenes) || f.expected != runs
	f.expected = runs
	if news {
		wake(f.poke)
	}
}

// Configure has another specification hold: at once for how many Blenders wait and for isolated
// runs, and from its next start on for a Blender that goes on.
func (f *Fleet) Configure(spec api.BlenderSpec) {
	f.mu.Lock()
	other := !sameStart(f.spec, spec)
	f.spec = spec
	if other {
		for _, s := range f.scenes {
			s.unopened, s.tried = "", nil // another Blender may open it
		}
	}
	for _, m := range f.members {
		m.stale = m.stale || other
	}
	for _, m := range f.members {
		m.b.Configure(f.memberSpecLocked(m)) // it takes the specification and calls nobody
	}
	f.mu.Unlock()
	wake(f.poke)
}

// sameStart reports whether two specifications start Blender in the same way.
func sameStart(a, b api.BlenderSpec) bool {
	return a.Path == b.Path && slices.Equal(a.Args, b.Args) && a.FactoryStartup == b.FactoryStartup &&
		a.Confinement.Workspace == b.Confinement.Workspace
}

// Start has a fleet that was stopped, or whose Blender failed, run again; it returns at once.
func (f *Fleet) Start() {
	f.moving.Lock()
	defer f.moving.Unlock()
	f.mu.Lock()
	f.wanted = true
	var again []*member
	for _, m := range f.members {
		m.failures = 0 // a person asks, so it is shown while it starts
		m.asked = m.ending == 0 && !m.parked && m.status.State == api.BlenderStarting
		if m.ending == 0 && (m.status.State == api.BlenderFailed || !m.parked && m.status.State == api.BlenderStopped) {
			m.parked, m.stale = false, false
			f.opensLocked(m)
			again = append(again, m)
		}
	}
	f.newsLocked()
	f.mu.Unlock()
	for _, m := range again {
		m.b.Start()
	}
	f.publish()
}

// Stop stops all Blenders, which stay stopped until [Fleet.Start]. It returns when they are
// gone, or with ctx's error before that.
func (f *Fleet) Stop(ctx context.Context) error {
	f.moving.Lock()
	f.mu.Lock()
	f.wanted = false
	members := append([]*member(nil), f.members...)
	removeFiles := f.endSessionsLocked("Blender was stopped")
	for _, m := range members {
		m.parked, m.use, m.quits = true, m.cleanUse(), false
		m.forgetLocked()
		m.ending++
	}
	f.newsLocked()
	f.mu.Unlock()
	f.moving.Unlock()
	errs := make([]error, len(members))
	var stopping sync.WaitGroup
	for i, m := range members {
		stopping.Go(func() { errs[i] = m.b.Stop(ctx) })
	}
	stopping.Wait()
	f.mu.Lock()
	for _, m := range members {
		m.ending--
	}
	f.newsLocked()
	f.mu.Unlock()
	removeFiles()
	f.publish()
	return errors.Join(errs...)
}

// Restart stops all Blenders and starts new ones. It returns when the next run finds one, or
// with the reason why it will not.
func (f *Fleet) Restart(ctx context.Context) error {
	err := f.Stop(ctx)
	f.Start()
	if err != nil {
		return err
	}
	return f.Ready(ctx)
}

// Ready waits until an isolated run would find its Blender, and starts one where none is started
// ahead. It fails with [blender.ErrStopped] or a [*blender.FailedError] when that will not be so
// without [Fleet.Start].
func (f *Fleet) Ready(ctx context.Context) error {
	f.mu.Lock()
	busy := f.runs > 0 && f.wanted
	f.mu.Unlock()
	if busy {
		return nil
	}
	return f.await(ctx, need{isolation: api.IsolateProcess}, func(int) {})
}
