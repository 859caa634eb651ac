package main

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"blendtray/app/service"
)

// systemService is the service of the machine.
type systemService struct{ *mgr.Service }

// machineService returns the service of the machine, if it starts a program in one of the folders, and
// else nil. It is nil, too, for a user who may not change services.
func machineService(folders []string) *systemService {
	if command := machineCommand(); len(command) == 0 || !isIn(command[0], folders) {
		return nil
	}
	s, err := service.OpenMachine()
	if err != nil {
		return nil
	}
	return &systemService{s}
}

// machineCommand returns the program and the arguments that the service of the machine starts, or nil where
// there is no such service.
func machineCommand() []string {
	line, err := service.MachineCommand()
	if err != nil {
		return nil
	}
	command, err := windows.DecomposeCommandLine(line)
	if err != nil {
		return nil
	}
	return command
}

// isRunning tells whether the service runs or is about to.
func (s *systemService) isRunning() bool {
	status, err := s.Query()
	return err == nil && status.State != svc.Stopped && status.State != svc.StopPending
}

// stop asks the service to end, which lets its run end, and waits until it has ended, as long as the service
// says that it needs.
func (s *systemService) stop() {
	if _, err := s.Control(svc.Stop); err != nil {
		return // it has ended
	}
	begun, wait := time.Now(), service.StopTime(time.Minute) // until it says more
	for ; time.Since(begun) < wait; time.Sleep(50 * time.Millisecond) {
		status, err := s.Query()
		if err != nil || status.State == svc.Stopped {
			return
		}
		if hint := time.Duration(status.WaitHint) * time.Millisecond; status.State == svc.StopPending {
			wait = max(wait, hint)
		}
	}
}

// move has the service of the machine start the program of a folder, if the service starts the program of the
// folder before.
// The service stays as it is otherwise.
func move(before, folder string) error {
	command := machineCommand()
	if len(command) == 0 || !isIn(command[0], []string{before}) {
		return nil
	}
	command[0] = filepath.Join(folder, filepath.Base(command[0]))
	return service.SetMachineCommand(windows.ComposeCommandLine(command))
}

// startMachineService starts the service of the machine.
func startMachineService() error {
	s, err := service.OpenMachine()
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Start()
}
