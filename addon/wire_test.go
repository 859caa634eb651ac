//go:build unix

package addon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// raw opens a connection and sends bytes on it.
func raw(t testing.TB, port int, data []byte) net.Conn {
	t.Helper()
	conn := dial(t, port)
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	return conn
}

// settle waits until the server has read what other connections sent before.
func settle(t testing.TB, s *session) {
	t.Helper()
	for range 2 {
		s.send(message{"type": "ping", "id": "settle"})
		s.receiveType("pong")
	}
}

// awaitClose fails unless the server closes a connection without an answer.
func awaitClose(t testing.TB, what string, conn net.Conn) {
	t.Helper()
	text, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%s: not closed", what)
	}
	if len(text) > 0 {
		t.Errorf("%s: answered with %q", what, text)
	}
}

// holdUp starts a run that lasts until the returned function is called, and waits for its start.
func holdUp(t *testing.T, s *session, after string) (id string, release func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "go on")
	id = s.start(fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.005)\n%s", file, after))
	if got := s.receiveType("started").text("id"); got != id {
		t.Fatalf("%s was started, not %s", got, id)
	}
	return id, func() { writeFile(t, file, "") }
}

// leaveMark returns code that makes a file, and the file.
func leaveMark(t *testing.T) (code, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "it ran")
	return fmt.Sprintf("open(%q, 'w').close()", file), file
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestWelcomeSaysWhichLoopServes(t *testing.T) {
	want := map[string]string{"": "SelectorEventLoop", "posix": "SelectorEventLoop", "proactor": "ProactorEventLoop"}[wineLoop]
	check(t, "the loop", connect(t, sharedBlender(t)).welcome["loop"], want)
}

func TestHelloThatIsNotRightIsRefusedAndClosed(t *testing.T) {
	p := sharedBlender(t)
	for _, test := range []struct {
		what  string
		field string
		value any
		code  string
	}{
		{"no nonce", "nonce", nil, "unauthorized"},
		{"the token", "nonce", testToken, "unauthorized"},
		{"a short nonce", "nonce", testNonce[1:], "unauthorized"},
		{"a nonce that is no hex", "nonce", "x" + testNonce[1:], "unauthorized"},
		{"a nonce that is no text", "nonce", []string{testNonce}, "unauthorized"},
		{"another protocol", "protocol", 2, "protocol"},
		{"no protocol", "protocol", nil, "protocol"},
		{"a protocol that is no whole number", "protocol", json.RawMessage("1.0"), "protocol"},
		{"a protocol that is true", "protocol", true, "protocol"},
		{"an output that is neither", "output", 1, "protocol"},
	} {
		hello := message{"type": "hello", "protocol": 1, "nonce": testNonce, "client": "test"}
		hello[test.field] = test.value
		if test.value == nil {
			delete(hello, test.field)
		}
		s := newSession(t, p)
		s.send(hello)
		code, mark := leaveMark(t)
		s.start(code)
		got := s.receive()
		check(t, "the answer to "+test.what, []any{got["type"], got["code"]}, []any{"error", test.code})
		if more := s.receive(); more != nil {
			t.Errorf("%s: then came %v", test.what, more)
		}
		connect(t, p).succeed("")
		if exists(mark) {
			t.Errorf("%s: the code was run", test.what)
		}
	}
}

func TestPeerThatCantProveTheTokenIsRefused(t *testing.T) {
	p := sharedBlender(t)
	for what, proof := range map[string]func(nonce string) any{
		"the proof of a wrong token":    func(n string) any { return proofOf("the-tokem", "client", p.port, testNonce, n) },
		"the proof of the server":       func(n string) any { return proofOf(testToken, "server", p.port, testNonce, n) },
		"the proof for another port":    func(n string) any { return proofOf(testToken, "client", p.port+1, testNonce, n) },
		"the proof for another nonce":   func(string) any { return proofOf(testToken, "client", p.port, testNonce, testNonce) },
		"the proof of another client":   func(n string) any { return proofOf(testToken, "client", p.port, strings.Repeat("1", 64), n) },
		"the token":                     func(string) any { return testToken },
		"nothing":                       func(string) any { return nil },
		"a list":                        func(n string) any { return []string{proofOf(testToken, "client", p.port, testNonce, n)} },
		"letters that are not of ASCII": func(string) any { return "pröof" },
	} {
		s := newSession(t, p)
		s.send(message{"type": "hello", "protocol": 1, "nonce": testNonce, "client": "test"})
		challenge := s.receive()
		nonce := challenge.text("nonce")
		check(t, "the proof of the server", challenge["proof"], proofOf(testToken, "server", p.port, testNonce, nonce))
		s.send(message{"type": "proof", "proof": proof(nonce)})
		code, mark := leaveMark(t)
		s.start(code)
		got := s.receive()
		check(t, "the answer to "+what, []any{got["type"], got["code"]}, []any{"error", "unauthorized"})
		if more := s.receive(); more != nil {
			t.Errorf("%s: then came %v", what, more)
		}
		connect(t, p).succeed("")
		if exists(mark) {
			t.Errorf("%s: the code was run", what)
		}
	}
	nonces := map[string]bool{}
	for range 3 {
		s := newSession(t, p)
		s.send(message{"type": "hello", "protocol": 1, "nonce": testNonce, "client": "test"})
		nonces[s.receive().text("nonce")] = true
	}
	check(t, "how many nonces there were", len(nonces), 3)
}

