package app

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/watcher"
)

type folderCmd struct {
	Add    folderAddCmd    `cmd:"" help:"Have a folder watched."`
	Set    folderSetCmd    `cmd:"" help:"Change the settings of a watched folder."`
	Remove folderRemoveCmd `cmd:"" help:"Have a folder not be watched any more."`
	List   folderListCmd   `cmd:"" help:"List the watched folders with their settings."`
}

// folderArgs are a folder and settings of it.
type folderArgs struct {
	Dir string `arg:"" help:"The folder."`
	// Plugins holds the flags: a flag for each setting of a folder.
	kong.Plugins
}

// values returns the folder's absolute path and the settings that the flags give, by their keys.
func (c folderArgs) values() (path string, values map[string]any, err error) {
	if path, err = filepath.Abs(c.Dir); err != nil {
		return "", nil, err
	}
	values = map[string]any{}
	for _, flags := range c.Plugins {
		if err := takeFolderFlags(reflect.ValueOf(flags).Elem(), values); err != nil {
			return "", nil, err
		}
	}
	return path, values, nil
}

// onAndOff says in the help how the flags of settings that are true or false are written.
const onAndOff = `A setting that is true or false takes no value: --farm turns it on, and --no-farm off.`

type folderAddCmd struct{ folderArgs }

func (folderAddCmd) Help() string {
	return `Writes the folder to settings.toml and has the running engine watch it at once. Where no engine runs, the next engine watches it. A script that is saved in the folder runs; scripts that are there already run only with --run-existing.

    blendtray folder add ~/scripts
    blendtray folder add ~/renders --scene keep --timeout 10m --include '**/*.py' --exclude '**/tests/**'
    blendtray folder add ~/farm --farm --no-recursive

` + onAndOff
}

func (c *folderAddCmd) Run(e *env) error {
	path, values, err := c.values()
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return fault.New(fault.Usage, "name the folder that it lies in", "%s is no folder", api.NameInLine(path))
	}
	report, err := e.changeSettings(func(of settingsSource) (api.SettingsReport, error) {
		return of.AddFolder(e, path, values)
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		e.warn("there is no folder %s yet; it is watched as soon as there is one", api.NameInLine(path))
	}
	e.warnOfScene(values)
	if f, ok := report.Folder(path); ok && !e.warnOfOthers(f) && !e.warnOfTrouble(f.Path) {
		e.printf("%s is watched%s\n", api.NameInLine(f.Path), chosen(f, "; "))
	}
	return nil
}

type folderSetCmd struct{ folderArgs }

func (folderSetCmd) Help() string {
	return `Changes settings of a watched folder in settings.toml, and at once in the running engine; settings that are not named stay. A folder that "serve --folder" named is written to settings.toml.

    blendtray folder set ~/scripts --timeout 10m
    blendtray folder set /srv/share --trust anyone
    blendtray folder set ~/scripts --no-farm

` + onAndOff
}

func (c *folderSetCmd) Run(e *env) error {
	path, values, err := c.values()
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return fault.New(fault.Usage, "`blendtray folder set --help` lists the settings", "name at least one setting that is to change")
	}
	report, err := e.changeSettings(func(of settingsSource) (api.SettingsReport, error) {
		report, err := of.Settings(e)
		if err != nil {
			return report, err
		}
		if f, ok := report.Folder(path); ok && f.From == api.FromFlag {
			return of.AddFolder(e, path, values)
		}
		return of.ChangeFolder(e, path, values)
	})
	if err != nil {
		return err
	}
	e.warnOfScene(values)
	if f, ok := report.Folder(path); ok {
		e.warnOfOthers(f)
		e.printf("%s has%s\n", api.NameInLine(f.Path), orDefaults(chosen(f, " ")))
	}
	return nil
}

