//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// editor is an editor with a debugger: it speaks the Debug Adapter Protocol.
type editor struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	seq  int
	// events are what came while the editor waited for something else.
	events []dapMessage
}

type dapMessage struct {
	Type       string          `json:"type"`
	Event      string          `json:"event"`
	Command    string          `json:"command"`
	RequestSeq int             `json:"request_seq"`
	Success    bool            `json:"success"`
	Message    string          `json:"message"`
	Body       json.RawMessage `json:"body"`
}

// send sends a request and returns its number.
func (e *editor) send(command string, arguments any) int {
	e.t.Helper()
	e.seq++
	text, err := json.Marshal(map[string]any{"seq": e.seq, "type": "request", "command": command, "arguments": arguments})
	if err == nil {
		_, err = fmt.Fprintf(e.conn, "Content-Length: %d\r\n\r\n%s", len(text), text)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return e.seq
}

func (e *editor) read() (m dapMessage) {
	e.t.Helper()
	length := 0
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			e.t.Fatalf("the debugger is gone: %v", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(value)
		}
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(e.in, text); err != nil {
		e.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		e.t.Fatal(err)
	}
	return m
}

// answer returns the body of the answer to a request.
func (e *editor) answer(seq int, body any) {
	e.t.Helper()
	for {
		m := e.read()
		switch {
		case m.Type == "event":
			e.events = append(e.events, m)
		case m.Type == "response" && m.RequestSeq == seq:
			if !m.Success {
				e.t.Fatalf("%s: %s", m.Command, m.Message)
			}
			if body != nil {
				if err := json.Unmarshal(m.Body, body); err != nil {
					e.t.Fatal(err)
				}
			}
			return
		}
	}
}

// await returns the body of the next event of a kind.
func (e *editor) await(event string, body any) {
	e.t.Helper()
	for {
		var m dapMessage
		if len(e.events) > 0 {
			m, e.events = e.events[0], e.events[1:]
		} else {
			m = e.read()
		}
		if m.Event != event {
			continue
		}
		if err := json.Unmarshal(m.Body, body); len(m.Body) > 0 && err != nil {
			e.t.Fatal(err)
		}
		return
	}
}

// fromPyPI returns the folder build/NAME with a Python package, which `make test` fills.
func fromPyPI(t *testing.T, name, pack string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../build", name))
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, pack))
	}
	if err != nil {
		t.Fatalf("`make build/%s` installs what this test needs: %v", name, err)
	}
	return dir
}

var debugPort = regexp.MustCompile(`waits for a debugger on 127\.0\.0\.1:(\d+)`)

func TestADebuggerStopsInAScript(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "") // no engine is needed
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(p.folder, "wrong.py")
	if err := os.WriteFile(script, []byte("import bpy\nnames = [o.name for o in bpy.data.objects]\ncount = len(names)\nprint(\"counted\", count)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.call("run", "--debug", script); r.code != 1 || !strings.Contains(r.stdout+r.stderr, `pip install --target "`+p.home+`/debugpy"`) {
		t.Fatalf("without debugpy: %+v", r)
	}
	for _, flag := range []string{"--json", "--session=chair", "--attach", "--pid=7", "--isolation=keep"} {
		if r := p.call("run", "--debug", flag, script); r.code != 2 || !strings.Contains(r.stderr, "starts a Blender of its own") {
			t.Errorf("with %s: %+v", flag, r)
		}
	}
	if err := os.Symlink(fromPyPI(t, "debugpy", "debugpy"), filepath.Join(p.home, "debugpy")); err != nil {
		t.Fatal(err)
	}
	run := p.command("run", "--debug", "--blender", "default", script)
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.Stderr = lockedWriter{p}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill() }) // it has ended by itself
	lines := bufio.NewScanner(out)
	port, told := "", ""
	for port == "" || !strings.Contains(told, "Attach to DAP") {
		if !lines.Scan() {
			t.Fatalf("it ended without a word on the debugger:\n%s%s", told, p.printed())
		}
		told += lines.Text() + "\n"
		if found := debugPort.FindStringSubmatch(lines.Text()); found != nil {
			port = found[1]
		}
	}
	if !strings.Contains(told, `"port": `+port) || !strings.Contains(told, "launch.json") {
		t.Errorf("it says\n%s", told)
	}

	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	e := &editor{t: t, conn: conn, in: bufio.NewReader(conn)}
	e.answer(e.send("initialize", map[string]any{"adapterID": "debugpy", "pathFormat": "path", "linesStartAt1": true}), nil)
	e.send("attach", map[string]any{"justMyCode": true}) // answered when all is configured
	e.await("initialized", &struct{}{})
	var set struct {
		Breakpoints []struct {
			Verified bool `json:"verified"`
		} `json:"breakpoints"`
	}
	e.answer(e.send("setBreakpoints", map[string]any{
		"source": map[string]any{"path": script}, "breakpoints": []any{map[string]any{"line": 4}},
	}), &set)
	if len(set.Breakpoints) != 1 || !set.Breakpoints[0].Verified {
		t.Errorf("the breakpoint is %+v", set)
	}
	e.answer(e.send("configurationDone", nil), nil)
	var stopped struct {
		Reason   string `json:"reason"`
		ThreadID int    `json:"threadId"`
	}
	e.await("stopped", &stopped)
	var stack struct {
		StackFrames []struct {
			ID   int `json:"id"`
			Line int `json:"line"`
		} `json:"stackFrames"`
	}
	e.answer(e.send("stackTrace", map[string]any{"threadId": stopped.ThreadID}), &stack)
	if stopped.Reason != "breakpoint" || len(stack.StackFrames) == 0 || stack.StackFrames[0].Line != 4 {
		t.Fatalf("it stopped for %+v at %+v", stopped, stack)
	}
	var value struct {
		Result string `json:"result"`
	}
	e.answer(e.send("evaluate", map[string]any{"expression": "names[0], count", "frameId": stack.StackFrames[0].ID}), &value)
	if value.Result != "('Camera', 3)" {
		t.Errorf("in the script is %s", value.Result)
	}
	e.answer(e.send("continue", map[string]any{"threadId": stopped.ThreadID}), nil)
	for lines.Scan() {
		told += lines.Text() + "\n"
	}
	if err := run.Wait(); err != nil || !strings.Contains(told, "counted 3") {
		t.Errorf("the run: %v\n%s%s", err, told, p.printed())
	}
	if left := processesWith(t, p.home); len(left) > 0 {
		text, _ := exec.Command("ps", "-o", "args=", "-p", strings.Join(left, ",")).Output() // for the message alone
		t.Errorf("left running:\n%s", text)
	}
}
