//go:build !nofarmserver

package farm_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsserver "github.com/nats-io/nats-server/v2/server"

	"blendtray/farm"
	"blendtray/farm/server"
)

// plainServer is a NATS server that knows nothing of Blendtray but the configuration that it reads.
type plainServer struct {
	*natsserver.Server
	config string // the path
	pin    string
}

func (s *plainServer) Port() int   { return s.Addr().(*net.TCPAddr).Port }
func (s *plainServer) Pin() string { return s.pin }
func (s *plainServer) Stop()       { s.Shutdown(); s.WaitForShutdown() }

// writePlain writes the configuration of a NATS server into a folder, and returns its path.
func writePlain(t *testing.T, administrator farm.Key, dir, listen string, removed ...string) (config, pin string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(dir, "tls.pem")
	cert, err := server.Certificate(pem)
	if err != nil {
		t.Fatal(err)
	}
	text, err := farm.WriteServerConfig(administrator, farm.ServerConfig{Listen: listen, StoreDir: dir, Cert: pem, Key: pem, Removed: removed})
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, farm.PinOf(cert.Leaf)
}

func startPlain(t *testing.T, administrator farm.Key, dir, listen string) *plainServer {
	t.Helper()
	config, pin := writePlain(t, administrator, dir, listen)
	options, err := natsserver.ProcessConfigFile(config)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs = true
	s, err := natsserver.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) || !s.JetStreamEnabled() {
		t.Fatal("the NATS server does not start")
	}
	return &plainServer{s, config, pin}
}

func passOf(t *testing.T, administrator farm.Key, c farm.Card) string {
	t.Helper()
	pass, err := administrator.NewPass(c)
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

func TestAPlainServerTakesOnlyWhoHasAPass(t *testing.T) {
	t.Parallel()
	h := newHallOn(t, true)
	own, err := farm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	desk := h.member("desk", farm.RoleSubmit)
	card, err := desk.OpenCard()
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*farm.Membership)) *farm.Membership {
		m := *desk
		change(&m)
		return &m
	}
	// A pass that a member has made for itself, with its own key in the place of the administrator's.
	claims, err := jwt.DecodeUserClaims(desk.Pass)
	if err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]*farm.Membership{
		"no pass":               with(func(m *farm.Membership) { m.Pass = "" }),
		"nonsense":              with(func(m *farm.Membership) { m.Pass = "a.b.c" }),
		"a changed pass":        with(func(m *farm.Membership) { m.Pass = m.Pass[:len(m.Pass)-8] + "AAAAAAAA" }),
		"another administrator": with(func(m *farm.Membership) { m.Pass = passOf(t, own, card) }),
		"the pass of another":   with(func(m *farm.Membership) { m.Pass = h.member("other", farm.RoleSubmit).Pass }),
		"a pass without its key": with(func(m *farm.Membership) {
			other := h.member("other", farm.RoleSubmit)
			m.Seed, m.Card = other.Seed, other.Card
		}),
		"a pass that has ended": with(func(m *farm.Membership) {
			ended := card
			ended.Until = time.Now().Add(-time.Minute)
			m.Pass = passOf(t, h.administrator, ended)
		}),
		"no roles": with(func(m *farm.Membership) {
			m.Pass = passOf(t, h.administrator, farm.Card{Key: card.Key, Name: "desk"})
		}),
	} {
		c, err := farm.Dial(t.Context(), m, farm.DialOptions{})
		if !errors.Is(err, farm.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil {
			c.Close()
		}
	}
	if !claims.HasEmptyPermissions() {
		t.Error("a pass says itself what its holder may do")
	}
	if pin, err := farm.PinAt(t.Context(), "tls://"+h.listen); err != nil || pin != h.server.Pin() {
		t.Errorf("the pin is %s and not %s: %v", pin, h.server.Pin(), err)
	}
}

// A server that reads its configuration again, as after an upgrade of Blendtray, keeps its members and their jobs, but
// for those that the administrator has removed.
func TestAPlainServerReadsItsConfigurationAgain(t *testing.T) {
	t.Parallel()
	h := newHallOn(t, true)
	m, desk := h.machine("a", works), h.dial("desk", farm.RoleSubmit)
	lost := h.member("lost", farm.RoleSubmit)
	var told atomic.Int32
	connected, err := farm.Dial(t.Context(), lost, farm.DialOptions{Refused: func(error) { told.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connected.Close)
	running := submit(t, desk, script("wait"))
	eventually(t, "the job is running", func() bool { return m.timesBegun("wait") == 1 })
	plain, ok := h.server.(*plainServer)
	if !ok {
		t.Fatal("it is another server")
	}
	before, err := os.ReadFile(plain.config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the configuration has another time in it", func() bool {
		writePlain(t, h.administrator, filepath.Dir(plain.config), h.listen, connected.Card.Key)
		after, err := os.ReadFile(plain.config)
		return err == nil && !bytes.Equal(after, before)
	})
	if err := plain.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "who is removed is cut off", func() bool { return !connected.Connected() })
	connections := func() uint64 {
		v, err := plain.Varz(nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.TotalConnections
	}
	first := connections()
	eventually(t, "who is removed has asked again and again", func() bool { return connections() >= first+4 })
	if n := told.Load(); n != 1 {
		t.Errorf("who is removed hears of it %d times", n)
	}
	if _, err := farm.Dial(t.Context(), lost, farm.DialOptions{}); !errors.Is(err, farm.ErrRefused) {
		t.Errorf("who is removed gets in: %v", err)
	}
	m.end("succeeded")
	if r := resultOf(t, desk, running); r.State != farm.StateSucceeded {
		t.Errorf("%+v", r)
	}
	if r := resultOf(t, h.dial("new", farm.RoleSubmit), running); r.State != farm.StateSucceeded {
		t.Errorf("%+v", r)
	}
}

func TestTheNameOfAMemberThatWasRemovedIsFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	members, removed := filepath.Join(dir, "members.json"), filepath.Join(dir, "removed.json")
	if keys, err := farm.RemovedMembers(removed); err != nil || len(keys) != 0 {
		t.Errorf("before: %v %v", keys, err)
	}
	for _, key := range []string{"UA", "UB"} {
		if err := os.WriteFile(members, []byte(`{"one": "`+key+`", "two": "UC"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := farm.RemoveMember(members, removed, "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := farm.RemoveMember(members, removed, "one"); err == nil {
		t.Error("a member is removed twice")
	}
	if keys, err := farm.RemovedMembers(removed); err != nil || !slices.Equal(keys, []string{"UA", "UB"}) {
		t.Errorf("%v %v", keys, err)
	}
	if text, err := os.ReadFile(members); err != nil || strings.Contains(string(text), "one") || !strings.Contains(string(text), "UC") {
		t.Errorf("%s %v", text, err)
	}
}
