//go:build unix

package addon

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; nothing should take nearly as long.
const patience = 2 * time.Minute

// wineLoop is set where `blender` is a Blender for Windows under Wine, or Python with a stand-in for
// bpy. Its value is the value of --loop.
var wineLoop = os.Getenv("BLENDTRAY_TEST_WINE")

// onWindows tells whether `blender` is such a program.
var onWindows = wineLoop != ""

// cLibrary returns the Python expression for the C library.
func cLibrary() string {
	if onWindows {
		return `ctypes.CDLL("ucrtbase")`
	}
	return "ctypes.CDLL(None)"
}

// Windows has the files of this machine on a drive of their own. spelled returns a value that is sent to
// Blender with each path of a test's folder as Windows spells it. In code its separators stay as they are,
// which Python and Blender take, too. Elsewhere it returns the value.
func spelled(value any, isCode bool) any {
	if !onWindows {
		return value
	}
	switch v := value.(type) {
	case string:
		folder := os.TempDir() + "/Test"
		if isCode {
			return strings.ReplaceAll(v, folder, "Z:"+folder)
		}
		if strings.HasPrefix(v, folder) {
			return "Z:" + strings.ReplaceAll(v, "/", `\`)
		}
	case []string:
		all := make([]any, len(v))
		for i := range v {
			all[i] = spelled(v[i], false)
		}
		return all
	case message:
		all := message{}
		for name := range v {
			all[name] = spelled(v[name], name == "code")
		}
		return all
	}
	return value
}

// ofWindows matches a path on the drive of this machine's files.
var ofWindows = regexp.MustCompile(`Z:[\\/][^"'\n]*`)

// unspelled returns a value that has come from Blender with the paths as this machine has them.
func unspelled(value any) any {
	if !onWindows {
		return value
	}
	switch v := value.(type) {
	case string:
		return ofWindows.ReplaceAllStringFunc(v, func(path string) string {
			return strings.ReplaceAll(strings.ReplaceAll(path[len("Z:"):], `\\`, "/"), `\`, "/")
		})
	case []any:
		for i := range v {
			v[i] = unspelled(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = unspelled(v[name])
		}
	case message:
		unspelled(map[string]any(v))
	}
	return value
}

const (
	testToken = "the-token"
	testMark  = "00112233445566778899aabbccddeeff"
)

// process is a Blender that a test started.
type process struct {
	command *exec.Cmd
	stdin   io.Closer
	done    chan struct{} // closed when the process has ended and its output is read
	port    int

	mutex   sync.Mutex
	output  bytes.Buffer
	changed chan struct{} // closed and replaced when there is more output
}

// startProcess starts a program and reads its output; it is killed when the test ends.
func startProcess(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{
		command: exec.Command(name, args...),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	p.command.Env = append(os.Environ(), env...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stdout, p.command.Stderr = writer, writer
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := p.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close() // the process has its own
	go p.read(reader)
	t.Cleanup(func() {
		// Mostly the process has ended. Its children may not have, and would keep the pipe open.
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
		<-p.done
	})
	return p
}

func (p *process) read(from *os.File) {
	buffer := make([]byte, 64*1024)
	for {
		n, err := from.Read(buffer)
		p.mutex.Lock()
		p.output.Write(buffer[:n])
		close(p.changed)
		p.changed = make(chan struct{})
		p.mutex.Unlock()
		if err != nil {
			break
		}
	}
	_ = from.Close()     // it was only read
	_ = p.command.Wait() // ProcessState has the result
	close(p.done)
}

func (p *process) text() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.textLocked()
}

func (p *process) textLocked() string {
	if onWindows {
		return strings.ReplaceAll(p.output.String(), "\r\n", "\n")
	}
	return p.output.String()
}

// end returns how a process that may just have ended did so, and what it printed last, or "" when
// it goes on.
func (p *process) end() string {
	if p == nil {
		return ""
	}
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		return ""
	}
	printed := p.text()
	return fmt.Sprintf(": %s, and printed last:\n%s", p.command.ProcessState, printed[max(0, len(printed)-8<<10):])
}

// await waits until the output contains a text.
func (p *process) await(t testing.TB, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		p.mutex.Lock()
		output, changed := p.textLocked(), p.changed
		p.mutex.Unlock()
		if strings.Contains(output, text) {
			return output
		}
		select {
		case <-changed:
		case <-p.done:
			if !strings.Contains(p.text(), text) {
				t.Fatalf("ended without printing %q: %s, and printed:\n%s", text, p.command.ProcessState, p.text())
			}
		case <-deadline:
			t.Fatalf("did not print %q:\n%s", text, output)
		}
	}
}

// exitCode waits for the end of the process.
func (p *process) exitCode(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.command.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("does not end:\n%s", p.text())
		return 0
	}
}

// startSupervised starts Blender as the supervisor does, and waits until it serves.
func startSupervised(t testing.TB, env ...string) *process {
	t.Helper()
	args := []string{"--background", "--factory-startup", "--python", launcherPath(t), "--", "--supervised"}
	p := startProcess(t, env, "blender", args...)
	hail(t, p)
	if onWindows && p.endsUnheard() {
		t.Logf("Wine ended the process before Blender began: %s; starting another", p.command.ProcessState)
		p = startProcess(t, env, "blender", args...)
		hail(t, p)
	}
	return awaitReady(t, p)
}

// endsUnheard waits for the first output of a process, and reports whether the process ended without any. Wine
// 8.0 has ended the first program of its Windows within 10 ms of its start, once in some thousand starts. A
// Blender that has a supervisor does not end by itself.
func (p *process) endsUnheard() bool {
	late := time.After(patience)
	for {
		p.mutex.Lock()
		heard, changed := p.output.Len() > 0, p.changed
		p.mutex.Unlock()
		if heard {
			return false
		}
		select {
		case <-changed: // at the end of the output, too
		case <-p.done:
			return p.text() == ""
		case <-late:
			return false
		}
	}
}

// greet sends the supervisor's line to a Blender that was started, and waits until it serves.
func greet(t testing.TB, p *process) *process {
	t.Helper()
	hail(t, p)
	return awaitReady(t, p)
}

// hail sends the supervisor's line to a Blender that was started. A Blender that has ended is no error: awaitReady
// says how it ended.
func hail(t testing.TB, p *process) {
	t.Helper()
	line := fmt.Sprintf(`{"token":%q,"mark":%q,"port":0}`+"\n", testToken, testMark)
	if _, err := io.WriteString(p.stdin.(io.Writer), line); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
}

// awaitReady waits until a Blender that was hailed serves.
func awaitReady(t testing.TB, p *process) *process {
	t.Helper()
	ready := "\x1eblendtray " + testMark + " ready "
	p.await(t, ready)
	_, rest, _ := strings.Cut(p.await(t, "}\n"), ready)
	var announced struct{ Port, PID int }
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&announced); err != nil {
		t.Fatalf("%v in %q", err, rest)
	}
	if announced.PID != p.command.Process.Pid && !onWindows { // Wine has its own numbers
		t.Errorf("says it is process %d, is %d", announced.PID, p.command.Process.Pid)
	}
	p.port = announced.Port
	return p
}

// outputOf returns the output of a run, which lies between its marks.
func (p *process) outputOf(t testing.TB, s *session, id string) string {
	t.Helper()
	key := fmt.Sprintf("%d:%s\n", s.number, id)
	begin, end := "\x1eblendtray "+testMark+" begin "+key, "\x1eblendtray "+testMark+" end "+key
	text := p.await(t, end)
	_, text, found := strings.Cut(text, begin)
	if !found {
		t.Fatalf("%s ends without a beginning", id)
	}
	text, _, _ = strings.Cut(text, end)
	return text
}

func launcherPath(t testing.TB) string {
	t.Helper()
	if wineLoop == "posix" {
		// The add-on as it is after an installation with this loop.
		launcher, err := Unpack(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		choice := filepath.Join(filepath.Dir(launcher), Name, markFile)
		if err := os.WriteFile(choice, []byte(`{"loop": "posix"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return launcher
	}
	path, err := filepath.Abs("launcher.py")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// shared is the Blender for all tests whose scripts do not break it.
var shared struct {
	mutex   sync.Mutex
	process *process
	cleanup keeper
}

// keeper collects the cleanups of what outlives a single test.
type keeper struct {
	testing.TB
	functions []func()
}

func (k *keeper) Cleanup(f func()) { k.functions = append(k.functions, f) }

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range shared.cleanup.functions {
		f()
	}
	os.Exit(code)
}

// sharedBlender returns a supervised Blender with a token, another one when the last one has ended:
// the test that ended it says so. Tests about what a run leaves for the next run must not be
// parallel.
func sharedBlender(t testing.TB) *process {
	t.Helper()
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	if shared.process != nil {
		select {
		case <-shared.process.done:
			shared.process = nil
		default:
			return shared.process
		}
	}
	shared.cleanup.TB = t
	shared.process = startSupervised(&shared.cleanup)
	return shared.process
}

// message is any frame.
type message map[string]any

func (m message) text(name string) string {
	text, _ := m[name].(string)
	return text
}

// failure is the error of a finished frame.
func (m message) failure() message {
	failure, _ := m["error"].(map[string]any)
	return failure
}

// session is a connection that sends frames, for the goroutine of one test.
type session struct {
	t       testing.TB
	process *process
	conn    net.Conn
	reader  *bufio.Reader
	number  int
	// welcome is the server's first frame of an open session.
	welcome message
}

func dial(t testing.TB, port int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // most are closed by then
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// newSession connects and sends nothing.
func newSession(t testing.TB, p *process) *session {
	t.Helper()
	conn := dial(t, p.port)
	return &session{t: t, process: p, conn: conn, reader: bufio.NewReader(conn)}
}

// connect opens a session.
func connect(t testing.TB, p *process) *session {
	t.Helper()
	s := newSession(t, p)
	s.send(message{"type": "hello", "protocol": 1, "nonce": testNonce, "client": "test"})
	s.welcome = s.receive()
	if s.welcome.text("type") == "challenge" { // a Blender that was started by hand has no token
		s.send(message{"type": "proof", "proof": proofOf(testToken, "client", p.port, testNonce, s.welcome.text("nonce"))})
		s.welcome = s.receive()
	}
	if s.welcome.text("type") != "welcome" {
		t.Fatalf("answer to hello: %v", s.welcome)
	}
	s.number = int(s.welcome["session"].(float64))
	return s
}

// testNonce is the nonce of the tests' sessions.
const testNonce = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// proofOf returns the proof that one side of a session sends.
func proofOf(token, side string, port int, clientNonce, serverNonce string) string {
	mac := hmac.New(sha256.New, []byte(token))
	fmt.Fprintf(mac, "blendtray 1 %s %d %s %s", side, port, clientNonce, serverNonce)
	return hex.EncodeToString(mac.Sum(nil))
}

func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func (s *session) send(m message) {
	s.t.Helper()
	payload, err := json.Marshal(spelled(m, false))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.conn.Write(frame(payload)); err != nil {
		s.t.Fatal(err)
	}
}

// receive returns the next frame, nil when the server has closed.
func (s *session) receive() message {
	s.t.Helper()
	// Each answer has its own time: a test may take longer than one answer on a busy machine.
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	var header [4]byte
	if _, err := io.ReadFull(s.reader, header[:]); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Fatal("no answer")
		}
		return nil
	}
	payload := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(s.reader, payload); err != nil {
		s.t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(payload, &m); err != nil {
		s.t.Fatal(err)
	}
	unspelled(m)
	return m
}

// receiveType returns the next frame of a type and skips the frames before it.
func (s *session) receiveType(kind string) message {
	s.t.Helper()
	for {
		m := s.receive()
		if m == nil {
			s.t.Fatalf("closed before %s came%s", kind, s.process.end())
		}
		if m.text("type") == kind {
			return m
		}
		if m.text("type") == "error" {
			s.t.Fatalf("instead of %s: %v", kind, m)
		}
	}
}

var runCount atomic.Int64

// start sends a run with code and other fields, and returns its id.
func (s *session) start(code string, fields ...message) string {
	s.t.Helper()
	id := fmt.Sprint("run-", runCount.Add(1))
	m := message{"type": "run", "id": id, "code": code}
	for _, more := range fields {
		for name, value := range more {
			m[name] = value
		}
	}
	s.send(m)
	return id
}

// run executes a script and returns its finished frame.
func (s *session) run(code string, fields ...message) message {
	s.t.Helper()
	id := s.start(code, fields...)
	for {
		if m := s.receiveType("finished"); m.text("id") == id {
			return m
		}
	}
}

// succeed executes a script that must succeed and returns its result.
func (s *session) succeed(code string, fields ...message) any {
	s.t.Helper()
	m := s.run(code, fields...)
	if m.text("state") != "succeeded" {
		s.t.Fatalf("%s: %v", code, m)
	}
	return m["result"]
}

// fail executes a script that must fail and returns its error.
func (s *session) fail(code string, fields ...message) message {
	s.t.Helper()
	m := s.run(code, fields...)
	if m.text("state") != "failed" {
		s.t.Fatalf("%s: %v", code, m)
	}
	return m.failure()
}

// ask sends a bare message and returns the answer; nil when there is none.
func ask(t testing.TB, port int, m message) message {
	t.Helper()
	payload, err := json.Marshal(spelled(m, false))
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, port)
	_, err = conn.Write(payload)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, conn)
}

// readAnswer reads to the end of a connection and returns the message, nil when there is none.
func readAnswer(t testing.TB, conn net.Conn) message {
	t.Helper()
	text, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("not closed")
	}
	if len(text) == 0 {
		return nil
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	unspelled(m)
	return m
}
