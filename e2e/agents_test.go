//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// agent is a program for agents that is connected, by the official client.
type agent struct {
	*program
	*sdk.ClientSession
	// progress receives what the server says of progress.
	progress chan *sdk.ProgressNotificationParams
}

func (p *program) agentOver(t sdk.Transport) *agent {
	p.t.Helper()
	a := &agent{program: p, progress: make(chan *sdk.ProgressNotificationParams, 1000)}
	client := sdk.NewClient(&sdk.Implementation{Name: "e2e", Version: "1"}, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *sdk.ProgressNotificationClientRequest) {
			select {
			case a.progress <- req.Params:
			default: // the test does not read it
			}
		},
	})
	ctx, stop := context.WithTimeout(p.t.Context(), patience)
	defer stop()
	var err error
	if a.ClientSession, err = client.Connect(ctx, t, nil); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { a.Close() })
	return a
}

// agentOnAPipe starts `blendtray mcp` and connects to it.
func (p *program) agentOnAPipe() *agent {
	p.t.Helper()
	cmd := p.command("mcp")
	cmd.Stderr = lockedWriter{p}
	return p.agentOver(&sdk.CommandTransport{Command: cmd})
}

// withToken adds the token to what an agent sends.
type withToken string

func (token withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(r)
}

// agentsAddress has the engine answer agents over HTTP, and returns the address and the token.
func (p *program) agentsAddress() (url, token string) {
	p.t.Helper()
	// The system names a port that is free; another program may take it meanwhile.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	if r := p.call("settings", "mcp.http_port", port); r.code != 0 {
		p.t.Fatal(r.stderr)
	}
	p.eventually("agents are answered over HTTP", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	r := p.call("mcp", "token")
	return "http://" + address + "/mcp", strings.TrimSpace(r.stdout)
}

func (p *program) agentOverHTTP() *agent {
	p.t.Helper()
	url, token := p.agentsAddress()
	return p.agentOver(&sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: withToken(token)}})
}

// tool calls a tool and returns the answer.
func (a *agent) tool(name string, arguments map[string]any) *sdk.CallToolResult {
	a.t.Helper()
	ctx, stop := context.WithTimeout(a.t.Context(), patience)
	defer stop()
	params := &sdk.CallToolParams{Name: name, Arguments: arguments}
	params.SetProgressToken("progress")
	res, err := a.CallTool(ctx, params)
	if err != nil {
		a.t.Fatalf("%s %v: %v", name, arguments, err)
	}
	return res
}

// says calls a tool, and fails unless the answer is an error or not, and has some texts in it.
func (a *agent) says(isError bool, name string, arguments map[string]any, texts ...string) *sdk.CallToolResult {
	a.t.Helper()
	res := a.tool(name, arguments)
	for _, want := range texts {
		if !strings.Contains(textIn(res), want) {
			a.t.Errorf("%s %v: %q lacks %q", name, arguments, textIn(res), want)
		}
	}
	if res.IsError != isError {
		a.t.Errorf("%s %v: an error %v, want %v: %s", name, arguments, res.IsError, isError, textIn(res))
	}
	if len(textIn(res)) > 8<<10 {
		a.t.Errorf("%s %v: %d bytes of text", name, arguments, len(textIn(res)))
	}
	return res
}

