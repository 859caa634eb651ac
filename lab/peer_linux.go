package lab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// checkPeer fails unless the socket at the other end of a connection on this machine belongs to the
// user of this process.
func checkPeer(c net.Conn) error {
	theirs, err := addrPort(c.RemoteAddr())
	if err != nil {
		return err
	}
	ours, err := addrPort(c.LocalAddr())
	if err != nil {
		return err
	}
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, err := os.Open(name)
		if err != nil {
			continue // such as tcp6 of a kernel without IPv6
		}
		uid, err := userOf(table, theirs, ours)
		table.Close()
		switch {
		case errors.Is(err, errNoPeer):
			continue
		case err != nil:
			return err
		case uid != os.Getuid():
			return fmt.Errorf("it is the connection of another user, number %d", uid)
		}
		return nil
	}
	return errNoPeer
}

func addrPort(a net.Addr) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(a.String())
	if err == nil && !at.Addr().Unmap().IsLoopback() {
		err = fmt.Errorf("%s is not of this machine", at)
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err
}

// userOf returns the user of the socket of a connection, by a table of /proc/net. Its lines have the
// local address, the remote address and the state as the second to the fourth field, and the user as
// the eighth. It fails with errNoPeer unless the connection is open: what the kernel keeps of a socket
// that was closed says that it is root's.
func userOf(table io.Reader, local, remote netip.AddrPort) (int, error) {
	const open = "01"
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 8 && fields[3] == open && isAt(fields[1], local) && isAt(fields[2], remote) {
			return strconv.Atoi(fields[7])
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errNoPeer
}

// isAt returns whether a field of a table has an address of IPv4, as it is or mapped into IPv6.
func isAt(field string, at netip.AddrPort) bool {
	four := at.Addr().As4()
	address := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(four[:]), at.Port())
	mapped := fmt.Sprintf("%016X%08X", 0, binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}))
	return field == address || field == mapped+address
}