// warnOfOthers warns when a folder is not watched because others could have put scripts there, and
// reports whether it has.
func (e *env) warnOfOthers(f api.FolderReport) bool {
	folder := api.WatchSettings{Path: f.Path}
	for _, s := range f.Settings {
		if s.Key == "trust" {
			_ = folder.Trust.UnmarshalText([]byte(s.Text())) // a report has right words only
		}
	}
	if _, err := os.Stat(f.Path); err != nil {
		return false // it is looked at when it is there
	}
	refusal := watcher.Refusal(folder)
	if refusal != "" {
		e.warn("%s: %s", api.NameInLine(f.Path), refusal)
	}
	return refusal != ""
}

// refuseOwn returns a function that says why a folder can't be watched, because it holds the files of a home.
func refuseOwn(paths home.Paths) func(path string) string {
	return func(path string) string { return watcher.OwnRefusal(path, paths.Own()) }
}

// momentToLook is how long an engine may take to begin to watch a folder before nobody waits for that.
const momentToLook = time.Second

// warnOfTrouble warns of what the engine finds wrong with a folder that is there, such as that another
// engine watches it, and reports whether the folder is not watched. Where no engine answers, nothing is
// wrong yet.
func (e *env) warnOfTrouble(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false // it is looked at when it is there
	}
	client, err := e.client()
	if err != nil {
		return false
	}
	for end := time.Now().Add(momentToLook); time.Now().Before(end); {
		st, err := client.Status(e)
		if err != nil {
			return false
		}
		i := slices.IndexFunc(st.Folders, func(f api.FolderStatus) bool { return f.Path == path })
		if i < 0 {
			return false
		}
		if f := st.Folders[i]; f.Method != "" || f.Error != "" {
			for line := range strings.Lines(f.Error) {
				e.warn("%s: %s", api.NameInLine(path), strings.TrimSuffix(line, "\n"))
			}
			return f.Method == ""
		}
		select {
		case <-e.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// warnOfScene warns when the .blend that a flag names can't be found: it may come later, but a mistake in
// its path would first be told by the next run.
func (e *env) warnOfScene(values map[string]any) {
	scene, _ := values["scene"].(string)
	if !isBlend(scene) {
		return
	}
	switch info, err := os.Stat(scene); {
	case errors.Is(err, fs.ErrNotExist):
		e.warn("there is no file %s yet; until there is one, the folder's scripts fail", api.NameInLine(scene))
	case err != nil:
		e.warn("the scene can't be opened: %v; until it can, the folder's scripts fail", err)
	case info.IsDir():
		e.warn("%s is a folder and no .blend file; until it is one, the folder's scripts fail", api.NameInLine(scene))
	}
}

// orDefaults returns the settings of a folder in words, also when all are the defaults.
func orDefaults(settings string) string {
	if settings == "" {
		return " the default settings"
	}
	return settings
}

type folderRemoveCmd struct {
	Dir string `arg:"" help:"The folder."`
}

func (folderRemoveCmd) Help() string {
	return `Removes the folder from settings.toml, and the running engine stops watching it. The folder and what is in it stay. A folder that "serve --folder" named can't be removed here.`
}

func (c *folderRemoveCmd) Run(e *env) error {
	path, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	_, err = e.changeSettings(func(of settingsSource) (api.SettingsReport, error) { return of.RemoveFolder(e, path) })
	if err == nil {
		e.printf("%s is not watched any more\n", api.NameInLine(path))
	}
	return err
}

type folderListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (folderListCmd) Help() string {
	return `Lists the watched folders, where each comes from, and those of its settings that are not the default. "blendtray status" says how well the watching works.`
}

func (c *folderListCmd) Run(e *env) error {
	report, wrong, err := e.settings()
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = e.printJSON(report.Folders)
	case len(report.Folders) == 0 && wrong == nil:
		e.note("no folder is watched; `blendtray folder add DIR` has one watched")
	default:
		t := &table{heading: []string{"FOLDER", "FROM", "SETTINGS"}}
		for _, f := range report.Folders {
			t.add(cell{api.NameInLine(f.Path), plain}, cell{string(f.From), plain}, cell{strings.TrimSpace(chosen(f, "")), plain})
		}
		e.printTable(t)
	}
	if err != nil {
		return err
	}
	return wrong
}

// chosen returns the settings of a folder that differ from the default, after a separator.
func chosen(f api.FolderReport, separator string) string {
	var all []string
	for _, s := range f.Settings {
		if s.Text() != api.ValueText(s.Default) {
			all = append(all, s.Key+"="+api.NameInLine(s.Text()))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return separator + strings.Join(all, " ")
}

// folderKeys are the keys of a folder's settings.
var folderKeys = func() []string {
	var keys []string
	for _, d := range settings.Declarations("folder") {
		keys = append(keys, d.Key())
	}
	return keys
}()

// folderFlags returns a new struct, in kong's form, with a flag for each setting of a folder
// except its path. The flags follow from the declarations of the settings.
func folderFlags() any {
	var fields []reflect.StructField
	for i, d := range settings.Declarations("folder") {
		if d.Name == "path" {
			continue
		}
		field := reflect.StructField{Name: "Flag" + strconv.Itoa(i), Type: reflect.TypeFor[*string]()}
		tag := map[string]string{
			"name": strings.ReplaceAll(d.Name, "_", "-"), "key": d.Name, "placeholder": strings.ToUpper(string(d.Type)),
			"help": api.PlainHelp(d.Help) + " Default: " + cmp.Or(api.ValueText(d.Default()), "empty") + ".",
		}
		switch d.Type {
		case api.TypeBool:
			field.Type = reflect.TypeFor[*bool]()
			tag["negatable"] = ""
		case api.TypeList:
			field.Type = reflect.TypeFor[[]string]()
			if tag["sep"], tag["placeholder"] = "none", "PATTERN"; d.Name == "args" {
				tag["placeholder"] = "ARGUMENT"
			}
			tag["help"] += " May be given more than once; an empty text alone stands for none."
		}
		var parts []string
		for key, value := range tag {
			parts = append(parts, key+":"+strconv.Quote(value))
		}
		field.Tag = reflect.StructTag(strings.Join(parts, " "))
		fields = append(fields, field)
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// takeFolderFlags puts the flags that were given into values, by the key of the setting.
func takeFolderFlags(flags reflect.Value, values map[string]any) error {
	for i := range flags.NumField() {
		key := flags.Type().Field(i).Tag.Get("key")
		switch flag := flags.Field(i).Interface().(type) {
		case *string:
			if flag == nil {
				continue
			}
			values[key] = *flag
			if key == "scene" {
				scene, err := sceneFromHere(*flag)
				if err != nil {
					return err
				}
				values[key] = scene
			}
		case *bool:
			if flag != nil {
				values[key] = *flag
			}
		case []string:
			if err := refuseList(key, flag); err != nil {
				return err
			}
			if len(flag) == 1 && flag[0] == "" { // as --exclude ''
				flag = []string{}
			}
			if flag != nil {
				values[key] = flag
			}
		default:
			return fmt.Errorf("the flag of %s has the type %T", key, flag)
		}
	}
	return nil
}

// refuseList fails when a part of a list is a list itself, as it stands in settings.toml: the flag takes
// each part for itself, so such a list would be a single part with brackets.
func refuseList(key string, parts []string) error {
	for _, part := range parts {
		if _, is := settings.ParseList(part); is {
			return fault.New(fault.Usage,
				fmt.Sprintf("write `--%[1]s FIRST --%[1]s SECOND`, or `--%[1]s ''` for none; a part that has such brackets itself goes into settings.toml", key),
				"--%s takes no list such as %s, but each part for itself", key, part)
		}
	}
	return nil
}

// sceneFromHere returns a scene in which the path of a .blend, which is relative to the folder
// where the command was typed, has become absolute.
func sceneFromHere(scene string) (string, error) {
	if !isBlend(scene) {
		return scene, nil
	}
	return filepath.Abs(scene)
}

// isBlend reports whether a scene is the path of a .blend.
func isBlend(scene string) bool { return strings.EqualFold(filepath.Ext(scene), ".blend") }
