package service

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
	kardianos "github.com/kardianos/service"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/packaging"
)

// systemd keeps services by units. This package writes the units itself, for three faults of the
// library: its units of users are wanted by a target that users do not have, it fails when the
// unit exists already, and it reports a failed service as not installed.
type systemd struct {
	Spec
	dir string // the folder of the unit
}

// systemUnits is the folder of the units that an administrator writes.
const systemUnits = "/etc/systemd/system"

// New returns the manager of a service. It fails on a system without systemd, and when the flags
// name no service that is installed.
func New(spec Spec) (Manager, error) {
	if _, err := exec.LookPath("systemctl"); err != nil || kardianos.Platform() != "linux-systemd" {
		return nil, Fail(UnknownManager, nil, "system", kardianos.Platform())
	}
	m := &systemd{Spec: spec, dir: filepath.Join(xdg.ConfigHome, "systemd", "user")}
	if !spec.System {
		return m, nil
	}
	m.dir = systemUnits
	if m.User == "" {
		units, err := filepath.Glob(filepath.Join(m.dir, "blendtray-*.service"))
		if err != nil {
			return nil, m.fail(FileFailed, err)
		}
		var names []string
		for _, unit := range units {
			if ours, _ := writtenByUs(unit); ours {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "blendtray-"), ".service"))
			}
		}
		switch len(names) {
		case 0:
			return nil, Fail(NotInstalled, nil)
		case 1:
			m.User = names[0]
		default:
			return nil, Fail(SeveralServices, nil, "users", strings.Join(names, ", "), "user", names[0])
		}
	}
	return m, nil
}

func (m *systemd) unit() string {
	if m.System {
		return "blendtray-" + m.User + ".service"
	}
	return "blendtray.service"
}

func (m *systemd) file() string { return filepath.Join(m.dir, m.unit()) }

// writtenByUs tells whether a file has our mark in it. It fails when the file can't be read.
func writtenByUs(file string) (ours bool, err error) {
	text, err := os.ReadFile(file)
	return bytes.Contains(text, []byte(packaging.Mark)), err
}

// fileExists tells whether there is a unit. It fails for a unit that is masked or that something
// else wrote.
func (m *systemd) fileExists() (exists bool, err error) {
	// systemctl mask puts a link to /dev/null in the place of the unit.
	if target, err := os.Readlink(m.file()); err == nil && target == os.DevNull {
		return true, m.fail(Masked, nil)
	}
	ours, err := writtenByUs(m.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return true, m.fail(FileFailed, err)
	case !ours:
		return true, m.fail(Foreign, nil)
	}
	return true, nil
}

// fail returns the error for a failure of this service.
func (m *systemd) fail(f Failure, cause error, facts ...string) error {
	return Fail(f, cause, m.facts(facts...)...)
}

// facts returns what the failures say of this service, after more facts.
func (m *systemd) facts(more ...string) []string {
	systemctl := "systemctl --user"
	if m.System {
		systemctl = "sudo systemctl"
	}
	return append(more, "file", m.file(), "name", m.file(), "user", m.User, "program", m.Program.Path,
		"log", m.journal(), "systemctl", systemctl, "unit", m.unit())
}

func (m *systemd) Install() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	existed, err := m.fileExists()
	if err != nil {
		return err
	}
	text, err := m.unitText()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return m.fail(FileFailed, err)
	}
	if err := home.Replace(m.file(), []byte(text), 0o644, nil); err != nil {
		return m.fail(FileFailed, err)
	}
	if err := m.enable(); err != nil {
		if !existed {
			_ = os.Remove(m.file()) // written a moment ago; no half of an installation stays
			m.removeFolders()
		}
		return err
	}
	return nil
}

func (m *systemd) enable() error {
	// In this order: the manager enables only a unit that it has read.
	if _, err := m.ctl("daemon-reload"); err != nil {
		return err
	}
	_, err := m.ctl("enable", m.unit())
	return err
}

