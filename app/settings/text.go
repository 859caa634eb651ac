package settings

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// This file changes settings.toml the way a person would: everything else stays as it is,
// with its comments, its order and its ends of lines. A parser says where things are, and only
// those bytes are changed. The one thing that goes unasked is a byte order mark at the
// beginning, since the decoder takes it for a wrong key.

// entry is a key with its value.
type entry struct {
	key   string
	value any
}

// addFolder adds a [[folder]] with some keys to the end of a text. It fails when the text is no
// TOML, or has its folders in another form.
func addFolder(text []byte, entries ...entry) ([]byte, error) {
	d, err := parseText(text)
	if err != nil {
		return nil, err
	}
	if err := d.plainFolders(); err != nil {
		return nil, err
	}
	lines := []string{"[[folder]]"}
	for _, e := range entries {
		value, err := tomlValue(e.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.key, err)
		}
		lines = append(lines, e.key+" = "+string(value))
	}
	return d.appendTable(lines...), nil
}

// removeFolder removes the [[folder]] of a path, with the comment lines directly above it.
// The path, and those of the text, are relative to dir. It fails when no folder of
// the text has the path, when the text is no TOML, or has its folders in another form.
func removeFolder(text []byte, path, dir string) ([]byte, error) {
	d, err := parseText(text)
	if err != nil {
		return nil, err
	}
	i, err := d.folder(path, dir)
	if err != nil {
		return nil, err
	}
	return d.cut(i), nil
}

// cut returns the text without a section, the tables in it, and the comment lines directly above
// it.
func (d *document) cut(i int) []byte {
	name := d.sections[i].name
	from := d.sections[i].start
	for above := d.sections[i-1].end; from > above; {
		line := lineStart(d.text, from-1)
		if !bytes.HasPrefix(bytes.TrimSpace(d.text[line:from]), []byte("#")) {
			break
		}
		from = line
	}
	// Tables in the section, such as [folder.x], go with it.
	for i+1 < len(d.sections) && len(d.sections[i+1].name) > len(name) && beginsWith(d.sections[i+1].name, name) {
		i++
	}
	to := d.sections[i].end
	// As many empty lines stay as were on one side of it.
	head, tail := d.text[:from], d.text[to:]
	if last := lineStart(head, len(head)-1); len(bytes.TrimSpace(head[last:])) == 0 {
		tail = withoutEmptyLines(tail)
	}
	if len(bytes.TrimSpace(tail)) == 0 {
		tail = nil
		for len(head) > 0 {
			last := lineStart(head, len(head)-1)
			if len(bytes.TrimSpace(head[last:])) > 0 {
				break
			}
			head = head[:last]
		}
	}
	return slices.Concat(head, tail)
}

// removeTable removes a table that is there once, such as blenders.NAME, however it is written.
// It fails when the text is no TOML, when it has no such table, or when the table is in a form
// that can't be removed without doing harm.
func removeTable(text []byte, table string) ([]byte, error) {
	path := tablePath(table)
	found := false
	for {
		d, err := parseText(text)
		if err != nil {
			return nil, err
		}
		next, err := d.removeOne(path)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		text, found = next, true
	}
	if !found {
		return nil, fmt.Errorf("the settings have no table %s", table)
	}
	return text, nil
}

