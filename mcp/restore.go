package mcp

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type restoreIn struct {
	Session    string `json:"session,omitempty" jsonschema:"session whose scene goes back"`
	Checkpoint int    `json:"checkpoint,omitempty" jsonschema:"number of an older checkpoint"`
}

func registerRestore(s *Server) {
	add(s, tool[restoreIn]{
		name:        "restore",
		description: "Put the session's scene back to its last checkpoint, or asked again to the one before, and say what changed.",
		changes: func(in restoreIn) string {
			return "put the scene of the session back to a checkpoint, and lose what came after it."
		},
		do: doRestore,
	})
}

func doRestore(ctx context.Context, c *call, in restoreIn) (*sdk.CallToolResult, error) {
	session, err := c.session(in.Session)
	if err != nil {
		return nil, err
	}
	now, err := c.server.client.Session(ctx, session)
	if err != nil {
		return nil, err
	}
	if in.Checkpoint != 0 && !slices.ContainsFunc(now.Checkpoints, func(p api.Checkpoint) bool { return p.Number == in.Checkpoint }) {
		return nil, fmt.Errorf("session %s has no checkpoint %d; there are: %s", session, in.Checkpoint, numbers(now.Checkpoints))
	}
	before, err := c.contents(ctx, session)
	if err != nil {
		return nil, err
	}
	for {
		done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionUndo}, defaultWait*time.Second)
		if busy != nil || err != nil {
			return busy, err
		}
		now = done.Session
		if in.Checkpoint == 0 || newest(now) <= in.Checkpoint {
			break
		}
	}
	after, err := c.contents(ctx, session)
	if err != nil {
		return nil, err
	}
	return text("session %s is back at checkpoint %d\n%s\nNames of Python that mean objects of Blender are invalid now; look the objects up again.",
		session, newest(now), difference(before, after)), nil
}

// numbers lists checkpoints.
func numbers(all []api.Checkpoint) string {
	if len(all) == 0 {
		return "none"
	}
	var names []string
	for _, one := range all {
		names = append(names, fmt.Sprint(one.Number))
	}
	return strings.Join(names, ", ")
}

// contents is what a scene consists of: for each kind of data-block the names, each with a mark that
// changes when the data-block does.
type contents map[string]map[string]string

//go:embed contents.py
var contentsCode string

func (c *call) contents(ctx context.Context, session string) (contents, error) {
	all := contents{}
	return all, c.ask(ctx, session, "<contents>", contentsCode, &all)
}

// maxNames is how many names of a kind a difference lists.
const maxNames = 12

// difference says what differs between two scenes.
func difference(before, after contents) string {
	var lines []string
	for _, kind := range kindsOf(before, after) {
		var added, gone, changed []string
		for name, mark := range after[kind] {
			switch old, there := before[kind][name]; {
			case !there:
				added = append(added, name)
			case old != mark:
				changed = append(changed, name)
			}
		}
		for name := range before[kind] {
			if _, there := after[kind][name]; !there {
				gone = append(gone, name)
			}
		}
		for _, part := range []struct {
			word  string
			names []string
		}{{"back", added}, {"gone", gone}, {"changed", changed}} {
			if len(part.names) > 0 {
				slices.Sort(part.names)
				lines = append(lines, fmt.Sprintf("%s %s: %s", kind, part.word, listed(part.names)))
			}
		}
	}
	if len(lines) == 0 {
		return "nothing has changed by that"
	}
	return strings.Join(lines, "\n")
}

// kindsOf returns the kinds of data-blocks of two scenes, sorted.
func kindsOf(all ...contents) (kinds []string) {
	for _, one := range all {
		for kind := range one {
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	return kinds
}

// listed returns names with commas between them, and how many more there are.
func listed(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
}
