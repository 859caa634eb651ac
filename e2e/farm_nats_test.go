//go:build linux

package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"blendtray/farm"
)

// natsServer is a nats-server of somebody's own: the program of NATS, in a process of its own.
type natsServer struct {
	t       *testing.T
	binary  string
	config  string
	cmd     *exec.Cmd
	address string // HOST:PORT, once it has run
	mu      sync.Mutex
	said    bytes.Buffer
}

func (s *natsServer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(b)
}

func (s *natsServer) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// newNATSServer builds nats-server and starts it with a configuration.
func newNATSServer(t *testing.T, config string) *natsServer {
	t.Helper()
	s := &natsServer{t: t, binary: filepath.Join(t.TempDir(), "nats-server"), config: config}
	build := exec.Command("go", "build", "-o", s.binary, "github.com/nats-io/nats-server/v2")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	s.start()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // a test may have killed it
		_ = s.cmd.Wait()
		if t.Failed() {
			t.Logf("nats-server printed:\n%s", s.printed())
		}
	})
	return s
}

// start starts the server, at the port that it had before.
func (s *natsServer) start() {
	s.t.Helper()
	ports := s.t.TempDir()
	args := []string{"-c", s.config, "--ports_file_dir", ports}
	if s.address != "" {
		_, port, err := net.SplitHostPort(s.address)
		if err != nil {
			s.t.Fatal(err)
		}
		args = append(args, "-p", port)
	}
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	(&program{t: s.t}).eventually("nats-server listens", func() bool {
		files, err := filepath.Glob(filepath.Join(ports, "*.ports"))
		if err != nil || len(files) == 0 {
			return false
		}
		text, err := os.ReadFile(files[0])
		var said struct{ NATS []string }
		if err != nil || json.Unmarshal(text, &said) != nil || len(said.NATS) == 0 {
			return false
		}
		at, err := url.Parse(said.NATS[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.address = at.Host
		return true
	})
}

func (s *natsServer) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed
}

// reload has the server read its configuration again, as its manual says.
func (s *natsServer) reload() {
	s.t.Helper()
	before := strings.Count(s.printed(), "Reloaded server configuration")
	if out, err := exec.Command(s.binary, "--signal", fmt.Sprintf("reload=%d", s.cmd.Process.Pid)).CombinedOutput(); err != nil {
		s.t.Fatalf("nats-server --signal reload: %v\n%s", err, out)
	}
	(&program{t: s.t}).eventually("nats-server has read its configuration again", func() bool {
		return strings.Count(s.printed(), "Reloaded server configuration") > before
	})
}

// invited returns a line with which machines join, for as long as the test runs.
func (p *program) invited(flags ...string) (token string) {
	p.t.Helper()
	said := &program{}
	cmd := p.command(append([]string{"farm", "invite"}, flags...)...)
	cmd.Stdout, cmd.Stderr = lockedWriter{said}, lockedWriter{said}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it ends by itself when all have joined
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("farm invite: %v\n%s", err, said.printed())
		}
	})
	p.eventually("the line is printed with which a machine joins", func() bool {
		found := farmLine.FindStringSubmatch(said.printed())
		if found != nil {
			token = found[1]
		}
		return found != nil && strings.Contains(said.printed(), "waiting for the machine")
	})
	return token
}

