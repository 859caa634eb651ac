package blender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"blendtray/api"
)

// ProtocolVersion is the version of the wire that this package speaks.
const ProtocolVersion = 1

// helloTimeout is how long connecting and the greeting may take. The server answers from its own
// thread, which waits only for the lock of the interpreter.
const helloTimeout = 10 * time.Second

// Session is one connection to the add-on in a Blender, whoever started that Blender. Any number of
// goroutines may call its methods, and it may have many runs at the same time.
type Session struct {
	// Welcome is what the Blender has said of itself.
	Welcome Welcome

	output  func(id, text string) // nil when the output is not wanted
	conn    net.Conn
	writing sync.Mutex

	mu      sync.Mutex
	calls   map[string]*Call
	asked   []chan json.RawMessage // the channels of the callers that wait for a status, in the order of their calls
	pings   map[string]chan struct{}
	pinged  int
	closed  chan struct{}
	lastErr error

	unclean chan string // holds the reason of the first recycle frame

	briefs briefs
}

// Dial returns a session with the Blender that listens on addr ("127.0.0.1:port"). It never sends the
// token: both sides prove that they know it. Dial fails with [ErrImpostor] when the token belongs to
// another Blender or another program listens there, and with another error when there is no connection.
func Dial(ctx context.Context, addr, token string) (*Session, error) {
	return dial(ctx, addr, token, nil)
}

// DialForOutput does what [Dial] does, for a Blender whose pipe belongs to somebody else or to
// nobody: it calls output with the text that Python prints in each run of the session, on the
// goroutine that reads the session.
func DialForOutput(ctx context.Context, addr, token string, output func(id, text string)) (*Session, error) {
	return dial(ctx, addr, token, output)
}

// ErrImpostor is returned when a program listens on the port of a Blender that is not that Blender.
var ErrImpostor = errors.New("another program has taken the port of that Blender")

func dial(ctx context.Context, addr, token string, output func(id, text string)) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if !mayBeOurs(port) {
		return nil, fmt.Errorf("%w: a program of another user listens on %s", ErrImpostor, addr)
	}
	var d net.Dialer // sets TCP_NODELAY, as Go does for every TCP connection
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to Blender: %w", err)
	}
	s, err := newSession(ctx, conn, greeting{token: token, port: port, output: output})
	if err != nil {
		return nil, fmt.Errorf("open a session with Blender on %s: %w", addr, err)
	}
	return s, nil
}

// greeting is how a session begins.
type greeting struct {
	// token is what both sides have to know, "" where the connection itself proves who they are.
	token string
	port  string // the port of the connection
	// output is called with what runs print; nil when the output is not wanted.
	output func(id, text string)
}

// newSession begins a session over a connection. When it fails, it closes the connection.
func newSession(ctx context.Context, conn net.Conn, g greeting) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // ends the reads and writes that wait
	defer stop()
	s := &Session{
		output: g.output, conn: conn, calls: map[string]*Call{}, pings: map[string]chan struct{}{}, closed: make(chan struct{}),
		unclean: make(chan string, 1),
	}
	frames := newFrameReader(conn)
	if err := s.greet(frames, g); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if !stop() {
		conn.Close()
		return nil, ctx.Err()
	}
	go s.read(frames)
	return s, nil
}

// greet exchanges the first frames, and proofs of the token where there is one.
func (s *Session) greet(frames *frameReader, g greeting) error {
	hello := helloFrame{Type: "hello", Protocol: ProtocolVersion, Client: "blendtray", Output: s.output != nil}
	if g.token != "" {
		hello.Nonce = randomHex(nonceLength / 2)
		frames.limit = maxUnproved
	}
	answer, err := s.ask(frames, hello)
	if g.token != "" && errors.Is(err, ErrFrameTooLong) {
		return fmt.Errorf("%w: %w", ErrImpostor, err)
	}
	if err != nil {
		return err
	}
	if g.token != "" {
		if answer.Type != "challenge" || !proves(g, serverSide, hello.Nonce, answer.Nonce, answer.Proof) {
			return fmt.Errorf("%w: it does not know the token", ErrImpostor)
		}
		frames.limit = MaxFrame
		answer, err = s.ask(frames, proofFrame{"proof", g.proof(clientSide, hello.Nonce, answer.Nonce)})
		if err != nil {
			return err
		}
	}
	if answer.Type != "welcome" {
		return fmt.Errorf("it answered with %q instead of welcome", answer.Type)
	}
	s.Welcome = answer.Welcome
	return nil
}