func (m *systemd) unitText() (string, error) {
	s := m.texts()
	if m.System {
		who, err := user.Lookup(m.User)
		if err != nil {
			return "", m.fail(UserUnknown, nil)
		}
		if err := reachable(m.Program.Path, who); err != nil {
			return "", err
		}
		for _, name := range []string{"video", "render"} { // the groups that may use graphics cards
			if _, err := user.LookupGroup(name); err == nil {
				s.Groups = append(s.Groups, name)
			}
		}
	}
	text, err := packaging.Systemd(s)
	if err != nil {
		return "", m.fail(BadPath, err)
	}
	return text, nil
}

// reachable fails when a user could not start a program, because the program or a folder above it
// is closed to that user.
func reachable(program string, who *user.User) error {
	if who.Uid == "0" {
		return nil
	}
	for path := program; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("find out whether %s can start the program: %w", who.Username, err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		owner := ok && strconv.FormatUint(uint64(st.Uid), 10) == who.Uid && info.Mode()&0o100 != 0
		group := ok && strconv.FormatUint(uint64(st.Gid), 10) == who.Gid && info.Mode()&0o010 != 0
		if !owner && !group && info.Mode()&0o001 == 0 {
			return Fail(ProgramClosed, nil, "user", who.Username, "program", program, "path", path)
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

func (m *systemd) Uninstall() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	exists, err := m.fileExists()
	switch {
	case err != nil:
		return err
	case !exists:
		return m.uninstallElsewhere()
	}
	_, stopped := m.ctl("stop", m.unit())
	_, disabled := m.ctl("disable", m.unit())
	m.unlink()
	// systemctl disable has removed a file that is a link to a unit elsewhere.
	if err := os.Remove(m.file()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m.fail(FileFailed, err)
	}
	m.removeFolders()
	if stopped != nil {
		return m.fail(StillRunning, stopped)
	}
	if disabled != nil {
		return disabled
	}
	if _, err := m.ctl("daemon-reload"); err != nil {
		return err
	}
	_, _ = m.ctl("reset-failed", m.unit()) // fails for a service that has not failed
	return nil
}

// unlink removes the links by which a unit is enabled, and returns whether there were any. The
// manager removes the links of a unit that it disables; without a manager that is left to us.
func (m *systemd) unlink() (were bool) {
	for _, target := range []string{"default.target", "multi-user.target"} {
		wants := filepath.Join(m.dir, target+".wants")
		were = os.Remove(filepath.Join(wants, m.unit())) == nil || were
		_ = os.Remove(wants) // if nothing else is in it
	}
	return were
}

// removeFolders removes the folders that were made for the unit of a user, if nothing else is in
// them.
func (m *systemd) removeFolders() {
	if m.System {
		return
	}
	for _, dir := range []string{m.dir, filepath.Dir(m.dir)} {
		_ = os.Remove(dir)
	}
}

// uninstallElsewhere stops and disables a unit of our name that lies in another folder, such as
// the unit of a package that a person has enabled by systemctl. The file of that unit stays. It
// fails with [NotInstalled] when there is no such unit, with [OfPackage] when the unit does not
// run and is not enabled, and with [EnabledForAll] when only an administrator can disable the unit.
func (m *systemd) uninstallElsewhere() error {
	is, err := m.properties()
	if err != nil || is["LoadState"] != "loaded" {
		if m.unlink() { // somebody has removed the file of an enabled unit
			m.removeFolders()
			_, err = m.ctl("daemon-reload")
			return err
		}
		return m.fail(NotInstalled, nil)
	}
	enabled := func() bool { return strings.HasPrefix(is["UnitFileState"], "enabled") }
	if !enabled() && is["ActiveState"] == "inactive" {
		return m.fail(OfPackage, nil, "file", is["FragmentPath"])
	}
	if _, err := m.ctl("stop", m.unit()); err != nil {
		return err
	}
	if _, err := m.ctl("disable", m.unit()); err != nil {
		return err
	}
	_, _ = m.ctl("reset-failed", m.unit()) // fails for a service that has not failed
	m.removeFolders()
	if is, err = m.properties(); err != nil {
		return err
	}
	if enabled() {
		return m.fail(EnabledForAll, nil)
	}
	return nil
}

func (m *systemd) Start() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if err := m.renew(); err != nil {
		return err
	}
	// systemd would refuse to start a service that has failed too often.
	_, _ = m.ctl("reset-failed", m.unit())
	_, err := m.ctl("start", m.unit())
	return m.didNotStart(err)
}

func (m *systemd) Stop() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	_, err := m.ctl("stop", m.unit())
	return err
}

