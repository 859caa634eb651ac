package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
	"blendtray/control"
)

// newTestServer returns a server whose engine does not run: a call that is allowed says so.
func newTestServer(t *testing.T, allow api.Allow) *Server {
	t.Helper()
	return New(control.NewClient(filepath.Join(t.TempDir(), "control.sock")), Options{
		Version: "1", Session: "mine",
		Settings:  func(context.Context) (api.AgentSettings, error) { return api.AgentSettings{Allow: allow}, nil },
		Workspace: func(api.AgentSettings) (string, error) { return t.TempDir(), nil },
	})
}

// connect returns a client of a server in this process.
func connect(t *testing.T, s *Server, o *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	here, there := sdk.NewInMemoryTransports()
	if _, err := s.sdk.Connect(t.Context(), there, nil); err != nil {
		t.Fatal(err)
	}
	client, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, o).Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// listen returns an address at which a test stands in for an engine, and the listener, which ends with the test.
func listen(t *testing.T) (string, net.Listener) {
	t.Helper()
	address, err := control.Prepare(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := control.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return address, l
}

// said returns the text of an answer.
func said(res *sdk.CallToolResult) string {
	var b strings.Builder
	for _, c := range res.Content {
		if t, ok := c.(*sdk.TextContent); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

func TestTheListOfToolsIsShort(t *testing.T) {
	t.Parallel()
	const mostTools, mostBytes = 12, 8 << 10
	list, err := connect(t, newTestServer(t, api.AllowAll), nil).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(list)
	if err != nil || len(all) > mostBytes || len(list.Tools) > mostTools {
		t.Errorf("%d tools in %d bytes, %v", len(list.Tools), len(all), err)
	}
	for _, tool := range list.Tools {
		if strings.Contains(strings.TrimSuffix(tool.Description, "."), ". ") || !strings.HasSuffix(tool.Description, ".") {
			t.Errorf("the description of %s is not one sentence: %q", tool.Name, tool.Description)
		}
	}
}

// A schema that is `true` or has several types makes clients in TypeScript refuse the whole list.
func TestEveryArgumentHasOneType(t *testing.T) {
	t.Parallel()
	list, err := connect(t, newTestServer(t, api.AllowAll), nil).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		schema := tool.InputSchema.(map[string]any)
		if tool.OutputSchema != nil || schema["type"] != "object" {
			t.Errorf("%s: %v, %v", tool.Name, schema, tool.OutputSchema)
		}
		arguments, _ := schema["properties"].(map[string]any)
		for name, one := range arguments {
			kind, ok := one.(map[string]any)
			if _, text := kind["type"].(string); !ok || !text {
				t.Errorf("%s of %s is %v", name, tool.Name, one)
			}
		}
	}
}

func TestEveryNumberHasBounds(t *testing.T) {
	t.Parallel()
	list, err := connect(t, newTestServer(t, api.AllowAll), nil).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		arguments, _ := tool.InputSchema.(map[string]any)["properties"].(map[string]any)
		for name, one := range arguments {
			kind, _ := one.(map[string]any)
			number := kind["type"] == "integer" || kind["type"] == "number"
			if number && (kind["minimum"] == nil || kind["maximum"] == nil) {
				t.Errorf("%s of %s is %v", name, tool.Name, one)
			}
		}
	}
}

func TestANumberBeyondItsBoundsIsRefusedAndNotTakenForAnother(t *testing.T) {
	t.Parallel()
	a := connect(t, newTestServer(t, api.AllowAll), nil)
	const allowed = "no engine answers"
	for _, x := range []struct{ tool, arguments, want string }{
		{"scene_summary", `{"limit":0}`, "limit: 0 is not a number from 1 to 1000; without limit the tool takes its default"},
		{"scene_summary", `{"limit":-3}`, "limit: -3 is not a number from 1 to 1000"},
		{"scene_summary", `{"limit":1001}`, "limit: 1001 is not a number from 1 to 1000"},
		{"scene_summary", `{"from":-1}`, "from: -1 is not a number from 0 to 2147483647"},
		{"scene_summary", `{"from":0,"limit":1000}`, allowed},
		{"inspect", `{"path":"bpy.data","limit":0}`, "limit: 0 is not"},
		{"api_docs", `{"query":"bevel","limit":0}`, "limit: 0 is not a number from 1 to 1000"},
		{"render_preview", `{"size":0}`, "size: 0 is not a number from 64 to 4096"},
		{"render_preview", `{"size":64}`, allowed},
		{"restore", `{"checkpoint":0}`, "checkpoint: 0 is not a number from 1"},
		{"run_python", `{"code":"pass","wait":-1}`, "wait: -1 is not a number from 0 to 3600"},
		{"run_python", `{"code":"pass","wait":1e300}`, "wait: 1e300 is not a number from 0 to 3600"},
		{"run_python", `{"code":"pass","wait":0,"time_limit":0}`, allowed},
		{"run_python", `{"code":"pass","time_limit":-1}`, "time_limit: -1 is not"},
		{"wait_run", `{"run":"1","wait":3601}`, "wait: 3601 is not"},
		{"wait_run", `{"run":"1","wait":3600}`, allowed},
	} {
		res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: x.tool, Arguments: json.RawMessage(x.arguments)})
		if err != nil || !res.IsError || !strings.Contains(said(res), x.want) {
			t.Errorf("%s %s: %v, %v, want %q", x.tool, x.arguments, res, err, x.want)
		}
	}
}

