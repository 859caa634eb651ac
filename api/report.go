package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SettingsReport is all that the engine says of its settings, as `blendtray settings --json`
// prints it.
type SettingsReport struct {
	// File is the absolute path of the file of the settings, which need not exist.
	File string `json:"file"`
	// Error says what is wrong in the file, with file and line, or is "". The settings below are
	// those that hold all the same.
	Error string `json:"error"`
	// Groups has the groups of the settings in their order, without those of the folders.
	Groups []SettingsGroup `json:"groups"`
	// Settings has every key that is not a folder's, in the order of the tables. The keys of
	// further Blenders are "blenders.NAME.key".
	Settings []Setting      `json:"settings"`
	Folders  []FolderReport `json:"folders"`
}

// SettingsGroup is a table of the settings, as the window shows it.
type SettingsGroup struct {
	// Table is the name of the table: the keys of its settings begin with it and a dot.
	Table string `json:"table"`
	// Title is what the window calls the group, and Help says what the group is for.
	Title string `json:"title"`
	Help  string `json:"help"`
}

// FolderReport is a watched folder with its settings.
type FolderReport struct {
	// Path is the absolute path.
	Path string `json:"path"`
	From From   `json:"from"`
	// Fixed says why the folder can't be changed or removed, or is "".
	Fixed string `json:"fixed"`
	// Settings has the keys of the folder but for its path, in their order.
	Settings []Setting `json:"settings"`
}

// Setting is one setting as it is now.
type Setting struct {
	// Key is "table.key" or, for a key of a folder, "key" alone.
	Key string `json:"key"`
	// Value is what holds, and Default what would hold if nobody had chosen a value. They have the
	// types of TOML: a string, also for durations and sizes, a bool, a number or a list of strings.
	Value   any  `json:"value"`
	Default any  `json:"default"`
	From    From `json:"from"`
	// Holds says from when a change holds.
	Holds Holds `json:"holds"`
	// Fixed says why the setting can't be changed, or is "".
	Fixed string      `json:"fixed"`
	Type  SettingType `json:"type"`
	// Words are all values that a setting of the type word may have, the default first.
	Words []string `json:"words"`
	// Path says what a path leads to: "program", "folder" or "scene". It is "" for other settings.
	Path string `json:"path"`
	// Label is what the window calls the setting. It is "" for settings that are not in the window.
	Label string `json:"label"`
	// Help says what the setting does, in Markdown.
	Help string `json:"help"`
}

// From is where the value of a setting comes from.
type From string

// The values of [From].
const (
	FromDefault  From = "default"
	FromFile     From = "file"
	FromVariable From = "variable" // of the environment that the engine was started in
	FromFlag     From = "flag"     // of the command line of the engine
)

// SettingType says what may be written for a setting.
type SettingType string

// The types of settings.
const (
	TypeText     SettingType = "text"
	TypePath     SettingType = "path"
	TypeBool     SettingType = "bool"
	TypeNumber   SettingType = "number" // a whole number from 0 on
	TypeDuration SettingType = "duration"
	TypeSize     SettingType = "size"
	TypeWord     SettingType = "word"
	TypeList     SettingType = "list" // of texts
)

// Find returns the setting with a key, and false when there is none.
func (r SettingsReport) Find(key string) (Setting, bool) { return findSetting(r.Settings, key) }

// Folder returns the folder with a path, and false when there is none.
func (r SettingsReport) Folder(path string) (FolderReport, bool) {
	i := slices.IndexFunc(r.Folders, func(f FolderReport) bool { return f.Path == path })
	if i < 0 {
		return FolderReport{}, false
	}
	return r.Folders[i], true
}

// Find returns the setting with a key, and false when there is none.
func (f FolderReport) Find(key string) (Setting, bool) { return findSetting(f.Settings, key) }

func findSetting(all []Setting, key string) (Setting, bool) {
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return all[i], true
}

// Text returns the value as a person would type it for `blendtray settings`: without quotes,
// except in lists.
func (s Setting) Text() string { return ValueText(s.Value) }

// markdownLink matches a link in parentheses, as the help of a setting may have one. Chinese has
// parentheses of its own.
var markdownLink = regexp.MustCompile(`\s*[(（]\[[^\]]*\]\([^)]*\)[)）]`)

// PlainHelp returns the help of a setting without Markdown.
func PlainHelp(help string) string {
	return strings.NewReplacer("`", "", `"`, "").Replace(markdownLink.ReplaceAllString(help, ""))
}

// ValueText returns the value of a setting, or the default, as [Setting.Text] does. It takes the
// values that JSON and TOML have.
func ValueText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64: // as JSON has numbers
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = quoted(part)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = fmt.Sprint(part)
		}
		return ValueText(parts)
	default:
		return fmt.Sprint(v)
	}
}

// quoted returns a text in quotes, as JSON and TOML both read it.
func quoted(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return strconv.Quote(text) // a text can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
