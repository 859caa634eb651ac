package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
)

// fakeEngine ends each run as its test says.
type fakeEngine struct {
	mu   sync.Mutex
	all  []api.Submission
	end  api.Run
	fail error
	hold chan struct{} // where it is not nil, a run ends when it is closed
}

func (f *fakeEngine) SubmitAndFollow(ctx context.Context, s api.Submission) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		f.mu.Lock()
		f.all = append(f.all, s)
		run, fail, hold := f.end, f.fail, f.hold
		f.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-ctx.Done():
				fail = ctx.Err()
			}
		}
		if fail != nil {
			yield(api.Event{}, fail)
			return
		}
		yield(api.Event{Kind: api.KindRun, Run: &run}, nil)
	}
}

func (f *fakeEngine) submissions() []api.Submission {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}

// serving returns the address of a server over an engine.
func serving(t *testing.T, engine Engine, change func(*Server)) string {
	t.Helper()
	s := New(Config{Engine: engine})
	if change != nil {
		change(s)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

const patience = 20 * time.Second

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// tell sends a text and returns all that comes until the server closes.
func tell(t *testing.T, address, text string) string {
	t.Helper()
	c := dial(t, address)
	_, _ = io.WriteString(c, text) // a peer that is refused may be cut off meanwhile
	got, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(got)
}

// ask sends requests on a connection and returns the answers.
func ask(t *testing.T, address string, requests ...string) (all []answer) {
	t.Helper()
	c := dial(t, address)
	if _, err := io.WriteString(c, strings.Join(requests, "\x00")+"\x00"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 1000); bytes.Count(got, []byte{0}) < len(requests); {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, buf[:n]...)
	}
	for part := range bytes.SplitSeq(bytes.TrimSuffix(got, []byte{0}), []byte{0}) {
		var a answer
		if err := json.Unmarshal(part, &a); err != nil {
			t.Fatalf("%v: %q", err, part)
		}
		all = append(all, a)
	}
	return all
}

func TestCodeRunsInTheSessionAndItsAnswerComesBack(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{end: api.Run{
		ID: "7", State: api.Succeeded,
		Result: json.RawMessage(`{"status":"ok","result":{"x":1},"stdout":"out\n","stderr":"err\n"}`),
	}}
	address := serving(t, engine, nil)
	got := ask(t, address, `{"type":"execute","code":"x = 1","strict_json":false}`, ` {"type":"execute","code":"","strict_json":true}`)
	for _, a := range got {
		if a.Status != "ok" || string(a.Result) != `{"x":1}` || a.Stdout != "out\n" || a.Stderr != "err\n" {
			t.Errorf("%+v", a)
		}
	}
	all := engine.submissions()
	if len(all) != 2 || string(all[0].Code) != "x = 1"+mark || string(all[1].Code) != strictMark {
		t.Errorf("%+v", all)
	}
	for _, s := range all {
		if s.Session != Session || s.Client != client {
			t.Errorf("%+v", s)
		}
	}
}

func TestARunWithoutAnAnswerIsAnError(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		run  api.Run
		want string
	}{
		{api.Run{State: api.Crashed, Error: &api.ScriptError{Message: "Blender crashed: SIGSEGV"}, Output: "before\n"}, "crashed Blender: Blender crashed: SIGSEGV"},
		{api.Run{State: api.Cancelled, Reason: "cancelled by ada"}, "was cancelled: cancelled by ada"},
		{api.Run{State: api.TimedOut}, "had no more time"},
		{api.Run{State: api.Failed, Error: &api.ScriptError{Type: api.Refused, Message: "there are 2 sessions"}}, "failed: there are 2 sessions"},
		// The answer was made, and something has gone wrong after it.
		{api.Run{State: api.Cancelled, Result: json.RawMessage(`{"status":"ok","result":{}}`)}, "was cancelled"},
	} {
		got := ask(t, serving(t, &fakeEngine{end: x.run}, nil), `{"type":"execute","code":"x","strict_json":true}`)[0]
		if got.Status != "error" || !strings.Contains(got.Message, x.want) || got.Stdout != x.run.Output {
			t.Errorf("%+v, want %q", got, x.want)
		}
	}
	failing := ask(t, serving(t, &fakeEngine{fail: errors.New("no engine")}, nil), `{"type":"execute","code":"x","strict_json":true}`)[0]
	if failing.Status != "error" || !strings.Contains(failing.Message, "no engine") {
		t.Errorf("%+v", failing)
	}
}

func TestASessionThatBeginsAnewSaysSo(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{end: api.Run{
		State: api.Succeeded, Reason: "the session begins anew",
		Result: json.RawMessage(`{"status":"ok","result":{},"stdout":"x"}`),
	}}
	got := ask(t, serving(t, engine, nil), `{"type":"execute","code":"x","strict_json":true}`)[0]
	if got.Stdout != "[the session begins anew]\nx" {
		t.Errorf("%+v", got)
	}
}