func TestStrangersTakeFewDescriptors(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s := connect(t, p)
	descriptors := "import os; result = len(os.listdir('/proc/self/fd'))"
	before := s.succeed(descriptors).(float64)
	var strangers []net.Conn
	for range 1800 {
		strangers = append(strangers, dial(t, p.port))
	}
	// A client with the token is served beside them.
	check(t, "the answer to a client", ask(t, p.port, message{"token": testToken, "code": "result = 1", "wait": true})["result"], 1.0)
	if more := s.succeed(descriptors).(float64) - before; more > 40 {
		t.Errorf("strangers take %v descriptors", more)
	}
	s.succeed("files = [open('/dev/null') for _ in range(1500)]") // over the usual limit of 1,024
	awaitClose(t, "the first stranger", strangers[0])
}

// A service has 1,024 descriptors by default.
func TestScriptsHaveMoreDescriptorsThanAServiceHas(t *testing.T) {
	t.Parallel()
	p := greet(t, startProcess(t, nil, "prlimit", "--nofile=1024:", "blender", "--background", "--factory-startup",
		"--python", launcherPath(t), "--", "--supervised"))
	got := connect(t, p).succeed(`
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
result = soft == 8192 or 1024 < soft == hard
`)
	check(t, "whether the limit was raised", got, true)
}

func TestFirstFrameThatIsNoHelloIsClosedWithoutAnAnswer(t *testing.T) {
	p := sharedBlender(t)
	code, mark := leaveMark(t)
	run, err := json.Marshal(message{"type": "run", "id": "a", "code": code, "token": testToken})
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{
		"4 GiB":             {0xff, 0xff, 0xff, 0xff, 'x'},
		"64 MiB":            {4, 0, 0, 0, 'x'},
		"4 KiB and one":     {0, 0, 16, 1, 'x'},
		"an empty frame":    {0, 0, 0, 0},
		"no JSON":           frame([]byte("hello")),
		"no UTF-8":          frame([]byte("\xff\xfe{}")),
		"a list":            frame([]byte(`["hello"]`)),
		"a text":            frame([]byte(`"type"`)),
		"deep brackets":     frame([]byte(strings.Repeat("[", 4000))),
		"no type":           frame([]byte(`{"token":"the-token"}`)),
		"a type of a kind":  frame([]byte(`{"type":["hello"]}`)),
		"a run":             frame(run),
		"a quit":            frame([]byte(`{"type":"quit","token":"the-token"}`)),
		"a proof":           frame([]byte(`{"type":"proof","proof":""}`)),
		"UTF-16":            frame([]byte("{\x00}\x00")),
		"a number too many": frame([]byte(`{"type":"hello","protocol":1,"nonce":NaN}`)),
		"STUN of a browser": []byte("\x00\x01\x00\x08\x21\x12\xa4\x42 a transaction"),
		"TURN of a browser": []byte("\x00\x03\x00\x24\x21\x12\xa4\x42 a transaction"),
		"TLS":               []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"SSH":               []byte("SSH-2.0-OpenSSH_9.6\r\n"),
	} {
		awaitClose(t, what, raw(t, p.port, data))
	}
	connect(t, p).succeed("")
	if exists(mark) {
		t.Error("the code was run")
	}
}

func TestWebPageCanNotHaveCodeRun(t *testing.T) {
	p := sharedBlender(t)
	code, mark := leaveMark(t)
	for _, token := range []string{"", testToken} {
		body, err := json.Marshal(message{"token": token, "code": code})
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"POST", "GET", "PUT", "OPTIONS", "HEAD", "DELETE", "PATCH", "CONNECT", "TRACE"} {
			head := fmt.Sprintf("%s / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", method, p.port, len(body))
			awaitClose(t, method, raw(t, p.port, append([]byte(head), body...)))
		}
	}
	connect(t, p).succeed("")
	if exists(mark) {
		t.Error("the code was run")
	}
}

