// Package service has the system keep an engine running: by a unit of systemd, a property list of
// launchd, a task or a service of Windows. Packaging has their texts; this package writes them,
// and asks the system to start and stop what they describe. It reads no settings, and prints nothing
// but a question for a password on Windows: the command `blendtray service` is in package app.
//
// A [Spec] says which service is meant, [New] returns the [Manager] that keeps it on this system.
// Every way in which that can fail is a [Failure] with a name, a sentence and a hint. In the
// process that the system has started, [Run] answers the system, and a [Notifier] tells it how the
// engine is.
package service

import (
	"os"
	"regexp"
	"strings"
	"time"

	"blendtray/app/home"
	"blendtray/packaging"
)

// Manager keeps one service on one system. Each call ends within a minute or two.
type Manager interface {
	// Install writes the service, replaces one that it wrote before, and has the service start
	// with the machine or at login.
	Install() error
	// Uninstall stops and removes the service and leaves nothing behind.
	Uninstall() error
	Start() error
	Stop() error
	Restart() error
	// Status fails only when the system can't be asked.
	Status() (Status, error)
}

// Status is a service at one moment, as `blendtray service status --json` prints it.
type Status struct {
	// Scope is "user" or "system".
	Scope     string `json:"scope"`
	Name      string `json:"name"`
	Installed bool   `json:"installed"`
	// Enabled tells whether the service starts by itself.
	Enabled bool  `json:"enabled"`
	State   State `json:"state"`
	PID     int   `json:"pid"`
	// User is the user that the service runs as, Path the file that describes the service,
	// Program what it starts.
	User    string `json:"user"`
	Path    string `json:"path"`
	Program string `json:"program"`
	// Outdated tells whether the file is of an earlier version, whose mistakes it has.
	Outdated bool `json:"outdated"`
	// Lingering tells whether the user's services run while the user is not logged in; null on
	// systems without lingering.
	Lingering *bool `json:"lingering"`
	// Text is what the service says of itself, and Error why it failed.
	Text  string `json:"text"`
	Error string `json:"error"`
	// Failure names what Error says; "" when nothing failed.
	Failure Failure `json:"-"`
}

// State is the state of a service.
type State string

// The states of a service.
const (
	Running  State = "running"
	Starting State = "starting"
	Stopping State = "stopping"
	Stopped  State = "stopped"
	Failed   State = "failed"
	Missing  State = "not installed"
)

// Warning returns what a person may not expect of a service that is installed, [NotEnabled] or
// [NotLingering], or "".
func (s Status) Warning() Failure {
	switch {
	case !s.Enabled:
		return NotEnabled
	case s.Lingering != nil && !*s.Lingering:
		return NotLingering
	}
	return ""
}

// InstallCommand returns the command that writes the service's file anew.
func (s Status) InstallCommand() string {
	if s.Scope == "system" {
		return asAdministrator + "blendtray service install --system --user " + s.User
	}
	return "blendtray service install"
}

// Spec says which service is meant, and what the service starts.
type Spec struct {
	// System means a service of the machine, not of the user.
	System bool
	// User is the user that a service of the machine runs as. [New] finds out the user of a
	// service that is installed, if User is "".
	User    string
	Program home.Program
	// Unconfined leaves out what confines the service, because Blender could not start confined.
	Unconfined bool
	Paths      home.Paths
}

// userName matches the names of users that can be part of a file's name.
var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`)

// Check fails when there can be no such service. With installing set, it also checks what only a
// service that is to be installed needs.
func (s Spec) Check(installing bool) error {
	switch {
	case s.User != "" && !s.System:
		return Fail(UserWithoutSystem, nil)
	case s.User != "" && !userName.MatchString(s.User):
		return Fail(BadUserName, nil, "user", s.User)
	case s.System && s.User == "" && installing:
		user := os.Getenv("SUDO_USER")
		if user == "" {
			user = "NAME"
		}
		return Fail(NoUserNamed, nil, "user", user, "administrator", administrator)
	case installing && strings.Contains(s.Program.Path, "go-build"):
		return Fail(TemporaryProgram, nil, "program", s.Program.Path)
	}
	return nil
}

func (s Spec) scope() string {
	if s.System {
		return "system"
	}
	return "user"
}

// texts returns what packaging fills into the texts of the service.
func (s Spec) texts() packaging.Service {
	return packaging.Service{Program: s.Program.Path, Home: s.Program.Home, User: s.User, Unconfined: s.Unconfined}
}

// managerTimeout is how long a service manager may take for what it is asked to do.
const managerTimeout = time.Minute
