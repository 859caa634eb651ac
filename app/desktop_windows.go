//go:build !headless

package app

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

func needDisplay() error { return nil }

func opener(path string) (program string, args []string) {
	return "rundll32.exe", []string{"url.dll,FileProtocolHandler", path}
}

// standAlone has a program that may have a window or a console go on when the terminal of this program ends:
// a program that needs a console gets one of its own.
func standAlone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_CONSOLE | windows.CREATE_NEW_PROCESS_GROUP}
}
