package farm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"blendtray/api"
	filestore "blendtray/farm/files"
)

// work is what this machine does about one job, from its delivery to its end.
type work struct {
	s   *shift
	id  string
	msg jetstream.Msg // nil for a job that an earlier worker of this machine has taken
	job Job
	// attempt and tries are those of the claim; they do not change once the job is claimed.
	attempt int
	tries   []Try
	// running is true while the run is among the runs of the engine that have not ended.
	running atomic.Bool
	group   string // the job's group, guarded by shift.mu

	mu       sync.Mutex
	claim    Claim
	revision uint64
	run      string
	progress *api.Progress
	why      string // why the job is cancelled, or ""
	lost     string // why the claim is not this machine's any more, or ""
	quit     string // why this machine gives the job up, or ""
	says     string // what the claim says of the job, or ""
	counts   bool   // the result of the attempt is the job's
	// changed gets a value when why, lost or quit has one.
	changed chan struct{}
}

func newWork(s *shift, id string, msg jetstream.Msg) *work {
	return &work{s: s, id: id, msg: msg, changed: make(chan struct{}, 1)}
}

// cancel ends the job because a member has asked for that.
func (j *work) cancel(by string) { j.end(&j.why, "cancelled by "+by) }

// giveUp ends the run because this machine has left the farm.
func (j *work) giveUp() { j.end(&j.quit, j.s.name+" has left the farm") }

// lose ends the work because the claim is another machine's.
func (j *work) lose(why string) { j.end(&j.lost, why) }

func (j *work) end(field *string, why string) {
	j.mu.Lock()
	if *field == "" {
		*field = why
	}
	j.mu.Unlock()
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

// ending returns why the job is cancelled, lost or given up; "" where it is not.
func (j *work) ending() (why, lost, quit string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.why, j.lost, j.quit
}

// later has the server deliver the job again after a while.
func (j *work) later(d time.Duration) {
	if j.msg != nil {
		_ = j.msg.NakWithDelay(d) // otherwise it comes again when its time at the server is over
	}
}

// over has the server deliver the job no more.
func (j *work) over() {
	if j.msg != nil {
		_ = j.msg.Ack() // otherwise it comes again, and is found to be over
	}
	j.settle()
}

// settle removes what this machine has kept of the job, whose attempt here is decided.
func (j *work) settle() {
	if j.attempt > 0 {
		j.s.cfg.Porter.Discard(j.job, j.attemptName(), j.counts)
	}
	_ = os.Remove(j.s.heldFile(j.id)) // otherwise it is looked at again at the next start
}

// attemptName names what this attempt makes on this machine.
func (j *work) attemptName() string { return attemptName(j.id, j.attempt) }

func attemptName(id string, attempt int) string { return fmt.Sprintf("%s-%d", id, attempt) }

// do takes the job, has the engine execute it, and reports how it ended.
func (j *work) do(ctx context.Context) {
	// What goes on is reported while the engine ends.
	report, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(reportTime, stop) })
	if !j.read(report) || !j.mine(report) {
		return
	}
	if j.s.isCancelled(j) { // meanwhile, or before an earlier worker ended
		j.cancel("a member of the farm")
	}
	if err := j.hold(); err != nil {
		j.giveBack(report, "it can't be written down: "+err.Error())
		return
	}
	beating := make(chan struct{})
	beat, still := context.WithCancel(report)
	go func() { defer close(beating); j.beat(beat) }()
	run, files, err := j.execute(ctx, report)
	defer func() { still(); <-beating }()
	j.conclude(ctx, report, run, files, err, func() { still(); <-beating })
}

