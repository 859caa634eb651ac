package mcp

import (
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
	"blendtray/control"
)

func TestAnAgentIsToldOfItsToolsAndNotOfCommands(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ text, want string }{
		{
			"its scene, modules and names are gone, and `blendtray session undo chair-2` goes back to its last checkpoint",
			"its scene, modules and names are gone, and the tool restore goes back to its last checkpoint",
		},
		{
			"there are 2 sessions, and sessions.max allows no more: a (in use); `blendtray session end NAME` ends one",
			"there are 2 sessions, and sessions.max allows no more: a (in use); the tool sessions with `end` ends one",
		},
		{"`blendtray status` lists the Blenders", "the resource blendtray://status lists the Blenders"},
		{"`blendtray log --engine` may say more", "the resource blendtray://log/engine may say more"},
		{"a person can start it with `blendtray serve`", "a person can start it with `blendtray serve`"},
	} {
		if got := forAgents(x.text); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	why := "the session a begins anew: its Blender had crashed; its scene is gone, and `blendtray session undo a` goes back to its last checkpoint"
	for _, run := range []api.Run{
		{ID: "1", State: api.Succeeded, Reason: why},
		{ID: "1", State: api.Queued, Reason: why},
		{ID: "1", State: api.Failed, Error: &api.ScriptError{Type: api.Refused, Message: why}},
	} {
		if got := said(answerOf(seen{run: run})); strings.Contains(got, "`blendtray") || !strings.Contains(got, "the tool restore goes back") {
			t.Errorf("%q", got)
		}
	}
}

// An engine that knows no session and no run.
func TestAnUnknownSessionAndRunAreToldWithWhatAnAgentHas(t *testing.T) {
	t.Parallel()
	socket, l := listen(t)
	engine := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		answer := `{"error":{"code":"no_session","message":"no such session: x","hint":"` + "`blendtray session list` lists the sessions" + `"}}`
		if strings.Contains(r.URL.Path, "runs") {
			answer = `{"error":{"code":"not_found","message":"no such run: x","hint":"` + "`blendtray runs` lists the runs that are kept" + `"}}`
		}
		_, _ = w.Write([]byte(answer))
	})}
	go func() { _ = engine.Serve(l) }()
	t.Cleanup(func() { engine.Close() })
	s := newTestServer(t, api.AllowAll)
	s.client = control.NewClient(socket)
	a := connect(t, s, nil)
	for _, x := range []struct {
		tool      string
		arguments map[string]any
		want      string
	}{
		{"checkpoint", map[string]any{"session": "x"}, "hint: the tool sessions lists the sessions, and run_python begins one"},
		{"restore", map[string]any{"session": "x"}, "hint: the tool sessions lists the sessions, and run_python begins one"},
		{"wait_run", map[string]any{"run": "x"}, "hint: the resource blendtray://runs lists the runs that are kept"},
		{"cancel_run", map[string]any{"run": "x"}, "hint: the resource blendtray://runs lists the runs that are kept"},
	} {
		res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: x.tool, Arguments: x.arguments})
		if err != nil || !res.IsError || !strings.Contains(said(res), x.want) {
			t.Errorf("%s: %v, %v, want %q", x.tool, res, err, x.want)
		}
	}
}
