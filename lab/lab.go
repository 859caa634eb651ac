// Package lab serves the clients of Blender Lab's MCP server: it listens on a port of 127.0.0.1 as
// Blender Lab's add-on does, and has their code run in a session of the engine.
//
// A request is `{"type": "execute", "code": "…", "strict_json": false}` and a NUL; the answer is
// `{"status": "ok", "result": {…}, "stdout": "…", "stderr": "…"}`, or "error" with a "message", and a
// NUL. How the code executes is up to the add-on (tcp_echo/lab.py). The frame has no proof of who
// asks: so the port is off until the settings name it, and a process of another user is refused
// where the system tells whose it is.
//
// The package is a client of control. A [Server] listens where [Server.Configure] says.
package lab

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// Session is the session in which the code runs: Blender Lab's clients know of one Blender, and
// connect anew for each request.
const Session = "blender-lab"

// client is how the history names whoever asks.
const client = "mcp: Blender Lab"

// Engine has runs made, as a client of control does.
type Engine interface {
	// SubmitAndFollow has a run made and returns its events. The last event has the ended run.
	SubmitAndFollow(ctx context.Context, s api.Submission) iter.Seq2[api.Event, error]
}

// Config holds what [New] needs for a [Server].
type Config struct {
	Engine Engine
	// Presence tells the engine that a client is connected, while [Server.Serve] runs; nil tells nobody.
	Presence *control.Presence
	// Logger may be nil.
	Logger *slog.Logger
}

// Server listens on the port for Blender Lab's clients.
type Server struct {
	engine   Engine
	presence *control.Presence
	log      *slog.Logger
	// mine returns nil when the process at the other end is this user's, and else why it is refused.
	// Tests have others.
	mine func(net.Conn) error
	// requestTime is how long a request may take to come. Tests have less.
	requestTime time.Duration

	mu    sync.Mutex
	port  uint16
	allow api.Allow
	// confined: the session begins in a confined Blender.
	confined bool
	change   chan struct{} // closed when the port has changed
}

// New returns a server that [Server.Serve] starts, with no port.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		engine: c.Engine, presence: c.Presence, log: c.Logger, mine: checkPeer, requestTime: requestTime,
		change: make(chan struct{}),
	}
}

// Configure sets the port, lab_port of the settings, 0 for none; and whether code may run, which is
// allow: a person can't be asked here. A change of the port closes the port before, also for those that
// are connected there; their runs go on.
func (s *Server) Configure(settings api.AgentSettings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allow, s.confined = settings.Allow, settings.Confine
	if s.port != settings.LabPort {
		s.port = settings.LabPort
		close(s.change)
		s.change = make(chan struct{})
	}
}

// Settings returns the settings that the server has, and leaves out the others.
func (s *Server) Settings() api.AgentSettings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return api.AgentSettings{LabPort: s.port, Allow: s.allow, Confine: s.confined}
}

func (s *Server) wanted() (port uint16, change <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port, s.change
}

// retryTime is how often the server tries again to have a port, or to accept connections.
const retryTime = 2 * time.Second

// Serve listens where the settings say until ctx ends, and returns nil then. A port that is taken is
// waited for.
func (s *Server) Serve(ctx context.Context) error {
	if s.presence != nil {
		var reporting sync.WaitGroup
		defer reporting.Wait()
		reporting.Go(func() { _ = s.presence.Serve(ctx) }) // returns nil
	}
	said := uint16(0) // the port of which the log tells that it is taken
	for ctx.Err() == nil {
		port, change := s.wanted()
		if port == 0 {
			select {
			case <-change:
			case <-ctx.Done():
			}
			continue
		}
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			if said != port {
				s.log.Warn("can't listen for Blender Lab's clients (mcp.lab_port)", "port", port, "error", err)
				said = port
			}
			pause(ctx, change)
			continue
		}
		said = 0
		s.log.Info("listening for Blender Lab's clients", "port", port)
		until, stop := context.WithCancel(ctx)
		go func() {
			select {
			case <-change:
			case <-until.Done():
			}
			stop()
		}()
		err = s.serve(until, listener)
		stop()
		if err != nil {
			s.log.Warn("can't accept Blender Lab's clients", "port", port, "error", err)
			pause(ctx, change)
		}
	}
	return nil
}

// pause waits for the time after which the server tries again, or for another port.
func pause(ctx context.Context, change <-chan struct{}) {
	select {
	case <-change:
	case <-time.After(retryTime):
	case <-ctx.Done():
	}
}

// serve answers those that connect to a listener until ctx ends, or fails when the listener does. It
// returns when all connections are closed.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	var all sync.WaitGroup
	defer all.Wait()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	waiting := newWaiting(maxWaiting)
	for {
		c, err := listener.Accept()
		if err != nil {
			listener.Close()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		turn := waiting.turn()
		all.Go(func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			s.converse(ctx, c, waiting, turn)
		})
	}
}
