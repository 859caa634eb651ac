package settings

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// load reads settings from a text and from variables.
func load(t *testing.T, text string, environ ...string) (Loaded, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Source{File: file, Environ: environ}.Load()
	return s, file, err
}

func TestSettingsAreReadWithTheirDefaults(t *testing.T) {
	t.Parallel()
	s, file, err := load(t, `
[blender]
max_memory = "1.5 GB"
cancel_grace = "500ms"
[runs]
timeout = "1m30s"
[[folder]]
path = "scripts"
exclude = ["**/old/**"]
[[folder]]
path = "/abs"
recursive = false
scene = "base.blend"
on_busy = "cancel"
timeout = "none"
`, "BLENDTRAY_BLENDER_PORT=4711", "BLENDTRAY_RUNS_OUTPUT=2MiB", "BLENDTRAY_HOME=/x", "OTHER=1")
	if err != nil {
		t.Fatal(err)
	}
	if s.Blender.MaxMemory != 1_500_000_000 || time.Duration(s.Blender.CancelGrace) != 500*time.Millisecond || !s.Blender.FactoryStartup || s.Blender.Port != 4711 {
		t.Errorf("blender: %+v", s.Blender)
	}
	if time.Duration(s.Runs.Timeout) != 90*time.Second || s.Runs.Output != 2<<20 || s.Runs.History != 10_000 {
		t.Errorf("runs: %+v", s.Runs)
	}
	dir := filepath.Dir(file)
	first, second := s.Folders[0], s.Folders[1]
	if first.Path != filepath.Join(dir, "scripts") || !first.Recursive || first.Scene != "fresh" || first.OnBusy != api.OnBusyWait {
		t.Errorf("the first folder: %+v", first)
	}
	if second.Recursive || second.Scene != filepath.Join(dir, "base.blend") || second.OnBusy != api.OnBusyCancel {
		t.Errorf("the second folder: %+v", second)
	}
}

func TestWithoutAFileEverythingHasItsDefault(t *testing.T) {
	t.Parallel()
	s, err := Source{File: filepath.Join(t.TempDir(), "none.toml")}.Load()
	if err != nil || len(s.Folders) != 0 || s.Runs.Output != 1<<20 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWrongSettingsAreNamedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"[blender]\npth = 'x'\n\n[runs]\nhistori = 3\n", []string{"settings.toml:2:1: ", "blender.pth", "did you mean path?", "settings.toml:5:1: ", "did you mean history?"}},
		{"[blander]\npath = 'x'\n", []string{"settings.toml:", "blander", "did you mean blender?"}},
		{"[blender]\nport = 'x'\n", []string{"settings.toml:2:8", "blender.port"}},
		{"[blender]\nport = 70000\n", []string{"settings.toml:2:8"}},
		{"[blender]\nmax_runs = -1\n", []string{"settings.toml:2:12"}},
		{"[runs]\n\ntimeout = '5 minutes'\n", []string{"settings.toml:3:", "5 minutes", "1h30m"}},
		{"[runs]\noutput = 'much'\n", []string{"settings.toml:2:", "much", "512MB"}},
		{"[[folder]]\npath = '/a'\n[[folder]]\npath = '/b'\non_busy = 'kill'\n", []string{"settings.toml:5:", "kill", "wait"}},
		{"[[folder]]\npath = '/a'\n[[folder]]\npath = '/b'\nonbusy = 'wait'\n", []string{"settings.toml:5:1", "did you mean on_busy?"}},
		{"[[folder]]\nrecursive = true\n", []string{"folder 1 has no path"}},
		{"[[folder]]\npath = '/a'\n[[folder]]\npath = '/a/'\n", []string{"/a", "twice"}},
		{"[[folder]]\npath = '/a'\ninclude = ['[x']\n", []string{"/a", "[x"}},
		{"[[folder]]\npath = '/a'\nscene = 'clean'\n", []string{"/a", "clean", "fresh"}},
		{"[farm]\nserve = 'foo'\n", []string{"settings.toml:2:9", "farm.serve", `"foo" is no address with a port, such as "0.0.0.0:4222"`}},
		{"[farm]\nserve = 'foo:bar'\n", []string{"settings.toml:2:9", "no address"}},
		{"[farm]\nserve = ':70000'\n", []string{"settings.toml:2:9", "no address"}},
		{"[flamenco]\nmanager = 'foo bar'\n", []string{"settings.toml:2:11", "flamenco.manager", `"foo bar" is no URL of a manager, such as http://farm:8080`}},
		{"[blender\n", []string{"settings.toml:1:"}},
		{"x = 'a", []string{"settings.toml:1:"}},
	} {
		_, _, err := load(t, c.text)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v\n should hold %q", c.text, err, want)
			}
		}
	}
}

