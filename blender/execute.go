package blender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blendtray/api"
)

// execution is one run in a session with a Blender, from the frame that asks for it to its
// verdict. There is one loop for all Blenders; what differs between a Blender that the
// supervisor owns and one that a person has open is behind host.
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
	// exited is closed when the process has ended. It is nil where nobody would tell.
	exited() <-chan struct{}
	// awaitOutput waits until all that a finished run printed has been read.
	awaitOutput(*activeRun)
	// recycle is told that the process should not do another run.
	recycle()
	// kill ends the process, if it may be ended, and reports whether exited will be closed.
	kill() bool
	// killStuck is kill for a run that did not stop when it was asked to.
	killStuck(Request) bool
	// lost returns what came of a run of which no more will be heard.
	lost(*execution, loss) (Outcome, error)
}

// ending is why a run has to stop, and what is told of the run when it does.
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
}

// do sends the request and waits for what comes of the run. Ending ctx asks the run to stop,
// and so does the time limit. An error says that nothing was executed.
func (x *execution) do(ctx context.Context) (Outcome, error) {
	call, err := x.session.Run(x.req, x.run.prepare, x.run.startedAt, x.run.tellProgress)
	switch {
	case errors.Is(err, ErrClosed):
		x.host.kill() // without its session it is of no use
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	case err != nil:
		return refused(x.version, err), nil
	}
	var (
		l            loss
		limit, grace <-chan time.Time
		underway     = x.run.underway
		ended        = call.Done()
		done         = ctx.Done()
		broken       <-chan time.Time
		stop         = func(e ending) {
			l.asked = &e
			// Not waited for: a Blender that does not read can hold it up, and the grace
			// time counts from here.
			go func() {
				_ = call.Cancel(e.reason) // a session that is gone shows below
			}()
			grace = time.After(x.grace)
			underway, limit, done = nil, nil, nil
		}
	)
	for {
		select {
		case <-done:
			stop(cancelledFor(context.Cause(ctx)))
		case <-underway:
			underway = nil
			if x.req.TimeLimit > 0 {
				limit = time.After(x.req.TimeLimit)
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

// result returns what Blender said of a run whose call is over; told is false when Blender said
// nothing, because the session broke.
func (x *execution) result(call *Call, l loss) (out Outcome, err error, told bool) {
	finished, err := call.Result()
	var refusal *WireError
	switch {
	case err == nil:
		x.host.awaitOutput(x.run)
		if finished.Recycle {
			x.host.recycle()
		}
		return reported(x.run, x.version, finished, l.asked), nil, true
	case errors.As(err, &refusal) && refusal.Code == "quitting":
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

// overTime returns the ending of a run at its time limit.
func overTime(req Request) ending {
	return ending{
		reason: "timeout", verdict: TimedOut,
		err: api.ScriptError{Type: "TimeLimit", Message: fmt.Sprintf("it ran longer than its time limit of %s", req.TimeLimit)},
	}
}

// reported returns the outcome of a run that Blender reported on. A run that was asked to stop
// has the verdict of that request, if it did stop for it.
func reported(run *activeRun, version string, f Finished, asked *ending) Outcome {
	started, _ := run.close()
	started = orNow(started) // a run that was cancelled while it waited never started
	out := Outcome{
		Verdict: f.State, Error: f.Error, Result: f.Result, ExitCode: f.ExitCode, Outputs: f.Outputs, Version: version, Started: started,
		Finished: started.Add(time.Duration(f.Seconds * float64(time.Second))),
	}
	if string(out.Result) == "null" {
		out.Result = nil
	}
	if f.State == Cancelled && asked != nil {
		out.Verdict = asked.verdict
		told := asked.err
		if f.Error != nil { // where it was when it was stopped
			told.Line, told.Traceback = f.Error.Line, f.Error.Traceback
		}
		out.Error = &told
	}
	return out
}

// refused returns the outcome of a run that can't be sent or that Blender does not accept.
// Asking again would not help, so it is not an error.
func refused(version string, err error) Outcome {
	now := time.Now()
	return Outcome{
		Verdict: Errored, Started: now, Finished: now, Version: version,
		Error: &api.ScriptError{Type: "RunRefused", Message: err.Error()},
	}
}

// orNow returns when a run started, or now for a run that never did.
func orNow(started time.Time) time.Time {
	if started.IsZero() {
		return time.Now()
	}
	return started
}