func textIn(res *sdk.CallToolResult) string {
	var b strings.Builder
	for _, c := range res.Content {
		if t, ok := c.(*sdk.TextContent); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// runOf and sessionOf return the handles that an answer has.
func runOf(res *sdk.CallToolResult) string     { return res.Meta["blendtray/run"].(string) }
func sessionOf(res *sdk.CallToolResult) string { return res.Meta["blendtray/session"].(string) }

type args = map[string]any

// hasHandles fails unless an answer has the handles of a run of a session that has succeeded, and of a checkpoint
// where number is not 0.
func (a *agent) hasHandles(res *sdk.CallToolResult, session string, number int) {
	a.t.Helper()
	run, _ := res.Meta["blendtray/run"].(string)
	if run == "" || res.Meta["blendtray/session"] != session || res.Meta["blendtray/state"] != "succeeded" {
		a.t.Errorf("%q has the handles %v", textIn(res), res.Meta)
	}
	if got, _ := res.Meta["blendtray/checkpoint"].(float64); int(got) != number {
		a.t.Errorf("%q has the checkpoint %v, want %d", textIn(res), got, number)
	}
}

// anAgentWorks is a session of an agent: it models, makes a mistake, undoes, saves and exports.
func anAgentWorks(a *agent) {
	a.t.Helper()
	first := a.says(false, "run_python", args{"code": "import bpy\nlegs = 4\nprint('hello')\nresult = len(bpy.data.objects)"},
		"succeeded", "checkpoint 1", "output:\nhello\n", "result: 3")
	session := sessionOf(first)
	in := func(more args) args {
		all := args{"session": session}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	a.says(false, "run_python", in(args{"code": "bpy.ops.mesh.primitive_monkey_add()\nprint(legs, bpy.context.object.name)"}), "4 Suzanne")
	failed := a.says(true, "run_python", in(args{"code": "print('before')\nbpy.data.objects['Monkey']"}),
		"output:\nbefore", "Traceback", "KeyError", "line: 2", "hint: ")
	a.says(true, "run_python", in(args{"code": "import sys; sys.exit(3)"}), "SystemExit")
	a.says(true, "run_python", in(args{"code": "for i in (1,"}), "error:")
	a.says(false, "run_python", in(args{"code": "bpy.data.objects.remove(bpy.data.objects['Suzanne'])"}))
	a.says(false, "restore", in(nil), "objects back: Suzanne")
	a.hasHandles(a.says(false, "restore", in(args{"checkpoint": 1}), "objects gone: Suzanne"), session, 1)
	a.says(true, "restore", in(nil), "oldest checkpoint")
	a.says(true, "restore", in(args{"checkpoint": 77}), "no checkpoint 77")
	kept := a.says(false, "checkpoint", in(nil), "checkpoint")
	var number int
	if _, err := fmt.Sscanf(textIn(kept), "checkpoint %d", &number); err != nil {
		a.t.Errorf("%q: %v", textIn(kept), err)
	}
	a.hasHandles(kept, session, number)
	a.says(false, "run_python", in(args{"code": "print([o.name for o in bpy.data.objects if o.name == 'Suzanne'], legs)", "checkpoint": false}), "[] 4")

	saved := a.says(false, "open_save_export", in(args{"action": "save", "file": "made/scene.blend"}), "scene.blend")
	exported := a.says(false, "open_save_export", in(args{"action": "export", "file": "made/scene.obj"}), "scene.obj")
	for _, res := range []*sdk.CallToolResult{saved, exported} {
		if strings.Contains(textIn(res), "\n/") {
			a.t.Errorf("more than a path: %q", textIn(res))
		}
		a.hasHandles(res, session, 0)
	}
	for _, name := range []string{"scene.blend", "scene.obj"} {
		if info, err := os.Stat(filepath.Join(a.home, "agents", "made", name)); err != nil || info.Size() == 0 {
			a.t.Errorf("%s: %v", name, err)
		}
	}
	a.hasHandles(a.says(false, "open_save_export", in(args{"action": "import", "file": "made/scene.obj"}), "new objects:"), session, 0)
	a.hasHandles(a.says(false, "open_save_export", in(args{"action": "open", "file": "made/scene.blend"}), "is open in session "+session), session, 0)
	a.says(true, "open_save_export", in(args{"action": "export", "file": "made/scene.doc"}), "doc")
	a.says(false, "sessions", nil, session)
	a.says(false, "run_python", args{"code": "import bpy; print('legs' in globals(), bpy.data.objects[:1][0].name)", "scene": "fresh"}, "False Camera")
	a.readsResources(runOf(failed))
	a.says(false, "sessions", args{"end": session}, "")
}

// readsResources reads what there is about a run that has failed.
func (a *agent) readsResources(run string) {
	a.t.Helper()
	for uri, want := range map[string]string{
		"blendtray://status": `"blenders"`, "blendtray://runs": `"state": "failed"`, "blendtray://log/engine": "",
		"blendtray://runs/" + run: `"KeyError"`, "blendtray://runs/" + run + "/output": "before", "blendtray://runs/" + run + "/code": "Monkey",
	} {
		res, err := a.ReadResource(a.t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil || len(res.Contents) != 1 || !strings.Contains(res.Contents[0].Text, want) {
			a.t.Errorf("%s: %v, %v", uri, res, err)
		}
	}
	for _, uri := range []string{"blendtray://runs/99999", "blendtray://etc/passwd", "file:///etc/passwd", "blendtray://runs/" + run + "/outputs/0"} {
		if res, err := a.ReadResource(a.t.Context(), &sdk.ReadResourceParams{URI: uri}); err == nil {
			a.t.Errorf("%s: %v", uri, res)
		}
	}
}

func TestAnAgentWorksOverAPipe(t *testing.T) {
	t.Parallel()
	anAgentWorks(started(t, "").agentOnAPipe())
}

func TestAnAgentWorksOverHTTP(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	anAgentWorks(p.agentOverHTTP())
}

// A run that takes longer than an agent's program waits goes on, and its result is not lost.
func TestALongRunReturnsAHandle(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	a := p.agentOnAPipe()
	gate := filepath.Join(t.TempDir(), "gate")
	code := fmt.Sprintf("import os, time\nprint('begun', flush=True)\nwhile not os.path.exists(%q): time.sleep(0.01)\nprint('done')\nresult = 7", gate)
	run := runOf(a.says(false, "run_python", args{"code": code, "wait": 0.01}, "wait_run"))
	p.eventually("the run has begun", func() bool {
		r, err := p.client().Run(t.Context(), run)
		return err == nil && strings.Contains(r.Output, "begun")
	})
	a.says(false, "wait_run", args{"run": run, "wait": 0.2}, "is running", "begun")
	if busy := a.says(true, "checkpoint", nil, "is busy", run); runOf(busy) != run || sessionOf(busy) == "" {
		t.Errorf("the handles are %v", busy.Meta)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.says(false, "wait_run", args{"run": run}, "succeeded", "done", "result: 7")
}

func TestARestoreSaysWhichCheckpointsAreGone(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	a := p.agentOnAPipe()
	var session string
	for n := 1; n <= 3; n++ {
		session = sessionOf(a.says(false, "run_python", args{"code": fmt.Sprintf("import bpy; bpy.data.objects['Cube'].location.x = %d", n)}, fmt.Sprintf("checkpoint %d", n)))
	}
	a.says(false, "restore", args{"checkpoint": 2}, "back at checkpoint 2; checkpoint 3, which was newer, is gone\n", "objects changed: Cube")
	a.says(true, "restore", args{"checkpoint": 3}, "no checkpoint 3; there are: 1, 2.", "removes the checkpoints that are newer")
	a.says(false, "restore", args{"checkpoint": 1}, "back at checkpoint 1; checkpoint 2, which was newer, is gone\n")
	again := func() {
		t.Helper()
		res := a.says(false, "restore", args{"checkpoint": 1}, "at checkpoint 1 already, and nothing changes")
		if got, _ := res.Meta["blendtray/checkpoint"].(float64); got != 1 || res.Meta["blendtray/session"] != session {
			t.Errorf("the handles are %v", res.Meta)
		}
	}
	again()
	a.says(false, "scene_summary", nil, "Cube") // a look changes nothing
	again()
	a.says(true, "restore", nil, "oldest checkpoint")
	a.says(false, "run_python", args{"code": "bpy.data.objects['Cube'].location.x = 5"}, "checkpoint 4")
	a.says(false, "run_python", args{"code": "bpy.data.objects['Cube'].location.x = 6"}, "checkpoint 5")
	a.says(false, "restore", args{"checkpoint": 1}, "back at checkpoint 1; checkpoints 4, 5, which were newer, are gone\n", "objects changed: Cube")

	// It is the same where another program has gone back.
	a.says(false, "run_python", args{"code": "bpy.data.objects['Cube'].location.x = 7", "checkpoint": false})
	if r := p.call("session", "undo", session); r.code != 0 {
		t.Error(r.stderr)
	}
	again()
}

// What the scene is like when a call's turn comes decides whether there is something to keep, and not what it
// was like when the call was made.
func TestACallBehindTheFirstRunAfterACrashHasACheckpoint(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	a := p.agentOnAPipe()
	session := sessionOf(a.says(false, "run_python", args{"code": "print(1)"}, "checkpoint 1"))
	crash := args{"code": "import os; os._exit(1)"}
	a.says(true, "run_python", crash)
	gate := filepath.Join(t.TempDir(), "gate")
	waits := fmt.Sprintf("import bpy, os, time\nbpy.data.objects['Cube'].location.x = 77\nwhile not os.path.exists(%q): time.sleep(0.01)\n", gate)
	// queued calls the tool while the run waits at the gate, and opens the gate when the call waits behind it.
	queued := func(code string, isError bool, texts ...string) {
		t.Helper()
		a.says(false, "run_python", args{"code": waits + code, "wait": 0}, "no checkpoint: the scene is lost")
		over := make(chan struct{})
		go func() {
			defer close(over)
			a.says(isError, "run_python", args{"code": "import bpy; print(bpy.data.objects['Cube'].location.x); bpy.data.objects.remove(bpy.data.objects['Cube'])"}, texts...)
		}()
		p.eventually("the call waits behind the run", func() bool {
			s, err := p.client().Session(t.Context(), session)
			return err == nil && s.Queued > 0
		})
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Error(err)
		}
		<-over
	}
	queued("", false, "checkpoint 3", "77.0")
	a.says(false, "restore", nil, "is back at checkpoint 3", "objects back: Cube")
	a.says(false, "run_python", args{"code": "import bpy; print(bpy.data.objects['Cube'].location.x)"}, "77.0")

	// The run before it may cost the scene once more.
	a.says(true, "run_python", crash)
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	queued("os._exit(1)", false, "no checkpoint: the scene is lost", "\n0.0")
}

// A program for agents that ends a call after a minute has a render that takes longer: each call comes back
// in time, tells how far the render is, and the render goes on. LONG_RENDER has it take two minutes.
func TestARenderMayTakeLongerThanACall(t *testing.T) {
	t.Parallel()
	limit, wait, longer := time.Minute, 0.5, time.Duration(0)
	p := started(t, "")
	if os.Getenv("LONG_RENDER") != "" {
		wait, longer = 0, 2*time.Minute // 0: as long as the server waits by itself
	}
	a := p.agentOnAPipe()
	call := func(name string, arguments args) *sdk.CallToolResult {
		if wait > 0 {
			arguments["wait"] = wait
		}
		begun := time.Now()
		res := a.says(false, name, arguments)
		if took := time.Since(begun); took > limit {
			t.Fatalf("%s took %s, and its client has gone", name, took)
		}
		return res
	}
	gate := filepath.Join(t.TempDir(), "gate")
	begun := time.Now()
	res := call("run_python", args{"checkpoint": false, "code": fmt.Sprintf(`
import bpy, os
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 64, False
scene.render.resolution_percentage, scene.render.filepath = 10, "//picture.png"
frames = 0
while not os.path.exists(%q):
    bpy.ops.render.render(write_still=True)
    frames += 1
result = frames
`, gate)})
	run, told, waits := runOf(res), 0, 0
	for told == 0 || waits < 3 || time.Since(begun) < longer {
		waits++
		if res = call("wait_run", args{"run": run}); !strings.Contains(textIn(res), "is running") && !strings.Contains(textIn(res), "queued") {
			t.Fatalf("%s", textIn(res))
		}
		for range len(a.progress) {
			<-a.progress
			told++
		}
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.says(false, "wait_run", args{"run": run}, "succeeded", "made: ", "result: ")
}

func TestRenderProgressIsProgressAndNoOutput(t *testing.T) {
	t.Parallel()
	a := started(t, "").agentOnAPipe()
	res := a.says(true, "run_python", args{"code": `
import bpy
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 64, False
scene.render.resolution_percentage, scene.render.filepath = 10, "//picture.png"
bpy.ops.render.render(write_still=True)
print("rendered")
1 / 0
`}, "rendered", "ZeroDivisionError", "made: ")
	if strings.Contains(textIn(res), "Fra:") || strings.Contains(textIn(res), "Sample ") {
		t.Errorf("it has lines of the render: %s", textIn(res))
	}
	last := -1.0
	for {
		select {
		case p := <-a.progress:
			if p.Total != 1 || p.Progress < last || p.Progress > 1 {
				t.Errorf("%+v after %v", p, last)
			}
			last = p.Progress
			continue
		default:
		}
		break
	}
	if last < 0 {
		t.Error("nothing was said of progress")
	}
}

// The session is looked at in a copy: its camera, its selection and its settings stay.
func TestAPreviewShowsWhatTheSessionHasNow(t *testing.T) {
	t.Parallel()
	a := started(t, "").agentOnAPipe()
	picture := func(code string) []byte {
		res := a.says(false, "run_python", args{"code": code, "preview": true})
		for _, c := range res.Content {
			if image, ok := c.(*sdk.ImageContent); ok && image.MIMEType == "image/jpeg" && bytes.HasPrefix(image.Data, []byte{0xff, 0xd8}) {
				return image.Data
			}
		}
		t.Fatalf("there is no picture: %s", textIn(res))
		return nil
	}
	const state = "scene = bpy.context.scene; print(scene.camera.name, scene.render.engine, scene.render.resolution_x, bpy.data.filepath, len(bpy.data.objects))"
	before := picture("import bpy")
	was := a.says(false, "run_python", args{"code": state, "checkpoint": false})
	after := picture("bpy.ops.mesh.primitive_monkey_add(size=4)")
	if bytes.Equal(before, after) {
		t.Error("both pictures are the same")
	}
	_, seen, _ := strings.Cut(textIn(was), "output:")
	a.says(false, "run_python", args{"code": "bpy.data.objects.remove(bpy.data.objects['Suzanne'])\n" + state, "checkpoint": false}, seen)
}

func TestAMillionLinesAreAShortAnswer(t *testing.T) {
	t.Parallel()
	a := started(t, "").agentOnAPipe()
	res := a.says(false, "run_python", args{"code": "for i in range(100_000): print('line', i)"}, "line 0\n", "line 99999", "bytes left out", "/output")
	whole, err := a.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "blendtray://runs/" + runOf(res) + "/output"})
	if err != nil || len(whole.Contents[0].Text) < 500_000 {
		t.Errorf("%v", err)
	}
}

// rawAgent speaks with `blendtray mcp` line by line.
type rawAgent struct {
	*program
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	n   int
}

func (p *program) rawAgent() *rawAgent {
	p.t.Helper()
	r := &rawAgent{program: p, cmd: p.command("mcp")}
	r.cmd.Stderr = lockedWriter{p}
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		r.in.Close()
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			_ = r.cmd.Wait()                          // the tests that care about its end wait themselves
		}
	})
	return r
}