// read reads the job. It reports false when this machine does nothing about the job.
func (j *work) read(ctx context.Context) bool {
	if j.msg == nil {
		return true // an earlier worker has read it
	}
	err := j.s.c.Member.unsealJob(j.msg.Data(), &j.job)
	switch {
	case err == nil && (j.job.ID != j.id || j.msg.Subject() != j.job.subject()):
		err = fmt.Errorf("%w: it lies where another job belongs", ErrRefused)
	case err == nil && time.Now().After(j.job.Until):
		now, clockErr := j.s.c.serverTime(ctx)
		if clockErr != nil || now.Before(j.job.Until) {
			// This machine's clock says that the job may be an old one that is played to it again, the server's
			// clock that it is not. Machines with a right clock decide.
			j.s.log.Warn("a job of the farm is left to other machines, because this machine's clock is ahead", "job", j.id, "ahead", time.Since(now).Round(time.Second))
			j.later(j.s.cfg.Lease)
			return false
		}
		err = fmt.Errorf("%w: it is too old", ErrRefused)
	case err == nil:
		err = j.job.check()
	}
	if err == nil {
		return true
	}
	j.s.log.Warn("a job of the farm is not run", "job", j.id, "error", err)
	if err := j.publish(ctx, Result{State: StateRefused, Reason: err.Error()}); err != nil {
		j.later(j.s.cfg.Lease)
		return false
	}
	j.over()
	return false
}

// mine claims the job. It reports false when the job is not this machine's.
func (j *work) mine(ctx context.Context) bool {
	if _, ended, err := j.s.c.Result(ctx, j.id); err != nil {
		j.later(j.s.cfg.Lease / beats)
		return false
	} else if ended {
		j.forget(ctx)
		return false
	}
	claim, entry, err := j.s.c.claim(ctx, j.id)
	if err != nil {
		j.later(j.s.cfg.Lease / beats)
		return false
	}
	if j.msg == nil { // taken by an earlier worker of this machine
		return j.takeUp(ctx, claim, entry)
	}
	if j.s.isCancelled(j) && (claim == nil || claim.State == StateWaiting) {
		if j.publish(ctx, Result{State: StateCancelled, Reason: "cancelled before a machine took it"}) != nil {
			j.later(j.s.cfg.Lease)
			return false
		}
		j.over()
		return false
	}
	if claim == nil {
		return j.write(ctx, j.fresh(1, nil), 0)
	}
	return j.takeOver(ctx, *claim, entry)
}

// fresh returns a new claim of this machine.
func (j *work) fresh(attempt int, tries []Try) Claim {
	return Claim{
		Machine: j.s.name, Key: j.s.key, State: StateRunning, Attempt: attempt, LeaseSeconds: j.s.cfg.Lease.Seconds(),
		Tries: tries, Since: time.Now().UTC().Round(time.Millisecond),
	}
}

// takeOver decides about a job that some machine had claimed before.
func (j *work) takeOver(ctx context.Context, claim Claim, entry jetstream.KeyValueEntry) bool {
	if claim.State == StateInterrupted || claim.State.Final() {
		j.over()
		return false
	}
	now, err := j.s.c.serverTime(ctx)
	if err != nil {
		j.later(j.s.cfg.Lease / beats)
		return false
	}
	age := now.Sub(entry.Created())
	if claim.State == StateWaiting {
		// Other machines go first, also those that are busy now: this machine waits longer after each try.
		if n := ownTries(claim.Tries, j.s.name); n > 0 {
			if wait := claim.lease() * time.Duration(n); age < wait {
				j.later(wait - age)
				return false
			}
		}
		return j.write(ctx, j.fresh(claim.Attempt+1, claim.Tries), entry.Revision())
	}
	// After a break of the server or of this machine's connection, others have a whole lease to come back.
	left := max(claim.lease()-age, claim.lease()-j.s.connectedFor())
	if left > 0 {
		j.later(left + 200*time.Millisecond)
		return false
	}
	tries := append(claim.Tries, Try{
		Machine: claim.Machine, Run: claim.Run, At: now.UTC(),
		Reason: fmt.Sprintf("the machine gave no sign of life for %s", age.Round(time.Second)),
	})
	switch {
	case j.s.isCancelled(j):
		if j.publish(ctx, Result{State: StateCancelled, Reason: "cancelled, and its machine is gone", Tries: tries}) != nil {
			j.later(j.s.cfg.Lease / beats)
			return false
		}
		j.over()
		return false
	case !j.job.Repeatable:
		claim.State, claim.Tries = StateInterrupted, tries
		claim.Reason = claim.Machine + " gave no sign of life, and the job must not begin again by itself"
		if j.write(ctx, claim, entry.Revision()) {
			j.over() // its machine may come back and say how it ended
		}
		return false
	case isPoison(tries):
		if j.publish(ctx, Result{State: StateInterrupted, Reason: poison(tries), Tries: tries}) == nil {
			j.over()
		}
		return false
	}
	return j.write(ctx, j.fresh(claim.Attempt+1, tries), entry.Revision())
}

