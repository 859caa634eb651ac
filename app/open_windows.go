package app

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach has a program begin a group of its own without a console, which the end of the terminal
// does not end.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}