func TestPeerThatKeepsItsTokenToItselfIsCutOff(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	began := time.Now()
	conns := map[string]net.Conn{}
	for what, data := range map[string]string{
		"nothing":                       "",
		"one byte of a header":          "\x00",
		"half a hello":                  "\x00\x00\x00\x40{\"type\":\"hello\",\"nonce\":\"",
		"white space":                   " \r\n\t",
		"half a bare message":           `{"code":"1/0","tok`,
		"a token that is not all there": `{"token":"the-token`,
		"a wrong token":                 `{"token":"the-tokem","code":"`,
		"a token of something inside":   `{"a":{"token":"the-token"},"code":"`,
		"a token in a text":             `{"a":"\"token\":\"the-token\"","code":"`,
	} {
		conns[what] = raw(t, p.port, []byte(data))
	}
	trusted := raw(t, p.port, []byte(`{"token":"the-token","message":"`))
	// None of these peers holds up another peer.
	answer := ask(t, p.port, message{"token": testToken, "code": "1", "wait": true})
	check(t, "the answer to another one", answer["state"], "succeeded")
	connect(t, p).succeed("")
	if waited := time.Since(began); waited > 5*time.Second {
		t.Errorf("others waited %v", waited)
	}
	for what, conn := range conns {
		awaitClose(t, what, conn)
		if lasted := time.Since(began); lasted < 9*time.Second {
			t.Errorf("%s: cut off after %v", what, lasted)
		}
	}
	if lasted := time.Since(began); lasted > 20*time.Second {
		t.Errorf("cut off after %v", lasted)
	}
	// A peer that has shown the token may take longer.
	if _, err := io.WriteString(trusted, `slow"}`); err != nil {
		t.Fatal(err)
	}
	check(t, "what a slow one was answered", readAnswer(t, trusted)["message"], "Printed message: slow")
}

func TestBareMessageToAGuardedPortNeedsTheTokenNearItsFront(t *testing.T) {
	p := sharedBlender(t)
	const token = `"token":"` + testToken + `"`
	far := strings.Repeat("x", 64*1024)
	for _, test := range []struct {
		what, format string
		response     string
	}{
		{"no token", `{"wait":true,"code":%q}`, "error"},
		{"a wrong token", `{"token":"no","wait":true,"code":%q}`, "error"},
		{"a token that is a number", `{"token":1,"wait":true,"code":%q}`, "error"},
		{"a token that is null", `{"token":null,"wait":true,"code":%q}`, "error"},
		{"a token inside something", `{"x":{` + token + `},"wait":true,"code":%q}`, "error"},
		{"the token in front", `{` + token + `,"wait":true,"code":%q}`, "OK"},
		{"the token at the end", `{"wait":true,"code":%q,` + token + `}`, "OK"},
		{"the token in front of much", `{` + token + `,"wait":true,"code":%q,"x":"` + far + `"}`, "OK"},
		{"the token in escapes", `{"\u0074oken":"the\u002dtoken","wait":true,"code":%q,"x":"` + far + `"}`, "OK"},
		{"the token behind 64 KiB", `{"wait":true,"code":%q,"x":"` + far + `",` + token + `}`, "error"},
		{"the token behind 64 KiB of white space", strings.Repeat(" ", 64*1024) + `{` + token + `,"wait":true,"code":%q}`, "error"},
		{"two tokens, the last wrong", `{` + token + `,"wait":true,"code":%q,"x":"` + far + `","token":"no"}`, "error"},
	} {
		code, mark := leaveMark(t)
		answer := readAnswer(t, raw(t, p.port, fmt.Appendf(nil, test.format, code)))
		check(t, "the response to "+test.what, answer["response"], test.response)
		check(t, "the source", answer["source"], fmt.Sprintf("tcp://127.0.0.1:%d", p.port))
		connect(t, p).succeed("")
		check(t, test.what+": whether it ran", exists(mark), test.response == "OK")
		if test.response == "error" {
			check(t, "the status of "+test.what, answer["status"], "error")
		}
		if test.response == "error" && !strings.Contains(answer.text("message"), `put "token" near the front`) {
			t.Errorf("%s: does not say what to do: %v", test.what, answer)
		}
	}
}

func TestBareMessageIsAnsweredAsTheContractSays(t *testing.T) {
	p := sharedBlender(t)
	scheduled := message{"response": "OK", "message": "Code execution scheduled."}
	refused := message{"response": "error", "status": "error"}
	for _, test := range []struct {
		send, want message
		exactly    bool
	}{
		{message{"code": "x = 1"}, scheduled, true},
		{message{"message": "hello"}, message{"response": "OK", "message": "Printed message: hello"}, true},
		{message{"message": nil}, message{"response": "OK", "message": "Printed message: null"}, true},
		{message{"message": []any{1.0}}, message{"response": "OK", "message": "Printed message: [1]"}, true},
		{message{"message": "é☃"}, message{"response": "OK", "message": "Printed message: é☃"}, true},
		{message{"message": "both", "code": "x = 1"}, message{"response": "OK", "message": "Code execution scheduled.", "printed": "Printed message: both"}, true},
		{message{"message": "both", "code": "result = 5", "wait": true}, message{"response": "OK", "state": "succeeded", "message": "", "result": 5.0, "error": nil, "outputs": []any{}}, false},
		{message{"code": "result = 1\nraise ValueError('no')", "wait": true}, message{"response": "error", "status": "error", "state": "failed", "message": "ValueError: no", "result": 1.0}, false},
		{message{"code": "raise SystemExit(0)", "wait": true}, message{"response": "OK", "state": "succeeded", "exit_code": 0.0}, false},
		{message{"code": "import sys; result = sys.argv[-3:]", "name": "n", "args": []string{"a"}, "wait": true}, message{"result": []any{"n", "--", "a"}}, false},
		{message{"code": "result = bpy.app.background", "wait": true}, message{"result": true}, false},
		{message{"message": strings.Repeat("x", 70_000)}, refused, false},
		{message{}, refused, false},
		{message{"code": 5}, refused, false},
		{message{"code": []string{"1"}}, refused, false},
		{message{"code": "1", "scene": "some.blend"}, refused, false},
		{message{"code": "1", "file": "relative.py"}, refused, false},
		{message{"code": "1", "args": "a"}, refused, false},
		{message{"code": "1", "wait": 1}, refused, false},
		{message{"code": "1", "wait": "true"}, refused, false},
		{message{"code": "1", "scene": 0}, refused, false},
		{message{"code": "1", "isolation": false}, refused, false},
	} {
		test.send["token"] = testToken
		got := ask(t, p.port, test.send)
		what := fmt.Sprintf("%.200v", test.send)
		check(t, "the source for "+what, got["source"], fmt.Sprintf("tcp://127.0.0.1:%d", p.port))
		if _, ok := got["message"]; !ok {
			t.Errorf("%s: no message in %v", what, got)
		}
		if test.exactly && len(got) != len(test.want)+1 {
			t.Errorf("%s: answered with %v", what, got)
		}
		for name, want := range test.want {
			check(t, fmt.Sprintf("%s for %s", name, what), got[name], want)
		}
	}
}

