package farm

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Membership is what makes a machine a member of a farm. The file with it is for the user alone.
type Membership struct {
	// URL is the address of the NATS server, or several with commas between them.
	URL string `json:"url"`
	// Pin is the SHA-256 of the key of the server's certificate, in base64, or "" for a server whose
	// certificate the system trusts, and for one without TLS.
	Pin string `json:"pin"`
	// Administrator is the public key of who says what members may do.
	Administrator string `json:"administrator"`
	// Name is the name of this machine, Seed its secret key, and Card its card.
	Name string `json:"name"`
	Seed string `json:"seed"`
	Card string `json:"card"`
	// Pass says to the server what the card says, where the server is a NATS server of somebody's own, which knows
	// no cards.
	Pass string `json:"pass,omitempty"`
}

// ReadMembership reads the file of a membership. It fails with [ErrNotMember] when there is none.
func ReadMembership(path string) (*Membership, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotMember
	}
	m := &Membership{}
	if err == nil {
		err = json.Unmarshal(text, m)
	}
	if err != nil {
		return nil, fmt.Errorf("read the membership of the farm: %w", err)
	}
	return m, nil
}

// Write writes the file of a membership, for the user alone.
func (m *Membership) Write(path string) error { return writeSecret(path, m) }

// writeSecret writes a JSON file that only the user can read, as a whole.
func writeSecret(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // it is gone unless something failed
	_, err = temp.Write(append(text, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// OpenCard returns the card of this member. It fails when the card does not hold.
func (m *Membership) OpenCard() (Card, error) { return OpenCard(m.Card, m.Administrator) }

// PinOf returns the pin of a certificate.
func PinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// pinned returns a configuration of TLS that trusts the certificate with a pin and no other.
func pinned(pin string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // the pin is compared instead of a name
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || PinOf(state.PeerCertificates[0]) != pin {
				return fmt.Errorf("%w: the server is another than the one that this machine has joined", ErrRefused)
			}
			return nil
		},
	}
}

// Client is the connection of a member to its farm. Any goroutine may call its methods.
type Client struct {
	Member *Membership
	Card   Card

	nc        *nats.Conn
	js        jetstream.JetStream
	connected chan struct{} // gets a value after each new connection
	named     sync.Map      // the classes that the farm knows
}

// DialOptions are what a connection may need.
type DialOptions struct {
	// Patient has Dial return at once and connect when a server answers.
	Patient bool
	// Refused is told what the server does not allow, and each thing once while the connection lasts. It may be nil.
	Refused func(error)
}

// Dial connects a member to its farm. It fails when no server answers, or the server does not take the member.
func Dial(ctx context.Context, m *Membership, o DialOptions) (*Client, error) {
	card, err := m.OpenCard()
	if err != nil {
		return nil, err
	}
	c := &Client{Member: m, Card: card, connected: make(chan struct{}, 1)}
	told := refusals{tell: o.Refused, said: map[string]bool{}}
	options := []nats.Option{
		nats.RetryOnFailedConnect(o.Patient),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { told.add(err) }),
	}
	noteConnected := func(*nats.Conn) {
		told.forget()
		select {
		case c.connected <- struct{}{}:
		default:
		}
	}
	options = append(options, nats.ReconnectHandler(noteConnected), nats.ConnectHandler(noteConnected))
	if c.nc, err = dial(m, options...); err != nil {
		return nil, err
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		c.nc.Close()
		return nil, err
	}
	return c, ctx.Err()
}

// refusals tell what the server does not allow, and the same only once until they forget it: a member that the server
// does not take asks again each second.
type refusals struct {
	tell func(error)
	mu   sync.Mutex
	said map[string]bool
}

func (r *refusals) add(err error) {
	if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAuthExpired) {
		err = fmt.Errorf("%w: %w", ErrRefused, errNotTaken)
	}
	r.mu.Lock()
	known := r.said[err.Error()]
	if len(r.said) < 100 { // the server chooses the texts
		r.said[err.Error()] = true
	}
	r.mu.Unlock()
	if !known && r.tell != nil {
		r.tell(err)
	}
}

func (r *refusals) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.said)
}

// errNotTaken is the error of a member without a card or a pass that the server accepts.
var errNotTaken = errors.New("the server of the farm does not take this machine")

// dial connects with the key and the card of a member.
func dial(m *Membership, more ...nats.Option) (*nats.Conn, error) {
	key, err := KeyOf(m.Seed)
	if err != nil {
		return nil, err
	}
	options := append([]nats.Option{
		nats.Name("blendtray " + m.Name),
		m.proof(key),
		// Others may not listen to what is answered to this member.
		nats.CustomInboxPrefix(inboxOf(key.Public())),
		nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(time.Second, time.Second),
		nats.Timeout(5 * time.Second), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(),
	}, more...)
	if m.Pin != "" {
		options = append(options, nats.Secure(pinned(m.Pin)))
	}
	nc, err := nats.Connect(m.URL, options...)
	if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAuthExpired) {
		return nil, fmt.Errorf("%w: %w", ErrRefused, errNotTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the farm on %s: %w", m.URL, err)
	}
	return nc, nil
}

// proof returns how a member proves to the server who the member is: by the pass where there is a pass, and by the card.
func (m *Membership) proof(key Key) nats.Option {
	if m.Pass != "" {
		return nats.UserJWT(func() (string, error) { return m.Pass, nil }, key.pair.Sign)
	}
	return func(o *nats.Options) error {
		return errors.Join(nats.Nkey(key.Public(), key.pair.Sign)(o), nats.Token(m.Card)(o))
	}
}

func inboxOf(public string) string { return "_INBOX." + public }

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

// Connected reports whether the server answers.
func (c *Client) Connected() bool { return c.nc.IsConnected() }

// JetStream returns the streams of the farm, for packages that keep more there.
func (c *Client) JetStream() jetstream.JetStream { return c.js }

// Invitation is what a machine needs to ask to be admitted: the address and the pin of the server, the
// public key of the administrator, and a key with a card, and a pass where the server needs passes, that are for
// asking alone.
type Invitation struct {
	URL           string `json:"u"`
	Pin           string `json:"p"`
	Administrator string `json:"a"`
	Seed          string `json:"s"`
	Card          string `json:"c"`
	Pass          string `json:"j,omitempty"`
}

// tokenPrefix begins the text of an invitation, with the number of its form.
const tokenPrefix = "bt1."

// String returns the invitation as one word.
func (i Invitation) String() string {
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // it has only texts
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(text)
}

// ReadInvitation reads the text of an invitation. It fails when the text is none, or when it has ended.
func ReadInvitation(text string) (Invitation, Card, error) {
	var i Invitation
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || json.Unmarshal(raw, &i) != nil {
		return i, Card{}, errors.New("this is no invitation to a farm; copy the whole line that `blendtray farm serve` or `farm invite` prints")
	}
	card, err := OpenCard(i.Card, i.Administrator)
	if err == nil && card.Invitation == "" {
		err = fmt.Errorf("%w: it is the card of a member and no invitation", ErrRefused)
	}
	return i, card, err
}

// readMembers reads the file of the names of members with their keys.
func readMembers(path string) (map[string]string, error) {
	members := map[string]string{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return members, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		return nil, fmt.Errorf("read who has joined: %w", err)
	}
	return members, nil
}

// RemoveMember moves a member from the file of the members into the file of those that were removed, so that the name
// is free. It fails when there is no member of that name.
func RemoveMember(members, removed, name string) error {
	in, err := readMembers(members)
	if err != nil {
		return err
	}
	key := in[name]
	if key == "" {
		return fmt.Errorf("nobody has joined with the name %q", name)
	}
	out, err := readMembers(removed)
	if err != nil {
		return err
	}
	out[key] = name // a name may be given and taken back again
	if err := writeSecret(removed, out); err != nil {
		return err
	}
	delete(in, name)
	return writeSecret(members, in)
}

// RemovedMembers returns the public keys of the members that were removed, from the file of [RemoveMember].
func RemovedMembers(removed string) ([]string, error) {
	out, err := readMembers(removed)
	return slices.Sorted(maps.Keys(out)), err
}
