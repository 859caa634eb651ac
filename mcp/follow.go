package mcp

import (
	"context"
	"fmt"
	"math"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// defaultWait is how long a call waits for its run, in seconds: less than the shortest limit that a
// program for agents is known to have, which is 60 s.
const defaultWait = 25

// maxWait bounds how long a call may wait.
const maxWait = time.Hour

// waitBounds are how many seconds a call may be told to wait.
var waitBounds = bounds{0, maxWait.Seconds()}

// seconds returns a duration of so many seconds, within bounds.
func seconds(s float64) time.Duration {
	if !(s > 0) { // also for NaN
		return 0
	}
	return time.Duration(min(s, maxWait.Seconds()) * float64(time.Second))
}

// seen is what a call has seen of a run.
type seen struct {
	run api.Run
	out printed
	// told is how far the agent was told that the run is, a little more than that, or 0.
	told float64
}

// runToEnd has a run made and returns it with its output when it has ended. When ctx ends, the run is
// cancelled.
func (c *call) runToEnd(ctx context.Context, sub api.Submission) (api.Run, error) {
	s, quiet := c.server, *c
	quiet.quiet = true
	got, err := quiet.submit(ctx, sub, maxWait)
	if err != nil {
		return got.run, err
	}
	if !got.run.State.Final() {
		s.cancel(got.run.ID)
		return got.run, fmt.Errorf("%s has not ended: %w", sub.Name, context.Cause(ctx))
	}
	run, err := s.client.Run(ctx, got.run.ID)
	return run, err
}

// submit has a run made, and returns it when it has ended, when the time to wait is over, or when nobody
// waits any more. A call that the agent cancels cancels the run; an agent that is gone does not. submit
// fails when no run was made.
func (c *call) submit(ctx context.Context, sub api.Submission, wait time.Duration) (got seen, err error) {
	if sub.Session != "" {
		settings, err := c.server.options.Settings(ctx)
		if err != nil {
			return got, err
		}
		sub.Confined = settings.Confine
	}
	// The run is made whatever becomes of the call: only so is its id known, with which it is cancelled.
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var over *time.Timer
	// The events are taken to their end, so that their connection serves the next run.
	for event, err := range c.server.client.SubmitAndFollow(following, sub) {
		switch {
		case err != nil && following.Err() != nil:
			if isCancelled(ctx) {
				c.server.cancel(got.run.ID)
				return got, fmt.Errorf("the call was cancelled, and run %s with it", got.run.ID)
			}
			return got, nil
		case err != nil && got.run.ID == "":
			return got, err
		case err != nil:
			return got, fmt.Errorf("run %s: %w", got.run.ID, err)
		case over == nil:
			got.run = *event.Run
			c.ran()
			over = time.AfterFunc(wait, stop)
			defer over.Stop()
			defer context.AfterFunc(ctx, stop)()
		default:
			c.take(ctx, event, &got)
		}
	}
	return got, nil
}

// take notes an event of the run, tells the agent of progress, and reports whether the run has ended.
func (c *call) take(ctx context.Context, event api.Event, got *seen) (ended bool) {
	if event.ID != got.run.ID {
		return false
	}
	switch event.Kind {
	case api.KindRun:
		if event.Run != nil {
			progress := got.run.Progress
			got.run = *event.Run
			if got.run.Progress == nil {
				got.run.Progress = progress
			}
		}
		return got.run.State.Final()
	case api.KindOutput:
		got.out.add(event.Text)
	case api.KindProgress:
		got.run.Progress = event.Progress
		c.tell(ctx, event.Progress, got)
	}
	return false
}

// tell sends the agent how far a run is, where it has asked for that and the run has come further.
func (c *call) tell(ctx context.Context, p *api.Progress, got *seen) {
	if c.quiet || p == nil || p.Fraction < got.told {
		return
	}
	got.told = math.Nextafter(max(p.Fraction, 0), 2)
	token := c.req.Params.GetProgressToken()
	if token == nil {
		return
	}
	// An agent that does not read is told by the end of the call.
	_ = c.req.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
		ProgressToken: token, Progress: p.Fraction, Total: 1, Message: progressWords(p),
	})
}

// progressWords returns how far a run is, in words.
func progressWords(p *api.Progress) string {
	if p == nil || p.Fraction < 0 {
		return ""
	}
	words := fmt.Sprintf("%d %%", int(math.Floor(p.Fraction*100)))
	if p.Frames > 0 {
		words += fmt.Sprintf(", frame %d of %d", min(p.FramesDone+1, p.Frames), p.Frames)
	}
	if p.RemainingSeconds > 0 {
		words += fmt.Sprintf(", %s left", time.Duration(p.RemainingSeconds*float64(time.Second)).Round(time.Second))
	}
	return words
}

// cancelTime is how long the server tries to cancel the run of a call that is over.
const cancelTime = 10 * time.Second

// cancel cancels a run for a call that is over, so that nobody is there to be told when that fails: the
// run has ended then, or the engine has.
func (s *Server) cancel(id string) {
	ctx, stop := context.WithTimeout(context.Background(), cancelTime)
	defer stop()
	_, _ = s.client.Cancel(ctx, id)
}
