package farm

import (
	"context"
	"errors"

	"blendtray/api"
)

// Engine is what a [Worker] needs of the engine of its machine. An engine makes no second run for a
// submission with the key of an earlier one, so a worker that starts again finds its runs.
type Engine interface {
	// Follow makes a run and returns it with the events of the run.
	Follow(ctx context.Context, s api.Submission) (api.Run, Subscription, error)
	// Run returns a run with its output.
	Run(ctx context.Context, id string) (api.Run, error)
	// Cancel ends a run.
	Cancel(ctx context.Context, id string) (api.Run, error)
	// Status returns the state of the engine.
	Status() api.Status
}

// Subscription is a stream of events. Events is closed when the engine ends.
type Subscription interface {
	Events() <-chan api.Event
	Close()
}

// Prepared is a job that the engine can run.
type Prepared struct {
	Submission api.Submission
	// Finish is called when the run has ended, with the run. It returns the files that the run has
	// made, which then are in the object store. It may be nil.
	Finish func(ctx context.Context, run api.Run) ([]File, error)
}

// Porter makes of a job what an engine runs. An attempt is a name that no other attempt of any job has.
type Porter interface {
	// Prepare brings the files of a job to this machine. With resumed set, an earlier worker of this machine
	// has begun the run: what it needs is there, and a file that the run has made and that is gone is lost.
	Prepare(ctx context.Context, c *Client, job Job, attempt string, resumed bool) (Prepared, error)
	// Discard removes what an attempt has made, when it is settled what becomes of its job. With counts set,
	// the attempt's result is the job's.
	Discard(job Job, attempt string, counts bool)
	// Tidy removes what attempts have left that are none of these.
	Tidy(attempts []string)
}

// ErrLost is the error for what a run has made and what is gone before it was sent.
var ErrLost = errors.New("what the run has made is lost")

// noPorter is for jobs that have no files.
type noPorter struct{}

func (noPorter) Discard(Job, string, bool) {}
func (noPorter) Tidy([]string)             {}

// Prepare prepares a job that has no files.
func (noPorter) Prepare(_ context.Context, _ *Client, job Job, _ string, _ bool) (Prepared, error) {
	s := api.Submission{
		Code: job.Code, Name: job.Name, Args: job.Args, Scene: "fresh", Render: job.Render,
		TimeLimitSeconds: job.TimeLimitSeconds, Blender: job.Needs.Blender,
	}
	if job.Kind == KindRender || job.Shared && job.Scene != "" {
		s.Scene = job.Scene
	}
	if job.Kind == KindRender {
		s.Name = ""
	}
	return Prepared{Submission: s}, nil
}
