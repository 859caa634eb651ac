package farm

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// A NATS server of somebody's own knows no cards. It knows passes, which are the JWTs of NATS: who has a card has
// a pass, too, which says the same to such a server. The administrator signs passes with keys that are made from
// the administrator's key, one for each set of roles, and the configuration of the server says what each of these
// keys allows. So the server needs no list of members, and a new version of this program that needs other
// subjects needs a new configuration and no new passes.

// The keys that are made from the key of an administrator. The names are part of the keys: they never change.
const (
	keyOperator   = "operator"
	keyAccount    = "account"
	keySystem     = "system account"
	keyInvitation = "invitations"
	keyRoles      = "roles " // and the roles, in the order of [Roles]
)

// tagInvitation is the tag of a pass that has the id of the invitation.
const tagInvitation = "invitation"

// derived returns a key for NATS that is made from this key, with a purpose.
func (k Key) derived(prefix nkeys.PrefixByte, purpose string) (nkeys.KeyPair, error) {
	_, seed, err := nkeys.DecodeSeed([]byte(k.Seed()))
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte("blendtray farm nats " + purpose))
	return nkeys.FromRawSeed(prefix, mac.Sum(nil))
}

// signerOf returns the purpose of the key that signs the pass for a card.
func signerOf(c Card) string {
	if c.Invitation != "" {
		return keyInvitation
	}
	var roles []string
	for _, role := range Roles() {
		if c.Has(role) {
			roles = append(roles, string(role))
		}
	}
	return keyRoles + strings.Join(roles, ",")
}

// NewPass returns the pass that says to a NATS server of somebody's own what a card says: whose key it is, the roles,
// and the end. The key must be the administrator's, with which the configuration of that server was made.
func (k Key) NewPass(c Card) (string, error) {
	account, err := k.publicOf(keyAccount)
	if err != nil {
		return "", err
	}
	signer, err := k.derived(nkeys.PrefixByteAccount, signerOf(c))
	if err != nil {
		return "", err
	}
	claims := jwt.NewUserClaims(c.Key)
	claims.Name, claims.IssuerAccount = c.Name, account
	claims.SetScoped(true) // the configuration says what the signer allows
	if !c.Until.IsZero() {
		claims.Expires = c.Until.Unix()
	}
	if c.Invitation != "" {
		claims.Tags.Add(tagInvitation + ":" + c.Invitation)
	}
	return claims.Encode(signer)
}

func (k Key) publicOf(purpose string) (string, error) {
	pair, err := k.derived(nkeys.PrefixByteAccount, purpose)
	if err != nil {
		return "", err
	}
	return pair.PublicKey()
}

// scopes returns what the keys allow that sign passes.
func (k Key) scopes() ([]*jwt.UserScope, error) {
	// The server puts the holder's own in the places of these.
	const holder, invitation = "{{subject()}}", "{{tag(" + tagInvitation + ")}}"
	cards := []Card{{Key: holder, Invitation: invitation}}
	for set := 1; set < 1<<len(Roles()); set++ {
		c := Card{Key: holder}
		for i, role := range Roles() {
			if set&(1<<i) != 0 {
				c.Roles = append(c.Roles, role)
			}
		}
		cards = append(cards, c)
	}
	var all []*jwt.UserScope
	for _, c := range cards {
		scope, allowed := jwt.NewUserScope(), PermissionsOf(c)
		var err error
		if scope.Key, err = k.publicOf(signerOf(c)); err != nil {
			return nil, err
		}
		scope.Role = signerOf(c)
		scope.Template.Permissions.Pub.Allow = slices.Clone(allowed.Publish)
		scope.Template.Permissions.Sub.Allow = slices.Clone(allowed.Subscribe)
		all = append(all, scope)
	}
	return all, nil
}

// accounts are what a NATS server needs to know to read passes.
type accounts struct {
	operator          string // the key that vouches for both accounts
	farm, farmJWT     string
	system, systemJWT string
}

// accounts returns the accounts of a NATS server of the farm, which lets in no more who has been removed. The system
// account has no users.
func (k Key) accounts(removed []string) (a accounts, err error) {
	operator, err := k.derived(nkeys.PrefixByteOperator, keyOperator)
	if err != nil {
		return a, err
	}
	// The server takes the key without a JWT, which would be another each time: NATS does not take another operator
	// when it reads its configuration again.
	if a.operator, err = operator.PublicKey(); err != nil {
		return a, err
	}
	if a.system, err = k.publicOf(keySystem); err != nil {
		return a, err
	}
	if a.farm, err = k.publicOf(keyAccount); err != nil {
		return a, err
	}
	system := jwt.NewAccountClaims(a.system)
	system.Name = "system"
	if a.systemJWT, err = system.Encode(operator); err != nil {
		return a, fmt.Errorf("sign the system account: %w", err)
	}
	account := jwt.NewAccountClaims(a.farm)
	account.Name = "blendtray"
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	scopes, err := k.scopes()
	if err != nil {
		return a, err
	}
	for _, scope := range scopes {
		account.SigningKeys.AddScopedSigner(scope)
	}
	for _, key := range removed {
		account.Revoke(key)
	}
	if a.farmJWT, err = account.Encode(operator); err != nil {
		return a, fmt.Errorf("sign the account: %w", err)
	}
	return a, nil
}
