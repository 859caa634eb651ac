package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"blendtray/api"
)

// This file turns what a client has sent for a setting into what stands in the file.

// literal is a value as it stands in the file.
type literal string

// literal returns the value of a setting as it stands in the file, for a value as JSON has it, or
// for the text that would stand in the file. It fails when the setting can't have the value.
//
// In the file a $ begins the name of a variable. In a value that a client sends a $ is a plain
// character, so that a path from a list of files means that path.
func (d *Declaration) literal(value any) (literal, error) {
	text, list, err := d.textOf(value)
	if err != nil {
		return "", err
	}
	if d.Type == api.TypeList {
		if list == nil {
			parsed, err := d.parse(text)
			if err != nil {
				return "", err
			}
			list = parsed.Interface().([]string)
		}
		return tomlValue(list)
	}
	if d.Type != api.TypeText && d.Type != api.TypePath {
		text = strings.TrimSpace(text)
	}
	parsed, err := d.parse(text)
	if err != nil {
		return "", err
	}
	switch parsed.Kind() {
	case reflect.Bool:
		return tomlValue(parsed.Bool())
	case reflect.String:
		if d.Type == api.TypePath {
			text = strings.ReplaceAll(text, "$", "$$")
		}
		return tomlValue(text)
	}
	if _, isWord := strconv.ParseUint(text, 10, 64); d.Type == api.TypeNumber && isWord == nil {
		return tomlValue(int64(parsed.Uint()))
	}
	return tomlValue(text) // as it was written: 90s stays 90s
}

// textOf returns a value of JSON as text, or as a list.
func (d *Declaration) textOf(value any) (text string, list []string, err error) {
	switch v := value.(type) {
	case string:
		return v, nil, nil
	case bool:
		return strconv.FormatBool(v), nil, nil
	case int, uint64:
		return fmt.Sprint(v), nil, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil, nil
	case []string:
		list = append([]string{}, v...)
	case []any:
		list = []string{}
		for _, part := range v {
			s, ok := part.(string)
			if !ok {
				return "", nil, fmt.Errorf("%v is in the list and is no text", part)
			}
			list = append(list, s)
		}
	case fmt.Stringer:
		return v.String(), nil, nil
	default:
		return "", nil, fmt.Errorf("a setting can't be %v", value)
	}
	if d.Type != api.TypeList {
		return "", nil, fmt.Errorf("%v is a list and not a single value", value)
	}
	return "", list, nil
}

// tomlValue writes a value as TOML. It fails for strings that are no UTF-8, and for types that
// no setting has.
func tomlValue(value any) (literal, error) {
	switch value := value.(type) {
	case literal:
		return value, nil
	case string:
		return tomlString(value)
	case bool:
		return literal(strconv.FormatBool(value)), nil
	case int64:
		return literal(strconv.FormatInt(value, 10)), nil
	case api.Duration:
		return tomlString(value.String())
	case []string:
		parts := make([]string, len(value))
		for i := range value {
			part, err := tomlString(value[i])
			if err != nil {
				return "", err
			}
			parts[i] = string(part)
		}
		return literal("[" + strings.Join(parts, ", ") + "]"), nil
	}
	return "", fmt.Errorf("a setting can't be a %T", value)
}

// tomlString writes a string as TOML, a string with backslashes as Windows people like it.
func tomlString(s string) (literal, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is no UTF-8, which settings.toml has to be", s)
	}
	control := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	if !control && strings.ContainsAny(s, `\"`) && !strings.Contains(s, "'") {
		return literal("'" + s + "'"), nil
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return literal(b.String()), nil
}
