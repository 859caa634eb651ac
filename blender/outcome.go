package blender

import (
	"fmt"
	"time"

	"blendtray/api"
)

// ending is why a run has to stop, and what is told of it when it does.
type ending struct {
	reason  string // the word in the cancel frame
	verdict Verdict
	err     api.ScriptError
}

// loss is what is known of a run whose Blender is gone.
type loss struct {
	asked  *ending // the run was asked to stop
	killed bool    // because it did not do that in time
	cut    bool    // because the session with it broke
}

// finished is the outcome of a run that Blender reported on.
func (s *Supervisor) finished(inst *instance, run *activeRun, f Finished, asked *ending) Outcome {
	if f.Recycle {
		inst.retireFor("a render in it was cancelled, and a second cancel would end it")
	}
	return reported(run, inst.version, f, asked)
}

// reported is what the `finished` frame of a run says, for one that may have been asked to stop.
func reported(run *activeRun, version string, f Finished, asked *ending) Outcome {
	started, _ := run.close()
	started = began(started) // never, when it was cancelled while it waited
	out := Outcome{
		Verdict: f.State, Error: f.Error, Result: f.Result, Outputs: f.Outputs, Version: version, Started: started,
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

// lost is the outcome of a run whose Blender is gone.
func (s *Supervisor) lost(inst *instance, run *activeRun, req Request, l loss) (Outcome, error) {
	if !run.hasBegun() {
		if l.cut {
			return Outcome{}, fmt.Errorf("%w: the connection with it broke", ErrNotStarted)
		}
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, errEnded(inst.proc.state))
	}
	inst.blame()
	started, tail := run.close()
	out := Outcome{Verdict: Crashed, Started: started, Finished: time.Now(), Version: inst.version}
	told := api.ScriptError{Type: "Crash"}
	death := fatalError(tail)
	line, stack := crashPlace(tail, req)
	if stack == "" && inst.proc.state != nil && signalText(inst.proc.state) != "" {
		line, stack = crashReport(inst.temp, inst.began, req)
	}
	how := errEnded(inst.proc.state)
	switch {
	case l.asked != nil && l.killed:
		out.Verdict, told = l.asked.verdict, l.asked.err
		told.Message += fmt.Sprintf("; it did not stop within %s when asked, so Blender was killed", inst.cfg.CancelGrace)
	case l.asked != nil:
		out.Verdict, told = l.asked.verdict, l.asked.err
		told.Message += fmt.Sprintf("; Blender ended while it stopped: %s", how)
	case inst.wantedToStop():
		out.Verdict = Cancelled
		told = api.ScriptError{Type: "RunCancelled", Message: "Blender was stopped"}
	case l.cut:
		told.Message = "the connection with Blender broke while the script ran, so Blender was killed; a script must not close descriptors that are not its own"
	case inst.proc.state != nil && signalText(inst.proc.state) == "":
		told.Message = fmt.Sprintf("the script ended Blender, with exit code %d, as os._exit and bpy.ops.wm.quit_blender do",
			inst.proc.state.ExitCode())
	default:
		told.Message = "Blender crashed: " + how.Error()
		if death != "" {
			told.Message += ": " + death
		}
	}
	told.Line, told.Traceback = line, stack
	out.Error = &told
	return out, nil
}

// overTime is what ends a run at its time limit.
func overTime(req Request) ending {
	return ending{
		reason: "timeout", verdict: TimedOut,
		err: api.ScriptError{Type: "TimeLimit", Message: fmt.Sprintf("it ran longer than its time limit of %s", req.TimeLimit)},
	}
}

// refused is the outcome of a run that can't be sent or that Blender does not take. Asking
// again would not help, so it is not an error.
func refused(version string, err error) Outcome {
	now := time.Now()
	return Outcome{
		Verdict: Errored, Started: now, Finished: now, Version: version,
		Error: &api.ScriptError{Type: "RunRefused", Message: err.Error()},
	}
}
