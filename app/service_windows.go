package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"
	"unsafe"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
	"golang.org/x/term"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
	"blendtray/packaging"
)

func newManager(spec serviceSpec) (manager, error) {
	if spec.system {
		return newSystemService(spec)
	}
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	spec.user = who.Username
	return &logonTask{serviceSpec: spec}, nil
}

// logonTask is a service of the user: Windows has none, so it is a task that starts at logon.
type logonTask struct{ serviceSpec }

func (m *logonTask) name() string {
	_, name, found := strings.Cut(m.user, `\`)
	if !found {
		name = m.user
	}
	return "Blendtray " + name
}

// schtasks has the scheduler do something.
func (m *logonTask) schtasks(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), serviceTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "schtasks.exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
	out, err := cmd.CombinedOutput()
	if err != nil {
		said := strings.TrimSpace(string(out))
		if errors.Is(err, exec.ErrNotFound) {
			return "", fault.New(fault.Failed, "start the tray at login instead", "this Windows has no task scheduler")
		}
		return "", fault.New(fault.Failed, "see the Task Scheduler", "schtasks %s: %v: %s", args[0], err, said)
	}
	return string(out), nil
}

func (m *logonTask) install() error {
	text, err := packaging.Task(m.text())
	if err != nil {
		return err
	}
	if out, installed := m.definition(); installed && !strings.Contains(out, "blendtray") {
		return fault.New(fault.Failed, "remove it, if it is not wanted", "there is a task %q already: %w", m.name(), errForeign)
	}
	file, err := os.CreateTemp("", "blendtray-*.xml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	units := append([]uint16{0xfeff}, utf16.Encode([]rune(text))...)
	err = binary.Write(file, binary.LittleEndian, units)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if _, err = m.schtasks("/Create", "/F", "/TN", m.name(), "/XML", file.Name()); err != nil {
		return err
	}
	if _, installed := m.definition(); !installed {
		return fault.New(fault.Failed, "start the tray at login instead", "the Task Scheduler of this Windows took the task and does not have it")
	}
	return nil
}

// definition is the task as the scheduler has it.
func (m *logonTask) definition() (xml string, installed bool) {
	out, err := m.schtasks("/Query", "/TN", m.name(), "/XML")
	return out, err == nil && strings.Contains(out, "<Task")
}

func (m *logonTask) uninstall() error {
	if _, installed := m.definition(); !installed {
		return errNotInstalled
	}
	return errors.Join(m.stop(), func() error {
		_, err := m.schtasks("/Delete", "/F", "/TN", m.name())
		return err
	}())
}

func (m *logonTask) start() error {
	_, err := m.schtasks("/Run", "/TN", m.name())
	return err
}

// stop asks the engine, and then the scheduler.
func (m *logonTask) stop() error {
	if address, err := home.EngineAddress(m.paths); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		client := control.NewClient(address)
		if client.Shutdown(ctx) == nil {
			for ctx.Err() == nil && home.EngineRuns(m.paths) {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
	_, err := m.schtasks("/End", "/TN", m.name())
	return err
}

func (m *logonTask) restart() error { return errors.Join(m.stop(), m.start()) }

func (m *logonTask) status() (ServiceStatus, error) {
	st := ServiceStatus{Scope: m.scope(), Name: m.name(), User: m.user, State: serviceMissing}
	out, installed := m.definition()
	if !installed {
		return st, nil // the scheduler says no more than that there is none
	}
	st.Installed, st.Enabled, st.State = true, !strings.Contains(out, "<Enabled>false</Enabled>"), serviceStopped
	st.Program = m.program
	if home.EngineRuns(m.paths) {
		st.State = serviceRunning
	}
	return st, nil
}

// Who may do everything here, and what a command begins with that needs it: nothing.
const (
	administrator   = "LocalSystem"
	asAdministrator = ""
)

// serviceName is what the service of the machine is called.
const serviceName = "Blendtray"

// systemService is one that the service control manager starts, through the library.
type systemService struct {
	serviceSpec
	service service.Service
	config  *service.Config
}

func newSystemService(spec serviceSpec) (manager, error) {
	config := &service.Config{
		Name: serviceName, DisplayName: "Blendtray", Executable: spec.program, Arguments: []string{"serve"},
		Description: "Runs Python scripts in a warm Blender",
		Option:      service.KeyValue{"OnFailure": "restart", "OnFailureDelayDuration": "5s"},
	}
	if spec.home != "" {
		config.EnvVars = map[string]string{"BLENDTRAY_HOME": spec.home}
	}
	s, err := service.New(nothing{}, config)
	return &systemService{spec, s, config}, err
}

func (m *systemService) install() error {
	if !strings.EqualFold(m.user, administrator) {
		account := m.user
		if !strings.Contains(account, `\`) {
			account = `.\` + account
		}
		fmt.Fprintf(os.Stderr, "the password of %s, which the service logs on with: ", account)
		password, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return fault.New(fault.Failed, "run this in a console", "the password can't be read: %w", err)
		}
		m.config.UserName = account
		m.config.Option["Password"] = string(password)
	}
	there, err := registered()
	switch {
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		return m.explained(m.bounded(m.service.Install))
	case err != nil:
		return m.explained(err)
	case !strings.Contains(strings.ToLower(there.command), "blendtray"):
		return fault.New(fault.Failed, "remove it, if it is not wanted", "there is a service %q already, of %s: %w", serviceName, there.command, errForeign)
	}
	return m.explained(m.bounded(m.update))
}

// update has the service that is there run this program, as this user.
func (m *systemService) update() error {
	manager, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer manager.Disconnect()
	s, err := manager.OpenService(serviceName)
	if err != nil {
		return err
	}
	defer s.Close()
	command := syscall.EscapeArg(m.config.Executable)
	for _, argument := range m.config.Arguments {
		command += " " + syscall.EscapeArg(argument)
	}
	account, password := administrator, ""
	if m.config.UserName != "" {
		account = m.config.UserName
		password, _ = m.config.Option["Password"].(string)
	}
	texts := [3]*uint16{}
	for i, text := range []string{command, account, password} {
		if texts[i], err = windows.UTF16PtrFromString(text); err != nil {
			return err
		}
	}
	return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, mgr.StartAutomatic, windows.SERVICE_NO_CHANGE,
		texts[0], nil, nil, nil, texts[1], texts[2], nil)
}

func (m *systemService) uninstall() error {
	st, err := m.status()
	switch {
	case err != nil:
		return err
	case !st.Installed:
		return errNotInstalled
	}
	_ = m.bounded(m.service.Stop) // one that has ended is an error to it
	return m.explained(m.bounded(m.service.Uninstall))
}

func (m *systemService) start() error {
	err := m.bounded(m.service.Start)
	if errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return nil
	}
	return m.explained(err)
}

func (m *systemService) stop() error {
	err := m.bounded(m.service.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	return m.explained(err)
}

func (m *systemService) restart() error {
	if err := m.stop(); err != nil {
		return err
	}
	return m.start()
}

func (m *systemService) bounded(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(serviceTime):
		return fault.New(fault.Failed, "see services.msc", "Windows did not do it within %v", serviceTime)
	}
}

// explained words what the service control manager says.
func (m *systemService) explained(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fault.New(fault.Failed, "run it in a console that was started as administrator", "a service of the machine takes an administrator: %w", err)
	case errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE):
		return fault.New(fault.Failed, "close services.msc and the Task Manager, which keep it, and try again", "the service that was removed is not gone yet: %w", err)
	case errors.Is(err, windows.ERROR_SERVICE_LOGON_FAILED):
		return fault.New(fault.Failed, "install it again with the right password, and see that the user may log on as a service", "the service can't log on: %w", err)
	}
	return fault.New(fault.Failed, "see services.msc and the Event Viewer", "%w", err)
}

func (m *systemService) status() (ServiceStatus, error) {
	st := ServiceStatus{Scope: m.scope(), Name: m.config.Name, User: m.user, State: serviceMissing}
	is, err := m.service.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return st, nil
	case err != nil:
		return st, m.explained(err)
	}
	st.Installed, st.Enabled, st.State, st.Program = true, true, serviceStopped, filepath.Clean(m.program)
	if config, err := registered(); err == nil {
		st.User, st.Enabled = config.account, config.starts
	}
	if is == service.StatusRunning {
		st.State = serviceRunning
	}
	return st, nil
}

// registration is how the service control manager has a service.
type registration struct {
	command string // line
	account string
	starts  bool // by itself
}

// registered is how it has this one; anybody may ask.
func registered() (registration, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return registration{}, err
	}
	defer windows.CloseServiceHandle(manager)
	name, err := windows.UTF16PtrFromString(serviceName)
	if err != nil {
		return registration{}, err
	}
	s, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		return registration{}, err
	}
	defer windows.CloseServiceHandle(s)
	buf := make([]byte, 8<<10) // the most that there can be
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buf[0]))
	var needed uint32
	if err := windows.QueryServiceConfig(s, config, uint32(len(buf)), &needed); err != nil {
		return registration{}, err
	}
	return registration{
		command: windows.UTF16PtrToString(config.BinaryPathName),
		account: windows.UTF16PtrToString(config.ServiceStartName),
		starts:  config.StartType == windows.SERVICE_AUTO_START,
	}, nil
}

// nothing stands for the program where the library is used only to manage it.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }

// underServiceManager does run, which returns when stop is called, and answers the service
// control manager meanwhile if that started this process.
//
// The library asks whether the parent lies in session 0, which it does not in a container.
func underServiceManager(run func() error, stop func()) error {
	if !startedByServices() {
		return run()
	}
	p := &program{run: run, stop: stop}
	err := svc.Run(serviceName, p)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return run() // some other program of that name
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
	run  func() error
	stop func()
	err  error
}

// stopHint is how long the manager is told that the end may take, in milliseconds.
const stopHint = 30_000

// Execute does what the manager asks for until the engine ends.
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
				os.Exit(fault.Failed) // not an end that was asked for, so that it is started again
			}
			return false, 0
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				changes <- request.CurrentStatus
			case svc.Stop, svc.Shutdown:
				if !stopping {
					stopping = true
					changes <- svc.Status{State: svc.StopPending, WaitHint: stopHint}
					p.stop()
				}
			}
		}
	}
}
