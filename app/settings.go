package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/control"
)

type settingsCmd struct {
	Key   string  `arg:"" optional:"" help:"The setting, such as runs.timeout. Without it all settings are listed."`
	Value *string `arg:"" optional:"" help:"What the setting is to be, as in settings.toml but without quotes."`
	Unset bool    `help:"Take the setting out of the file, so that its default holds."`
	JSON  bool    `name:"json" help:"Print JSON."`
}

func (settingsCmd) Help() string {
	return `Lists the settings, shows one of them, or changes it: in settings.toml, whose comments stay, and in the engine at once. The running engine changes its own file, also a file that "serve --config" named; without an engine the command changes settings.toml. A setting that a variable or a flag of the engine holds can't be changed here. The folders have a command of their own: "blendtray folder".

    blendtray settings
    blendtray settings runs.timeout
    blendtray settings runs.timeout 90s
    blendtray settings blender.args '["--threads", "2"]'
    blendtray settings runs.timeout --unset

A further Blender is declared by its first key, and removed by its name. What it does not set it inherits from the table "blender".

    blendtray settings blenders.old.path /opt/blender-3.6/blender
    blendtray settings blenders.old --unset`
}

func (c *settingsCmd) Run(e *env) error {
	switch {
	case c.Unset && c.Key == "":
		return fault.New(fault.Usage, "blendtray settings KEY --unset", "--unset needs the name of a setting")
	case c.Unset && c.Value != nil:
		return fault.New(fault.Usage, "leave one of them out", "both a value and --unset were given")
	case c.Unset:
		return c.change(e, func(of settingsSource) (api.SettingsReport, error) { return of.UnsetSetting(e, c.Key) })
	case c.Value != nil:
		value, err := fromHere(c.Key, *c.Value)
		if err != nil {
			return err
		}
		return c.change(e, func(of settingsSource) (api.SettingsReport, error) { return of.SetSetting(e, c.Key, value) })
	}
	report, wrong, err := e.settings()
	if err != nil {
		return err
	}
	if c.Key != "" {
		err = c.show(e, report)
	} else {
		err = c.list(e, report)
	}
	return errors.Join(err, wrong)
}

// change changes a setting with do and prints the setting's new state.
func (c *settingsCmd) change(e *env, do func(settingsSource) (api.SettingsReport, error)) error {
	report, err := e.changeSettings(do)
	if err != nil {
		return err
	}
	setting, ok := report.Find(c.Key)
	switch {
	case c.JSON && ok:
		return e.printJSON(setting)
	case c.JSON:
		return e.printJSON(report)
	case !ok:
		e.printf("%s is gone\n", clean(c.Key))
		return nil
	}
	e.printf("%s is %s%s\n", setting.Key, quotedIfEmpty(setting), whenItHolds(setting))
	return nil
}

// show prints one setting: its value alone on standard output, and the value's origin on
// standard error.
func (c *settingsCmd) show(e *env, report api.SettingsReport) error {
	s, ok := report.Find(c.Key)
	if !ok {
		return settingsFault(unknownSetting(c.Key))
	}
	if c.JSON {
		return e.printJSON(s)
	}
	e.printf("%s\n", clean(s.Text()))
	e.note("%s", clean(howItIs(s, report.File)))
	return nil
}

// unknownSetting returns the error for an unknown key.
func unknownSetting(key string) error {
	if _, err := settings.Find(key); err != nil {
		return err
	}
	return fmt.Errorf("%w: there is no Blender with the name in %s", api.ErrNoSetting, key)
}

// fromHere returns a path that was typed relative to the current folder as an absolute path. It
// returns other settings, and the name of a program, unchanged.
func fromHere(key, value string) (string, error) {
	d, err := settings.Find(key)
	if err != nil || d.Path == "" || value == "" || strings.HasPrefix(value, "~") || filepath.Base(value) == value {
		return value, nil // the engine reports what is wrong with the key
	}
	return filepath.Abs(value)
}

func (c *settingsCmd) list(e *env, report api.SettingsReport) error {
	if c.JSON {
		return e.printJSON(report)
	}
	t := &table{heading: []string{"KEY", "VALUE", "FROM"}}
	for _, s := range report.Settings {
		style := plain
		if s.From == api.FromDefault {
			style = dim
		}
		t.add(cell{s.Key, plain}, cell{oneLine(quotedIfEmpty(s)), plain}, cell{oneLine(fromWhere(s)), style})
	}
	e.printTable(t)
	return nil
}

// quotedIfEmpty returns the value of a setting in a form in which an empty value is visible.
func quotedIfEmpty(s api.Setting) string {
	if text := s.Text(); text != "" {
		return clean(text)
	}
	return `""`
}

// fromWhere returns where a value comes from, or what fixes the value.
func fromWhere(s api.Setting) string {
	if s.Fixed != "" {
		return s.Fixed
	}
	return string(s.From)
}

// howItIs returns a text on the setting: its origin, its default and when a change holds.
func howItIs(s api.Setting, file string) string {
	text := s.Key + " is the default"
	switch {
	case s.Fixed != "":
		text = s.Key + " is " + s.Fixed
	case s.From == api.FromFile:
		text = s.Key + " comes from " + file
	}
	if s.From != api.FromDefault {
		text += "; the default is " + quotedIfEmpty(api.Setting{Value: s.Default})
	}
	switch {
	case s.Fixed != "":
	case s.Holds == api.HoldsFromBlenderStart:
		text += "; a change holds from the next start of Blender on"
	case s.Holds == api.HoldsFromWindowStart:
		text += "; a change holds from the next start of the window on"
	}
	return text
}

