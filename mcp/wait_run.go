package mcp

import (
	"context"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

type waitRun struct {
	Run  string  `json:"run" jsonschema:"the run's id"`
	Wait float64 `json:"wait,omitempty" jsonschema:"seconds to wait for the end"`
}

func registerWaitRun(s *Server) {
	add(s, tool[waitRun]{
		name:        "wait_run",
		description: "Wait until a run has ended and return its output and result.",
		defaults:    map[string]any{"wait": defaultWait},
		bounds:      map[string]bounds{"wait": waitBounds},
		do: func(ctx context.Context, c *call, in waitRun) (*sdk.CallToolResult, error) {
			got, err := c.await(ctx, in.Run, in.Wait)
			if err != nil {
				return nil, err
			}
			return answerOf(got), nil
		},
	})
}

// await waits for the end of a run that was made before, as long as the call waits, and returns the run
// with what it has printed. A call that the agent cancels ends the waiting alone: it is not the call that
// has made the run.
func (c *call) await(ctx context.Context, id string, wait float64) (seen, error) {
	waiting, stop := context.WithTimeout(ctx, seconds(wait))
	defer stop()
	var got seen
	var err error
	if got.run, err = c.server.client.Run(ctx, id); err == nil && !got.run.State.Final() && wait > 0 {
		c.awaitEnd(waiting, &got)
		got.run, err = c.server.client.Run(context.WithoutCancel(ctx), id)
	}
	if err != nil {
		return got, err
	}
	got.out.add(got.run.Output)
	return got, nil
}

// awaitEnd returns when a run has ended, or when ctx ends or the engine is gone.
func (c *call) awaitEnd(ctx context.Context, got *seen) {
	moments := c.server.watch.follow(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-moments:
			if m.err != nil {
				return
			}
			// The first event shows that the stream works, a gap that something was missed: the run may have
			// ended meanwhile.
			if m.event.Kind == "note" || m.event.Kind == "gap" {
				run, err := c.server.client.Run(ctx, got.run.ID)
				if err != nil || run.State.Final() {
					return
				}
				continue
			}
			if c.take(ctx, m.event, got) {
				return
			}
		}
	}
}