func TestBareMessageThatIsNoObjectIsRefused(t *testing.T) {
	p := sharedBlender(t)
	for _, text := range []string{
		`{"token":"the-token" "code":"1"}`,
		`{"token":"the-token",}`,
		`{"token":"the-token","code":"` + "a\nb" + `"}`,
		`{"token":"the-token","message":` + strings.Repeat("[", 2000),
		"  [1]",
		"\n\"text\"",
		"{]",
		"{\"token\":\"the-token\",\"code\":\"\xff\"}",
		`{"token":"the-token","code":"1","x":NaN}`,
		`{"token":"the-token","code":"1","x":-Infinity}`,
	} {
		check(t, "the response to "+text[:min(len(text), 40)], readAnswer(t, raw(t, p.port, []byte(text)))["response"], "error")
	}
	conn := raw(t, p.port, []byte(`{"token":"the-token","code":"1`))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	check(t, "the response to half a message", readAnswer(t, conn)["response"], "error")
	connect(t, p).succeed("")
}

func TestBareMessageMayComeInAnyNumberOfSegments(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	const text = " \r\n{\"token\":\"the-token\",\"message\":\"\\\"}\\\\ {é☃\U0001F600\"} "
	const want = "Printed message: \"}\\ {é☃\U0001F600"
	// Byte by byte: cut also inside a character and inside an escape.
	conn := dial(t, p.port)
	for _, b := range []byte(strings.TrimRight(text, " ")) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		settle(t, s)
	}
	check(t, "the echo of single bytes", readAnswer(t, conn)["message"], want)
	// A character of three bytes, cut at each place.
	at := strings.Index(text, "☃")
	for _, cut := range []int{at + 1, at + 2} {
		conn := raw(t, p.port, []byte(text[:cut]))
		settle(t, s)
		if _, err := io.WriteString(conn, text[cut:]); err != nil {
			t.Fatal(err)
		}
		check(t, "the echo of a cut character", readAnswer(t, conn)["message"], want)
	}
	// The same with frames.
	for _, b := range frame([]byte(`{"type":"ping","id":"é☃"}`)) {
		if _, err := s.conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	check(t, "the id", s.receiveType("pong")["id"], "é☃")
}

func TestClientMayCloseItsWritingSide(t *testing.T) {
	p := sharedBlender(t)
	conn := raw(t, p.port, []byte(`{"token":"the-token","code":"result = 7","wait":true}`))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	check(t, "the result", readAnswer(t, conn)["result"], 7.0)
}

func TestMessageOfManyMegabytesRuns(t *testing.T) {
	p := sharedBlender(t)
	comment := "# " + strings.Repeat("é☃ \"}{\\ ", 500_000)
	code := comment + "\nresult = 6 * 7\n"
	if len(code) < 5_000_000 {
		t.Fatalf("only %d bytes", len(code))
	}
	quoted, err := json.Marshal(code)
	if err != nil {
		t.Fatal(err)
	}
	answer := readAnswer(t, raw(t, p.port, fmt.Appendf(nil, `{"token":%q,"wait":true,"code":%s}`, testToken, quoted)))
	check(t, "the answer to a bare message", []any{answer["response"], answer["message"], answer["result"]}, []any{"OK", "", 42.0})
	check(t, "the result of a frame", connect(t, p).succeed(code), 42.0)
}

