package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"blendtray/api"
)

// Declaration is all that is known of a setting before anybody has chosen a value. The fields
// of the structs in api are where the settings are declared; this file reads them.
type Declaration struct {
	// Table is the name of the table, such as "runs", and Name the name of the key in it.
	Table, Name string
	Type        api.SettingType
	// Words are the values of a setting that is one of a few words, the default first.
	Words []string
	Holds api.Holds
	// Path says what a path leads to: "program", "folder" or "scene". It is "" for other settings.
	Path string
	// Alone tells that a table [blenders.NAME] without the key does not take the value of [blender].
	Alone bool
	// Max is the largest value of a number.
	Max uint64
	// Label is what the window calls the setting; Help says what it does, in Markdown.
	Label, Help string

	field    []int         // the index of the field in the struct of the table
	of       reflect.Type  // of the field
	standard reflect.Value // the default
}

// Key returns "table.name".
func (d *Declaration) Key() string { return d.Table + "." + d.Name }

// Default returns the default as JSON and TOML have it.
func (d *Declaration) Default() any { return plain(d.standard) }

// in returns the field of the setting in a struct of its table, which can be set.
func (d *Declaration) in(table reflect.Value) reflect.Value { return table.FieldByIndex(d.field) }

// tableOf is a table that the settings declare.
type tableOf struct {
	name  string
	index int // of the field in api.Settings
	// kind is how the table is written: reflect.Struct for [name], reflect.Map for [name.NAME],
	// reflect.Slice for [[name]].
	kind reflect.Kind
	keys []*Declaration
	// group is how the window shows the table. A table of folders has none.
	group api.SettingsGroup
}

// The names of the tables that have rules of their own: a table [blenders.NAME] inherits from
// [blender], and a [[folder]] is known by its path.
const (
	tableBlender  = "blender"
	tableBlenders = "blenders"
	tableFolder   = "folder"
	keyPath       = "path"
)

// tables are all tables, in the order of their declaration.
var tables = declared(reflect.TypeFor[api.Settings]())

// declared reads the declarations. It panics when one of them makes no sense, which every test
// shows.
func declared(settings reflect.Type) []tableOf {
	var all []tableOf
	for i := range settings.NumField() {
		field := settings.Field(i)
		t := tableOf{name: field.Tag.Get("toml"), index: i, kind: field.Type.Kind()}
		t.group = api.SettingsGroup{Table: t.name, Title: field.Tag.Get("title"), Help: field.Tag.Get("about")}
		if hasGroup := t.kind != reflect.Slice; hasGroup != (t.group.Title != "" && t.group.Help != "") {
			panic(fmt.Sprintf("the table %s lacks its title or says not what it is for, or is a list and has them", t.name))
		}
		of := field.Type
		if t.kind != reflect.Struct {
			of = of.Elem()
		}
		t.keys = declaredKeys(t.name, of, nil)
		all = append(all, t)
	}
	return all
}

func declaredKeys(table string, of reflect.Type, at []int) []*Declaration {
	var all []*Declaration
	for i := range of.NumField() {
		field := of.Field(i)
		index := append(slices.Clone(at), i)
		if field.Anonymous {
			all = append(all, declaredKeys(table, field.Type, index)...)
			continue
		}
		d := &Declaration{
			Table: table, Name: field.Tag.Get("toml"), Holds: api.Holds(field.Tag.Get("holds")), Path: field.Tag.Get("path"),
			Alone: field.Tag.Get("alone") == "true",
			Label: field.Tag.Get("label"), Help: field.Tag.Get("help"), field: index, of: field.Type,
		}
		value := reflect.New(field.Type).Elem()
		d.Type, d.Words = typeOf(value.Interface(), d.Path)
		if words := field.Tag.Get("words"); words != "" {
			d.Words = strings.Split(words, ",")
		}
		d.Max = largest(field)
		if text := field.Tag.Get("default"); text != "" {
			var err error
			if value, err = d.parse(text); err != nil {
				panic(fmt.Sprintf("the default of the setting %s: %v", d.Key(), err))
			}
		}
		d.standard = value
		if d.Name == "" || d.Holds == "" || d.Help == "" {
			panic(fmt.Sprintf("the declaration of the setting %s lacks its key, from when it holds, or its help", d.Key()))
		}
		all = append(all, d)
	}
	return all
}