// whenItHolds returns when a change begins to hold, or "" when it holds at once.
func whenItHolds(s api.Setting) string {
	switch s.Holds {
	case api.HoldsFromBlenderStart:
		which := ""
		if rest, further := strings.CutPrefix(s.Key, "blenders."); further { // others and their sessions go on
			which = " " + rest[:max(0, strings.LastIndex(rest, "."))]
		}
		return fmt.Sprintf(", from the next start of Blender on (`blendtray restart%s`)", clean(which))
	case api.HoldsFromWindowStart:
		return ", from the next start of the window on"
	}
	return ""
}

// settingsSource is the engine or the file that answers questions about settings.
type settingsSource interface {
	Settings(ctx context.Context) (api.SettingsReport, error)
	SetSetting(ctx context.Context, key string, value any) (api.SettingsReport, error)
	UnsetSetting(ctx context.Context, key string) (api.SettingsReport, error)
	AddFolder(ctx context.Context, path string, values map[string]any) (api.SettingsReport, error)
	ChangeFolder(ctx context.Context, path string, values map[string]any) (api.SettingsReport, error)
	RemoveFolder(ctx context.Context, path string) (api.SettingsReport, error)
}

// fileOfSettings is the settingsSource for the time when no engine runs.
type fileOfSettings struct{ *settings.Owner }

func (f fileOfSettings) Settings(context.Context) (api.SettingsReport, error) { return f.Report(), nil }

func (f fileOfSettings) SetSetting(_ context.Context, key string, value any) (api.SettingsReport, error) {
	return f.Set(key, value)
}

func (f fileOfSettings) UnsetSetting(_ context.Context, key string) (api.SettingsReport, error) {
	return f.Unset(key)
}

func (f fileOfSettings) AddFolder(_ context.Context, path string, values map[string]any) (api.SettingsReport, error) {
	return f.Owner.AddFolder(path, values)
}

func (f fileOfSettings) ChangeFolder(_ context.Context, path string, values map[string]any) (api.SettingsReport, error) {
	return f.Owner.ChangeFolder(path, values)
}

func (f fileOfSettings) RemoveFolder(_ context.Context, path string) (api.SettingsReport, error) {
	return f.Owner.RemoveFolder(path)
}

// settings returns the settings of the engine of this home. When no engine answers, it returns
// the settings of the home's file and prints a note that says so. wrong says what is wrong with the
// settings, and what holds until that is mended, or is nil.
func (e *env) settings() (report api.SettingsReport, wrong, err error) {
	var mistake error
	report, alone, err := e.askSettings(func(of settingsSource) (api.SettingsReport, error) {
		if file, ok := of.(fileOfSettings); ok {
			mistake = file.Err()
		}
		return of.Settings(e)
	})
	switch {
	case err != nil:
		return report, nil, err
	case mistake != nil:
		e.note("no engine runs, and the settings are wrong; these are the defaults")
		hint := cmp.Or(settings.Mend(mistake), "see that "+report.File+" can be read")
		return report, fault.New(fault.Config, hint+"; no engine can start with these settings", "%w", mistake), nil
	case alone:
		e.note("no engine runs; these are the settings of %s", clean(report.File))
	case report.Error != "":
		wrong = fault.New(fault.Config, "mend "+report.File+" with an editor; what is shown holds until then", "%s", report.Error)
	}
	return report, wrong, nil
}

// changeSettings changes the settings through the engine of this home. When no engine answers,
// it changes the home's file and prints a note that says so, or that the file was not changed.
func (e *env) changeSettings(do func(settingsSource) (api.SettingsReport, error)) (api.SettingsReport, error) {
	wrote := false
	report, alone, err := e.askSettings(func(of settingsSource) (api.SettingsReport, error) {
		report, err := do(of)
		if file, ok := of.(fileOfSettings); ok {
			wrote = file.Wrote()
		}
		return report, err
	})
	switch {
	case err != nil || !alone:
	case wrote:
		e.note("no engine runs; %s is changed", clean(report.File))
	default:
		e.note("no engine runs; nothing was changed in %s", clean(report.File))
	}
	return report, err
}

// askSettings calls do for the engine of this home or, when no engine answers, for the home's
// file; alone is true when no engine answered.
func (e *env) askSettings(do func(settingsSource) (api.SettingsReport, error)) (report api.SettingsReport, alone bool, err error) {
	client, err := e.client()
	if err != nil {
		return report, false, err
	}
	if report, err = do(client); !errors.Is(err, control.ErrNoEngine) {
		return report, false, settingsFault(err)
	}
	paths, err := home.Find()
	if err != nil {
		return report, true, err
	}
	report, err = do(fileOfSettings{settings.New(settings.Config{Source: homeSource(paths), Lock: paths.SettingsLock(), Refuse: refuseOwn(paths)})})
	return report, true, settingsFault(err)
}

// settingsFault returns an error about settings with its exit code and its hint.
func settingsFault(err error) error {
	var refused *control.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == control.CodeNotFound:
		return fault.New(fault.Usage, refused.Hint, "%w", err)
	case errors.As(err, &refused):
		return err
	case errors.Is(err, api.ErrSettingsBroken):
		return wrongSettings(err)
	case errors.Is(err, api.ErrNoSetting):
		return fault.New(fault.Usage, "`blendtray settings` lists the settings, `blendtray folder list` the folders", "%w", err)
	case errors.Is(err, api.ErrBad):
		return fault.New(fault.Usage, "docs/settings.md explains every key", "%w", err)
	}
	return err
}

// settingsKeys returns the keys that a shell completes.
func settingsKeys() []described {
	var all []described
	for _, key := range settings.Keys() {
		if !slices.Contains(folderKeys, key) {
			all = append(all, described{key, ""})
		}
	}
	return all
}
