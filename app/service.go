package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"blendtray/api"
	"blendtray/app/doctor"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/blender"
)

// serviceCmd is `blendtray service`: its flags, and what it prints. The package service does the
// work.
type serviceCmd struct {
	Install   serviceInstallCmd   `cmd:"" help:"Install the engine as a service, and start it."`
	Uninstall serviceUninstallCmd `cmd:"" help:"Stop the service and remove it."`
	Start     serviceStartCmd     `cmd:"" help:"Start the service."`
	Stop      serviceStopCmd      `cmd:"" help:"Stop the service, until the next login or start of the machine."`
	Restart   serviceRestartCmd   `cmd:"" help:"Stop the service and start it again."`
	Status    serviceStatusCmd    `cmd:"" help:"Show the state of the service."`
}

func (serviceCmd) Help() string {
	return `Has the system keep an engine ("blendtray serve") running: by default a service of the user, which starts at login (a systemd user unit, a LaunchAgent, a logon task on Windows). With --system it is a service of the machine, which starts with it and runs as the user that --user names; that needs an administrator.

    blendtray service install
    sudo blendtray service install --system --user render

The tray and all commands of that user find the engine by themselves. "blendtray service status" ends with 0 when the service runs, with 3 when it does not. docs/service.md says more.`
}

// serviceFlags chooses the service.
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

// spec returns the service that the flags mean. It fails when the flags mean no service and,
// with installing set, when the settings would keep a new service from starting.
func (f serviceFlags) spec(installing bool) (service.Spec, error) {
	program, err := home.ThisProgram()
	if err != nil {
		return service.Spec{}, err
	}
	paths, err := home.Find()
	if err != nil {
		return service.Spec{}, err
	}
	s := service.Spec{System: f.System, User: f.User, Program: program, Paths: paths}
	if err := s.Check(installing); err != nil || !installing {
		return s, err
	}
	loaded, err := homeSource(paths).Load()
	if err != nil && !f.System { // a service of the machine has the settings of its own user
		return s, service.Fail(service.SettingsWrong, err, "file", paths.SettingsFile())
	}
	s.Unconfined = slices.ContainsFunc(loaded.Specs(""), func(b api.BlenderSpec) bool { return raisesItsRights(b.Path) })
	return s, nil
}

// raisesItsRights reports whether a Blender has to raise its rights when it starts, as a Blender
// from Snap or Flatpak does. A confined service can't start such a Blender. With path "" the
// question is about the Blender that Blendtray would find.
func raisesItsRights(path string) bool {
	if path == "" {
		ctx, cancel := context.WithTimeout(context.Background(), doctor.FindTimeout)
		defer cancel()
		found, _ := blender.Find(ctx, "") // without a Blender the service is confined
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

func (f serviceFlags) manager(installing bool) (service.Manager, service.Spec, error) {
	spec, err := f.spec(installing)
	if err != nil {
		return nil, spec, err
	}
	m, err := service.New(spec)
	return m, spec, err
}

func (c *serviceInstallCmd) Run(e *env) error {
	m, spec, err := c.manager(true)
	if err != nil {
		return err
	}
	before, err := m.Status()
	if err != nil {
		return err
	}
	if err := m.Install(); err != nil {
		return err
	}
	switch {
	case before.State == service.Running || before.State == service.Starting:
		err = m.Restart() // starts the new program
	case !spec.System && home.EngineRuns(spec.Paths):
		sentence, hint := service.EngineRuns.Explain()
		e.note("%s: %s", sentence, hint)
	default:
		err = m.Start()
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
	if err := m.Uninstall(); err != nil {
		return err
	}
	return c.show(e, m)
}

func (c *serviceStartCmd) Run(e *env) error {
	m, spec, err := c.manager(false)
	if err != nil {
		return err
	}
	st, err := m.Status()
	ended := err == nil && st.Installed && (st.State == service.Stopped || st.State == service.Failed)
	if ended && !spec.System && home.EngineRuns(spec.Paths) {
		sentence, hint := service.EngineRuns.Explain()
		return fault.New(fault.Failed, hint, "%s", sentence)
	}
	return c.does(e, service.Manager.Start)
}

func (c *serviceStopCmd) Run(e *env) error    { return c.does(e, service.Manager.Stop) }
func (c *serviceRestartCmd) Run(e *env) error { return c.does(e, service.Manager.Restart) }

func (f serviceFlags) does(e *env, do func(service.Manager) error) error {
	m, _, err := f.manager(false)
	if err != nil {
		return err
	}
	st, err := m.Status()
	switch {
	case err != nil:
		return err
	case !st.Installed && st.Failure != service.Masked:
		return service.Fail(service.NotInstalled, nil)
	}
	if err := do(m); err != nil {
		return err
	}
	return f.show(e, m)
}

func (c *serviceStatusCmd) Run(e *env) error {
	m, _, err := c.manager(false)
	if err != nil {
		return err
	}
	st, err := m.Status()
	if err != nil {
		return err
	}
	if err := c.print(e, st); err != nil {
		return err
	}
	if st.State != service.Running {
		return fault.Quietly(fault.NoEngine)
	}
	return nil
}

// show prints the state of the service after a change.
func (f serviceFlags) show(e *env, m service.Manager) error {
	st, err := m.Status()
	if err != nil {
		return err
	}
	return f.print(e, st)
}

func (f serviceFlags) print(e *env, st service.Status) error {
	if f.JSON {
		return e.printJSON(st)
	}
	line := func(name, text string) {
		if text != "" {
			e.printf("%-8s %s\n", name, text)
		}
	}
	state := paint(e.colorOut, styleOf(string(st.State)), string(st.State))
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
	if st.Outdated {
		line("outdated", outdated(st))
	}
	when := "at login"
	if st.Scope == "system" {
		when = "with the machine"
	}
	warning, hint := st.Warning().Explain()
	switch st.Warning() {
	case service.NotEnabled:
		line("starts", "not by itself; "+hint)
	case service.NotLingering:
		line("starts", when+"; "+warning+", but "+hint)
	default:
		if st.Lingering != nil {
			when = "with the machine (lingering is on)"
		}
		line("starts", when)
	}
	return nil
}

// outdated returns what is wrong with a service whose file is of an earlier version, and what to do.
func outdated(st service.Status) string {
	sentence, hint := service.Outdated.Explain("file", st.Path, "command", st.InstallCommand())
	return sentence + "; " + hint
}