func (m *systemd) Restart() error {
	if err := m.mayChange(); err != nil {
		return err
	}
	if err := m.renew(); err != nil {
		return err
	}
	_, _ = m.ctl("reset-failed", m.unit())
	_, err := m.ctl("restart", m.unit())
	return m.didNotStart(err)
}

// didNotStart returns the error of a service for which systemctl failed with err: why the service
// failed, if systemd knows that.
func (m *systemd) didNotStart(err error) error {
	if err == nil {
		return nil
	}
	is, statusErr := m.properties()
	if statusErr != nil || is["ActiveState"] == "active" {
		return err
	}
	failure, facts := endOf(is)
	if failure == "" {
		return err
	}
	return fmt.Errorf("the service did not start: %w", m.fail(failure, nil, facts...))
}

func (m *systemd) journal() string {
	if m.System {
		return "`journalctl -u " + m.unit() + "`"
	}
	return "`journalctl --user -u " + m.unit() + "`"
}

// properties asks systemd about the unit.
func (m *systemd) properties() (map[string]string, error) {
	out, err := m.ctl("show", m.unit(),
		"--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,StatusText,FragmentPath,ExecMainStatus,NRestarts")
	if err != nil {
		return nil, err
	}
	is := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		is[name] = value
	}
	return is, nil
}

func (m *systemd) Status() (Status, error) {
	st := Status{Scope: m.scope(), Name: m.unit(), State: Missing, User: m.User}
	if !m.System {
		if who, err := user.Current(); err == nil {
			st.User = who.Username
			_, err := os.Stat("/var/lib/systemd/linger/" + who.Username)
			lingering := err == nil
			st.Lingering = &lingering
		}
	}
	is, err := m.properties()
	if errors.Is(err, NoUserManager) || errors.Is(err, NoSystemManager) {
		// Without a manager nothing runs, and what is not there is not installed.
		if exists, fileErr := m.fileExists(); !exists && fileErr == nil {
			return st, nil
		}
	}
	if err != nil {
		return st, err
	}
	if is["LoadState"] == "not-found" && is["ActiveState"] == "inactive" {
		return st, nil
	}
	st.Installed = is["LoadState"] == "loaded"
	st.Enabled = strings.HasPrefix(is["UnitFileState"], "enabled")
	st.Path = is["FragmentPath"]
	st.Program = programOf(st.Path)
	_, st.Outdated, _ = renewed(st.Path)    // a unit that can't be read counts as right
	st.PID, _ = strconv.Atoi(is["MainPID"]) // 0 when systemd names no process
	switch is["ActiveState"] {
	case "active":
		st.State, st.Text = Running, is["StatusText"]
	case "activating", "reloading":
		st.State = Starting
		if is["SubState"] == "auto-restart" {
			st.Failure, st.Error = m.end(is)
			st.Error += ", and systemd starts it again"
		}
	case "deactivating":
		st.State = Stopping
	case "failed":
		st.State = Failed
		st.Failure, st.Error = m.end(is)
		st.Error += "; " + m.journal() + " shows what it said"
	default:
		st.State = Stopped
	}
	if is["LoadState"] == "masked" {
		st.Failure = Masked
		st.Error, _ = Masked.Explain(m.facts()...)
	}
	return st, nil
}

