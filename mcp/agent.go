package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// awayTime is how long an agent over HTTP counts as connected after its last call: there is no connection
// between its calls that would say so.
const awayTime = 5 * time.Minute

// caller is who asks, as that program says.
type caller struct {
	name, version string
	http          bool
}

// callerOf returns who has sent a request. Over HTTP the older revisions name the program in the handshake
// alone, of which nothing is kept: then the header User-Agent has the name.
func callerOf(info *sdk.Implementation, extra *sdk.RequestExtra) caller {
	var c caller
	if info != nil {
		c.name, c.version = info.Name, info.Version
	}
	if c.http = extra != nil && extra.Header != nil; c.http && c.name == "" {
		c.name, c.version = userAgent(extra.Header)
	}
	c.name, c.version = api.CleanName(c.name, api.MaxAgentName), api.CleanName(c.version, api.MaxAgentName)
	return c
}

// userAgent returns the program that a header names, and its version.
func userAgent(h http.Header) (name, version string) {
	first, _, _ := strings.Cut(strings.TrimSpace(h.Get("User-Agent")), " ")
	name, version, _ = strings.Cut(first, "/")
	return name, version
}

// client returns who asks, for the history: "mcp: NAME" with the name by which the program calls itself.
func (c caller) client() string {
	if c.name == "" {
		return "mcp"
	}
	return "mcp: " + c.name
}

// agentID returns the id of an agent: over a pipe there is one, over HTTP one of each name.
func (s *Server) agentID(c caller) string {
	if !c.http {
		return s.agent
	}
	hash := sha256.Sum256([]byte(c.name + "\x00" + c.version))
	return s.agent + "-" + hex.EncodeToString(hash[:6])
}

// report tells the engine which agents are there, until ctx ends or the function that it returns is called,
// which tells that they are gone.
func (s *Server) report(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = s.presence.Serve(ctx) // returns nil
	}()
	return func() { stop(); <-over }
}

// note notes something of an agent, for the engine.
func (s *Server) note(c caller, change func(*api.Agent)) {
	stay, transport := time.Duration(0), api.OverPipe
	if c.http {
		stay, transport = awayTime, api.OverHTTP
	}
	s.presence.Note(s.agentID(c), stay, func(a *api.Agent) {
		a.Name, a.Version, a.Transport, a.Client = c.name, c.version, transport, c.client()
		change(a)
	})
}

// greet notes the agent over a pipe when its program has said its name. Over HTTP an agent is there from
// its first call on.
func (s *Server) greet(req sdk.Request) {
	session, ok := req.GetSession().(*sdk.ServerSession)
	if !ok || session == nil || s.greeted.Load() || req.GetExtra() != nil && req.GetExtra().Header != nil {
		return
	}
	if p := session.InitializeParams(); p != nil && p.ClientInfo != nil && s.greeted.CompareAndSwap(false, true) {
		s.note(callerOf(p.ClientInfo, nil), func(*api.Agent) {})
	}
}

// calls notes that a call begins, and returns what notes its end.
func (s *Server) calls(req *sdk.CallToolRequest) (ends func()) {
	c, at := callerOf(req.ClientInfo(), req.GetExtra()), time.Now().UTC()
	s.note(c, func(a *api.Agent) {
		a.Call, a.CalledAt = req.Params.Name, &at
		a.Calls++
		a.Calling++
	})
	return func() { s.note(c, func(a *api.Agent) { a.Calling = max(0, a.Calling-1) }) }
}

// caller returns who has made a call.
func (c *call) caller() caller { return callerOf(c.req.ClientInfo(), c.req.GetExtra()) }

// client returns who has made a call, for the history.
func (c *call) client() string { return c.caller().client() }

// uses notes that a call uses a session, and has the documentation prepared that its agent will want. It fails
// when no session can have the name.
func (c *call) uses(session string) error {
	if err := api.CheckSession(session); err != nil {
		return err
	}
	c.server.prepareDocs()
	c.server.note(c.caller(), func(a *api.Agent) {
		rest := slices.DeleteFunc(slices.Clone(a.Sessions), func(s string) bool { return s == session })
		a.Sessions = append([]string{session}, rest[:min(len(rest), api.MaxAgentSessions-1)]...)
	})
	return nil
}

// ran notes that a run was made for a call.
func (c *call) ran() { c.server.note(c.caller(), func(a *api.Agent) { a.Runs++ }) }