func TestWhatAgentsMayDo(t *testing.T) {
	t.Parallel()
	run := &sdk.CallToolParams{Name: "run_python", Arguments: map[string]any{"code": "x = 1"}}
	const allowed, forbidden, mute, no = "no engine answers", "agents may only look", "can't ask", "did not allow"
	asks := func(action string) *sdk.ClientOptions {
		return &sdk.ClientOptions{ElicitationHandler: func(_ context.Context, req *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			if !strings.Contains(req.Params.Message, "x = 1") {
				return nil, errors.New("the person does not see the code")
			}
			return &sdk.ElicitResult{Action: action}, nil
		}}
	}
	for _, x := range []struct {
		name   string
		allow  api.Allow
		client *sdk.ClientOptions
		call   *sdk.CallToolParams
		want   string
	}{
		{"all", api.AllowAll, nil, run, allowed},
		{"read", api.AllowRead, nil, run, forbidden},
		{"read, and looks", api.AllowRead, nil, &sdk.CallToolParams{Name: "sessions"}, allowed},
		{"read, and ends", api.AllowRead, nil, &sdk.CallToolParams{Name: "sessions", Arguments: map[string]any{"end": "a"}}, forbidden},
		{"ask a mute client", api.AllowAsk, nil, run, mute},
		{"ask, and yes", api.AllowAsk, asks("accept"), run, allowed},
		{"ask, and no", api.AllowAsk, asks("decline"), run, no},
		{"ask, and away", api.AllowAsk, asks("cancel"), run, no},
		{"ask, and look", api.AllowAsk, nil, &sdk.CallToolParams{Name: "wait_run", Arguments: map[string]any{"run": "1"}}, allowed},
	} {
		call := *x.call // the client writes into what it sends
		res, err := connect(t, newTestServer(t, x.allow), x.client).CallTool(t.Context(), &call)
		if err != nil || !res.IsError || !strings.Contains(said(res), x.want) {
			t.Errorf("%s: %s, %v, want %q", x.name, said(res), err, x.want)
		}
	}
}

func TestTheCallAfterALostEngineLooksForAnother(t *testing.T) {
	t.Parallel()
	address, dies := listen(t)
	go func() { // an engine that ends in the middle of each request
		for {
			conn, err := dies.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			conn.Close()
		}
	}()
	var lost []bool // the calls come one after the other
	s := New(control.NewClient(address), Options{
		Version: "1", Session: "mine",
		Settings:  func(context.Context) (api.AgentSettings, error) { return api.AgentSettings{Allow: api.AllowAll}, nil },
		Workspace: func(api.AgentSettings) (string, error) { return t.TempDir(), nil },
		Ready: func(_ context.Context, was bool) error {
			lost = append(lost, was)
			return nil
		},
	})
	agent := connect(t, s, nil)
	for range 2 {
		res, err := agent.CallTool(t.Context(), &sdk.CallToolParams{Name: "sessions"})
		if err != nil || !res.IsError || !strings.Contains(said(res), "the next call finds an engine") || strings.Contains(said(res), "a person") {
			t.Errorf("%s, %v", said(res), err)
		}
	}
	if !slices.Equal(lost, []bool{false, true}) {
		t.Errorf("looked for an engine as if it was lost: %v", lost)
	}
}

