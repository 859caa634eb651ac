package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/doctor"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/app/settings"
	"blendtray/control"
	"blendtray/farm"
)

// doctorCmd is `blendtray doctor`: its flags, and what it prints. Package doctor does the work.
type doctorCmd struct {
	Config string `placeholder:"FILE" help:"Read the settings from this file. Default: the file of the engine that runs, or else the file that serve reads."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (doctorCmd) Help() string {
	return `Looks at all that Blendtray needs: the settings, its own folders and token, room on the disk, Blender itself (which is started for its version, and for what it renders with), the engine, its socket and port, the watched folders, the system's limits on watching, whether the desktop shows tray icons, and fonts for the names of your scripts. Each line says right or wrong, and for what is wrong the command that mends it. The exit code is 1 if anything is wrong.`
}

func (c *doctorCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	all, wrong := []doctor.Finding{}, false
	for found := range doctor.Examine(e, c.config(paths)) {
		all = append(all, found...)
		for _, f := range found {
			wrong = wrong || !f.OK
		}
		if !c.JSON {
			e.writeOut(describe(found, e.colorOut))
		}
	}
	if c.JSON {
		err = e.printJSON(all)
	}
	if wrong {
		return fault.Quietly(fault.Failed)
	}
	return err
}

// config returns the configuration of the doctor.
func (c *doctorCmd) config(paths home.Paths) doctor.Config {
	source, err := (&serveCmd{Config: c.Config}).source(paths)
	if c.Config == "" {
		sourceOfEngine(paths, &source)
	}
	var wanted settings.Loaded
	if err == nil {
		wanted, err = source.Load()
	}
	examined := doctor.Config{
		Paths: paths, Version: version, Size: size,
		SettingsFile: source.File, SettingsError: err,
		Folders:   wanted.Folders,
		Open:      func(ctx context.Context) ([]doctor.Open, error) { return openForDoctor(ctx, paths) },
		HowToOpen: howToServe,
		Service:   examineService,
		Farm:      func(ctx context.Context) []doctor.Finding { return examineFarm(ctx, paths) },
		Tray:      trayOfThisBuild(),
	}
	if err != nil {
		examined.SettingsFix = cmp.Or(settings.Mend(err), "see that "+source.File+" can be read")
	} else {
		examined.Blenders = wanted.Specs(paths.Blenders())
	}
	return examined
}

// sourceOfEngine changes the source of the settings into the source of the engine of this home, if an
// engine answers: that engine may have been started with another file, with flags and with variables.
func sourceOfEngine(paths home.Paths, source *settings.Source) {
	address, err := home.EngineAddress(paths)
	if err != nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), settingsTime)
	defer stop()
	report, err := control.NewClient(address).Settings(ctx)
	if err != nil {
		return // the doctor says that no engine answers
	}
	source.File = report.File
	for _, s := range report.Settings {
		if s.From == api.FromFlag || s.From == api.FromVariable {
			source.Flags.Values = append(source.Flags.Values, settings.FlagValue{Key: s.Key, Flag: s.Key, Text: s.Text()})
		}
	}
	for _, f := range report.Folders {
		if f.From == api.FromFlag {
			source.Flags.Folders = append(source.Flags.Folders, settings.FlagFolder{Flag: "--folder", Path: f.Path})
		}
	}
}

// settingsTime is how long the doctor waits for the settings of the engine.
const settingsTime = 5 * time.Second

// openForDoctor returns the Blenders with a window that take scripts.
func openForDoctor(ctx context.Context, paths home.Paths) (all []doctor.Open, err error) {
	open, err := openBlenders(ctx, paths)
	for _, b := range open {
		all = append(all, doctor.Open{Version: b.Blender, PID: b.PID})
	}
	return all, err
}

// examineService returns the findings about the service of the user, if this system can have a
// service.
func examineService() []doctor.Finding {
	m, _, err := serviceFlags{}.manager(false)
	if err != nil {
		return nil // this system has no services that Blendtray knows
	}
	st, err := m.Status()
	switch {
	case err != nil || !st.Installed:
		return []doctor.Finding{doctor.Right("service", "none is installed; `blendtray service install` has the engine start at login")}
	case st.State == service.Failed:
		return []doctor.Finding{doctor.Wrong("service", "blendtray service restart", "%s: %s", st.Name, st.Error)}
	case st.Outdated:
		return []doctor.Finding{doctor.Wrong("service", st.InstallCommand(), "%s", outdated(st))}
	case st.Warning() == service.NotEnabled:
		return []doctor.Finding{doctor.Wrong("service", "blendtray service install", "%s does not start by itself", st.Name)}
	case st.Warning() == service.NotLingering:
		return []doctor.Finding{doctor.Right("service", "%s is %s; it ends at logout (`loginctl enable-linger` keeps it running)", st.Name, st.State)}
	}
	return []doctor.Finding{doctor.Right("service", "%s is %s", st.Name, st.State)}
}

// examineFarm finds out whether the server of the farm answers, and what it says of this machine.
func examineFarm(ctx context.Context, paths home.Paths) []doctor.Finding {
	m, err := farm.ReadMembership(paths.FarmMembership())
	if errors.Is(err, farm.ErrNotMember) {
		return nil
	}
	if err != nil {
		return []doctor.Finding{doctor.Wrong("farm", "`blendtray farm leave`, and join again", "%v", err)}
	}
	ctx, stop := context.WithTimeout(ctx, farmTime/2)
	defer stop()
	c, err := farm.Dial(ctx, m, farm.DialOptions{})
	if errors.Is(err, farm.ErrRefused) {
		return []doctor.Finding{doctor.Wrong("farm", "ask the administrator of the farm; `blendtray farm leave`, and join again", "this machine was %s in the farm of %s: %v", m.Name, m.URL, err)}
	}
	if err != nil {
		return []doctor.Finding{doctor.Wrong("farm", "look whether `blendtray farm serve`, the engine with farm.serve, or the NATS server is running there", "the server %s does not take this machine, %s: %v", m.URL, m.Name, err)}
	}
	defer c.Close()
	ahead, err := c.Ahead(ctx)
	if err != nil {
		return []doctor.Finding{doctor.Wrong("farm", "", "%v", err)}
	}
	if text := clockText(ahead); text != "" {
		return []doctor.Finding{doctor.Wrong("farm", "set this machine's clock, such as by NTP", "the clock of this machine is %s the clock of the server %s", text, m.URL)}
	}
	return []doctor.Finding{doctor.Right("farm", "this machine is %s in the farm of %s", m.Name, m.URL)}
}

// describe returns the text of the findings for a person.
func describe(all []doctor.Finding, color bool) string {
	var b strings.Builder
	for _, f := range all {
		verdict := paint(color, green, "right")
		if !f.OK {
			verdict = paint(color, red, "wrong")
		}
		detail := strings.ReplaceAll(clean(f.Detail), "\n", "\n                  ")
		fmt.Fprintf(&b, "%s  %-9s  %s\n", verdict, f.Name, detail)
		if !f.OK && f.Fix != "" {
			fmt.Fprintf(&b, "                  mend it: %s\n", clean(f.Fix))
		}
	}
	return b.String()
}
