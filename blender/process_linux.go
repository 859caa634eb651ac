package blender

import (
	"runtime"
	"syscall"
)

// start starts the process in a group of its own and calls ended when it has ended.
//
// The kernel kills it when the thread that started it dies, so that no Blender outlives a
// parent that was killed, not even one that hangs in C code and could not notice. It is the
// thread that counts, not the process: so the goroutine stays on a thread of its own for as
// long as the child lives.
func (p *process) start(ended func()) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := p.cmd.Start()
		if err == nil {
			p.group = group{p.cmd.Process.Pid}
		}
		result <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in ProcessState
			ended()
		}
	}()
	return <-result
}
