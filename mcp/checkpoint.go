package mcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type checkpointIn struct {
	Session string `json:"session,omitempty" jsonschema:"session whose scene is kept"`
}

func registerCheckpoint(s *Server) {
	add(s, tool[checkpointIn]{
		name:        "checkpoint",
		description: "Keep a copy of the session's scene that restore can go back to.",
		do: func(ctx context.Context, c *call, in checkpointIn) (*sdk.CallToolResult, error) {
			session, err := c.session(in.Session)
			if err != nil {
				return nil, err
			}
			number, busy, err := c.checkpointFirst(ctx, session, defaultWait*time.Second)
			if busy != nil || err != nil {
				return busy, err
			}
			return text("checkpoint %d of session %s is kept", number, session), nil
		},
	})
}

// checkpointFirst makes a checkpoint of a session, and begins the session if it is not there. Where the
// session is still busy when the time is over, nothing was done, and busy says with what.
func (c *call) checkpointFirst(ctx context.Context, session string, wait time.Duration) (number int, busy *sdk.CallToolResult, err error) {
	done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionCheckpoint}, wait)
	if errors.Is(err, api.ErrNoSession) {
		if _, err = c.server.runToEnd(ctx, api.Submission{
			Code: []byte("pass\n"), Name: "<begin session>", Session: session, Scene: "keep", Client: c.client(),
		}); err != nil {
			return 0, nil, err
		}
		done, busy, err = c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionCheckpoint}, wait)
	}
	if busy != nil || err != nil {
		return 0, busy, err
	}
	return newest(done.Session), nil, nil
}

// newest returns the number of the newest checkpoint of a session, or 0.
func newest(s api.Session) int {
	if n := len(s.Checkpoints); n > 0 {
		return s.Checkpoints[n-1].Number
	}
	return 0
}

// operate has a session do an operation within a time. Where the session is still busy then, the
// operation is withdrawn, and busy is the answer that says so.
func (c *call) operate(ctx context.Context, req api.SessionRequest, wait time.Duration) (done api.SessionDone, busy *sdk.CallToolResult, err error) {
	req.Client = c.client()
	limited, stop := context.WithTimeout(ctx, max(wait, time.Second))
	defer stop()
	if req.Operation == api.SessionOpen && c.settings.Confine {
		// A session is confined from its first run on, and only a run can ask for that.
		if _, err := c.submit(ctx, api.Submission{
			Code: []byte("pass"), Name: "<begin confined>", Session: req.Session, Client: req.Client,
		}, max(wait, time.Second)); err != nil {
			return done, nil, err
		}
	}
	done, err = c.server.client.DoInSession(limited, req)
	if err == nil || limited.Err() == nil || ctx.Err() != nil {
		return done, nil, err
	}
	session, err := c.server.client.Session(ctx, req.Session)
	if err != nil {
		return done, nil, err
	}
	what := fmt.Sprintf("session %s is busy, and nothing was done", req.Session)
	if session.Run != "" {
		what += fmt.Sprintf(": run %s goes on; call wait_run with run %q, or cancel_run to end it", session.Run, session.Run)
	}
	res := text("%s", what)
	res.IsError = true
	return done, res, nil
}
