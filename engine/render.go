package engine

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// A render without a script that is cut off goes on: with another Blender, or with the next engine.
// The journal says which frames are written. What a script has made of the scene is gone with its
// Blender, so a script is not followed by the frames that are missing: its run has crashed.

// maxStandstill is how often in a row Blender or the engine may die with no frame finished.
const maxStandstill = 3

// rendered is which frames of a run are there.
type rendered struct {
	// Done are the frames that are written, and Begun those that may be half-written.
	Done  []int `json:"done"`
	Begun []int `json:"begun"`
	// Since is when the run first began.
	Since time.Time `json:"since"`
	// Standstill is how often in a row Blender or the engine has died with no frame finished.
	Standstill int `json:"standstill"`
}

// note takes note that a frame is done, or only begun.
func (r *rendered) note(frame int, done bool) {
	if at := slices.Index(r.Begun, frame); at >= 0 && done {
		r.Begun = slices.Delete(r.Begun, at, at+1)
	} else if at < 0 && !done {
		r.Begun = append(r.Begun, frame)
	}
	if done {
		r.Done = append(r.Done, frame)
	}
}

// add takes over the frames of a Blender that is gone, and returns whether it has finished any.
func (r *rendered) add(frames rendered) (any bool) {
	before := len(r.Done)
	r.Done = append(r.Done, frames.Done...)
	slices.Sort(r.Done)
	r.Done = slices.Compact(r.Done)
	r.Begun = slices.DeleteFunc(append(r.Begun, frames.Begun...), func(frame int) bool {
		_, done := slices.BinarySearch(r.Done, frame)
		return done
	})
	slices.Sort(r.Begun)
	r.Begun = slices.Compact(r.Begun)
	return len(r.Done) > before
}

// renderEngine matches what a render engine may be called.
var renderEngine = regexp.MustCompile(`^[A-Za-z0-9_.]{0,64}$`)

// renderFormat matches what a format of files may be called.
var renderFormat = regexp.MustCompile(`^[A-Za-z0-9_]{0,64}$`)

// checkRender fails with [api.ErrBad] when a submission can't be rendered.
func checkRender(s api.Submission) error {
	r := s.Render
	switch {
	case r == nil:
		return nil
	case s.Attach:
		return fmt.Errorf("%w: render: "+noFramesThere+"; leave one of attach and render out", api.ErrBad)
	case !renderEngine.MatchString(r.Engine):
		return fmt.Errorf("%w: render.engine: %q is no name of a render engine, such as CYCLES", api.ErrBad, r.Engine)
	case !renderFormat.MatchString(r.Format):
		return fmt.Errorf("%w: render.format: %q is no name of a format, such as PNG", api.ErrBad, r.Format)
	case r.Output != "" && !strings.HasPrefix(r.Output, "//") && !filepath.IsAbs(r.Output):
		return fmt.Errorf("%w: render.output: %q is neither an absolute path nor begins with //", api.ErrBad, r.Output)
	}
	return nil
}

// outputOf returns the output path of a render, "" without one.
func outputOf(r *api.Render) string {
	if r == nil {
		return ""
	}
	return r.Output
}

// sameRender reports whether two runs render the same.
func sameRender(a, b *api.Render) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// keepFramesLocked takes note of the frames that the Blender of a run has written before it was gone,
// and writes them down. When that fails, they may be rendered again. died tells that Blender or the
// engine has died, and was not asked to end. It needs turn.
func (e *Engine) keepFramesLocked(j *job, died bool) {
	if !j.run.GoesOn() {
		return
	}
	if j.rendered == nil {
		j.rendered = &rendered{}
	}
	if j.rendered.Since.IsZero() {
		if j.rendered.Since = time.Now(); j.run.StartedAt != nil {
			j.rendered.Since = *j.run.StartedAt
		}
	}
	switch finished := j.rendered.add(j.journal.frames); {
	case finished:
		j.rendered.Standstill = 0
	case died:
		j.rendered.Standstill++
	}
	j.journal.frames = rendered{}
	if err := e.store.setRendered(j.id, *j.rendered); err != nil {
		e.log.Warn("cannot write down which frames are rendered", "run", j.id, "error", err)
	}
}

// goesOnLocked reports whether another Blender is to go on with a render whose Blender has died. When
// it is not, because the same frame was begun too often, last says so. It needs turn.
func (e *Engine) goesOnLocked(j *job, last *api.Run) bool {
	if last.State != api.Crashed || !j.run.GoesOn() || j.journal.path == "" {
		return false
	}
	e.keepFramesLocked(j, true)
	if j.rendered.Standstill < maxStandstill {
		return true
	}
	if last.Error != nil {
		last.Error.Message = fmt.Sprintf("%d Blenders in a row ended before%s was finished; the last: %s",
			j.rendered.Standstill, j.rendered.where(), last.Error.Message)
	}
	return false
}

// where returns " frame 7" for the frame that is begun, or " a frame".
func (r rendered) where() string {
	if len(r.Begun) == 0 {
		return " a frame"
	}
	return fmt.Sprintf(" frame %d", r.Begun[len(r.Begun)-1])
}

// goOnLocked has a render wait for another Blender, in its place in the queue and with what it has
// printed. It needs turn.
func (e *Engine) goOnLocked(j *job, last api.Run) {
	why := "Blender ended"
	if last.Error != nil {
		why, _, _ = strings.Cut(last.Error.Message, "\n")
	}
	reason := fmt.Sprintf("%s; another Blender goes on, and %d frames are there", why, len(j.rendered.Done))
	e.mu.Lock()
	out, began := j.out, j.began
	e.mu.Unlock()
	e.requeueLocked(j, false)
	e.mu.Lock()
	j.out, j.began, j.run.Reason = out, began, reason
	r := e.snapshotLocked(j)
	e.wakeWorkersLocked()
	e.mu.Unlock()
	e.publishRun(r)
	e.warn(fmt.Sprintf("run %s: %s", r.ID, reason))
}

// recoverRender has a render wait again that the last engine has left unfinished, and reports whether
// it does: when each engine before has ended with no frame finished, it does not.
func (e *Engine) recoverRender(j *job) (goes bool, err error) {
	if !j.run.GoesOn() || j.journal.path == "" || !j.journal.there {
		return false, nil
	}
	e.keepFramesLocked(j, true)
	if j.rendered.Standstill >= maxStandstill {
		return false, nil
	}
	e.warn(fmt.Sprintf("run %d was rendering when the engine ended, and goes on; %d frames are there", j.id, len(j.rendered.Done)))
	return true, e.store.setQueued(j.id, j.repeats)
}
