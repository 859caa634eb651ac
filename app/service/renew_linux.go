package service

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/adrg/xdg"

	"blendtray/app/home"
	"blendtray/packaging"
)

// renewed returns the text of a unit as this version writes it, and whether the file differs from
// that. It fails when the file can't be read.
func renewed(file string) (text string, outdated bool, err error) {
	is, err := os.ReadFile(file)
	if err != nil {
		return "", false, err
	}
	text, outdated = packaging.Renew(string(is))
	return text, outdated, nil
}

// renew mends the unit that an earlier version has written, and has systemd read it again. A unit
// of somebody else, or that is a link to another place, stays as it is. It fails when the unit
// can't be written.
func (m *systemd) renew() error {
	text, outdated, err := renewed(m.file())
	if err != nil || !outdated {
		return nil // where no unit can be read, systemd says so
	}
	if info, err := os.Lstat(m.file()); err != nil || !info.Mode().IsRegular() {
		return nil // status says that the unit is outdated
	}
	if err := home.Replace(m.file(), []byte(text), 0o644, nil); err != nil {
		return m.fail(FileFailed, err)
	}
	_, err = m.ctl("daemon-reload")
	return err
}

// Renew has a process that systemd has started mend the unit that it was started by, when an
// earlier version of the program wrote that unit. What it does, and what only an administrator can
// do, it tells the log.
//
// The unit is changed only when systemd says that this process is the unit's main process: so
// another engine, in another home or a container, changes nobody's unit. The lines that change are
// those of [packaging.Renew]. They hold from the next end of this process on.
func (n Notifier) Renew(log *slog.Logger) {
	if n.socket == "" {
		return
	}
	who, err := user.Current()
	if err != nil {
		return // whose unit it is can't be said
	}
	for _, m := range []*systemd{
		{dir: filepath.Join(xdg.ConfigHome, "systemd", "user")},
		{dir: systemUnits, Spec: Spec{System: true, User: who.Username}},
	} {
		if _, outdated, err := renewed(m.file()); err != nil || !outdated || !m.startedThis() {
			continue
		}
		err := m.mayChange()
		if err == nil {
			err = m.renew()
		}
		if _, outdated, _ := renewed(m.file()); outdated || err != nil {
			sentence, hint := Outdated.Explain(m.facts("command", Status{Scope: m.scope(), User: m.User}.InstallCommand())...)
			log.Warn(fmt.Sprintf("%s; %s", sentence, hint), "error", err)
			continue
		}
		log.Info("the unit of this service was of an earlier version, and was mended", "file", m.file())
	}
}

// startedThis tells whether this process is the main process of the unit.
func (m *systemd) startedThis() bool {
	is, err := m.properties()
	return err == nil && is["MainPID"] == strconv.Itoa(os.Getpid())
}
