package farm

import (
	"fmt"
	"net"
	"strconv"
)

// MaxPayload is how many bytes a message may have: a result with its output, signed, fits.
const MaxPayload = 4 << 20

// ServerConfig says what is to be in the configuration of a NATS server of somebody's own.
type ServerConfig struct {
	// Listen is the address, HOST:PORT; the port 0 is any that is free.
	Listen string
	// StoreDir is the folder of the streams, and Cert and Key are the files of the certificate and its key, as the
	// machine of the server has them. They are absolute: the server reads others from where it was started.
	StoreDir, Cert, Key string
	// Removed are the public keys of members that the server lets in no more.
	Removed []string
}

// configText is the configuration of a NATS server. What stands in quotes was quoted by [strconv.Quote], which NATS
// reads but for rare signs, and then says so.
const configText = `# The NATS server of a farm of Blendtray, for nats-server 2.12 or newer. "blendtray farm config" has written this file.
# There is no secret in it, and no list of members: the administrator's key signs who may do what.

server_name: "blendtray"
listen: %s
tls {
  cert_file: %s
  key_file: %s
  min_version: "1.3"
  timeout: 10
}

# The server writes to the disk before it says that it has written.
jetstream {
  store_dir: %s
  sync_interval: always
}

max_payload: %d
max_pending: 67108864
ping_interval: "5s"
ping_max: 3

# Who may do what: each role has a key in the account, and members have passes that such a key has signed.
trusted_keys: [%s]
system_account: %s
resolver: MEMORY
resolver_preload: {
  # the farm
  %s: %s
  # what the server needs for itself; nobody is in this account
  %s: %s
}
`

// WriteServerConfig returns the configuration of a NATS server of somebody's own for the farm of the administrator
// with that key. A server with this configuration takes who has a pass of this administrator. It fails when the
// address is none.
func WriteServerConfig(administrator Key, c ServerConfig) (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("the address of the server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 0 || number > 65535 {
		return "", fmt.Errorf("the address of the server: %q is no port", port)
	}
	if number == 0 {
		port = "-1" // so NATS names a port that is free
	}
	a, err := administrator.accounts(c.Removed)
	if err != nil {
		return "", err
	}
	q := strconv.Quote
	return fmt.Sprintf(configText, q(net.JoinHostPort(host, port)), q(c.Cert), q(c.Key), q(c.StoreDir), MaxPayload,
		q(a.operator), q(a.system), a.farm, q(a.farmJWT), a.system, q(a.systemJWT)), nil
}
