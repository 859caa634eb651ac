package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"blendtray/api"
)

// These limits bound what a peer may send, and how long a peer may take before a request is whole.
const (
	maxRequest  = 10 << 20 // that of Blender Lab's add-on
	requestTime = 10 * time.Second
	answerTime  = 30 * time.Second
	maxWaiting  = 32 // connections on which no whole request has come yet
)

// waiting are the connections on which no whole request has come yet, the longest waiting first. Where more
// than a limit wait, the first is closed.
type waiting struct {
	mu    sync.Mutex
	most  int
	turns uint64
	all   []waiter
}

// waiter is a connection that waits, and its turn: when it began to wait, before those with a higher turn.
type waiter struct {
	turn uint64
	conn net.Conn
}

func newWaiting(most int) *waiting { return &waiting{most: most} }

// turn returns the turn of a connection that begins to wait.
func (w *waiting) turn() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turns++
	return w.turns
}

// add takes a connection in, which may have waited since its turn for this.
func (w *waiting) add(c net.Conn, turn uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, _ := slices.BinarySearchFunc(w.all, turn, func(x waiter, turn uint64) int { return cmp.Compare(x.turn, turn) })
	w.all = slices.Insert(w.all, at, waiter{turn, c})
	if len(w.all) > w.most {
		w.all[0].conn.Close()
		w.all = slices.Delete(w.all, 0, 1)
	}
}

func (w *waiting) remove(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = slices.DeleteFunc(w.all, func(x waiter) bool { return x.conn == c })
}

// errNoPeer says that the system does not list a connection as open.
var errNoPeer = errors.New("the system does not say whose connection it is")

