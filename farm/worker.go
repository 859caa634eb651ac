package farm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"blendtray/api"
	"blendtray/pulse"
)

const (
	// machineBeat is how often a machine says what it does, at least.
	machineBeat = 10 * time.Second
	// pullTime is how long a machine waits at the server for a job before it asks again.
	pullTime = 5 * time.Second
	// lookTime is how often a worker looks whether the machine has joined or left, and whether it may work now.
	lookTime = time.Second
	// absentTime is the same while the machine is in no farm: an engine of a machine that never joins one
	// is not woken more often for it.
	absentTime = pulse.Slow
	// reportTime is how long a worker that ends tries to report results.
	reportTime = 5 * time.Second
)

// WorkerConfig holds what [NewWorker] needs for a [Worker].
type WorkerConfig struct {
	// Membership is the file of this machine's membership. The worker waits until there is one, and
	// follows its changes.
	Membership string
	// Leaving is the folder of the memberships that this machine is giving up ([Leave]). "" is for none.
	Leaving string
	// HeldDir is a folder for the jobs that this machine has taken, so that a worker that starts again
	// finds them.
	HeldDir string
	Engine  Engine
	// Settings returns the settings that hold now.
	Settings func() api.FarmSettings
	// Machine returns what the machine is and has now. Name, Key and what the worker knows are filled in.
	Machine func() Machine
	// Unused returns for how long no person has used the machine; ok is false where that is not known.
	// It may be nil.
	Unused func() (d time.Duration, ok bool)
	// Porter brings the files of jobs here, and keeps what they make; nil is for jobs without files.
	Porter Porter
	// Lease is [DefaultLease], or a shorter time in tests.
	Lease  time.Duration
	Logger *slog.Logger
}

// Worker takes jobs of a farm for the engine of this machine.
type Worker struct {
	cfg WorkerConfig
	log *slog.Logger
	// turns has a lock for each key of a member: one shift works with a key at a time.
	turns sync.Map
}

