package farm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"blendtray/api"
)

// submitters is how many jobs are on their way to the server at the same time.
const submitters = 32

// Submit has a job made and returns it with its id. With a key, a second submission of the same member makes
// no second job: the first is returned. Submit fails with [api.ErrBad] for a job that no engine
// could run, and with [ErrRefused] when this member may not submit.
func (c *Client) Submit(ctx context.Context, job Job, key string) (Job, error) {
	if !c.Card.Has(RoleSubmit) {
		return job, fmt.Errorf("%w: this machine may not submit jobs", ErrRefused)
	}
	job.ID = newID()
	if key != "" {
		job.ID = idOfKey(c.Card.Key, key)
	}
	if job.Args == nil {
		job.Args = []string{}
	}
	if job.Priority == "" {
		job.Priority = PriorityNormal
	}
	job.By, job.At = c.Card.Name, time.Now().UTC().Round(time.Millisecond)
	job.Until = job.At.Add(keepJobs)
	if err := job.check(); err != nil {
		return job, err
	}
	data, err := c.Member.seal("job", job)
	if err != nil {
		return job, err
	}
	if key != "" {
		if old, err := c.Job(ctx, job.ID); !errors.Is(err, ErrNoJob) {
			return old, err
		}
	}
	if err := c.nameClass(ctx, job); err != nil {
		return job, err
	}
	msg := &nats.Msg{Subject: job.subject(), Data: data}
	_, err = c.js.PublishMsg(ctx, msg, jetstream.WithMsgID("job-"+job.ID), jetstream.WithExpectLastSequencePerSubject(0))
	if isConflict(err) {
		return c.Job(ctx, job.ID)
	}
	if err != nil {
		return job, c.refused(ctx, fmt.Errorf("submit the job: %w", err))
	}
	return job, nil
}

// IDOfKey returns the id of the job of this member with a key, whether the farm has the job or not.
func (c *Client) IDOfKey(key string) string { return idOfKey(c.Card.Key, key) }

// SubmitAll has the jobs of a group made, in their order as far as several can be on their way at a time.
// It returns those that were made, also when it fails.
func (c *Client) SubmitAll(ctx context.Context, jobs []Job) ([]Job, error) {
	group := newID()
	made := make([]Job, len(jobs))
	errs := make([]error, len(jobs))
	limit := make(chan struct{}, submitters)
	var all sync.WaitGroup
	for i, job := range jobs {
		job.Group, job.Part, job.Parts = group, i+1, len(jobs)
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				made[i], errs[i] = c.Submit(ctx, job, "")
			}
		})
	}
	all.Wait()
	ok := made[:0]
	for i := range made {
		if errs[i] == nil {
			ok = append(ok, made[i])
		}
	}
	return ok, errors.Join(errs...)
}

// nameClass tells the machines what the jobs of a class need.
func (c *Client) nameClass(ctx context.Context, job Job) error {
	line := job.Needs.Class() + "_" + string(job.Priority)
	if _, known := c.named.Load(line); known {
		return nil
	}
	kv, err := c.js.KeyValue(ctx, bucketClasses)
	if err != nil {
		return c.noFarm(err)
	}
	needs, err := json.Marshal(job.Needs)
	if err != nil {
		return err
	}
	if _, err = kv.Create(ctx, line, needs); err != nil && !isConflict(err) {
		return c.refused(ctx, fmt.Errorf("say what the job needs: %w", err))
	}
	c.named.Store(line, true)
	return nil
}

// noFarm explains why a bucket or a stream is not there.
func (c *Client) noFarm(err error) error {
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("the server has no farm yet: `blendtray farm serve`, or in a NATS server of your own `blendtray farm setup`, makes it: %w", err)
	}
	return fmt.Errorf("ask the farm: %w", err)
}

// refused returns [ErrRefused] in the place of an error when the server has just said that this member may
// not do that: the server answers such a request not at all.
func (c *Client) refused(ctx context.Context, err error) error {
	last := c.nc.LastError()
	if (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders)) &&
		last != nil && errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: the server does not let this machine do that", ErrRefused)
	}
	return err
}

// Job returns a job. It fails with [ErrNoJob], and with [ErrRefused] for a job that nobody has signed who may
// submit.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	var job Job
	if !isID(id) {
		return job, fmt.Errorf("%w: %q", ErrNoJob, id)
	}
	stream, err := c.js.Stream(ctx, streamJobs)
	if err != nil {
		return job, c.noFarm(err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, subjectJobs+".*.*."+id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return job, fmt.Errorf("%w: %s", ErrNoJob, id)
	}
	if err != nil {
		return job, fmt.Errorf("ask for the job: %w", err)
	}
	if err = c.Member.unsealJob(msg.Data, &job); err == nil && job.ID != id {
		err = fmt.Errorf("%w: the server has sent another job than %s", ErrRefused, id)
	}
	return job, err
}

