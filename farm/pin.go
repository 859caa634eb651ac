package farm

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// errSeen ends a connection that was only to see the certificate.
var errSeen = errors.New("the certificate was seen")

// PinAt returns the pin of the certificate that the server at an address shows. It says nothing to the server about
// this machine. It fails when no server answers with TLS 1.3 before ctx ends.
func PinAt(ctx context.Context, url string) (string, error) {
	pin := make(chan string, 1)
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // a person compares the pin
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) > 0 {
				select {
				case pin <- PinOf(state.PeerCertificates[0]):
				default:
				}
			}
			return errSeen
		},
	}
	timeout := 5 * time.Second
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	nc, err := nats.Connect(url, nats.Secure(config), nats.Timeout(timeout), nats.NoReconnect())
	if err == nil {
		nc.Close() // it never is: the function refuses each certificate
	}
	select {
	case found := <-pin:
		return found, nil
	default:
		return "", fmt.Errorf("connect to the NATS server on %s: %w", url, errors.Join(err, ctx.Err()))
	}
}

// ReadPin reads a pin as people see it, with SHA256: before it or without. It fails for what is no pin.
func ReadPin(text string) (string, error) {
	pin := strings.TrimPrefix(strings.TrimSpace(text), "SHA256:")
	if raw, err := base64.RawURLEncoding.DecodeString(pin); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%q is not the SHA-256 of the key of a server", text)
	}
	return pin, nil
}
