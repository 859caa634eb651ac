package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/blender"
	"blendtray/packaging"
)

// serviceCmd is `blendtray service`. What differs between systems is in the files that end in
// their names, each of which gives
//
//	newManager(serviceSpec) (manager, error)
type serviceCmd struct {
	Install   serviceInstallCmd   `cmd:"" help:"Install the engine as a service, and start it."`
	Uninstall serviceUninstallCmd `cmd:"" help:"Stop the service and remove it."`
	Start     serviceStartCmd     `cmd:"" help:"Start the service."`
	Stop      serviceStopCmd      `cmd:"" help:"Stop the service, until the next login or start of the machine."`
	Restart   serviceRestartCmd   `cmd:"" help:"Stop the service and start it again."`
	Status    serviceStatusCmd    `cmd:"" help:"Show how the service is."`
}

func (serviceCmd) Help() string {
	return `Has the system keep an engine ("blendtray serve") running: by default a service of the user, which starts at login (a systemd user unit, a LaunchAgent, a logon task on Windows). With --system it is a service of the machine, which starts with it and runs as the user that --user names; that takes an administrator.

    blendtray service install
    sudo blendtray service install --system --user render

The tray and all commands of that user find the engine by themselves. "blendtray service status" ends with 0 when the service runs, with 3 when it does not. docs/service.md says more.`
}

// serviceFlags choose the service.
type serviceFlags struct {
	System bool   `help:"The service of the machine, not of the user."`
	User   string `placeholder:"NAME" help:"The user that the service of the machine runs as."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

type (
	serviceInstallCmd   struct{ serviceFlags }
	serviceUninstallCmd struct{ serviceFlags }
	serviceStartCmd     struct{ serviceFlags }
	serviceStopCmd      struct{ serviceFlags }
	serviceRestartCmd   struct{ serviceFlags }
	serviceStatusCmd    struct{ serviceFlags }
)

// manager is what keeps services on one system. Each call ends within a minute.
type manager interface {
	// install writes the service, replaces one that it wrote before, and has it start with
	// the machine or at login.
	install() error
	// uninstall stops and removes the service and leaves nothing.
	uninstall() error
	start() error
	stop() error
	restart() error
	// status fails only when the system can't be asked.
	status() (ServiceStatus, error)
}

// ServiceStatus is a service at one moment, as `blendtray service status --json` prints it.
type ServiceStatus struct {
	// Scope is "user" or "system".
	Scope     string `json:"scope"`
	Name      string `json:"name"`
	Installed bool   `json:"installed"`
	// Enabled tells whether it starts by itself.
	Enabled bool `json:"enabled"`
	// State is "running", "starting", "stopping", "stopped", "failed" or "not installed".
	State string `json:"state"`
	PID   int    `json:"pid"`
	// User is who it runs as, Path the file that describes it, Program what it starts.
	User    string `json:"user"`
	Path    string `json:"path"`
	Program string `json:"program"`
	// Lingering tells whether the user's services run while nobody is logged in; null where
	// that means nothing.
	Lingering *bool `json:"lingering"`
	// Text is what the service says of itself, and Error why it failed.
	Text  string `json:"text"`
	Error string `json:"error"`
}

// The states of a service.
const (
	serviceRunning  = "running"
	serviceStarting = "starting"
	serviceStopping = "stopping"
	serviceStopped  = "stopped"
	serviceFailed   = "failed"
	serviceMissing  = "not installed"
)

// serviceSpec is which service is meant, and what it is to start.
type serviceSpec struct {
	system bool
	// user is who a service of the machine runs as; "" where that is to be found out.
	user    string
	program string
	home    string
	// unconfined tells that Blender could not start confined.
	unconfined bool
	paths      home.Paths
}

func (s serviceSpec) scope() string {
	if s.system {
		return "system"
	}
	return "user"
}

// text is what packaging needs of it.
func (s serviceSpec) text() packaging.Service {
	return packaging.Service{Program: s.program, Home: s.home, User: s.user, Unconfined: s.unconfined}
}

// userName is what a user's name may be where it becomes part of a file's name.
var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$`)

// The ways in which a service can fail that do not depend on the system.
var (
	errNotInstalled = errors.New("the service is not installed")
	errForeign      = errors.New("it was not written by `blendtray service install`")
)