// Result returns how a job ended, signed by a member that works. ok is false while it has not ended.
func (c *Client) Result(ctx context.Context, id string) (r Result, ok bool, err error) {
	stream, err := c.js.Stream(ctx, streamResults)
	if err != nil {
		return r, false, c.noFarm(err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, subjectResults+"."+id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("ask for the result: %w", err)
	}
	if r, err = c.readResult(msg.Data); err == nil && r.Job != id {
		err = fmt.Errorf("%w: the server has sent the result of another job than %s", ErrRefused, id)
	}
	return r, err == nil, err
}

func (c *Client) readResult(data []byte) (Result, error) {
	var r Result
	_, err := c.Member.unseal(data, "result", RoleWork, &r)
	return r, err
}

// claim returns the claim of a job with its revision; nil when no machine has taken the job.
func (c *Client) claim(ctx context.Context, id string) (*Claim, jetstream.KeyValueEntry, error) {
	kv, err := c.js.KeyValue(ctx, bucketClaims)
	if err != nil {
		return nil, nil, c.noFarm(err)
	}
	entry, err := kv.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	claim := &Claim{}
	return claim, entry, json.Unmarshal(entry.Value(), claim)
}

// Cancel ends a job: at once when it waits, and as soon as its machine has heard of it when it is running. It
// fails with [ErrNoJob] or [ErrEnded].
func (c *Client) Cancel(ctx context.Context, id string) error {
	if _, err := c.Job(ctx, id); err != nil {
		return err
	}
	if r, ok, err := c.Result(ctx, id); err != nil || ok {
		if ok {
			err = fmt.Errorf("%w: %s has %s", ErrEnded, id, r.State)
		}
		return err
	}
	return c.order(ctx, "cancel."+id, c.Card.Name)
}

// Retry has a job made that repeats an earlier one, and returns it.
func (c *Client) Retry(ctx context.Context, id string) (Job, error) {
	job, err := c.Job(ctx, id)
	if err != nil {
		return job, err
	}
	job.RetryOf = job.ID
	job.Group, job.Part, job.Parts = "", 0, 0 // it is a job of its own
	return c.Submit(ctx, job, "")
}

// Drain has a machine take no more jobs, or take jobs again. It fails when there is no machine of that
// name, or this member does not administer the farm.
func (c *Client) Drain(ctx context.Context, name string, drain bool) (Machine, error) {
	machines, err := c.Machines(ctx)
	if err != nil {
		return Machine{}, err
	}
	i := slices.IndexFunc(machines, func(m Machine) bool { return m.Name == name })
	if i < 0 {
		return Machine{}, fmt.Errorf("the farm has no machine %q", name)
	}
	if !c.Card.Has(RoleAdminister) {
		return machines[i], fmt.Errorf("%w: this machine may not administer the farm", ErrRefused)
	}
	kv, err := c.js.KeyValue(ctx, bucketDrains)
	if err != nil {
		return machines[i], c.noFarm(err)
	}
	if !drain {
		return machines[i], kv.Delete(ctx, machines[i].Key)
	}
	if _, err := kv.PutString(ctx, machines[i].Key, c.Card.Name); err != nil {
		return machines[i], c.refused(ctx, fmt.Errorf("drain the machine: %w", err))
	}
	return machines[i], nil
}

func (c *Client) order(ctx context.Context, what, by string) error {
	kv, err := c.js.KeyValue(ctx, bucketOrders)
	if err != nil {
		return c.noFarm(err)
	}
	if _, err = kv.PutString(ctx, what, by); err != nil {
		return c.refused(ctx, fmt.Errorf("give the order: %w", err))
	}
	return nil
}

// isCancelled reports whether there is the order to cancel a job, or its group.
func (c *Client) isCancelled(ctx context.Context, job Job) (bool, error) {
	kv, err := c.js.KeyValue(ctx, bucketOrders)
	if err != nil {
		return false, c.noFarm(err)
	}
	for _, id := range []string{job.ID, job.Group} {
		if id == "" {
			continue
		}
		if _, err := kv.Get(ctx, "cancel."+id); err == nil {
			return true, nil
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return false, err
		}
	}
	return false, nil
}

// entries returns what a bucket has, by key.
func entries(ctx context.Context, js jetstream.JetStream, bucket, keys string) (map[string]jetstream.KeyValueEntry, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, err
	}
	watch, err := kv.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }() // the server ends a reader that is gone
	all := map[string]jetstream.KeyValueEntry{}
	for {
		select {
		case entry := <-watch.Updates():
			if entry == nil {
				return all, nil
			}
			all[entry.Key()] = entry
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// goneAfter is after how many times its interval between signs of life a machine counts as gone.
const goneAfter = 3 * machineBeat

// Machines returns the machines of the farm, by name.
func (c *Client) Machines(ctx context.Context) ([]Machine, error) {
	all, err := entries(ctx, c.js, bucketMachines, ">")
	if err != nil {
		return nil, c.noFarm(err)
	}
	drained, err := entries(ctx, c.js, bucketDrains, ">")
	if err != nil {
		return nil, c.noFarm(err)
	}
	now, err := c.serverTime(ctx)
	if err != nil {
		return nil, err
	}
	machines := []Machine{}
	for key, entry := range all {
		var m Machine
		if json.Unmarshal(entry.Value(), &m) != nil {
			continue // written by a version that is not known here
		}
		m.Seen = entry.Created().UTC()
		if !m.Clock.IsZero() {
			m.AheadSeconds = m.Clock.Sub(m.Seen).Seconds()
		}
		if drained[key] != nil {
			m.State = "draining"
		}
		if now.Sub(m.Seen) > goneAfter {
			m.State = "gone"
		}
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b Machine) int { return strings.Compare(a.Name, b.Name) })
	return machines, nil
}

// Ahead returns how far the clock of this machine is ahead of the clock of the server, negative for a clock that is
// behind. The answer is as exact as the half of the time that the server takes to answer.
func (c *Client) Ahead(ctx context.Context) (time.Duration, error) {
	before := time.Now()
	now, err := c.serverTime(ctx)
	return before.Add(time.Since(before) / 2).Sub(now), err
}

// serverTime returns what time it is on the server. Machines don't compare their own clocks.
func (c *Client) serverTime(ctx context.Context) (time.Time, error) {
	stream, err := c.js.Stream(ctx, streamJobs)
	if err != nil {
		return time.Time{}, c.noFarm(err)
	}
	return stream.CachedInfo().TimeStamp, nil
}

// CancelGroup ends all jobs of a group that have not ended, whatever their number, by one order. It returns those that
// had not ended, and fails with [ErrNoJob] when there is no such group.
func (c *Client) CancelGroup(ctx context.Context, group string) ([]JobStatus, error) {
	all, err := c.Group(ctx, group)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s JobStatus) bool { return s.State.Final() })
	if len(all) == 0 {
		return all, nil
	}
	return all, c.order(ctx, "cancel."+group, c.Card.Name)
}

