//go:build unix

package blender

import (
	"os"
	"os/exec"
	"syscall"
)

// tempVariables are the variables that say where temporary files and crash reports lie.
var tempVariables = []string{"TMPDIR"}

// sameVariable returns whether two names of variables of the environment are the same.
func sameVariable(a, b string) bool { return a == b }

// group is the process group of a Blender and of the processes that its scripts start. A session
// begins with one group; both have the number of the process that made them.
type group struct {
	id  int
	kin kin
}

// terminate asks every process of the group to end.
func (g group) terminate() { g.signal(syscall.SIGTERM) }

// kill ends every process of the group, and where the system tells, all other descendants of its
// leader.
func (g group) kill() {
	g.signal(syscall.SIGKILL)
	g.kin.kill(0, nil)
}

// note returns the text by which a later engine finds the processes.
func (g group) note() string { return g.kin.String() }

// pause stops every process of the group where it is, and returns whether it could.
func (g group) pause() bool { return g.id > 0 && syscall.Kill(-g.id, syscall.SIGSTOP) == nil }

// resume lets every process of the group go on.
func (g group) resume() { g.signal(syscall.SIGCONT) }

// trace makes the leader print where it is, and end: faulthandler does that on SIGABRT, even while
// C code holds the interpreter. It returns whether the signal could be sent.
func (g group) trace() bool { return g.id > 0 && syscall.Kill(g.id, syscall.SIGABRT) == nil }

func (g group) close() {}

func (g group) signal(s syscall.Signal) {
	if g.id > 0 {
		_ = syscall.Kill(-g.id, s) // it fails when no process is left
	}
}

// signalOf returns the signal that ended a process, or 0.
func signalOf(state *os.ProcessState) syscall.Signal {
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return 0
	case status.Signaled():
		return status.Signal()
	case status.ExitStatus() > 128 && status.ExitStatus() < 128+32:
		return syscall.Signal(status.ExitStatus() - 128) // a shell or a wrapper script reports the signal so
	}
	return 0
}

// killedBySomebody reports whether a process was ended by a signal that people and the system send,
// and no fault of the process.
func killedBySomebody(state *os.ProcessState) bool {
	switch signalOf(state) {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT:
		return true
	}
	return false
}

// signalText returns the name of the signal that ended a process, or "".
func signalText(state *os.ProcessState) string {
	s := signalOf(state)
	if s == 0 {
		return ""
	}
	if name, ok := signalNames[s]; ok {
		return name
	}
	return s.String()
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGSEGV: "segmentation fault (SIGSEGV)",
	syscall.SIGABRT: "aborted (SIGABRT)",
	syscall.SIGBUS:  "bus error (SIGBUS)",
	syscall.SIGFPE:  "arithmetic error (SIGFPE)",
	syscall.SIGILL:  "illegal instruction (SIGILL)",
	syscall.SIGKILL: "killed (SIGKILL), perhaps because memory ran out",
	syscall.SIGTERM: "terminated (SIGTERM)",
	syscall.SIGINT:  "interrupted (SIGINT)",
}

// alone makes the end of its context kill a helper process and all that it started.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// crashText returns "": a process that has crashed has the signal in its state.
func crashText(int, []byte, bool) string { return "" }

// faultsFile returns "": Python writes the stack at a crash into its output, and at no other time.
func faultsFile(string) string { return "" }