// isPoison reports whether a job was tried on so many machines, or so often, that it is not tried again. One
// machine that is broken does not count for three.
func isPoison(tries []Try) bool {
	machines := map[string]bool{}
	for _, t := range tries {
		machines[t.Machine] = true
	}
	return len(machines) >= maxTries || len(tries) >= maxAttempts
}

// ownTries returns how often a machine has tried a job.
func ownTries(tries []Try, machine string) (n int) {
	for _, t := range tries {
		if t.Machine == machine {
			n++
		}
	}
	return n
}

// poison says why a job stops that has ended machine after machine.
func poison(tries []Try) string {
	var all []string
	for _, t := range tries {
		all = append(all, t.Machine+": "+t.Reason)
	}
	return fmt.Sprintf("it was tried %d times, and stops now (%s)", len(tries), strings.Join(all, "; "))
}

// takeUp goes on with a job that an earlier worker of this machine has taken.
func (j *work) takeUp(ctx context.Context, claim *Claim, entry jetstream.KeyValueEntry) bool {
	if claim == nil || claim.Key != j.s.key || claim.Attempt != j.attempt || claim.State != StateRunning && claim.State != StateInterrupted {
		j.forget(ctx)
		return false
	}
	c := *claim
	c.State, c.Reason, c.Progress = StateRunning, "", nil
	c.Run = cmp.Or(j.claim.Run, c.Run) // what was written down here is newer than the last sign of life
	return j.write(ctx, c, entry.Revision())
}

// forget ends what this machine still does about a job that is not its own any more.
func (j *work) forget(ctx context.Context) {
	if j.claim.Run != "" && j.s.cfg.Engine != nil { // without an engine, nothing runs
		if run, err := j.s.cfg.Engine.Run(ctx, j.claim.Run); err == nil && run.Key == j.runKey() && !run.State.Final() {
			_, _ = j.s.cfg.Engine.Cancel(ctx, run.ID) // it may have ended meanwhile
		}
	}
	j.over()
}

// write makes or changes the claim and reports whether it is as it should be. revision is that of the last
// change, or 0 for a claim that is not there.
func (j *work) write(ctx context.Context, claim Claim, revision uint64) bool {
	next, err := j.put(ctx, claim, revision)
	if err != nil {
		j.later(j.s.cfg.Lease / beats) // another machine was faster, or the server is away
		return false
	}
	j.mu.Lock()
	j.claim, j.revision = claim, next
	j.mu.Unlock()
	j.attempt, j.tries = claim.Attempt, claim.Tries
	return true
}

func (j *work) put(ctx context.Context, claim Claim, revision uint64) (uint64, error) {
	ctx, stop := context.WithTimeout(ctx, pullTime)
	defer stop()
	text, err := json.Marshal(claim)
	if err != nil {
		return 0, err
	}
	kv, err := j.s.c.js.KeyValue(ctx, bucketClaims)
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		return kv.Create(ctx, j.id, text)
	}
	return kv.Update(ctx, j.id, text, revision)
}

// runKey returns the key of the run in the engine: one attempt makes one run, however often it is asked for.
func (j *work) runKey() string { return fmt.Sprintf("farm/%s/%d", j.id, j.attempt) }

// heldFile is the file in which a worker finds a job again that this machine has taken.
func (s *shift) heldFile(id string) string { return filepath.Join(s.cfg.HeldDir, id+".json") }

// held is the content of that file.
type held struct {
	Job     Job    `json:"job"`
	Attempt int    `json:"attempt"`
	Run     string `json:"run"`
	// Key is the key of the member that has the job: a machine may leave one farm and join another.
	Key string `json:"key"`
}