// removeOne returns the text without the first section or pair of a table, or nil when there is
// none.
func (d *document) removeOne(path []string) ([]byte, error) {
	for i := range d.sections {
		s := &d.sections[i]
		if beginsWith(s.name, path) {
			return append([]byte{}, d.cut(i)...), nil // also when nothing is left
		}
		for j := range s.pairs {
			if p := &s.pairs[j]; beginsWith(p.path, path) {
				if p.kind == unstable.InlineTable || p.commented {
					return nil, d.refuse(p.first, "%s is an inline table, or has comments in it, which would be lost", strings.Join(p.path, "."))
				}
				return d.replace(p, nil)
			}
		}
		if _, err := d.find(s, append(slices.Clone(path), "")); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// setKey sets a key of a table that is there once, such as "runs" or "blenders.NAME", to a value
// that [tomlValue] takes. The value takes the place of the old one, or goes to the end of its
// table, which is made where there is none. nil removes the key, so that its default holds; a
// comment behind it stays. setKey fails when the text is no TOML, or what would be changed is in
// a form that can't be changed without doing harm.
func setKey(text []byte, table, key string, value any) ([]byte, error) {
	d, err := parseText(text)
	if err != nil {
		return nil, err
	}
	path := append(tablePath(table), key)
	place, found, err := d.placeFor(path)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return d.replace(found, value)
	}
	if value == nil {
		return d.text, nil
	}
	encoded, err := tomlValue(value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s.%s: %w", table, key, err)
	case place.header != nil:
		return d.insert(place.header.end, d.indent(place.header), key+" = "+string(encoded)), nil
	case place.dotted != nil: // a header would make the table a second time, which TOML forbids
		return d.insert(place.dotted.end, "", tomlKey(path[place.depth:])+" = "+string(encoded)), nil
	default:
		return d.appendTable("["+tomlKey(path[:len(path)-1])+"]", key+" = "+string(encoded)), nil
	}
}

// tablePath returns the parts of the name of a table: "blenders.NAME" has two, whatever dots are in
// NAME.
func tablePath(table string) []string { return strings.SplitN(table, ".", 2) }

// bareKey is what a key of TOML may be without quotes.
var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlKey returns a key of several parts as TOML has it, with quotes where they are needed.
func tomlKey(path []string) string {
	parts := make([]string, len(path))
	for i, part := range path {
		if parts[i] = part; !bareKey.MatchString(part) {
			parts[i] = strconv.Quote(part) // names have neither quotes nor control characters
		}
	}
	return strings.Join(parts, ".")
}

// placeFor is where a new key of a table belongs: below the header of the table, or, when the
// keys of the table are written with dots, below such a key.
type placeFor struct {
	header *section
	dotted *pair
	depth  int // how many parts of the path the section has that dotted is in
}

// placeFor returns where a key is, or else where it belongs. It fails when something else is in
// the place.
func (d *document) placeFor(path []string) (place placeFor, found *pair, err error) {
	table := path[:len(path)-1]
	for i := range d.sections {
		s := &d.sections[i]
		if s.list && beginsWith(table, s.name) {
			return place, nil, d.refuse(s.start, "[[%s]] is a list of tables and not one table", strings.Join(s.name, "."))
		}
		if samePath(s.name, table) {
			place.header = s
		}
		if beginsWith(s.name, path) {
			return place, nil, d.refuse(s.start, "%s is a table and not a single value", strings.Join(path, "."))
		}
		if found, err = d.find(s, path); found != nil || err != nil {
			return place, found, err
		}
		for j := range s.pairs {
			if len(s.name) < len(table) && beginsWith(s.pairs[j].path, table) {
				place.dotted, place.depth = &s.pairs[j], len(s.name)
			}
		}
	}
	return place, nil, nil
}

// setFolderKey sets a key of the [[folder]] of a path, as setKey does. The path, and
// those of the text, are relative to dir. It fails as setKey does, and when no folder of
// the text has the path.
func setFolderKey(text []byte, path, dir, key string, value any) ([]byte, error) {
	d, err := parseText(text)
	if err != nil {
		return nil, err
	}
	i, err := d.folder(path, dir)
	if err != nil {
		return nil, err
	}
	s := &d.sections[i]
	p, err := d.find(s, []string{"folder", key})
	if err != nil {
		return nil, err
	}
	if p != nil {
		return d.replace(p, value)
	}
	if value == nil {
		return d.text, nil
	}
	encoded, err := tomlValue(value)
	if err != nil {
		return nil, fmt.Errorf("folder.%s: %w", key, err)
	}
	return d.insert(s.end, d.indent(s), key+" = "+string(encoded)), nil
}

// document is the text of a file and where things are in it.
type document struct {
	text []byte
	// newline is how its lines end.
	newline string
	// sections are its tables in their order. The first is what comes before any header.
	sections []section
}

// section is a header of a table and the keys below it.
type section struct {
	name []string
	list bool // [[name]]
	// start and end are of its lines, from the header to the last key. What is between one
	// end and the next start is comments and empty lines.
	start, end int
	pairs      []pair
}

// pair is a key with its value.
type pair struct {
	path []string // from the root
	// start and end are of its lines; first is the first byte of the key.
	start, first, end int
	// value and valueEnd are of its value.
	value, valueEnd int
	kind            unstable.Kind
	// content is what a string says.
	content string
	// commented tells of comments inside the value.
	commented bool
}

// parseText finds out where things are in a text. It fails when it is no TOML.
func parseText(text []byte) (*document, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// The decoder knows more of what is wrong, and where, than the parser.
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	d := &document{text: text, newline: "\n", sections: []section{{}}}
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		d.newline = "\r\n"
	}
	parser := unstable.Parser{KeepComments: true} // also those inside values
	parser.Reset(text)
	for parser.NextExpression() {
		e := parser.Expression()
		if e.Kind == unstable.Comment {
			continue
		}
		name, first, afterKey := keyOf(e)
		start := lineStart(text, first)
		current := &d.sections[len(d.sections)-1]
		if e.Kind != unstable.KeyValue {
			d.sections = append(d.sections, section{
				name: name, list: e.Kind == unstable.ArrayTable, start: start, end: lineEnd(text, afterKey),
			})
			continue
		}
		value := e.Value()
		p := pair{
			path:  slices.Concat(current.name, name),
			start: start, first: first,
			value: skipEquals(text, afterKey), valueEnd: int(e.Raw.Offset + e.Raw.Length),
			kind: value.Kind, commented: hasComments(value),
		}
		p.end = lineEnd(text, p.valueEnd)
		if p.kind == unstable.String {
			p.content = string(value.Data)
		}
		current.pairs = append(current.pairs, p)
		current.end = p.end
	}
	return d, parser.Error()
}

