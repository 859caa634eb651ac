package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/windows"

	"blendtray/app/home"
	"blendtray/control"
	"blendtray/packaging"
)

// logonTask keeps a service of the user. Windows has services of the machine only, so this one is a
// task of the Task Scheduler, which starts at logon.
type logonTask struct{ Spec }

func (m *logonTask) name() string {
	_, name, found := strings.Cut(m.User, `\`)
	if !found {
		name = m.User
	}
	return "Blendtray " + name
}

// fail returns the error for a failure of this service.
func (m *logonTask) fail(f Failure, cause error, facts ...string) error {
	return Fail(f, cause, append(facts, "name", "the task "+m.name(), "user", m.User, "log", "the Task Scheduler", "file", os.TempDir())...)
}

// schtasks runs schtasks.exe and returns what it printed.
func (m *logonTask) schtasks(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), managerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "schtasks.exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
	command := "schtasks " + args[0]
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return string(out), nil
	case errors.Is(err, exec.ErrNotFound):
		return "", m.fail(NoTaskScheduler, nil)
	case ctx.Err() != nil:
		return "", m.fail(ManagerTimedOut, nil, "command", command, "time", managerTimeout.String())
	}
	return "", m.fail(ManagerFailed, fmt.Errorf("%w: %s", err, bytes.TrimSpace(out)), "command", command)
}

func (m *logonTask) Install() error {
	text, err := packaging.Task(m.texts())
	if err != nil {
		return m.fail(BadPath, err, "program", m.Program.Path)
	}
	if out, installed := m.definition(); installed && !strings.Contains(out, "blendtray") {
		return m.fail(Foreign, nil)
	}
	file, err := os.CreateTemp("", "blendtray-*.xml")
	if err != nil {
		return m.fail(FileFailed, err)
	}
	defer os.Remove(file.Name())
	units := append([]uint16{0xfeff}, utf16.Encode([]rune(text))...)
	err = binary.Write(file, binary.LittleEndian, units)
	if err := errors.Join(err, file.Close()); err != nil {
		return m.fail(FileFailed, err)
	}
	if _, err = m.schtasks("/Create", "/F", "/TN", m.name(), "/XML", file.Name()); err != nil {
		return err
	}
	if _, installed := m.definition(); !installed {
		return m.fail(TaskLost, nil)
	}
	return nil
}

// definition returns the task as the scheduler has it.
func (m *logonTask) definition() (xml string, installed bool) {
	out, err := m.schtasks("/Query", "/TN", m.name(), "/XML")
	return out, err == nil && strings.Contains(out, "<Task")
}

func (m *logonTask) Uninstall() error {
	if _, installed := m.definition(); !installed {
		return m.fail(NotInstalled, nil)
	}
	return errors.Join(m.Stop(), func() error {
		_, err := m.schtasks("/Delete", "/F", "/TN", m.name())
		return err
	}())
}

func (m *logonTask) Start() error {
	_, err := m.schtasks("/Run", "/TN", m.name())
	return err
}

// Stop asks the engine to end, and then has the scheduler end the task. The engine has as long for its runs as
// its settings say.
func (m *logonTask) Stop() error {
	if address, err := home.EngineAddress(m.Paths); err == nil {
		client := control.NewClient(address)
		ctx, cancel := context.WithTimeout(context.Background(), TimeToStop(client))
		defer cancel()
		if client.Shutdown(ctx) == nil {
			for ctx.Err() == nil && home.EngineRuns(m.Paths) {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
	_, err := m.schtasks("/End", "/TN", m.name())
	return err
}

func (m *logonTask) Restart() error { return errors.Join(m.Stop(), m.Start()) }

func (m *logonTask) Status() (Status, error) {
	st := Status{Scope: m.scope(), Name: m.name(), User: m.User, State: Missing}
	out, installed := m.definition()
	if !installed {
		return st, nil // the scheduler does not say why it has no such task
	}
	st.Installed, st.Enabled, st.State = true, !strings.Contains(out, "<Enabled>false</Enabled>"), Stopped
	st.Program = m.Program.Path
	if home.EngineRuns(m.Paths) {
		st.State = Running
	}
	return st, nil
}
