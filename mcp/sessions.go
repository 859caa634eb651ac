package mcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type sessionsIn struct {
	End string `json:"end,omitempty" jsonschema:"name of a session to end"`
}

func registerSessions(s *Server) {
	add(s, tool[sessionsIn]{
		name:        "sessions",
		description: "List the sessions with their runs and checkpoints, or end one.",
		changes: func(in sessionsIn) string {
			if in.End == "" {
				return ""
			}
			return "end the session " + in.End + ", whose scene is then lost."
		},
		do: func(ctx context.Context, c *call, in sessionsIn) (*sdk.CallToolResult, error) {
			if in.End != "" {
				if err := c.server.client.EndSession(ctx, in.End); err != nil {
					return nil, err
				}
			}
			all, err := c.server.client.Sessions(ctx)
			if err != nil {
				return nil, err
			}
			return text("%s", sessionsWords(all, c.server.options.Session)), nil
		},
	})
}

// sessionsWords lists sessions, a line each; own is the session of the calls that name none, or "".
func sessionsWords(all []api.Session, own string) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%s: %s", s.Name, s.State)
		if s.Name == own {
			b.WriteString(" (yours)")
		}
		if s.Reason != "" {
			fmt.Fprintf(&b, ": %s", forAgents(s.Reason))
		}
		if s.Run != "" {
			fmt.Fprintf(&b, ", run %s goes on", s.Run)
		}
		if s.Queued > 0 {
			fmt.Fprintf(&b, ", %d wait", s.Queued)
		}
		fmt.Fprintf(&b, ", %d runs, Blender %s, checkpoints: %s", s.Runs, s.Blender, numbers(s.Checkpoints))
		if s.EndsAt != nil {
			fmt.Fprintf(&b, ", ends in %s without use", time.Until(*s.EndsAt).Round(time.Second))
		}
		b.WriteByte('\n')
	}
	if len(all) == 0 {
		b.WriteString("There are no sessions; run_python begins one.\n")
	}
	return b.String()
}
