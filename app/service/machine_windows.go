package service

import "golang.org/x/sys/windows/svc/mgr"

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
