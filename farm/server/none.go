//go:build nofarmserver

// Package server is left out of this program, by the build tag nofarmserver.
package server

import (
	"errors"
	"log/slog"
)

// Available is true in a program that has a server.
const Available = false

// Config holds what [Start] needs.
type Config struct {
	Dir, Listen, Administrator string
	MaxStore                   int64
	Logger                     *slog.Logger
}

// Server is a NATS server in this process.
type Server struct{}

// Start fails: this program has no server.
func Start(Config) (*Server, error) {
	return nil, errors.New("this program was built without a server; use the NATS server of your network, or a program with a server")
}

// Port returns 0.
func (*Server) Port() int { return 0 }

// Pin returns "".
func (*Server) Pin() string { return "" }

// Clients returns 0.
func (*Server) Clients() int { return 0 }

// Stop does nothing.
func (*Server) Stop() {}
