package mcp

import (
	"context"
	"encoding/json"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// listedObjects is how many objects or items an answer lists where the call does not say it.
const listedObjects = 30

type sceneSummaryIn struct {
	Session string `json:"session,omitempty" jsonschema:"session to look at"`
	From    int    `json:"from,omitempty" jsonschema:"number of the first object to list"`
	Limit   int    `json:"limit,omitempty" jsonschema:"how many objects to list"`
}

func registerSceneSummary(s *Server) {
	add(s, tool[sceneSummaryIn]{
		name:        "scene_summary",
		description: "Describe the scene: counts, collections, objects, camera, units, missing files, changes since the checkpoint.",
		defaults:    map[string]any{"limit": listedObjects},
		bounds:      map[string]bounds{"from": {0, maxFrom}, "limit": {1, api.MaxLooked}},
		do: func(ctx context.Context, c *call, in sceneSummaryIn) (*sdk.CallToolResult, error) {
			return c.lookAsText(ctx, in.Session, api.Look{What: "summary", From: in.From, Max: in.Limit})
		},
	})
}

// lookAsText looks at the scene of a session and answers with what was seen, as JSON.
func (c *call) lookAsText(ctx context.Context, session string, look api.Look) (*sdk.CallToolResult, error) {
	done, busy, err := c.look(ctx, session, look)
	if busy != nil || err != nil {
		return busy, err
	}
	run := done.Run
	res := text("%s", run.Result)
	if len(run.Result) > maxText {
		res.Content = append(res.Content, &sdk.TextContent{Text: "The whole is in the resource " + runURI(run.ID, "") + "; from and limit list less."})
	}
	res.Meta = handles(run)
	return res, nil
}

// look looks at the scene of a session, and begins that of the process if it is not there. The result of the run
// has what was seen. busy is the answer where that is not done in the time of the call.
func (c *call) look(ctx context.Context, session string, look api.Look) (done api.SessionDone, busy *sdk.CallToolResult, err error) {
	name, err := c.session(session)
	if err != nil {
		return done, nil, err
	}
	if name != c.server.options.Session {
		// A look begins the session if it is not there, and an agent that may only look begins none.
		if _, err := c.server.client.Session(ctx, name); err != nil {
			return done, nil, err
		}
	}
	done, busy, err = c.operate(ctx, api.SessionRequest{Session: name, Operation: api.SessionLook, Look: &look}, c.left(defaultWait*time.Second))
	if busy != nil || err != nil {
		return done, busy, err
	}
	if len(done.Run.Result) == 0 {
		done.Run.Result = json.RawMessage("null")
	}
	return done, nil, nil
}