// NewWorker returns a worker that [Worker.Serve] starts.
func NewWorker(c WorkerConfig) *Worker {
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Porter == nil {
		c.Porter = noPorter{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{cfg: c, log: c.Logger}
}

// Serve takes jobs until ctx ends, while the machine is a member of a farm. The engine should end before
// ctx does, so that the ends of runs are still reported. Serve returns nil.
func (w *Worker) Serve(ctx context.Context) error {
	w.tidy()
	var leaving sync.WaitGroup
	leaving.Go(func() { w.serveLeaving(ctx) })
	defer leaving.Wait()
	w.serveFile(ctx, w.cfg.Membership, false)
	return nil
}

// serveFile works as the member that a file names, while there is such a file: until ctx ends, or, for a
// membership that is being given up, until the file is gone.
func (w *Worker) serveFile(ctx context.Context, path string, leaving bool) {
	said := ""
	for ctx.Err() == nil {
		m, stamp, err := readStamped(path)
		if leaving && errors.Is(err, ErrNotMember) {
			return
		}
		if err == nil {
			err = w.serveAs(ctx, m, membershipFile{path, stamp, leaving})
		}
		if err != nil && !errors.Is(err, ErrNotMember) && ctx.Err() == nil && said != err.Error() {
			said = err.Error()
			w.log.Warn("the farm is out of reach", "error", err)
		}
		if errors.Is(err, ErrNotMember) {
			pause(ctx, pulse.Until(absentTime))
		} else {
			pause(ctx, lookTime)
		}
	}
}

// membershipFile is the file of a membership as it was read.
type membershipFile struct {
	path    string
	stamp   time.Time
	leaving bool
}

// changed reports whether the file is another than the one that was read, or is gone.
func (f membershipFile) changed() bool {
	_, now, err := readStamped(f.path)
	return err != nil || !now.Equal(f.stamp)
}

// readStamped reads the file of a membership. The stamp changes when the file does.
func readStamped(path string) (m *Membership, stamp time.Time, err error) {
	if info, err := os.Stat(path); err == nil {
		stamp = info.ModTime()
	}
	m, err = ReadMembership(path)
	return m, stamp, err
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serveAs works as a member until ctx ends or the membership changes. A machine that leaves the farm takes no
// job, and has left when it has none any more.
func (w *Worker) serveAs(ctx context.Context, m *Membership, file membershipFile) error {
	card, err := m.OpenCard()
	if err != nil {
		return err
	}
	if !card.Has(RoleWork) {
		if file.leaving {
			return os.Remove(file.path)
		}
		for ctx.Err() == nil && !file.changed() { // it may be admitted anew
			pause(ctx, lookTime)
		}
		return nil
	}
	turn, _ := w.turns.LoadOrStore(card.Key, &sync.Mutex{})
	turn.(*sync.Mutex).Lock()
	defer turn.(*sync.Mutex).Unlock()
	c, err := Dial(ctx, m, DialOptions{Patient: true, Refused: func(err error) { w.log.Warn("the farm", "error", err) }})
	if err != nil {
		return err
	}
	defer c.Close()
	member, left := context.WithCancel(ctx)
	defer left()
	s := newShift(w, c)
	s.leaving = file.leaving
	var parts sync.WaitGroup
	defer parts.Wait()
	for _, part := range []func(context.Context){s.keepConnected, s.watchLines, s.watchOrders, s.watchDrain, s.tellMachine} {
		parts.Go(func() { part(member) })
	}
	s.adopt(member)
	parts.Go(func() {
		defer left()
		s.untilLeft(member, file)
	})
	s.take(member)
	s.wait()
	return nil
}

// shift is the work of a worker as one member.
type shift struct {
	*Worker
	c    *Client
	name string
	key  string
	// wake gets a value when something may have changed about what can be taken.
	wake chan struct{}

	mu sync.Mutex
	// lines are the lines of jobs that the farm has, by name.
	lines map[string]line
	// since is since when the server has answered without a break; zero while it does not.
	since     time.Time
	cancelled map[string]bool // the jobs and the groups that somebody has cancelled
	drained   bool
	// asked is true when the farm has said whether this machine is drained; until then it takes nothing.
	asked   bool
	ending  bool // the engine is ending
	leaving bool // the machine leaves the farm when it has no job any more
	// telling is held while this machine tells the farm of itself, and left is set when it has left the farm.
	telling sync.Mutex
	left    bool
	held    map[string]*work // the jobs that this machine has, by id
	waiting map[string]bool  // the lines at which the machine waits
	gone    map[string]bool  // the lines that were found to be gone
	working sync.WaitGroup
}

// line is one class of jobs with one priority, from which machines take in order.
type line struct {
	name     string
	class    string
	priority Priority
	needs    Needs
}

func newShift(w *Worker, c *Client) *shift {
	return &shift{
		Worker: w, c: c, name: c.Card.Name, key: c.Card.Key, wake: make(chan struct{}, 1),
		lines: map[string]line{}, cancelled: map[string]bool{}, held: map[string]*work{}, waiting: map[string]bool{}, gone: map[string]bool{},
	}
}

func (s *shift) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keepConnected notes since when the server answers.
func (s *shift) keepConnected(ctx context.Context) {
	for ctx.Err() == nil {
		up := s.c.Connected()
		s.mu.Lock()
		switch {
		case !up:
			s.since = time.Time{}
		case s.since.IsZero():
			s.since = time.Now()
		}
		s.mu.Unlock()
		select {
		case <-s.c.connected: // anew, so that what came before does not count
			s.mu.Lock()
			s.since = time.Time{}
			s.mu.Unlock()
			s.poke()
		case <-ctx.Done():
		case <-time.After(lookTime):
		}
	}
}

// connectedFor returns for how long the server has answered without a break.
func (s *shift) connectedFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0
	}
	return time.Since(s.since)
}

// follow calls each for what a bucket has under some keys and for its changes, until ctx ends. It calls each with nil when
// all is said that was there at the start.
func (s *shift) follow(ctx context.Context, bucket, keys string, each func(jetstream.KeyValueEntry)) {
	for ctx.Err() == nil {
		kv, err := s.c.js.KeyValue(ctx, bucket)
		if err != nil {
			pause(ctx, lookTime)
			continue
		}
		watch, err := kv.Watch(ctx, keys)
		if err != nil {
			pause(ctx, lookTime)
			continue
		}
		for open := true; open; {
			select {
			case entry, ok := <-watch.Updates():
				if open = ok; ok {
					each(entry)
				}
			case <-ctx.Done():
				open = false
			}
		}
		_ = watch.Stop() // the server ends a reader that is gone
	}
}

// watchLines learns which lines of jobs there are.
func (s *shift) watchLines(ctx context.Context) {
	s.follow(ctx, bucketClasses, ">", func(entry jetstream.KeyValueEntry) {
		if entry == nil {
			return
		}
		class, priority, ok := strings.Cut(entry.Key(), "_")
		l := line{name: entry.Key(), class: class, priority: Priority(priority)}
		if !ok || !slices.Contains(Priorities(), l.priority) || !isID(class) || json.Unmarshal(entry.Value(), &l.needs) != nil || l.needs.Class() != class {
			return // nobody's jobs lie there
		}
		s.mu.Lock()
		s.lines[l.name] = l
		s.mu.Unlock()
		s.poke()
	})
}

// watchDrain learns whether this machine is drained.
func (s *shift) watchDrain(ctx context.Context) {
	s.follow(ctx, bucketDrains, s.key, func(entry jetstream.KeyValueEntry) {
		s.mu.Lock()
		if entry == nil {
			s.asked = true
		} else {
			s.drained = entry.Operation() == jetstream.KeyValuePut
		}
		s.mu.Unlock()
		s.poke()
	})
}

// watchOrders learns which jobs and which groups of jobs are cancelled.
func (s *shift) watchOrders(ctx context.Context) {
	s.follow(ctx, bucketOrders, "cancel.*", func(entry jetstream.KeyValueEntry) {
		if entry == nil || entry.Operation() != jetstream.KeyValuePut {
			return
		}
		id := strings.TrimPrefix(entry.Key(), "cancel.")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cancelled[id] = true
		for _, job := range s.held {
			if job.id == id || job.group == id {
				job.cancel(string(entry.Value()))
			}
		}
	})
}

// isCancelled reports whether somebody has cancelled a job or its group.
func (s *shift) isCancelled(j *work) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.group = j.job.Group // from now on watchOrders finds the job by it
	return s.cancelled[j.id] || j.group != "" && s.cancelled[j.group]
}

