package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
	"blendtray/control"
)

// tool declares a tool whose arguments are an In.
type tool[In any] struct {
	name string
	// description is one sentence: names and arguments say the rest.
	description string
	// defaults are the values of the arguments that a call leaves out, where they are not the zero value.
	defaults map[string]any
	// words are the arguments that are one of a few words.
	words map[string][]string
	// bounds are those of the arguments that are numbers. A number beyond them is refused, and never taken for
	// another number.
	bounds map[string]bounds
	// changes says in words for a person what a call changes, and "" when that call changes nothing. It is
	// nil for a tool that never changes anything.
	changes func(in In) string
	// do carries out a call. An error becomes an answer that the agent reads.
	do func(ctx context.Context, c *call, in In) (*sdk.CallToolResult, error)
}

// bounds are the least and the largest number that an argument may be.
type bounds struct{ least, most float64 }

// maxFrom bounds from where on a list may begin.
const maxFrom = math.MaxInt32

// callBounds returns an error that says which argument of a call is a number beyond its bounds, or nil. What is
// no number is left to the schema.
func callBounds(all map[string]bounds, arguments json.RawMessage) error {
	var given map[string]json.RawMessage
	if json.Unmarshal(arguments, &given) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var n float64
		b := all[name]
		text, ok := given[name]
		if !ok || string(text) == "null" || json.Unmarshal(text, &n) != nil {
			continue
		}
		if n < b.least || n > b.most {
			return fmt.Errorf("%s: %s is not a number from %.0f to %.0f; without %s the tool takes its default",
				name, cut(string(text), 30), b.least, b.most, name)
		}
	}
	return nil
}

// call is one call of a tool.
type call struct {
	server *Server
	req    *sdk.CallToolRequest
	// settings are those that hold for the call.
	settings api.AgentSettings
	// quiet says that the agent is not told of progress.
	quiet bool
	// began is when the call was allowed.
	began time.Time
}

// left returns how much is left of the time that the call may take.
func (c *call) left(wait time.Duration) time.Duration { return max(0, wait-time.Since(c.began)) }

// add adds a tool to the server. A declaration that makes no sense is a fault in the program, and panics.
func add[In any](s *Server, t tool[In]) {
	schema, err := jsonschema.For[In](nil)
	if err != nil {
		panic(fmt.Sprintf("mcp: the arguments of %s: %v", t.name, err))
	}
	for name, value := range t.defaults {
		text, err := json.Marshal(value)
		if err != nil || schema.Properties[name] == nil {
			panic(fmt.Sprintf("mcp: the default of %s of %s: %v", name, t.name, err))
		}
		schema.Properties[name].Default = text
	}
	for name, b := range t.bounds {
		schema.Properties[name].Minimum, schema.Properties[name].Maximum = &b.least, &b.most
	}
	s.bounds[t.name] = t.bounds
	for name, words := range t.words {
		for _, word := range words {
			schema.Properties[name].Enum = append(schema.Properties[name].Enum, word)
		}
	}
	for _, property := range schema.Properties {
		if i := slices.Index(property.Types, "null"); i >= 0 && len(property.Types) == 2 {
			property.Type, property.Types = property.Types[1-i], nil // clients want one type
		}
	}
	s.schemas[t.name] = schema
	no := false
	sdk.AddTool(s.sdk, &sdk.Tool{
		Name: t.name, Description: t.description, InputSchema: schema,
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: t.changes == nil, OpenWorldHint: &no},
	}, func(ctx context.Context, req *sdk.CallToolRequest, in In) (*sdk.CallToolResult, any, error) {
		ctx, stop := untilCallerLeaves(ctx)
		defer stop()
		defer s.calls(req)()
		res, err := handle(ctx, s, t, req, in)
		if err != nil {
			res = refusal(err)
		}
		return res, nil, nil
	})
}

