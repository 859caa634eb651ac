package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

// These limits bound what a peer may send and how long a peer may take. Peers are programs of
// the same user, so the limits guard against mistakes and stuck processes rather than attacks.
const (
	// maxBody has room for a script of [api.MaxCode] bytes as base64, which makes 43 MiB of it,
	// and for the other fields.
	maxBody    = 48 << 20
	maxHeader  = 64 << 10
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// bodyTime limits a whole body, answerTime a whole answer that is not a stream.
	bodyTime   = 30 * time.Second
	answerTime = 30 * time.Second
	// endTime is how long open requests may take when the server ends.
	endTime = 3 * time.Second
	// beatTime is how often a quiet stream shows that it is alive.
	beatTime = 15 * time.Second
)

// Config holds what [NewServer] needs for a [Server].
type Config struct {
	// Engine does what clients ask for.
	Engine Engine
	// Listener comes from [Listen]. The server closes it.
	Listener net.Listener
	// Shutdown is called once, when a client asks the engine to end. It must not wait for the
	// server to end. With nil the server refuses such a request.
	Shutdown func()
	// Settings owns the settings of the engine. With nil the server refuses requests about
	// settings.
	Settings Settings
	// Farm returns what is known of the farm that this machine has joined, with the n newest groups of
	// jobs. With nil the machine has joined none.
	Farm func(ctx context.Context, n int) api.Farm
	// SpoolDir is the folder where output waits for slow clients; "" means the temporary folder.
	SpoolDir string
	// Logger may be nil.
	Logger *slog.Logger
}

// Server answers the clients of an engine.
type Server struct {
	engine   Engine
	listener net.Listener
	shutdown func()
	settings Settings
	farm     func(ctx context.Context, n int) api.Farm
	spoolDir string
	soon     soon
	log      *slog.Logger
	http     *http.Server

	// fresh are the connections on which nothing was asked yet. Clients make some that they then do not
	// need, and to end the server would wait for them.
	fresh struct {
		sync.Mutex
		conns map[net.Conn]bool
		ended bool
	}

	// These are the limits above, which tests make smaller.
	bodyTime, answerTime, beatTime, endTime time.Duration
	maxBody, maxCode                        int64
}

// NewServer returns a server that [Server.Serve] starts.
func NewServer(c Config) *Server {
	s := &Server{
		engine:   c.Engine,
		settings: c.Settings,
		farm:     c.Farm,
		listener: c.Listener,
		spoolDir: c.SpoolDir,
		soon:     soon{after: soonAfter},
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
		// OPTIONS * is answered as an unknown path.
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peerName(c))
		},
		ErrorLog:  slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: s.noteState,
	}
	s.fresh.conns = map[net.Conn]bool{}
	return s
}

// noteState notes the state of a connection.
func (s *Server) noteState(c net.Conn, state http.ConnState) {
	s.fresh.Lock()
	defer s.fresh.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.fresh.conns, c)
	case s.fresh.ended:
		_ = c.Close() // nothing was asked on it
	default:
		s.fresh.conns[c] = true
	}
}

// closeFresh closes the connections on which nothing was asked.
func (s *Server) closeFresh() {
	s.fresh.Lock()
	defer s.fresh.Unlock()
	s.fresh.ended = true
	for c := range s.fresh.conns {
		_ = c.Close() // nothing is lost
	}
}

// peerKey is the key of what peerName returned for the connection of a request.
type peerKey struct{}

// Serve answers requests until ctx ends, and closes the listener. The engine should end before
// the server, so that clients hear of the end of their runs: streams end with the engine, and
// requests that are still open after endTime are cut off. Serve returns nil when ctx has ended,
// and the listener's error otherwise.
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
	s.closeFresh()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.endTime)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		cut()
		s.http.Close() // returns the error of the listener, which Shutdown closed already
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler answers a request, or returns the reason why not.
type handler func(w http.ResponseWriter, r *http.Request) error

