package control

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// unmarshalStrict decodes data, which must be a single JSON object, into v, which points to a struct
// or a map. Nothing of what a client has written is passed over or changed silently, as the package
// json would do: it fails on a field that is unknown, written in other letters or given twice, and on
// a text that is no UTF-8 or has half of a surrogate pair.
func unmarshalStrict(data []byte, v any) error {
	if err := CheckText(data); err != nil {
		return err
	}
	known := reflect.TypeOf(v).Elem()
	if isPlain(data, fieldTypes(known)) && json.Unmarshal(data, v) == nil {
		return nil
	}
	return unmarshalFields(data, known, v)
}

// isPlain reports whether data looks like one object whose fields are all of some names, once each, and have
// neither arrays nor objects nor null as values. When such data is JSON, nothing in it can be passed over.
// Most submissions are of that kind, and what [checkFields] does takes several times as long.
func isPlain(data []byte, names map[string]reflect.Type) bool {
	rest := bytes.TrimLeft(data, space)
	var seen [32]string
	for n := range len(seen) {
		begin := byte('{')
		if n > 0 {
			begin = ','
		}
		if len(rest) == 0 || rest[0] != begin {
			return n > 0 && len(rest) > 0 && rest[0] == '}' && len(bytes.TrimLeft(rest[1:], space)) == 0
		}
		name, after := cutText(bytes.TrimLeft(rest[1:], space))
		if _, there := names[string(name)]; !there || len(name) == 0 || name[0] == '-' || slices.Contains(seen[:n], string(name)) {
			return false
		}
		seen[n] = string(name)
		after = bytes.TrimLeft(after, space)
		if len(after) == 0 || after[0] != ':' {
			return false
		}
		switch after = bytes.TrimLeft(after[1:], space); {
		case len(after) == 0 || bytes.IndexByte([]byte("[{n"), after[0]) >= 0:
			return false
		case after[0] == '"':
			_, after = cutText(after)
		default:
			after = after[max(0, bytes.IndexAny(after, ",}")):]
		}
		rest = bytes.TrimLeft(after, space)
	}
	return false
}

// space is what may stand between the parts of JSON.
const space = " \t\r\n"

// cutText returns the inside of the string with which JSON begins, with its escapes, and what comes after
// the string. Both are nil when JSON does not begin with a whole string.
func cutText(data []byte) (inside, after []byte) {
	if len(data) == 0 || data[0] != '"' {
		return nil, nil
	}
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return data[1:i], data[i+1:]
		}
	}
	return nil, nil
}

// unmarshalFields does what unmarshalStrict does, for any text.
func unmarshalFields(data []byte, known reflect.Type, v any) error {
	if err := checkFields(data, known); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return plainly(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after its end")
	}
	return nil
}

// checkFields fails unless data begins with an object each of whose fields has one of the names that
// a type knows, once. The same holds for the objects in the fields. A type that is no struct knows
// all names.
func checkFields(data []byte, known reflect.Type) error {
	types := fieldTypes(known)
	dec := json.NewDecoder(bytes.NewReader(data))
	switch begin, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty, and should be a JSON object")
	case err != nil:
		return fmt.Errorf("it is no JSON object: %w", err)
	case begin != json.Delim('{'):
		return errors.New("it is no JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		of, there := types[name]
		if known.Kind() == reflect.Map {
			of = known.Elem()
		}
		switch {
		case len(types) > 0 && !there:
			return fmt.Errorf("unknown field %q", name)
		case seen[name]:
			return fmt.Errorf("the field %q is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := checkValue(value, of); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// structs has for each type of a struct what fieldTypes returns for it, which takes longer to find out than
// to read a short submission.
var structs sync.Map

// fieldTypes returns the types of a struct's fields by their names in JSON, or nil for another type.
func fieldTypes(of reflect.Type) map[string]reflect.Type {
	if of.Kind() != reflect.Struct {
		return nil
	}
	if types, ok := structs.Load(of); ok {
		return types.(map[string]reflect.Type)
	}
	types := map[string]reflect.Type{}
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		types[name] = of.Field(i).Type
	}
	structs.Store(of, types)
	return types
}

// checkValue checks the fields of the objects in the value of a field, which has a type.
func checkValue(value []byte, of reflect.Type) error {
	for of != nil && of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == nil:
	case reads(of):
		// The package json does not say in which field the value is that could not be read.
		return json.Unmarshal(value, reflect.New(of).Interface())
	case value[0] == '{' && (of.Kind() == reflect.Struct || of.Kind() == reflect.Map):
		return checkFields(value, of)
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct && value[0] == '[':
		var all []json.RawMessage
		if err := json.Unmarshal(value, &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := checkValue(one, of.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainly returns an error of the package json in words that are not about Go.
func plainly(err error) error {
	var wrong *json.UnmarshalTypeError
	var base64 base64.CorruptInputError
	switch {
	case errors.As(err, &wrong):
		should := "a number"
		switch kind := wrong.Type.Kind(); kind {
		case reflect.String:
			should = "a text"
		case reflect.Bool:
			should = "true or false"
		case reflect.Slice, reflect.Array:
			if should = "an array"; wrong.Type.Elem().Kind() == reflect.Uint8 {
				should = "a text in base64"
			}
		case reflect.Struct, reflect.Map:
			should = "an object"
		case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
			should = "a whole number"
		}
		return fmt.Errorf("%s: it should be %s, and is of the type %s", wrong.Field, should, wrong.Value)
	case errors.As(err, &base64):
		return fmt.Errorf("a text in base64 has a character at %d that is none of base64", int64(base64))
	}
	return err
}

// reads reports whether values of a type read JSON themselves.
func reads(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// CheckText fails when JSON has bytes that are no UTF-8, or an escape that is half of a surrogate
// pair: the package json replaces both. data is JSON that may be wrong otherwise.
func CheckText(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("it is no text in UTF-8")
	}
	for {
		at := bytes.IndexByte(data, '\\') // there are backslashes in strings only
		if at < 0 || at+1 == len(data) {
			return nil // the decoder says what is wrong with a backslash at the end
		}
		data = data[at:]
		first, ok := escape(data)
		if !ok || !utf16.IsSurrogate(first) {
			data = data[2:]
			continue
		}
		second, _ := escape(data[6:])
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return errors.New(`it has half of a surrogate pair (\ud800 to \udfff) alone`)
		}
		data = data[12:]
	}
}

// escape returns the code unit of an escape \uXXXX at the beginning of data, and whether there is
// such an escape.
func escape(data []byte) (unit rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	var b [2]byte
	if _, err := hex.Decode(b[:], data[2:6]); err != nil {
		return 0, false
	}
	return rune(b[0])<<8 | rune(b[1]), true
}