// mayTake returns how many more jobs this machine takes now, and in a word why it takes none.
func (s *shift) mayTake() (free int, state string) {
	settings := s.cfg.Settings()
	s.mu.Lock()
	drained, asked, ending, leaving, held := s.drained, s.asked, s.ending, s.leaving, len(s.held)
	running := 0 // the jobs that are among the runs of the engine
	for _, job := range s.held {
		if job.running.Load() {
			running++
		}
	}
	s.mu.Unlock()
	switch {
	case leaving:
		return 0, "leaving"
	case !settings.Work || ending:
		return 0, "off"
	case drained:
		return 0, "draining"
	case !asked:
		return 0, "starting"
	}
	if settings.When == api.WhenIdle && s.cfg.Unused != nil {
		if unused, ok := s.cfg.Unused(); ok && unused < time.Duration(settings.IdleAfter) {
			return 0, "in use"
		}
	}
	status := s.cfg.Engine.Status()
	// A job whose files are on their way is not among the runs of the engine, and will be.
	free = s.cfg.Machine().Slots - max(status.Queued+status.Running-running, 0) - held
	if held > 0 {
		state = "busy"
	} else {
		state = "idle"
	}
	return max(0, free), state
}

// fits reports whether this machine has what jobs need.
func (s *shift) fits(n Needs, m Machine) bool {
	has := func(words []string, word string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
	}
	switch {
	case n.Blender != "" && !slices.ContainsFunc(m.Blenders, func(b string) bool { return b == n.Blender || strings.HasPrefix(b, n.Blender+".") }):
		return false
	case n.GPU && m.GPU == "":
		return false
	case n.Memory > 0 && uint64(n.Memory) > m.Free:
		return false
	case len(n.Machines) > 0 && !has(n.Machines, s.name):
		return false
	}
	for _, label := range n.Labels {
		if !has(m.Labels, label) {
			return false
		}
	}
	return true
}

