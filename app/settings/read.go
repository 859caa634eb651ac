package settings

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"blendtray/api"
)

// This file reads the tables of the file into the settings. The parser of TOML knows no settings:
// each value goes through [Declaration.parse], as those of variables, flags and clients do, so that
// the same values are right everywhere, and a mistake has the same words.

// reading is a file while it is read.
type reading struct {
	*Loaded
	file  string
	doc   *document // says where things are
	wrong []error   // a [Wrong] for each mistake
}

// takeFile sets what the file has written, the text of the file being text, and notes which keys
// those are. Folders get the defaults of the keys that they do not have. takeFile returns which keys
// each of the further Blenders has. It fails with a [Wrong] for each mistake, in their order in the
// file.
func (l *Loaded) takeFile(file string, text []byte, written map[string]any) (map[string]map[string]bool, error) {
	doc, err := parseText(text)
	if err != nil {
		return nil, located(file, err)
	}
	r := &reading{Loaded: l, file: file, doc: doc}
	blenders := map[string]map[string]bool{}
	known := r.known(nil, 0, written, func(key string) bool {
		return slices.ContainsFunc(tables, func(t tableOf) bool { return t.name == key })
	})
	for _, t := range tables {
		value, there := known[t.name]
		if !there {
			continue
		}
		switch t.kind {
		case reflect.Slice:
			r.folders(t, value)
		case reflect.Map:
			r.blenders(t, value, blenders)
		default:
			if table, ok := value.(map[string]any); ok {
				l.note(t.name, t.keys, r.table([]string{t.name}, 0, t.keys, table, l.table(t.name)))
			} else {
				r.mistake([]string{t.name}, 0, "", "%s is a table: write [%[1]s], and its keys below", t.name)
			}
		}
	}
	slices.SortStableFunc(r.wrong, func(a, b error) int {
		x, y := a.(*Wrong), b.(*Wrong)
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	return blenders, errors.Join(r.wrong...)
}

// folders reads the list of folders.
func (r *reading) folders(t tableOf, value any) {
	list, ok := value.([]any)
	for i, one := range list {
		var table map[string]any
		if table, ok = one.(map[string]any); !ok {
			break
		}
		folder := reflect.New(reflect.TypeFor[api.FolderSettings]()).Elem()
		setDefaults(folder, t.keys, nil)
		has := r.table([]string{t.name}, i, t.keys, table, folder)
		r.Folders = append(r.Folders, folder.Interface().(api.FolderSettings))
		r.Loaded.folders = append(r.Loaded.folders, folderOrigin{from: api.FromFile, written: has})
	}
	if !ok && len(list) > 0 || list == nil {
		r.mistake([]string{t.name}, 0, "", "each watched folder is a table of its own: write [[%s]], with two brackets, and its keys below", t.name)
	}
}

// blenders reads the tables of further Blenders, and puts into has which keys each of them has.
func (r *reading) blenders(t tableOf, value any, has map[string]map[string]bool) {
	all, ok := value.(map[string]any)
	if !ok {
		r.mistake([]string{t.name}, 0, "", "a further Blender has a name: write [%s.NAME], and its keys below", t.name)
		return
	}
	r.Blenders = map[string]api.BlenderSettings{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path := []string{t.name, name}
		table, ok := all[name].(map[string]any)
		if !ok {
			r.mistake(path, 0, "", "%s.%s is a table: write [%[1]s.%[2]s], and its keys below", t.name, name)
			continue
		}
		one := reflect.New(reflect.TypeFor[api.BlenderSettings]()).Elem()
		has[name] = r.table(path, 0, t.keys, table, one)
		r.note(t.name+"."+name, t.keys, has[name])
		r.Blenders[name] = one.Interface().(api.BlenderSettings)
	}
}

// table sets the fields of a table, of a list the i-th, to what is written in it. It returns the
// keys that are there.
func (r *reading) table(path []string, i int, keys []*Declaration, written map[string]any, table reflect.Value) map[string]bool {
	has := map[string]bool{}
	known := r.known(path, i, written, func(key string) bool {
		return slices.ContainsFunc(keys, func(d *Declaration) bool { return d.Name == key })
	})
	for _, d := range keys {
		value, there := known[d.Name]
		if !there {
			continue
		}
		has[d.Name] = true
		parsed, err := d.parseTOML(value)
		if err != nil {
			r.mistake(path, i, d.Name, "%s: %w", strings.Join(append(slices.Clone(path), d.Name), "."), err)
			continue
		}
		d.in(table).Set(parsed)
	}
	return has
}

// known returns what a table has written, by keys in lower case, which the keys in the file need
// not be in. A key that isKey does not know, or that is there twice, is a mistake.
func (r *reading) known(path []string, i int, written map[string]any, isKey func(string) bool) map[string]any {
	known := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		key, whole := strings.ToLower(name), append(slices.Clone(path), name)
		_, twice := known[key]
		switch {
		case !isKey(key):
			r.wrongAt(r.doc.place(path, i, name, false), "there is no key %s%s", strings.Join(whole, "."), suggestion(whole))
		case twice:
			r.wrongAt(r.doc.place(path, i, name, false), "%s is there twice, in upper and lower case", strings.Join(whole, "."))
		default:
			known[key] = written[name]
		}
	}
	return known
}

// mistake notes what is wrong with the value of a key, or with a table when the key is "".
func (r *reading) mistake(table []string, i int, key, format string, args ...any) {
	r.wrongAt(r.doc.place(table, i, key, true), format, args...)
}

func (r *reading) wrongAt(at position, format string, args ...any) {
	r.wrong = append(r.wrong, &Wrong{File: r.file, Line: at.line, Column: at.column, Text: fmt.Errorf(format, args...).Error()})
}

// parseTOML returns the value that a value of the file means for a setting. It fails, as
// [Declaration.parse] does, when the setting can't have the value.
func (d *Declaration) parseTOML(value any) (reflect.Value, error) {
	none := reflect.New(d.of).Elem()
	text, quoted := value.(string)
	if !quoted {
		text = written(value)
	}
	if d.Type == api.TypeList {
		list, ok := value.([]any)
		if !ok {
			return none, fmt.Errorf("%s is no list; write one such as [\"a\", \"b\"]", asWritten(text, quoted))
		}
		texts := []string{}
		for _, part := range list {
			s, ok := part.(string)
			if !ok {
				return none, fmt.Errorf("%s is in the list and is no text; write it in quotes", written(part))
			}
			texts = append(texts, s)
		}
		return reflect.ValueOf(texts), nil
	}
	switch value.(type) {
	case []any, map[string]any:
		return none, fmt.Errorf("%s is not a single value", text)
	}
	if _, readsText := none.Addr().Interface().(encoding.TextUnmarshaler); readsText {
		return d.parse(text)
	}
	switch isText := d.of.Kind() == reflect.String; {
	case d.Type == api.TypeBool && !quoted && reflect.TypeOf(value).Kind() != reflect.Bool:
		return none, fmt.Errorf("write it as true or false, and not as %s", text)
	case isText && !quoted:
		return none, fmt.Errorf("%s is no text; write it in quotes", text)
	case !isText && quoted:
		if _, err := d.parse(text); err != nil {
			return none, err
		}
		return none, fmt.Errorf("%q has quotes; write it without them", text)
	}
	return d.parse(text)
}

// asWritten returns a text in quotes if it has them in the file.
func asWritten(text string, quoted bool) string {
	if quoted {
		return strconv.Quote(text)
	}
	return text
}

// written returns a value that is no string for a person, a number as it stands in the file.
func written(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return strconv.Quote(v)
	}
	return fmt.Sprint(value)
}