// send sends a request, or for no id a notification, and returns its id.
func (r *rawAgent) send(method string, params any, notify bool) int {
	r.t.Helper()
	message := map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
	if !notify {
		r.n++
		message["id"] = r.n
	}
	line, err := json.Marshal(message)
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return r.n
}

// reply returns the answer to a request.
func (r *rawAgent) reply(id int) (m struct {
	ID     int
	Result json.RawMessage
	Error  json.RawMessage
},
) {
	r.t.Helper()
	for {
		line, err := r.out.ReadBytes('\n')
		if err != nil {
			r.t.Fatalf("%v: %s", err, line)
		}
		m.ID = 0
		if err := json.Unmarshal(line, &m); err != nil {
			r.t.Fatal(err)
		}
		if m.ID == id {
			return m
		}
	}
}

// begin does the handshake of the revisions that have one.
func (r *rawAgent) begin(revision string) {
	r.t.Helper()
	res := r.reply(r.send("initialize", map[string]any{
		"protocolVersion": revision, "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "raw", "version": "1"},
	}, false))
	if !bytes.Contains(res.Result, []byte(`"protocolVersion":"`+revision+`"`)) {
		r.t.Errorf("%s is answered with %s", revision, res.Result)
	}
	r.send("notifications/initialized", map[string]any{}, true)
}

