//go:build !nofarmserver

// Package server is a NATS server for a farm whose people have none: JetStream that writes to the disk before
// it says that it has written, TLS with a key of its own, and members that are known by their cards. It knows
// nothing of jobs. The build tag nofarmserver leaves it out.
//
// [Start] starts a server, and [Server.Stop] ends it.
package server

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"blendtray/farm"
)

// Available is true in a program that has a server.
const Available = true

// Config holds what [Start] needs.
type Config struct {
	// Dir is the folder for the streams and the key of TLS, made with mode 0700.
	Dir string
	// Listen is the address, HOST:PORT; the port 0 is any that is free.
	Listen string
	// Administrator is the public key of who signs the cards of members.
	Administrator string
	// MaxStore is how many bytes the streams may take on the disk; 0 is three quarters of what is free.
	MaxStore int64
	Logger   *slog.Logger
}

// Server is a NATS server in this process.
type Server struct {
	inner *server.Server
	pin   string
}

// Start starts a server. It returns when the server takes connections, and fails when it can't.
func Start(c Config) (*Server, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("the address of the server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 0 || number > 65535 {
		return nil, fmt.Errorf("the address of the server: %q is no port", port)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the server: %w", err)
	}
	cert, err := Certificate(filepath.Join(c.Dir, "tls.pem"))
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	inner, err := server.NewServer(&server.Options{
		ServerName: "blendtray", Host: host, Port: number, NoSigs: true, DontListen: false,
		JetStream: true, StoreDir: c.Dir, SyncAlways: true, JetStreamMaxStore: c.MaxStore,
		MaxPayload: farm.MaxPayload, MaxPending: 64 << 20,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, TLSTimeout: 10, AuthTimeout: 15,
		AlwaysEnableNonce: true, CustomClientAuthentication: members{c.Administrator, c.Logger},
		PingInterval: 5 * time.Second, MaxPingsOut: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the server: %w", err)
	}
	inner.SetLogger(logs{c.Logger}, false, false)
	go inner.Start()
	if !inner.ReadyForConnections(30 * time.Second) {
		inner.Shutdown()
		return nil, fmt.Errorf("the server does not listen on %s: another program may have the port", c.Listen)
	}
	if !inner.JetStreamEnabled() {
		inner.Shutdown()
		return nil, fmt.Errorf("the server can't keep its streams in %s", c.Dir)
	}
	return &Server{inner, farm.PinOf(cert.Leaf)}, nil
}

// Port returns the port on which the server listens.
func (s *Server) Port() int { return s.inner.Addr().(*net.TCPAddr).Port }

// Pin returns the pin of the server's certificate, by which members know the server.
func (s *Server) Pin() string { return s.pin }

// Clients returns how many connections the server has.
func (s *Server) Clients() int { return s.inner.NumClients() }

// Stop ends the server and returns when it has ended.
func (s *Server) Stop() {
	s.inner.Shutdown()
	s.inner.WaitForShutdown()
}

// members lets in who has a card of the administrator and the key that the card names.
type members struct {
	administrator string
	log           *slog.Logger
}

// Check reports whether a connection is a member's, and gives it what its roles allow.
func (m members) Check(c server.ClientAuthentication) bool {
	card, err := m.cardOf(c)
	if err != nil {
		m.log.Warn("a connection is refused", "from", c.RemoteAddress(), "error", err)
		return false
	}
	p := farm.PermissionsOf(card)
	c.RegisterUser(&server.User{
		Username: card.Name,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: p.Publish},
			Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
		},
	})
	return true
}

func (m members) cardOf(c server.ClientAuthentication) (farm.Card, error) {
	o := c.GetOpts()
	card, err := farm.OpenCard(o.Token, m.administrator)
	if err != nil {
		return card, err
	}
	if o.Nkey != card.Key {
		return card, errors.New("the card is that of another key")
	}
	signature, err := base64.RawURLEncoding.DecodeString(o.Sig)
	if err != nil {
		return card, err
	}
	key, err := nkeys.FromPublicKey(o.Nkey)
	if err != nil {
		return card, err
	}
	return card, key.Verify(c.GetNonce(), signature)
}

// logs writes what the server says into the log of the program.
type logs struct{ log *slog.Logger }

func say(format string, v []any) string {
	return "nats: " + strings.TrimSpace(fmt.Sprintf(format, v...))
}

func (l logs) Noticef(format string, v ...any) { l.log.Debug(say(format, v)) }
func (l logs) Warnf(format string, v ...any)   { l.log.Warn(say(format, v)) }
func (l logs) Errorf(format string, v ...any)  { l.log.Warn(say(format, v)) }
func (l logs) Fatalf(format string, v ...any)  { l.log.Error(say(format, v)) }
func (l logs) Debugf(format string, v ...any)  { l.log.Debug(say(format, v)) }
func (l logs) Tracef(format string, v ...any)  { l.log.Debug(say(format, v)) }
