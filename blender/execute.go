package blender

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"blendtray/api"
)

// execution is one run in a session with a Blender, from the frame that asks for the run to its
// verdict. All Blenders share this one loop; host holds what differs between a Blender that the
// supervisor owns and a Blender that a person has open.
type execution struct {
	session *Session
	host    host
	version string
	grace   time.Duration // how long a run may take to stop when it is asked to
	run     *activeRun
	req     Request
}

// host is the process behind a session.
type host interface {
	// exited returns a channel that is closed when the process has ended. It returns nil where
	// nothing reports the end.
	exited() <-chan struct{}
	// awaitOutput waits until all that a finished run printed has been read.
	awaitOutput(*activeRun)
	// recycle notes that the process should not execute another run, and why.
	recycle(reason string)
	// kill ends the process, if it may be ended, and returns whether exited will be closed.
	kill() bool
	// killStuck does what kill does, for a run that did not stop when it was asked to.
	killStuck(Request) bool
	// lost returns the outcome of a run of which no more will be heard. It fails with
	// [ErrNotStarted] when nothing of the run was executed.
	lost(*execution, loss) (Outcome, error)
}

// ending is the reason why a run has to stop, and the verdict and error that the run then has.
type ending struct {
	reason  string // the word in the cancel frame
	verdict Verdict
	err     api.ScriptError
}

// loss is what is known of a run of which no more will be heard.
type loss struct {
	asked *ending // the run was asked to stop, and why
	stuck bool    // it did not stop in time
	cut   bool    // the session broke before the process ended
	late  bool    // it had not begun in time
}

// A run that has been sent begins within freshTime, or within openTime when a file is opened for it:
// after that Blender hangs, and is killed. Making a fresh scene takes milliseconds, and cleaning up
// after a large scene seconds. They are variables for the tests.
var (
	freshTime = time.Minute
	openTime  = 10 * time.Minute
)

// beginTime returns within which time the run has to begin.
func (x *execution) beginTime() time.Duration {
	if filepath.IsAbs(x.req.Scene) {
		return openTime
	}
	return freshTime
}

// do sends the request, waits for the end of the run and returns its outcome. The run is asked to
// stop when ctx ends or the time limit has passed. do fails when nothing was executed.
func (x *execution) do(ctx context.Context) (Outcome, error) {
	call, err := x.session.run(x.req, x.run)
	switch {
	case errors.Is(err, ErrClosed):
		x.host.kill() // a process without its session is of no use
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	case err != nil:
		return refused(x.version, err), nil
	}
	sent := time.Now()
	x.awaitBrief(ctx)
	select {
	case <-call.Done():
		if out, err, told := x.result(call, loss{}); told {
			return out, err
		}
	default:
	}
	return x.watch(ctx, call, sent)
}

// awaitBrief waits until the run is over, or until something else is to be seen to; then the run has
// to be watched. See [briefTime].
func (x *execution) awaitBrief(ctx context.Context) {
	const most = 2 * briefTime
	if limit := x.req.TimeLimit; limit > 0 && limit <= most || x.beginTime() <= most {
		return
	}
	run := x.session.briefs.begin()
	defer x.session.briefs.end(run)
	select {
	case <-x.run.settled:
	case <-run.long:
	case <-ctx.Done():
	case <-x.host.exited():
	}
}

