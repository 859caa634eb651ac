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

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/term"

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
			return "", fail(exitFailed, "start the tray at login instead", "this Windows has no task scheduler")
		}
		return "", fail(exitFailed, "see the Task Scheduler", "schtasks %s: %v: %s", args[0], err, said)
	}
	return string(out), nil
}

func (m *logonTask) install() error {
	text, err := packaging.Task(m.text())
	if err != nil {
		return err
	}
	if out, err := m.schtasks("/Query", "/TN", m.name(), "/XML"); err == nil && !strings.Contains(out, "blendtray") {
		return fail(exitFailed, "remove it, if it is not wanted", "there is a task %q already: %w", m.name(), errForeign)
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
	_, err = m.schtasks("/Create", "/F", "/TN", m.name(), "/XML", file.Name())
	return err
}

func (m *logonTask) uninstall() error {
	if _, err := m.schtasks("/Query", "/TN", m.name()); err != nil {
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
	if address, err := engineAddress(m.paths); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		client := control.NewClient(address)
		if client.Shutdown(ctx) == nil {
			for ctx.Err() == nil && engineLocked(m.paths) {
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
	out, err := m.schtasks("/Query", "/TN", m.name(), "/XML")
	if err != nil {
		return st, nil // it says no more than that there is none
	}
	st.Installed, st.Enabled, st.State = true, !strings.Contains(out, "<Enabled>false</Enabled>"), serviceStopped
	st.Program = m.program
	if engineLocked(m.paths) {
		st.State = serviceRunning
	}
	return st, nil
}

// systemService is one that the service control manager starts, through the library.
type systemService struct {
	serviceSpec
	service service.Service
	config  *service.Config
}

func newSystemService(spec serviceSpec) (manager, error) {
	config := &service.Config{
		Name: "Blendtray", DisplayName: "Blendtray", Executable: spec.program, Arguments: []string{"serve"},
		Description: "Runs Python scripts in a warm Blender",
		Option:      service.KeyValue{"OnFailure": "restart", "OnFailureDelayDuration": "5s", "DelayedAutoStart": true},
	}
	if spec.home != "" {
		config.EnvVars = map[string]string{"BLENDTRAY_HOME": spec.home}
	}
	s, err := service.New(nothing{}, config)
	return &systemService{spec, s, config}, err
}

func (m *systemService) install() error {
	if !strings.EqualFold(m.user, "LocalSystem") && !strings.EqualFold(m.user, "root") {
		account := m.user
		if !strings.Contains(account, `\`) {
			account = `.\` + account
		}
		fmt.Fprintf(os.Stderr, "the password of %s, which the service logs on with: ", account)
		password, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return fail(exitFailed, "run this in a console", "the password can't be read: %w", err)
		}
		m.config.UserName = account
		m.config.Option["Password"] = string(password)
	}
	return m.explained(m.bounded(m.service.Install))
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

func (m *systemService) start() error   { return m.explained(m.bounded(m.service.Start)) }
func (m *systemService) stop() error    { return m.explained(m.bounded(m.service.Stop)) }
func (m *systemService) restart() error { return m.explained(m.bounded(m.service.Restart)) }

func (m *systemService) bounded(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(serviceTime):
		return fail(exitFailed, "see services.msc", "Windows did not do it within %v", serviceTime)
	}
}

// explained words what the service control manager says.
func (m *systemService) explained(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fail(exitFailed, "run it in a console that was started as administrator", "a service of the machine takes an administrator: %w", err)
	case errors.Is(err, windows.ERROR_SERVICE_LOGON_FAILED):
		return fail(exitFailed, "install it again with the right password, and see that the user may log on as a service", "the service can't log on: %w", err)
	}
	return fail(exitFailed, "see services.msc and the Event Viewer", "%w", err)
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
	if is == service.StatusRunning {
		st.State = serviceRunning
	}
	return st, nil
}

// nothing stands for the program where the library is used only to manage it.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }

// underServiceManager does run, which returns when stop is called, and answers the service
// control manager meanwhile if that started this process.
func underServiceManager(run func() error, stop func()) error {
	if service.Interactive() {
		return run()
	}
	p := &program{run: run, stop: stop, done: make(chan error, 1)}
	s, err := service.New(p, &service.Config{Name: "Blendtray"})
	if err != nil {
		return err
	}
	if err := s.Run(); err != nil {
		return err
	}
	return p.err
}

// program is the engine as the library runs it.
type program struct {
	run  func() error
	stop func()
	done chan error
	err  error
}

// Start returns at once, as the service control manager wants it.
func (p *program) Start(s service.Service) error {
	go func() {
		err := p.run()
		p.done <- err
		if err != nil {
			os.Exit(exitFailed) // so that it is started again
		}
		_ = s.Stop() // it ended by itself, because a client asked it to
	}()
	return nil
}

// Stop waits for the end of the engine.
func (p *program) Stop(service.Service) error {
	p.stop()
	select {
	case p.err = <-p.done:
	case <-time.After(30 * time.Second):
	}
	return nil
}
