package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// plainArguments returns the arguments of a call without those that are null and may be left out: null is taken
// as absent. It fails where the arguments do not fit the schema of the tool, and says which argument is wrong
// and what it should be; the protocol's library says so with words of Go.
func plainArguments(schema *jsonschema.Schema, arguments json.RawMessage) (json.RawMessage, error) {
	var given map[string]json.RawMessage
	if json.Unmarshal(arguments, &given) != nil {
		return nil, fmt.Errorf("the arguments are no JSON object, such as {%q: …}", slices.Sorted(maps.Keys(schema.Properties))[0])
	}
	absent := false
	for _, name := range slices.Sorted(maps.Keys(given)) {
		property, known := schema.Properties[name]
		required := slices.Contains(schema.Required, name)
		switch text := given[name]; {
		case !known:
			return nil, fmt.Errorf("%s: the tool has no such argument; it has %s",
				cut(name, 100), strings.Join(slices.Sorted(maps.Keys(schema.Properties)), ", "))
		case string(text) == "null" && !required:
			delete(given, name)
			absent = true
		default:
			if want := misfit(property, text); want != "" {
				return nil, fmt.Errorf("%s: %s is not %s", name, cut(string(text), 60), want)
			}
		}
	}
	for _, name := range schema.Required {
		if _, there := given[name]; !there {
			return nil, fmt.Errorf("%s is missing: the tool needs it", name)
		}
	}
	if !absent {
		return arguments, nil
	}
	return json.Marshal(given)
}

// misfit returns what a value of an argument should be in plain words, or "" where the value is so.
func misfit(schema *jsonschema.Schema, text json.RawMessage) (want string) {
	var value any
	if json.Unmarshal(text, &value) != nil {
		// A number that is too large for the numbers of Go.
		return kindWords[schema.Type]
	}
	fits := true
	switch schema.Type {
	case "string":
		_, fits = value.(string)
	case "boolean":
		_, fits = value.(bool)
	case "number":
		_, fits = value.(float64)
	case "integer":
		n, ok := value.(float64)
		fits = ok && n == math.Trunc(n)
	case "array":
		var all []json.RawMessage
		fits = value != nil && json.Unmarshal(text, &all) == nil
		for _, one := range all {
			if want := misfit(schema.Items, one); want != "" {
				return "a list in which each item is " + want
			}
		}
	}
	if !fits {
		return kindWords[schema.Type]
	}
	if len(schema.Enum) > 0 && !slices.Contains(schema.Enum, value) {
		words := make([]string, 0, len(schema.Enum))
		for _, word := range schema.Enum {
			words = append(words, fmt.Sprint(word))
		}
		return "one of " + strings.Join(words, ", ")
	}
	return ""
}

// kindWords are the types of a schema in plain words.
var kindWords = map[string]string{
	"string": "a text", "boolean": "true or false", "number": "a number", "integer": "a whole number", "array": "a list",
}