// Group returns all jobs of a group, the newest first. It fails with [ErrNoJob] when there is no such group.
func (c *Client) Group(ctx context.Context, group string) ([]JobStatus, error) {
	if !isID(group) {
		return nil, fmt.Errorf("%w: %q", ErrNoJob, group)
	}
	all, err := c.jobs(ctx, 1, group)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: %s", ErrNoJob, group)
	}
	return all, err
}

// Jobs returns the newest jobs, the newest first, at most limit of them.
func (c *Client) Jobs(ctx context.Context, limit int) ([]JobStatus, error) {
	stream, err := c.js.Stream(ctx, streamJobs)
	if err != nil {
		return nil, c.noFarm(err)
	}
	last := stream.CachedInfo().State.LastSeq
	start := uint64(1)
	if n := uint64(limit); last > n {
		start = last - n + 1
	}
	return c.jobs(ctx, start, "")
}

// jobs returns the jobs of the stream from a sequence number on, the newest first: those of a group, or all with "".
func (c *Client) jobs(ctx context.Context, start uint64, group string) ([]JobStatus, error) {
	all, at := []JobStatus{}, map[string]int{}
	err := c.read(ctx, streamJobs, subjectJobs+".>", start, false, func(msg *nats.Msg) {
		if group != "" && !mentions(msg.Data, group) {
			return // to check a signature takes longer than to read on
		}
		var job Job
		if err := c.Member.unsealJob(msg.Data, &job); err != nil || group != "" && job.Group != group {
			return // nobody runs it either, or it is another group's
		}
		at[job.ID] = len(all)
		all = append(all, StatusOf(job))
	})
	if err != nil {
		return nil, err
	}
	if err := c.addClaims(ctx, all, at); err != nil {
		return nil, err
	}
	slices.Reverse(all)
	return all, nil
}

