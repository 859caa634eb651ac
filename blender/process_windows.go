package blender

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tempVariables are the variables that say where temporary files and crash reports lie.
var tempVariables = []string{"TEMP", "TMP"}

// sameVariable returns whether two names of variables of the environment are the same.
func sameVariable(a, b string) bool { return strings.EqualFold(a, b) }

// group is a job object that holds a Blender and the processes that its scripts start. The system
// ends them all when the last handle of the job is closed, which happens when the parent dies.
type group struct{ job windows.Handle }

// start starts the process in a job of its own, without a console window, and calls ended when the
// process has ended. It fails when the program can't be started or put into the job.
func (p *process) start(ended func()) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("create a job object: %w", err)
	}
	if err := setJobLimits(job, jobLimits()); err != nil {
		windows.CloseHandle(job)
		return fmt.Errorf("set up a job object: %w", err)
	}
	// The process is suspended until it is in the job, so that nothing that it starts can be
	// outside.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED,
	}
	if err := p.cmd.Start(); err != nil {
		windows.CloseHandle(job)
		return err
	}
	if err := resumeInJob(job, uint32(p.cmd.Process.Pid)); err != nil {
		_ = p.cmd.Process.Kill() // the process has not run yet
		_ = p.cmd.Wait()
		windows.CloseHandle(job)
		return err
	}
	p.group = group{job}
	go func() {
		_ = p.cmd.Wait() // ProcessState says how it ended
		p.bury()
		ended()
	}()
	return nil
}

// resumeInJob puts a suspended process into a job and lets its threads run. It fails when the
// system refuses either.
func resumeInJob(job windows.Handle, pid uint32) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return fmt.Errorf("open the new process: %w", err)
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		return fmt.Errorf("put the new process into its job: %w", err)
	}
	threads, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list the new process's threads: %w", err)
	}
	defer windows.CloseHandle(threads)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(threads, &entry); err == nil; err = windows.Thread32Next(threads, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open the new process's thread: %w", err)
		}
		_, err = windows.ResumeThread(thread)
		windows.CloseHandle(thread)
		if err != nil {
			return fmt.Errorf("resume the new process: %w", err)
		}
	}
	return nil
}

// terminate does nothing, because Windows has no gentle way to end a process: the quit frame and
// the life line came before it.
func (g group) terminate() {}

// kill ends every process of the job.
func (g group) kill() {
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1) // the job may be empty already
	}
}

// pause returns false: Windows has no way to pause a process.
func (g group) pause() bool { return false }

func (g group) resume() {}

// trace returns false: Windows has no signal that makes a process print where it is.
func (g group) trace() bool { return false }

func (g group) close() {
	if g.job != 0 {
		windows.CloseHandle(g.job)
	}
}

// killedBySomebody returns false: a process that somebody has ended has the exit code of one that
// ended by itself.
func killedBySomebody(*os.ProcessState) bool { return false }

// exceptions are the exceptions that end a process, by the exit code that the process then has.
var exceptions = map[uint32]string{
	0x80000002: "misaligned data",
	0x80000003: "breakpoint",
	0x80000100: "a library of Wine lacks a function",
	0xC0000005: "access violation",
	0xC0000006: "page error",
	0xC0000017: "out of memory",
	0xC000001D: "illegal instruction",
	0xC0000025: "exception that can't be continued",
	0xC000008C: "array bounds exceeded",
	0xC000008E: "float divide by zero",
	0xC0000091: "float overflow",
	0xC0000094: "integer division by zero",
	0xC0000095: "integer overflow",
	0xC0000096: "privileged instruction",
	0xC00000FD: "stack overflow",
	0xC0000135: "a library is missing",
	0xC0000139: "a library lacks a function",
	0xC000013A: "interrupted from the console",
	0xC0000142: "a library could not be set up",
	0xC0000374: "heap corruption",
	0xC0000409: "aborted",
	0xC0000417: "invalid parameter of a C function",
	0xC0000420: "assertion failed",
	0xC0000602: "aborted",
	0x40000015: "aborted",
	0xE06D7363: "C++ exception",
}

// signalText returns the name of the exception that ended a process, or "".
func signalText(state *os.ProcessState) string {
	code := uint32(state.ExitCode())
	name, known := exceptions[code]
	switch {
	case known:
		return fmt.Sprintf("%s (0x%08X)", name, code)
	case code>>28 == 0xC, code>>28 == 8: // an error or warning of the system, no exit code that people choose
		return fmt.Sprintf("exception 0x%08X", code)
	}
	return ""
}

// The exit codes of a process that the C library or Blender's own handler has ended after a crash.
// They are the numbers of signals, and 3 after abort().
const (
	exitAbort      = 3
	exitIllegal    = 4
	exitFloat      = 8
	exitViolation  = 11
	exitAbortAlone = 22
)

// crashText returns the name of the crash after which a process has ended with an exit code that a
// script may choose as well, or "". words are what Python has said of its last fault, and reported is
// whether Blender has written a report of a crash.
func crashText(code int, words []byte, reported bool) string {
	fatal := bytes.Contains(words, fatalLine) // a fault that the script has lived through has other words
	switch {
	case (code == exitAbort || code == exitAbortAlone) && (fatal || reported):
		return fmt.Sprintf("aborted (exit code %d)", code)
	case code == exitViolation && reported:
		return fmt.Sprintf("access violation (exit code %d)", code)
	case code == exitFloat && reported:
		return fmt.Sprintf("floating point exception (exit code %d)", code)
	case code == exitIllegal && reported:
		return fmt.Sprintf("illegal instruction (exit code %d)", code)
	}
	return ""
}

// faultsFile returns the path of the file into which Python writes the stack at each fault of the
// processor, in a Blender's folder for temporary files. Windows tells Python of faults that a program
// handles and lives through, too, so they are no output.
func faultsFile(temp string) string { return filepath.Join(temp, "faults.txt") }

// alone keeps a helper process from opening a console window.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}
