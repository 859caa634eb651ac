package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file changes tables in the TOML of other programs, as text.go changes settings.toml.

// TableValue is a key of a table with its value: a text, a list of texts, or a table of texts, which
// becomes an inline table.
type TableValue struct {
	Key   string
	Value any
}

// SetTable sets keys of the table [parent.name], which is made where there is none. What else the table
// has stays, and so does everything else. It fails when the text is no TOML, or what would be changed is
// in a form that can't be changed without doing harm.
func SetTable(text []byte, parent, name string, values []TableValue) ([]byte, error) {
	for _, v := range values {
		value := v.Value
		if table, ok := value.(map[string]string); ok {
			inline, err := inlineTable(table)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.Key, err)
			}
			value = inline
		}
		var err error
		if text, err = setKey(text, parent+"."+name, v.Key, value); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// RemoveTable removes the table [parent.name], with the tables below it. It fails when there is none,
// when the text is no TOML, or the table can't be removed without doing harm.
func RemoveTable(text []byte, parent, name string) ([]byte, error) {
	return removeTable(text, parent+"."+name)
}

func inlineTable(table map[string]string) (literal, error) {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		value, err := tomlString(table[key])
		if err != nil {
			return "", err
		}
		parts = append(parts, tomlKey([]string{key})+" = "+string(value))
	}
	return literal("{ " + strings.Join(parts, ", ") + " }"), nil
}
