package flamenco

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"blendtray/api"
)

// job is a task that is being executed.
type job struct {
	*Worker
	task   *assignedTask
	report *report
	// attempt makes the keys of runs unique: a manager may give a worker the same task again.
	attempt string
}

// errTakenBack is the cause of a task's end that the manager wants, or that has another worker's hands.
type errTakenBack struct{ reason string }

func (e errTakenBack) Error() string { return "the manager has taken the task back: " + e.reason }

// perform executes a task and reports how it went. A task that ends because the manager wants it, or
// because ctx does, is reported as neither: the manager gives it to a worker again, or has cancelled it.
func (w *Worker) perform(ctx context.Context, task *assignedTask) {
	w.cfg.Tell(fmt.Sprintf("task %s of the job type %s begins", task.Name, task.JobType))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j := &job{Worker: w, task: task, report: newReport(w, task.ID, cancel), attempt: attemptID()}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		j.report.serve(ctx)
	}()
	watched := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		j.watch(watching, cancel)
	}()

	j.report.set(taskUpdate{Status: taskActive, Activity: "Started"})
	err := j.all(ctx)
	stop()
	<-watched
	switch cause := context.Cause(ctx); {
	case cause != nil:
		j.report.printf("stopped: %v\n", cause)
		w.cfg.Tell(fmt.Sprintf("task %s is stopped: %v", task.Name, cause))
	case err != nil:
		j.report.printf("failed: %v\n", err)
		j.report.set(taskUpdate{Status: taskFailed, Activity: "Failed: " + firstLine(err.Error())})
		w.cfg.Tell(fmt.Sprintf("task %s has failed: %s", task.Name, firstLine(err.Error())))
	default:
		j.report.set(taskUpdate{Status: taskCompleted, Activity: "Completed"})
		w.cfg.Tell(fmt.Sprintf("task %s is completed", task.Name))
	}
	j.report.end()
	<-sent
}

func attemptID() string {
	return fmt.Sprintf("%d-%x", os.Getpid(), time.Now().UnixNano())
}

// all executes the commands of the task, until one fails.
func (j *job) all(ctx context.Context) error {
	if len(j.task.Commands) == 0 {
		return errors.New("the task has no commands")
	}
	for i, c := range j.task.Commands {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		do, ok := commands[c.Name]
		if !ok {
			return fmt.Errorf("this worker has no command %q", c.Name)
		}
		if err := do(ctx, j, i, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// watch asks the manager whether the task may go on, until ctx ends, and cancels it when it may not. A
// manager that does not answer changes nothing.
func (j *job) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for pause(ctx, j.cfg.pauses.mayRun) == nil {
		may, err := j.manager.mayRun(ctx, j.task.ID)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && passes(err):
			j.cfg.Logger.Warn("flamenco: no answer to the question whether the task may go on", "task", j.task.ID, "error", err)
		case err != nil:
			cancel(errTakenBack{err.Error()})
		case !may.May && may.StatusChanges:
			cancel(errTakenBack{"the worker is to change its state"})
		case !may.May:
			cancel(errTakenBack{cmp.Or(may.Reason, "it gives no reason")})
		}
	}
}

// run has the engine execute a run for a command, with its output in the log of the task. It fails when
// the run does not succeed. When ctx ends, the run is cancelled, and run returns when it has ended.
func (j *job) run(ctx context.Context, i int, sub api.Submission) error {
	sub.Key = fmt.Sprintf("flamenco/%s/%d/%s", j.task.ID, i, j.attempt)
	sub.Client = "Flamenco: " + cut(j.task.Name, 150)
	sub.Blender = cmp.Or(sub.Blender, j.cfg.Blender)
	f := &following{job: j, started: make(chan string, 1)}
	following, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	ended := make(chan struct{})
	cancelled := make(chan struct{})
	go func() {
		defer close(cancelled)
		f.cancelWith(ctx, ended, giveUp)
	}()
	defer func() {
		close(ended)
		<-cancelled
	}()

	deadline := time.Now().Add(j.cfg.pauses.engine)
	for wait := j.backOff(); ; {
		last, err := f.once(following, sub)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			return verdict(last)
		case !j.cfg.Lost(err):
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("the engine is gone: %w", err)
		}
		// The same key finds the same run again, where the next engine goes on with it.
		j.report.printf("the engine does not answer, and is asked again: %v\n", err)
		if err := wait.wait(ctx); err != nil {
			return err
		}
	}
}