// loops is code that goes on until somebody ends it, and says that it has begun.
const loops = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.01)"

// call begins a call of run_python and returns its id when the run is running.
func (r *rawAgent) loop(extra args) (id int, run api.Run) {
	r.t.Helper()
	arguments := args{"code": loops, "checkpoint": false}
	for name, value := range extra {
		arguments[name] = value
	}
	id = r.send("tools/call", map[string]any{"name": "run_python", "arguments": arguments}, false)
	r.eventually("the run is running", func() bool {
		for _, one := range r.runs("--state", "running") {
			if one.Client == "mcp: raw" && one.StartedAt != nil {
				run = r.show(one.ID)
			}
		}
		return strings.Contains(run.Output, "begun")
	})
	return id, run
}

func TestEveryRevisionOfTheProtocolIsSpoken(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	for _, revision := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		r := p.rawAgent()
		r.begin(revision)
		res := r.reply(r.send("tools/call", map[string]any{"name": "run_python", "arguments": args{"code": "print('hi')"}}, false))
		if !bytes.Contains(res.Result, []byte("hi")) || bytes.Contains(res.Result, []byte("isError")) {
			t.Errorf("%s: %s %s", revision, res.Result, res.Error)
		}
	}
	r := p.rawAgent()
	meta := map[string]any{
		"io.modelcontextprotocol/protocolVersion":    "2026-07-28",
		"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "raw", "version": "1"},
		"io.modelcontextprotocol/clientCapabilities": map[string]any{},
	}
	for _, x := range []struct {
		method string
		params map[string]any
		want   string
	}{
		{"server/discover", map[string]any{"_meta": meta}, "2026-07-28"},
		{"tools/list", map[string]any{"_meta": meta}, "run_python"},
		{"tools/call", map[string]any{"_meta": meta, "name": "run_python", "arguments": args{"code": "print('hi')"}}, "hi"},
	} {
		if res := r.reply(r.send(x.method, x.params, false)); !bytes.Contains(res.Result, []byte(x.want)) {
			t.Errorf("%s: %s %s", x.method, res.Result, res.Error)
		}
	}
}

