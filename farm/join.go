package farm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// request is what a machine says that asks to be admitted.
type request struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// answer is what the administrator says.
type answer struct {
	Card  string `json:"card"`
	Pass  string `json:"pass,omitempty"`
	Error string `json:"error"`
}

// joinTime is how long an administrator may take to answer a machine that asks to be admitted.
const joinTime = 15 * time.Second

// Join makes this machine a member under a name, by an invitation. It returns the membership, which is not
// written yet. It fails when the administrator does not admit the machine, or nobody answers.
func Join(ctx context.Context, i Invitation, card Card, name string, key Key) (*Membership, error) {
	if err := checkMemberName(name); err != nil {
		return nil, err
	}
	nc, err := dial(&Membership{URL: i.URL, Pin: i.Pin, Administrator: i.Administrator, Name: name, Seed: i.Seed, Card: i.Card, Pass: i.Pass})
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	// The machine proves that it has its key.
	s, err := key.sign("join "+card.Invitation, request{key.Public(), name})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	asking, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	msg, err := nc.RequestWithContext(asking, subjectJoin+"."+card.Invitation, text)
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.New("the administrator of the farm does not answer: the `blendtray farm serve` or `blendtray farm invite` that has printed the line must be running there")
	}
	if err != nil {
		return nil, fmt.Errorf("ask to be admitted: %w", err)
	}
	var a answer
	if err := json.Unmarshal(msg.Data, &a); err != nil {
		return nil, fmt.Errorf("read the answer of the administrator: %w", err)
	}
	if a.Error != "" {
		return nil, fmt.Errorf("%w: %s", ErrRefused, a.Error)
	}
	m := &Membership{URL: i.URL, Pin: i.Pin, Administrator: i.Administrator, Name: name, Seed: key.Seed(), Card: a.Card, Pass: a.Pass}
	own, err := m.OpenCard()
	if err == nil && (own.Key != key.Public() || own.Invitation != "") {
		err = fmt.Errorf("%w: the card is for another machine", ErrRefused)
	}
	return m, err
}

// Admitter admits the machines that an administrator has invited.
type Admitter struct {
	// Administrator is the key of the administrator.
	Administrator Key
	// Members is the file of the names that have been given, so that no two machines have the same.
	Members string
	// Passes is true where the server is a NATS server of somebody's own: members and invitations then have passes.
	Passes bool
	// Admitted is told of each machine that is admitted. It may be nil.
	Admitted func(Card)
	Logger   *slog.Logger

	mu   sync.Mutex
	open map[string]*opened
}

// opened is an invitation that still holds.
type opened struct {
	roles []Role
	until time.Time
	uses  int // how many machines may still join; negative for any number
}

// Invite returns an invitation to a farm, for a time and a number of machines; 0 is any number.
func (a *Admitter) Invite(url, pin string, roles []Role, lasts time.Duration, uses int) (Invitation, error) {
	key, err := NewKey()
	if err != nil {
		return Invitation{}, err
	}
	id, until := newID(), time.Now().Add(lasts).UTC().Round(time.Second)
	card, pass, err := a.sign(Card{Key: key.Public(), Name: "invitation", Invitation: id, Until: until, Roles: roles})
	if err != nil {
		return Invitation{}, err
	}
	if uses == 0 {
		uses = -1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[string]*opened{}
	}
	a.open[id] = &opened{roles, until, uses}
	return Invitation{URL: url, Pin: pin, Administrator: a.Administrator.Public(), Seed: key.Seed(), Card: card, Pass: pass}, nil
}

// sign returns a card that is signed, and the pass that belongs to it where the server needs passes.
func (a *Admitter) sign(c Card) (card, pass string, err error) {
	if card, err = a.Administrator.NewCard(c); err == nil && a.Passes {
		pass, err = a.Administrator.NewPass(c)
	}
	return card, pass, err
}

// Left returns how many machines may still join by the invitations that hold; negative for any number.
func (a *Admitter) Left() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := 0
	for _, o := range a.open {
		if o.uses < 0 {
			return -1
		}
		left += o.uses
	}
	return left
}

// errNotOurs is the error of a request for an invitation that this admitter has not made.
var errNotOurs = errors.New("the invitation is not known here")

// Serve answers machines that ask to be admitted, until ctx ends.
func (a *Admitter) Serve(ctx context.Context, c *Client) error {
	sub, err := c.nc.Subscribe(subjectJoin+".*", func(msg *nats.Msg) {
		var said answer
		card, err := a.admit(msg)
		if errors.Is(err, errNotOurs) {
			return // another process has made the invitation, and answers
		}
		if err != nil {
			said.Error = err.Error()
		} else if said.Card, said.Pass, err = a.sign(card); err != nil {
			said.Error = err.Error()
		}
		text, err := json.Marshal(said)
		if err == nil {
			err = msg.Respond(text)
		}
		if err != nil && a.Logger != nil {
			a.Logger.Warn("a machine that wants to join can't be answered", "error", err)
		}
		if said.Error == "" && a.Admitted != nil {
			a.Admitted(card)
		}
	})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	<-ctx.Done()
	return nil
}

// admit returns the card for a machine that asks, or why it gets none.
func (a *Admitter) admit(msg *nats.Msg) (Card, error) {
	id := msg.Subject[len(subjectJoin)+1:]
	var s signed
	var r request
	if err := json.Unmarshal(msg.Data, &s); err != nil {
		return Card{}, errors.New("the request can't be read")
	}
	if err := s.open("join "+id, &r); err != nil {
		return Card{}, err
	}
	if r.Key != s.Key || !nkeys.IsValidPublicUserKey(r.Key) {
		return Card{}, errors.New("the request is not signed with the key of the machine")
	}
	if err := checkMemberName(r.Name); err != nil {
		return Card{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.open[id]
	if o == nil {
		return Card{}, errNotOurs
	}
	if o.uses == 0 || time.Now().After(o.until) {
		return Card{}, errors.New("the invitation has ended; ask for another one")
	}
	members, err := readMembers(a.Members)
	if err != nil {
		return Card{}, err
	}
	if key := members[r.Name]; key != "" && key != r.Key {
		return Card{}, fmt.Errorf("another machine has the name %q; choose one with --name", r.Name)
	}
	members[r.Name] = r.Key
	if err := writeSecret(a.Members, members); err != nil {
		return Card{}, fmt.Errorf("write down the members: %w", err)
	}
	if o.uses > 0 {
		o.uses--
	}
	return Card{Key: r.Key, Name: r.Name, Roles: o.roles}, nil
}
