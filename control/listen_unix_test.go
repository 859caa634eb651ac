//go:build unix

package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// These are the variables that make this test binary a stranger, or a program that submits a run:
// see TestMain.
const (
	asNobody    = "BLENDTRAY_TEST_CONNECT"
	asSubmitter = "BLENDTRAY_TEST_SUBMIT"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(asNobody); path != "" {
		os.Exit(stranger(path))
	}
	if path := os.Getenv(asSubmitter); path != "" {
		_, err := NewClient(path).Submit(context.Background(), api.Submission{Code: []byte("x")})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// stranger connects to a socket and says what came of it.
func stranger(path string) int {
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println("refused:", err)
		return 0
	}
	fmt.Fprint(c, "GET /status HTTP/1.1\r\nHost: b\r\n\r\n")
	c.SetDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(c)
	fmt.Printf("connected: %q, %v\n", answer, err)
	return 0
}

func TestProgramsOfOneTerminalAreOneClient(t *testing.T) {
	t.Parallel()
	f := newFake()
	address, c := serve(t, f)
	if _, err := c.Submit(t.Context(), api.Submission{Code: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	own := f.submitted().Peer
	if own == "" {
		t.Fatal("the system does not tell who asks")
	}
	for _, elsewhere := range []bool{false, true} {
		program := exec.Command(os.Args[0])
		program.Env = append(os.Environ(), asSubmitter+"="+address)
		program.SysProcAttr = &syscall.SysProcAttr{Setsid: elsewhere} // as a terminal of its own does
		if out, err := program.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if other := f.submitted().Peer; other == "" || (other != own) != elsewhere {
			t.Errorf("another program, of another terminal %v, is %q beside %q", elsewhere, other, own)
		}
	}
}

func TestTheSocketAndItsFolderAreForThisUserAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	address, err := Address(dir)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, address, newFake())
	for path, want := range map[string]fs.FileMode{
		address:               fs.ModeSocket | 0o600,
		filepath.Dir(address): fs.ModeDir | 0o700,
	} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
}

func TestAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test becomes another user, so it must run as root; CI does")
	}
	address, _ := serve(t, newFake())
	connect := func() string {
		t.Helper()
		cmd := exec.Command(copyForAll(t))
		cmd.Dir = "/"
		cmd.Env = []string{asNobody + "=" + address}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := connect(); !strings.HasPrefix(got, "refused:") {
		t.Errorf("with the modes as they are: %s", got)
	}
	// And with the modes out of the way the system's word on who it is must do.
	for dir := filepath.Dir(address); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&fs.ModeSticky == 0 {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(address, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := connect(); !strings.HasPrefix(got, `connected: ""`) {
		t.Errorf("with modes that let it in: %s", got)
	}
}

// copyForAll copies this test binary to where another user may start it.
func copyForAll(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stranger")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "stranger")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAStaleSocketIsReplacedAndALiveOneNever(t *testing.T) {
	t.Parallel()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if _, err := NewClient(address).Status(t.Context()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("a dead engine's socket: %v", err)
	}
	stop := serveOn(t, address, newFake())
	if _, err := Listen(address); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := NewClient(address).Status(t.Context()); err != nil {
		t.Errorf("the first one was hurt: %v", err)
	}
	stop()
	if _, err := os.Lstat(address); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestALiveSocketWithoutALockIsNotReplacedEither(t *testing.T) {
	t.Parallel()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := Listen(address); !errors.Is(err, ErrInUse) {
		t.Errorf("Listen: %v", err)
	}
}

func TestAHomeWithALongPathHasAShortSocket(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	address, err := Address(long)
	if err != nil {
		t.Fatal(err)
	}
	if len(address) > maxSocketPath || strings.HasPrefix(address, long) {
		t.Fatalf("the address is %s", address)
	}
	if again, err := Address(long); err != nil || again != address {
		t.Errorf("it is another one the second time: %s, %v", again, err)
	}
	if other, err := Address(long + "r"); err != nil || other == address {
		t.Errorf("it is that of another home too: %s, %v", other, err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(address)) })
	serveOn(t, address, newFake())
	if _, err := NewClient(address).Status(t.Context()); err != nil {
		t.Error(err)
	}
	// No more than looked for: on this machine somebody else may have taken the name in /tmp.
	if short := shortPaths(long, []string{"/" + strings.Repeat("t", 90), "/tmp"}); len(short) != 1 || !strings.HasPrefix(short[0], "/tmp/blendtray-") {
		t.Errorf("with a long temporary folder: %s", short)
	}
}

// Another user makes the folder in which the socket would lie, or a link, before this user does.
func TestAFolderThatSomebodyElseTookDoesNotKeepTheEngineFromListening(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	for _, take := range []func(path string) error{
		func(path string) error { return errors.Join(os.Mkdir(path, 0o777), os.Chown(path, 65534, 65534)) },
		func(path string) error { return errors.Join(os.Symlink("/", path), os.Lchown(path, 65534, 65534)) },
		func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		temp, err := os.MkdirTemp("/tmp", "b") // its path is short, as sockets demand
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(temp) })
		long := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
		if err := take(filepath.Join(temp, userFolderName())); err != nil {
			t.Fatal(err)
		}
		temps := []string{temp}
		none, err := addressIn(long, temps)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewClient(none).Status(t.Context()); !errors.Is(err, ErrNoEngine) {
			t.Errorf("without an engine a client is told %v", err)
		}
		address, err := prepareIn(long, temps)
		if err != nil {
			t.Fatal(err)
		}
		serveOn(t, address, newFake())
		found, err := addressIn(long, temps)
		if err != nil || found != address {
			t.Errorf("clients look at %s, the engine is at %s (%v)", found, address, err)
		}
		if _, err := NewClient(found).Status(t.Context()); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Dir(address)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its folder: %v, %v", info, err)
		}
		if again, err := prepareIn(long, temps); err != nil || again != address {
			t.Errorf("the next engine is at %s, %v", again, err)
		}
	}
}

func TestAFolderThatSomebodyElsePutThereIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, socketName)); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("Listen: %v", err)
	}
}