// mentions reports whether a signed job may be of a group.
func mentions(data []byte, group string) bool {
	var s signed
	return json.Unmarshal(data, &s) == nil && bytes.Contains(s.Text, []byte(`"`+group+`"`))
}

// StatusOf returns the status of a job that nothing is known of.
func StatusOf(job Job) JobStatus {
	s := JobStatus{
		ID: job.ID, Kind: job.Kind, Name: job.Name, Args: job.Args, Group: job.Group, Part: job.Part, Parts: job.Parts,
		State: StateWaiting, Priority: job.Priority, Needs: job.Needs, Repeatable: job.Repeatable, By: job.By, At: job.At, To: job.To,
		Outputs: []File{}, Tries: []Try{}, RetryOf: job.RetryOf,
	}
	if job.Render != nil {
		s.Frames = job.Render.Frames.String()
	}
	return s
}

// addClaims adds to some jobs what their claims, the orders and their results say.
func (c *Client) addClaims(ctx context.Context, all []JobStatus, at map[string]int) error {
	if len(all) == 0 {
		return nil
	}
	claims, err := entries(ctx, c.js, bucketClaims, ">")
	if err != nil {
		return c.noFarm(err)
	}
	orders, err := entries(ctx, c.js, bucketOrders, "cancel.*")
	if err != nil {
		return c.noFarm(err)
	}
	for i := range all {
		if s := &all[i]; orders["cancel."+s.ID] != nil || s.Group != "" && orders["cancel."+s.Group] != nil {
			s.cancel()
		}
	}
	now, err := c.serverTime(ctx)
	if err != nil {
		return err
	}
	for key, entry := range claims {
		var claim Claim
		if i, ok := at[key]; ok && json.Unmarshal(entry.Value(), &claim) == nil {
			all[i].apply(claim, now.Sub(entry.Created()))
		}
	}
	return c.read(ctx, streamResults, subjectResults+".*", 1, true, func(msg *nats.Msg) {
		i, ok := at[strings.TrimPrefix(msg.Subject, subjectResults+".")]
		var s summary
		if ok && json.Unmarshal([]byte(msg.Header.Get(summaryHeader)), &s) == nil {
			all[i].State, all[i].Reason, all[i].Machine, all[i].Run, all[i].Seconds = s.State, s.Reason, s.Machine, s.Run, s.Seconds
			all[i].Progress = nil
		}
	})
}

// apply takes over what a claim says that was changed a time ago.
func (s *JobStatus) apply(claim Claim, ago time.Duration) {
	s.Apply(claim)
	if claim.State == StateRunning && ago > claim.lease() {
		s.Reason = fmt.Sprintf("%s has given no sign of life for %s", claim.Machine, ago.Round(time.Second))
	}
}

// Apply takes over what a claim says.
func (s *JobStatus) Apply(claim Claim) {
	s.State, s.Reason, s.Machine, s.Run, s.Attempt = claim.State, claim.Reason, claim.Machine, claim.Run, claim.Attempt
	s.Progress, s.Tries = claim.Progress, append([]Try{}, claim.Tries...)
}

// summaryHeader has the summary of a result, so that lists need not read results.
const summaryHeader = "Bt-Summary"

type summary struct {
	State   State   `json:"state"`
	Reason  string  `json:"reason"`
	Machine string  `json:"machine"`
	Run     string  `json:"run"`
	Seconds float64 `json:"seconds"`
}

// Show returns a job with what is known of it, and its result when it has ended.
func (c *Client) Show(ctx context.Context, id string) (JobStatus, *Result, error) {
	job, err := c.Job(ctx, id)
	if err != nil {
		return JobStatus{}, nil, err
	}
	s := StatusOf(job)
	if cancelled, err := c.isCancelled(ctx, job); err != nil {
		return s, nil, err
	} else if cancelled {
		s.cancel()
	}
	if claim, entry, err := c.claim(ctx, id); err != nil {
		return s, nil, err
	} else if claim != nil {
		now, err := c.serverTime(ctx)
		if err != nil {
			return s, nil, err
		}
		s.apply(*claim, now.Sub(entry.Created()))
	}
	r, ok, err := c.Result(ctx, id)
	if err != nil || !ok {
		return s, nil, err
	}
	s.Add(r)
	return s, &r, nil
}

// cancel notes that the job was cancelled and has no claim and no result yet.
func (s *JobStatus) cancel() {
	s.State, s.Reason = StateCancelled, "cancelled before a machine took it"
}