func TestACancelledCallEndsItsRun(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	r := p.rawAgent()
	r.begin("2025-06-18")
	id, run := r.loop(nil)
	r.send("notifications/cancelled", map[string]any{"requestId": id}, true)
	p.eventually("the run is cancelled", func() bool { return p.show(run.ID).State == api.Cancelled })
	if res := r.reply(id); !bytes.Contains(res.Result, []byte("the call was cancelled")) {
		t.Errorf("the call is answered with %s", res.Result)
	}

	_, other := r.loop(nil)
	res := r.reply(r.send("tools/call", map[string]any{"name": "cancel_run", "arguments": args{"run": other.ID}}, false))
	if now := p.show(other.ID); now.State != api.Cancelled || !bytes.Contains(res.Result, []byte("cancelled")) {
		t.Errorf("%s; %s", now.State, res.Result)
	}
}

// An agent's program may end in any moment, and in any way: its run goes on, and nobody else notices.
func TestAnAgentThatVanishesHarmsNoRun(t *testing.T) {
	t.Parallel()
	p := started(t, "[runs]\nparallel = 4\n")
	other := p.agentOnAPipe()
	kept := sessionOf(other.says(false, "run_python", args{"code": "import bpy; mine = 1"}))
	for name, vanish := range map[string]func(r *rawAgent){
		"its pipe ends":      func(r *rawAgent) { r.in.Close(); _ = r.cmd.Wait() },
		"it is killed":       func(r *rawAgent) { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() },
		"it is asked to end": func(r *rawAgent) { _ = r.cmd.Process.Signal(syscall.SIGTERM); _ = r.cmd.Wait() },
		"it waits for its run": func(r *rawAgent) {
			r.send("tools/call", map[string]any{"name": "wait_run", "arguments": args{"run": "1"}}, false)
			r.in.Close()
			_ = r.cmd.Wait()
		},
	} {
		r := p.rawAgent()
		r.begin("2025-06-18")
		_, run := r.loop(nil)
		vanish(r)
		if now := p.show(run.ID); now.State != api.Running {
			t.Errorf("%s: the run is %s: %s", name, now.State, now.Reason)
		}
		other.says(false, "run_python", args{"code": "print(mine)", "session": kept}, "1")
		if r := p.call("cancel", run.ID); r.code != 0 {
			t.Error(r.stderr)
		}
	}
	for _, half := range []string{"", "{", `{"jsonrpc":"2.0","id":1,"method":"initialize"`, "no JSON\n", "[]\n", "null\n"} {
		r := p.rawAgent()
		_, _ = io.WriteString(r.in, half) // it may have ended at what came before
		r.in.Close()
		_ = r.cmd.Wait() // how it ends is its own affair: it ends
	}
	other.says(false, "run_python", args{"code": "print(mine)"}, "1")
}