// largest returns the largest value that the field of a number may have, by its tag or else by its type;
// it is 0 for other fields.
func largest(field reflect.StructField) uint64 {
	if !field.Type.ConvertibleTo(reflect.TypeFor[uint64]()) {
		return 0
	}
	largest := uint64(1)<<field.Type.Bits() - 1
	if text := field.Tag.Get("max"); text != "" {
		tagged, err := strconv.ParseUint(text, 10, 64)
		if err != nil || tagged > largest {
			panic(fmt.Sprintf("the setting %s has the max %q", field.Tag.Get("toml"), text))
		}
		largest = tagged
	}
	return largest
}

// typeOf returns the type of a setting by a value of its field, and its words if it has some.
func typeOf(value any, path string) (api.SettingType, []string) {
	switch v := value.(type) {
	case interface{ Words() []string }:
		return api.TypeWord, v.Words()
	case api.Duration:
		return api.TypeDuration, nil
	case api.Bytes:
		return api.TypeSize, nil
	case bool:
		return api.TypeBool, nil
	case api.Frame, api.Frames, api.Command:
		return api.TypeText, nil
	case []string:
		return api.TypeList, nil
	case string:
		if path != "" {
			return api.TypePath, nil
		}
		return api.TypeText, nil
	}
	return api.TypeNumber, nil
}

// Declarations returns the declarations of a table, such as "runs" or "folder", in their order.
func Declarations(table string) []*Declaration {
	for _, t := range tables {
		if t.name == table {
			return slices.Clone(t.keys)
		}
	}
	return nil
}

// Keys returns the keys of all settings as "table.name", in the order of their declaration. The
// keys of a further Blender, which are those of the table blender, are left out.
func Keys() []string {
	var keys []string
	for _, t := range tables {
		if t.kind == reflect.Map {
			continue
		}
		for _, d := range t.keys {
			keys = append(keys, d.Key())
		}
	}
	return keys
}

// plain returns the value of a field as JSON and TOML have it.
func plain(field reflect.Value) any {
	switch v := field.Interface().(type) {
	case fmt.Stringer:
		return v.String()
	case []string:
		return append([]string{}, v...) // never null in JSON
	case bool, string:
		return v
	}
	return field.Uint()
}

// parse returns the value that a text means for a setting: the text as it would stand in the
// file, without quotes unless the setting is a list. It fails when the setting can't have the
// value.
func (d *Declaration) parse(text string) (reflect.Value, error) {
	value := reflect.New(d.of).Elem()
	if u, ok := value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text = strings.TrimSpace(text)
		if d.Type == api.TypeWord && !slices.Contains(d.Words, text) { // the type may have more words
			return value, fmt.Errorf("%q is not one of \"%s\"", text, strings.Join(d.Words, "\", \""))
		}
		return value, u.UnmarshalText([]byte(text))
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(text)
		return value, d.check(text)
	case reflect.Bool:
		on, err := strconv.ParseBool(strings.TrimSpace(text))
		if err != nil {
			return value, fmt.Errorf("%q is neither true nor false", text)
		}
		value.SetBool(on)
	case reflect.Slice:
		list, ok := ParseList(text)
		if !ok {
			return value, fmt.Errorf("%q is no list; write one such as [\"a\", \"b\"]", text)
		}
		value.Set(reflect.ValueOf(list))
	default: // the rest are numbers without a sign
		number, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil || number > d.Max {
			return value, fmt.Errorf("%q is no number from 0 to %d", text, d.Max)
		}
		value.SetUint(number)
	}
	return value, nil
}

// ParseList returns the texts of a list as it would stand in the file, and false when the text is no
// list of texts.
func ParseList(text string) ([]string, bool) {
	var list struct {
		Texts []string `toml:"texts"`
	}
	err := toml.Unmarshal([]byte("texts = "+text), &list)
	return list.Texts, err == nil && strings.HasPrefix(strings.TrimSpace(text), "[")
}
