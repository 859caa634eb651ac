package service

import (
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// serviceName is the name of the service of the machine.
const serviceName = "Blendtray"

// OpenMachine returns the service of the machine, with every right to change it; the caller closes it.
// It fails where there is no such service, and for a user who may not change services.
func OpenMachine() (*mgr.Service, error) {
	manager, err := mgr.Connect()
	if err != nil {
		return nil, err
	}
	defer manager.Disconnect()
	return manager.OpenService(serviceName)
}

// MachineCommand returns the command line that the service of the machine starts. Every user may ask. It fails
// where there is no such service.
func MachineCommand() (string, error) {
	r, err := registered()
	return r.command, err
}

// SetMachineCommand has the service of the machine start another command line, and leaves the service as it is
// otherwise. It asks the system for nothing more than that, because Wine answers no more.
func SetMachineCommand(command string) error {
	s, err := OpenMachine()
	if err != nil {
		return err
	}
	defer s.Close()
	text, err := windows.UTF16PtrFromString(command)
	if err != nil {
		return err
	}
	return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, windows.SERVICE_NO_CHANGE,
		windows.SERVICE_NO_CHANGE, text, nil, nil, nil, nil, nil, nil)
}
