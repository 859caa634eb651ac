//go:build unix && !linux

package blender

import "syscall"

// start starts the process in a session of its own, without a terminal where a script could ask for
// a password, and calls ended when the process has ended. It fails when the program can't be
// started. When the parent dies, only the life line ends the process: these systems have no signal
// for that.
func (p *process) start(ended func()) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.group = group{id: p.cmd.Process.Pid}
	go func() {
		_ = p.cmd.Wait() // ProcessState says how it ended
		p.bury()
		ended()
	}()
	return nil
}
