package service

import (
	"errors"
	"math"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"blendtray/app/fault"
)

// The user who may change services of the machine, and how a person becomes that user for one
// command.
const (
	administrator       = "LocalSystem"
	asAdministrator     = ""
	becomeAdministrator = "run the command in a console that was started as administrator"
)

// Run calls run, which returns after stop is called. If the service control manager has started
// this process, Run answers it meanwhile, and tells it the time that stopTime returns, in which run returns.
//
// The library would ask whether the parent process is in session 0, which it is not in a container.
func Run(run func() error, stop func(), stopTime func() time.Duration) error {
	if !startedByServices() {
		return run()
	}
	p := &program{run: run, stop: stop, stopTime: stopTime}
	err := svc.Run(serviceName, p)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return run() // the parent is another program of that name
	}
	return errors.Join(err, p.err)
}

// startedByServices tells whether this process is a child of the service control manager.
func startedByServices() bool {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(snapshot)
	parent := uint32(os.Getppid())
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if entry.ProcessID == parent {
			return strings.EqualFold(windows.UTF16ToString(entry.ExeFile[:]), "services.exe")
		}
	}
	return false
}

// program is the engine as a service of Windows.
type program struct {
	run      func() error
	stop     func()
	stopTime func() time.Duration
	err      error
}

// Execute does what the manager asks for, until the engine ends.
func (p *program) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (bool, uint32) {
	done := make(chan error, 1)
	go func() { done <- p.run() }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	changes <- running
	stopping := false
	for {
		select {
		case p.err = <-done:
			if p.err != nil && !stopping {
				// Nobody asked for this end. Windows starts the service again when its process
				// ends before the service is stopped.
				os.Exit(fault.Failed)
			}
			return false, 0
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				changes <- request.CurrentStatus
			case svc.Stop, svc.Shutdown:
				if !stopping {
					stopping = true
					changes <- svc.Status{State: svc.StopPending, WaitHint: uint32(min(p.stopTime().Milliseconds(), math.MaxUint32))}
					p.stop()
				}
			}
		}
	}
}
