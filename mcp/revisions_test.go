package mcp

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"blendtray/api"
)

// revisions are those that have a handshake, and that without.
var revisions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

const newestRevision = "2026-07-28"

// talk is a conversation with a server, in messages.
type talk interface {
	// say sends a message.
	say(message string)
	// hear returns the answer to the message that was sent last.
	hear() string
}

// pipeTalk is a conversation over a pipe.
type pipeTalk struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
}

func overPipe(t *testing.T, s *Server) *pipeTalk {
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- s.ServePipe(t.Context(), in, out)
		out.Close()
	}()
	p := &pipeTalk{t, toServer, bufio.NewScanner(fromServer)}
	p.lines.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		toServer.Close()
		for p.lines.Scan() {
			t.Errorf("more than was asked for: %s", p.lines.Text())
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *pipeTalk) say(message string) {
	if _, err := io.WriteString(p.in, message+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pipeTalk) hear() string {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("the pipe has ended: %v", p.lines.Err())
	}
	return p.lines.Text()
}

// httpTalk is a conversation over HTTP, a request a message.
type httpTalk struct {
	t             *testing.T
	url, revision string
	said          string
}

func overHTTP(t *testing.T, s *Server, revision string) *httpTalk {
	server := httptest.NewServer(s.Handler(func() string { return "right" }))
	t.Cleanup(server.Close)
	return &httpTalk{t: t, url: server.URL + Path, revision: revision}
}

var (
	methodIn = regexp.MustCompile(`"method":"([^"]*)"`)
	nameIn   = regexp.MustCompile(`"(?:name|uri)":"([^"]*)"`)
)

