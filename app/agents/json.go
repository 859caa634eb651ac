package agents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonFormat is JSON, which may have comments and commas at the end, as VS Code allows. Each entry is
// a member of the object table.
type jsonFormat struct {
	table string
	typed bool // an entry says that its kind is "stdio"
}

const byteOrderMark = "\ufeff"

// errOther says that an entry of the name is for something else.
var errOther = errors.New("it has a server of this name that is reached by a URL: choose another --name, or take it out first with --uninstall")

func (f jsonFormat) set(text []byte, e Entry) ([]byte, error) {
	return edit(text, []string{f.table, e.Name}, func(root *hujson.Value) error {
		in := indents{unitOf(root)}
		table, err := in.childObject(root, f.table, 0)
		if err != nil {
			return err
		}
		entry, err := in.childObject(table, e.Name, 1)
		if err != nil {
			return err
		}
		if find(entry, "url") >= 0 || find(entry, "httpUrl") >= 0 {
			return errOther
		}
		if f.typed {
			in.put(entry, "type", "stdio", 2)
		}
		in.put(entry, "command", e.Command, 2)
		in.put(entry, "args", e.Args, 2)
		if len(e.Env) == 0 {
			return nil
		}
		env, err := in.childObject(entry, "env", 2)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(e.Env)) {
			in.put(env, name, e.Env[name], 3)
		}
		return nil
	})
}

func (f jsonFormat) remove(text []byte, name string) ([]byte, error) {
	return edit(text, []string{f.table, name}, func(root *hujson.Value) error {
		i := find(root, f.table)
		if i < 0 {
			return nil
		}
		table := &root.Value.(*hujson.Object).Members[i].Value
		if _, ok := table.Value.(*hujson.Object); !ok {
			return fmt.Errorf("%s is no object", f.table)
		}
		drop(table, name)
		return nil
	})
}

// edit returns a text with a change. It fails when the text is wrong, and when the change has changed
// anything but the member of the path.
func edit(text []byte, path []string, change func(root *hujson.Value) error) ([]byte, error) {
	mark := []byte{}
	if bytes.HasPrefix(text, []byte(byteOrderMark)) {
		mark, text = text[:len(byteOrderMark)], text[len(byteOrderMark):]
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	root, err := hujson.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("it is no JSON, and was left alone: %s", strings.TrimPrefix(err.Error(), "hujson: "))
	}
	if _, ok := root.Value.(*hujson.Object); !ok {
		return nil, errors.New("it is JSON, but no object, and was left alone")
	}
	if err := checkTwins(&root, path); err != nil {
		return nil, err
	}
	before, err := decoded(root)
	if err != nil {
		return nil, err
	}
	if err := change(&root); err != nil {
		return nil, err
	}
	out := root.Pack()
	if lines := bytes.Count(text, []byte("\n")); lines > 0 && bytes.Count(text, []byte("\r\n")) == lines {
		out = bytes.ReplaceAll(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	again, err := hujson.Parse(out)
	if err != nil {
		return nil, fmt.Errorf("it would not be JSON any more: %w", err)
	}
	after, err := decoded(again)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(without(before, path), without(after, path)) {
		return nil, errors.New("more than one entry would change; it was left alone")
	}
	return append(slices.Clone(mark), out...), nil
}

// decoded returns the value of a document.
func decoded(v hujson.Value) (out map[string]any, err error) {
	plain := v.Clone()
	plain.Standardize()
	return out, json.Unmarshal(plain.Pack(), &out)
}

// without returns an object without the member of a path, and without what is empty then.
func without(object map[string]any, path []string) map[string]any {
	out := maps.Clone(object)
	if len(path) == 1 {
		delete(out, path[0])
		return out
	}
	if child, ok := out[path[0]].(map[string]any); ok {
		if rest := without(child, path[1:]); len(rest) > 0 {
			out[path[0]] = rest
		} else {
			delete(out, path[0])
		}
	}
	return out
}

// checkTwins fails when an object has two members of a name on a path: programs differ in which of
// them counts.
func checkTwins(v *hujson.Value, path []string) error {
	object, ok := v.Value.(*hujson.Object)
	if !ok || len(path) == 0 {
		return nil
	}
	first := -1
	for i := range object.Members {
		if nameOf(&object.Members[i]) != path[0] {
			continue
		}
		if first >= 0 {
			return fmt.Errorf("it has %q twice, and was left alone", path[0])
		}
		first = i
	}
	if first < 0 {
		return nil
	}
	return checkTwins(&object.Members[first].Value, path[1:])
}

func nameOf(m *hujson.ObjectMember) string {
	var name string
	if literal, ok := m.Name.Value.(hujson.Literal); ok {
		name = literal.String()
	}
	return name
}

// find returns the index of a member of an object, or -1.
func find(object *hujson.Value, name string) int {
	members := object.Value.(*hujson.Object).Members
	return slices.IndexFunc(members, func(m hujson.ObjectMember) bool { return nameOf(&m) == name })
}

// indents says how a document is indented: by so much for each object.
type indents struct{ unit string }

// unitOf returns by how much the members of the outermost object are indented.
func unitOf(root *hujson.Value) string {
	const usual = "  "
	object := root.Value.(*hujson.Object)
	if len(object.Members) == 0 {
		return usual
	}
	if unit := lastLine(object.Members[0].Name.BeforeExtra, usual); unit != "" {
		return unit
	}
	return usual
}

// childObject returns the member of an object that is an object itself, and makes it where there is
// none. depth says how deep the object lies. It fails when something else is in the place.
func (in indents) childObject(object *hujson.Value, name string, depth int) (*hujson.Value, error) {
	i := find(object, name)
	if i < 0 {
		i = in.add(object, name, &hujson.Object{}, depth)
	}
	child := &object.Value.(*hujson.Object).Members[i].Value
	if _, ok := child.Value.(*hujson.Object); !ok {
		return nil, fmt.Errorf("%q is no object there, and was left alone", name)
	}
	return child, nil
}

// put sets a member of an object to a value, unless it has that value already.
func (in indents) put(object *hujson.Value, name string, value any, depth int) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts and lists of texts
	}
	parsed, err := hujson.Parse(bytes.ReplaceAll(encoded, []byte(`","`), []byte(`", "`)))
	if err != nil {
		panic(err) // it was just encoded
	}
	i := find(object, name)
	if i < 0 {
		in.add(object, name, parsed.Value, depth)
		return
	}
	member := &object.Value.(*hujson.Object).Members[i].Value
	plain := hujson.Value{Value: member.Clone().Value}
	plain.Minimize()
	if !bytes.Equal(plain.Pack(), encoded) {
		member.Value = parsed.Value
	}
}

