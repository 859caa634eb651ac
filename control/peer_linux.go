package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf returns what the system reports of the process at the other end.
func peerOf(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, credErr
}

// peerUID returns the user id of the process at the other end.
func peerUID(c *net.UnixConn) (int, error) {
	cred, err := peerOf(c)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}

// peerPID returns the id of the process at the other end, or 0 for a process of another container.
func peerPID(c *net.UnixConn) (int, error) {
	cred, err := peerOf(c)
	if err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}
