package lab

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestTheUserOfAConnectionIsFound(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2694 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:D431 0100007F:2694 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 20 4 30 10 -1
   2: 0100007F:D432 0100007F:2694 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000100007F:D433 0000000000000000FFFF00000100007F:2694 01 00000000:00000000 00:00000000 00000000  1002        0 2 1 0 20 4 30 10 -1
`
	ours := netip.MustParseAddrPort("127.0.0.1:9876")
	for port, want := range map[string]int{"54321": 1001, "54323": 1002, "54322": -1, "54320": -1} {
		got, err := userOf(strings.NewReader(table), netip.MustParseAddrPort("127.0.0.1:"+port), ours)
		if want < 0 && !errors.Is(err, errNoPeer) || want >= 0 && (err != nil || got != want) {
			t.Errorf("%s: %d, %v; want %d", port, got, err, want)
		}
	}
}

// A real process of another user, where the test may start one.
func TestAProcessOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	engine := &fakeEngine{}
	address := serving(t, engine, nil)
	if got := tell(t, address, "GET / HTTP/1.1\r\n\r\n"); !strings.Contains(got, "403") {
		t.Errorf("this user is refused: %q", got)
	}
	if os.Getuid() != 0 {
		t.Log("only root can start a process of another user")
		return
	}
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("/usr/bin/python3", "-c", `
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as c:
    try:
        c.sendall(b"GET / HTTP/1.1\r\n\r\n")
        print(c.recv(100))
    except ConnectionError:
        print(b"")`, port)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "b''\n" {
		t.Errorf("%v: %s", err, out)
	}
}