// answer is what a request comes to.
type answer struct {
	Status  string          `json:"status"`
	Message string          `json:"message,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Stdout  string          `json:"stdout"`
	Stderr  string          `json:"stderr"`
}

func wrong(format string, args ...any) answer {
	return answer{Status: "error", Message: fmt.Sprintf(format, args...)}
}

// The refusals of those that speak something else.
const (
	notLabs = "This port of Blendtray answers Blender Lab's MCP server alone, which sends " +
		`{"type": "execute", "code": "…", "strict_json": false} and a null byte. ` +
		"For other agents, `blendtray mcp` is an MCP server of its own (docs/agents.md)."
	httpRefusal = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n\r\n" +
		"This port of Blendtray does not speak HTTP.\n"
)

// converse answers the requests of one connection, one after the other. The connection has
// waited since its turn.
func (s *Server) converse(ctx context.Context, c net.Conn, waiting *waiting, turn uint64) {
	if err := s.mine(c); errors.Is(err, errNoPeer) {
		return // it has gone already
	} else if err != nil {
		s.log.Warn("a client of mcp.lab_port was refused", "why", err)
		return // whoever it is learns nothing
	}
	var rest []byte
	for {
		waiting.add(c, turn)
		request, left, refused := s.read(c, rest)
		waiting.remove(c)
		if refused != nil {
			send(c, refused)
			return
		}
		if request == nil {
			return
		}
		rest = left
		out, err := json.Marshal(s.perform(ctx, request))
		if err != nil {
			return // a RawMessage comes from the engine, which has parsed it
		}
		if !send(c, append(out, 0)) {
			return
		}
		turn = waiting.turn()
	}
}

// send writes an answer, and returns whether the peer has taken it.
func send(c net.Conn, out []byte) bool {
	if c.SetWriteDeadline(time.Now().Add(answerTime)) != nil {
		return false
	}
	_, err := c.Write(out)
	return err == nil
}

// read returns the next request, without the NUL behind it, and what came after it; or, for a peer
// that speaks something else, what it is to be told; or nothing when the peer is gone.
func (s *Server) read(c net.Conn, got []byte) (request, rest, refused []byte) {
	if c.SetReadDeadline(time.Now().Add(s.requestTime)) != nil {
		return nil, nil, nil
	}
	buf := make([]byte, 64<<10)
	for first := true; ; first = false {
		if !first || len(got) == 0 {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if n == 0 && err != nil {
				var slow net.Error
				if len(got) > 0 && errors.As(err, &slow) && slow.Timeout() {
					return nil, nil, refusal(false, "the request was not whole within %s", s.requestTime)
				}
				return nil, nil, nil
			}
		}
		if why := foreign(got); why != nil {
			return nil, nil, why
		}
		if end := bytes.IndexByte(got, 0); end >= 0 {
			return got[:end], bytes.Clone(got[end+1:]), nil
		}
		if len(got) > maxRequest {
			return nil, nil, refusal(true, "the request is longer than %d bytes", maxRequest)
		}
	}
}

// refusal returns an error as JSON, with a NUL for a peer that has sent one, or would have.
func refusal(nul bool, format string, args ...any) []byte {
	out, err := json.Marshal(wrong(format, args...))
	if err != nil {
		return nil // it is text
	}
	if nul {
		out = append(out, 0)
	}
	return out
}

// foreign returns what a peer is told whose first bytes are no request of Blender Lab's server, and
// nil when they may be the beginning of one. A page in a browser is found out here: the first byte of
// what it can send is never a bracket.
func foreign(got []byte) []byte {
	start := bytes.TrimLeft(got, " \t\r\n")
	if len(start) == 0 {
		if len(got) > 1024 {
			return refusal(false, notLabs)
		}
		return nil
	}
	if start[0] != '{' {
		if start[0] >= 'A' && start[0] <= 'Z' {
			return []byte(httpRefusal)
		}
		return refusal(false, notLabs)
	}
	if bytes.IndexByte(start, 0) >= 0 || len(start) > 64<<10 {
		return nil // it is parsed as a whole
	}
	// The clients of other add-ons send an object without a NUL, and wait for one.
	var asked struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(start, &asked)
	var mistake *json.SyntaxError
	switch {
	case err == nil && asked.Type != "execute":
		return refusal(false, notLabs)
	case errors.As(err, &mistake) && int(mistake.Offset) < len(start):
		return refusal(false, notLabs)
	}
	return nil
}

// These lines at the end of a code have the add-on execute it as Blender Lab's does: see
// tcp_echo/lab.py.
const (
	mark       = "\n# blendtray: answer Blender Lab's server"
	strictMark = mark + " in strict JSON"
)

// perform executes a request and returns its answer.
func (s *Server) perform(ctx context.Context, request []byte) answer {
	var asked struct {
		Type   string  `json:"type"`
		Code   *string `json:"code"`
		Strict *bool   `json:"strict_json"`
	}
	err := json.Unmarshal(request, &asked)
	switch {
	case err != nil:
		return wrong("the request is no JSON: %v", err)
	case asked.Type != "execute":
		return wrong(notLabs)
	case asked.Code == nil:
		return wrong("the request has no text \"code\"")
	case asked.Strict == nil:
		return wrong("the request lacks \"strict_json\", true or false")
	}
	if allow := s.Settings().Allow; allow != api.AllowAll {
		return wrong("mcp.allow is %q, and whoever runs code on this port can't be asked; "+
			"`blendtray settings mcp.allow all` lets agents run code", allow)
	}
	end := mark
	if *asked.Strict {
		end = strictMark
	}
	defer s.calls()()
	var ended *api.Run
	for ev, err := range s.engine.SubmitAndFollow(ctx, api.Submission{
		Code: []byte(*asked.Code + end), Name: "<Blender Lab>", Session: Session, Client: client, Confined: s.Settings().Confine,
	}) {
		if err != nil {
			return wrong("the engine could not execute the code: %v", err)
		}
		if ev.Run != nil && ev.Run.State.Final() {
			ended = ev.Run
		}
	}
	if ended == nil {
		return wrong("the engine did not say what became of the code")
	}
	return answerOf(ended)
}

// answerOf returns the answer of a run that has ended: the answer that the add-on has made, or, where
// Blender did not come so far, why not.
func answerOf(run *api.Run) answer {
	var made answer
	err := json.Unmarshal(run.Result, &made)
	switch {
	case err != nil || made.Status == "" || made.Status == "ok" && run.State != api.Succeeded:
		made = wrong("%s", whyNot(run))
		made.Stdout = run.Output
	case run.Reason != "": // the session has begun anew
		made.Stdout = "[" + run.Reason + "]\n" + made.Stdout
	}
	return made
}

// whyNot returns why a run has no answer of its own.
func whyNot(run *api.Run) string {
	text := fmt.Sprintf("the run %s %s", run.ID, map[api.State]string{
		api.Cancelled: "was cancelled", api.TimedOut: "had no more time", api.Crashed: "crashed Blender",
		api.Interrupted: "was interrupted", api.Failed: "failed", api.Succeeded: "has no answer",
	}[run.State])
	if run.Error != nil && run.Error.Message != "" {
		text += ": " + run.Error.Message
	} else if run.Reason != "" {
		text += ": " + run.Reason
	}
	return text
}

// awayTime is how long a client counts as connected after its last request: it connects anew for each.
const awayTime = 5 * time.Minute

// calls notes that a client has a run made, and returns what notes the end. The frame names no client, so
// all of them are one agent.
func (s *Server) calls() (ends func()) {
	if s.presence == nil {
		return func() {}
	}
	at := time.Now().UTC()
	s.presence.Note(Session, awayTime, func(a *api.Agent) {
		a.Name, a.Transport, a.Client, a.Sessions = "Blender Lab", api.OverLab, client, []string{Session}
		a.Call, a.CalledAt = "execute", &at
		a.Calls++
		a.Runs++
		a.Calling++
	})
	return func() { s.presence.Note(Session, awayTime, func(a *api.Agent) { a.Calling = max(0, a.Calling-1) }) }
}
