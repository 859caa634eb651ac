package engine

import (
	"errors"
	"time"

	"blendtray/api"
)

const (
	// quickRun is how long the last run of a session may have taken, if the next is to be sent while the
	// current run goes on: the current run is then mostly over when the next is written down.
	quickRun = 10 * time.Millisecond
	// followPatience is how long a run that was sent so waits for its Blender before it is taken back.
	followPatience = 20 * time.Millisecond
)

// errTakenBack ends the wait of a run for its Blender, so that the run waits in the queue again.
var errTakenBack = errors.New("the run before it goes on")

// follows reports whether a run may be sent while the run before it in its session is being executed:
// the session's Blender then gets the run at the moment at which it is free. To write a run down takes
// as long as to execute a short run, and so the two happen at the same time. Only code does so of
// which nothing is lost when it is sent too early: no file, of which a newer save may come, nothing
// that the fleet prepares, and no run that had to be taken back before.
func (l *load) follows(j *job) bool {
	return j.line.kind == sessionLine && l.quick[j.line] && l.running[j.line] == 1 && l.sent[l.need(j)] == 0 &&
		!j.isFile && !j.patient && j.run.Render == nil && operationOf(&j.run) == ""
}

// isEarlyLocked reports whether a job was sent while the run before it in its session goes on, and has no
// Blender yet. Clients see it as a run that waits: it may be taken back, of which no event tells. It needs
// Engine.mu.
func (j *job) isEarlyLocked() bool {
	return j.execution != nil && !j.follows.IsZero() && j.stake != nil && j.stake.sent
}

// ended notes how the last run of a line has ended.
func (l *load) ended(of line, r *api.Run) {
	switch {
	case of.kind != sessionLine:
	case r.StartedAt != nil && r.Seconds <= l.quickRun.Seconds() && (r.State == api.Succeeded || r.State == api.Failed):
		if len(l.quick) > len(l.running)+100 { // sessions that have ended; those that go on are noted anew
			clear(l.quick)
		}
		l.quick[of] = true
	default:
		delete(l.quick, of)
	}
}

// watchFollowers has the runs taken back that were sent behind a run which goes on for longer than
// expected. One timer serves all of them.
func (e *Engine) watchFollowers() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.followersDue {
		e.followersDue = true
		time.AfterFunc(e.followPatience, e.takeFollowersBack)
	}
}

// takeFollowersBack has each run wait in the queue again that has waited for its Blender for
// followPatience, and has itself called again where such runs are left.
func (e *Engine) takeFollowersBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := time.Duration(0)
	for _, j := range e.running {
		if !j.isEarlyLocked() {
			continue
		}
		left := e.followPatience - time.Since(j.follows)
		if left <= 0 && !j.back {
			j.back, j.patient = true, true
			j.cancel(errTakenBack)
		}
		if left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	if e.followersDue = next > 0; e.followersDue {
		time.AfterFunc(next, e.takeFollowersBack)
	}
}