// Add takes over what a result says.
func (s *JobStatus) Add(r Result) {
	s.State, s.Reason, s.Machine, s.Progress = r.State, r.Reason, r.Machine, nil
	s.Outputs, s.Tries = append([]File{}, r.Outputs...), append([]Try{}, r.Tries...)
	if r.Run != nil {
		s.Run, s.Seconds = r.Run.ID, r.Run.Seconds
	}
}

// read calls each for the messages of a stream from a sequence number on that are there now, in their order.
func (c *Client) read(ctx context.Context, stream, subject string, start uint64, headers bool, each func(*nats.Msg)) error {
	js, err := c.nc.JetStream(nats.Context(ctx))
	if err != nil {
		return err
	}
	options := []nats.SubOpt{nats.OrderedConsumer(), nats.BindStream(stream), nats.StartSequence(start)}
	if headers {
		options = append(options, nats.HeadersOnly())
	}
	sub, err := js.SubscribeSync(subject, options...)
	if err != nil {
		return fmt.Errorf("read %s: %w", stream, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the server ends a reader that is gone
	if pending, err := sub.InitialConsumerPending(); err != nil || pending == 0 {
		return err
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		each(msg)
		if meta, err := msg.Metadata(); err != nil || meta.NumPending == 0 {
			return err
		}
	}
}

// Update is something that is new about a job. One of its fields beside Job is set.
type Update struct {
	Job    string
	Claim  *Claim
	Result *Result
	// Event is what the run says while it goes on.
	Event *api.Event
}

// Follow tells what happens to some jobs, until ctx ends or tell returns false. It begins with what is
// already known of them. What runs print comes while they run only for a single job; results have it.
func (c *Client) Follow(ctx context.Context, ids []string, tell func(Update) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	updates := make(chan Update, 256)
	send := func(u Update) {
		select {
		case updates <- u:
		case <-ctx.Done():
		}
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	end, err := c.listen(ctx, wanted, ids, send)
	if err != nil {
		return err
	}
	defer end()
	go c.catchUp(ctx, ids, send)
	for {
		select {
		case u := <-updates:
			if !tell(u) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen has everything sent that is new about some jobs. The returned function ends that.
func (c *Client) listen(ctx context.Context, wanted map[string]bool, ids []string, send func(Update)) (func(), error) {
	var ends []func()
	end := func() {
		for _, e := range ends {
			e()
		}
	}
	claims, err := c.js.KeyValue(ctx, bucketClaims)
	if err != nil {
		return end, c.noFarm(err)
	}
	key, results := ">", subjectResults+".*"
	if len(ids) == 1 {
		key, results = ids[0], subjectResults+"."+ids[0]
	}
	watch, err := claims.Watch(ctx, key, jetstream.UpdatesOnly())
	if err != nil {
		return end, fmt.Errorf("follow the claims: %w", err)
	}
	ends = append(ends, func() { _ = watch.Stop() })
	go func() {
		for entry := range watch.Updates() {
			var claim Claim
			if entry != nil && wanted[entry.Key()] && json.Unmarshal(entry.Value(), &claim) == nil {
				send(Update{Job: entry.Key(), Claim: &claim})
			}
		}
	}()
	js, err := c.nc.JetStream(nats.Context(ctx))
	if err != nil {
		return end, err
	}
	sub, err := js.Subscribe(results, func(msg *nats.Msg) {
		id := strings.TrimPrefix(msg.Subject, subjectResults+".")
		if !wanted[id] {
			return
		}
		if r, err := c.readResult(msg.Data); err == nil && r.Job == id {
			send(Update{Job: id, Result: &r})
		}
	}, nats.OrderedConsumer(), nats.BindStream(streamResults), nats.DeliverNew())
	if err != nil {
		return end, fmt.Errorf("follow the results: %w", err)
	}
	ends = append(ends, func() { _ = sub.Unsubscribe() })
	if len(ids) == 1 {
		events, err := c.nc.Subscribe(subjectEvents+"."+ids[0], func(msg *nats.Msg) {
			var ev api.Event
			if json.Unmarshal(msg.Data, &ev) == nil {
				send(Update{Job: ids[0], Event: &ev})
			}
		})
		if err != nil {
			return end, err
		}
		ends = append(ends, func() { _ = events.Unsubscribe() })
	}
	return end, nil
}

// catchUp sends what was known of some jobs before somebody listened.
func (c *Client) catchUp(ctx context.Context, ids []string, send func(Update)) {
	for _, id := range ids {
		if claim, _, err := c.claim(ctx, id); err == nil && claim != nil {
			send(Update{Job: id, Claim: claim})
		}
		if r, ok, err := c.Result(ctx, id); err == nil && ok {
			send(Update{Job: id, Result: &r})
		}
	}
}
