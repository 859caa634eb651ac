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

// suggestion names the key that was probably meant. A key is ["table"], ["table", "name"] or,
// for a further Blender, ["blenders", "NAME", "name"].
func suggestion(key []string) string {
	if len(key) > 2 && key[0] == tableBlenders && strings.Trim(key[1]+key[2], "0123456789") == "" {
		return "; a name with dots stands in quotes: [blenders.\"" + key[1] + "." + key[2] + "\"]"
	}
	var known []string
	for _, t := range tables {
		if len(key) == 1 {
			known = append(known, t.name)
		}
		for _, d := range t.keys {
			switch {
			case len(key) == 1 && d.Name == key[0] && t.kind == reflect.Struct:
				return "; did you mean " + d.Key() + "?"
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
	if best == "" {
		return "; docs/settings.md lists them all"
	}
	return "; did you mean " + best + "?"
}
