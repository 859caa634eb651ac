package agents

import (
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/pelletier/go-toml/v2"

	"blendtray/app/settings"
)

// tomlFormat is TOML: each entry is a table below mcp_servers.
type tomlFormat struct{}

const tomlTable = "mcp_servers"

func (tomlFormat) set(text []byte, e Entry) ([]byte, error) {
	before, err := readTOML(text)
	if err != nil {
		return nil, err
	}
	if _, other := entryOf(before, e.Name)["url"]; other {
		return nil, errOther
	}
	old := entryOf(before, e.Name)
	var values []settings.TableValue
	if old["command"] != e.Command {
		values = append(values, settings.TableValue{Key: "command", Value: e.Command})
	}
	if args, _ := old["args"].([]any); fmt.Sprint(args) != fmt.Sprint(e.Args) {
		values = append(values, settings.TableValue{Key: "args", Value: e.Args})
	}
	env := map[string]string{}
	known, _ := old["env"].(map[string]any)
	for name, value := range known {
		env[name] = fmt.Sprint(value)
	}
	same := len(env)
	maps.Copy(env, e.Env)
	for name, value := range e.Env {
		if known[name] != value {
			same = -1
		}
	}
	if len(env) != same {
		values = append(values, settings.TableValue{Key: "env", Value: env})
	}
	after, err := settings.SetTable(text, tomlTable, e.Name, values)
	if err != nil {
		return nil, err
	}
	return after, sameBut(before, after, e.Name)
}

func (tomlFormat) remove(text []byte, name string) ([]byte, error) {
	before, err := readTOML(text)
	if err != nil {
		return nil, err
	}
	if entryOf(before, name) == nil {
		return text, nil
	}
	after, err := settings.RemoveTable(text, tomlTable, name)
	if err != nil {
		return nil, err
	}
	return after, sameBut(before, after, name)
}

func readTOML(text []byte) (map[string]any, error) {
	all := map[string]any{}
	if err := toml.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("it is no TOML, and was left alone: %w", err)
	}
	return all, nil
}

// entryOf returns the entry of a name, or nil.
func entryOf(all map[string]any, name string) map[string]any {
	table, _ := all[tomlTable].(map[string]any)
	entry, _ := table[name].(map[string]any)
	return entry
}

// sameBut fails when a text has changed in anything but the entry of a name.
func sameBut(before map[string]any, text []byte, name string) error {
	after, err := readTOML(text)
	if err != nil {
		return err
	}
	path := []string{tomlTable, name}
	if !reflect.DeepEqual(without(before, path), without(after, path)) {
		return errors.New("more than one entry would change; it was left alone")
	}
	return nil
}