func (h *httpTalk) say(message string) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url, strings.NewReader(message))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	method := ""
	if found := methodIn.FindStringSubmatch(message); found != nil {
		method = found[1]
	}
	if method != "initialize" {
		req.Header.Set("MCP-Protocol-Version", h.revision)
	}
	if h.revision == newestRevision {
		req.Header.Set("Mcp-Method", method)
		if found := nameIn.FindStringSubmatch(message); found != nil && (strings.HasSuffix(method, "/call") || strings.HasSuffix(method, "/get") || strings.HasSuffix(method, "/read")) {
			req.Header.Set("Mcp-Name", found[1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	h.said = strings.TrimSpace(string(body))
	if _, data, ok := strings.Cut(h.said, "data: "); ok {
		h.said = data
	}
	if h.said == "" && res.StatusCode != http.StatusAccepted {
		h.t.Errorf("%s is answered with %s", message, res.Status)
	}
}

func (h *httpTalk) hear() string { return h.said }

// The official suite of conformance speaks HTTP alone, and each revision from 2025-06-18 on: see e2e. What
// holds for every server is asked here in each revision, over both transports.
func TestEveryRevisionIsKept(t *testing.T) {
	t.Parallel()
	for _, revision := range revisions {
		for _, over := range []string{"pipe", "http"} {
			t.Run(revision+" over "+over, func(t *testing.T) {
				t.Parallel()
				s := newTestServer(t, api.AllowAll)
				var c talk
				if over == "pipe" {
					c = overPipe(t, s)
				} else {
					c = overHTTP(t, s, revision)
				}
				for _, x := range conversation(revision, over == "pipe") {
					c.say(x.message)
					if x.answer == "" {
						continue
					}
					if got := c.hear(); !regexp.MustCompile(x.answer).MatchString(got) {
						t.Errorf("%s is answered with %s, and not with %s", x.message, got, x.answer)
					}
				}
			})
		}
	}
}

type exchange struct{ message, answer string } // the answer is a regular expression, "" for none

// conversation returns what is said in a revision, and how it is answered.
func conversation(revision string, pipe bool) []exchange {
	old := revision != newestRevision
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + revision + `","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
	if old {
		meta = `"_meta":{}`
	}
	asks := func(id, method, params string) string {
		if params != "" {
			params += ","
		}
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + params + meta + `}}`
	}
	says := func(id, field, text string) string { return `"id":` + id + `,"` + field + `":.*` + text }
	failure := func(id, code string) string { return says(id, "error", `"code":`+code+`[,}]`) }

	unknown := failure("15", "-32601")
	if old && !pipe {
		unknown = `"nothing/here" unsupported` // the library answers with the status 400, as these revisions allow
	}
	var all []exchange
	if old {
		all = []exchange{
			{
				asks("1", "initialize", `"protocolVersion":"`+revision+`","capabilities":{},"clientInfo":{"name":"test","version":"1"}`),
				says("1", "result", `"protocolVersion":"`+revision+`","serverInfo":\{"name":"blendtray"`),
			},
			{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, ""},
			{asks("2", "ping", ""), says("2", "result", `\{\}`)},
			{asks(`"a text"`, "ping", ""), says(`"a text"`, "result", `\{\}`)},
		}
	} else {
		all = []exchange{
			{asks("1", "server/discover", ""), says("1", "result", `"supportedVersions":\["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"\]`)},
			{asks(`"a text"`, "tools/list", ""), says(`"a text"`, "result", "run_python")},
			{asks("2", "ping", ""), failure("2", "-32601")},
		}
	}
	all = append(all, []exchange{
		{asks("3", "tools/list", ""), says("3", "result", `"inputSchema":.*"name":"run_python"`)},
		{asks("4", "resources/list", ""), says("4", "result", "blendtray://status")},
		{asks("5", "resources/templates/list", ""), says("5", "result", "blendtray://runs/\\{id\\}")},
		{asks("6", "prompts/list", ""), says("6", "result", "turntable")},
		{asks("7", "prompts/get", `"name":"turntable","arguments":{"object":"Suzanne"}`), says("7", "result", "turntable of Suzanne")},
		{asks("8", "prompts/get", `"name":"fix_script"`), failure("8", "-32602")},
		{asks("9", "prompts/get", `"name":"nothing"`), failure("9", "-32602")},
		{asks("10", "tools/call", `"name":"nothing","arguments":{}`), failure("10", "-32602")},
		{asks("11", "tools/call", `"name":"run_python","arguments":{"code":5}`), says("11", "result", `"isError":true`)},
		{asks("12", "tools/call", `"name":"run_python","arguments":{"code":"x = 1"}`), says("12", "result", `no engine answers.*"isError":true`)},
		{asks("13", "resources/read", `"uri":"blendtray://nothing"`), failure("13", "-32602")},
		{asks("14", "prompts/list", `"cursor":"nonsense"`), failure("14", "-32602")},
		{asks("15", "nothing/here", ""), unknown},
		{`{"jsonrpc":"2.0","method":"notifications/nothing"}`, ""},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":999}}`, ""},
		// Of what an agent has sent nothing is passed over or changed silently. A field that nobody knows is allowed.
		{asks("16", "tools/call", `"name":"run_python","arguments":{"code":"x = 1","code":"x = 2"}`), failure("16", "-32600") + `.*params: arguments: the field \\"code\\" is there twice`},
		{asks("17", "tools/call", `"name":"run_python","arguments":{"code":"x = 1","co\u0064e":"x = 2"}`), failure("17", "-32600")},
		{asks("18", "tools/call", `"name":"run_python","arguments":{"code":"x = 1"},"arguments":{"code":"x = 2"}`), failure("18", "-32600")},
		{asks("19", "tools/call", `"name":"run_python","arguments":{"code":"print('`+"\xff"+`')"}`), failure("19", "-32700") + ".*no text in UTF-8"},
		{asks(`"20"`, "tools/call", `"name":"run_python","arguments":{"code":"print('\ud83d')"}`), failure(`"20"`, "-32700") + ".*surrogate"},
		{asks("27", "tools/call", `"name":"run_python","arguments":{"code":"print('\ud83d\ude00 é \\ud83d')"}`), says("27", "result", "no engine answers")},
		{asks("28", "prompts/list", `"nothing":[{"a":1e999},{"a":2}]`), says("28", "result", "turntable")},
		{`{"jsonrpc":"2.0","id":29,"id":30,"method":"tools/list"}`, failure("null", "-32600")},
	}...)
	if !pipe {
		return all
	}
	batch := "[" + asks("20", "tools/list", "") + `,{"jsonrpc":"2.0","method":"notifications/nothing"},{"jsonrpc":"2.0","method":"notifications/nothing"},` + asks("21", "prompts/list", "") + "]"
	if revision <= "2025-03-26" {
		all = append(all, exchange{batch, `^\[.*"id":20,.*"id":21,.*\]$`},
			exchange{`[{"jsonrpc":"2.0","method":"notifications/nothing"}]`, ""},
			exchange{"[" + asks("22", "ping", "") + "," + asks("22", "ping", "") + "]", failure("22", "-32600")},
			exchange{"[" + asks("23", "ping", "") + ",7]", failure("null", "-32600")},
			exchange{"[" + asks("31", "prompts/get", `"name":"turntable","name":"fix_script"`) + "]", failure("31", "-32600")})
	} else {
		all = append(all, exchange{batch, failure("null", "-32600")})
	}
	// What is no message ends nothing.
	return append(all, []exchange{
		{`{"jsonrpc":`, failure("null", "-32700")},
		{"hello", failure("null", "-32700")},
		{"", ""},
		{"[]", failure("null", "-32600")},
		{"7", failure("null", "-32600")},
		{"{}", failure("null", "-32600")},
		{`{"id":24,"method":"tools/list"}`, failure("24", "-32600")},
		{`{"jsonrpc":"2.0","id":{},"method":"tools/list"}`, failure("null", "-32600")},
		{`{"jsonrpc":"2.0","id":25,"method":7}`, failure("25", "-32600")},
		{`{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}`, failure("1.5", "-32600")},
		{`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}`, failure("9007199254740993", "-32600")},
		{`{"jsonrpc":"2.0","id":null,"method":"tools/list"}`, failure("null", "-32600")},
		{`{"jsonrpc":"2.0","id":999,"result":{}}`, ""}, // nobody has asked
		{`{"jsonrpc":"2.0","id":998,"result":{"action":"decline","action":"accept"}}`, failure("null", "-32600")},
		{asks("26", "prompts/list", ""), says("26", "result", "turntable")},
	}...)
}

func TestALineThatIsTooLongIsRefusedAndTheNextIsRead(t *testing.T) {
	t.Parallel()
	var answered strings.Builder
	in := io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", 10_000) + "\"}}\n" +
		`{"jsonrpc":"2.0","id":2,"method":"ping"}`))
	l := &lines{Closer: in, in: bufio.NewReader(in), out: &answered, most: 9_000}
	passed, err := io.ReadAll(l)
	if err != nil || string(passed) != `{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n" {
		t.Errorf("%q, %v", passed, err)
	}
	if got := answered.String(); !strings.Contains(got, `"code":-32600`) || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
