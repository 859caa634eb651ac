package mcp

import (
	"context"
	"errors"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type cancelRun struct {
	Run string `json:"run" jsonschema:"the run's id"`
}

func registerCancelRun(s *Server) {
	add(s, tool[cancelRun]{
		name:        "cancel_run",
		description: "End a run that waits or goes on.",
		changes:     func(in cancelRun) string { return "cancel the run " + in.Run + "." },
		do: func(ctx context.Context, c *call, in cancelRun) (*sdk.CallToolResult, error) {
			if _, err := c.server.client.Cancel(ctx, in.Run); err != nil && !errors.Is(err, api.ErrEnded) {
				return nil, err
			}
			got, err := c.await(ctx, in.Run, defaultWait)
			if err != nil {
				return nil, err
			}
			res := answerOf(got)
			res.IsError = false // it was asked for
			return res, nil
		},
	})
}
