package settings

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"blendtray/api"
)

func TestAMistakeInTheFileIsSaidInPlainWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"[runs]\nhistory = \"many\"", `2:11: runs.history: "many" is no number from 0 to 4294967295`},
		{"[runs]\nhistory = \"500\"", `2:11: runs.history: "500" has quotes; write it without them`},
		{"[runs]\nnice = 20", `2:8: runs.nice: "20" is no number from 0 to 19`},
		{"[runs]\nnice = \"x\"", `2:8: runs.nice: "x" is no number from 0 to 19`},
		{"[[folder]]\npath = '/a'\nnice = 20", `3:8: folder.nice: "20" is no number from 0 to 19`},
		{"[blender]\nport = 70000", `2:8: blender.port: "70000" is no number from 0 to 65535`},
		{"[blender]\nport = -1", `2:8: blender.port: "-1" is no number from 0 to 65535`},
		{"[blender]\nport = 1.5", `2:8: blender.port: "1.5" is no number from 0 to 65535`},
		{"[blender]\nport = true", `2:8: blender.port: "true" is no number from 0 to 65535`},
		{"[blender]\nport = [1]", `2:8: blender.port: a list is not a single value`},
		{"[blender]\npath = 3", `2:8: blender.path: 3 is no text; write it in quotes`},
		{"[blender]\nargs = \"x\"", `2:8: blender.args: "x" is no list; write one such as ["a", "b"]`},
		{"[blender]\nargs = [\"a\", 1]", `2:8: blender.args: 1 is in the list and is no text; write it in quotes`},
		{"[blender]\nfactory_startup = \"yes\"", `2:19: blender.factory_startup: "yes" is neither true nor false`},
		{"[blender]\nfactory_startup = \"true\"", `2:19: blender.factory_startup: "true" has quotes; write it without them`},
		{"[blender]\nfactory_startup = 1", `2:19: blender.factory_startup: write it as true or false, and not as 1`},
		{"[blender]\nmax_memory = true", `2:14: blender.max_memory: "true" is no size; write one such as "512MB", "4GB" or "1MiB"`},
		{"[runs]\ntimeout = 5", `2:11: runs.timeout: "5" is no duration; write one such as "30s", "5m" or "1h30m"`},
		{"[runs]\ntimeout = 2020-01-01", `2:11: runs.timeout: "2020-01-01" is no duration; write one such as "30s", "5m" or "1h30m"`},
		{"runs.timeout = 5", `1:16: runs.timeout: "5" is no duration; write one such as "30s", "5m" or "1h30m"`},
		{"runs = { timeout = 5 }", `1:8: runs.timeout: "5" is no duration; write one such as "30s", "5m" or "1h30m"`},
		{"[runs.timeout]\nx = 1", `1:1: runs.timeout: a table is not a single value`},
		{"[runs]\nparallel = 0", `2:12: runs.parallel: "0" is neither "auto" nor a number from 1 to 64`},
		{"[runs]\nparallel = 65", `2:12: runs.parallel: "65" is neither "auto" nor a number from 1 to 64`},
		{"[runs]\non_stop = 1", `2:11: runs.on_stop: "1" is not one of "wait", "requeue"`},
		{"[runs]\non_stop = 9", `2:11: runs.on_stop: "9" is not one of "wait", "requeue"`},
		{"[runs]\nisolation = 'auto'", `2:13: runs.isolation: "auto" is not one of "process", "scene"`},
		{"[runs]\nisolation = 'keep'", `2:13: runs.isolation: "keep" is not one of "process", "scene"`},
		{"[runs]\nleftover = 'auto'", `2:12: runs.leftover: "auto" is not one of "blender", "run"`},
		{"[[folder]]\npath = '/a'\nisolation = 'x'", `3:13: folder.isolation: "x" is not one of "auto", "process", "scene", "keep"`},
		{"[fleet]\nahead = 1000.5", `2:9: fleet.ahead: "1000.5" is neither "auto"`},
		{"[[folder]]\npath = '/a'\nframe = 3.5", `3:9: folder.frame: "3.5" are no frames`},
		{"[[folder]]\npath = '/a'\n[[folder]]\npath = '/b'\nscene = 1", `5:9: folder.scene: 1 is no text; write it in quotes`},
		{"[folder]\npath = '/a'", `1:1: each watched folder is a table of its own: write [[folder]], with two brackets, and its keys below`},
		{"folder = 'x'", `1:10: each watched folder is a table of its own`},
		{"folder = ['x']", `1:10: each watched folder is a table of its own`},
		{"[[folder]]\npath = '/a'\n[folder.x]\ny = 1", `3:1: there is no key folder.x`},
		{"[[runs]]\ntimeout = '1s'", `1:1: runs is a table: write [runs], and its keys below`},
		{"blender = 3", `1:11: blender is a table: write [blender], and its keys below`},
		{"[blenders]\nold = 3", `2:7: blenders.old is a table: write [blenders.old], and its keys below`},
		{"blenders = 3", `1:12: a further Blender has a name: write [blenders.NAME], and its keys below`},
		{"[blenders.old]\nport = 'x'", `2:8: blenders.old.port: "x" is no number from 0 to 65535`},
		{"[blenders.old]\nprt = 1", `2:1: there is no key blenders.old.prt; did you mean port?`},
		{"[runs]\nhistory = 1\nHistory = 2", `2:1: runs.history is there twice, in upper and lower case`},
		{"[runs]\ntimeout = '1s'\ntimeout = '2s'", `3:1: timeout: key timeout is already defined`},
	} {
		_, file, err := load(t, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), file+":"+c.want) {
			t.Errorf("%q:\n %v\n should begin with\n %s:%s", c.text, err, file, c.want)
		}
	}
}