// An answer holds for the call that was shown, and for no other.
func TestAYesForOneCallIsNoneForAnother(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, api.AllowAsk)
	client := connect(t, s, &sdk.ClientOptions{
		MultiRoundTrip:     &sdk.MultiRoundTripOptions{Disabled: true},
		ElicitationHandler: func(context.Context, *sdk.ElicitRequest) (*sdk.ElicitResult, error) { return nil, errors.New("unused") },
	})
	first, err := client.CallTool(t.Context(), &sdk.CallToolParams{Name: "run_python", Arguments: map[string]any{"code": "x = 1"}})
	if err != nil || len(first.InputRequests) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	yes := sdk.InputResponseMap{}
	for name := range first.InputRequests {
		yes[name] = &sdk.ElicitResult{Action: "accept"}
	}
	for code, asked := range map[string]bool{"x = 1": false, "x = 2": true} {
		res, err := client.CallTool(t.Context(), &sdk.CallToolParams{
			Name: "run_python", Arguments: map[string]any{"code": code}, InputResponses: yes,
		})
		if err != nil || (len(res.InputRequests) > 0) != asked {
			t.Errorf("%s: %v, %v", code, res, err)
		}
	}
}

func TestOverHTTPOnlyTheUsersAgentsAreAnswered(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	server := httptest.NewServer(newTestServer(t, api.AllowAll).Handler(func() string { return token }))
	t.Cleanup(server.Close)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`
	own := strings.TrimPrefix(server.URL, "http://")
	for _, x := range []struct {
		name                        string
		host, origin, shown, method string
		want                        int
	}{
		{"an agent", own, "", "Bearer " + token, "POST", 200},
		{"localhost", "localhost" + own[strings.LastIndex(own, ":"):], "", "Bearer " + token, "POST", 200},
		{"a page of the server itself", own, server.URL, "Bearer " + token, "POST", 200},
		{"no token", own, "", "", "POST", 401},
		{"another token", own, "", "Bearer " + token + "0", "POST", 401},
		{"an empty token", own, "", "Bearer ", "POST", 401},
		{"another kind", own, "", "Basic " + token, "POST", 401},
		{"a name that leads here", "evil.example", "", "Bearer " + token, "POST", 403},
		{"a name that looks like one of here", "localhost.evil.example", "", "Bearer " + token, "POST", 403},
		{"a page", own, "http://evil.example", "Bearer " + token, "POST", 403},
		{"a page of this machine", own, "http://localhost:3000", "Bearer " + token, "POST", 403},
		{"a page without an origin", own, "null", "Bearer " + token, "POST", 403},
		{"what is not served", own, "", "Bearer " + token, "GET", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), x.method, server.URL+Path, strings.NewReader(list))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = x.host
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		for name, value := range map[string]string{"Origin": x.origin, "Authorization": x.shown} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != x.want {
			t.Errorf("%s: %s, want %d", x.name, res.Status, x.want)
		}
	}
}

func TestATokenThatIsTakenAwayDoesNotHold(t *testing.T) {
	t.Parallel()
	token := "0123456789abcdef"
	server := httptest.NewServer(newTestServer(t, api.AllowAll).Handler(func() string { return token }))
	t.Cleanup(server.Close)
	for _, x := range []struct {
		holds string
		want  int
	}{{"0123456789abcdef", 200}, {"", 401}, {"another", 401}} {
		token = x.holds
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+Path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer 0123456789abcdef"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != x.want || x.want != 200 && !res.Close {
			t.Errorf("with the token %q: %d, the connection is closed: %v", x.holds, res.StatusCode, res.Close)
		}
	}
}

func TestAPersonIsShownAllOfAChangeOrNothingIsDone(t *testing.T) {
	t.Parallel()
	a := connect(t, newTestServer(t, api.AllowAsk), &sdk.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			t.Errorf("the person is shown %d bytes", len(req.Params.Message))
			return &sdk.ElicitResult{Action: "accept"}, nil
		},
	})
	res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: "run_python", Arguments: map[string]any{"code": strings.Repeat("x = 1\n", 1000)}})
	if err != nil || !res.IsError || !strings.Contains(said(res), "split it") {
		t.Errorf("%v, %v", res, err)
	}
	for call, want := range map[string]string{
		runPythonWords(runPython{Code: "pass", Session: "mine"}):         "in the session mine:",
		runPythonWords(runPython{Code: "pass", Scene: "/srv/big.blend"}): "with the scene /srv/big.blend",
	} {
		if !strings.Contains(call, want) {
			t.Errorf("%q lacks %q", call, want)
		}
	}
}

func TestAnAgentThatMayOnlyLookKeepsNoCheckpoint(t *testing.T) {
	t.Parallel()
	res, err := connect(t, newTestServer(t, api.AllowRead), nil).CallTool(t.Context(), &sdk.CallToolParams{Name: "checkpoint"})
	if err != nil || !res.IsError || !strings.Contains(said(res), "only look") {
		t.Errorf("%v, %v", res, err)
	}
}

// A client that sends null, or nothing, must not end the process.
func TestNoArgumentsAreNoArguments(t *testing.T) {
	t.Parallel()
	for _, arguments := range []string{"null", "", "{}", "[]", "7"} {
		a := connect(t, newTestServer(t, api.AllowAll), nil)
		for _, tool := range []string{"scene_summary", "render_preview", "run_python", "wait_run", "api_docs", "checkpoint"} {
			params := &sdk.CallToolParams{Name: tool}
			if arguments != "" {
				params.Arguments = json.RawMessage(arguments)
			}
			res, err := a.CallTool(t.Context(), params)
			if err == nil && !res.IsError {
				t.Errorf("%s with %q succeeds without an engine: %s", tool, arguments, said(res))
			}
		}
		if _, err := a.ListTools(t.Context(), nil); err != nil {
			t.Fatalf("after %q the server is gone: %v", arguments, err)
		}
	}
}

func TestOnlyThisMachineIsListenedOn(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "8123", "example.com:0"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("%s is listened on", address)
		}
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestTheReasonOfAConverterIsSaidAlone(t *testing.T) {
	t.Parallel()
	const own = "Traceback (most recent call last):\n  File \"<export>\", line 1, in <module>\n    result = (lambda names: …\n    ^^^^^\n"
	for _, x := range []struct{ kind, message, want string }{
		{"RuntimeError", "this Blender has no operator for such files: wm.usd_export", "error: RuntimeError: this Blender has no operator for such files: wm.usd_export\n"},
		{
			"RuntimeError", "Error: Python: Traceback (most recent call last):\n  File \"parse_fbx.py\", line 7, in read\n    assert x\nOSError: no FBX file\nlocation: <unknown location>:-1\n",
			"error: RuntimeError: OSError: no FBX file\n",
		},
		{"RuntimeError", "Error: Python: Traceback (most recent call last):\n\nLocation: ops.py:113", "error: RuntimeError: Error: Python:\n"},
		{"KeyboardInterrupt", "", "error: KeyboardInterrupt\n"},
	} {
		for _, action := range []string{actImport, actExport} {
			run := api.Run{Script: converterName(action), Error: &api.ScriptError{Type: x.kind, Message: x.message, Line: 1, Traceback: own + x.kind + ": " + x.message}}
			if got := errorWords(run); got != x.want {
				t.Errorf("%q, want %q", got, x.want)
			}
		}
	}
}

func TestAFileThatIsNotThereIsNotImported(t *testing.T) {
	t.Parallel()
	a := connect(t, newTestServer(t, api.AllowAll), nil)
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(dir, "missing.obj"), dir} {
		res, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: "open_save_export", Arguments: map[string]any{"action": "import", "file": file}})
		if err != nil || !res.IsError || !strings.Contains(said(res), "there is no file to import") || !strings.Contains(said(res), file) {
			t.Errorf("%s: %v, %v", file, res, err)
		}
	}
}

func TestWhatARestoreChangesIsSaid(t *testing.T) {
	t.Parallel()
	old := contents{"objects": {"A": "1", "B": "1"}, "meshes": {"M": "1"}}
	now := contents{"objects": {"A": "2", "C": "1"}, "meshes": {"M": "1"}}
	const want = "objects back: C\nobjects gone: B\nobjects changed: A"
	if got := difference(old, now); got != want {
		t.Errorf("%q", got)
	}
	if got := difference(old, old); got != "nothing has changed by that" {
		t.Errorf("%q", got)
	}
}

// Older revisions have the server ask with a request of its own.
func TestAnOlderClientAsksItsPerson(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{"accept": "no engine answers", "decline": "did not allow"} {
		in, toServer := io.Pipe()
		fromServer, out := io.Pipe()
		go func() {
			if err := newTestServer(t, api.AllowAsk).ServePipe(t.Context(), in, out); err != nil {
				t.Error(err)
			}
			out.Close()
		}()
		lines := bufio.NewScanner(fromServer)
		send := func(line string) {
			if _, err := io.WriteString(toServer, line+"\n"); err != nil {
				t.Error(err)
			}
		}
		next := func() string {
			if !lines.Scan() {
				t.Error(lines.Err())
			}
			return lines.Text()
		}
		send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"old","version":"1"}}}`)
		next()
		send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"run_python","arguments":{"code":"x = 1"}}}`)
		var asked struct {
			ID     json.RawMessage
			Method string
			Params sdk.ElicitParams
		}
		if err := json.Unmarshal([]byte(next()), &asked); err != nil || asked.Method != "elicitation/create" || !strings.Contains(asked.Params.Message, "x = 1") {
			t.Errorf("%+v, %v", asked, err)
		}
		send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":%q}}`, asked.ID, action))
		if got := next(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", action, got)
		}
		toServer.Close()
		for lines.Scan() {
			t.Errorf("more than was asked for: %s", lines.Text())
		}
	}
}