// spec checks the flags. installing asks for all that a new service needs.
func (f serviceFlags) spec(installing bool) (serviceSpec, error) {
	start, err := home.ThisProgram()
	if err != nil {
		return serviceSpec{}, err
	}
	paths, err := home.Find()
	if err != nil {
		return serviceSpec{}, err
	}
	s := serviceSpec{system: f.System, user: f.User, program: start.Path, home: start.Home, paths: paths}
	switch {
	case f.User != "" && !f.System:
		return s, fault.New(fault.Usage, "add --system, or leave --user out: a user's own service runs as that user", "--user is for a service of the machine")
	case f.User != "" && !userName.MatchString(f.User):
		return s, fault.New(fault.Usage, "", "%q is no name of a user", f.User)
	case f.System && f.User == "" && installing:
		who := os.Getenv("SUDO_USER")
		if who == "" {
			who = "NAME"
		}
		return s, fault.New(fault.Usage, asAdministrator+"blendtray service install --system --user "+who,
			"a service of the machine needs to know whose scripts it runs: it does not run as %[1]s unless --user %[1]s says so", administrator)
	}
	if installing {
		if strings.Contains(start.Path, "go-build") {
			return s, fault.New(fault.Failed, "`make build`, and then build/blendtray service install", "%s is temporary, and would be gone when the service starts", start.Path)
		}
		settings, err := LoadSettings(paths.SettingsFile(), os.Environ())
		if err != nil && !f.System { // else they are another user's
			return s, fault.New(fault.Usage, "the service would not start with these settings", "%w", err)
		}
		s.unconfined = raisesItsRights(settings.Blender.Path)
	}
	return s, nil
}

// raisesItsRights tells whether a Blender is one of those that a confined service can't start.
func raisesItsRights(path string) bool {
	if path == "" {
		ctx, cancel := context.WithTimeout(context.Background(), findTime)
		defer cancel()
		found, _ := blender.Find(ctx, "") // none, or none yet, is as good as one that does not
		for _, f := range found {
			if f.Error == "" {
				path = f.Path
				break
			}
		}
	}
	for _, part := range []string{"/snap/", "/flatpak/"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

func (f serviceFlags) manager(installing bool) (manager, serviceSpec, error) {
	spec, err := f.spec(installing)
	if err != nil {
		return nil, spec, err
	}
	m, err := newManager(spec)
	return m, spec, err
}

func (c *serviceInstallCmd) Run(e *env) error {
	m, spec, err := c.manager(true)
	if err != nil {
		return err
	}
	before, err := m.status()
	if err != nil {
		return err
	}
	if err := m.install(); err != nil {
		return err
	}
	switch {
	case before.State == serviceRunning || before.State == serviceStarting:
		err = m.restart() // with the new program
	case !spec.system && home.EngineRuns(spec.paths):
		e.note("an engine runs already, so the service is not started now: end that one, then `blendtray service start`")
	default:
		err = m.start()
	}
	if err != nil {
		return err
	}
	return c.show(e, m)
}

func (c *serviceUninstallCmd) Run(e *env) error {
	m, _, err := c.manager(false)
	if err != nil {
		return err
	}
	if err := m.uninstall(); err != nil {
		return notThere(err)
	}
	return c.show(e, m)
}

func (c *serviceStartCmd) Run(e *env) error   { return c.does(e, manager.start) }
func (c *serviceStopCmd) Run(e *env) error    { return c.does(e, manager.stop) }
func (c *serviceRestartCmd) Run(e *env) error { return c.does(e, manager.restart) }

func (f serviceFlags) does(e *env, do func(manager) error) error {
	m, _, err := f.manager(false)
	if err != nil {
		return err
	}
	st, err := m.status()
	switch {
	case err != nil:
		return err
	case !st.Installed:
		return notThere(errNotInstalled)
	}
	if err := do(m); err != nil {
		return err
	}
	return f.show(e, m)
}

func notThere(err error) error {
	if errors.Is(err, errNotInstalled) {
		return fault.New(fault.NoEngine, "`blendtray service install` installs it", "%w", errNotInstalled)
	}
	return err
}

func (c *serviceStatusCmd) Run(e *env) error {
	m, _, err := c.manager(false)
	if err != nil {
		return err
	}
	st, err := m.status()
	if err != nil {
		return err
	}
	if err := c.print(e, st); err != nil {
		return err
	}
	if st.State != serviceRunning {
		return fault.Quietly(fault.NoEngine)
	}
	return nil
}

// show prints how the service is, after what was done to it.
func (f serviceFlags) show(e *env, m manager) error {
	st, err := m.status()
	if err != nil {
		return err
	}
	return f.print(e, st)
}

func (f serviceFlags) print(e *env, st ServiceStatus) error {
	if f.JSON {
		return e.printJSON(st)
	}
	line := func(name, text string) {
		if text != "" {
			e.printf("%-8s %s\n", name, text)
		}
	}
	state := paint(e.colorOut, styleOf(st.State), st.State)
	if st.PID != 0 {
		state += fmt.Sprintf(", process %d", st.PID)
	}
	line("service", st.Name+" "+state)
	line("error", st.Error)
	if !st.Installed {
		return nil
	}
	line("says", st.Text)
	line("user", st.User)
	line("program", st.Program)
	line("file", st.Path)
	when := "at login"
	if st.Scope == "system" {
		when = "with the machine"
	}
	switch {
	case !st.Enabled:
		line("starts", "not by itself; `blendtray service install` mends that")
	case st.Lingering != nil && *st.Lingering:
		line("starts", "with the machine (lingering is on)")
	case st.Lingering != nil:
		line("starts", when+", and ends at logout; `loginctl enable-linger` has it run without a login")
	default:
		line("starts", when)
	}
	return nil
}

// serviceTime is how long a service manager may take for what it is asked.
const serviceTime = time.Minute
