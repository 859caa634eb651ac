package mcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/net/netutil"
)

// Path is the path below which agents are answered over HTTP.
const Path = "/mcp"

// These bound what a program may cost that has not shown the token, and how long a request may take to
// arrive.
const (
	headerTime  = 10 * time.Second
	bodyTime    = 30 * time.Second
	maxHeader   = 64 << 10
	goodbyeTime = 3 * time.Second
	// idleTime is how long a connection is kept on which nothing is asked, and maxConnections how many
	// there may be.
	idleTime       = 2 * time.Minute
	maxConnections = 1024
)

// Listen listens on an address of this machine's own, such as "127.0.0.1:8123". It fails for other
// addresses: whoever has the token can run code as the user.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no address such as 127.0.0.1:8123", address)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("%s is no address of this machine's own: only 127.0.0.1, [::1] and localhost are", host)
	}
	return net.Listen("tcp", address)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ServeHTTP answers agents over HTTP on a listener until ctx ends, and closes the listener. It returns nil
// then. Runs go on that agents have begun. token returns the token that holds at the moment of a request,
// or "" where there is none.
func (s *Server) ServeHTTP(ctx context.Context, l net.Listener, token func() string) error {
	defer s.report(ctx)()
	server := &http.Server{
		Handler: s.Handler(token), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// The requests end with ctx, and their answers are written meanwhile.
	bye, stop := context.WithTimeout(context.Background(), goodbyeTime)
	defer stop()
	if err := server.Shutdown(bye); err != nil {
		server.Close() // an agent that does not read its answer
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler returns what answers agents over HTTP that show the token. It keeps no state between requests.
func (s *Server) Handler(token func() string) http.Handler {
	protocol := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s.sdk }, &sdk.StreamableHTTPOptions{
		Stateless: true, MaxRequestBodyBytes: maxMessage, Logger: s.options.Logger,
	})
	mux := http.NewServeMux()
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		// The whole body comes first, within the time that guarded has set. What is read later is only whether
		// the agent is there.
		deadline := http.NewResponseController(w)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
		var over *http.MaxBytesError
		switch {
		case errors.As(err, &over):
			http.Error(w, fmt.Sprintf("the request is over %d MiB", maxMessage>>20), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "the request did not arrive whole", http.StatusBadRequest)
			return
		}
		_ = deadline.SetReadDeadline(time.Time{})
		if json.Valid(body) { // the library says what is wrong with the rest
			if refused := checkMessage(body); refused != nil {
				answerRefused(w, body, refused)
				return
			}
		}
		r = r.WithContext(withCarrier(r.Context(), r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		protocol.ServeHTTP(w, r)
	})
	return guarded(token, http.NewCrossOriginProtection().Handler(mux))
}

// answerRefused answers a message that is not passed on.
func answerRefused(w http.ResponseWriter, message []byte, refused *jsonrpc.Error) {
	text, err := refusalOf(message, refused)
	if err != nil {
		http.Error(w, refused.Message, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(text) // fails where the agent is gone
}

// guarded passes on what an agent of the user sends, and refuses the rest: requests that a page in a
// browser has sent, by their Host and Origin, and those without the token. Whoever is refused has to
// connect anew, and to send a whole request within a time.
func guarded(token func() string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // fails on a connection that is gone
		refuse := func(why string, code int) {
			w.Header().Set("Connection", "close")
			http.Error(w, why, code)
		}
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !loopback(strings.Trim(host, "[]")) {
			refuse("the Host of the request is none of this machine's own", http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !strings.EqualFold(strings.TrimPrefix(origin, "http://"), r.Host) {
			refuse("pages of others are not answered", http.StatusForbidden)
			return
		}
		kind, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		// Hashes have one length, so the time of the comparison says nothing.
		wants := token()
		got, wanted := sha256.Sum256([]byte(strings.TrimSpace(shown))), sha256.Sum256([]byte(wants))
		if wants == "" || !strings.EqualFold(kind, "Bearer") || subtle.ConstantTimeCompare(got[:], wanted[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse("the token is missing or wrong; `blendtray mcp token` prints it", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
