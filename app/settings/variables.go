package settings

import (
	"errors"
	"reflect"
	"strings"

	"blendtray/api"
)

// variablePrefix begins the names of all variables of the program.
const variablePrefix = "BLENDTRAY_"

// notSettings are variables of ours that are no settings.
var notSettings = map[string]bool{"BLENDTRAY_HOME": true, "BLENDTRAY_TOKEN_FILE": true}

// WrongVariable is a mistake in a variable that sets a setting.
type WrongVariable struct {
	Name string
	// Err says what is wrong with the value, or with the name.
	Err error
}

// Error returns the mistake with the name of the variable before it.
func (w *WrongVariable) Error() string { return "the variable " + w.Name + ": " + w.Err.Error() }

// Unwrap returns what is wrong.
func (w *WrongVariable) Unwrap() error { return w.Err }

// Mend returns what a person does about settings that are wrong by err: change the file, or the variable;
// "" when neither is wrong.
func Mend(err error) string {
	var inFile *Wrong
	var variable *WrongVariable
	switch {
	case errors.As(err, &inFile):
		return "mend " + inFile.File + " with an editor"
	case errors.As(err, &variable):
		return "correct or unset the variable " + variable.Name
	}
	return ""
}

// Variable returns the name of the variable that sets the key of a table, or "" when none does:
// lists have no variables, and only tables that are there once have.
func (d *Declaration) Variable() string {
	for _, t := range tables {
		if t.name == d.Table && t.kind == reflect.Struct && d.Type != api.TypeList {
			return variablePrefix + strings.ToUpper(d.Table+"_"+d.Name)
		}
	}
	return ""
}

// takeVariables puts the variables of environ ("NAME=value") over the settings:
// BLENDTRAY_BLENDER_PATH over blender.path, and so on. It fails for a variable with our prefix
// that means nothing, with a [WrongVariable] for each: a misspelled variable would otherwise do nothing in
// silence.
func (l *Loaded) takeVariables(environ []string) error {
	known := map[string]*Declaration{}
	for _, t := range tables {
		for _, d := range t.keys {
			if name := d.Variable(); name != "" {
				known[name] = d
			}
		}
	}
	var wrong []error
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || notSettings[name] {
			continue
		}
		d := known[name]
		if d == nil {
			wrong = append(wrong, &WrongVariable{name, errors.New("it names no setting; docs/settings.md lists them")})
			continue
		}
		if err := l.override(d, text, origin{api.FromVariable, name}); err != nil {
			wrong = append(wrong, &WrongVariable{name, err})
		}
	}
	return errors.Join(wrong...)
}

// override sets a key of a table that is there once from a text.
func (l *Loaded) override(d *Declaration, text string, from origin) error {
	value, err := d.parse(text)
	if err != nil {
		return err
	}
	d.in(l.table(d.Table)).Set(value)
	l.origins[d.Key()] = from
	return nil
}