// end returns why the service's process ended, also in words.
func (m *systemd) end(is map[string]string) (Failure, string) {
	failure, facts := endOf(is)
	if failure == "" {
		return "", "it ended"
	}
	sentence, _ := failure.Explain(m.facts(facts...)...)
	return failure, sentence
}

// endOf returns why the process of a unit with these properties ended, and the facts of that. It
// returns "" for a process that did not fail. The results are those of systemd.exec(5),
// $SERVICE_RESULT, and the exit codes from 200 on are systemd's own.
func endOf(is map[string]string) (failure Failure, facts []string) {
	code, _ := strconv.Atoi(is["ExecMainStatus"]) // 0 when systemd names none
	switch is["Result"] {
	case "", "success":
		return "", nil
	case "exit-code":
		facts = []string{"code", is["ExecMainStatus"]}
		switch {
		case code == fault.Config:
			return SettingsRefused, facts
		case code == exitOfGo:
			return Killed, facts
		case code == exitExec:
			return ProgramNotStarted, facts
		case code >= firstOfSystemd && code <= lastOfSystemd:
			return NotPrepared, facts
		}
		return EndedWithCode, facts
	case "signal", "core-dump":
		return Killed, nil
	case "oom-kill":
		return OutOfMemory, nil
	case "timeout":
		return TookTooLong, nil
	case "watchdog":
		return NoSignOfLife, nil
	case "start-limit-hit":
		return FailedTooOften, nil
	}
	return EndedOtherwise, []string{"result", is["Result"]}
}

// exitOfGo is the exit code of a Go program that crashes, also by the signals ABRT and QUIT. A wrong
// command line has the same exit code, but the command line of the unit is right.
const exitOfGo = 2

// The exit codes of a process that systemd could not turn into the service's program:
// systemd.exec(5), "Process Exit Codes".
const (
	firstOfSystemd = 200
	exitExec       = 203 // the program can't be executed
	lastOfSystemd  = 245
)

// programOf returns the program that a unit starts, or "".
func programOf(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "" // the program is only shown
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Trim(strings.TrimSuffix(strings.TrimSpace(command), " serve"), `"`)
		}
	}
	return ""
}

// mayChange fails for a service that only an administrator may change.
func (m *systemd) mayChange() error {
	if m.System && os.Geteuid() != 0 {
		return m.fail(NotAdministrator, nil)
	}
	return nil
}

// ctl runs systemctl and returns what it printed.
func (m *systemd) ctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), managerTimeout)
	defer cancel()
	if !m.System {
		args = append([]string{"--user"}, args...)
	}
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--no-pager", "--no-ask-password"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	command := "systemctl " + strings.Join(args, " ")
	err := cmd.Run()
	said := strings.TrimSpace(errs.String())
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", m.fail(ManagerTimedOut, nil, "command", command, "time", managerTimeout.String())
	case said == "":
		return "", m.fail(ManagerFailed, err, "command", command)
	}
	return "", m.fail(m.refusal(said), errors.New(said), "command", command, "user", nameOfUser())
}

// nameOfUser returns the name of the user of this process, or NAME.
func nameOfUser() string {
	who, err := user.Current()
	if err != nil {
		return "NAME"
	}
	return who.Username
}

// refusal returns which failure it is that systemctl has printed.
func (m *systemd) refusal(said string) Failure {
	has := func(text string) bool { return strings.Contains(said, text) }
	switch {
	case has("Failed to connect to") || has("System has not been booted with systemd"):
		if m.System {
			return NoSystemManager
		}
		return NoUserManager
	case has("Access denied") || has("authentication required"):
		return NotAllowed
	case has("is masked"):
		return Masked
	}
	return ManagerFailed
}
