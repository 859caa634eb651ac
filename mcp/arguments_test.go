package mcp

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

func TestNullForAnOptionalArgumentIsNoArgument(t *testing.T) {
	t.Parallel()
	a := connect(t, newTestServer(t, api.AllowAll), nil)
	const allowed = "no engine answers"
	for _, x := range []struct{ tool, arguments string }{
		{"run_python", `{"code":"print(1)","wait":null}`},
		{"run_python", `{"code":"print(1)","session":null,"scene":null,"time_limit":null,"checkpoint":null,"preview":null}`},
		{"render_preview", `{"views":null,"style":null,"size":null}`},
		{"sessions", `{"end":null}`},
	} {
		res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: x.tool, Arguments: json.RawMessage(x.arguments)})
		if err != nil || !strings.Contains(said(res), allowed) {
			t.Errorf("%s %s: %v, %v, want %q", x.tool, x.arguments, res, err, allowed)
		}
	}
}

func TestAWrongArgumentIsToldInPlainWords(t *testing.T) {
	t.Parallel()
	a := connect(t, newTestServer(t, api.AllowAll), nil)
	for _, x := range []struct{ tool, arguments, want string }{
		{"run_python", `{}`, "code is missing: the tool needs it"},
		{"run_python", `{"code":null}`, "code: null is not a text"},
		{"run_python", `{"code":7}`, "code: 7 is not a text"},
		{"run_python", `{"code":"pass","wait":"5"}`, `wait: "5" is not a number`},
		{"run_python", `{"code":"pass","checkpoint":"no"}`, `checkpoint: "no" is not true or false`},
		{"run_python", `{"code":"pass","timeout":5}`, "timeout: the tool has no such argument; it has checkpoint, code, preview,"},
		{"run_python", `7`, `the arguments are no JSON object`},
		{"restore", `{"checkpoint":1.5}`, "checkpoint: 1.5 is not a whole number"},
		{"open_save_export", `{"action":"load","file":"a"}`, `action: "load" is not one of open, import, save, export`},
		{"render_preview", `{"views":"front"}`, `views: "front" is not a list`},
		{"render_preview", `{"views":[1]}`, `views: [1] is not a list in which each item is `},
	} {
		res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: x.tool, Arguments: json.RawMessage(x.arguments)})
		if err != nil || !res.IsError || !strings.Contains(said(res), x.want) || strings.Contains(said(res), "validating") {
			t.Errorf("%s %s: %v, %v, want %q", x.tool, x.arguments, res, err, x.want)
		}
	}
}
