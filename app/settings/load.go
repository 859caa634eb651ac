// Package settings reads settings.toml and the variables, changes the file as a person would,
// and owns the settings of a running engine.
//
// What settings there are, is declared by the structs in api, once; this package reads the
// declarations and knows no key by itself. [Source.Load] reads the settings, and an [Owner]
// holds them for an engine: it changes the file, notices when somebody else has changed it, and
// has the engine take over what is right. A command without an engine uses an Owner, too.
//
// The package neither starts an engine nor prints anything.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/pelletier/go-toml/v2"

	"blendtray/api"
)

// Source is where settings come from. Of two that say something, the later in this order holds:
// the file, the variables, the flags.
type Source struct {
	// File is the path of settings.toml.
	File string
	// Required says that the file must exist; a file that is named on the command line must.
	Required bool
	// Environ has the variables, as "NAME=value".
	Environ []string
	Flags   Flags
}

// Flags are the settings that a command line has given.
type Flags struct {
	Values  []FlagValue
	Folders []FlagFolder
}

// FlagValue is a flag that gives a setting.
type FlagValue struct {
	// Key is the setting, such as "blender.path", and Flag the flag, such as "--blender".
	Key, Flag string
	// Text is the value.
	Text string
}

// FlagFolder is a watched folder that a flag gives.
type FlagFolder struct {
	Flag string
	// Path is absolute.
	Path        string
	RunExisting bool
}

// Loaded are settings, with where each of them comes from.
type Loaded struct {
	api.Settings
	// origins has the keys that are not the default, as "table.name", or "table.NAME.name" for
	// tables that have names.
	origins map[string]origin
	// folders has an entry for each of Settings.Folders.
	folders []folderOrigin
}

// origin is where the value of a key comes from. For a variable or a flag, name is its name.
type origin struct {
	from api.From
	name string
}

// folderOrigin is where a folder comes from.
type folderOrigin struct {
	from api.From
	// flag is the flag that gives the folder, also when the file has the folder, too.
	flag string
	// written has the keys that the file or the flag gives.
	written map[string]bool
}

// Wrong is a mistake in the file of the settings.
type Wrong struct {
	File string
	// Line and Column begin at 1. They are 0 when the place is not known.
	Line, Column int
	Text         string
}