func TestAClosedStreamEndsTheWaitingAndNotTheRun(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	url, token := p.agentsAddress()
	for i, revision := range []string{"2025-06-18", "2026-07-28"} {
		ctx, vanish := context.WithCancel(t.Context())
		params := map[string]any{"name": "run_python", "arguments": args{"code": loops, "checkpoint": false}}
		if revision == "2026-07-28" {
			params["_meta"] = map[string]any{
				"io.modelcontextprotocol/protocolVersion":    revision,
				"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "raw", "version": "1"},
				"io.modelcontextprotocol/clientCapabilities": map[string]any{},
			}
		}
		body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"MCP-Protocol-Version": revision, "Mcp-Method": "tools/call", "Mcp-Name": "run_python",
		} {
			req.Header.Set(name, value)
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if res, err := http.DefaultClient.Do(req); err == nil {
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
		var run api.Run
		p.eventually("the run is running", func() bool {
			for _, one := range p.runs("--state", "running") {
				run = p.show(one.ID)
			}
			return strings.Contains(run.Output, "begun")
		})
		vanish()
		<-gone
		if r := p.call("run", "--scene", "fresh", "-c", "print('another')"); r.code != 0 {
			t.Error(r.stderr)
		}
		if now := p.show(run.ID); now.State != api.Running {
			t.Errorf("%d: the run is %s: %s", i, now.State, now.Reason)
		}
		if r := p.call("cancel", run.ID); r.code != 0 {
			t.Error(r.stderr)
		}
		p.eventually("the run has ended", func() bool { return p.show(run.ID).State.Final() })
	}
}

func TestAThousandCallsAtATimeLoseNothing(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	a := p.agentOverHTTP()
	session := sessionOf(a.says(false, "run_python", args{"code": "import bpy; done = []"}))
	const calls = 1000
	var calling sync.WaitGroup
	var wrong atomic.Int64
	for i := range calls {
		calling.Go(func() {
			ctx, stop := context.WithTimeout(t.Context(), 3*patience)
			defer stop()
			res, err := a.CallTool(ctx, &sdk.CallToolParams{Name: "run_python", Arguments: args{
				"code": fmt.Sprintf("done.append(%d); print(%d)", i, i), "session": session, "checkpoint": false, "wait": 240,
			}})
			if err != nil || res.IsError || !strings.Contains(textIn(res), fmt.Sprintf("output:\n%d", i)) {
				if wrong.Add(1) < 4 {
					t.Errorf("call %d: %v, %v", i, res, err)
				}
			}
		})
	}
	calling.Wait()
	a.says(false, "run_python", args{"code": "print(len(done), len(set(done)))", "session": session}, "1000 1000")
}

// Without an engine the agent's own process is one, until nobody needs it.
func TestAnAgentWithoutAnEngineBringsOne(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	begun := time.Now()
	first := p.rawAgent()
	first.begin("2025-06-18")
	t.Logf("ready after %v", time.Since(begun))
	res := first.reply(first.send("tools/call", map[string]any{"name": "run_python", "arguments": args{"code": "print('hi')"}}, false))
	if !bytes.Contains(res.Result, []byte("hi")) {
		t.Fatalf("%s", res.Result)
	}
	second := p.rawAgent()
	second.begin("2025-06-18")
	_, run := second.loop(nil)
	first.in.Close()
	// The engine is in the process of the first, and the second's run goes on there.
	res = second.reply(second.send("tools/call", map[string]any{"name": "wait_run", "arguments": args{"run": run.ID, "wait": 1}}, false))
	if !bytes.Contains(res.Result, []byte("is running")) || first.cmd.ProcessState != nil {
		t.Errorf("%s", res.Result)
	}
	p.call("session", "end", run.Session)
	if err := first.cmd.Wait(); err != nil {
		t.Errorf("the first ends with %v", err)
	}
	// The second brings an engine when the first has gone with its own.
	res = second.reply(second.send("tools/call", map[string]any{"name": "run_python", "arguments": args{"code": "print('again')"}}, false))
	if !bytes.Contains(res.Result, []byte("again")) {
		t.Errorf("%s %s", res.Result, res.Error)
	}
}

// The status and the doctor say which agents are connected and what they do, until they are gone.
func TestTheAgentsThatAreConnectedAreSeen(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	agents := func() map[string]api.Agent {
		all, err := p.client().Agents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]api.Agent{}
		for _, a := range all {
			by[a.Transport] = a
		}
		return by
	}
	r := p.rawAgent()
	r.begin("2025-06-18")
	p.eventually("an agent is there that has called nothing", func() bool {
		a := agents()[api.OverPipe]
		return a.Name == "raw" && a.Version == "1" && a.Client == "mcp: raw" && a.Calls == 0
	})
	id, run := r.loop(nil)
	p.eventually("its call goes on", func() bool {
		a := agents()[api.OverPipe]
		return a.Call == "run_python" && a.Calling == 1 && a.Runs == 1 && len(a.Sessions) == 1 && a.Sessions[0] == run.Session
	})
	if out := p.call("status").stdout; !strings.Contains(out, "agent    raw 1 over a pipe") || !strings.Contains(out, "run_python goes on") {
		t.Errorf("the status says %s", out)
	}
	if out := p.call("doctor", "--config", p.config).stdout; !strings.Contains(out, "right  agent      raw 1 over a pipe") {
		t.Errorf("the doctor says %s", out)
	}
	r.send("notifications/cancelled", map[string]any{"requestId": id}, true)
	p.eventually("no call goes on", func() bool { return agents()[api.OverPipe].Calling == 0 })

	p.agentOverHTTP().says(false, "sessions", nil)
	p.eventually("the agent over HTTP is there", func() bool {
		a := agents()[api.OverHTTP]
		return a.Name != "" && a.Call == "sessions" && a.Calls == 1 && a.Runs == 0
	})
	r.in.Close()
	_ = r.cmd.Wait()
	if left := agents(); len(left) != 1 || left[api.OverHTTP].Name == "" {
		t.Errorf("after the end of the pipe there are %+v", left)
	}
}
