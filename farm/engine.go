package farm

import (
	"context"

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
	// Close removes what was prepared. It may be nil.
	Close func()
}

// Preparer makes of a job what an engine runs: it brings the files of the job to this machine. The
// attempt is a name that no other attempt has, for the folder of outputs.
type Preparer func(ctx context.Context, c *Client, job Job, attempt string) (Prepared, error)

// prepareScript prepares a job that has no files.
func prepareScript(_ context.Context, _ *Client, job Job, _ string) (Prepared, error) {
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
