package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
)

const (
	// askEvery is how often the farm is asked for the result of a job, in case the news of it was lost.
	askEvery = 15 * time.Second
	// cancelTime is how long a cancelled job may take to end.
	cancelTime = 20 * time.Second
	// sendTime is how long a run may take to be sent.
	sendTime = 5 * time.Minute
)

// Run sends a run to the farm and returns how it ended there. Ending ctx cancels the job, unless the cause
// is [blender.ErrLeft]. An error means that nobody knows whether the run is on the farm, or how the run ends, and
// that the run is to be sent again.
func (r *Remote) Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	if t, ok := sink.(blender.Taker); ok {
		t.Taken(0) // there is room for others
	}
	r.slots <- struct{}{}
	defer func() { <-r.slots }()
	c, err := r.connect(ctx)
	if err != nil {
		return blender.Outcome{}, err
	}
	sending, stop := context.WithTimeout(ctx, sendTime)
	job, err := send(sending, c, r.jobOf(req), req)
	stop()
	switch {
	case errors.Is(err, farm.ErrRefused), errors.Is(err, api.ErrBad), errors.Is(err, errNoFile):
		return failed(time.Now(), err.Error()), nil
	case err != nil:
		if ctx.Err() != nil {
			return r.cancelledUnsent(ctx, c, req), nil
		}
		r.say(err.Error())
		return blender.Outcome{}, err
	}
	r.say("")
	f := &follower{remote: r, client: c, job: job, sink: sink, began: time.Now()}
	return f.follow(ctx)
}

// cancelledUnsent returns the end of a run that was cancelled while it was being sent. The server may have the job
// all the same, which is then cancelled there.
func (r *Remote) cancelledUnsent(ctx context.Context, c *farm.Client, req blender.Request) blender.Outcome {
	out := blender.Outcome{Verdict: blender.Cancelled, Started: time.Now(), Finished: time.Now()}
	if !errors.Is(context.Cause(ctx), blender.ErrLeft) {
		f := &follower{client: c, job: farm.Job{ID: c.IDOfKey(req.Key)}}
		out.Note = f.cancel(context.WithoutCancel(ctx))
	}
	return out
}

// jobOf returns the job of a run, without its code.
func (r *Remote) jobOf(req blender.Request) farm.Job {
	return farm.Job{
		Kind: farm.KindScript, Scene: "fresh", Name: filepath.Base(req.File), Args: req.Args,
		Needs: farm.Needs{Blender: r.cfg.Spec.Asked}, Repeatable: req.Repeatable,
		TimeLimitSeconds: req.TimeLimit.Seconds(), To: filepath.Dir(req.File),
	}
}

// errNoFile is the error for what should go along with a script and can't be read.
var errNoFile = errors.New("what goes along with the script can't be read")

// send has the job of a run made, with the files that go along, or finds the job that was made
// under the key before.
func send(ctx context.Context, c *farm.Client, job farm.Job, req blender.Request) (farm.Job, error) {
	packed, err := cargo.PackScript(req.File, nil)
	if err != nil {
		return job, fmt.Errorf("%w: %w", errNoFile, err)
	}
	// The script goes as it was saved, whatever the file is now.
	dir, err := os.MkdirTemp("", "blendtray-farm-*")
	if err != nil {
		return job, err
	}
	defer os.RemoveAll(dir)
	saved := filepath.Join(dir, "saved.py")
	if err := os.WriteFile(saved, req.Code, 0o600); err != nil {
		return job, err
	}
	for i := range packed.Sources {
		if packed.Sources[i].Name == packed.Main {
			packed.Sources[i].Path = saved
		}
	}
	store, err := files.Open(ctx, c.JetStream(), farm.BucketFiles)
	if err != nil {
		return job, err
	}
	list, _, err := files.Send(ctx, store, packed.Sources, nil)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: %w", errNoFile, err)
	}
	if err != nil {
		return job, err
	}
	job.Tree, job.Main = &list, packed.Main
	return c.Submit(ctx, job, req.Key)
}

// failed returns the end of a run that no machine has executed.
func failed(began time.Time, why string) blender.Outcome {
	return blender.Outcome{
		Verdict: blender.Errored, Started: began, Finished: time.Now(),
		Error: &api.ScriptError{Type: "Farm", Message: why},
	}
}

// follower waits for the end of a job.
type follower struct {
	remote *Remote
	client *farm.Client
	job    farm.Job
	sink   blender.Sink
	began  time.Time

	attempt int // of the machine that executes the job; 0 before a machine does
	machine string
	printed int64
	lost    string // why the job does not go on
	ended   bool   // the job was cancelled before a machine took it
	moved   bool   // the connection is closed, because this machine has another membership
	result  *farm.Result
}