// add adds a member to the end of an object that lies so deep, in a line of its own, and returns its
// index. It is indented as the members before it are.
func (in indents) add(v *hujson.Value, name string, value hujson.ValueTrimmed, depth int) int {
	object := v.Value.(*hujson.Object)
	indent := strings.Repeat(in.unit, depth+1)
	n := len(object.Members)
	if n > 0 {
		indent = lastLine(object.Members[n-1].Name.BeforeExtra, indent)
	}
	member := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: []byte("\n" + indent), Value: hujson.String(name)},
		Value: hujson.Value{BeforeExtra: []byte(" "), Value: value},
	}
	if n > 0 {
		last := &object.Members[n-1].Value
		if last.AfterExtra != nil { // there is a comma at the end, and stays
			member.Name.BeforeExtra = slices.Concat(trimmed(object.AfterExtra), member.Name.BeforeExtra)
			member.Value.AfterExtra = []byte{}
		} else {
			// What is behind the last member stays behind it: a comment, in front of the new comma.
			last.AfterExtra = nil
			member.Name.BeforeExtra = slices.Concat(trimmed(object.AfterExtra), member.Name.BeforeExtra)
		}
		object.AfterExtra = []byte(in.closing(object.AfterExtra, indent))
	} else {
		member.Name.BeforeExtra = slices.Concat(trimmed(object.AfterExtra), member.Name.BeforeExtra)
		object.AfterExtra = []byte("\n" + strings.TrimSuffix(indent, in.unit))
	}
	object.Members = append(object.Members, member)
	return n
}

// lastLine returns the white space at the end of the last line of what stands before a member, or
// another indent where the member is in the line of its object.
func lastLine(extra hujson.Extra, other string) string {
	i := bytes.LastIndexByte(extra, '\n')
	if i < 0 || len(bytes.Trim(extra[i+1:], " \t")) > 0 {
		return other
	}
	return string(extra[i+1:])
}

// trimmed returns the comments before a bracket, without white space behind them.
func trimmed(extra hujson.Extra) []byte { return bytes.TrimRight(extra, " \t\r\n") }

// closing returns the white space before the bracket that closes an object.
func (in indents) closing(extra hujson.Extra, indent string) string {
	if i := bytes.LastIndexByte(extra, '\n'); i >= 0 && len(bytes.Trim(extra[i:], " \t\r\n")) == 0 {
		return string(extra[i:])
	}
	return "\n" + strings.TrimSuffix(indent, in.unit)
}

// drop removes a member of an object, with the comments above it. What stands in the line of the member
// before it stays.
func drop(v *hujson.Value, name string) {
	i := find(v, name)
	if i < 0 {
		return
	}
	object := v.Value.(*hujson.Object)
	n := len(object.Members) - 1 // how many are left
	comma := object.Members[n].Value.AfterExtra != nil
	stays, _, _ := bytes.Cut(object.Members[i].Name.BeforeExtra, []byte("\n"))
	if len(trimmed(stays)) == 0 {
		stays = nil
	}
	object.Members = slices.Delete(object.Members, i, i+1)
	switch {
	case i < n:
		next := &object.Members[i].Name
		next.BeforeExtra = slices.Concat(stays, next.BeforeExtra)
		return
	case n > 0 && comma:
		object.Members[n-1].Value.AfterExtra = []byte{}
	case n > 0: // its comma goes
		last := &object.Members[n-1].Value
		stays = slices.Concat(last.AfterExtra, stays)
		last.AfterExtra = nil
	case n == 0 && len(stays) == 0 && len(trimmed(object.AfterExtra)) == 0:
		object.AfterExtra = nil
		return
	}
	object.AfterExtra = slices.Concat(stays, object.AfterExtra)
}