// ask sends a frame of the greeting and returns the answer. It fails with a [*WireError] when the
// answer is an error.
func (s *Session) ask(frames *frameReader, frame any) (greetAnswer, error) {
	var answer greetAnswer
	if err := s.send(frame); err != nil {
		return answer, err
	}
	payload, err := frames.next()
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return answer, fmt.Errorf("its answer is not JSON: %w", err)
	}
	if answer.Type == "error" {
		return answer, &WireError{Code: answer.Code, Message: answer.Message}
	}
	return answer, nil
}

// Call is one run under way in a session.
type Call struct {
	session  *Session
	id       string
	follower follower
	done     chan struct{}
	finished Finished
	err      error
}

// follower is told what a run does, by the goroutine that reads the session, which its methods must not
// block.
type follower interface {
	prepare()
	startedAt(time.Time)
	tellProgress(report)
	// answered is called when the call is done. told says whether Blender has told how the run ended.
	// The goroutine that sends a run may call it, too.
	answered(told bool)
}

// functions is a follower of functions, each of which may be nil.
type functions struct {
	preparing func()
	started   func(time.Time)
	progress  func(report)
}

func (f functions) prepare() {
	if f.preparing != nil {
		f.preparing()
	}
}

func (f functions) startedAt(at time.Time) {
	if f.started != nil {
		f.started(at)
	}
}

func (f functions) tellProgress(told report) {
	if f.progress != nil {
		f.progress(told)
	}
}

func (functions) answered(bool) {}

// Run sends a run and returns its call at once. The goroutine that reads the session calls
// preparing, started and progress, so these must not block; each may be nil. Run fails with
// [ErrClosed], or with an error that says what is wrong with the request.
func (s *Session) Run(req Request, preparing func(), started func(time.Time), progress func(report)) (*Call, error) {
	return s.run(req, functions{preparing, started, progress})
}

// run does what Run does, for a follower.
func (s *Session) run(req Request, follower follower) (*Call, error) {
	if !runID.MatchString(req.ID) { // the refusal of Blender would not name the run
		return nil, fmt.Errorf("the id of a run is 1 to 64 of A-Z a-z 0-9 _ -, not %q", req.ID)
	}
	if len(req.Code) > api.MaxCode { // checked before memory is spent on it
		return nil, api.TooLarge(int64(len(req.Code)))
	}
	frame := runFrame{
		Type: "run", ID: req.ID, File: osText(req.File), Name: req.Name, Dir: osText(req.Dir), Scene: osText(req.Scene),
	}
	if req.Isolation != api.IsolateAuto {
		frame.Isolation = req.Isolation.String()
	}
	frame.KeepModules, frame.Echo, frame.Complete = req.Session != "", req.Echo, req.Complete
	for _, arg := range req.Args {
		frame.Args = append(frame.Args, osText(arg))
	}
	frame.Journal = osText(req.Journal)
	frame.Render = req.Render.field()
	if req.Debug != nil {
		frame.Debug = &debugField{osText(req.Debug.Path)}
	}
	for _, dir := range req.Watched {
		frame.Watched = append(frame.Watched, osText(dir))
	}
	// One byte of text becomes at most six bytes in JSON, and base64 makes four bytes of three.
	if len(req.Code) <= MaxFrame/8 && utf8.Valid(req.Code) {
		text := string(req.Code)
		frame.Code = &text
	} else {
		frame.CodeBase64 = req.Code
	}
	bytes, err := encode(frame)
	if err != nil {
		return nil, err
	}
	c := &Call{session: s, id: req.ID, follower: follower, done: make(chan struct{})}
	s.mu.Lock()
	switch {
	case s.lastErr != nil:
		s.mu.Unlock()
		return nil, s.lastErr
	case s.calls[req.ID] != nil:
		s.mu.Unlock()
		return nil, fmt.Errorf("run %s is under way already", req.ID)
	}
	s.calls[req.ID] = c
	s.mu.Unlock()
	if len(bytes) >= largeFrame {
		go func() {
			if err := s.write(bytes); err != nil {
				s.drop(c, err)
			}
		}()
		return c, nil
	}
	if err := s.write(bytes); err != nil {
		s.drop(c, err)
		return nil, err
	}
	return c, nil
}

