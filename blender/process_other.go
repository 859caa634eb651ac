//go:build unix && !linux

package blender

import "syscall"

// start starts the process in a session of its own, without a terminal that a script could ask
// for a password, and calls ended when it has ended. The life line alone ends it when its parent
// dies: there is no signal for that on these systems.
func (p *process) start(ended func()) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.group = group{id: p.cmd.Process.Pid}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		p.bury()
		ended()
	}()
	return nil
}