// handle carries out a call when the settings and the person allow it.
func handle[In any](ctx context.Context, s *Server, t tool[In], req *sdk.CallToolRequest, in In) (*sdk.CallToolResult, error) {
	if err := s.ready(ctx, s.lost.Swap(false)); err != nil {
		return nil, err
	}
	c := &call{server: s, req: req}
	res, err := carryOut(ctx, c, t, in)
	switch {
	case s.options.Ready == nil:
	case errors.Is(err, control.ErrNoEngine):
		// The engine has ended since, and nobody has received anything.
		if err := s.ready(ctx, true); err != nil {
			return nil, err
		}
		return carryOut(ctx, c, t, in)
	case errors.Is(err, control.ErrLost):
		// Other connections of the client lead to that engine as well: the next call must not take them.
		s.lost.Store(true)
		return nil, fmt.Errorf("%w\nhint: the next call finds an engine, or starts one; a run that had not begun runs by itself then, so look before you send it again", err)
	}
	return res, err
}

// ready waits until an engine answers.
func (s *Server) ready(ctx context.Context, lost bool) error {
	if s.options.Ready == nil {
		return nil
	}
	return s.options.Ready(ctx, lost)
}

// carryOut carries out a call once.
func carryOut[In any](ctx context.Context, c *call, t tool[In], in In) (*sdk.CallToolResult, error) {
	var err error
	if c.settings, err = c.server.options.Settings(ctx); err != nil {
		return nil, err
	}
	if t.changes != nil {
		if what := t.changes(in); what != "" {
			if res, err := c.permit(what); res != nil || err != nil {
				return res, err
			}
		}
	}
	c.began = time.Now()
	return t.do(ctx, c, in)
}

// session returns the session of a call that names one, or for "" that of the process. It fails when
// there is none.
func (c *call) session(name string) (string, error) {
	if name = cmp.Or(name, c.server.options.Session); name == "" {
		return "", errors.New("which session? Pass session: the name that run_python answered with, or one that the tool sessions lists")
	}
	return name, c.uses(name)
}

// sessionOrNew returns the session of a call, or the name of a new one where the call names none and the
// server serves many agents.
func (c *call) sessionOrNew(name string) (string, error) {
	name = cmp.Or(name, c.server.options.Session, newSession())
	return name, c.uses(name)
}

// workspace returns the folder for what agents make.
func (c *call) workspace() (string, error) { return c.server.options.Workspace(c.settings) }

// text returns an answer of text.
func text(format string, args ...any) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: cutMiddle(fmt.Sprintf(format, args...), maxText)}}}
}

// refusal returns the answer for what could not be done: what has happened, and what can be done about it.
func refusal(err error) *sdk.CallToolResult {
	said := err.Error()
	var told *control.Error
	if errors.As(err, &told) && told.Hint != "" {
		said += "\nhint: " + told.Hint
	}
	if !strings.Contains(said, "\nhint: ") && (errors.Is(err, control.ErrNoEngine) || errors.Is(err, control.ErrLost)) {
		said += "\nhint: the engine of Blendtray does not run; a person can start it with `blendtray serve`"
	}
	res := text("%s", forAgents(said))
	res.IsError = true
	return res
}

// quoted returns a string as Python writes it: JSON's strings are Python's, too.
func quoted(s string) string {
	text, err := json.Marshal(strings.ToValidUTF8(s, "\ufffd"))
	if err != nil {
		panic("mcp: " + err.Error()) // a string can be written
	}
	return string(text)
}

// isolated returns code that runs in names of its own, so that it leaves none behind in a session. Its
// "result" is that of the run.
func isolated(code, name string) []byte {
	return fmt.Appendf(nil, "result = (lambda names: (exec(compile(%s, %s, 'exec'), names), names.get('result'))[1])({})\n",
		quoted(code), quoted(name))
}

// whyNot returns why a run has not succeeded.
func whyNot(r api.Run) string {
	switch {
	case r.Error != nil && r.Error.Message != "":
		return r.Error.Type + ": " + r.Error.Message
	case r.Reason != "":
		return r.Reason
	}
	return "it has " + string(r.State)
}
