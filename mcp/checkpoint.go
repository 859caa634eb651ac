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
		changes:     func(in checkpointIn) string { return "keep a copy of the scene of the session " + in.Session + "." },
		do: func(ctx context.Context, c *call, in checkpointIn) (*sdk.CallToolResult, error) {
			session, err := c.session(in.Session)
			if err != nil {
				return nil, err
			}
			done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionCheckpoint}, defaultWait*time.Second)
			if busy != nil || err != nil {
				return busy, err
			}
			res := text("checkpoint %d of session %s is kept", newest(done.Session), session)
			res.Meta = handles(done.Run)
			res.Meta[checkpointHandle] = newest(done.Session)
			return res, nil
		},
	})
}

// checkpointFirst makes a checkpoint of a session before something changes its scene, and begins the
// session if it is not there. note says which checkpoint was made, or that the scene is lost and there is
// nothing to keep. That is found out after the runs of the session that wait or go on. Where the session is
// still busy when the time is over, busy says with what.
func (c *call) checkpointFirst(ctx context.Context, session string, wait time.Duration) (note string, busy *sdk.CallToolResult, err error) {
	asked := time.Now()
	is, err := c.server.client.Session(ctx, session)
	switch {
	case errors.Is(err, api.ErrNoSession):
		limited, stop := context.WithTimeout(ctx, wait+beginTime)
		defer stop()
		begun, err := c.runToEnd(limited, api.Submission{
			Code: []byte("pass\n"), Name: "<begin session>", Session: session, Scene: "keep", Client: c.client(),
		})
		if err == nil && begun.State != api.Succeeded {
			err = fmt.Errorf("session %s can't begin: %s", session, whyNot(begun))
		}
		if err != nil {
			return "", nil, err
		}
	case err != nil:
		return "", nil, err
	case isLost(is) && is.Run == "" && is.Queued == 0: // else a run begins the session anew
		note = "no checkpoint: the scene is lost, because " + is.Reason
		if len(is.Checkpoints) > 0 {
			note += fmt.Sprintf("; restore goes back to checkpoint %d", newest(is))
		}
		return note, nil, nil
	}
	done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionCheckpoint}, wait)
	if left := wait - time.Since(asked); err != nil && left > 0 && ctx.Err() == nil {
		if now, failed := c.server.client.Session(ctx, session); failed == nil && isLost(now) {
			return c.checkpointFirst(ctx, session, left) // a run before this call has cost the scene
		}
	}
	if busy != nil || err != nil {
		return "", busy, err
	}
	return fmt.Sprintf("checkpoint %d", newest(done.Session)), nil, nil
}

// isLost reports whether a session has no scene: its Blender is gone.
func isLost(s api.Session) bool { return s.State == api.SessionCrashed || s.State == api.SessionEnded }

// beginTime is how long a call waits longer than it is asked to while its session begins: a Blender has to
// start on a machine where none waits.
const beginTime = 30 * time.Second

// newest returns the number of the newest checkpoint of a session, or 0.
func newest(s api.Session) int {
	if n := len(s.Checkpoints); n > 0 {
		return s.Checkpoints[n-1].Number
	}
	return 0
}

// operate has a session do an operation within a time. Where the session is still busy then, an operation
// that waits is withdrawn, one that has begun goes on, and busy is the answer that says so.
func (c *call) operate(ctx context.Context, req api.SessionRequest, wait time.Duration) (done api.SessionDone, busy *sdk.CallToolResult, err error) {
	req.Client = c.client()
	limited, stop := context.WithTimeout(ctx, max(wait, time.Second))
	defer stop()
	// An operation that begins the session has it confined from then on, and is refused where it can't be.
	req.Confined = c.settings.Confine && !req.Operation.NeedsSession()
	done, err = c.server.client.DoInSession(limited, req)
	if done.Run.ID != "" {
		c.ran()
	}
	if err == nil || limited.Err() == nil || ctx.Err() != nil {
		return done, nil, err
	}
	session, err := c.server.client.Session(ctx, req.Session)
	if err != nil {
		return done, nil, err
	}
	return done, busyWith(session), nil
}

// busyWith returns the answer for a session that is busy.
func busyWith(session api.Session) *sdk.CallToolResult {
	what := fmt.Sprintf("session %s is busy, and this was not done", session.Name)
	if session.Run != "" {
		what += fmt.Sprintf(": run %s goes on; call wait_run with run %q, or cancel_run to end it", session.Run, session.Run)
	}
	res := text("%s", what)
	res.IsError = true
	res.Meta = sdk.Meta{"blendtray/run": session.Run, "blendtray/session": session.Name}
	return res
}