// follow returns how the job ended.
func (f *follower) follow(ctx context.Context) (blender.Outcome, error) {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	updates := make(chan farm.Update)
	end := make(chan error, 1)
	go func() {
		end <- f.client.Follow(following, []string{f.job.ID}, func(u farm.Update) bool {
			select {
			case updates <- u:
				return true
			case <-following.Done():
				return false
			}
		})
	}()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	asked := ctx.Done()
	var patience <-chan time.Time
	note := ""
	for f.result == nil && f.lost == "" && !f.ended {
		select {
		case u := <-updates:
			f.take(u)
		case <-tick.C:
			if f.look(following); f.moved && f.lost == "" {
				return blender.Outcome{}, errors.New("this machine is another member of the farm now; the job is looked for again")
			}
		case err := <-end:
			return blender.Outcome{}, fmt.Errorf("follow job %s: %w", f.job.ID, err)
		case <-asked:
			if errors.Is(context.Cause(ctx), blender.ErrLeft) {
				return blender.Outcome{Verdict: blender.Cancelled, Started: f.began, Finished: time.Now()}, nil
			}
			asked = nil
			patience = time.After(cancelTime)
			note = f.cancel(following)
		case <-patience:
			if note == "" && !f.isCancelled(following) {
				note = fmt.Sprintf("job %s of the farm was asked to end, and had not ended %s later", f.job.ID, cancelTime)
			}
			return blender.Outcome{Verdict: blender.Cancelled, Started: f.began, Finished: time.Now(), Note: note}, nil
		}
	}
	if f.ended {
		note := fmt.Sprintf("job %s of the farm was cancelled before a machine took it", f.job.ID)
		return blender.Outcome{Verdict: blender.Cancelled, Started: f.began, Finished: time.Now(), Note: note}, nil
	}
	if f.result == nil {
		out := failed(f.began, f.lost)
		out.FromOutside = true // no fault of the script, so the same bytes may run again
		return out, nil
	}
	return f.outcome(context.WithoutCancel(ctx)), nil
}

// cancel has the job end, and returns why that is not known to happen, or "".
func (f *follower) cancel(ctx context.Context) string {
	ctx, stop := context.WithTimeout(ctx, cancelTime/2)
	defer stop()
	if err := f.client.Cancel(ctx, f.job.ID); err != nil && !errors.Is(err, farm.ErrEnded) && !errors.Is(err, farm.ErrNoJob) {
		return fmt.Sprintf("job %s of the farm may go on: %v", f.job.ID, err)
	}
	return ""
}

// isCancelled reports whether the job was cancelled before a machine took it, and has no result because no machine
// is there.
func (f *follower) isCancelled(ctx context.Context) bool {
	ctx, stop := context.WithTimeout(ctx, cancelTime/2)
	defer stop()
	s, _, err := f.client.Show(ctx, f.job.ID)
	return err == nil && s.State == farm.StateCancelled
}

// look asks for the result, and whether this machine is still a member.
func (f *follower) look(ctx context.Context) {
	current, member := f.remote.isCurrent(f.client)
	if !member {
		f.lost = fmt.Sprintf("this machine has left the farm, where the run is job %s", f.job.ID)
	}
	if f.moved = !current; f.moved || !member {
		return
	}
	ctx, stop := context.WithTimeout(ctx, askEvery/2)
	defer stop()
	if s, r, err := f.client.Show(ctx, f.job.ID); err == nil && r != nil {
		f.result = r
	} else if err == nil && s.State == farm.StateInterrupted {
		f.interrupted(s.Reason)
	} else if err == nil && s.State == farm.StateCancelled {
		f.ended = true // no machine is there to report the end
	}
}

func (f *follower) interrupted(why string) {
	f.lost = fmt.Sprintf("job %s of the farm was interrupted: %s. It was not repeated, because the folder's retries are 0", f.job.ID, why)
}

// take takes in what is new about the job.
func (f *follower) take(u farm.Update) {
	switch {
	case u.Result != nil:
		f.result = u.Result
	case u.Claim != nil && u.Claim.State == farm.StateInterrupted:
		f.interrupted(u.Claim.Reason)
	case u.Claim != nil && u.Claim.State == farm.StateRunning && u.Claim.Attempt > f.attempt:
		if f.attempt > 0 {
			f.print(fmt.Sprintf("\n[%s does not go on; %s begins again]\n", f.machine, u.Claim.Machine))
		}
		f.attempt, f.machine, f.printed = u.Claim.Attempt, u.Claim.Machine, 0
		f.start()
	case u.Event == nil:
	case u.Event.Kind == api.KindOutput && u.Event.From == f.printed:
		f.printed += int64(len(u.Event.Text))
		f.print(u.Event.Text)
	case u.Event.Kind == api.KindProgress && u.Event.Progress != nil:
		f.sink.Progress(*u.Event.Progress)
	}
}