// methods holds the handlers of a path by HTTP method.
type methods map[string]handler

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for at, m := range map[string]methods{
		"/status":                          {http.MethodGet: s.getStatus},
		"/runs":                            {http.MethodGet: s.getRuns, http.MethodPost: s.postRun, http.MethodDelete: s.deleteRuns},
		"/scripts":                         {http.MethodGet: s.getScripts},
		"/runs/{id}":                       {http.MethodGet: s.getRun, http.MethodDelete: s.deleteRun},
		"/queue":                           {http.MethodGet: s.getQueue},
		"/queue/cancel":                    {http.MethodPost: s.postCancelQueue},
		"/usage":                           {http.MethodGet: s.getUsage},
		"/farm":                            {http.MethodGet: s.getFarm},
		"/runs/{id}/first":                 {http.MethodPost: s.postFirst},
		"/runs/{id}/pin":                   {http.MethodPost: s.pins(true)},
		"/runs/{id}/unpin":                 {http.MethodPost: s.pins(false)},
		"/runs/{id}/code":                  {http.MethodGet: s.getCode},
		"/runs/{id}/changes":               {http.MethodGet: s.getChanges},
		"/runs/{id}/output":                {http.MethodGet: s.getOutput},
		"/runs/{id}/preview":               {http.MethodGet: s.getPreview},
		"/runs/{id}/scene":                 {http.MethodPost: s.postScene},
		"/runs/{id}/scene/preview":         {http.MethodPost: s.postPreview},
		"/scene/preview":                   {http.MethodPost: s.postPreview},
		"/scene":                           {http.MethodPost: s.postScene},
		"/runs/{id}/cancel":                {http.MethodPost: s.postCancel},
		"/runs/{id}/retry":                 {http.MethodPost: s.postRetry},
		"/blender/start":                   {http.MethodPost: s.blenderDoes(s.engine.StartBlender)},
		"/blender/stop":                    {http.MethodPost: s.blenderDoes(s.engine.StopBlender)},
		"/blender/restart":                 {http.MethodPost: s.blenderDoes(s.engine.RestartBlender)},
		"/sessions":                        {http.MethodGet: s.getSessions},
		"/runs/{id}/outputs/{n}/thumbnail": {http.MethodGet: s.getThumbnail},
		"/sessions/{name}": {
			http.MethodGet:    s.getSession,
			http.MethodDelete: s.deleteSession,
		},
		"/sessions/{name}/save":       {http.MethodPost: s.sessionDoes(api.SessionSave)},
		"/sessions/{name}/open":       {http.MethodPost: s.sessionDoes(api.SessionOpen)},
		"/sessions/{name}/checkpoint": {http.MethodPost: s.sessionDoes(api.SessionCheckpoint)},
		"/sessions/{name}/undo":       {http.MethodPost: s.sessionDoes(api.SessionUndo)},
		"/sessions/{name}/look":       {http.MethodPost: s.sessionDoes(api.SessionLook)},
		"/sessions/{name}/complete":   {http.MethodPost: s.postComplete},
		"/agents":                     {http.MethodGet: s.getAgents},
		"/agents/{id}":                {http.MethodPut: s.putAgent, http.MethodDelete: s.deleteAgent},
		"/watch/stale":                {http.MethodPost: s.postStale},
		"/watch/pause":                {http.MethodPost: s.watching(true)},
		"/watch/resume":               {http.MethodPost: s.watching(false)},
		"/settings":                   {http.MethodGet: s.overSettings(s.getSettings)},
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
		"/api":            {http.MethodGet: s.getAPI},
	} {
		mux.Handle(at, s.serve(at, m))
	}
	unknown := s.serve("/", nil)
	mux.Handle("/", unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "*" || !isClean(r.URL.EscapedPath()) {
			unknown.ServeHTTP(w, r) // the mux would answer with a page that leads to another path
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isClean reports whether a path is as the paths of the interface are: from the root on, without empty parts
// and without "." and "..".
func isClean(p string) bool {
	if p != "/" {
		p = strings.TrimSuffix(p, "/")
	}
	return strings.HasPrefix(p, "/") && path.Clean(p) == p
}

// serve returns a handler that calls the handler for a request's method and sends its error as a
// refusal. path is the pattern of the requests.
func (s *Server) serve(path string, m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// The deadline holds until the whole body is read, and so for the rest of a body
			// that net/http reads when the handler has not. SetReadDeadline fails only on a
			// connection that is gone.
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
		err := checkQuery(r, path)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			s.refuse(w, r, refusal(err))
		}
	})
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.Status >= http.StatusInternalServerError {
		s.log.Warn("control: request failed", "method", r.Method, "path", r.URL.Path, "error", e.Message)
	}
	w.Header().Set("Connection", "close") // the unread rest of a body may be in the way
	s.answer(w, e.Status, struct {
		Error *Error `json:"error"`
	}{e})
}

// answer sends a JSON value to a peer, which has answerTime to read it.
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
	// On the connections of an http.Server SetWriteDeadline fails only when the connection is
	// gone.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.answerTime))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("control: peer did not take its answer", "error", err)
	}
}