func TestThoseThatSpeakSomethingElseAreToldSo(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{}
	address := serving(t, engine, func(s *Server) { s.requestTime = time.Second })
	for _, x := range []struct{ name, sent, want string }{
		{"a browser", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + `{"type":"execute","code":"x","strict_json":false}` + "\x00", "HTTP/1.1 403"},
		{"a WebSocket", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "does not speak HTTP"},
		{"another add-on's client", `{"type": "get_scene_info", "params": {}}`, "Blender Lab's MCP server alone"},
		{"another add-on's client with code", `{"type": "execute_code", "params": {"code": "x"}}`, "Blender Lab's MCP server alone"},
		{"an object without a type", `{"code": "x"}`, "Blender Lab's MCP server alone"},
		{"TLS", "\x16\x03\x01\x02\x00", "Blender Lab's MCP server alone"},
		{"no JSON", "{x}\x00", "no JSON"},
		{"a broken object", "{x: 1}", "Blender Lab's MCP server alone"},
		{"white space", strings.Repeat(" ", 2000), "Blender Lab's MCP server alone"},
		{"half a request", `{"type": "execute", "code": "x`, "not whole within 1s"},
		{"a request that is too long", `{"type": "execute", "code": "` + strings.Repeat("x", maxRequest), "is longer than"},
	} {
		got := tell(t, address, x.sent)
		if x.name == "no JSON" { // the server waits for the next request
			got = ask(t, address, "{x}")[0].Message
		}
		if !strings.Contains(got, x.want) {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
		if rest, ok := strings.CutPrefix(got, "{"); ok && !strings.HasSuffix(x.name, "long") && !json.Valid([]byte("{"+rest)) {
			t.Errorf("%s: %q is no JSON, which its client waits for", x.name, got)
		}
	}
	for _, x := range []struct{ sent, want string }{
		{`{"type":"execute","strict_json":true}`, `"code"`},
		{`{"type":"execute","code":3,"strict_json":true}`, "no JSON"},
		{`{"type":"execute","code":"x"}`, "strict_json"},
		{`{"type":"hello"}`, "Blender Lab's MCP server alone"},
	} {
		got := ask(t, address, x.sent)[0].Message
		if !strings.Contains(got, x.want) {
			t.Errorf("%s: %q, want %q", x.sent, got, x.want)
		}
	}
	if all := engine.submissions(); len(all) != 0 {
		t.Errorf("it has run: %+v", all)
	}
}

func TestAProcessOfSomebodyElseIsToldNothing(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{}
	address := serving(t, engine, func(s *Server) { s.mine = func(net.Conn) error { return errors.New("another user") } })
	if got := tell(t, address, `{"type":"execute","code":"x","strict_json":false}`+"\x00"); got != "" {
		t.Errorf("%q", got)
	}
	if all := engine.submissions(); len(all) != 0 {
		t.Errorf("it has run: %+v", all)
	}
}

func TestOneConnectionMoreThanMayWaitEndsTheOldest(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{end: api.Run{State: api.Succeeded, Result: json.RawMessage(`{"status":"ok"}`)}}
	address := serving(t, engine, func(s *Server) { s.requestTime = time.Hour })
	oldest := dial(t, address)
	for range maxWaiting {
		dial(t, address)
	}
	if _, err := oldest.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the oldest is still there: %v", err)
	}
	if got := ask(t, address, `{"type":"execute","code":"x","strict_json":false}`)[0]; got.Status != "ok" {
		t.Errorf("%+v", got)
	}
}

func TestAClientThatGoesAwayLeavesItsRunAlone(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	engine := &fakeEngine{hold: hold, end: api.Run{State: api.Succeeded, Result: json.RawMessage(`{"status":"ok"}`)}}
	address := serving(t, engine, nil)
	c := dial(t, address)
	if _, err := io.WriteString(c, `{"type":"execute","code":"x","strict_json":false}`+"\x00"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); len(engine.submissions()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no run was made")
		}
	}
	c.Close()
	close(hold)
	if got := ask(t, address, `{"type":"execute","code":"y","strict_json":false}`)[0]; got.Status != "ok" {
		t.Errorf("%+v", got)
	}
}

func TestNoCodeRunsWhereAPersonWouldHaveToBeAsked(t *testing.T) {
	t.Parallel()
	for _, allow := range []api.Allow{api.AllowAsk, api.AllowRead} {
		engine := &fakeEngine{}
		address := serving(t, engine, func(s *Server) { s.Configure(api.AgentSettings{Allow: allow}) })
		got := ask(t, address, `{"type":"execute","code":"x","strict_json":false}`)[0]
		if got.Status != "error" || !strings.Contains(got.Message, "mcp.allow is") || len(engine.submissions()) != 0 {
			t.Errorf("%s: %+v", allow, got)
		}
	}
}

func TestThePortFollowsTheSettings(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{end: api.Run{State: api.Succeeded, Result: json.RawMessage(`{"status":"ok"}`)}}
	s := New(Config{Engine: engine})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx) }()
	// Another program has the port first.
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	s.Configure(api.AgentSettings{LabPort: port})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	taken.Close()
	answers := func() bool {
		c, err := net.Dial("tcp4", address)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = io.WriteString(c, "{}")
		got, _ := io.ReadAll(c)
		return strings.Contains(string(got), "Blender Lab")
	}
	for deadline := time.Now().Add(patience); !answers(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
	s.Configure(api.AgentSettings{})
	for deadline := time.Now().Add(patience); answers(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it still listens")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A connection that was accepted first may be the last to be checked.
func TestTheOldestIsTheOneThatCameFirst(t *testing.T) {
	t.Parallel()
	all := newWaiting(2)
	oldest, turn := &net.TCPConn{}, all.turn()
	others := []net.Conn{&net.TCPConn{}, &net.TCPConn{}}
	for _, c := range others {
		all.add(c, all.turn())
	}
	all.add(oldest, turn)
	if len(all.all) != 2 || all.all[0].conn != others[0] || all.all[1].conn != others[1] {
		t.Errorf("%+v", all.all)
	}
}