// Done returns a channel that is closed when the run has ended, or when no more will be heard of
// it.
func (c *Call) Done() <-chan struct{} { return c.done }

// Result returns how the run has ended. It may be called when Done is closed. It fails with a
// [*WireError] when Blender has refused the run, or with the reason why no more will be heard of
// the run.
func (c *Call) Result() (Finished, error) { return c.finished, c.err }

// Cancel asks Blender to stop the run; reason is "cancelled" or "timeout". It fails when the
// request can't be sent.
func (c *Call) Cancel(reason string) error {
	return c.session.send(map[string]string{"type": "cancel", "id": c.id, "reason": reason})
}

// Status asks what the Blender does and returns the `status` frame. It fails with the error of ctx,
// or when the session is closed.
func (s *Session) Status(ctx context.Context) (json.RawMessage, error) {
	frame, err := encode(map[string]string{"type": "status"})
	if err != nil {
		return nil, err
	}
	answer := make(chan json.RawMessage, 1)
	s.writing.Lock() // so that the callers wait in the order of their frames
	s.mu.Lock()
	s.asked = append(s.asked, answer)
	s.mu.Unlock()
	err = s.writeLocked(frame)
	s.writing.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case text := <-answer:
		return text, nil
	case <-s.closed:
		return nil, s.err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// statusTimeout is how long a Blender may take to say what it does.
const statusTimeout = 10 * time.Second

// isBusyForOthers returns whether Blender says that it executes a run of another session.
func (s *Session) isBusyForOthers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	text, err := s.Status(ctx)
	if err != nil {
		return false
	}
	var status struct {
		Running *struct {
			Session int `json:"session"`
		} `json:"running"`
	}
	return json.Unmarshal(text, &status) == nil && status.Running != nil && status.Running.Session != s.Welcome.Session
}

// Ping waits for an answer from Blender's server. The answer also comes while a script runs, unless
// C code holds the lock of the interpreter. It fails with the error of ctx, or when the session is
// closed.
func (s *Session) Ping(ctx context.Context) error {
	s.mu.Lock()
	s.pinged++
	id := strconv.Itoa(s.pinged)
	answer := make(chan struct{})
	s.pings[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pings, id)
		s.mu.Unlock()
	}()
	if err := s.send(pingFrame{Type: "ping", ID: id}); err != nil {
		return err
	}
	select {
	case <-answer:
		return nil
	case <-s.closed:
		return s.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wake has the threads of Blender's server wake up, so that a run that follows at once begins sooner:
// a thread that has slept for long takes up to half a millisecond. It returns when the request is
// sent, and fails when that can't be done.
func (s *Session) Wake() error {
	return s.send(pingFrame{Type: "ping", Wake: true})
}

// Quit asks the Blender to end. It returns when the request is sent, and fails when that can't be
// done.
func (s *Session) Quit() error { return s.send(map[string]string{"type": "quit"}) }

// Close ends the session; Blender drops its waiting runs.
func (s *Session) Close() error { return s.conn.Close() }

// Unclean returns a channel that receives one reason why that Blender should not execute another
// run, when Blender says that it can't put back what a run has changed.
func (s *Session) Unclean() <-chan string { return s.unclean }

// Closed returns a channel that is closed when the connection is gone.
func (s *Session) Closed() <-chan struct{} { return s.closed }

func (s *Session) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastErr
}