// fitting returns the lines from which this machine can take, the highest priority first.
func (s *shift) fitting() []line {
	m := s.describe()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []line
	for _, l := range s.lines {
		if s.fits(l.needs, m) {
			all = append(all, l)
		}
	}
	order := Priorities()
	slices.SortFunc(all, func(a, b line) int {
		if d := slices.Index(order, a.priority) - slices.Index(order, b.priority); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

// consumer returns the line at the server from which machines take jobs, and makes the line when no machine
// has.
func (s *shift) consumer(ctx context.Context, l line) (jetstream.Consumer, error) {
	return s.c.js.CreateOrUpdateConsumer(ctx, streamJobs, jetstream.ConsumerConfig{
		Durable:       "line-" + l.name,
		FilterSubject: strings.Join([]string{subjectJobs, l.class, string(l.priority), "*"}, "."),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.cfg.Lease,
		MaxDeliver:    -1,
		MaxAckPending: 50_000,
		MaxWaiting:    5_000,
	})
}

// take takes jobs until ctx ends.
func (s *shift) take(ctx context.Context) {
	consumers := map[string]jetstream.Consumer{}
	for ctx.Err() == nil {
		free, _ := s.mayTake()
		lines := s.fitting()
		took := false
		for _, l := range lines {
			if free == 0 {
				break
			}
			if consumers[l.name] == nil {
				c, err := s.consumer(ctx, l)
				if err != nil {
					continue // it is tried again in a moment
				}
				consumers[l.name] = c
			}
			if !s.isWaiting(l.name) {
				n, err := s.takeNow(ctx, consumers[l.name], free)
				if isGone(err) || s.lineIsGone(l.name) {
					consumers[l.name] = nil
				}
				took = took || n > 0
				free = max(0, free-n)
			}
		}
		if free > 0 && !took {
			for _, l := range lines {
				if c := consumers[l.name]; c != nil {
					s.waitAt(ctx, l.name, c)
				}
			}
		}
		if took {
			continue
		}
		select {
		case <-s.wake:
		case <-time.After(lookTime):
		case <-ctx.Done():
		}
	}
}

// takeNow takes jobs of a line that are there, at most free of them, and returns how many.
func (s *shift) takeNow(ctx context.Context, c jetstream.Consumer, free int) (n int, err error) {
	batch, err := c.FetchNoWait(free)
	if err != nil {
		return 0, err
	}
	for msg := range batch.Messages() {
		n++
		s.accept(ctx, msg)
	}
	return n, batch.Error()
}

// isGone reports whether an error says that a line is not there any more: somebody has deleted its consumer,
// or the server has lost it.
func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, nats.ErrNoResponders)
}

// lineIsGone reports, once, whether the wait at a line has found out that it is gone.
func (s *shift) lineIsGone(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.gone[name]
	delete(s.gone, name)
	return gone
}

func (s *shift) isWaiting(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[name]
}

// waitAt has the machine wait at a line for the next job, unless it does already.
func (s *shift) waitAt(ctx context.Context, name string, c jetstream.Consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[name] {
		return
	}
	s.waiting[name] = true
	s.working.Go(func() {
		batch, err := c.Fetch(1, jetstream.FetchMaxWait(pullTime))
		if err == nil {
			for msg := range batch.Messages() {
				if free, _ := s.mayTake(); free > 0 && ctx.Err() == nil {
					s.accept(ctx, msg)
				} else {
					_ = msg.Nak() // or it is delivered again after a while
				}
			}
			err = batch.Error()
		}
		if err != nil {
			pause(ctx, lookTime/4)
		}
		s.mu.Lock()
		if isGone(err) {
			s.gone[name] = true
		}
		delete(s.waiting, name)
		s.mu.Unlock()
		s.poke()
	})
}

// accept begins the work on a job that was delivered.
func (s *shift) accept(ctx context.Context, msg jetstream.Msg) {
	id := msg.Subject()[strings.LastIndexByte(msg.Subject(), '.')+1:]
	slots := s.cfg.Machine().Slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[id] != nil {
		return // it was delivered again because a sign of life came late
	}
	if len(s.held) >= slots {
		_ = msg.Nak() // or it is delivered again after a while
		return
	}
	j := newWork(s, id, msg)
	s.held[id] = j
	s.working.Go(func() {
		j.do(ctx)
		s.release(j)
	})
}

// release forgets a job on which the work has ended.
func (s *shift) release(j *work) {
	s.mu.Lock()
	delete(s.held, j.id)
	s.mu.Unlock()
	s.poke()
}

// wait waits until the work on all jobs has ended, for a limited time: what is not reported by then is
// reported at the next start.
func (s *shift) wait() {
	done := make(chan struct{})
	go func() { s.working.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(reportTime + pullTime):
	}
}

// describe returns what this machine is and does.
func (s *shift) describe() Machine {
	m := s.cfg.Machine()
	m.Name, m.Key = s.name, s.key
	m.Labels = append([]string{}, s.cfg.Settings().Labels...)
	if m.Blenders == nil {
		m.Blenders = []string{}
	}
	return m
}

// tellMachine tells the farm what this machine is and does, whenever that changes, and as a sign of life.
func (s *shift) tellMachine(ctx context.Context) {
	var last string
	var at time.Time
	for ctx.Err() == nil {
		m := s.describe()
		_, m.State = s.mayTake()
		m.Jobs = []string{}
		s.mu.Lock()
		for id := range s.held {
			m.Jobs = append(m.Jobs, id)
		}
		s.mu.Unlock()
		slices.Sort(m.Jobs)
		now := m.State + strings.Join(append(append(m.Jobs, m.Labels...), m.Blenders...), " ")
		if now != last || time.Since(at) >= machineBeat {
			if s.putMachine(ctx, m) == nil {
				last, at = now, time.Now()
			}
		}
		pause(ctx, lookTime)
	}
}

func (s *shift) putMachine(ctx context.Context, m Machine) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	if s.left || !s.c.Connected() {
		return ErrNotMember
	}
	ctx, stop := context.WithTimeout(ctx, pullTime)
	defer stop()
	kv, err := s.c.js.KeyValue(ctx, bucketMachines)
	if err != nil {
		return err
	}
	m.Clock = time.Now().UTC()
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = kv.Put(ctx, s.key, text)
	return err
}
