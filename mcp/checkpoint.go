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
// session if it is not there. note says which checkpoint was made, or why there is nothing to keep: the scene
// is lost, or the session can't begin in time. That is found out after the runs of the session that wait or go
// on. Where the session is still busy when the time is over, busy says with what.
func (c *call) checkpointFirst(ctx context.Context, session string, wait time.Duration) (note string, busy *sdk.CallToolResult, err error) {
	asked := time.Now()
	is, err := c.server.client.Session(ctx, session)
	switch {
	case errors.Is(err, api.ErrNoSession):
		limited, stop := context.WithTimeout(ctx, max(wait, time.Second))
		defer stop()
		begun, err := c.runToEnd(limited, api.Submission{
			Code: []byte("pass\n"), Name: "<begin session>", Session: session, Scene: "keep", Client: c.client(),
		})
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			return "no checkpoint: the session had not begun", nil, nil // what comes next says what it waits for
		}
		if err == nil && begun.State != api.Succeeded {
			err = fmt.Errorf("session %s can't begin: %s", session, whyNot(begun))
		}
		if err != nil {
			return "", nil, err
		}
	case err != nil:
		return "", nil, err
	case isIdle(is) && isLost(is): // else a run begins the session anew
		return lostNote(is), nil, nil
	}
	done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionCheckpoint}, wait-time.Since(asked))
	if left := wait - time.Since(asked); err != nil && ctx.Err() == nil {
		if now, failed := c.server.client.Session(ctx, session); failed == nil && isLost(now) && (left > 0 || isIdle(now)) {
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

// isIdle reports whether no run of a session waits or goes on.
func isIdle(s api.Session) bool { return s.Run == "" && s.Queued == 0 }

// lostNote says why there is no checkpoint of a session whose scene is gone.
func lostNote(s api.Session) string {
	note := "no checkpoint: the scene is lost, because " + s.Reason
	if len(s.Checkpoints) > 0 {
		note += fmt.Sprintf("; restore goes back to checkpoint %d", newest(s))
	}
	return note
}

// newest returns the number of the newest checkpoint of a session, or 0.
func newest(s api.Session) int {
	if n := len(s.Checkpoints); n > 0 {
		return s.Checkpoints[n-1].Number
	}
	return 0
}

// operate has a session do an operation within a time. Where it is not done then, an operation that waits is
// withdrawn, one that has begun goes on, and busy is the answer that says what it has waited for.
func (c *call) operate(ctx context.Context, req api.SessionRequest, wait time.Duration) (done api.SessionDone, busy *sdk.CallToolResult, err error) {
	req.Client = c.client()
	limited, stop := context.WithCancel(ctx)
	defer stop()
	why := ""
	over := time.AfterFunc(max(wait, time.Second), func() {
		why = c.waitsFor(limited, req.Session) // while it waits
		stop()
	})
	defer over.Stop()
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
	if why != "" && (err != nil || session.State != api.SessionRunning) {
		return done, nil, fmt.Errorf("session %s waits, and this was not done: %s", req.Session, why)
	}
	if err != nil {
		return done, nil, err
	}
	return done, busyWith(session), nil
}

// maxQueueTime is how long a call asks for what its operation waits for.
const maxQueueTime = 2 * time.Second

// waitsFor returns what the first run that waits in a session waits for, or "" when that is not known.
func (c *call) waitsFor(ctx context.Context, session string) string {
	ctx, stop := context.WithTimeout(ctx, maxQueueTime)
	defer stop()
	queued, _, err := c.server.client.Queue(ctx, 0)
	if err != nil {
		return "" // the call says of the session what it knows
	}
	for _, q := range queued {
		if q.Run.Session == session {
			return q.Why
		}
	}
	return ""
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
