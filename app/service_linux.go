package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/adrg/xdg"
	"github.com/kardianos/service"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/packaging"
)

// systemd keeps services by units. They are written here and not by the library: its units of
// users are wanted by a target that users do not have, it fails where there is a unit already,
// and it takes a failed one for one that is not installed.
type systemd struct {
	serviceSpec
	dir string // where units lie
}

// systemUnits is where an administrator's units lie.
const systemUnits = "/etc/systemd/system"

func newManager(spec serviceSpec) (manager, error) {
	if _, err := exec.LookPath("systemctl"); err != nil || service.Platform() != "linux-systemd" {
		return nil, fault.New(fault.Failed, "have it start `blendtray serve` in its own way; it ends on SIGTERM and needs no terminal",
			"this system is not kept by systemd (it is %q), and no other is known here", service.Platform())
	}
	m := &systemd{serviceSpec: spec, dir: filepath.Join(xdg.ConfigHome, "systemd", "user")}
	if !spec.system {
		return m, nil
	}
	m.dir = systemUnits
	if m.user == "" {
		units, err := filepath.Glob(filepath.Join(m.dir, "blendtray-*.service"))
		if err != nil {
			return nil, err
		}
		var names []string
		for _, unit := range units {
			if ours, _ := writtenByUs(unit); ours {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "blendtray-"), ".service"))
			}
		}
		switch len(names) {
		case 0:
			return nil, notThere(errNotInstalled)
		case 1:
			m.user = names[0]
		default:
			return nil, fault.New(fault.Usage, "say which one: --user "+names[0], "there are services of %s", strings.Join(names, ", "))
		}
	}
	return m, nil
}

func (m *systemd) unit() string {
	if m.system {
		return "blendtray-" + m.user + ".service"
	}
	return "blendtray.service"
}

func (m *systemd) file() string { return filepath.Join(m.dir, m.unit()) }

// writtenByUs tells whether there is a file, and whether it has our mark in it.
func writtenByUs(file string) (ours bool, err error) {
	text, err := os.ReadFile(file)
	return bytes.Contains(text, []byte(packaging.Mark)), err
}

func (m *systemd) install() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	ours, err := writtenByUs(m.file())
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !fresh:
		return fmt.Errorf("read the unit that is there: %w", err)
	case err == nil && !ours:
		return fault.New(fault.Failed, "remove it, or move it away, if it is not wanted", "%s is there already: %w", m.file(), errForeign)
	}
	text, err := m.unitText()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the unit: %w", err)
	}
	if err := home.Replace(m.file(), []byte(text), 0o644, nil); err != nil {
		return fmt.Errorf("write the unit: %w", err)
	}
	if err := m.enable(); err != nil {
		if fresh {
			_ = os.Remove(m.file()) // written a moment ago; nothing half is left
		}
		return err
	}
	return nil
}

func (m *systemd) enable() error {
	// In this order: the manager enables what it knows.
	if _, err := m.ctl("daemon-reload"); err != nil {
		return err
	}
	_, err := m.ctl("enable", m.unit())
	return err
}

func (m *systemd) unitText() (string, error) {
	s := m.text()
	if m.system {
		who, err := user.Lookup(m.user)
		if err != nil {
			return "", fault.New(fault.Failed, "sudo useradd --create-home "+m.user+", or name another one", "there is no user %s", m.user)
		}
		if err := reachable(m.program, who); err != nil {
			return "", err
		}
		for _, name := range []string{"video", "render"} { // who may use graphics cards
			if _, err := user.LookupGroup(name); err == nil {
				s.Groups = append(s.Groups, name)
			}
		}
	}
	return packaging.Systemd(s)
}

// reachable fails when a user could not start a program, because of a folder on the way.
func reachable(program string, who *user.User) error {
	if who.Uid == "0" {
		return nil
	}
	for path := program; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		owner := ok && strconv.FormatUint(uint64(st.Uid), 10) == who.Uid && info.Mode()&0o100 != 0
		group := ok && strconv.FormatUint(uint64(st.Gid), 10) == who.Gid && info.Mode()&0o010 != 0
		if !owner && !group && info.Mode()&0o001 == 0 {
			return fault.New(fault.Failed, "install the program where all may start it, in /usr/local/bin say, and try again from there",
				"%s can't start %s: %s is closed to that user", who.Username, program, path)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

func (m *systemd) uninstall() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	ours, err := writtenByUs(m.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotInstalled
	case err != nil:
		return err
	case !ours:
		return fault.New(fault.Failed, "whoever wrote it knows how to remove it", "%s: %w", m.file(), errForeign)
	}
	_, stopped := m.ctl("stop", m.unit())
	_, disabled := m.ctl("disable", m.unit())
	// Without a manager the links are ours to remove; else it has done so.
	for _, target := range []string{"default.target", "multi-user.target"} {
		_ = os.Remove(filepath.Join(m.dir, target+".wants", m.unit()))
		_ = os.Remove(filepath.Join(m.dir, target+".wants")) // if nothing else is in it
	}
	if err := os.Remove(m.file()); err != nil {
		return fmt.Errorf("remove the unit: %w", err)
	}
	if !m.system {
		for _, dir := range []string{m.dir, filepath.Dir(m.dir)} {
			_ = os.Remove(dir) // if it was made for this, and nothing else is in it
		}
	}
	if stopped != nil {
		return fmt.Errorf("the service is removed, but could not be stopped: %w", stopped)
	}
	if disabled != nil {
		return disabled
	}
	if _, err := m.ctl("daemon-reload"); err != nil {
		return err
	}
	_, _ = m.ctl("reset-failed", m.unit()) // one that has not failed is an error to it
	return nil
}

func (m *systemd) start() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	// One that has failed too often would be refused.
	_, _ = m.ctl("reset-failed", m.unit())
	_, err := m.ctl("start", m.unit())
	return m.explained(err)
}

