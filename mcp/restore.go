package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
		bounds:      map[string]bounds{"checkpoint": {1, math.MaxInt32}},
		changes: func(in restoreIn) string {
			session, to := "its session", "its last checkpoint"
			if in.Session != "" {
				session = "the session " + in.Session
			}
			if in.Checkpoint != 0 {
				to = fmt.Sprintf("checkpoint %d", in.Checkpoint)
			}
			return "put the scene of " + session + " back to " + to + ", and lose what came after it."
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
	if now.Run != "" || now.Queued > 0 {
		return busyWith(now), nil
	}
	target := in.Checkpoint
	switch {
	case target == 0 && now.AtCheckpoint != 0:
		if target = before(now, now.AtCheckpoint); target == 0 {
			return nil, fmt.Errorf("session %s is at its oldest checkpoint already", session)
		}
	case target == 0:
	case !slices.ContainsFunc(now.Checkpoints, func(p api.Checkpoint) bool { return p.Number == target }):
		return nil, fmt.Errorf("session %s has no checkpoint %d; there are: %s. A restore removes the checkpoints that are newer than its own",
			session, target, numbers(now.Checkpoints))
	case target == now.AtCheckpoint:
		res := text("session %s is at checkpoint %d already, and nothing changes", session, target)
		res.Meta = sdk.Meta{"blendtray/session": session, checkpointHandle: target}
		return res, nil
	}
	had := now.Checkpoints
	old, unknown := c.contents(ctx, session)
	var back api.Run
	for {
		done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: api.SessionUndo}, c.left(defaultWait*time.Second))
		if busy != nil || err != nil {
			return busy, err
		}
		now, back = done.Session, done.Run
		if target == 0 || newest(now) <= target {
			break
		}
	}
	is, err := c.contents(ctx, session)
	changed := difference(old, is)
	if unknown = errors.Join(unknown, err); unknown != nil { // after a crash there is nothing to compare with
		changed = "What has changed by that is not known."
	}
	if now, err = c.server.client.Session(ctx, session); err != nil {
		return nil, err
	}
	res := text("session %s is back at checkpoint %d%s\n%s\nNames of Python that mean objects of Blender are invalid now; look the objects up again.",
		session, newest(now), removed(had, newest(now)), changed)
	res.Meta = handles(back)
	res.Meta[checkpointHandle] = newest(now)
	return res, nil
}

// before returns the number of the checkpoint that was made before the one with a number, or 0.
func before(s api.Session, number int) (last int) {
	for _, one := range s.Checkpoints {
		if one.Number < number {
			last = one.Number
		}
	}
	return last
}

// removed says which checkpoints a restore to the one with a number has removed, or returns "".
func removed(had []api.Checkpoint, to int) string {
	newer := slices.DeleteFunc(slices.Clone(had), func(p api.Checkpoint) bool { return p.Number <= to })
	switch len(newer) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("; checkpoint %d, which was newer, is gone", newer[0].Number)
	}
	return fmt.Sprintf("; checkpoints %s, which were newer, are gone", numbers(newer))
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

// contents looks at what the scene of a session consists of.
func (c *call) contents(ctx context.Context, session string) (all contents, err error) {
	done, busy, err := c.look(ctx, session, api.Look{What: "marks"})
	if busy != nil {
		return nil, errors.New("the session is busy")
	}
	if err == nil {
		err = json.Unmarshal(done.Run.Result, &all)
	}
	return all, err
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