// watch waits for the end of a run that was sent at a time, and returns what do returns.
func (x *execution) watch(ctx context.Context, call *Call, sent time.Time) (Outcome, error) {
	var (
		l            loss
		limit, grace <-chan time.Time
		late         <-chan time.Time
		queued       = make(chan bool, 1) // whether the run waits for a run of another session
		begun        = x.run.begun
		underway     = x.run.underway
		ended        = call.Done()
		done         = ctx.Done()
		broken       <-chan time.Time
		stop         = func(e ending) {
			l.asked = &e
			// Nobody waits for this: a Blender that does not read can hold it up, and the grace time
			// counts from here.
			go func() {
				_ = call.Cancel(e.reason) // the loop below sees that a session is gone
			}()
			grace = time.After(x.grace)
			underway, limit, done = nil, nil, nil
		}
	)
	timer := time.NewTimer(x.beginTime() - time.Since(sent))
	defer timer.Stop()
	if x.host.exited() != nil { // an open Blender may be busy with its user
		late = timer.C
	}
	for {
		select {
		case <-begun:
			begun, late = nil, nil
		case <-late:
			late = nil
			go func() { queued <- x.session.isBusyForOthers() }()
		case others := <-queued:
			switch {
			case l.asked != nil || x.run.hasBegun():
			case others:
				// The Blender that keeps its state executes runs of all sessions one after the other.
				timer.Reset(x.beginTime())
				late = timer.C
			default:
				l.late, ended, broken = true, nil, nil
				x.host.killStuck(x.req)
			}
		case <-done:
			stop(cancelledFor(context.Cause(ctx)))
		case <-underway:
			underway = nil
			if x.req.TimeLimit > 0 {
				limit = time.After(x.req.TimeLimit - time.Since(x.run.underwaySince()))
			}
		case <-limit:
			stop(overTime(x.req))
		case <-ended:
			out, err, told := x.result(call, l)
			if told {
				return out, err
			}
			// The process is about to end, or is of no use any more.
			if x.host.exited() == nil {
				return x.host.lost(x, l)
			}
			ended, broken = nil, time.After(lostTime)
		case <-broken:
			l.cut = true
			x.host.kill()
		case <-x.host.exited():
			return x.host.lost(x, l)
		case <-grace:
			// From here on only the end of the process counts, even if the run stops after
			// all: the signals that are sent now leave a process that is good for nothing else.
			ended, broken = nil, nil
			l.stuck = true
			if !x.host.killStuck(x.req) {
				return x.host.lost(x, l)
			}
		}
	}
}

// result returns the outcome or the error that Blender has reported for a run whose call is over.
// told is false when Blender has reported nothing, because the session broke.
func (x *execution) result(call *Call, l loss) (out Outcome, err error, told bool) {
	finished, err := call.Result()
	var refusal *WireError
	switch {
	case err == nil:
		x.host.awaitOutput(x.run)
		if finished.Recycle {
			x.host.recycle("what a run has done in it can't be undone, such as the cancel of a render")
		}
		return reported(x.run, x.version, finished, l.asked), nil, true
	case errors.As(err, &refusal) && refusal.Code == "quitting":
		x.host.recycle(refusal.Message)
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err), true
	case errors.As(err, &refusal):
		return refused(x.version, err), nil, true
	}
	return Outcome{}, nil, false
}

// cancelledFor returns the ending of a run that was cancelled.
func cancelledFor(cause error) ending {
	return ending{
		reason: "cancelled", verdict: Cancelled,
		err: api.ScriptError{Type: "RunCancelled", Message: cause.Error()},
	}
}

// overTime returns the ending of a run that has reached its time limit.
func overTime(req Request) ending {
	return ending{
		reason: "timeout", verdict: TimedOut,
		err: api.ScriptError{Type: "TimeLimit", Message: fmt.Sprintf("it ran longer than its time limit of %s", req.TimeLimit)},
	}
}

// reported returns the outcome of a run whose end Blender has reported. A run that stopped because
// it was asked to has the verdict of that request.
func reported(run *activeRun, version string, f Finished, asked *ending) Outcome {
	started, _ := run.close()
	started = orNow(started) // a run that was cancelled while it waited never started
	out := Outcome{
		Verdict: f.State, Error: f.Error, Result: f.Result, ExitCode: f.ExitCode, Outputs: f.Outputs, Imports: f.Imports, Version: version, Started: started,
		Finished: started.Add(time.Duration(f.Seconds * float64(time.Second))),
	}
	if string(out.Result) == "null" {
		out.Result = nil
	}
	if f.State == Cancelled && asked != nil {
		out.Verdict = asked.verdict
		told := asked.err
		if f.Error != nil { // the place where the run was stopped
			told.Line, told.Traceback = f.Error.Line, f.Error.Traceback
		}
		out.Error = &told
	}
	return out
}

// refused returns the outcome of a run that can't be sent or that Blender does not accept. It is an
// outcome and not an error, because asking again would not help.
func refused(version string, err error) Outcome {
	now := time.Now()
	return Outcome{
		Verdict: Errored, Started: now, Finished: now, Version: version,
		Error: &api.ScriptError{Type: api.Refused, Message: err.Error()},
	}
}

// orNow returns started, or the present time for a run that never started.
func orNow(started time.Time) time.Time {
	if started.IsZero() {
		return time.Now()
	}
	return started
}
