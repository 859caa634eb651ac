//go:build unix

package control

import (
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerName returns a name for the programs that the process at the other end belongs together with:
// those of one terminal, of one service or of one job of a scheduler, which the system calls a
// session. So a loop of a shell that calls blendtray for each script is one client, and two agents
// are two. The name is "" where the system does not tell.
func peerName(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	pid, err := peerPID(u)
	if err != nil || pid <= 0 {
		return ""
	}
	sid, err := unix.Getsid(pid)
	if err != nil {
		return "" // the process is gone
	}
	return strconv.Itoa(sid)
}
