package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	kardianos "github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
	"golang.org/x/term"
)

// New returns the manager of a service.
func New(spec Spec) (Manager, error) {
	if spec.System {
		return newSystemService(spec)
	}
	who, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find out who this user is: %w", err)
	}
	spec.User = who.Username
	return &logonTask{spec}, nil
}

// systemService is a service of the machine, which the service control manager starts. It is
// managed through the library.
type systemService struct {
	Spec
	service kardianos.Service
	config  *kardianos.Config
}

func newSystemService(spec Spec) (Manager, error) {
	config := &kardianos.Config{
		Name: serviceName, DisplayName: "Blendtray", Executable: spec.Program.Path, Arguments: []string{"serve"},
		Description: "Runs Python scripts in a warm Blender",
		Option:      kardianos.KeyValue{"OnFailure": "restart", "OnFailureDelayDuration": "5s"},
	}
	if spec.Program.Home != "" {
		config.EnvVars = map[string]string{"BLENDTRAY_HOME": spec.Program.Home}
	}
	s, err := kardianos.New(nothing{}, config)
	return &systemService{spec, s, config}, err
}

func (m *systemService) Install() error {
	if !strings.EqualFold(m.User, administrator) {
		account := m.User
		if !strings.Contains(account, `\`) {
			account = `.\` + account
		}
		fmt.Fprintf(os.Stderr, "the password of %s, which the service logs on with: ", account)
		password, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return m.fail(PasswordUnread, err)
		}
		m.config.UserName = account
		m.config.Option["Password"] = string(password)
	}
	there, err := registered()
	switch {
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		return m.control("install", m.service.Install)
	case err != nil:
		return m.failOf("query", err)
	case !strings.Contains(strings.ToLower(there.command), "blendtray"):
		return m.fail(Foreign, nil, "name", fmt.Sprintf("the service %s, which starts %s,", serviceName, there.command))
	}
	return m.control("update", m.update)
}

// update changes the installed service, so that it runs this program as this user.
func (m *systemService) update() error {
	s, err := OpenMachine()
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

func (m *systemService) Uninstall() error {
	st, err := m.Status()
	switch {
	case err != nil:
		return err
	case !st.Installed:
		return m.fail(NotInstalled, nil)
	}
	_ = m.control("stop", m.service.Stop) // fails for a service that has ended
	return m.control("uninstall", m.service.Uninstall)
}

func (m *systemService) Start() error {
	err := m.control("start", m.service.Start)
	if errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return nil
	}
	return err
}

func (m *systemService) Stop() error {
	err := m.control("stop", m.service.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	return err
}

func (m *systemService) Restart() error {
	if err := m.Stop(); err != nil {
		return err
	}
	return m.Start()
}

// fail returns the error for a failure of this service.
func (m *systemService) fail(f Failure, cause error, facts ...string) error {
	return Fail(f, cause, append(facts, m.facts()...)...)
}

func (m *systemService) facts() []string {
	return []string{"name", "the service " + serviceName, "user", m.User, "log", "the Event Viewer"}
}

// control has the library do something with the service, which may never return.
func (m *systemService) control(verb string, do func() error) error {
	err := bounded(do, append(m.facts(), "command", commandOf(verb))...)
	if err == nil || errors.Is(err, ManagerTimedOut) {
		return err
	}
	return m.failOf(verb, err)
}

// failOf returns the error for what the service control manager has answered.
func (m *systemService) failOf(verb string, err error) error {
	for code, failure := range map[error]Failure{
		windows.ERROR_ACCESS_DENIED:             NotAdministrator,
		windows.ERROR_SERVICE_MARKED_FOR_DELETE: MarkedForRemoval,
		windows.ERROR_SERVICE_LOGON_FAILED:      LogonFailed,
	} {
		if errors.Is(err, code) {
			return m.fail(failure, err)
		}
	}
	return m.fail(ManagerFailed, err, "command", commandOf(verb))
}

// commandOf returns the name of what was asked of the service control manager.
func commandOf(verb string) string {
	return "the service control manager's " + verb + " of " + serviceName
}

func (m *systemService) Status() (Status, error) {
	st := Status{Scope: m.scope(), Name: m.config.Name, User: m.User, State: Missing}
	is, err := m.service.Status()
	switch {
	case errors.Is(err, kardianos.ErrNotInstalled):
		return st, nil
	case err != nil:
		return st, m.failOf("query", err)
	}
	st.Installed, st.Enabled, st.State, st.Program = true, true, Stopped, filepath.Clean(m.Program.Path)
	if config, err := registered(); err == nil {
		st.User, st.Enabled = config.account, config.starts
	}
	if is == kardianos.StatusRunning {
		st.State = Running
	}
	return st, nil
}

// registration is what the service control manager has written down about a service.
type registration struct {
	command string // the command line
	account string
	starts  bool // by itself
}

// registered returns the registration of our service. Every user may ask for it.
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
	buf := make([]byte, 8<<10) // the most that a registration can need
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

// nothing stands for the program where the library only manages it.
type nothing struct{}

func (nothing) Start(kardianos.Service) error { return nil }
func (nothing) Stop(kardianos.Service) error  { return nil }
