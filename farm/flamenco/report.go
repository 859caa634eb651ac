package flamenco

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// report sends the manager what a task does, in order. What is printed is collected and sent at
// intervals; a new status is sent at once, with all that was printed before it. While the manager does
// not answer, the report is kept.
type report struct {
	leaving sync.Once // sets leaveAt, until when updates are sent after the worker was ended
	leaveAt time.Time

	*Worker
	task   string
	cancel context.CancelCauseFunc
	wake   chan struct{}

	mu    sync.Mutex
	log   strings.Builder
	left  int        // how many bytes of the log had no room
	next  taskUpdate // the status and the activity that come next
	ended bool
}

const (
	// maxLog is how much of a log waits for a manager that does not answer.
	maxLog = 4 << 20
	// maxLogUpdate is how much of a log goes into one update.
	maxLogUpdate = 256 << 10
)

// newReport returns the report of a task. cancel ends the task when it is not this worker's any more.
func newReport(w *Worker, task string, cancel context.CancelCauseFunc) *report {
	return &report{Worker: w, task: task, cancel: cancel, wake: make(chan struct{}, 1)}
}

// print adds text to the log.
func (r *report) print(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.log.Len()+len(text) > maxLog {
		r.left += len(text)
		return
	}
	r.log.WriteString(text)
}

func (r *report) printf(format string, args ...any) { r.print(fmt.Sprintf(format, args...)) }

// set sets the status, at once, or the activity.
func (r *report) set(u taskUpdate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next.Activity = u.Activity
	if u.Status != "" {
		r.next.Status = u.Status
		r.hurry()
	}
}

// end has serve return when all is sent.
func (r *report) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.hurry()
}

func (r *report) hurry() {
	select {
	case r.wake <- struct{}{}:
	default: // it hurries already
	}
}

// take returns the next update, and whether it is the last; ok is false when there is nothing to send.
func (r *report) take() (u taskUpdate, ok, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.log.String()
	u.Log = text
	if len(text) > maxLogUpdate {
		// A piece ends with a line where it can.
		end := strings.LastIndexByte(text[:maxLogUpdate], '\n') + 1
		if end == 0 {
			end = maxLogUpdate
		}
		u.Log = text[:end]
	}
	rest := text[len(u.Log):]
	r.log.Reset()
	r.log.WriteString(rest)
	if rest == "" {
		if r.left > 0 {
			u.Log += fmt.Sprintf("(%d bytes of the log were left out)\n", r.left)
			r.left = 0
		}
		u.Status, u.Activity = r.next.Status, r.next.Activity
		r.next = taskUpdate{}
	}
	return u, u != taskUpdate{}, r.ended && rest == ""
}

// serve sends the report until it has ended and all of it is sent. When ctx ends before, the rest gets
// the time of a farewell.
func (r *report) serve(ctx context.Context) {
	for {
		r.await(ctx)
		for {
			u, ok, last := r.take()
			if ok {
				r.send(ctx, u)
			}
			if last {
				return
			}
			if !ok {
				break
			}
		}
	}
}

// await waits until something hurries, or the time for the next report has come.
func (r *report) await(ctx context.Context) {
	wait, stop := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.pauses.report)
	defer stop()
	select {
	case <-r.wake:
	case <-wait.Done():
	}
}

// send sends an update, until the manager takes it, refuses it, or ctx has ended and the time of a
// farewell is over.
func (r *report) send(ctx context.Context, u taskUpdate) {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		// The time of a farewell is one for all updates that are left.
		r.leaving.Do(func() { r.leaveAt = time.Now().Add(r.cfg.pauses.farewell) })
		_ = pause(sending, time.Until(r.leaveAt))
		stop()
	})()
	err := r.insist(sending, "update of the task "+r.task, func() error { return r.manager.update(sending, r.task, u) })
	switch {
	case err == nil:
	case isConflict(err):
		r.cancel(errTakenBack{"another worker has it"})
	default:
		r.cfg.Logger.Warn("flamenco: a report of a task is lost", "task", r.task, "status", u.Status, "error", err)
	}
}