// readHeld returns what the files in a folder say that this machine has, by the ids of the jobs.
func readHeld(dir string) map[string]held {
	all := map[string]held{}
	files, err := os.ReadDir(dir)
	if err != nil {
		return all // this machine has taken none
	}
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), ".json")
		if !ok || !isID(id) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		var h held
		if err == nil && json.Unmarshal(text, &h) == nil && h.Job.ID == id {
			all[id] = h
		}
	}
	return all
}

// hold writes down that this machine has the job.
func (j *work) hold() error {
	j.mu.Lock()
	h := held{j.job, j.attempt, j.claim.Run, j.s.key}
	j.mu.Unlock()
	return writeSecret(j.s.heldFile(j.id), h)
}

// adopt goes on with the jobs that an earlier worker of this machine has taken.
func (s *shift) adopt(ctx context.Context) {
	for id, h := range readHeld(s.cfg.HeldDir) {
		if h.Key != s.key {
			continue // another membership of this machine has it
		}
		j := newWork(s, id, nil)
		j.job, j.attempt, j.claim = h.Job, h.Attempt, Claim{Run: h.Run}
		s.mu.Lock()
		s.held[id] = j
		s.mu.Unlock()
		s.working.Go(func() {
			for ctx.Err() == nil && !s.c.Connected() {
				pause(ctx, lookTime/4)
			}
			for { // the server may not be ready yet, and nobody else looks at the job
				j.do(ctx)
				if _, err := os.Stat(s.heldFile(id)); err != nil || ctx.Err() != nil {
					break
				}
				pause(ctx, s.cfg.Lease/beats)
			}
			s.release(j)
		})
	}
}

