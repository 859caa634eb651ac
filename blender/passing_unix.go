//go:build unix

package blender

import "syscall"

// etxtbsy is the error for a program that somebody is writing.
const etxtbsy = syscall.ETXTBSY
