//go:build unix

package app

import (
	"os/exec"
	"syscall"
)

// detach has a program begin a session of its own, which the end of the terminal does not end.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