func TestMoreThan64MiBIsRefusedWithTheLimit(t *testing.T) {
	p := sharedBlender(t)
	const limit = 64 * 1024 * 1024
	// A frame that is too long is refused at its header.
	s := connect(t, p)
	if _, err := s.conn.Write([]byte{4, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	got := s.receive()
	check(t, "the error's code", got["code"], "bad_frame")
	if !strings.Contains(got.text("message"), fmt.Sprint(limit)) {
		t.Errorf("does not say the limit: %v", got)
	}
	if more := s.receive(); more != nil {
		t.Errorf("then came %v", more)
	}
	// A bare message of exactly the limit, and one of a byte more.
	text := bytes.Repeat([]byte(" "), limit+1)
	copy(text, `{"token":"the-token","message":1`)
	text[limit-1] = '}'
	check(t, "the answer to 64 MiB", readAnswer(t, raw(t, p.port, text[:limit]))["response"], "OK")
	text[limit-1], text[limit] = ' ', '}'
	answer := readAnswer(t, raw(t, p.port, text))
	check(t, "the answer to more", answer["response"], "error")
	if !strings.Contains(answer.text("message"), fmt.Sprint(limit)) {
		t.Errorf("does not say the limit: %v", answer)
	}
	connect(t, p).succeed("")
}

func TestRunsSentAtOnceAreAnsweredInOrder(t *testing.T) {
	s := connect(t, sharedBlender(t))
	var all []byte
	for i := range 3 {
		payload, err := json.Marshal(message{"type": "run", "id": fmt.Sprint("pipelined-", i), "code": fmt.Sprint("result = ", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, frame(payload)...)
	}
	if _, err := s.conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, kind := range []string{"started", "finished"} {
			got := s.receive()
			check(t, "what came", []any{got["type"], got["id"]}, []any{kind, fmt.Sprint("pipelined-", i)})
			if kind == "finished" {
				check(t, "the result", got["result"], float64(i))
			}
		}
	}
}

func TestStatusIsToldWhileAScriptRuns(t *testing.T) {
	p := sharedBlender(t)
	s, other := connect(t, p), connect(t, p)
	status := func() message {
		other.send(message{"type": "status"})
		return other.receiveType("status")
	}
	before := status()
	check(t, "what runs", []any{before["running"], before["queued"], before["rendering"]}, []any{nil, 0.0, false})
	_, release := holdUp(t, s, "")
	id := s.start("", message{"name": "the second"})
	other.start("")
	settle(t, s)
	got := status()
	running, _ := got["running"].(map[string]any)
	check(t, "the session and name", []any{running["session"], running["name"]}, []any{float64(s.number), "<message>"})
	check(t, "how many wait", got["queued"], 2.0)
	if seconds, _ := running["seconds"].(float64); seconds < 0 || seconds > patience.Seconds() {
		t.Errorf("it runs for %v seconds", running["seconds"])
	}
	release()
	for s.receiveType("finished").text("id") != id {
	}
	other.receiveType("finished")
	after := status()
	check(t, "what runs", []any{after["running"], after["queued"]}, []any{nil, 0.0})
	check(t, "how many have ended", after["runs"], before["runs"].(float64)+3)
}

func TestWaitingRunIsCancelledAtOnce(t *testing.T) {
	s := connect(t, sharedBlender(t))
	first, release := holdUp(t, s, "")
	code, mark := leaveMark(t)
	second, third := s.start(code), s.start("result = 3")
	s.send(message{"type": "cancel", "id": second, "reason": "timeout"})
	got := s.receive()
	check(t, "what came first", []any{got["type"], got["id"], got["state"]}, []any{"finished", second, "cancelled"})
	check(t, "the reason", got.failure()["message"], "timeout")
	release()
	for _, id := range []string{first, third} {
		got := s.receiveType("finished")
		check(t, "what came", []any{got["id"], got["state"]}, []any{id, "succeeded"})
	}
	if exists(mark) {
		t.Error("the cancelled one was run")
	}
	s.send(message{"type": "cancel", "id": second})
	got = s.receive()
	check(t, "the answer to another cancel", []any{got["code"], got["id"]}, []any{"unknown_id", second})
}

func TestRunningScriptIsCancelledWhateverItDoes(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	waits := []string{
		"import subprocess; subprocess.run(['sleep', '1000'])",
		"import subprocess\np = subprocess.Popen(['sleep', '1000'])\ntry: p.wait()\nfinally: p.kill()",
		"import threading; threading.Lock().acquire() and threading.Event().wait()",
		"import queue; queue.Queue().get()",
		"import select; select.select([], [], [])",
		"import socket\nl = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()\nl.accept()",
	}
	if onWindows {
		// Nothing ends the wait for a lock there, so the supervisor ends Blender.
		const child = "import subprocess, sys\nargs = [sys.executable, '-c', 'import time; time.sleep(1000)']\n"
		waits = []string{
			child + "subprocess.run(args)",
			child + "p = subprocess.Popen(args)\ntry: p.wait()\nfinally: p.kill()",
			waits[len(waits)-1],
			"import os; os.read(os.pipe()[0], 1)",
		}
	}
	for _, code := range append(waits,
		"while True: pass",
		"import time; time.sleep(1000)",
		"import asyncio; await asyncio.sleep(1000)",
		"import asyncio; asyncio.run(asyncio.sleep(1000))",
		"while True:\n  try: pass\n  except Exception: pass",
		"import itertools\nfor x in map(int, itertools.repeat('7')): pass",
		"def f():\n  while True: yield 1\nsum(f())",
		// The exception is caught, but only that one.
		"while True: pass\n",
		"import time\ntry:\n  HERE\n  time.sleep(1000)\nexcept KeyboardInterrupt: result = 'tidied up'",
		"import time\ntry:\n  HERE\n  time.sleep(1000)\nfinally: result = 'tidied up'",
	) {
		const here = "import tcp_echo; tcp_echo.progress(0, 'here')"
		whole := strings.Replace(code, "HERE", here, 1)
		if whole == code {
			whole = here + "\n" + code
		}
		id := s.start(whole)
		if got := s.receiveType("progress"); got.text("id") != id {
			t.Fatalf("progress of %v", got)
		}
		s.send(message{"type": "cancel", "id": id})
		got := s.receiveType("finished")
		check(t, code, []any{got["id"], got["state"], got.failure()["type"], got.failure()["message"]},
			[]any{id, "cancelled", "RunCancelled", "cancelled"})
		if strings.Contains(code, "tidied") {
			check(t, "what it did about it", got["result"], "tidied up")
		}
		s.succeed("")
	}
}

func TestScriptThatIgnoresOneCancelHasItsSecond(t *testing.T) {
	s := connect(t, sharedBlender(t))
	id := s.start(`
import tcp_echo, time
try:
    tcp_echo.progress(0, "begun")
    time.sleep(1000)
except KeyboardInterrupt as error:
    tcp_echo.progress(1, f"caught {type(error).__name__}: {error}")
while True:
    pass
`)
	check(t, "the progress", s.receiveType("progress")["text"], "begun")
	s.send(message{"type": "cancel", "id": id})
	check(t, "the progress", s.receiveType("progress")["text"], "caught RunCancelled: cancelled")
	s.send(message{"type": "cancel", "id": id, "reason": "timeout"})
	got := s.receiveType("finished")
	check(t, "the end", []any{got["id"], got["state"], got.failure()["message"]}, []any{id, "cancelled", "timeout"})
	s.succeed("")
}

// Blender prints an exception that is raised in a handler, and goes on. The handlers of the runs before loop in each
// run, too.
func TestACancelThatBlenderHasSwallowedIsRaisedAgain(t *testing.T) {
	s := connect(t, sharedBlender(t))
	for range 3 {
		s.start(`
import bpy, sys, tcp_echo
def loops(*_):
    tcp_echo.progress(0)
    while True: pass
bpy.app.handlers.save_pre.append(loops)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
while True: pass
`, message{"args": []string{filepath.Join(t.TempDir(), "a.blend")}})
		id := s.receiveType("progress").text("id")
		s.send(message{"type": "cancel", "id": id})
		check(t, "the state", s.receiveType("finished")["state"], "cancelled")
	}
	s.succeed("import bpy; bpy.app.handlers.save_pre.clear()")
}

func TestFloodOfCancelsStopsNothingButItsRun(t *testing.T) {
	s := connect(t, sharedBlender(t))
	for range 20 {
		id := s.start("import tcp_echo; tcp_echo.progress(0, '')\nwhile True:\n  try:\n    while True: pass\n  except KeyboardInterrupt as e:\n    if tcp_echo.progress(1, ''): pass\n    break")
		next := s.start("result = 'next'")
		s.receiveType("progress")
		payload, err := json.Marshal(message{"type": "cancel", "id": id})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.conn.Write(bytes.Repeat(frame(payload), 1000)); err != nil {
			t.Fatal(err)
		}
		for done := false; !done; {
			got := s.receive()
			switch {
			case got == nil:
				t.Fatalf("closed:\n%s", sharedBlender(t).text())
			case got.text("type") == "error":
				check(t, "the error", []any{got["code"], got["id"]}, []any{"unknown_id", id})
			case got.text("type") == "finished" && got.text("id") == id:
				check(t, "its state", got["state"], "cancelled")
			case got.text("type") == "finished":
				check(t, "the next one", []any{got["id"], got["state"], got["result"]}, []any{next, "succeeded", "next"})
				done = true
			}
		}
		skipRest(t, s)
	}
}

func TestFrameThatIsNotUnderstoodEndsItsSessionAlone(t *testing.T) {
	p := sharedBlender(t)
	other := connect(t, p)
	for what, payload := range map[string]string{
		"an unknown type":       `{"type":"dance"}`,
		"a second hello":        `{"type":"hello","protocol":1,"token":"the-token"}`,
		"a type that is a list": `{"type":["run"]}`,
		"no type":               `{}`,
		"half an object":        `{"type":"ping"`,
		"two objects":           `{"type":"ping"}{"type":"ping"}`,
		"nothing":               ``,
		"a list":                `[]`,
		"a number":              `7`,
		"no UTF-8":              "{\"type\":\"\xff\"}",
		"much too deep":         strings.Repeat("[", 1_000_000),
	} {
		s := connect(t, p)
		if _, err := s.conn.Write(frame([]byte(payload))); err != nil {
			t.Fatal(err)
		}
		got := s.receive()
		check(t, "the answer to "+what, []any{got["type"], got["code"]}, []any{"error", "bad_frame"})
		if got.text("message") == "" {
			t.Errorf("%s: the error says nothing", what)
		}
		if more := s.receive(); more != nil {
			t.Errorf("%s: then came %v", what, more)
		}
	}
	other.succeed("")
}

func TestRunThatIsNotRightIsRefusedAndTheSessionGoesOn(t *testing.T) {
	s := connect(t, sharedBlender(t))
	good := message{"type": "run", "id": "good", "code": "1/0"}
	for _, test := range []struct {
		field string
		value any
	}{
		{"id", nil},
		{"id", ""},
		{"id", 7},
		{"id", strings.Repeat("a", 65)},
		{"id", "a b"},
		{"id", "a\n"},
		{"id", "é"},
		{"code", nil},
		{"code", 7},
		{"code_base64", "!"},
		{"code_base64", 7},
		{"file", "relative.py"},
		{"file", "/null\x00"},
		{"file", 7},
		{"dir", "relative"},
		{"args", "text"},
		{"args", []int{1}},
		{"scene", "unknown"},
		{"scene", 7},
		{"scene", false},
		{"scene", []string{}},
		{"isolation", "none"},
		{"isolation", 0},
		{"journal", 0},
		{"journal", "relative"},
		{"watched", 0},
		{"render", false},
		{"render", []int{}},
		{"render", message{"engine": false}},
		{"render", message{"output": 0}},
		{"render", message{"output": "/null\x00"}},
		{"render", message{"frames": ""}},
		{"render", message{"frames": []any{[]any{1, 2, true}}}},
		{"render", message{"frames": []any{[]any{1, "2", 1}}}},
		{"render", message{"done": ""}},
		{"render", message{"begun": []bool{true}}},
		{"render", message{"since": false}},
		{"debug", false},
		{"debug", []int{}},
		{"debug", message{"path": 0}},
		{"debug", message{"path": "relative"}},
		{"debug", message{"path": "/null\x00"}},
	} {
		bad := message{}
		for name, value := range good {
			bad[name] = value
		}
		bad[test.field] = test.value
		s.send(bad)
		got := s.receive()
		check(t, fmt.Sprintf("the answer to %s %v", test.field, test.value), []any{got["type"], got["code"]}, []any{"error", "bad_run"})
	}
	id, release := holdUp(t, s, "")
	s.start("", message{"id": id})
	got := s.receive()
	check(t, "the answer to an id of another run", []any{got["code"], got["id"]}, []any{"duplicate_id", id})
	s.send(message{"type": "cancel", "id": "unheard-of"})
	got = s.receive()
	check(t, "the answer to a cancel of nothing", []any{got["code"], got["id"]}, []any{"unknown_id", "unheard-of"})
	s.send(message{"type": "cancel"})
	check(t, "the answer to a cancel without id", s.receive()["code"], "unknown_id")
	release()
	check(t, "the run", s.receiveType("finished")["id"], id)
	// The id may be used again.
	for _, id := range []string{id, strings.Repeat("aZ_-", 16)} {
		s.start("", message{"id": id})
		check(t, "the run", s.receiveType("finished")["id"], id)
	}
}

func TestAtMost10000RunsWaitInASession(t *testing.T) {
	p := sharedBlender(t)
	s, other := connect(t, p), connect(t, p)
	_, release := holdUp(t, other, "")
	var all []byte
	const sent = 10_002
	for i := range sent {
		all = append(all, frame(fmt.Appendf(nil, `{"type":"run","id":"w%d","code":""}`, i))...)
	}
	if _, err := s.conn.Write(all); err != nil {
		t.Fatal(err)
	}
	// The contract does not say whether the limit counts the running run.
	got := s.receive()
	check(t, "the answer", got["code"], "too_many")
	release()
	other.receiveType("finished")
	for finished := 0; finished < 10_000; {
		m := s.receive()
		if m == nil {
			t.Fatal("closed")
		}
		if m.text("type") == "finished" {
			check(t, "the state", m["state"], "succeeded")
			finished++
		}
	}
}

func TestManyConnectionsAtOnceAreAllAnswered(t *testing.T) {
	p := sharedBlender(t)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			code := fmt.Sprint("result = ", i)
			if i%2 == 0 {
				got, err := askOnce(p.port, message{"token": testToken, "code": code, "wait": true})
				if err != nil || got["result"] != float64(i) {
					t.Errorf("%d: %v, %v", i, got, err)
				}
				return
			}
			got, err := askOnce(p.port, message{"token": testToken, "message": i})
			if err != nil || got["message"] != fmt.Sprint("Printed message: ", i) {
				t.Errorf("%d: %v, %v", i, got, err)
			}
		})
	}
	group.Wait()
	sessions := make([]*session, 200)
	for i := range sessions {
		sessions[i] = connect(t, p)
	}
	for i, s := range sessions {
		s.start(fmt.Sprint("result = ", i))
	}
	for i, s := range sessions {
		check(t, "the result", s.receiveType("finished")["result"], float64(i))
	}
}

