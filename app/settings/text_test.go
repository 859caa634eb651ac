package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"blendtray/api"
)

// contents is what a file says.
func contents(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited are texts before and after.
type edited struct{ name, before, after string }

func expectEdit(t *testing.T, c edited, got []byte, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
	} else if string(got) != c.after {
		t.Errorf("%s: it became\n%q\nand not\n%q", c.name, got, c.after)
	}
}

func TestEditSetsAKeyAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, c := range []edited{
		{"in place", "# top\n[blender]\nport = 1 # mine\npath = 'x'\n", "# top\n[blender]\nport = 4711 # mine\npath = 'x'\n"},
		{"odd spaces", "[ blender ]\n\t port\t=\t1\t# mine\n", "[ blender ]\n\t port\t=\t4711\t# mine\n"},
		{"quoted keys", "['blender']\n\"po\\u0072t\"=1\n", "['blender']\n\"po\\u0072t\"=4711\n"},
		{"without a space", "[blender]\nport=1#x", "[blender]\nport=4711#x"},
		{"at the end of its table", "[blender]\npath = 'x' # b\n\n# runs\n[runs]\nhistory = 1\n", "[blender]\npath = 'x' # b\nport = 4711\n\n# runs\n[runs]\nhistory = 1\n"},
		{"indented like the others", "[blender]\n  path = 'x'\n[runs]\n", "[blender]\n  path = 'x'\n  port = 4711\n[runs]\n"},
		{"in an empty table", "[blender] # b\n# port = 1\n[runs]\n", "[blender] # b\nport = 4711\n# port = 1\n[runs]\n"},
		{"after a value of many lines", "[blender]\nargs = [\n  'a', # [runs]\n  ']',\n]\n\n[runs]\n", "[blender]\nargs = [\n  'a', # [runs]\n  ']',\n]\nport = 4711\n\n[runs]\n"},
		{"not in a string that looks like it", "[blender]\npath = '''\n[blender]\nport = 1\n'''\nport = 2\n", "[blender]\npath = '''\n[blender]\nport = 1\n'''\nport = 4711\n"},
		{"a new table", "[runs]\nhistory = 1\n# last\n", "[runs]\nhistory = 1\n# last\n\n[blender]\nport = 4711\n"},
		{"a new table after an empty line", "[runs]\n\n", "[runs]\n\n[blender]\nport = 4711\n"},
		{"nothing there", "", "[blender]\nport = 4711\n"},
		{"nothing but a newline", "\n", "\n[blender]\nport = 4711\n"},
		{"only a comment", "# a", "# a\n\n[blender]\nport = 4711\n"},
		{"no newline at the end", "[blender]\npath = 'x'", "[blender]\npath = 'x'\nport = 4711\n"},
		{"no newline after the header", "[blender]", "[blender]\nport = 4711\n"},
		{"dotted", "blender.port = 1 # x\n[runs]\n", "blender.port = 4711 # x\n[runs]\n"},
		{"dotted with spaces", "blender . \"port\" = 1\n", "blender . \"port\" = 4711\n"},
		{"beside dotted", "blender.path = 'x'\nruns.history = 1\n[[folder]]\npath = 'a'\n", "blender.path = 'x'\nblender.port = 4711\nruns.history = 1\n[[folder]]\npath = 'a'\n"},
		{"Windows lines", "[blender]\r\nport = 1 # x\r\n[runs]\r\n", "[blender]\r\nport = 4711 # x\r\n[runs]\r\n"},
		{"Windows lines, a new key", "[blender]\r\npath = 'x'\r\n\r\n[runs]\r\n", "[blender]\r\npath = 'x'\r\nport = 4711\r\n\r\n[runs]\r\n"},
		{"Windows lines, a new table", "[runs]\r\nhistory = 1", "[runs]\r\nhistory = 1\r\n\r\n[blender]\r\nport = 4711\r\n"},
		{"a byte order mark", "\ufeff[blender]\nport = 1\n", "[blender]\nport = 4711\n"},
		{"the table of a folder is another", "[[folder]]\npath = 'a'\nport = 1\n", "[[folder]]\npath = 'a'\nport = 1\n\n[blender]\nport = 4711\n"},
	} {
		got, err := setKey([]byte(c.before), "blender", "port", int64(4711))
		expectEdit(t, c, got, err)
	}
}

func TestEditRemovesAKeySoThatItsDefaultHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []edited{
		{"a line", "[blender]\n# why\nport = 1\npath = 'x'\n", "[blender]\n# why\npath = 'x'\n"},
		{"with a comment behind it", "[blender]\n  port = 1 # why\n", "[blender]\n  # why\n"},
		{"the last line", "[blender]\nport = 1", "[blender]\n"},
		{"of many lines", "[blender]\nport = [\n1,\n2\n]\npath = 'x'\n", "[blender]\npath = 'x'\n"},
		{"dotted", "blender.port = 1\nruns.history = 1\n", "runs.history = 1\n"},
		{"that is not there", "[runs]\n", "[runs]\n"},
		{"from nothing", "", ""},
		{"Windows lines", "[blender]\r\nport = 1 # why\r\npath = 'x'\r\n", "[blender]\r\n# why\r\npath = 'x'\r\n"},
	} {
		got, err := setKey([]byte(c.before), "blender", "port", nil)
		expectEdit(t, c, got, err)
	}
}

func TestEditWritesValuesThatAreReadAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", "x", `C:\Blender\blender.exe`, `it's`, `it's "C:\x"`, `say "x"`, "a\nb\tc\r\x00\x7f\x1b", "über", "''' \"\"\"", "#", `\`,
	} {
		text, err := setKey(nil, "blender", "path", value)
		var s api.Settings
		if err == nil {
			err = toml.Unmarshal(text, &s)
		}
		if err != nil || s.Blender.Path != value {
			t.Errorf("%q became %q in\n%s%v", value, s.Blender.Path, text, err)
		}
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{true, "true"},
		{int64(-3), "-3"},
		{"10m", `"10m"`},
		{`C:\x`, `'C:\x'`},
		{api.Duration(0), `"none"`},
		{api.Duration(10 * time.Minute), `"10m"`},
		{api.Duration(2 * time.Hour), `"2h"`},
		{api.Duration(90 * time.Second), `"1m30s"`},
		{api.Duration(time.Hour + time.Second), `"1h0m1s"`},
		{api.Duration(20 * time.Minute), `"20m"`},
		{api.Duration(1500 * time.Millisecond), `"1.5s"`},
		{[]string{"a", `b"`}, `["a", 'b"']`},
		{[]string{}, "[]"},
	} {
		if got, err := tomlValue(c.value); string(got) != c.want || err != nil {
			t.Errorf("%v became %s, %v", c.value, got, err)
		}
	}
	for _, value := range []any{"\xff", []string{"\xff"}, 1.5, struct{}{}} {
		if _, err := setKey([]byte("[blender]\npath = 'x'\n"), "blender", "path", value); err == nil {
			t.Errorf("%v was written", value)
		}
	}
}

func TestEditRefusesWhatItCantChangeWithoutHarm(t *testing.T) {
	t.Parallel()
	set := func(text string) ([]byte, error) { return setKey([]byte(text), "blender", "port", int64(1)) }
	remove := func(text string) ([]byte, error) { return setKey([]byte(text), "blender", "port", nil) }
	add := func(text string) ([]byte, error) { return addFolder([]byte(text), entry{"path", "/b"}) }
	drop := func(text string) ([]byte, error) { return removeFolder([]byte(text), "/a", "/") }
	folder := func(text string) ([]byte, error) { return setFolderKey([]byte(text), "/a", "/", "scene", "keep") }
	for _, c := range []struct {
		edit func(string) ([]byte, error)
		text string
		want string
	}{
		{set, "\nblender = { port = 1 }\n", "line 2: blender is an inline table, and only one with a header, [blender], can be edited"},
		{set, "blender = 1\n", "line 1: blender is not a table"},
		{set, "[[blender]]\n", "line 1: [[blender]] is a list"},
		{set, "[blender.port]\n", "line 1: blender.port is a table"},
		{set, "[blender]\nport.x = 1\n", "line 2: blender.port is a table"},
		{set, "[blender]\nport = { x = 1 }\n", "line 2: blender.port is an inline table"},
		{set, "[blender]\nport = [\n1, # one\n]\n", "line 2: the value of blender.port has comments in it"},
		{remove, "[blender]\nport = [\n[ # one\n1]\n]\n", "line 2: the value of blender.port has comments in it"},
		{remove, "blender = { port = 1 }\n", "inline table"},
		{set, "[blender\n", "expected"},
		{set, "[runs]\nhistory = 1\nhistory = 2\n", "history"},
		{add, "folder = [{ path = '/a' }]\n", "line 1: only folders of the form [[folder]] can be edited"},
		{drop, "[runs]\n", "the settings have no [[folder]] with the path /a"},
		{drop, "folder = [{ path = '/a' }]\n", "line 1: only folders"},
		{drop, "[[folder]]\npath = '/ab'\n", "no [[folder]] with the path /a"},
		{drop, "[[folder]]\npath = 3\n", "no [[folder]]"},
		{folder, "[[folder]]\npath = '/b'\n", "no [[folder]]"},
		{folder, "[[folder]]\npath = '/a'\nscene = { x = 1 }\n", "line 3: folder.scene is an inline table"},
		{folder, "[[folder]]\npath = '/a'\nscene.x = 1\n", "line 3: folder.scene is a table"},
	} {
		got, err := c.edit(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, and it became %q", c.text, err, got)
		}
	}
}

func TestEditAddsAFolder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		edited
		entries []entry
	}{
		{edited{"to nothing", "", "[[folder]]\npath = \"/a\"\n"}, []entry{{"path", "/a"}}},
		{edited{"to others", "[[folder]]\npath = 'x' # x\n# end", "[[folder]]\npath = 'x' # x\n# end\n\n[[folder]]\npath = \"/a\"\nrun_existing = true\n"}, []entry{{"path", "/a"}, {"run_existing", true}}},
		{edited{"with Windows lines", "[runs]\r\n", "[runs]\r\n\r\n[[folder]]\r\npath = 'C:\\a b'\r\n"}, []entry{{"path", `C:\a b`}}},
	} {
		got, err := addFolder([]byte(c.before), c.entries...)
		expectEdit(t, c.edited, got, err)
	}
}

func TestEditRemovesAFolderWithTheCommentAboveIt(t *testing.T) {
	t.Setenv("TOOLS", "/tools")
	t.Setenv("HOME", "/home/me")
	t.Setenv("USERPROFILE", "/home/me")
	for _, c := range []struct {
		edited
		path string
	}{
		{edited{"the only one", "[[folder]]\npath = '/a'\n", ""}, "/a"},
		{edited{"the last one", "[runs]\nhistory = 1\n\n# a\n# b\n[[folder]]\npath = '/a'\n", "[runs]\nhistory = 1\n"}, "/a"},
		{edited{"the first one", "# settings\n\n# a\n[[folder]]\npath = '/a'\n# inside\nscene = 'keep'\n\n# b\n[[folder]]\npath = '/b'\n", "# settings\n\n# b\n[[folder]]\npath = '/b'\n"}, "/a"},
		{edited{"between", "[[folder]]\npath = '/b'\n\n[[folder]]\npath = '/a'\n\n# runs\n[runs]\n", "[[folder]]\npath = '/b'\n\n# runs\n[runs]\n"}, "/a"},
		{edited{"without empty lines", "[runs]\n[[folder]]\npath = '/a'\n[blender]\n", "[runs]\n[blender]\n"}, "/a"},
		{edited{"with one on one side", "[runs]\n[[folder]]\npath = '/a'\n\n[blender]\n", "[runs]\n\n[blender]\n"}, "/a"},
		{edited{"a comment of the one before it", "[[folder]]\npath = '/b'\n# b\n\n# a\n[[folder]]\npath = '/a'\n", "[[folder]]\npath = '/b'\n# b\n"}, "/a"},
		{edited{"comments that follow", "[[folder]]\npath = '/a'\n# after\n\n# end\n", "# after\n\n# end\n"}, "/a"},
		{edited{"a string that looks like one", "[[folder]]\npath = '/b'\nscene = '''\n# x\n[[folder]]\npath = '/a'\n'''\n[[folder]]\npath = '/a'\nexclude = ['''\n[[folder]]''', ']']\n", "[[folder]]\npath = '/b'\nscene = '''\n# x\n[[folder]]\npath = '/a'\n'''\n"}, "/a"},
		{edited{"a relative one", "[[folder]]\npath = 'scripts/x'\n", ""}, "/config/scripts/x"},
		{edited{"one with a variable", "[[folder]]\npath = '$TOOLS/x/../y'\n", ""}, "/tools/y"},
		{edited{"one in the home folder", "[[folder]]\npath = '~/x'\n", ""}, "/home/me/x"},
		{edited{"as it is written", "[[folder]]\npath = '~/x'\n", ""}, "~/x"},
		{edited{"with an escape", "[[folder]]\n\"path\" = \"/\\u0061\" # x", ""}, "/a"},
		{edited{"with a table in it", "[[folder]]\npath = '/a'\n[folder.x]\ny = 1\n[runs]\n", "[runs]\n"}, "/a"},
		{edited{"with Windows lines", "[runs]\r\n\r\n# a\r\n[[folder]]\r\npath = '/a'\r\n\r\n[blender]\r\n", "[runs]\r\n\r\n[blender]\r\n"}, "/a"},
		{edited{"after a byte order mark", "\ufeff# a\n[[folder]]\npath = '/a'\n", ""}, "/a"},
	} {
		got, err := removeFolder([]byte(c.before), c.path, "/config")
		expectEdit(t, c.edited, got, err)
	}
}

func TestEditSetsAKeyOfAFolder(t *testing.T) {
	t.Parallel()
	const two = "# b\n[[folder]]\npath = '/b'\nscene = 'keep'\n\n# a\n[[folder]]\n  path = './a' # here\n\n[runs]\n"
	for _, c := range []struct {
		edited
		path, key string
		value     any
	}{
		{edited{"in place", two, strings.Replace(two, "'keep'", `"fresh"`, 1)}, "/b", "scene", "fresh"},
		{edited{"a new one", two, strings.Replace(two, "here\n", "here\n  scene = \"keep\"\n", 1)}, "/a", "scene", "keep"},
		{edited{"removed", two, strings.Replace(two, "scene = 'keep'\n", "", 1)}, "/b", "scene", nil},
		{edited{"removed where it is not", two, two}, "/a", "scene", nil},
		{edited{"a list", two, strings.Replace(two, "'keep'\n", "'keep'\ninclude = [\"a\"]\n", 1)}, "/b", "include", []string{"a"}},
		{edited{"the path", two, strings.Replace(two, "'./a'", `"/c"`, 1)}, "/a", "path", "/c"},
	} {
		got, err := setFolderKey([]byte(c.before), c.path, "/", c.key, c.value)
		expectEdit(t, c.edited, got, err)
	}
}

// writer makes settings files that are right, in all the ways that they can be written.
type writer struct {
	*rand.Rand
	strings.Builder
	newline  string
	comments []string
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

// space puts in what means nothing: comments and empty lines.
func (w *writer) space() {
	for range w.IntN(3) {
		if w.IntN(2) == 0 {
			w.WriteString(w.one("", " ", "\t") + w.newline)
			continue
		}
		w.comments = append(w.comments, fmt.Sprintf("# %d %s", len(w.comments), w.one("a", "[blender]", "port = 1", "'''", `"`, "über", "]")))
		w.WriteString(w.one("", "  ", "\t") + w.comments[len(w.comments)-1] + w.newline)
	}
}

// pair puts in a key with a value that has no comment in it.
func (w *writer) pair(prefix, key string) {
	value := map[string][]string{
		"path":            {`"a"`, `'b'`, "'''\n[blender]\n# no comment\nport = 7'''", `"""x\` + "\n  y # z\"\"\"", `"\"#"`},
		"args":            {`[]`, `["a", '#']`, "[\n 'a',\n\t\"]\", ]", "['''\n# no comment\n''']"},
		"factory_startup": {"true", "false"},
		"port":            {"1", "0x10", "1_000", "0"},
		"max_memory":      {`"1GB"`, `'none'`},
		"max_runs":        {"1", "2"},
		"timeout":         {`"1m"`, `'none'`},
		"history":         {"3", "4"},
		"include":         {`["*.py"]`, "[\n]"},
		"scene":           {`"keep"`, `'fresh'`},
	}[key]
	if w.IntN(5) == 0 {
		key = `"` + key + `"`
	}
	text := w.one(value...)
	w.WriteString(w.one("", "", "  ") + prefix + key + w.one(" = ", "=", "\t=  ") + strings.ReplaceAll(text, "\n", w.newline))
	if w.IntN(3) == 0 {
		w.comments = append(w.comments, fmt.Sprintf("# %d behind", len(w.comments)))
		w.WriteString(w.one("", " ", "\t") + w.comments[len(w.comments)-1])
	}
	w.WriteString(w.newline)
}

// pairs puts in some of the keys in any order.
func (w *writer) pairs(prefix string, keys ...string) {
	for _, i := range w.Perm(len(keys)) {
		if w.IntN(2) == 0 {
			w.space()
			w.pair(prefix, keys[i])
		}
	}
}

var (
	blenderKeys = []string{"path", "args", "factory_startup", "port", "max_memory", "max_runs"}
	runsKeys    = []string{"timeout", "history"}
)

// file is a whole file.
func (w *writer) file() string {
	dotted := [2]bool{w.IntN(4) == 0, w.IntN(4) == 0}
	if dotted[0] {
		w.pairs("blender.", blenderKeys...)
	}
	if dotted[1] {
		w.pairs("runs . ", runsKeys...)
	}
	folders := 0
	for _, i := range w.Perm(5) {
		w.space()
		switch {
		case i == 0 && !dotted[0] && w.IntN(4) > 0:
			w.WriteString(w.one("[blender]", "[ blender ]", "  ['blender'] # b") + w.newline)
			w.pairs("", blenderKeys...)
		case i == 1 && !dotted[1] && w.IntN(4) > 0:
			w.WriteString("[runs]" + w.newline)
			w.pairs("", runsKeys...)
		case i > 1 && w.IntN(2) == 0:
			w.WriteString("[[folder]]" + w.newline)
			w.space()
			fmt.Fprintf(w, "path = '/f%d'%s", folders, w.newline)
			folders++
			w.pairs("", "include", "scene", "timeout")
		}
	}
	w.space()
	text := w.String()
	if w.IntN(4) == 0 {
		text = strings.TrimSuffix(text, w.newline)
	}
	return text
}

// parsed is what a text says: keys by their path.
func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := toml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	flat := map[string]any{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, v := range value {
				walk(path+"."+key, v)
			}
		case []any:
			for i, v := range value {
				walk(fmt.Sprintf("%s.%d", path, i), v)
			}
			flat[path] = len(value)
		default:
			flat[path] = value
		}
	}
	walk("", all)
	return flat
}

func TestEditsOfManyFilesChangeOneKeyAndLoseNoComment(t *testing.T) {
	t.Parallel()
	values := map[string][]any{
		"blender.path":            {"new", `C:\new`, "it's\n", nil},
		"blender.factory_startup": {true, false, nil},
		"blender.port":            {int64(4711), nil},
		"blender.max_memory":      {"3GB", nil},
		"runs.timeout":            {"7m", api.Duration(7 * time.Minute), nil},
		"runs.history":            {int64(77), nil},
	}
	names := slices.Sorted(maps.Keys(values))
	for seed := range uint64(4000) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 1)), newline: "\n"}
		if w.IntN(3) == 0 {
			w.newline = "\r\n"
		}
		before := w.file()
		path := w.one(names...)
		value := values[path][w.IntN(len(values[path]))]
		table, key, _ := strings.Cut(path, ".")
		got, err := setKey([]byte(before), table, key, value)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, before)
		}
		after := string(got)
		want := parsed(t, before)
		switch v := value.(type) {
		case nil:
			delete(want, "."+path)
		case api.Duration:
			want["."+path] = "7m"
		default:
			want["."+path] = v
		}
		if has := parsed(t, after); !reflect.DeepEqual(has, want) {
			t.Fatalf("seed %d: after %s = %v it says\n%v\nand not\n%v\n%s\nbecame\n%s", seed, path, value, has, want, before, after)
		}
		rest := after
		for _, comment := range w.comments {
			_, below, ok := strings.Cut(rest, comment)
			if !ok {
				t.Fatalf("seed %d: %s is lost from\n%s\nwhich became\n%s", seed, comment, before, after)
			}
			rest = below
		}
		if w.newline == "\r\n" && strings.Contains(strings.ReplaceAll(after, "\r\n", ""), "\n") && strings.Count(before, "\n") > 0 {
			t.Fatalf("seed %d: a line of\n%q\nends in another way", seed, after)
		}
	}
}

func TestEditsOfManyFilesRemoveTheFolderThatWasAdded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 2)), newline: "\n"}
		before := w.file()
		more, err := addFolder([]byte(before), entry{"path", "/added"}, entry{"scene", "keep"})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, before)
		}
		less, err := removeFolder(more, "/added", "/")
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, more)
		}
		if string(less) != strings.TrimRight(before, "\n\t ")+"\n" && strings.TrimSpace(before) != "" {
			t.Fatalf("seed %d:\n%q\nbecame\n%q", seed, before, less)
		}
	}
}

// edit changes a file that has no variables and no flags over it.
func edit(file string, change func([]byte) ([]byte, error)) error {
	_, _, err := Source{File: file}.edit("", change)
	return err
}

// add is an edit that can't go wrong by itself.
func add(path string) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) { return addFolder(text, entry{"path", path}) }
}

func TestEditMakesAFileThatIsMissing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "settings.toml")
	if err := edit(file, func(text []byte) ([]byte, error) { return setKey(text, "runs", "history", nil) }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("for nothing, its folder was made: %v", err)
	}
	if err := edit(file, add("/a")); err != nil {
		t.Fatal(err)
	}
	s, err := Source{File: file}.Load()
	if err != nil || len(s.Folders) != 1 {
		t.Errorf("%+v, %v", s.Folders, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func TestEditKeepsTheModeAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.toml")
	write(t, file, "\ufeff[runs]\n")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := edit(file, add("/a")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if _, err := (Source{File: file}).Load(); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
	if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 1 {
		t.Errorf("in its folder are %v, %v", all, err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := edit(file, add("/b")); err == nil || strings.Contains(contents(t, file), "/b") {
		t.Errorf("a file that may not be written is\n%s%v", contents(t, file), err)
	}
}

func TestEditOfALinkChangesWhatItLeadsTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, target := filepath.Join(dir, "config", "settings.toml"), filepath.Join(dir, "dotfiles", "target.toml")
	for _, folder := range []string{link, target} {
		if err := os.Mkdir(filepath.Dir(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	middle := filepath.Join(dir, "middle")
	for at, to := range map[string]string{link: middle, middle: filepath.Join("config", "..", "dotfiles", "target.toml")} {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"a", "/b"} { // the first time, the link leads nowhere
		if err := edit(link, add(path)); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if text := contents(t, target); strings.Count(text, "[[folder]]") != 2 {
		t.Errorf("what it leads to is\n%s", text)
	}
	// Relative paths are relative to the link, as they are when the settings are read.
	err := edit(link, add(filepath.Join(dir, "config", "a")))
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the same folder again: %v", err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(link, target); err != nil {
		t.Fatal(err)
	}
	if err := edit(link, add("/c")); err == nil {
		t.Error("a ring of links was edited")
	}
}

func TestEditThatWouldMakeTheSettingsWrongIsNotWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.toml")
	set := func(table, key string, value any) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return setKey(text, table, key, value) }
	}
	failing := func([]byte) ([]byte, error) { return nil, errors.New("no") }
	for _, c := range []struct {
		text string
		edit func([]byte) ([]byte, error)
		want []string
	}{
		{"[runs]\n", set("blender", "pth", "x"), []string{file + ":4:1", "did you mean path?", "the change would make them wrong"}},
		{"[runs]\n", set("runs", "timeout", "soon"), []string{file + ":2:", "soon"}},
		{"[[folder]]\npath = '/a'\n", add("/a/../a"), []string{file, "twice"}},
		{"[[folder]]\npath = '/a'\n", add(""), []string{file, "folder 2 has no path"}},
		{"[runs]\nhistori = 1\n", add("/a"), []string{file + ":2:1", "did you mean history?", "wrong already"}},
		{"[runs\n", add("/a"), []string{file + ":1:6"}},
		{"runs = { history = 1 }\n", set("runs", "history", int64(2)), []string{file + ": line 1: runs is an inline table"}},
		{"[runs]\n", failing, []string{file + ": no"}},
	} {
		write(t, file, c.text)
		err := edit(file, c.edit)
		if err == nil || contents(t, file) != c.text {
			t.Errorf("%q: %v, and it became\n%s", c.text, err, contents(t, file))
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q is not in: %v", c.text, want, err)
			}
		}
	}
	if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 1 {
		t.Errorf("in its folder are %v, %v", all, err)
	}
	// A wrong file can be mended by an edit.
	write(t, file, "[[folder]]\npath = '/a'\n[[folder]]\npath = '/a'\n")
	err := edit(file, func(text []byte) ([]byte, error) { return removeFolder(text, "/a", filepath.Dir(file)) })
	if err != nil || contents(t, file) != "[[folder]]\npath = '/a'\n" {
		t.Errorf("%v, and it is\n%s", err, contents(t, file))
	}
}

func TestEditIsRefusedWhenTheFileHasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.toml")
	const other = "[runs]\nhistory = 5\n"
	for _, first := range []string{"[runs]\n", ""} {
		if first == "" {
			if err := os.Remove(file); err != nil { // and now it is made meanwhile
				t.Fatal(err)
			}
		} else {
			write(t, file, first)
		}
		err := edit(file, func(text []byte) ([]byte, error) {
			write(t, file, other)
			return addFolder(text, entry{"path", "/a"})
		})
		if err == nil || !strings.Contains(err.Error(), "another program has changed") || contents(t, file) != other {
			t.Errorf("%v, and it is\n%s", err, contents(t, file))
		}
	}
	if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 1 {
		t.Errorf("in its folder are %v, %v", all, err)
	}
}

func TestEditsOfOneProgramWaitForEachOther(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.toml")
	done := make(chan error)
	const edits = 20
	for i := range edits {
		go func() { done <- edit(file, add(fmt.Sprintf("/f%d", i))) }()
	}
	for range edits {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s, err := (Source{File: file}).Load(); err != nil || len(s.Folders) != edits {
		t.Errorf("%d folders, %v", len(s.Folders), err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
