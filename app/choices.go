//go:build !headless

package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"blendtray/tray"
)

// This file offers the settings to the window: those of one line each that a person changes
// now and then. The others are for an editor.

// choice is one of them, with what the window calls it.
type choice struct {
	key, label, help string
	holds            tray.Holds
}

// find is the choice with a key; it fails when there is none.
func find(all []choice, key string) (choice, error) {
	i := slices.IndexFunc(all, func(c choice) bool { return c.key == key })
	if i < 0 {
		return choice{}, errors.New("there is no setting " + key)
	}
	return all[i], nil
}

// choices have keys "table.key".
var choices = []choice{
	{"runs.preview", "Picture of the scene after each run", "workbench is faster, and needs a display or a GPU", tray.AtOnce},
	{"tray.notify", "Notifications", "of runs that fail, of all runs, or of none", tray.AtOnce},
	{"runs.timeout", "Time limit of a run", "such as 30s or 1h30m, or none", tray.AtOnce},
	{"runs.history", "Runs to keep", "", tray.AtOnce},
	{"blender.attach", "Run scripts in the Blender that I have open", "where its add-on serves, and none is started", tray.AtOnce},
	{"blender.factory_startup", "Start Blender without my preferences and add-ons", "", tray.AtBlenderStart},
	{"blender.max_memory", "Replace Blender above this memory", "between two runs; such as 8GB, or none", tray.AtBlenderStart},
	{"blender.max_runs", "Replace Blender after so many runs", "0 is never", tray.AtBlenderStart},
	{"blender.cancel_grace", "Kill Blender when a cancelled run goes on for", "such as 3s", tray.AtBlenderStart},
}

// folderChoices are the same for a watched folder.
var folderChoices = []choice{
	{"scene", "Scene of a run", "fresh, keep, or the path of a .blend", tray.AtOnce},
	{"on_busy", "A save while its script runs", "waits for the end, or cancels it", tray.AtOnce},
	{"recursive", "Watch the folders in it, too", "", tray.AtOnce},
	{"timeout", "Time limit of a run", "such as 30s or 1h30m; none is that of all runs", tray.AtOnce},
}

// words are what a setting may be, for types that are one of a few words.
func words(v any) []string {
	switch v.(type) {
	case onBusy:
		return onBusyWords
	case preview:
		return previewWords
	case notify:
		return notifyWords
	case bool, *bool:
		return []string{"true", "false"}
	}
	return nil
}

// settingText is a setting's value as it is written in the file, without quotes.
func settingText(v any) string {
	switch v := v.(type) {
	case duration:
		return durationText(v)
	case byteSize:
		return v.String()
	case *bool: // recursive, which is true unless something else is said
		return strconv.FormatBool(v == nil || *v)
	}
	return fmt.Sprint(v)
}

// settingValue is what setKey is to write for a text, and nil for the default.
func settingValue(v any, text, standard string) (any, error) {
	text = strings.TrimSpace(text)
	if text == standard || text == "" {
		return nil, nil
	}
	switch v.(type) {
	case bool, *bool:
		return strconv.ParseBool(text)
	case uint32:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no whole number from 0 on", text)
		}
		return int64(n), nil
	}
	return text, nil // and the settings say what is wrong with it
}

// fieldOf is the value of a key in a table of settings.
func fieldOf(table reflect.Value, key string) any {
	for i := range table.NumField() {
		if table.Type().Field(i).Tag.Get("toml") == key {
			return table.Field(i).Interface()
		}
	}
	panic("there is no setting " + key) // a test asks for all
}

func settingOf(s Settings, name string) any {
	table, key, _ := strings.Cut(name, ".")
	return fieldOf(reflect.ValueOf(fieldOf(reflect.ValueOf(s), table)), key)
}

// Settings are what the window offers to change, as it is now. They fail when the file can't
// be read.
func (h *trayHost) Settings() ([]tray.Setting, error) {
	s, err := LoadSettings(h.paths.SettingsFile(), os.Environ())
	if err != nil {
		return nil, err
	}
	var all []tray.Setting
	for _, c := range choices {
		v := settingOf(s, c.key)
		set := tray.Setting{Key: c.key, Label: c.label, Help: c.help, Words: words(v), Value: settingText(v), Holds: c.holds}
		if name := "BLENDTRAY_" + strings.ToUpper(strings.ReplaceAll(c.key, ".", "_")); os.Getenv(name) != "" {
			set.Fixed = "set by the variable " + name
		}
		all = append(all, set)
	}
	return all, nil
}

// ChangeSetting writes a setting that [trayHost.Settings] has named. It fails, and changes
// nothing, when the value can't be.
func (h *trayHost) ChangeSetting(name, text string) error {
	if _, err := find(choices, name); err != nil {
		return err
	}
	standard := settingOf(defaultSettings(), name)
	value, err := settingValue(standard, text, settingText(standard))
	if err != nil {
		return err
	}
	table, key, _ := strings.Cut(name, ".")
	return editSettings(h.paths.SettingsFile(), func(text []byte) ([]byte, error) {
		return setKey(text, table, key, value)
	})
}

// FolderSettings are what the window offers to change of a watched folder. They fail when the
// settings can't be read, or do not have the folder.
func (h *trayHost) FolderSettings(path string) ([]tray.Setting, error) {
	s, err := LoadSettings(h.paths.SettingsFile(), os.Environ())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Folders, func(f FolderSettings) bool { return f.Path == path })
	if i < 0 {
		return nil, fmt.Errorf("%s is not in the settings, but was given to the engine with --folder", path)
	}
	f := s.Folders[i]
	if f.Scene == "" {
		f.Scene = "fresh"
	}
	var all []tray.Setting
	for _, c := range folderChoices {
		v := fieldOf(reflect.ValueOf(f), c.key)
		all = append(all, tray.Setting{
			Key: c.key, Label: c.label, Help: c.help, Words: words(v), Value: settingText(v), Holds: c.holds,
		})
	}
	return all, nil
}

// ChangeFolder writes a setting of a watched folder, as [trayHost.ChangeSetting] does.
func (h *trayHost) ChangeFolder(path, key, text string) error {
	if _, err := find(folderChoices, key); err != nil {
		return err
	}
	if err := plainPath(text); err != nil {
		return err
	}
	standard := FolderSettings{Scene: "fresh"}
	v := fieldOf(reflect.ValueOf(standard), key)
	value, err := settingValue(v, text, settingText(v))
	if err != nil {
		return err
	}
	file := h.paths.SettingsFile()
	return editSettings(file, func(text []byte) ([]byte, error) {
		return setFolderKey(text, path, filepath.Dir(file), key, value)
	})
}