// following is how a job follows a run.
type following struct {
	*job
	started chan string // the id of the run, once
	told    bool
	lines   lineFilter
	at      int64 // how many bytes of the output have been seen
	picture string
	version string
}

// cancelWith cancels the run when ctx ends, unless the run has ended before. A run whose end does not come
// within a minute is given up.
func (f *following) cancelWith(ctx context.Context, ended <-chan struct{}, giveUp func()) {
	var id string
	select {
	case id = <-f.started:
	case <-ended:
		return
	}
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	asking, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer stop()
	if _, err := f.cfg.Engine.Cancel(asking, id); err != nil {
		f.cfg.Logger.Warn("flamenco: the run can't be cancelled", "run", id, "error", err)
	}
	select {
	case <-ended:
	case <-asking.Done():
		giveUp()
	}
}

// once submits the run and follows it to its end. It returns the ended run, and fails when it could not
// be followed so far.
func (f *following) once(ctx context.Context, sub api.Submission) (last api.Run, err error) {
	for ev, err := range f.cfg.Engine.SubmitAndFollow(ctx, sub) {
		if err != nil {
			return last, err
		}
		f.event(ev)
		if ev.Run != nil && ev.Kind == api.KindRun {
			last = *ev.Run
		}
	}
	f.report.print(f.lines.rest())
	if n := len(last.Outputs); n > 0 {
		f.pictures.offer(f.task.ID, last.Outputs[n-1])
	}
	return last, nil
}

// event takes an event of the run into the report.
func (f *following) event(ev api.Event) {
	if ev.Run != nil && ev.Kind == api.KindRun {
		if !f.told {
			f.told = true
			f.started <- ev.Run.ID
			f.report.printf("run %s of the engine\n", ev.Run.ID)
		}
		if v := ev.Run.ExecutedBy(); v != "" && v != f.version {
			f.version = v
			f.report.print(f.lines.rest())
			f.report.printf("in Blender %s\n", v)
		}
	}
	switch ev.Kind {
	case api.KindOutput:
		if ev.From > f.at && f.at > 0 {
			f.report.printf("(%d bytes are only in the history of this worker)\n", ev.From-f.at)
		}
		f.at = ev.From + int64(len(ev.Text))
		f.report.print(f.lines.take(ev.Text))
	case api.KindProgress:
		if p := ev.Progress; p != nil && p.Text != "" {
			f.report.set(taskUpdate{Activity: firstLine(p.Text)})
		}
	case api.KindPreview:
		if ev.Live && ev.Run != nil && ev.Run.Preview != f.picture {
			f.picture = ev.Run.Preview
			f.pictures.offer(f.task.ID, f.picture)
		}
	}
}

// verdict returns an error for a run that has not succeeded.
func verdict(r api.Run) error {
	if r.State == api.Succeeded {
		return nil
	}
	text := "the run " + r.ID + " is " + string(r.State)
	if r.Error != nil {
		text += ": " + r.Error.Type + ": " + r.Error.Message
		if r.Error.Line > 0 {
			text += fmt.Sprintf(" (line %d)", r.Error.Line)
		}
	} else if r.Reason != "" {
		text += ": " + r.Reason
	}
	return errors.New(text)
}

// lineFilter leaves out the lines by which Blender says many times a second how far a render is.
type lineFilter struct{ begun string }

// take takes more text and returns the whole lines that stay.
func (l *lineFilter) take(text string) string {
	l.begun += text
	end := strings.LastIndexByte(l.begun, '\n') + 1
	if end == 0 && len(l.begun) > maxLine {
		end = len(l.begun) // it is too long to wait for its end
	}
	var kept strings.Builder
	for line := range strings.Lines(l.begun[:end]) {
		if !api.IsRenderStatus([]byte(strings.TrimRight(line, "\r\n"))) {
			kept.WriteString(line)
		}
	}
	l.begun = l.begun[end:]
	return kept.String()
}

// rest returns the last line, which has no end.
func (l *lineFilter) rest() string {
	text := l.begun
	l.begun = ""
	if text == "" || api.IsRenderStatus([]byte(text)) {
		return ""
	}
	return text + "\n"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return cut(line, 250)
}

// cut returns the beginning of a text of at most n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// isConflict reports whether the manager has given a task to another worker.
func isConflict(err error) bool { return codeOf(err) == http.StatusConflict }
