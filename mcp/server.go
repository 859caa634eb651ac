// Package mcp lets agents work with Blender: a server of the Model Context Protocol (MCP) over an engine
// that other programs reach through control. docs/agents.md describes its tools.
//
// A [Server] is a client of the engine, as the tray is: it can do nothing that another client can't.
// [Server.ServePipe] serves one agent over standard input and output, [Server.ServeHTTP] any number over
// HTTP. Each tool is in the file with its name. The package starts no engine and no Blender, and knows no
// path on disk but those that it is told.
package mcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
	"blendtray/control"
)

// Options say how a [Server] serves.
type Options struct {
	// Version is the version of the program.
	Version string
	// Session is the session of the calls that name none. With "" each such call begins a session of its
	// own, and says its name.
	Session string
	// Settings returns the settings that hold at the moment of a call.
	Settings func(ctx context.Context) (api.AgentSettings, error)
	// Workspace returns the absolute folder for what agents make, with these settings, and makes it.
	Workspace func(settings api.AgentSettings) (string, error)
	// Log returns the last lines of a log: that of the engine, or for false that of Blender.
	Log func(ctx context.Context, engine bool) (string, error)
	// Ready waits until an engine answers, and may start it. It is called before each call, and with lost
	// when an engine that was there does not answer. nil is for an engine that is there.
	Ready func(ctx context.Context, lost bool) error
	// Logger hears what the protocol's library has to say; nil is nobody.
	Logger *slog.Logger
}

// Server answers agents.
type Server struct {
	client   *control.Client
	options  Options
	sdk      *sdk.Server
	watch    watch
	prepared sync.Once // prepareDocs was called
	presence *control.Presence
	bounds   map[string]map[string]bounds // of the arguments of each tool
	schemas  map[string]*jsonschema.Schema
	greeted  atomic.Bool // the agent over the pipe has said its name
	lost     atomic.Bool // the engine has ended in the middle of a call
	// agent is the id of the agent over the pipe, and the beginning of the ids of agents over HTTP.
	agent string
}

// New returns a server whose calls go to the engine of a client.
func New(client *control.Client, o Options) *Server {
	s := &Server{client: client, options: o, presence: control.NewPresence(client), bounds: map[string]map[string]bounds{}, schemas: map[string]*jsonschema.Schema{}, agent: strings.ToLower(rand.Text()[:12])}
	s.watch.client = client
	s.sdk = sdk.NewServer(
		&sdk.Implementation{Name: "blendtray", Title: "Blendtray", Version: o.Version},
		&sdk.ServerOptions{
			Instructions: instructions, Logger: o.Logger, Capabilities: &sdk.ServerCapabilities{},
			SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) { c.CacheScope = "private" },
		},
	)
	s.sdk.AddReceivingMiddleware(s.guard)
	for _, register := range registrations {
		register(s)
	}
	return s
}

// guard keeps what an agent sends from ending the process, which may be the engine's: the library fills the
// defaults of arguments in, and panics where the arguments are null.
func (s *Server) guard(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (res sdk.Result, err error) {
		defer func() {
			if r := recover(); r != nil {
				if s.options.Logger != nil {
					s.options.Logger.Error("a request of an agent has panicked", "method", method, "panic", r, "stack", string(debug.Stack()))
				}
				res, err = nil, fmt.Errorf("the server has failed at %s", method)
			}
		}()
		if call, ok := req.(*sdk.CallToolRequest); ok && call.Params != nil {
			if text := bytes.TrimSpace(call.Params.Arguments); len(text) == 0 || string(text) == "null" {
				call.Params.Arguments = []byte("{}")
			}
			if err := s.checkArguments(call.Params); err != nil {
				s.greet(req)
				return refusal(err), nil
			}
		}
		res, err = next(ctx, method, req)
		s.greet(req)
		return res, err
	}
}

// checkArguments takes the arguments that are null for absent, and returns an error that says which argument is
// wrong. A tool that is not there is left to the library.
func (s *Server) checkArguments(params *sdk.CallToolParamsRaw) (err error) {
	schema, ok := s.schemas[params.Name]
	if !ok {
		return nil
	}
	if params.Arguments, err = plainArguments(schema, params.Arguments); err != nil {
		return err
	}
	return callBounds(s.bounds[params.Name], params.Arguments)
}

// registrations add everything that agents find. Each is in the file of its tool.
var registrations = []func(*Server){
	registerRunPython,
	registerWaitRun,
	registerCancelRun,
	registerCheckpoint,
	registerRestore,
	registerOpenSaveExport,
	registerSessions,
	registerSceneSummary,
	registerInspect,
	registerRenderPreview,
	registerAPIDocs,
	registerResources,
	registerPrompts,
}

// instructions are what an agent is told about the server as a whole.
const instructions = `Blender runs without a window, is supervised, and keeps your scene and Python names in a session from call to call. ` +
	`Send code with run_python; import bpy first. Assign to the global "result" what you want back. ` +
	`Each run makes a checkpoint first, and restore goes back to it. ` +
	`A call that takes long returns a run that goes on: pass it to wait_run.`

// newSession returns a name for a session that nobody has.
func newSession() string { return "agent-" + strings.ToLower(rand.Text()[:8]) }

// NewSession returns the name of a session for one agent: see [Options.Session].
func NewSession() string { return newSession() }
