package blender

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// start starts the process in a session of its own, without a terminal that a script could ask
// for a password, and calls ended when it has ended.
//
// The kernel kills it when the thread that started it dies, so that no Blender outlives a
// parent that was killed, not even one that hangs in C code and could not notice. It is the
// thread that counts, not the process: so the goroutine stays on a thread of its own for as
// long as the child lives. A Blender in Snap or Flatpak is a child of the wrapper that this
// is about; there the life line is what ends it.
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
			_ = p.cmd.Wait() // how it ended is in ProcessState
			ended()
		}
	}()
	return <-result
}

// awaitEnd waits for the end of a child and leaves it a zombie, so that its number, which is
// its group's too, stays taken.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return // another error shows in the wait that follows
		}
	}
}

// noCore keeps a crash from writing hundreds of megabytes into the script's folder, and the
// next run from waiting for that. Who wants a core dump can raise the limit in the script.
func noCore(pid int) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &limit) == nil {
		limit.Cur = 0
		_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &limit, nil) // then it writes one, as it would by hand
	}
}
