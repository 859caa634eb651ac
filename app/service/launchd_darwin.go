package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	kardianos "github.com/kardianos/service"

	"blendtray/packaging"
)

// launchd keeps services by property lists, through the library. This package gives the library
// the text of the list, and never replaces a list that something else wrote.
type launchd struct {
	Spec
	service kardianos.Service
	label   string
	file    string
	log     string
}

// New returns the manager of a service. It fails when the flags name no service that is installed.
func New(spec Spec) (Manager, error) {
	m := &launchd{Spec: spec, label: launchdLabel}
	m.log = spec.Paths.ServiceLog()
	folder := "/Library/LaunchDaemons"
	if spec.System {
		if spec.User == "" {
			found, err := filepath.Glob(folder + "/" + m.label + ".*.plist")
			if err != nil || len(found) == 0 {
				return nil, Fail(NotInstalled, nil)
			}
			if len(found) > 1 {
				var names []string
				for _, file := range found {
					names = append(names, m.userOf(file))
				}
				return nil, Fail(SeveralServices, nil, "users", strings.Join(names, ", "), "user", names[0])
			}
			m.User = m.userOf(found[0])
		}
		m.label += "." + m.User
		m.log = "/Library/Logs/" + m.label + ".log"
	} else {
		user, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("no folder for the service: %w", err)
		}
		folder = filepath.Join(user, "Library/LaunchAgents")
	}
	m.file = filepath.Join(folder, m.label+".plist")
	texts := m.texts()
	texts.Log = m.log
	list, err := packaging.Launchd(texts)
	if err != nil {
		return nil, m.fail(BadPath, err, "program", m.Program.Path)
	}
	m.service, err = kardianos.New(nothing{}, &kardianos.Config{
		Name: m.label, Executable: spec.Program.Path, Arguments: []string{"serve"}, UserName: m.User,
		Option: kardianos.KeyValue{"UserService": !spec.System, "LaunchdConfig": list},
	})
	return m, err
}

// userOf returns the user that a property list of the machine names in its own name.
func (m *launchd) userOf(file string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), m.label+"."), ".plist")
}

// fail returns the error for a failure of this service.
func (m *launchd) fail(f Failure, cause error, facts ...string) error {
	return Fail(f, cause, append(facts, "file", m.file, "name", m.file, "user", m.User, "log", m.log)...)
}

// mayChange fails for a service that only an administrator may change.
func (m *launchd) mayChange() error {
	if m.System && os.Geteuid() != 0 {
		return m.fail(NotAdministrator, nil)
	}
	return nil
}

func (m *launchd) Install() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if m.System {
		if _, err := user.Lookup(m.User); err != nil {
			return m.fail(UserUnknown, nil)
		}
	}
	exists, err := m.fileExists()
	if err != nil {
		return err
	}
	if exists {
		// The library replaces no list, so the old list is unloaded, if it was loaded, and removed.
		_ = m.launchctl("unload", m.service.Stop)
		if err := os.Remove(m.file); err != nil {
			return m.fail(FileFailed, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(m.log), 0o700); err != nil && !m.System {
		return m.fail(FileFailed, err)
	}
	if err := m.service.Install(); err != nil {
		return m.fail(FileFailed, err) // the library only writes the list
	}
	return nil
}

func (m *launchd) Uninstall() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	exists, err := m.fileExists()
	switch {
	case err != nil:
		return err
	case !exists:
		return m.fail(NotInstalled, nil)
	}
	return m.launchctl("unload", m.service.Uninstall)
}

// fileExists tells whether there is a property list. It fails for a list that something else
// wrote.
func (m *launchd) fileExists() (exists bool, err error) {
	text, err := os.ReadFile(m.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return true, m.fail(FileFailed, err)
	case !strings.Contains(string(text), packaging.Mark):
		return true, m.fail(Foreign, nil)
	}
	return true, nil
}

// Start loads the list, which starts the service. A list that is loaded already is unloaded first.
func (m *launchd) Start() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if st, err := m.Status(); err == nil && st.State == Running {
		return nil
	}
	_ = m.launchctl("unload", m.service.Stop) // fails when the list is not loaded
	return m.launchctl("load", m.service.Start)
}

func (m *launchd) Stop() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	return m.launchctl("unload", m.service.Stop)
}

func (m *launchd) Restart() error { return errors.Join(m.Stop(), m.Start()) }

func (m *launchd) Status() (Status, error) {
	st := Status{Scope: m.scope(), Name: m.label, User: m.User, State: Missing}
	if !m.System {
		if who, err := user.Current(); err == nil {
			st.User = who.Username
		}
	}
	if _, err := os.Stat(m.file); errors.Is(err, fs.ErrNotExist) {
		return st, nil
	} else if err != nil {
		return st, m.fail(FileFailed, err)
	}
	st.Installed, st.Enabled, st.Path, st.State = true, true, m.file, Stopped
	is, err := m.service.Status()
	if is == kardianos.StatusRunning {
		st.State = Running
	} else if err != nil {
		st.Error = err.Error()
	}
	return st, nil
}

// launchctl has the library call launchctl, which may never return.
func (m *launchd) launchctl(verb string, do func() error) error {
	command := "launchctl " + verb + " " + m.label
	err := bounded(do, "command", command, "log", m.log)
	if err == nil || errors.Is(err, ManagerTimedOut) {
		return err
	}
	return m.fail(ManagerFailed, err, "command", command)
}

// nothing stands for the program where the library only manages it.
type nothing struct{}

func (nothing) Start(kardianos.Service) error { return nil }
func (nothing) Stop(kardianos.Service) error  { return nil }
