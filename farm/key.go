package farm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// Key is the key pair of a member: Ed25519, in the form of NATS. The member connects with it and signs
// what it says.
type Key struct{ pair nkeys.KeyPair }

// NewKey returns a new key.
func NewKey() (Key, error) {
	pair, err := nkeys.CreateUser()
	return Key{pair}, err
}

// KeyOf returns the key with a seed.
func KeyOf(seed string) (Key, error) {
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return Key{}, fmt.Errorf("read the key of this machine: %w", err)
	}
	return Key{pair}, nil
}

// Seed returns what is secret of the key.
func (k Key) Seed() string {
	seed, err := k.pair.Seed()
	if err != nil {
		panic(err) // a key of this type has a seed
	}
	return string(seed)
}

// Public returns what others know the key by.
func (k Key) Public() string {
	public, err := k.pair.PublicKey()
	if err != nil {
		panic(err) // a key of this type has a public part
	}
	return public
}

// Fingerprint returns the short form of a public key by which people compare it.
func Fingerprint(public string) string { return fingerprintOf([]byte(public)) }

func fingerprintOf(what []byte) string {
	sum := sha256.Sum256(what)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// signed is something with the signature of its key. What was signed is the text, byte for byte.
type signed struct {
	Text      []byte `json:"text"`
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// sign returns the JSON form of a value with a signature. The purpose is part of what is signed, so that
// a signature for one purpose is none for another.
func (k Key) sign(purpose string, value any) (signed, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return signed{}, err
	}
	signature, err := k.pair.Sign(toSign(purpose, text))
	return signed{Text: text, Key: k.Public(), Signature: signature}, err
}

// open checks the signature and reads the value. It fails with [ErrRefused].
func (s signed) open(purpose string, value any) error {
	if !nkeys.IsValidPublicUserKey(s.Key) {
		return fmt.Errorf("%w: it is not signed", ErrRefused)
	}
	public, err := nkeys.FromPublicKey(s.Key)
	if err != nil {
		return fmt.Errorf("%w: it is not signed: %w", ErrRefused, err)
	}
	if err := public.Verify(toSign(purpose, s.Text), s.Signature); err != nil {
		return fmt.Errorf("%w: its signature is not that of its key", ErrRefused)
	}
	if err := json.Unmarshal(s.Text, value); err != nil {
		return fmt.Errorf("%w: what is signed can't be read: %w", ErrRefused, err)
	}
	return nil
}

func toSign(purpose string, text []byte) []byte {
	return append([]byte("blendtray farm "+purpose+"\n"), text...)
}

// Card says which member a key belongs to and what the member may do. An administrator signs it.
type Card struct {
	Key   string `json:"key"`
	Name  string `json:"name"`
	Roles []Role `json:"roles"`
	// Invitation is the id of the invitation that the card is for: its holder may ask to be admitted, and
	// nothing else. It is "" for a member.
	Invitation string    `json:"invitation,omitempty"`
	At         time.Time `json:"at"`
	// Until is when the card ends; the zero time is never.
	Until time.Time `json:"until,omitzero"`
}

// Has reports whether the card allows what a role may do.
func (c Card) Has(role Role) bool { return slices.Contains(c.Roles, role) }

// NewCard returns a card that this key, which is an administrator's, has signed.
func (k Key) NewCard(c Card) (string, error) {
	c.At = time.Now().UTC().Round(time.Second)
	s, err := k.sign("card", c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.Text) + "." + base64.RawURLEncoding.EncodeToString(s.Signature), nil
}

// OpenCard reads a card. It fails with [ErrRefused] unless the administrator with that public key has
// signed the card, and the card holds now.
func OpenCard(text, administrator string) (Card, error) {
	var c Card
	what, signature, _ := strings.Cut(text, ".")
	s := signed{Key: administrator}
	var err1, err2 error
	s.Text, err1 = base64.RawURLEncoding.DecodeString(what)
	s.Signature, err2 = base64.RawURLEncoding.DecodeString(signature)
	if err1 != nil || err2 != nil {
		return c, fmt.Errorf("%w: the card can't be read", ErrRefused)
	}
	if err := s.open("card", &c); err != nil {
		return c, fmt.Errorf("%w (the card must be signed by the administrator of this farm)", err)
	}
	if !c.Until.IsZero() && time.Now().After(c.Until) {
		return c, fmt.Errorf("%w: the card of %s ended at %s", ErrRefused, c.Name, c.Until.Format(time.RFC3339))
	}
	return c, nil
}

// envelope is what a member says, with the member's card.
type envelope struct {
	signed
	Card string `json:"card"`
}

// seal returns the JSON form of what a member says, signed.
func (m *Membership) seal(purpose string, value any) ([]byte, error) {
	key, err := KeyOf(m.Seed)
	if err != nil {
		return nil, err
	}
	s, err := key.sign(purpose, value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{s, m.Card})
}

// unseal reads what a member has said. It fails with [ErrRefused] unless a member with the role has
// signed it. It returns the card of that member.
func (m *Membership) unseal(data []byte, purpose string, role Role, value any) (Card, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return Card{}, fmt.Errorf("%w: it is not signed: %w", ErrRefused, err)
	}
	card, err := OpenCard(e.Card, m.Administrator)
	switch {
	case err != nil:
		return card, err
	case card.Key != e.Key:
		return card, fmt.Errorf("%w: it is not signed with the key of its card", ErrRefused)
	case card.Invitation != "" || !card.Has(role):
		return card, fmt.Errorf("%w: %s may not %s", ErrRefused, card.Name, role)
	}
	return card, e.open(purpose, value)
}

// unsealJob opens a signed job. It fails as unseal does, and for a job that says that another member has
// submitted it.
func (m *Membership) unsealJob(data []byte, job *Job) error {
	card, err := m.unseal(data, "job", RoleSubmit, job)
	if err == nil && job.By != card.Name {
		err = fmt.Errorf("%w: it is signed by %s and says that it is by %s", ErrRefused, card.Name, job.By)
	}
	return err
}

// checkMemberName fails when a name can't be the name of a machine.
func checkMemberName(name string) error {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return fmt.Errorf("the name %q of a machine has other signs than letters, digits, dots, - and _", name)
	}
	return nil
}