// askOnce is like ask, for any goroutine.
func askOnce(port int, m message) (message, error) {
	payload, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(payload); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return nil, err
	}
	var answer message
	return answer, json.Unmarshal(text, &answer)
}

func TestRunGoesOnWhenItsClientIsGoneAndWhatWaitedIsDropped(t *testing.T) {
	p := sharedBlender(t)
	other := connect(t, p)
	for _, abruptly := range []bool{false, true} {
		s := connect(t, p)
		ran, ranFile := leaveMark(t)
		waited, waitedFile := leaveMark(t)
		_, release := holdUp(t, s, ran)
		s.start(waited)
		settle(t, s)
		if abruptly {
			if err := s.conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.conn.Close(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(patience)
		for {
			other.send(message{"type": "status"})
			status := other.receiveType("status")
			if status["queued"] == 0.0 {
				if running, _ := status["running"].(map[string]any); running["session"] != float64(s.number) {
					t.Errorf("the run was stopped: %v", status)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("still waiting: %v", status)
			}
		}
		release()
		other.succeed("")
		check(t, "whether it went to its end", exists(ranFile), true)
		check(t, "whether the waiting one ran", exists(waitedFile), false)
	}
}

func TestBareMessageIsDoneThoughItsClientIsGone(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	_, release := holdUp(t, s, "")
	var files []string
	for _, wait := range []bool{false, true} {
		code, file := leaveMark(t)
		payload, err := json.Marshal(message{"token": testToken, "code": code, "wait": wait})
		if err != nil {
			t.Fatal(err)
		}
		conn := raw(t, p.port, payload)
		settle(t, s)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	settle(t, s)
	release()
	s.receiveType("finished")
	s.succeed("")
	for _, file := range files {
		check(t, "whether it ran", exists(file), true)
	}
}

func TestTheIDOfACancelledRunMayBeUsedAgain(t *testing.T) {
	s := connect(t, sharedBlender(t))
	first := s.start("import time\nfor _ in range(200): time.sleep(0.01)")
	s.receiveType("started")
	for range 2 {
		s.send(message{"type": "run", "id": "again", "code": "result = 7"})
		s.send(message{"type": "cancel", "id": "again"})
		check(t, "the state of the waiting run", s.receiveType("finished")["state"], "cancelled")
	}
	s.send(message{"type": "run", "id": "again", "code": "result = 7"})
	s.send(message{"type": "cancel", "id": first})
	for {
		got := s.receiveType("finished")
		if got["id"] == "again" {
			check(t, "the result", got["result"], 7.0)
			return
		}
	}
}

func TestClientThatReadsNothingHoldsUpNobody(t *testing.T) {
	p := sharedBlender(t)
	s, other := connect(t, p), connect(t, p)
	const large = "result = 'x' * 1_000_000"
	for range 30 { // far more than the system buffers for the client
		s.start(large)
	}
	other.succeed("")
	for range 30 {
		check(t, "the state", s.receiveType("finished")["state"], "succeeded")
	}
}

func TestClientThatNeverReadsCostsABoundedAmountOfMemory(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	s, other := connect(t, p), connect(t, p)
	const most = "import resource; result = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss" // in KiB
	before := other.succeed(most).(float64)
	for range 200 {
		s.start("result = 'x' * 1_000_000")
	}
	for done := false; !done; { // until all of them are done, or what is left was dropped
		other.send(message{"type": "status"})
		status := other.receive()
		done = status["queued"] == 0.0 && status["running"] == nil && status["runs"].(float64) >= 30
	}
	if more := other.succeed(most).(float64) - before; more > 300<<10 {
		t.Errorf("it has cost %v MB", more/1024)
	}
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, s.reader) // it was cut off, or this does not end
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it was not cut off; it could read %d bytes", n)
	}
}

func TestScanOfManyBracketsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	p := startSupervised(t)
	other := connect(t, p)
	text := []byte(`{"token":"the-token","message":[`)
	text = append(text, bytes.Repeat([]byte("[],"), (64<<20-1000)/3)...)
	conn := dial(t, p.port)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(text) // its end never comes
		sent <- err
	}()
	for {
		select {
		case err := <-sent:
			if err != nil {
				t.Error(err)
			}
			other.succeed("")
			return
		default:
			other.succeed("") // in time, or receive fails
		}
	}
}

func TestQuitIsAnsweredByClosingAndEndsBlender(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "while True: pass", "import time; time.sleep(1000)"} {
		t.Run(fmt.Sprintf("%q", code), func(t *testing.T) {
			t.Parallel()
			p := startSupervised(t)
			s, other := connect(t, p), connect(t, p)
			waited, file := leaveMark(t)
			if code != "" {
				s.start(code)
				s.receiveType("started")
				s.start(waited)
				settle(t, s)
			}
			other.send(message{"type": "quit"})
			for other.receive() != nil {
			}
			for m := s.receive(); m != nil; m = s.receive() {
				if m.text("type") == "finished" && m.text("state") != "cancelled" {
					t.Errorf("then came %v", m)
				}
			}
			check(t, "the exit code", p.exitCode(t), 0)
			check(t, "whether the waiting one ran", exists(file), false)
		})
	}
}
