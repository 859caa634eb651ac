package blender

import (
	"errors"
	"fmt"
	"time"

	"blendtray/api"
)

// An instance is the host of its runs: it may kill its process, and it knows how the process ended.

func (i *instance) exited() <-chan struct{} { return i.proc.exited }

func (i *instance) recycle(reason string) { i.retireFor(reason) }

func (i *instance) kill() bool {
	i.proc.kill()
	return true
}

func (i *instance) killStuck(req Request) bool {
	i.sup.log.Warn("run did not stop when asked; killing blender", "run", req.ID, "pid", i.proc.pid())
	go i.proc.killWithTrace()
	return true
}

// awaitOutput waits for the mark at the end of a run's output.
func (i *instance) awaitOutput(run *activeRun) {
	select {
	case <-run.ended: // nearly always the case
		return
	default:
	}
	for deadline := time.Now().Add(floodTime); time.Now().Before(deadline); {
		before := i.proc.read.Load()
		timer := time.NewTimer(markTime)
		select {
		case <-run.ended:
			timer.Stop()
			return
		case <-i.proc.exited:
			timer.Stop()
			return
		case <-timer.C:
		}
		if i.proc.read.Load() == before {
			break
		}
	}
	i.sup.log.Warn("no mark at the end of a run's output; a script has closed it", "run", run.key)
	i.retireFor("a script broke its output")
}

// lost returns the outcome of a run whose process is gone.
func (i *instance) lost(x *execution, l loss) (Outcome, error) {
	// Before its first line the death is not the script's: earlier runs may have left what Blender
	// crashes with, and a file that can't be opened here may be opened elsewhere.
	if !x.run.hasBegun() && (l.asked == nil || !x.run.isUnderway()) {
		why := errEnded(i.proc.state)
		if l.late {
			why = fmt.Errorf("it was killed, since the run had not begun %s after it was sent", x.beginTime())
		} else if l.cut {
			why = errors.New("the connection with it broke")
		}
		if x.run.isUnderway() || l.late {
			return Outcome{}, fmt.Errorf("%w: %w: %w", ErrNotStarted, &PreparingError{Scene: x.req.Scene}, why)
		}
		return Outcome{}, fmt.Errorf("%w: %w", ErrNotStarted, why)
	}
	i.blame()
	started, tail := x.run.close()
	out := Outcome{Verdict: Crashed, Started: orNow(started), Finished: time.Now(), Version: i.version}
	told := api.ScriptError{Type: "Crash"}
	words := i.lastWords(tail)
	death := fatalText(words)
	line, stack := crashPlace(words, x.req)
	signal, how := i.crash(words)
	if stack == "" && (signal != "" || i.hungInCrash()) {
		line, stack = crashReport(i.report, x.req)
	}
	switch {
	case i.hungInCrash():
		told.Message = "Blender crashed: "
		if death != "" {
			told.Message += death + ": "
		}
		told.Message += "it hung while it crashed, and was killed"
	case l.asked != nil && l.stuck:
		out.Verdict, told = l.asked.verdict, l.asked.err
		told.Message += fmt.Sprintf("; it did not stop within %s when asked, so Blender was killed", x.grace)
	case l.asked != nil:
		out.Verdict, told = l.asked.verdict, l.asked.err
		told.Message += fmt.Sprintf("; Blender ended while it stopped: %s", how)
	case i.wantedToStop():
		out.Verdict = Cancelled
		told = api.ScriptError{Type: "RunCancelled", Message: "Blender was stopped"}
	case l.cut:
		told.Message = "the connection with Blender broke while the script ran, so Blender was killed; a script must not close descriptors that are not its own"
	case i.proc.state != nil && signal == "":
		line, stack = 0, "" // the process has ended by itself, and not in a fault that it lived through
		out.ExitCode = i.proc.state.ExitCode()
		told.Message = fmt.Sprintf("the script ended Blender, with exit code %d, as os._exit and bpy.ops.wm.quit_blender do", out.ExitCode)
		if x.req.Isolation == api.IsolateProcess || x.req.Isolation == api.IsolateScene {
			// The exit code is the verdict, as in a cold Blender.
			if told.Type, out.Verdict = "Exit", Errored; out.ExitCode == 0 {
				out.Verdict = Succeeded
				return out, nil
			}
		}
	default:
		out.FromOutside = i.proc.state != nil && killedBySomebody(i.proc.state) && !i.hungInCrash()
		told.Message = "Blender crashed: " + how.Error()
		if death != "" && !saysTheSignal(death) {
			told.Message += ": " + death
		}
	}
	told.Line, told.Traceback = line, stack
	out.Error = &told
	return out, nil
}

// lastWords returns what may tell how the process died: what Python has written into its file of
// faults, or where there is no such file or nothing in it, the end of what the run has printed.
func (i *instance) lastWords(tail []byte) []byte {
	if len(i.faults) > 0 {
		return deathIn(i.faults)
	}
	return tail
}

// crash returns the name of the signal or the exception that ended the process, or "" when the
// process has ended by itself, and how it ended in words.
func (i *instance) crash(words []byte) (signal string, how error) {
	how = errEnded(i.proc.state)
	if i.proc.state == nil {
		return "", how
	}
	signal = signalText(i.proc.state)
	if signal == "" {
		if signal = crashText(i.proc.state.ExitCode(), words, len(i.report) > 0); signal != "" {
			how = errors.New(signal)
		}
	}
	return signal, how
}