func TestAnUnknownKeyOfACommandNamesAKeyThatTheCommandTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, want string }{
		{"blender", "; the settings of this table are blender.path, blender.args, "},
		{"blenders", "; the settings of this table are blenders.NAME.path, blenders.NAME.args, "},
		{"blenders.old", "; the settings of a further Blender are blenders.NAME.path, "},
		{"blendr", "; the settings of this table are blender.path, "},
		{"runs.timeot", "; did you mean runs.timeout?"},
		{"blenders.old.prt", "; did you mean blenders.old.port?"},
		{"blenders.4.5.prt", "; did you mean blenders.4.5.port?"},
		{"history", "; did you mean runs.history?"},
		{"folder.timeout", "; `blendtray folder set` changes settings of a folder"},
		{"nonsense.x", "; docs/settings.md lists them all"},
	} {
		_, err := Find(c.key)
		if want := "there is no setting " + c.key + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\n should begin with\n %s", err, want)
		}
	}
}

func TestAllMistakesAreNamedAtOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	_, file, err := load(t, "[rnus]\nx = 1\n[runs]\nhistory = -5\npreview = 'no'\n[[folder]]\npath = '/a'\nrecursive = 'no'\n")
	var lines []string
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			lines = append(lines, strings.SplitN(strings.TrimPrefix(line, file+":"), ":", 2)[0])
		}
	}
	if got := strings.Join(lines, " "); got != "1 4 5 8" {
		t.Errorf("the mistakes are said to be in the lines %q:\n%v", got, err)
	}
}

// What a value of the file means is what the same text means in a variable.
func TestAValueOfTheFileMeansWhatItMeansElsewhere(t *testing.T) {
	t.Parallel()
	for _, d := range append(Declarations("runs"), Declarations("blender")...) {
		if d.Variable() == "" || d.Type == api.TypePath || d.Type == api.TypeText {
			continue
		}
		for _, text := range []string{"0", "1", "2", "9", "19", "20", "64", "65", "99999", "-1", "1.5", "true", "auto", "none", "1GB", "5s", "wait"} {
			_, _, fromFile := load(t, fmt.Sprintf("[%s]\n%s = %q\n", d.Table, d.Name, text))
			if regexp.MustCompile(`^(-?[0-9.]+|true)$`).MatchString(text) {
				_, _, fromFile = load(t, fmt.Sprintf("[%s]\n%s = %s\n", d.Table, d.Name, text))
			}
			if d.Type == api.TypeBool && text != "true" {
				continue // a variable may also say 1
			}
			_, _, fromVariable := load(t, "", d.Variable()+"="+text)
			if (fromFile == nil) != (fromVariable == nil) {
				t.Errorf("%s = %s: in the file %v, as a variable %v", d.Key(), text, fromFile, fromVariable)
			}
		}
	}
}

// A change by hand is read by an engine that runs, which a text of any kind must not end.
func FuzzAnyTextIsReadOrRefused(f *testing.F) {
	for _, text := range []string{
		"[folder]\npath = '/a'", "[[folder]]\npath = '/a'\n[folder.x]", "[blenders.4.5]\npath = 'x'", "blenders.a.b.c = 1", "[[blenders]]", "[[blenders.a]]",
		"[runs]\non_stop = 9", "[[runs]]", "folder = [[]]", "folder = [{path = '/a', args = [1]}]", "[blenders.x]\nPORT = 1\nport = 2", "runs = {}", "\ufeff[runs]",
	} {
		f.Add(text)
	}
	file := filepath.Join(f.TempDir(), "settings.toml")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Source{File: file}.parse([]byte(text))
		if err == nil {
			l.report(file, "") // what was read can also be shown
			return
		}
		if message := err.Error(); strings.Contains(message, "struct field") || strings.Contains(message, "api.") {
			t.Errorf("%q: a person can't know what this is: %s", text, message)
		}
	})
}