// configured writes the configuration of a NATS server into a folder, and returns its path and the pin that is printed.
func (p *program) configured(dir string, flags ...string) (config, pin string) {
	p.t.Helper()
	r := p.call(append([]string{"farm", "config", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	found := regexp.MustCompile(`farm setup tls://\S+ --pin (SHA256:\S+)`).FindStringSubmatch(r.stdout)
	if r.code != 0 || found == nil {
		p.t.Fatalf("farm config: %+v", r)
	}
	return filepath.Join(dir, "nats.conf"), found[1]
}

// membership returns the membership of a home.
func (p *program) membership() *farm.Membership {
	p.t.Helper()
	m, err := farm.ReadMembership(filepath.Join(p.home, "farm", "membership.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// mayPublish reports whether the server lets a member publish to a subject.
func (p *program) mayPublish(subject string) bool {
	p.t.Helper()
	c, err := farm.Dial(p.t.Context(), p.membership(), farm.DialOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	nc := c.JetStream().Conn()
	nc.SetErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}) // LastError has it
	if err := nc.Publish(subject, []byte("{}")); err != nil {
		p.t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		p.t.Fatal(err)
	}
	return nc.LastError() == nil
}

func TestAFarmLivesOnANATSServerOfSomebodysOwn(t *testing.T) {
	t.Parallel()
	boss := newProgram(t, "")
	dir := filepath.Join(t.TempDir(), "the farm")
	config, pin := boss.configured(dir)
	server := newNATSServer(t, config)
	if r := boss.call("farm", "setup", server.address, "--name", "boss"); r.code == 0 || !strings.Contains(r.stderr, pin) || !strings.Contains(r.stderr, "there is no terminal") {
		t.Errorf("it trusts a server without asking: %+v", r)
	}
	if r := boss.call("farm", "setup", server.address, "--name", "boss", "--pin", pin); r.code != 0 {
		t.Fatalf("farm setup: %+v", r)
	}
	token := boss.invited("--uses", "2")
	one, two := joined(t, boss, token, "one"), joined(t, boss, token, "two")
	if r := two.call("farm", "run", "-c", "import bpy; print('in', bpy.app.version_string)", "--machine", "one"); r.code != 0 || !strings.HasPrefix(r.stdout, "in 3.4.1") {
		t.Errorf("farm run: %+v", r)
	}
	blend, want := farmProject(t)
	if r := two.call("farm", "render", blend, "--frames", "1-2", "--chunk", "1"); r.code != 0 {
		t.Errorf("farm render: %+v", r)
	}
	for _, name := range []string{"shot_001.png", "shot_002.png"} {
		if !bytes.Equal(pixels(t, filepath.Join(filepath.Dir(blend), "pictures", name)), pixels(t, filepath.Join(want, name))) {
			t.Errorf("%s has other pixels than Blender's own", name)
		}
	}
	if r := one.call("farm", "drain", "two"); r.code == 0 || !strings.Contains(r.stderr, "may not administer") {
		t.Errorf("a machine that works drains another: %+v", r)
	}
	// After an upgrade the administrator writes the configuration anew. Who is connected stays connected, and others join.
	if _, again := boss.configured(dir); again != pin {
		t.Errorf("the server has the key %s, and had %s", again, pin)
	}
	server.reload()
	desk := newProgram(t, "")
	if r := desk.call("farm", "join", boss.invited("--roles", "submit"), "--name", "desk", "--yes"); r.code != 0 {
		t.Fatalf("farm join: %+v", r)
	}
	if r := desk.call("farm", "run", "-c", "print('ran')"); r.code != 0 || r.stdout != "ran\n" {
		t.Errorf("farm run: %+v", r)
	}
	oneMay, deskMay := one.membership(), desk.membership()
	for subject, may := range map[string]bool{
		"bt.jobs.any.normal.abc": true, "bt.results.abc": false, "$KV.bt-claims.abc": false, "$KV.bt-drains.abc": false,
		"$JS.API.STREAM.DELETE.bt-jobs": false, "$JS.API.STREAM.CREATE.mine": false, "bt.join.abc": false, "$SYS.REQ.SERVER.PING": false,
		"_INBOX." + cardKey(t, oneMay) + ".abc": false, "$KV.bt-machines." + cardKey(t, deskMay): false, "elsewhere": false,
	} {
		if desk.mayPublish(subject) != may {
			t.Errorf("desk to %s: allowed is %v", subject, !may)
		}
	}
	// A member that is removed gets in no more; the others stay.
	if r := boss.call("farm", "config", dir, "--without", "nobody"); r.code != 2 || !strings.Contains(r.stderr, "nobody has joined") {
		t.Errorf("somebody is removed who is no member: %+v", r)
	}
	boss.configured(dir, "--without", "desk")
	server.reload()
	if r := desk.call("farm", "status"); r.code == 0 || !strings.Contains(r.stderr, "does not take this machine") {
		t.Errorf("who is removed gets in: %+v", r)
	}
	if r := desk.call("doctor"); !strings.Contains(r.stdout, "does not take this machine") || !strings.Contains(r.stdout, "ask the administrator") {
		t.Errorf("doctor: %+v", r)
	}
	if r := two.call("farm", "run", "-c", "print('ran')"); r.code != 0 || r.stdout != "ran\n" {
		t.Errorf("farm run: %+v", r)
	}
	// Somebody with a farm of their own is a stranger here.
	stranger := newProgram(t, "")
	stranger.configured(t.TempDir())
	if r := stranger.call("farm", "setup", server.address, "--pin", pin, "--name", "stranger"); r.code == 0 || !strings.Contains(r.stderr, "does not take this machine") {
		t.Errorf("a stranger sets up a farm: %+v", r)
	}
	// The jobs and the members outlive the server.
	server.kill()
	server.start()
	boss.eventually("the farm goes on", func() bool {
		r := boss.call("farm", "run", "-c", "print('after')")
		return r.code == 0 && r.stdout == "after\n"
	})
	if r := boss.call("farm", "status"); strings.Count(r.stdout, "succeeded") < 3 {
		t.Errorf("farm status: %+v", r)
	}
}

func cardKey(t *testing.T, m *farm.Membership) string {
	t.Helper()
	card, err := m.OpenCard()
	if err != nil {
		t.Fatal(err)
	}
	return card.Key
}

// The certificate may be one that the system trusts, such as of the authority of an office.
func TestAFarmTakesACertificateThatTheSystemTrusts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificateOf(t, dir)
	boss := newProgram(t, "")
	r := boss.call("farm", "config", dir, "--print", "--listen", "127.0.0.1:0", "--cert", cert, "--cert-key", key)
	if r.code != 0 || !strings.Contains(r.stderr, "--pin SHA256:") {
		t.Fatalf("farm config: %+v", r)
	}
	config := filepath.Join(dir, "my.conf")
	if err := os.WriteFile(config, []byte(r.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	server := newNATSServer(t, config)
	if r := boss.call("farm", "setup", server.address, "--no-pin", "--name", "boss"); r.code == 0 || !strings.Contains(r.stderr, "certificate") {
		t.Errorf("it trusts a certificate that the system does not know: %+v", r)
	}
	boss.env = append(boss.env, "SSL_CERT_FILE="+cert)
	if r := boss.call("farm", "setup", server.address, "--no-pin", "--name", "boss"); r.code != 0 {
		t.Fatalf("farm setup: %+v", r)
	}
	desk := newProgram(t, "")
	desk.env = append(desk.env, "SSL_CERT_FILE="+cert)
	if r := desk.call("farm", "join", boss.invited(), "--name", "desk", "--yes"); r.code != 0 || !strings.Contains(r.stderr, "as this system trusts its certificate") {
		t.Errorf("farm join: %+v", r)
	}
}

// certificateOf makes a certificate for 127.0.0.1 in a folder, and returns the paths of the certificate and its key.
func certificateOf(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "office"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: public}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}
