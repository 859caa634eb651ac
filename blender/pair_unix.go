//go:build unix

package blender

import (
	"net"
	"os"
	"runtime"
	"syscall"
)

// inodeOf returns the inode of a socket, by which Blender tells the socket from another one with the
// same descriptor, or 0 where the system has none.
func inodeOf(socket *os.File) uint64 {
	info, err := socket.Stat()
	if err != nil {
		return 0
	}
	if status, ok := info.Sys().(*syscall.Stat_t); ok && runtime.GOOS == "linux" {
		return status.Ino
	}
	return 0
}

// socketPair returns a connection and a file for a child process that is the other end of it. Nobody
// else can connect.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	own, handed := os.NewFile(uintptr(fds[0]), "blender"), os.NewFile(uintptr(fds[1]), "blender")
	conn, err := net.FileConn(own) // it is a copy
	own.Close()
	if err != nil {
		handed.Close()
		return nil, nil, err
	}
	return conn, handed, nil
}
