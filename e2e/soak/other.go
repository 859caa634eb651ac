//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// The kernel lets a program ask who has a file open only for files of its own user, so that saves of
// another user settle in a way of their own. Only root can save as another user. Root may ask about
// all files; so the engine is started without that right, as an engine of an ordinary user is.

// makeOther makes the folder into which another user writes. It returns why it can't.
func (p *place) makeOther() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can save as another user")
	}
	uid, err := unusedID()
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		return err
	}
	others := filepath.Join(p.dir, "others")
	if err := errors.Join(os.Mkdir(others, 0o755), os.Chmod(p.dir, 0o711)); err != nil {
		return err
	}
	if err := os.Chown(others, uid, uid); err != nil {
		return err
	}
	p.uid, p.others = uid, others
	if out, err := p.asOther("test", "-w", others).CombinedOutput(); err != nil {
		p.others = ""
		return fmt.Errorf("a program of user %d can't write to %s: %w: %s", uid, others, err, out)
	}
	return nil
}

// unusedID returns a number that no user and no group has.
func unusedID() (int, error) {
	for id := 60999; id > 60000; id-- {
		_, err := user.LookupId(strconv.Itoa(id))
		_, errGroup := user.LookupGroupId(strconv.Itoa(id))
		if err != nil && errGroup != nil {
			return id, nil
		}
	}
	return 0, errors.New("all numbers of users are taken")
}

// asOther returns a command that runs as the other user.
func (p *place) asOther(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	id := uint32(p.uid)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	return cmd
}

// engineCommand returns the command that starts the engine.
func (p *place) engineCommand() *exec.Cmd {
	if p.others == "" {
		return exec.Command(p.binary, "serve")
	}
	return exec.Command("setpriv", "--bounding-set", "-lease", p.binary, "serve")
}
