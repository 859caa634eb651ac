package blender

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Nearly all frames of a short run are flat and have no text that needs an escape. parsePlain reads
// these without reflection, and all others are left to encoding/json.

// parsePlain returns what encoding/json makes of a frame of the types preparing, started and finished.
// ok is false for all that it does not read to the last byte: other frames, unknown fields, spaces,
// escapes, results, errors and lists that are not empty.
func parsePlain(frame []byte) (in incoming, ok bool) {
	rest, found := bytes.CutPrefix(frame, []byte("{"))
	for found {
		var key, value []byte
		if key, rest, found = cutPlainText(rest); !found {
			break
		}
		if rest, found = bytes.CutPrefix(rest, []byte(":")); !found {
			break
		}
		if len(rest) > 0 && rest[0] == '"' {
			if value, rest, found = cutPlainText(rest); !found || !in.setText(key, value) {
				break
			}
		} else {
			end := bytes.IndexAny(rest, ",}")
			if end < 0 || !in.setValue(key, rest[:end]) {
				break
			}
			rest = rest[end:]
		}
		if string(rest) == "}" {
			return in, true
		}
		rest, found = bytes.CutPrefix(rest, []byte(","))
	}
	return incoming{}, false
}

// cutPlainText returns the text that b begins with, without its quotes, and what follows.
func cutPlainText(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// setText sets a field that is text, and returns whether parsePlain reads it.
func (in *incoming) setText(key, value []byte) bool {
	switch string(key) {
	case "type":
		switch string(value) {
		case "started":
			in.Type = "started"
		case "finished":
			in.Type = "finished"
		case "preparing":
			in.Type = "preparing"
		default:
			return false
		}
	case "id":
		in.ID = string(value)
	case "state":
		if string(value) != string(Succeeded) {
			return false
		}
		in.State = Succeeded
	default:
		return false
	}
	return true
}

// setValue sets a field that is no text, and returns whether parsePlain reads it.
func (in *incoming) setValue(key, value []byte) bool {
	var err error
	switch string(key) {
	case "time":
		in.Time, err = plainNumber(value)
	case "seconds":
		in.Seconds, err = plainNumber(value)
	case "exit_code":
		return string(value) == "0"
	case "error":
		return string(value) == "null"
	case "result":
		if in.Result = nil; string(value) != "null" {
			return false
		}
		in.Result = json.RawMessage("null")
	case "outputs":
		in.Outputs = []string{}
		return string(value) == "[]"
	case "imports":
		in.Imports = [][2]string{}
		return string(value) == "[]"
	case "recycle":
		return string(value) == "false"
	default:
		return false
	}
	return err == nil
}

// plainNumber returns the number that a text of JSON is. It fails for numbers that are written in a way
// in which Python does not write them.
func plainNumber(text []byte) (float64, error) {
	digit := func(at int) bool { return at >= 0 && at < len(text) && text[at] >= '0' && text[at] <= '9' }
	if !digit(0) || text[0] == '0' && digit(1) || !digit(len(text)-1) {
		return 0, strconv.ErrSyntax
	}
	for i, c := range text {
		switch {
		case digit(i), c == 'e':
		case c == '.' && digit(i-1) && digit(i+1), (c == '-' || c == '+') && text[i-1] == 'e':
		default:
			return 0, strconv.ErrSyntax
		}
	}
	return strconv.ParseFloat(string(text), 64)
}
