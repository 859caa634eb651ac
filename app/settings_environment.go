package app

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// notSettings are variables of ours that are no settings.
var notSettings = map[string]bool{"BLENDTRAY_HOME": true, "BLENDTRAY_TOKEN_FILE": true}

// settingKeys lists the settings as "table.key".
func settingKeys() []string {
	var keys []string
	tables := reflect.TypeFor[Settings]()
	for i := range tables.NumField() {
		table := tables.Field(i)
		of := table.Type
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		for j := range of.NumField() {
			keys = append(keys, table.Tag.Get("toml")+"."+of.Field(j).Tag.Get("toml"))
		}
	}
	return keys
}

// overrideByEnvironment takes BLENDTRAY_BLENDER_PATH for blender.path and so on. Folders and
// lists have no variables. Variables with our prefix that mean nothing are an error: a
// misspelled one would otherwise do nothing in silence.
func overrideByEnvironment(s *Settings, environ []string) error {
	fields := map[string]reflect.Value{}
	for _, table := range []struct {
		prefix string
		value  reflect.Value
	}{
		{"BLENDTRAY_BLENDER_", reflect.ValueOf(&s.Blender).Elem()},
		{"BLENDTRAY_RUNS_", reflect.ValueOf(&s.Runs).Elem()},
		{"BLENDTRAY_TRAY_", reflect.ValueOf(&s.Tray).Elem()},
	} {
		for i := range table.value.NumField() {
			if table.value.Field(i).Kind() != reflect.Slice {
				name := strings.ToUpper(table.value.Type().Field(i).Tag.Get("toml"))
				fields[table.prefix+name] = table.value.Field(i)
			}
		}
	}
	var wrong []error
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "BLENDTRAY_") || notSettings[name] {
			continue
		}
		field, ok := fields[name]
		if !ok {
			wrong = append(wrong, fmt.Errorf("the variable %s names no setting; docs/settings.md lists them", name))
		} else if err := setFromText(field, text); err != nil {
			wrong = append(wrong, fmt.Errorf("the variable %s: %w", name, err))
		}
	}
	return errors.Join(wrong...)
}

// setFromText sets a field from the text of a variable.
func setFromText(field reflect.Value, text string) error {
	if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(value)
	default: // the rest are numbers without a sign
		value, err := strconv.ParseUint(text, 10, field.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no number from 0 to %d", text, uint64(1)<<field.Type().Bits()-1)
		}
		field.SetUint(value)
	}
	return nil
}