// keyOf returns the key of a pair or header, where it begins and where it ends.
func keyOf(e *unstable.Node) (name []string, first, end int) {
	for it := e.Key(); it.Next(); {
		part := it.Node()
		if name == nil {
			first = int(part.Raw.Offset)
		}
		name = append(name, string(part.Data))
		end = int(part.Raw.Offset + part.Raw.Length)
	}
	return name, first, end
}

// skipEquals returns where the value begins whose key ends at i.
func skipEquals(text []byte, i int) int {
	for strings.IndexByte(" \t=", text[i]) >= 0 {
		i++
	}
	return i
}

// hasComments tells whether there are comments inside a value.
func hasComments(n *unstable.Node) bool {
	for it := n.Children(); it.Next(); {
		if child := it.Node(); child.Kind == unstable.Comment || hasComments(child) {
			return true
		}
	}
	return false
}

// lineStart returns where the line of the byte i begins.
func lineStart(text []byte, i int) int { return bytes.LastIndexByte(text[:max(i, 0)], '\n') + 1 }

// lineEnd returns where the line of the byte i ends, behind its newline.
func lineEnd(text []byte, i int) int {
	if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

// withoutEmptyLines returns a text without the empty lines at its beginning.
func withoutEmptyLines(text []byte) []byte {
	for len(text) > 0 {
		end := lineEnd(text, 0)
		if len(bytes.TrimSpace(text[:end])) > 0 {
			break
		}
		text = text[end:]
	}
	return text
}

// beginsWith tells whether a path is another one or goes on from there. Upper and lower case are
// the same, as they are for the decoder.
func beginsWith(path, with []string) bool {
	return len(path) >= len(with) && samePath(path[:len(with)], with)
}

func samePath(a, b []string) bool { return slices.EqualFunc(a, b, strings.EqualFold) }

// refuse returns an error that says why what is at byte i can't be edited.
func (d *document) refuse(i int, format string, args ...any) error {
	line := bytes.Count(d.text[:i], []byte("\n")) + 1
	return fmt.Errorf("line %d: %s; it has to be changed by hand", line, fmt.Sprintf(format, args...))
}

// find returns the pair of a path in a section, or nil when there is none. It fails when something
// else is in the place of the pair.
func (d *document) find(s *section, path []string) (*pair, error) {
	for i := range s.pairs {
		p := &s.pairs[i]
		switch {
		case samePath(p.path, path):
			return p, nil
		case beginsWith(p.path, path):
			return nil, d.refuse(p.first, "%s is a table and not a single value", strings.Join(path, "."))
		case beginsWith(path, p.path) && p.kind == unstable.InlineTable:
			return nil, d.refuse(p.first, "%s is an inline table, and only one with a header, [%[1]s], can be edited", strings.Join(p.path, "."))
		case beginsWith(path, p.path):
			return nil, d.refuse(p.first, "%s is not a table", strings.Join(p.path, "."))
		}
	}
	return nil, nil
}

// plainFolders fails when folders are there in another form than [[folder]].
func (d *document) plainFolders() error {
	for i := range d.sections {
		for j := range d.sections[i].pairs {
			if p := &d.sections[i].pairs[j]; strings.EqualFold(p.path[0], tableFolder) && (len(p.path) == 1 || i == 0) {
				return d.refuse(p.first, "only folders of the form [[folder]] can be edited")
			}
		}
	}
	return nil
}

// position is a place in the text, its line and column beginning at 1; both are 0 when the place is
// not known.
type position struct{ line, column int }

// place returns where a key of a table is, or the key's value; or the table, when the key is "" or
// not there. For a list of tables it looks into the i-th of them. What is inside a value, as in an
// inline table, is where that value is.
func (d *document) place(table []string, i int, key string, value bool) position {
	path := slices.Clone(table)
	if key != "" {
		path = append(path, key)
	}
	at, mine := -1, true
	for j := range d.sections {
		s := &d.sections[j]
		if s.list && samePath(s.name, table) {
			mine = i == 0
			i--
		}
		switch {
		case !mine:
			continue
		case len(s.name) > 0 && beginsWith(s.name, path):
			return d.position(s.start)
		case len(s.name) > 0 && samePath(s.name, table):
			at = s.start
		}
		for k := range s.pairs {
			switch p := &s.pairs[k]; {
			case value && beginsWith(path, p.path):
				return d.position(p.value)
			case beginsWith(path, p.path), beginsWith(p.path, path):
				return d.position(p.first)
			}
		}
	}
	if at < 0 {
		return position{}
	}
	return d.position(at)
}

// position returns the place of byte i.
func (d *document) position(i int) position {
	return position{bytes.Count(d.text[:i], []byte("\n")) + 1, i - lineStart(d.text, i) + 1}
}

// folder returns which section has the folder of a path. It fails when no section has it.
func (d *document) folder(path, dir string) (int, error) {
	if err := d.plainFolders(); err != nil {
		return 0, err
	}
	wanted, err := absolute(path, dir)
	if err != nil {
		return 0, err
	}
	for i := range d.sections {
		s := &d.sections[i]
		if !s.list || !samePath(s.name, []string{tableFolder}) {
			continue
		}
		p, err := d.find(s, []string{"folder", "path"})
		if err != nil {
			return 0, err
		}
		if p == nil || p.kind != unstable.String {
			continue
		}
		written, err := expand(p.content)
		if err != nil {
			return 0, fmt.Errorf("folder %s: %w", p.content, err)
		}
		if has, err := absolute(written, dir); err != nil {
			return 0, fmt.Errorf("folder %s: %w", p.content, err)
		} else if has == wanted {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the settings have no [[folder]] with the path %s", wanted)
}

// replace replaces the value of a pair, or removes the pair when the new value is nil.
func (d *document) replace(p *pair, value any) ([]byte, error) {
	name := strings.Join(p.path, ".")
	if p.commented {
		return nil, d.refuse(p.first, "the value of %s has comments in it, which would be lost", name)
	}
	if p.kind == unstable.InlineTable {
		return nil, d.refuse(p.first, "%s is an inline table and not a single value", name)
	}
	if value == nil {
		behind := bytes.TrimLeft(d.text[p.valueEnd:p.end], " \t")
		if bytes.HasPrefix(behind, []byte("#")) {
			return slices.Concat(d.text[:p.first], behind, d.text[p.end:]), nil
		}
		return slices.Concat(d.text[:p.start], d.text[p.end:]), nil
	}
	encoded, err := tomlValue(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return slices.Concat(d.text[:p.value], []byte(string(encoded)), d.text[p.valueEnd:]), nil
}

// indent returns the white space before the last key of a section.
func (d *document) indent(s *section) string {
	if len(s.pairs) == 0 {
		return ""
	}
	last := s.pairs[len(s.pairs)-1]
	return string(d.text[last.start:last.first])
}

// insert puts a line in at byte i, which begins a line or is the end of the text.
func (d *document) insert(i int, indent, line string) []byte {
	line = indent + line + d.newline
	if i > 0 && d.text[i-1] != '\n' {
		line = d.newline + line
	}
	return slices.Concat(d.text[:i], []byte(line), d.text[i:])
}

// appendTable puts the lines of a table at the end, with an empty line before them.
func (d *document) appendTable(lines ...string) []byte {
	text := slices.Clone(d.text)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, d.newline...)
	}
	if last := lineStart(text, len(text)-1); len(bytes.TrimSpace(text[last:])) > 0 {
		text = append(text, d.newline...)
	}
	for _, line := range lines {
		text = append(text, line...)
		text = append(text, d.newline...)
	}
	return text
}
