package engine

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// Direct executes a single run without an engine: in a Blender that is there already, as `blendtray
// run --attach` does when no engine runs, or in one that is there for the run alone, as
// `blendtray run --debug` does.
type Direct struct {
	// Blender is a Blender that the caller serves.
	Blender interface {
		Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error)
	}
	// Runs holds the default time limit and the amount of output that is kept.
	Runs api.RunSettings
	// Sink receives what the run does; it may be nil.
	Sink blender.Sink
	// Debug, when it is not nil, has the run wait for a debugger. The Blender is then there for this
	// run alone, which has the scene and the isolation of the submission.
	Debug *blender.Debug
}

// Run executes a submission and returns the ended run with its output. The run has no id before
// [Record] assigns it. Ending ctx cancels the run. Run fails as Blender's Run does when nothing
// was executed, and with [api.ErrBad] or [api.ErrTooLarge] for an invalid submission.
func (d Direct) Run(ctx context.Context, s api.Submission) (api.Run, error) {
	s.Attach = d.Debug == nil
	j, err := newJob(s, d.Runs)
	if err != nil {
		return api.Run{}, err
	}
	if d.Runs.Output == 0 {
		d.Runs.Output = DefaultOutputLimit
	}
	j.run.ID = "direct"
	if d.Debug == nil {
		j.run.Isolation = api.IsolateKeep // a person has the scene open
		if j.run.Scene == "fresh" {
			j.run.Scene = "keep"
		}
		j.run.Blender = openName(s.PID)
	}
	j.run.QueuedAt = time.Now().UTC().Round(0)
	j.run.TimeLimitSeconds = j.limit.Seconds()
	j.run.Origin, _ = os.Hostname() // a machine without a name has no origin to report
	sink := &directSink{out: newCapture(int(d.Runs.Output)), next: d.Sink}
	req := j.request(s.Code)
	req.Debug = d.Debug
	out, err := d.Blender.Run(ctx, req, sink)
	if err != nil {
		return api.Run{}, err
	}
	why := ""
	if ctx.Err() != nil {
		why = context.Cause(ctx).Error()
	}
	last, r := ending(out, why, false), j.run
	started, finished := out.Started.UTC().Round(0), time.Now().UTC().Round(0)
	r.ID, r.State, r.Reason, r.Error, r.Result = "", last.State, last.Reason, last.Error, last.Result
	r.ExitCode = last.ExitCode
	r.Outputs = append([]string{}, last.Outputs...)
	r.BlenderVersion, r.StartedAt, r.FinishedAt = last.BlenderVersion, &started, &finished
	r.Seconds = time.Since(out.Started).Seconds()
	sink.end()
	r.Output, r.OutputBytes = sink.out.String(), sink.out.bytes()
	return r, nil
}

// Record writes a run that [Direct.Run] returned, and its code, into the history of the database
// at path. It returns the run with its id. The caller makes sure that no engine has the database
// open meanwhile.
func Record(path string, r api.Run, code []byte) (api.Run, error) {
	st, _, err := openStore(path)
	if err != nil {
		return r, err
	}
	j := &job{isFile: filepath.IsAbs(r.Script), run: r}
	j.limit = time.Duration(r.TimeLimitSeconds * 1e9)
	if err := st.record(insert{job: j, code: code}, kept{text: r.Output}); err != nil {
		_ = st.close() // the caller gets the first error
		return r, err
	}
	return j.run, st.close()
}

// directSink keeps what a run prints and passes on everything that the run does.
type directSink struct {
	out  *capture
	next blender.Sink
}

func (s *directSink) Started(at time.Time) {
	if s.next != nil {
		s.next.Started(at)
	}
}

func (s *directSink) Output(p []byte) {
	text := s.out.write(p)
	if s.next != nil {
		s.next.Output(text)
	}
}

func (s *directSink) Progress(p api.Progress) {
	if s.next != nil {
		s.next.Progress(p)
	}
}

func (s *directSink) end() {
	if rest := s.out.end(); s.next != nil && len(rest) > 0 {
		s.next.Output(rest)
	}
}