// Error returns the mistake with its place before it.
func (w *Wrong) Error() string {
	if w.Line == 0 {
		return w.File + ": " + w.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", w.File, w.Line, w.Column, w.Text)
}

// Default returns the settings of a machine where nobody has chosen anything.
func Default() api.Settings {
	l := defaults()
	return l.Settings
}

func defaults() Loaded {
	l := Loaded{origins: map[string]origin{}}
	for _, t := range tables {
		if t.kind == reflect.Struct {
			setDefaults(l.table(t.name), t.keys, nil)
		}
	}
	return l
}

// setDefaults sets the fields of a table to their defaults, but for those in written.
func setDefaults(table reflect.Value, keys []*Declaration, written map[string]bool) {
	for _, d := range keys {
		if !written[d.Name] {
			d.in(table).Set(clone(d.standard))
		}
	}
}

// clone returns a value that shares no list with v.
func clone(v reflect.Value) reflect.Value {
	if list, ok := v.Interface().([]string); ok {
		return reflect.ValueOf(slices.Clone(list))
	}
	return v
}

// table returns a table that is there once, which can be set.
func (l *Loaded) table(name string) reflect.Value {
	for _, t := range tables {
		if t.name == name {
			return reflect.ValueOf(&l.Settings).Elem().Field(t.index)
		}
	}
	panic("the settings have no table " + name)
}

// Load reads the settings. A file that does not exist is empty, unless it is required. Load
// fails when the file can't be read; when something in it is wrong, with a [Wrong] for each
// mistake, all unknown keys at once; and when a variable or a flag is wrong. The settings that
// it returns then are of no use but to look for what they name.
func (s Source) Load() (Loaded, error) {
	text, err := s.read()
	if err != nil {
		return defaults(), err
	}
	return s.parse(text)
}

// read returns the text of the file.
func (s Source) read() ([]byte, error) {
	text, err := os.ReadFile(s.File)
	if err != nil && (s.Required || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	return text, nil
}

// parse returns the settings for a text of the file; it fails as [Source.Load] does.
func (s Source) parse(text []byte) (Loaded, error) {
	l := defaults()
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // some editors put it there
	var written map[string]any
	if err := toml.Unmarshal(text, &written); err != nil {
		return l, located(s.File, err)
	}
	blenders, err := l.takeFile(s.File, text, written)
	if err != nil {
		return l, err
	}
	if err := l.takeVariables(s.Environ); err != nil {
		return l, err
	}
	if err := l.takeFlags(s.Flags.Values); err != nil {
		return l, err
	}
	l.inherit(blenders)
	if err := l.complete(s.File, text); err != nil {
		return l, err
	}
	l.addFlagFolders(s.Flags.Folders)
	return l, nil
}

// note notes that keys of a table come from the file.
func (l *Loaded) note(table string, keys []*Declaration, written map[string]bool) {
	for _, d := range keys {
		if written[d.Name] {
			l.origins[table+"."+d.Name] = origin{from: api.FromFile}
		}
	}
}

// takeFlags puts flags over the settings.
func (l *Loaded) takeFlags(flags []FlagValue) error {
	for _, f := range flags {
		for _, t := range tables {
			for _, d := range t.keys {
				if d.Key() != f.Key {
					continue
				}
				if err := l.override(d, escaped(d, f.Text), origin{api.FromFlag, f.Flag}); err != nil {
					return fmt.Errorf("%s: %w", f.Flag, err)
				}
			}
		}
	}
	return nil
}

// escaped returns a text for a setting in which a $ is a plain character.
func escaped(d *Declaration, text string) string {
	if d.Type == api.TypePath {
		return strings.ReplaceAll(text, "$", "$$")
	}
	return text
}

// inherit copies keys of the table blender to the tables of further Blenders that do not have these keys,
// but for the keys that hold for one Blender alone.
func (l *Loaded) inherit(written map[string]map[string]bool) {
	from := l.table(tableBlender)
	for name, own := range written {
		one := reflect.New(from.Type()).Elem()
		one.Set(reflect.ValueOf(l.Blenders[name]))
		for _, d := range Declarations(tableBlender) {
			switch {
			case own[d.Name]:
			case d.Alone:
				d.in(one).Set(d.standard)
			default:
				d.in(one).Set(clone(d.in(from)))
			}
		}
		l.Blenders[name] = one.Interface().(api.BlenderSettings)
	}
}

// addFlagFolders adds the folders that flags give. A folder that the file has, too, is as the
// file says.
func (l *Loaded) addFlagFolders(flags []FlagFolder) {
	for _, f := range flags {
		if i := l.folder(f.Path); i >= 0 {
			l.folders[i].flag = f.Flag
			continue
		}
		var one api.FolderSettings
		setDefaults(reflect.ValueOf(&one).Elem(), Declarations(tableFolder), nil)
		one.Path, one.RunExisting = f.Path, f.RunExisting
		l.Folders = append(l.Folders, one)
		l.folders = append(l.folders, folderOrigin{
			from: api.FromFlag, flag: f.Flag, written: map[string]bool{keyPath: true, "run_existing": f.RunExisting},
		})
	}
}

// folder returns which folder has a path, or -1.
func (l *Loaded) folder(path string) int {
	return slices.IndexFunc(l.Folders, func(f api.FolderSettings) bool { return f.Path == path })
}

// blenderName is what a further Blender may be called. A file and a folder have its name, too.
var blenderName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,30}[A-Za-z0-9_])?$`)

// reservedName is what the engine calls Blenders that are in no table [blenders.NAME], and what no
// file can be called on Windows.
var reservedName = regexp.MustCompile(`^(?i)(` + api.DefaultBlender + `|(open|farm)(-.*)?|(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?)$`)

// wrongName returns why a further Blender can't have a name, or "".
func wrongName(name string) string {
	switch {
	case !blenderName.MatchString(name):
		return "a name has 1 to 32 letters, digits, \"-\", \"_\" and \".\"; it begins with a letter, a digit or \"_\", and ends with one of these"
	case reservedName.MatchString(name):
		return "\"default\" is the Blender of the table [blender], \"open\" is one that a person has open, \"farm\" are the machines of the farm, and Windows keeps some names for devices"
	}
	for _, d := range Declarations(tableBlender) {
		if name == d.Name || strings.HasSuffix(name, "."+d.Name) {
			return "this is the name of a setting"
		}
	}
	return ""
}

// complete makes the paths absolute and checks what a single value does not show. Relative paths
// are relative to the folder of the file.
func (l *Loaded) complete(file string, text []byte) error {
	dir := filepath.Dir(file)
	at := func(table []string, i int, key, format string, args ...any) error {
		w := &Wrong{File: file, Text: fmt.Sprintf(format, args...)}
		if d, err := parseText(text); err == nil { // it was read already
			at := d.place(table, i, key, false)
			w.Line, w.Column = at.line, at.column
		}
		return w
	}
	for _, t := range tables {
		if t.kind != reflect.Struct {
			continue
		}
		for _, d := range t.keys {
			err := d.completePath(l.table(t.name), dir)
			switch from := l.origins[d.Key()]; {
			case err == nil:
			case from.from == api.FromVariable:
				return &WrongVariable{from.name, err}
			default:
				return at([]string{t.name}, 0, d.Name, "%s: %v", d.Key(), err)
			}
		}
	}
	folded := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(l.Blenders)) {
		b, table := l.Blenders[name], []string{tableBlenders, name}
		if why := wrongName(name); why != "" {
			return at(table, 0, "", "a Blender can't be called %q: %s", name, why)
		}
		if other, there := folded[strings.ToLower(name)]; there {
			return at(table, 0, "", "two Blenders can't be called %q and %q: many disks take these for the same name", other, name)
		}
		folded[strings.ToLower(name)] = name
		one := reflect.ValueOf(&b).Elem()
		for _, d := range Declarations(tableBlender) {
			if err := d.completePath(one, dir); err != nil {
				return at(table, 0, d.Name, "%s.%s: %v", strings.Join(table, "."), d.Name, err)
			}
		}
		l.Blenders[name] = b
	}
	for i := range l.Folders {
		if key, err := l.completeFolder(i, dir); err != nil {
			return at([]string{tableFolder}, i, key, "%v", err)
		}
	}
	return nil
}

// completeFolder does for a folder what complete does. It returns the key that is wrong.
func (l *Loaded) completeFolder(i int, dir string) (key string, err error) {
	f := &l.Folders[i]
	if f.Path == "" {
		return "", fmt.Errorf("folder %d has no path", i+1)
	}
	name := fmt.Sprintf("folder %d", i+1)
	for _, d := range Declarations(tableFolder) {
		if err := d.completePath(reflect.ValueOf(f).Elem(), dir); err != nil {
			return d.Name, fmt.Errorf("%s: %s: %w", name, d.Name, err)
		}
		name = "folder " + f.Path
	}
	if f.Farm {
		if key, err := checkFarmFolder(f); err != nil {
			return key, fmt.Errorf("folder %s: %w", f.Path, err)
		}
	} else if _, named := l.Blenders[f.Blender]; !named && f.Blender != "" && f.Blender != api.DefaultBlender && f.Blender != "open" && !api.IsVersion(f.Blender) {
		names := append([]string{api.DefaultBlender}, slices.Sorted(maps.Keys(l.Blenders))...)
		return "blender", fmt.Errorf("folder %s: there is no Blender with the name %q; there are: %s, and \"open\"; a version is written \"4.5\"", f.Path, f.Blender, strings.Join(names, ", "))
	}
	for i, patterns := range [][]string{f.Include, f.Exclude} {
		for _, pattern := range patterns {
			if pattern == "" {
				return []string{"include", "exclude"}[i], fmt.Errorf("folder %s: a pattern is empty; leave it out", f.Path)
			}
			if !doublestar.ValidatePattern(pattern) {
				return []string{"include", "exclude"}[i], fmt.Errorf("folder %s: %q is no pattern; look at its brackets and braces", f.Path, pattern)
			}
		}
	}
	if !f.Frame.None() && !f.Frames.None() {
		return "frame", fmt.Errorf("folder %s: it has both frame and frames; leave one of them out", f.Path)
	}
	if l.folder(f.Path) < i {
		return keyPath, fmt.Errorf("the folder %s is there twice", f.Path)
	}
	return "", nil
}

// checkFarmFolder returns the setting of a folder that its runs can't have on the farm, and why.
func checkFarmFolder(f *api.FolderSettings) (key string, err error) {
	switch {
	case f.Blender != "" && (!blenderName.MatchString(f.Blender) || reservedName.MatchString(f.Blender)):
		return "blender", fmt.Errorf("%q is no Blender that another machine can have; with farm, blender is a version such as \"4.5\", or a name that the settings of the machines have", f.Blender)
	case f.Scene != "" && f.Scene != "fresh":
		return "scene", errors.New("on the farm, a run begins with a factory scene; leave scene or farm out")
	case f.Render() != nil:
		return "farm", errors.New("a folder of the farm renders no frames after its scripts; leave frame and frames out, or have the script render, or use `blendtray farm render`")
	}
	return "", nil
}

// completePath makes the path of a setting absolute, if the setting is a path.
func (d *Declaration) completePath(table reflect.Value, dir string) error {
	field := d.in(table)
	if d.Type != api.TypePath || field.String() == "" {
		return nil
	}
	path, err := expand(field.String())
	if err != nil {
		return err
	}
	switch d.Path {
	case "program":
		if !strings.ContainsAny(path, `/\~`) { // a name, which is looked up in PATH
			field.SetString(path)
			return nil
		}
	case "scene":
		if path == "fresh" || path == "keep" {
			return nil
		}
		if !strings.EqualFold(filepath.Ext(path), ".blend") {
			return fmt.Errorf("%q is neither \"fresh\" nor \"keep\" nor the path of a .blend file", path)
		}
	}
	abs, err := absolute(path, dir)
	if err == nil {
		field.SetString(abs)
	}
	return err
}

// expand puts the values of variables in the place of $NAME and ${NAME}, and $ in that of $$. It fails
// for a variable that is not set: without its value, the path would be another path. So would a path
// that begins with a variable whose value is empty.
func expand(path string) (string, error) {
	if rest := strings.ReplaceAll(path, "$$", ""); strings.Count(rest, "${") != len(wholeName.FindAllString(rest, -1)) {
		return "", fmt.Errorf("%q has a ${ that names no variable; write ${NAME}, or $$ for a plain $", path)
	}
	var wrong error
	first := true
	expanded := os.Expand(path, func(name string) string {
		if name == "$" {
			return "$"
		}
		begins := first && (strings.HasPrefix(path, "$"+name) || strings.HasPrefix(path, "${"+name+"}"))
		first = false
		value, set := os.LookupEnv(name)
		if wrong == nil && (!set || begins && value == "") {
			is := "is not set"
			if set {
				is = "is empty"
			}
			wrong = fmt.Errorf("the variable %s in %q %s; set it, or write the path without it ($$ is a plain $)", name, path, is)
		}
		return value
	})
	return expanded, wrong
}

// wholeName is a variable in braces, as a path names it.
var wholeName = regexp.MustCompile(`\$\{[^{}]+\}`)

// absolute makes a path absolute. ~ is the home folder, and a relative path is relative to dir.
func absolute(path, dir string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no home folder to stand for ~: %w", err)
		}
		path = home + rest
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Abs(path)
}