func TestAddressesOfServersAreTaken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"[farm]\nserve = ''\n[flamenco]\nmanager = ''\n", "[farm]\nserve = '0.0.0.0:4222'\n[flamenco]\nmanager = 'http://farm:8080/'\n",
		"[farm]\nserve = ':0'\n[flamenco]\nmanager = 'farm:8080'\n", "[farm]\nserve = '[::1]:4222'\n",
	} {
		if _, _, err := load(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAVariableInAPathHasToBeSet(t *testing.T) {
	t.Setenv("BT_TEST_EMPTY", "")
	base := t.TempDir()
	t.Setenv("BT_TEST_SET", base)
	for _, c := range []struct {
		text, environ string
		want          []string
	}{
		{"[[folder]]\npath = '$BT_TEST_NONE/x'\n", "", []string{"settings.toml:2:1: folder 1: path: ", `the variable BT_TEST_NONE in "$BT_TEST_NONE/x" is not set; set it`}},
		{"[[folder]]\npath = '${BT_TEST_NONE}/'\n", "", []string{"settings.toml:2:1: ", "the variable BT_TEST_NONE"}},
		{"[[folder]]\npath = '/a/$BT_TEST_NONE'\n", "", []string{"settings.toml:2:1: ", "BT_TEST_NONE"}},
		{"[[folder]]\npath = '$BT_TEST_EMPTY/x'\n", "", []string{"settings.toml:2:1: ", "the variable BT_TEST_EMPTY", "is empty"}},
		{"[[folder]]\npath = '${BT_TEST_SET/x'\n", "", []string{"settings.toml:2:1: ", "${ that names no variable"}},
		{"[[folder]]\npath = '/a'\nscene = '$BT_TEST_NONE/a.blend'\n", "", []string{"settings.toml:3:1: folder /a: scene: ", "BT_TEST_NONE"}},
		{"[blender]\npath = '$BT_TEST_NONE/blender'\n", "", []string{"settings.toml:2:1: blender.path: ", "BT_TEST_NONE"}},
		{"[blender]\npath = '$BT_TEST_NONE'\n", "", []string{"settings.toml:2:1: blender.path: ", "BT_TEST_NONE"}},
		{"[blenders.old]\npath = '$BT_TEST_NONE/b'\n", "", []string{"settings.toml:2:1: blenders.old.path: ", "BT_TEST_NONE"}},
		{"[mcp]\nworkspace = '$BT_TEST_NONE/b'\n", "", []string{"settings.toml:2:1: mcp.workspace: ", "BT_TEST_NONE"}},
		{"", "BLENDTRAY_BLENDER_PATH=$BT_TEST_NONE/b", []string{"the variable BLENDTRAY_BLENDER_PATH: the variable BT_TEST_NONE"}},
	} {
		_, _, err := load(t, c.text, c.environ)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q %s: %v\n should hold %q", c.text, c.environ, err, want)
			}
		}
	}
	s, _, err := load(t, "[[folder]]\npath = '$BT_TEST_SET/a$BT_TEST_EMPTY/$$b$'\n[mcp]\nworkspace = '${BT_TEST_SET}/w'\n")
	if err != nil || s.Folders[0].Path != filepath.Join(base, "a", "$b$") || s.MCP.Workspace != filepath.Join(base, "w") {
		t.Errorf("%+v, %v", s.Settings, err)
	}
}

func TestWrongVariablesAreNamed(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "", "BLENDTRAY_BLENDER_PROT=1", "BLENDTRAY_BLENDER_PORT=x", "BLENDTRAY_BLENDER_FACTORY_STARTUP=perhaps", "BLENDTRAY_RUNS_TIMEOUT=soon")
	for _, want := range []string{"BLENDTRAY_BLENDER_PROT", "BLENDTRAY_BLENDER_PORT", "BLENDTRAY_BLENDER_FACTORY_STARTUP", "BLENDTRAY_RUNS_TIMEOUT"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n should hold %s", err, want)
		}
	}
}

var update = flag.Bool("update", false, "write the tables of docs/settings.md anew")

const documentFile = "../../docs/settings.md"

func TestTheDocumentSaysWhatIsDeclared(t *testing.T) { // not parallel: another test reads what it writes
	text := contents(t, documentFile)
	wanted := text
	for _, table := range []string{"blender", "fleet", "sessions", "runs", "tray", "window", "mcp", "farm", "flamenco", "folder"} {
		begin, end := "<!-- begin "+table+" -->\n", "<!-- end -->\n"
		head, rest, found := strings.Cut(wanted, begin)
		_, tail, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("the document has no place for the table %s", table)
		}
		wanted = head + begin + Document(table) + end + tail
	}
	if text == wanted {
		return
	}
	if !*update {
		t.Fatal("docs/settings.md does not say what the settings are; write it anew: go test ./app/settings -run Document -update")
	}
	write(t, documentFile, wanted)
}

func TestTheExampleInTheDocumentIsRight(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(contents(t, documentFile), "```toml\n")
	example, _, _ := strings.Cut(rest, "```")
	if s, _, err := load(t, example); err != nil || len(s.Folders) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestEverySettingIsInAGroupOfTheReport(t *testing.T) {
	t.Parallel()
	s, file, err := load(t, "[blenders.old]\npath = \"/opt/old\"\n")
	if err != nil {
		t.Fatal(err)
	}
	r := s.report(file, "")
	tables := map[string]bool{}
	for _, g := range r.Groups {
		tables[g.Table] = true
		if g.Title == "" || g.Help == "" || g.Table == tableFolder {
			t.Errorf("a group is %+v", g)
		}
	}
	for _, setting := range r.Settings {
		if table, _, _ := strings.Cut(setting.Key, "."); !tables[table] {
			t.Errorf("%s is in no group", setting.Key)
		}
	}
}

func TestTheHelpOfASettingIsSentences(t *testing.T) {
	t.Parallel()
	for _, table := range tables {
		for _, d := range table.keys {
			plain := api.PlainHelp(d.Help)
			if first := plain[:1]; first != strings.ToUpper(first) || !strings.HasSuffix(plain, ".") || strings.ContainsAny(plain, "`[") && d.Name != "include" && d.Name != "blender" {
				t.Errorf("%s: %q", d.Key(), plain)
			}
		}
	}
}
