package settings

import (
	"errors"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"blendtray/spelling"
)

// located returns an error of the parser of TOML as a [Wrong].
func located(file string, err error) error {
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		w := &Wrong{File: file, Text: strings.TrimPrefix(wrong.Error(), "toml: ")}
		w.Line, w.Column = wrong.Position()
		if key := strings.Join(wrong.Key(), "."); key != "" {
			w.Text = key + ": " + w.Text
		}
		return w
	}
	var already *Wrong
	if errors.As(err, &already) {
		return err
	}
	return &Wrong{File: file, Text: err.Error()}
}

// suggestion names the key of the file that was probably meant. A key is ["table"], ["table", "name"] or,
// for a further Blender, ["blenders", "NAME", "name"].
func suggestion(key []string) string {
	if len(key) > 2 && key[0] == tableBlenders && strings.Trim(key[1]+key[2], "0123456789") == "" {
		return "; a name with dots stands in quotes: [blenders.\"" + key[1] + "." + key[2] + "\"]"
	}
	if near := meant(key); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; docs/settings.md lists them all"
}

// meant returns the name of the table or key that is nearest to the last part of a key, the whole
// "table.name" of a key without its table, or "" when none is near.
func meant(key []string) string {
	var known []string
	for _, t := range tables {
		if len(key) == 1 {
			known = append(known, t.name)
		}
		for _, d := range t.keys {
			switch {
			case len(key) == 1 && d.Name == key[0] && t.kind == reflect.Struct:
				return d.Key()
			case len(key) > 1 && t.name == key[0]:
				known = append(known, d.Name)
			}
		}
	}
	best, distance := "", 3 // more than two wrong letters are another word
	for _, name := range known {
		if d := spelling.Distance(name, key[len(key)-1]); d > 0 && d < distance {
			best, distance = name, d
		}
	}
	return best
}

// suggestionForCommand names the setting that was probably meant by the key of a command, which is whole:
// "runs.timeout" and not "timeout". For the name of a table it lists the keys of the table.
func suggestionForCommand(key []string) string {
	for _, t := range tables {
		switch {
		case t.name != key[0]:
			continue
		case t.kind == reflect.Slice:
			return "; `blendtray folder set` changes settings of a folder"
		case len(key) == 1:
			return "; the settings of this table are " + strings.Join(wholeKeys(t), ", ")
		case t.kind == reflect.Map && len(key) == 2:
			return "; the settings of a further Blender are " + strings.Join(wholeKeys(t), ", ")
		}
	}
	near := meant(key)
	for _, t := range tables {
		if len(key) == 1 && t.name == near {
			return suggestionForCommand([]string{near})
		}
	}
	switch {
	case near == "":
		return "; docs/settings.md lists them all"
	case len(key) > 1:
		near = strings.Join(key[:len(key)-1], ".") + "." + near
	}
	return "; did you mean " + near + "?"
}

// wholeKeys returns the keys of a table as a command has them.
func wholeKeys(t tableOf) []string {
	var keys []string
	for _, d := range t.keys {
		if t.kind == reflect.Map {
			keys = append(keys, t.name+".NAME."+d.Name)
		} else {
			keys = append(keys, d.Key())
		}
	}
	return keys
}
