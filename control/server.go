package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"blendtray/api"
)

// Limits on what a peer may send and how long it may take. Peers are programs of the same
// user, so these guard against mistakes and stuck processes rather than attacks.
const (
	// maxBody leaves room for a script of [api.MaxCode] bytes as base64, which makes 43 MiB of
	// it, and for the fields beside it.
	maxBody    = 48 << 20
	maxHeader  = 64 << 10
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// bodyTime is for a whole body, answerTime for a whole answer that is not a stream.
	bodyTime   = 30 * time.Second
	answerTime = 30 * time.Second
	// endTime is what open requests get when the server ends.
	endTime = 3 * time.Second
	// beatTime is how often a quiet stream shows that it is alive.
	beatTime = 15 * time.Second
)

// Config is what a [Server] is made of.
type Config struct {
	// Engine does what is asked for.
	Engine Engine
	// Listener comes from [Listen]. The server closes it.
	Listener net.Listener
	// Shutdown is called, once, when a client asks the engine to end. It must not wait for
	// the server to end. Nil: such a request is refused.
	Shutdown func()
	// Settings owns the settings of the engine. Nil: requests about settings are refused.
	Settings Settings
	// SpoolDir is where output waits for clients that are slow; "" is the temporary folder.
	SpoolDir string
	// Logger may be nil.
	Logger *slog.Logger
}

// Server answers the clients of one engine.
type Server struct {
	engine   Engine
	listener net.Listener
	shutdown func()
	settings Settings
	spoolDir string
	log      *slog.Logger
	http     *http.Server

	// The limits above, which tests make smaller.
	bodyTime, answerTime, beatTime, endTime time.Duration
	maxBody, maxCode                        int64
}

// NewServer makes a server that is yet to be started with [Server.Serve].
func NewServer(c Config) *Server {
	s := &Server{
		engine:   c.Engine,
		settings: c.Settings,
		listener: c.Listener,
		spoolDir: c.SpoolDir,
		log:      c.Logger,
		bodyTime: bodyTime, answerTime: answerTime, beatTime: beatTime, endTime: endTime,
		maxBody: maxBody, maxCode: api.MaxCode,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.Shutdown != nil {
		s.shutdown = sync.OnceFunc(c.Shutdown)
	}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers until ctx ends. Streams end with the engine, which should end first, so that
// clients hear of the end of their runs; what is still open a little later is cut off. Serve
// closes the listener.
func (s *Server) Serve(ctx context.Context) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s.http.BaseContext = func(net.Listener) context.Context { return requests }
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.endTime)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		cut()
		s.http.Close() // the error is that of the listener, which Shutdown closed already
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler answers one request, or returns why not.
type handler func(w http.ResponseWriter, r *http.Request) error

// methods are the handlers of one path by HTTP method.
type methods map[string]handler

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
		"/status":            {http.MethodGet: s.getStatus},
		"/runs":              {http.MethodGet: s.getRuns, http.MethodPost: s.postRun},
		"/runs/{id}":         {http.MethodGet: s.getRun},
		"/runs/{id}/code":    {http.MethodGet: s.getCode},
		"/runs/{id}/output":  {http.MethodGet: s.getOutput},
		"/runs/{id}/preview": {http.MethodGet: s.getPreview},
		"/runs/{id}/cancel":  {http.MethodPost: s.postCancel},
		"/runs/{id}/retry":   {http.MethodPost: s.postRetry},
		"/blender/start":     {http.MethodPost: s.blenderDoes(s.engine.StartBlender)},
		"/blender/stop":      {http.MethodPost: s.blenderDoes(s.engine.StopBlender)},
		"/blender/restart":   {http.MethodPost: s.blenderDoes(s.engine.RestartBlender)},
		"/watch/pause":       {http.MethodPost: s.watching(true)},
		"/watch/resume":      {http.MethodPost: s.watching(false)},
		"/settings":          {http.MethodGet: s.overSettings(s.getSettings)},
		"/settings/{key}": {
			http.MethodGet:    s.overSettings(s.getSetting),
			http.MethodPut:    s.overSettings(s.putSetting),
			http.MethodDelete: s.overSettings(s.deleteSetting),
		},
		"/folders": {http.MethodPost: s.overSettings(s.postFolder)},
		"/folders/{path}": {
			http.MethodPatch:  s.overSettings(s.patchFolder),
			http.MethodDelete: s.overSettings(s.deleteFolder),
		},
		"/folders/reload": {http.MethodPost: s.overSettings(s.postReload)},
		"/shutdown":       {http.MethodPost: s.postShutdown},
		"/events":         {http.MethodGet: s.getEvents},
	} {
		mux.Handle(path, s.serve(m))
	}
	mux.Handle("/", s.serve(nil))
	return mux
}

// serve picks the handler of a request's method and words its refusals.
func (s *Server) serve(m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// Holds until the whole body was read, and so for what net/http reads of a body
			// that nobody wanted. This fails only on a connection that is gone.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyTime))
		}
		do, ok := m[r.Method]
		switch {
		case m == nil:
			s.refuse(w, r, refuse(http.StatusNotFound, CodeNotFound, "docs/control.md lists the paths", "no such path: %s", r.URL.Path))
			return
		case !ok:
			for method := range m {
				w.Header().Add("Allow", method)
			}
			s.refuse(w, r, refuse(http.StatusMethodNotAllowed, CodeBadMethod, "", "%s does not answer to %s", r.URL.Path, r.Method))
			return
		}
		if err := do(w, r); err != nil {
			s.refuse(w, r, refusal(err))
		}
	})
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.Status >= http.StatusInternalServerError {
		s.log.Warn("control: request failed", "method", r.Method, "path", r.URL.Path, "error", e.Message)
	}
	w.Header().Set("Connection", "close") // the rest of a body may be in the way
	s.answer(w, e.Status, struct {
		Error *Error `json:"error"`
	}{e})
}

// answer sends one JSON value, to a peer that has answerTime to read it.
func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.log.Error("control: encode answer", "error", err)
		http.Error(w, `{"error":{"code":"internal","message":"the answer can't be encoded","hint":""}}`, http.StatusInternalServerError)
		return
	}
	s.answerBytes(w, status, "application/json", append(body, '\n'))
}

func (s *Server) answerBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	// On the connections of an http.Server this can't fail but by a connection that is gone.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.answerTime))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("control: peer did not take its answer", "error", err)
	}
}