// beat keeps the claim, until ctx ends.
func (j *work) beat(ctx context.Context) {
	tick := time.NewTicker(j.s.cfg.Lease / beats)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			j.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renew changes the claim as a sign of life. It ends the work when another machine has the claim.
func (j *work) renew(ctx context.Context) {
	if j.msg != nil {
		_ = j.msg.InProgress() // otherwise it is delivered again, and found to be held
	}
	j.mu.Lock()
	claim, revision := j.claim, j.revision
	claim.Run, claim.Progress, claim.Reason = j.run, j.progress, j.says
	j.mu.Unlock()
	next, err := j.put(ctx, claim, revision)
	if isConflict(err) {
		next, err = j.conflict(ctx)
	}
	if err != nil {
		return // the server is away, and the next sign of life is tried in a moment
	}
	j.mu.Lock()
	j.claim, j.revision = claim, next
	j.mu.Unlock()
}

// conflict looks who has changed the claim: it was this machine, whose answer was lost, or another one.
func (j *work) conflict(ctx context.Context) (revision uint64, err error) {
	claim, entry, err := j.s.c.claim(ctx, j.id)
	switch {
	case err != nil:
		return 0, err
	case claim != nil && claim.Key == j.s.key && claim.Attempt == j.attempt && (claim.State == StateRunning || claim.State == StateInterrupted):
		return entry.Revision(), nil
	case claim == nil:
		j.lose("the claim is gone")
	default:
		j.lose(fmt.Sprintf("%s has the job now (%s)", claim.Machine, claim.State))
	}
	return 0, errors.New("the claim is another machine's")
}

// errNotBegun is the error of a job that this machine could not begin.
var errNotBegun = errors.New("it can't begin here")

// execute has the engine execute the job and returns the ended run and the files that it has made. With an
// error of [errNotBegun] nothing was executed; with another error it is not known how the run ended.
func (j *work) execute(ctx, report context.Context) (api.Run, []File, error) {
	j.mu.Lock()
	earlier := j.claim.Run
	j.mu.Unlock()
	begun := earlier != "" // for an earlier worker of this machine
	if begun {
		run, err := j.s.cfg.Engine.Run(report, earlier)
		if errors.Is(err, api.ErrNotFound) || err == nil && run.Key != j.runKey() {
			return api.Run{}, nil, fmt.Errorf("%w: the history of %s does not have run %s any more", ErrLost, j.s.name, earlier)
		}
	}
	prepared, err := j.s.cfg.Porter.Prepare(ctx, j.s.c, j.job, j.attemptName(), begun)
	if err != nil && begun {
		if errors.Is(err, ErrLost) {
			_, _ = j.s.cfg.Engine.Cancel(report, earlier) // it may have ended
		}
		return api.Run{}, nil, fmt.Errorf("look for the run of an earlier start: %w", err)
	}
	if err != nil {
		return api.Run{}, nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	sub := prepared.Submission
	sub.Key, sub.Client = j.runKey(), "farm: "+j.job.By
	run, events, err := j.s.cfg.Engine.Follow(ctx, sub)
	if err != nil && begun {
		return run, nil, fmt.Errorf("look for the run of an earlier start: %w", err)
	}
	if err != nil {
		return run, nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	defer events.Close()
	j.running.Store(true)
	defer j.running.Store(false)
	j.mu.Lock()
	j.run, j.claim.Run = run.ID, run.ID
	j.mu.Unlock()
	if err := j.hold(); err != nil {
		j.s.log.Warn("a job of the farm can't be written down", "job", j.id, "error", err)
	}
	if !run.State.Final() {
		run, err = j.watch(report, run, events)
	}
	j.running.Store(false)
	if err != nil {
		return run, nil, err
	}
	whole, err := j.s.cfg.Engine.Run(report, run.ID)
	if err != nil {
		whole = run // the engine has ended: its history has the output
	}
	whole.Imports = beside(sub.Script, run.Imports)
	if prepared.Finish == nil || whole.State != api.Succeeded {
		return whole, nil, nil
	}
	files, err := j.bring(report, prepared, whole)
	return whole, files, err
}

// beside returns the modules that lie below the folder of a script, with their paths seen from there, with slashes. It
// returns nil for nil, which says that the modules are not known.
func beside(script string, imports []api.Import) []api.Import {
	if imports == nil {
		return nil
	}
	all := []api.Import{}
	for _, one := range imports {
		if name, err := filepath.Rel(filepath.Dir(script), one.Path); err == nil && filepath.IsLocal(name) {
			all = append(all, api.Import{Path: filepath.ToSlash(name), SHA256: one.SHA256})
		}
	}
	return all
}

// errLater is the error of work that the next worker of this machine goes on with.
var errLater = errors.New("it is not done yet")

// bring sends what a run has made, again and again while the server does not take it. It fails with [errLater]
// when ctx ends, when the work is to end, and when the files can't be read here.
func (j *work) bring(ctx context.Context, prepared Prepared, run api.Run) ([]File, error) {
	defer j.note("")
	for {
		files, err := prepared.Finish(ctx, run)
		if err == nil {
			return files, nil
		}
		var unreadable *fs.PathError
		switch why, lost, quit := j.ending(); {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: bring the files back: %w", errLater, err)
		case why+lost+quit != "", errors.Is(err, ErrLost), errors.Is(err, filestore.ErrChanged), errors.As(err, &unreadable):
			return nil, fmt.Errorf("bring the files back: %w", err)
		}
		j.note("its files can't be sent yet: " + err.Error())
		j.s.log.Warn("the files of a job of the farm can't be sent yet", "job", j.id, "error", err)
		pause(ctx, lookTime)
	}
}

// note has the claim say something about the job.
func (j *work) note(text string) {
	j.mu.Lock()
	j.says = text
	j.mu.Unlock()
}

// watch passes on what a run says until it has ended, and cancels the run when the job is cancelled or lost.
func (j *work) watch(ctx context.Context, run api.Run, events Subscription) (api.Run, error) {
	for cancelled := false; ; {
		if why, lost, quit := j.ending(); why+lost+quit != "" && !cancelled {
			cancelled = true
			_, _ = j.s.cfg.Engine.Cancel(ctx, run.ID) // it may have ended meanwhile
		}
		select {
		case ev, ok := <-events.Events():
			if !ok {
				return run, errors.New("the engine has ended")
			}
			j.tell(ev)
			if ev.Kind == api.KindRun && ev.Run != nil {
				run = *ev.Run
			}
			if run.State.Final() {
				return run, nil
			}
		case <-j.changed:
		case <-ctx.Done():
			return run, ctx.Err()
		}
	}
}

// maxEvent is how much of what a run prints goes into one message.
const maxEvent = 128 << 10

// tell passes on an event to those who follow the job. Nobody keeps these messages.
func (j *work) tell(ev api.Event) {
	switch ev.Kind {
	case api.KindProgress:
		j.mu.Lock()
		j.progress = ev.Progress
		j.mu.Unlock()
	case api.KindOutput:
		if len(ev.Text) > maxEvent {
			return // the result has the output
		}
	case api.KindRun:
	default:
		return
	}
	if text, err := json.Marshal(ev); err == nil {
		_ = j.s.c.nc.Publish(subjectEvents+"."+j.id, text) // the result says what is lost here
	}
}

// conclude reports how the job ended, or gives it back. settle ends the signs of life.
func (j *work) conclude(ctx, report context.Context, run api.Run, files []File, err error, settle func()) {
	why, lost, quit := j.ending()
	if lost != "" {
		j.s.log.Warn("a job of the farm is another machine's now", "job", j.id, "why", lost)
		settle()
		j.over()
		return
	}
	if err != nil || run.State != api.Succeeded {
		settle() // with a success, the claim is kept until the result is there
	}
	switch {
	case errors.Is(err, errNotBegun) && (errors.Is(err, api.ErrStopping) || ctx.Err() != nil):
		j.s.mu.Lock()
		j.s.ending = true
		j.s.mu.Unlock()
		j.release(report, Claim{Tries: j.tries, Reason: "the engine of " + j.s.name + " is ending"}, 0)
	case errors.Is(err, errNotBegun):
		j.again(report, run, StateFailed, strings.TrimPrefix(err.Error(), errNotBegun.Error()+": "))
	case errors.Is(err, errLater):
	case errors.Is(err, ErrLost):
		j.cutOff(report, run, StateInterrupted, err.Error())
	case quit != "" && why == "" && (err != nil || run.State == api.Cancelled):
		j.cutOff(report, run, StateInterrupted, quit)
	case err != nil && !run.State.Final(): // the next worker of this machine finds the job and its run
	case err != nil && why != "":
		j.finish(report, Result{State: StateCancelled, Reason: why, Run: &run}, settle)
	case err != nil && !j.job.Repeatable: // it has run, and must not run again
		j.finish(report, Result{State: StateFailed, Reason: err.Error(), Run: &run}, settle)
	case err != nil:
		j.again(report, run, StateFailed, err.Error())
	case j.wasStopped(ctx, run, why):
		j.cutOff(report, run, StateInterrupted, "the engine of "+j.s.name+" was stopped")
	case run.State == api.Interrupted, run.State == api.Crashed:
		j.cutOff(report, run, State(run.State), reasonOf(run))
	default:
		j.finish(report, Result{State: State(run.State), Reason: cmp.Or(why, reasonOf(run)), Run: &run, Outputs: files}, settle)
	}
}

// cutOff reports the end of a run that did not end by itself, or has the job begin again where it may.
func (j *work) cutOff(ctx context.Context, run api.Run, state State, reason string) {
	if !j.job.Repeatable {
		r := Result{State: state, Reason: reason}
		if run.ID != "" {
			r.Run = &run
		}
		j.finish(ctx, r, func() {})
		return
	}
	j.again(ctx, run, state, reason)
}

// wasStopped reports whether a run was cut off because its engine was stopped.
func (j *work) wasStopped(ctx context.Context, run api.Run, why string) bool {
	return why == "" && run.State == api.Cancelled && (ctx.Err() != nil || strings.HasPrefix(run.Reason, "the engine was stopped"))
}

// reasonOf says why a run did not succeed.
func reasonOf(run api.Run) string {
	switch {
	case run.Reason != "":
		return run.Reason
	case run.Error != nil && run.Error.Message != "":
		return run.Error.Type + ": " + run.Error.Message
	case run.Error != nil:
		return run.Error.Type
	}
	return ""
}

// tail returns the end of what a run printed.
func tail(text string) string {
	const most = 4 << 10
	if len(text) > most {
		text = strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}

// again has the job begin on another machine, or ends it after the last try.
func (j *work) again(ctx context.Context, run api.Run, state State, reason string) {
	tries := append(slices.Clone(j.tries), Try{Machine: j.s.name, Run: run.ID, Reason: reason, Log: tail(run.Output), At: time.Now().UTC()})
	if !isPoison(tries) {
		j.release(ctx, Claim{Tries: tries, Reason: reason}, time.Second/4)
		return
	}
	r := Result{State: state, Reason: poison(tries), Tries: tries}
	if run.ID != "" {
		r.Run = &run
	}
	j.finish(ctx, r, func() {})
}

// giveBack has another machine take a job that never began here.
func (j *work) giveBack(ctx context.Context, why string) { j.again(ctx, api.Run{}, StateFailed, why) }

// release has the job wait again.
func (j *work) release(ctx context.Context, claim Claim, after time.Duration) {
	claim.Machine, claim.Key, claim.State, claim.Attempt = j.s.name, j.s.key, StateWaiting, j.attempt
	claim.LeaseSeconds, claim.Since = j.s.cfg.Lease.Seconds(), time.Now().UTC().Round(time.Millisecond)
	for ctx.Err() == nil {
		if _, err := j.put(ctx, claim, j.revision); err == nil || isConflict(err) {
			break
		}
		pause(ctx, lookTime/4)
	}
	j.settle()
	j.later(after)
}

// finish reports a result, until the server has it or ctx ends, has the signs of life end by settle, and closes
// the claim.
func (j *work) finish(ctx context.Context, r Result, settle func()) {
	if r.Tries == nil {
		r.Tries = j.tries
	}
	for ctx.Err() == nil {
		err := j.publish(ctx, r)
		if err == nil {
			break
		}
		j.s.log.Warn("the result of a job of the farm is not there yet", "job", j.id, "error", err)
		pause(ctx, lookTime/2)
	}
	settle()
	if ctx.Err() != nil {
		return // the next worker of this machine reports it
	}
	j.mu.Lock()
	claim, revision := j.claim, j.revision
	j.mu.Unlock()
	claim.State, claim.Reason, claim.Progress, claim.Run = r.State, r.Reason, nil, j.run
	j.counts = r.State == StateSucceeded
	// The result is what counts: a claim that can't be closed is found to be over by it.
	_, _ = j.put(ctx, claim, revision)
	j.over()
}

// publish sends a result. It returns nil, too, when there is a result already: the first counts.
func (j *work) publish(ctx context.Context, r Result) error {
	r.Job, r.Machine, r.At = j.id, j.s.name, time.Now().UTC().Round(time.Millisecond)
	sum := summary{State: r.State, Reason: cutText(r.Reason, 300), Machine: r.Machine}
	if r.Run != nil {
		run := *r.Run
		run.Output = cutMiddle(run.Output, maxOutput)
		r.Run, sum.Run, sum.Seconds = &run, run.ID, run.Seconds
	}
	if r.Outputs == nil {
		r.Outputs = []File{}
	}
	if r.Tries == nil {
		r.Tries = []Try{}
	}
	data, err := j.s.c.Member.seal("result", r)
	if err != nil {
		return err
	}
	header, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, pullTime)
	defer stop()
	msg := &nats.Msg{Subject: subjectResults + "." + j.id, Data: data, Header: nats.Header{summaryHeader: {string(header)}}}
	_, err = j.s.c.js.PublishMsg(ctx, msg, jetstream.WithMsgID("result-"+j.id), jetstream.WithExpectLastSequencePerSubject(0))
	if isConflict(err) {
		return nil
	}
	return err
}

func cutText(text string, most int) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// cutMiddle keeps the beginning and the end of a text.
func cutMiddle(text string, most int) string {
	if len(text) <= most {
		return text
	}
	head, end := strings.ToValidUTF8(text[:most/2], ""), strings.ToValidUTF8(text[len(text)-most/2:], "")
	return fmt.Sprintf("%s\n[%d bytes were cut here]\n%s", head, len(text)-most, end)
}
