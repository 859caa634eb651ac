package app

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/kardianos/service"

	"blendtray/app/fault"
	"blendtray/packaging"
)

// launchd keeps services by property lists, through the library. What it writes is ours, and
// what is there already is looked at before.
type launchd struct {
	serviceSpec
	service service.Service
	label   string
	file    string
	log     string
}

func newManager(spec serviceSpec) (manager, error) {
	m := &launchd{serviceSpec: spec, label: "org.blendtray.Blendtray"}
	m.log = spec.paths.ServiceLog()
	folder := "/Library/LaunchDaemons"
	if spec.system {
		if spec.user == "" {
			found, err := filepath.Glob(folder + "/" + m.label + ".*.plist")
			if err != nil || len(found) == 0 {
				return nil, notThere(errNotInstalled)
			}
			if len(found) > 1 {
				return nil, fault.New(fault.Usage, "say which one: --user NAME", "there are services of %d users", len(found))
			}
			m.user = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), m.label+"."), ".plist")
		}
		m.label += "." + m.user
		m.log = "/Library/Logs/" + m.label + ".log"
	} else {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		folder = filepath.Join(home, "Library/LaunchAgents")
	}
	m.file = filepath.Join(folder, m.label+".plist")
	text := m.text()
	text.Log = m.log
	list, err := packaging.Launchd(text)
	if err != nil {
		return nil, err
	}
	m.service, err = service.New(nothing{}, &service.Config{
		Name: m.label, Executable: spec.program, Arguments: []string{"serve"}, UserName: m.user,
		Option: service.KeyValue{"UserService": !spec.system, "LaunchdConfig": list},
	})
	return m, err
}

func (m *launchd) mayChange() error {
	if m.system && os.Geteuid() != 0 {
		return fault.New(fault.Failed, "put sudo before it", "a service of the machine takes an administrator")
	}
	return nil
}

func (m *launchd) install() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if m.system {
		if _, err := user.Lookup(m.user); err != nil {
			return fault.New(fault.Failed, "name another one", "there is no user %s", m.user)
		}
	}
	text, err := os.ReadFile(m.file)
	switch {
	case err == nil && !strings.Contains(string(text), packaging.Mark):
		return fault.New(fault.Failed, "remove it, if it is not wanted", "%s is there already: %w", m.file, errForeign)
	case err == nil:
		// The library replaces none. It is unloaded first; one that was not loaded is no matter.
		_ = m.bounded(m.service.Stop)
		if err := os.Remove(m.file); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.log), 0o700); err != nil && !m.system {
		return err
	}
	return m.service.Install()
}

func (m *launchd) uninstall() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	text, err := os.ReadFile(m.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotInstalled
	case err != nil:
		return err
	case !strings.Contains(string(text), packaging.Mark):
		return fault.New(fault.Failed, "whoever wrote it knows how to remove it", "%s: %w", m.file, errForeign)
	}
	return m.bounded(m.service.Uninstall)
}

// start loads it, which starts it; one that is loaded already has to be told so.
func (m *launchd) start() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if st, err := m.status(); err == nil && st.State == serviceRunning {
		return nil
	}
	_ = m.bounded(m.service.Stop) // loaded, and ended
	return m.bounded(m.service.Start)
}

func (m *launchd) stop() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	return m.bounded(m.service.Stop)
}

func (m *launchd) restart() error { return errors.Join(m.stop(), m.start()) }

func (m *launchd) status() (ServiceStatus, error) {
	st := ServiceStatus{Scope: m.scope(), Name: m.label, User: m.user, State: serviceMissing}
	if !m.system {
		if who, err := user.Current(); err == nil {
			st.User = who.Username
		}
	}
	if _, err := os.Stat(m.file); errors.Is(err, fs.ErrNotExist) {
		return st, nil
	} else if err != nil {
		return st, err
	}
	st.Installed, st.Enabled, st.Path, st.State = true, true, m.file, serviceStopped
	is, err := m.service.Status()
	if is == service.StatusRunning {
		st.State = serviceRunning
	} else if err != nil {
		st.Error = err.Error()
	}
	return st, nil
}

// bounded does something that launchd may never come back from.
func (m *launchd) bounded(do func() error) error { return bounded(m.label, do) }

func bounded(name string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(serviceTime):
		return fault.New(fault.Failed, "", "the system did not do it with %s within %v", name, serviceTime)
	}
}

// nothing stands for the program where the library is used only to manage it.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }
