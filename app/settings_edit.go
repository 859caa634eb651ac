package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"blendtray/app/home"
)

// This file changes settings.toml the way a person would: what is not meant stays as it is,
// with its comments, its order and its ends of lines. A parser says where things are, and only
// those bytes are changed. The one thing that goes unasked is a byte order mark at the
// beginning, since the decoder takes it for a wrong key.

// addFolder adds a [[folder]] to the end of a text, with those keys that f has something for.
// It fails when the text is no TOML, or has its folders in another form.
func addFolder(text []byte, f FolderSettings) ([]byte, error) {
	d, err := parseSettings(text)
	if err != nil {
		return nil, err
	}
	if err := d.plainFolders(); err != nil {
		return nil, err
	}
	type entry struct {
		key   string
		value any
	}
	entries := []entry{{"path", f.Path}}
	add := func(wanted bool, key string, value any) {
		if wanted {
			entries = append(entries, entry{key, value})
		}
	}
	if f.Recursive != nil {
		add(true, "recursive", *f.Recursive)
	}
	add(f.Include != nil, "include", f.Include)
	add(f.Exclude != nil, "exclude", f.Exclude)
	add(f.Scene != "", "scene", f.Scene)
	add(f.Timeout != 0, "timeout", f.Timeout)
	add(f.OnBusy != 0, "on_busy", f.OnBusy.String())
	add(f.RunExisting, "run_existing", true)
	add(f.Poll != 0, "poll", f.Poll)
	lines := []string{"[[folder]]"}
	for _, e := range entries {
		value, err := tomlValue(e.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.key, err)
		}
		lines = append(lines, e.key+" = "+value)
	}
	return d.appendTable(lines...), nil
}

// removeFolder removes the [[folder]] of a path, with the comment lines directly above it.
// Paths are relative to dir and may be written as in the settings. It fails when no folder of
// the text has the path, when the text is no TOML, or has its folders in another form.
func removeFolder(text []byte, path, dir string) ([]byte, error) {
	d, err := parseSettings(text)
	if err != nil {
		return nil, err
	}
	i, err := d.folder(path, dir)
	if err != nil {
		return nil, err
	}
	from := d.sections[i].start
	for above := d.sections[i-1].end; from > above; {
		line := lineStart(d.text, from-1)
		if !bytes.HasPrefix(bytes.TrimSpace(d.text[line:from]), []byte("#")) {
			break
		}
		from = line
	}
	// Tables in the folder, such as [folder.x], go with it.
	for i+1 < len(d.sections) && len(d.sections[i+1].name) > 1 && d.sections[i+1].name[0] == "folder" {
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
	return slices.Concat(head, tail), nil
}

// setKey sets a key of a table that is there once: a string (a duration or size is one too), a
// bool, an int64, a duration or a list of strings. It takes the place of the old value, or
// goes to the end of its table, which is made where there is none. nil removes the key, so
// that its default holds; a comment behind it stays. It fails when the text is no TOML, or
// what would be changed is in a form that can't be changed without doing harm.
func setKey(text []byte, table, key string, value any) ([]byte, error) {
	d, err := parseSettings(text)
	if err != nil {
		return nil, err
	}
	path := []string{table, key}
	var header *section
	var dotted *pair
	for i := range d.sections {
		s := &d.sections[i]
		if slices.Equal(s.name, path[:1]) {
			if s.list {
				return nil, d.refuse(s.start, "[[%s]] is a list of tables and not one table", table)
			}
			header = s
		}
		if beginsWith(s.name, path) {
			return nil, d.refuse(s.start, "%s.%s is a table and not a single value", table, key)
		}
		p, err := d.find(s, path)
		if err != nil {
			return nil, err
		}
		if p != nil {
			return d.replace(p, value)
		}
		for j := range s.pairs {
			if i == 0 && s.pairs[j].path[0] == table {
				dotted = &s.pairs[j]
			}
		}
	}
	if value == nil {
		return d.text, nil
	}
	encoded, err := tomlValue(value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s.%s: %w", table, key, err)
	case header != nil:
		return d.insert(header.end, d.indent(header), key+" = "+encoded), nil
	case dotted != nil: // a header would make the table a second time, which TOML forbids
		return d.insert(dotted.end, "", table+"."+key+" = "+encoded), nil
	default:
		return d.appendTable("["+table+"]", key+" = "+encoded), nil
	}
}

// setFolderKey sets a key of the [[folder]] of a path, as setKey does. Paths are relative to
// dir and may be written as in the settings. It fails as setKey does, and when no folder of
// the text has the path.
func setFolderKey(text []byte, path, dir, key string, value any) ([]byte, error) {
	d, err := parseSettings(text)
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
	return d.insert(s.end, d.indent(s), key+" = "+encoded), nil
}

// editing holds one edit of this process after the other.
var editing sync.Mutex

// editSettings changes a settings file by way of its text; one that is missing is empty. The
// file is replaced as a whole, or, when it is a link, what it leads to. It fails, and leaves
// the file as it was, when it can't be read, when edit fails, when LoadSettings would not
// take the new text, when another program has changed the file meanwhile, and when the new
// one can't be written.
func editSettings(file string, edit func([]byte) ([]byte, error)) error {
	editing.Lock()
	defer editing.Unlock()
	target, err := followLinks(file)
	if err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	before, mode, err := readForEdit(target)
	if err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	after, err := edit(slices.Clone(before))
	if err != nil {
		return fmt.Errorf("change the settings: %w", located(file, err))
	}
	if bytes.Equal(before, after) {
		return nil
	}
	if err := checkSettings(file, after); err != nil {
		if old := checkSettings(file, before); old != nil {
			return fmt.Errorf("the settings are wrong as they are, and have to be put right before they can be changed: %w", old)
		}
		return fmt.Errorf("the settings stay as they are, since the change would make them wrong: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	err = home.Replace(target, after, mode, func() error {
		now, _, err := readForEdit(target)
		if err == nil && !bytes.Equal(now, before) {
			err = fmt.Errorf("another program has changed %s meanwhile; try it again", target)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change the settings: %w", err)
	}
	return nil
}

// checkSettings fails as LoadSettings does for a file with this text. What the environment
// says does not matter.
func checkSettings(file string, text []byte) error {
	s := defaultSettings()
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&s); err != nil {
		return located(file, err)
	}
	if err := s.complete(filepath.Dir(file)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// followLinks is the file that a path leads to in the end, which need not be there.
func followLinks(file string) (string, error) {
	for range 40 { // as many as Linux follows
		link, err := os.Readlink(file)
		if err != nil {
			return file, nil // it is no link, or nothing; whoever reads it will see
		}
		if !filepath.IsAbs(link) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(file))
			if err != nil {
				return "", err
			}
			// Not joined: that would take .. for the folder above a link.
			link = dir + string(filepath.Separator) + link
		}
		file = link
	}
	return "", fmt.Errorf("%s is a link to a link, and so on without an end", file)
}

// readForEdit gives the text of a file and the mode that a new one is to have. One that is
// missing is empty; one that may not be written is an error.
func readForEdit(file string) ([]byte, fs.FileMode, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, 0, err
	}
	if info.Mode().Perm()&0o200 == 0 {
		return nil, 0, fmt.Errorf("%s may not be written, as its mode says", file)
	}
	return text, info.Mode().Perm(), nil
}

// settingsText is a text and where things are in it.
type settingsText struct {
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

// parseSettings finds out where things are in a text. It fails when it is no TOML.
func parseSettings(text []byte) (*settingsText, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// The decoder knows more of what is wrong, and where, than the parser.
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	d := &settingsText{text: text, newline: "\n", sections: []section{{}}}
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

// keyOf is the key of a pair or header, where it begins and where it ends.
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

// skipEquals is where the value is whose key ends at i.
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

// lineStart is where the line begins that has the byte i in it.
func lineStart(text []byte, i int) int { return bytes.LastIndexByte(text[:max(i, 0)], '\n') + 1 }

// lineEnd is where the line ends that has the byte i in it, behind its newline.
func lineEnd(text []byte, i int) int {
	if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

// withoutEmptyLines is a text without the empty lines at its beginning.
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

// beginsWith tells whether a path is another one or goes on from there.
func beginsWith(path, with []string) bool {
	return len(path) >= len(with) && slices.Equal(path[:len(with)], with)
}

// refuse says why what is at byte i can't be edited.
func (d *settingsText) refuse(i int, format string, args ...any) error {
	line := bytes.Count(d.text[:i], []byte("\n")) + 1
	return fmt.Errorf("line %d: %s; it has to be changed by hand", line, fmt.Sprintf(format, args...))
}

// find is the pair of a path in a section, or nil when there is none. It fails when something
// else is in its place.
func (d *settingsText) find(s *section, path []string) (*pair, error) {
	for i := range s.pairs {
		p := &s.pairs[i]
		switch {
		case slices.Equal(p.path, path):
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
func (d *settingsText) plainFolders() error {
	for i := range d.sections {
		for j := range d.sections[i].pairs {
			if p := &d.sections[i].pairs[j]; p.path[0] == "folder" && (len(p.path) == 1 || i == 0) {
				return d.refuse(p.first, "only folders of the form [[folder]] can be edited")
			}
		}
	}
	return nil
}

// folder is which section has the folder of a path. It fails when none has.
func (d *settingsText) folder(path, dir string) (int, error) {
	if err := d.plainFolders(); err != nil {
		return 0, err
	}
	wanted, err := absolute(path, dir)
	if err != nil {
		return 0, err
	}
	for i := range d.sections {
		s := &d.sections[i]
		if !s.list || !slices.Equal(s.name, []string{"folder"}) {
			continue
		}
		p, err := d.find(s, []string{"folder", "path"})
		if err != nil {
			return 0, err
		}
		if p == nil || p.kind != unstable.String {
			continue
		}
		if has, err := absolute(p.content, dir); err != nil {
			return 0, fmt.Errorf("folder %s: %w", p.content, err)
		} else if has == wanted {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the settings have no [[folder]] with the path %s", wanted)
}

// replace puts another value in the place of that of a pair, or removes the pair.
func (d *settingsText) replace(p *pair, value any) ([]byte, error) {
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
	return slices.Concat(d.text[:p.value], []byte(encoded), d.text[p.valueEnd:]), nil
}

// indent is what stands before the last key of a section.
func (d *settingsText) indent(s *section) string {
	if len(s.pairs) == 0 {
		return ""
	}
	last := s.pairs[len(s.pairs)-1]
	return string(d.text[last.start:last.first])
}

// insert puts a line in at byte i, which begins a line or is the end of the text.
func (d *settingsText) insert(i int, indent, line string) []byte {
	line = indent + line + d.newline
	if i > 0 && d.text[i-1] != '\n' {
		line = d.newline + line
	}
	return slices.Concat(d.text[:i], []byte(line), d.text[i:])
}

// appendTable puts the lines of a table at the end, with an empty line before them.
func (d *settingsText) appendTable(lines ...string) []byte {
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

// tomlValue writes a value as TOML. It fails for strings that are no UTF-8, and for types that
// no setting has.
func tomlValue(value any) (string, error) {
	switch value := value.(type) {
	case string:
		return tomlString(value)
	case bool:
		return strconv.FormatBool(value), nil
	case int:
		return strconv.Itoa(value), nil
	case int64:
		return strconv.FormatInt(value, 10), nil
	case duration:
		return tomlString(durationText(value))
	case []string:
		parts := make([]string, len(value))
		for i := range value {
			var err error
			if parts[i], err = tomlString(value[i]); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a setting can't be a %T", value)
}

// tomlString writes a string as TOML, those with backslashes as Windows people like them.
func tomlString(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is no UTF-8, which settings.toml has to be", s)
	}
	control := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	if !control && strings.ContainsAny(s, `\"`) && !strings.Contains(s, "'") {
		return "'" + s + "'", nil
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}

// durationText writes a duration as a person would: "10m" and not "10m0s".
func durationText(d duration) string {
	if d == 0 {
		return "none"
	}
	text := time.Duration(d).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
