package blender

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// start starts the process in a session of its own, without a terminal where a script could ask
// for a password, and calls ended when the process has ended. It fails when the program can't be
// started.
//
// The kernel kills the process when the thread that started it dies. So no Blender outlives a
// parent that was killed, not even a Blender that hangs in C code and can't notice that. The
// kernel looks at the thread, not at the parent process: so the goroutine stays on a thread of its
// own for as long as the child lives. For Snap and Flatpak the process is a wrapper, and Blender
// is its child; there the life line ends Blender.
func (p *process) start(ended func()) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := p.cmd.Start()
		if err == nil {
			p.group = group{p.cmd.Process.Pid, markKin(p.cmd.Process.Pid)}
			noCore(p.cmd.Process.Pid)
		}
		result <- err
		if err == nil {
			awaitEnd(p.cmd.Process.Pid)
			p.bury()
			_ = p.cmd.Wait() // ProcessState says how it ended
			ended()
		}
	}()
	return <-result
}

// awaitEnd waits for the end of a child and leaves it a zombie, so that its number, which is also
// the number of its group, stays taken.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return // the wait that follows reports another error
		}
	}
}

// noCore keeps a crash from writing a core dump of hundreds of megabytes into the script's folder,
// which would hold up the next run. A script that needs a core dump can raise the limit.
func noCore(pid int) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &limit) == nil {
		limit.Cur = 0
		_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &limit, nil) // without the limit a crash writes a core dump, as it does in a shell
	}
}