func (f *follower) start() {
	f.began = time.Now()
	f.sink.Started(f.began)
}

func (f *follower) print(text string) { f.sink.Output([]byte(text)) }

// outcome returns the end of the run as the result says, after what the run has made was brought here.
func (f *follower) outcome(ctx context.Context) blender.Outcome {
	r, run := f.result, f.result.Run
	if f.attempt == 0 {
		f.start()
	}
	out := blender.Outcome{Verdict: blender.Verdict(r.State), Started: f.began, Finished: time.Now()}
	switch {
	case run == nil && r.State == farm.StateCancelled:
		out.Note = r.Reason
		return out
	case run == nil || farm.State(run.State) != r.State:
		out = failed(f.began, fmt.Sprintf("job %s of the farm is %s: %s", f.job.ID, r.State, r.Reason))
		out.FromOutside = r.State == farm.StateInterrupted
		if run != nil {
			f.rest(run)
		}
		return out
	}
	f.rest(run)
	out.Error, out.Result, out.Version, out.Note = run.Error, run.Result, run.BlenderVersion, run.Reason
	if run.ExitCode != nil {
		out.ExitCode = *run.ExitCode
	}
	out.Note = strings.TrimPrefix(out.Note+"; executed by "+r.Machine+", job "+f.job.ID, "; ")
	out.Imports = f.imports(ctx)
	var missed string
	if out.Outputs, missed = f.fetch(ctx); missed != "" {
		out.Note += "; " + missed
	}
	return out
}

// imports returns the modules that the run has imported, as this machine has them, or nil where that is not known. A
// module counts only with the bytes that were sent: no machine of the farm can have a script run again and again by
// naming others.
func (f *follower) imports(ctx context.Context) [][2]string {
	all := f.result.Run.Imports
	if all == nil || f.job.Tree == nil || f.job.To == "" {
		return nil
	}
	if len(all) == 0 {
		return [][2]string{}
	}
	store, err := files.Open(ctx, f.client.JetStream(), farm.BucketFiles)
	if err != nil {
		return nil
	}
	tree, err := store.Tree(ctx, *f.job.Tree)
	if err != nil {
		return nil // the list was removed: it was kept for long enough
	}
	return sentOf(all, tree, f.job.To)
}

// sentOf returns those modules that are files of a tree, with their hashes and their paths below a folder.
func sentOf(all []api.Import, tree files.Tree, dir string) [][2]string {
	sent := map[string]string{}
	for _, e := range tree.Files {
		sent[e.Name] = string(e.Hash)
	}
	found := [][2]string{}
	for _, one := range all {
		if hash := sent[one.Path]; hash != "" && hash == one.SHA256 {
			found = append(found, [2]string{filepath.Join(dir, filepath.FromSlash(one.Path)), hash})
		}
	}
	return found
}

// rest prints what the run has printed and nobody has heard.
func (f *follower) rest(run *api.Run) {
	switch text := run.Output; {
	case f.printed >= run.OutputBytes:
	case int64(len(text)) == run.OutputBytes:
		f.print(text[f.printed:])
	case f.printed == 0:
		f.print(text)
	default:
		f.print("\n[a part of the output was not heard; what the farm keeps follows]\n" + text)
	}
}

// fetch brings what the run has made beside the script, but no scripts, which would run. It returns the
// paths, and what could not be brought, or "".
func (f *follower) fetch(ctx context.Context) (paths []string, missed string) {
	var wanted []farm.File
	left := 0
	for _, file := range f.result.Outputs {
		if strings.EqualFold(filepath.Ext(file.Path), ".py") {
			left++
			continue
		}
		wanted = append(wanted, file)
		paths = append(paths, filepath.Join(f.job.To, filepath.FromSlash(file.Path)))
	}
	var all []string
	if left > 0 {
		all = append(all, fmt.Sprintf("%d Python files that it has made stay on the farm, because they would run here", left))
	}
	if len(wanted) > 0 {
		store, err := files.Open(ctx, f.client.JetStream(), farm.BucketFiles)
		if err == nil {
			err = cargo.Fetch(ctx, store, f.job, wanted, f.job.To)
		}
		if err != nil {
			all = append(all, fmt.Sprintf("what it has made could not be brought here: %v; `blendtray farm fetch %s` tries that again", err, f.job.ID))
			paths = nil
		}
	}
	return paths, strings.Join(all, "; ")
}