func (m *systemd) stop() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	_, err := m.ctl("stop", m.unit())
	return err
}

func (m *systemd) restart() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	_, _ = m.ctl("reset-failed", m.unit())
	_, err := m.ctl("restart", m.unit())
	return m.explained(err)
}

// explained says of a service that did not start where its last words are.
func (m *systemd) explained(err error) error {
	if err == nil {
		return nil
	}
	st, statusErr := m.status()
	if statusErr != nil || st.State == serviceRunning {
		return err
	}
	return fault.New(fault.Failed, m.journal()+" shows what it said", "the service did not start: %s", st.Error)
}

func (m *systemd) journal() string {
	if m.system {
		return "`journalctl -u " + m.unit() + "`"
	}
	return "`journalctl --user -u " + m.unit() + "`"
}

func (m *systemd) status() (ServiceStatus, error) {
	st := ServiceStatus{
		Scope: m.scope(), Name: m.unit(), State: serviceMissing, User: m.user,
	}
	if !m.system {
		if who, err := user.Current(); err == nil {
			st.User = who.Username
			_, err := os.Stat("/var/lib/systemd/linger/" + who.Username)
			lingering := err == nil
			st.Lingering = &lingering
		}
	}
	out, err := m.ctl("show", m.unit(),
		"--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,StatusText,FragmentPath,ExecMainStatus,NRestarts")
	if err != nil {
		return st, err
	}
	is := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		is[name] = value
	}
	if is["LoadState"] == "not-found" && is["ActiveState"] == "inactive" {
		return st, nil
	}
	st.Installed = is["LoadState"] == "loaded"
	st.Enabled = strings.HasPrefix(is["UnitFileState"], "enabled")
	st.Path = is["FragmentPath"]
	st.Program = programOf(st.Path)
	st.PID, _ = strconv.Atoi(is["MainPID"]) // 0 when it says nothing
	switch is["ActiveState"] {
	case "active":
		st.State, st.Text = serviceRunning, is["StatusText"]
	case "activating", "reloading":
		st.State = serviceStarting
		if is["SubState"] == "auto-restart" {
			st.Error = "it ended (" + m.ended(is) + ") and is started again"
		}
	case "deactivating":
		st.State = serviceStopping
	case "failed":
		st.State = serviceFailed
		st.Error = "it failed (" + m.ended(is) + "); " + m.journal() + " shows what it said"
	default:
		st.State = serviceStopped
	}
	return st, nil
}

// ended words how the service's process ended.
func (m *systemd) ended(is map[string]string) string {
	switch is["Result"] {
	case "exit-code":
		if is["ExecMainStatus"] == strconv.Itoa(fault.Usage) {
			return "its settings are wrong"
		}
		if is["ExecMainStatus"] == "203" {
			return "its program can't be started"
		}
		return "exit code " + is["ExecMainStatus"]
	case "start-limit-hit":
		return "too often in too short a time"
	default:
		return is["Result"]
	}
}

// programOf is what a unit starts.
func programOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "" // it is only shown
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Trim(strings.TrimSuffix(strings.TrimSpace(command), " serve"), `"`)
		}
	}
	return ""
}

// mayChange fails early for what only an administrator may do.
func (m *systemd) mayChange() error {
	if m.system && os.Geteuid() != 0 {
		return fault.New(fault.Failed, "put sudo before it", "a service of the machine takes an administrator")
	}
	return nil
}

// ctl has systemctl do something and returns what it printed.
func (m *systemd) ctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), serviceTime)
	defer cancel()
	if !m.system {
		args = append([]string{"--user"}, args...)
	}
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--no-pager", "--no-ask-password"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	said := strings.TrimSpace(errs.String())
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fault.New(fault.Failed, m.journal()+" shows what it does", "systemd did not do it within %v: systemctl %s", serviceTime, strings.Join(args, " "))
	case strings.Contains(said, "Failed to connect to") || strings.Contains(said, "System has not been booted with systemd"):
		hint := "log in to a session that systemd keeps (`machinectl shell " + os.Getenv("USER") + "@` after su or sudo), or run `blendtray serve`"
		if m.system {
			hint = "run `blendtray serve` instead: in a container, say"
		}
		return "", fault.New(fault.Failed, hint, "no systemd manager answers: %s", said)
	case strings.Contains(said, "Access denied") || strings.Contains(said, "authentication required"):
		return "", fault.New(fault.Failed, "put sudo before it", "systemd does not allow it: %s", said)
	}
	if said == "" {
		said = err.Error()
	}
	return "", fault.New(fault.Failed, m.journal()+" may say more", "systemctl %s: %s", strings.Join(args, " "), said)
}
