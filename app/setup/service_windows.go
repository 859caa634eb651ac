package main

import (
	"fmt"
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
	s, err := service.OpenMachine()
	if err != nil {
		return nil
	}
	if config, err := s.Config(); err == nil {
		if command, err := windows.DecomposeCommandLine(config.BinaryPathName); err == nil && len(command) > 0 && isIn(command[0], folders) {
			return &systemService{s}
		}
	}
	s.Close()
	return nil
}

// isRunning tells whether the service runs or is about to.
func (s *systemService) isRunning() bool {
	status, err := s.Query()
	return err == nil && status.State != svc.Stopped && status.State != svc.StopPending
}

// stop asks the service to end, which lets its run end, and waits until it has ended.
func (s *systemService) stop() {
	if _, err := s.Control(svc.Stop); err != nil {
		return // it has ended
	}
	for deadline := time.Now().Add(endTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if status, err := s.Query(); err != nil || status.State == svc.Stopped {
			return
		}
	}
}

// startMachineService has the service of the machine start the program of a folder, and starts the service.
func startMachineService(folder string) error {
	s, err := service.OpenMachine()
	if err != nil {
		return err
	}
	defer s.Close()
	config, err := s.Config()
	if err != nil {
		return err
	}
	command, err := windows.DecomposeCommandLine(config.BinaryPathName)
	if err != nil || len(command) == 0 {
		return fmt.Errorf("the service starts %q, which is no command: %w", config.BinaryPathName, err)
	}
	command[0] = filepath.Join(folder, filepath.Base(command[0]))
	config.BinaryPathName = windows.ComposeCommandLine(command)
	if err := s.UpdateConfig(config); err != nil { // without a password, which stays
		return err
	}
	return s.Start()
}
