//go:build unix

package mcp

import "golang.org/x/sys/unix"

// nonBlocking has the opening of a pipe return at once.
const nonBlocking = unix.O_NONBLOCK