func (s *Session) send(frame any) error {
	bytes, err := encode(frame)
	if err != nil {
		return err
	}
	return s.write(bytes)
}

// write sends a frame in one piece.
func (s *Session) write(frame []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writeLocked(frame)
}

func (s *Session) writeLocked(frame []byte) error {
	if _, err := s.conn.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

func (s *Session) read(frames *frameReader) {
	err := s.readFrames(frames)
	s.conn.Close()
	s.mu.Lock()
	s.lastErr = fmt.Errorf("%w: %w", ErrClosed, err)
	calls := s.calls
	s.calls = nil
	s.mu.Unlock()
	close(s.closed)
	for _, c := range calls {
		c.err = s.lastErr
		close(c.done)
		c.follower.answered(false)
	}
}

func (s *Session) readFrames(frames *frameReader) error {
	for {
		payload, err := frames.next()
		if err != nil {
			return err
		}
		in, plain := parsePlain(payload)
		if !plain {
			if err := json.Unmarshal(payload, &in); err != nil {
				return fmt.Errorf("a frame that is not as agreed: %w", err)
			}
		}
		switch {
		case in.Type == "status":
			s.answerStatus(payload)
		case in.Type == "error" && in.ID == "": // the connection closes after it
			return &WireError{Code: in.Code, Message: in.Message}
		default:
			s.dispatch(in)
		}
	}
}

func (s *Session) dispatch(in incoming) {
	s.mu.Lock()
	c := s.calls[in.ID]
	s.mu.Unlock()
	switch in.Type {
	case "pong":
		s.mu.Lock()
		if answer := s.pings[in.ID]; answer != nil {
			close(answer)
			delete(s.pings, in.ID)
		}
		s.mu.Unlock()
	case "preparing":
		if c != nil {
			c.follower.prepare()
		}
	case "started":
		if c != nil {
			c.follower.startedAt(time.UnixMicro(int64(in.Time * 1e6)))
		}
	case "output":
		if c != nil && s.output != nil {
			s.output(in.ID, in.Text)
		}
	case "progress":
		if c != nil {
			c.follower.tellProgress(report{Progress: api.Progress{
				Fraction: in.Fraction, Text: in.Text, Frame: in.Frame, FramesDone: in.FramesDone, Frames: in.Frames, Picture: in.Picture,
			}, rendering: in.Rendering})
		}
	case "picture":
		if c != nil && in.Picture != "" {
			c.follower.tellProgress(report{written: in.Picture})
		}
	case "recycle":
		select {
		case s.unclean <- in.Reason:
		default: // the first reason is known already
		}
	case "finished":
		if c != nil {
			s.settle(c, in.Finished, nil)
		}
	case "error":
		if c != nil && in.Code != "unknown_id" { // unknown_id answers a cancel that came too late
			s.drop(c, &WireError{ID: in.ID, Code: in.Code, Message: in.Message})
		}
	}
}

func (s *Session) answerStatus(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) > 0 {
		s.asked[0] <- json.RawMessage(append([]byte(nil), payload...))
		s.asked = s.asked[1:]
	}
}

// drop ends a call of which no more will be heard; err says why.
func (s *Session) drop(c *Call, err error) { s.settle(c, Finished{}, err) }

// settle ends a call, unless the call has ended before.
func (s *Session) settle(c *Call, f Finished, err error) {
	s.mu.Lock()
	mine := s.calls[c.id] == c
	if mine {
		delete(s.calls, c.id)
	}
	s.mu.Unlock()
	if mine {
		c.finished, c.err = f, err
		close(c.done)
		c.follower.answered(err == nil)
	}
}
