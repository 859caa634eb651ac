package agents

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
)

var entry = Entry{Name: "blendtray", Command: `/opt/b/blendtray`, Args: []string{"mcp"}}

func client(t *testing.T, name string) Client {
	t.Helper()
	c, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// places are those of a user who has nothing yet.
func places(t *testing.T) Places {
	dir := t.TempDir()
	return Places{Home: dir, Config: filepath.Join(dir, ".config"), Env: func(string) string { return "" }}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheEntryGoesIntoAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	at := places(t)
	for _, c := range All {
		for _, project := range []string{"", t.TempDir()} {
			file, err := c.File(at, project)
			if c.Name == "claude-desktop" && project != "" {
				if err == nil {
					t.Error("Claude Desktop has settings of a project")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			changed, err := c.Install(file, entry)
			if err != nil || !changed {
				t.Fatalf("%s: %v, %v", c.Name, changed, err)
			}
			text := read(t, file)
			if shown, err := c.Text(entry); err != nil || shown != text {
				t.Errorf("%s is shown as %q, and is %q", c.Name, shown, text)
			}
			var all map[string]map[string]map[string]any
			if strings.HasSuffix(file, ".toml") {
				err = toml.Unmarshal([]byte(text), &all)
			} else {
				err = json.Unmarshal([]byte(text), &all)
			}
			table := "mcpServers"
			switch c.Name {
			case "vscode":
				table = "servers"
			case "codex":
				table = "mcp_servers"
			}
			got := all[table]["blendtray"]
			if err != nil || got["command"] != "/opt/b/blendtray" || len(got["args"].([]any)) != 1 {
				t.Errorf("%s: %v: %s", c.Name, err, text)
			}
			if changed, err = c.Install(file, entry); err != nil || changed || read(t, file) != text {
				t.Errorf("%s, once more: %v, %v: %s", c.Name, changed, err, read(t, file))
			}
			if changed, err = c.Uninstall(file, "blendtray"); err != nil || !changed || strings.Contains(read(t, file), "blendtray") {
				t.Errorf("%s, taken out: %v, %v: %s", c.Name, changed, err, read(t, file))
			}
			if changed, err = c.Uninstall(file, "blendtray"); err != nil || changed {
				t.Errorf("%s, taken out twice: %v, %v", c.Name, changed, err)
			}
		}
	}
}

// kept are files with what may not be lost, and the same with the entry.
var kept = []struct{ name, client, before, after string }{
	{"comments and a comma at the end, with tabs", "vscode", `// mine
{
	// the servers
	"servers": {
		"other": { "command": "x", /* here */ "args": [1, 2,], }, // behind
	},
	"inputs": [], // none
}
`, `// mine
{
	// the servers
	"servers": {
		"other": { "command": "x", /* here */ "args": [1, 2,], }, // behind
		"blendtray": {
			"type": "stdio",
			"command": "/opt/b/blendtray",
			"args": ["mcp"]
		},
	},
	"inputs": [], // none
}
`},
	{"a comment behind the last member", "cursor", `{
    "mcpServers": {
        "other": {"url": "http://x"} // last
    }
}`, `{
    "mcpServers": {
        "other": {"url": "http://x"}, // last
        "blendtray": {
            "command": "/opt/b/blendtray",
            "args": ["mcp"]
        }
    }
}`},
	{
		"order, numbers and escapes", "claude-code", `{"zeta": 1.0, "alpha": 10000000000000000000001, "text": "\u00e9\/", "mcpServers": {}}`,
		"{\"zeta\": 1.0, \"alpha\": 10000000000000000000001, \"text\": \"\\u00e9\\/\", \"mcpServers\": {\n    \"blendtray\": {\n      \"type\": \"stdio\",\n      \"command\": \"/opt/b/blendtray\",\n      \"args\": [\"mcp\"]\n    }\n  }}",
	},
	{"what a person has added to the entry", "gemini", `{
  "mcpServers": {
    "blendtray": {
      "command": "/old/blendtray", // moved
      "args": ["mcp"],
      "timeout": 9000
    }
  }
}
`, `{
  "mcpServers": {
    "blendtray": {
      "command": "/opt/b/blendtray", // moved
      "args": ["mcp"],
      "timeout": 9000
    }
  }
}
`},
	{
		"a byte order mark and the ends of lines of Windows", "claude-desktop", "\ufeff{\r\n  \"theme\": \"dark\"\r\n}\r\n",
		"\ufeff{\r\n  \"theme\": \"dark\",\r\n  \"mcpServers\": {\r\n    \"blendtray\": {\r\n      \"command\": \"/opt/b/blendtray\",\r\n      \"args\": [\"mcp\"]\r\n    }\r\n  }\r\n}\r\n",
	},
	{"an empty file", "cursor", "", "{\n  \"mcpServers\": {\n    \"blendtray\": {\n      \"command\": \"/opt/b/blendtray\",\n      \"args\": [\"mcp\"]\n    }\n  }\n}\n"},
	{"TOML with comments", "codex", `# mine
model = "o3"  # fast

[mcp_servers.other] # another
command = 'x'
args = [ "a",
  "b" ] # two

[tui]
theme = "dark"
`, `# mine
model = "o3"  # fast

[mcp_servers.other] # another
command = 'x'
args = [ "a",
  "b" ] # two

[tui]
theme = "dark"

[mcp_servers.blendtray]
command = "/opt/b/blendtray"
args = ["mcp"]
`},
	{"what a person has added to the entry of TOML", "codex", `[mcp_servers.blendtray]
command = "/old" # moved
args = ["mcp"]
tool_timeout_sec = 600
[mcp_servers.blendtray.env]
X = "1"
`, `[mcp_servers.blendtray]
command = "/opt/b/blendtray" # moved
args = ["mcp"]
tool_timeout_sec = 600
[mcp_servers.blendtray.env]
X = "1"
`},
}

func TestEverythingElseStaysAsItIs(t *testing.T) {
	t.Parallel()
	for _, x := range kept {
		c, file := client(t, x.client), filepath.Join(t.TempDir(), "file")
		write(t, file, x.before)
		if _, err := c.Install(file, entry); err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if got := read(t, file); got != x.after {
			t.Errorf("%s: it is\n%s\nand not\n%s", x.name, got, x.after)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", x.name, info.Mode(), err)
		}
		if changed, err := c.Install(file, entry); err != nil || changed {
			t.Errorf("%s, once more: %v, %v", x.name, changed, err)
		}
		if _, err := c.Uninstall(file, "blendtray"); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		text := read(t, file)
		if strings.Contains(text, "blendtray") {
			t.Errorf("%s: it is still there: %s", x.name, text)
		}
		for _, comment := range []string{"// mine", "/* here */", "// behind", "// last", "# another", "# two", "# fast"} {
			if strings.Contains(x.before, comment) && !strings.Contains(text, comment) {
				t.Errorf("%s: %q is lost: %s", x.name, comment, text)
			}
		}
	}
}

func TestAFileThatIsWrongIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ client, text, want string }{
		{"cursor", `{"mcpServers": {`, "no JSON"},
		{"cursor", `[]`, "no object"},
		{"cursor", `{"mcpServers": []}`, `"mcpServers" is no object`},
		{"cursor", `{"mcpServers": {"blendtray": 3}}`, `"blendtray" is no object`},
		{"cursor", `{"mcpServers": {}, "mcpServers": {}}`, "twice"},
		{"cursor", `{"mcpServers": {"blendtray": {}, "blendtray": {}}}`, "twice"},
		{"cursor", `{"mcpServers": {"blendtray": {"url": "http://x"}}}`, "reached by a URL"},
		{"codex", `[mcp_servers`, "no TOML"},
		{"codex", `mcp_servers = 3`, ""},
		{"codex", "[mcp_servers.blendtray]\nurl = 'x'\n", "reached by a URL"},
		{"codex", "mcp_servers = { blendtray = { command = 'x' } }\n", ""},
	} {
		c, file := client(t, x.client), filepath.Join(t.TempDir(), "file")
		write(t, file, x.text)
		changed, err := c.Install(file, entry)
		if err == nil || changed || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v; want %q", x.text, changed, err, x.want)
		}
		if got := read(t, file); got != x.text {
			t.Errorf("%s: it is %q now", x.text, got)
		}
		if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 1 {
			t.Errorf("%s: something is left: %v, %v", x.text, all, err)
		}
	}
}

func TestALinkStaysALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	write(t, real, "{}")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, "cursor").Install(link, entry); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || !strings.Contains(read(t, real), "blendtray") {
		t.Errorf("%v, %v: %s", info.Mode(), err, read(t, real))
	}
}

func TestWhatAnotherProgramWritesMeanwhileIsKept(t *testing.T) {
	t.Parallel()
	c, file := client(t, "cursor"), filepath.Join(t.TempDir(), "file")
	write(t, file, `{"a": 1}`)
	turn := 0
	changed, err := change(file, func(text []byte) ([]byte, error) {
		if turn++; turn == 1 {
			write(t, file, `{"a": 2}`)
		}
		return c.format.set(text, entry)
	})
	if got := read(t, file); err != nil || !changed || turn != 2 || !strings.Contains(got, `"a": 2`) || !strings.Contains(got, "blendtray") {
		t.Errorf("%v, %v after %d turns: %s", changed, err, turn, got)
	}
	write(t, file, "{}")
	_, err = change(file, func(text []byte) ([]byte, error) {
		turn++
		write(t, file, `{"a": `+strings.Repeat("1", turn)+`}`)
		return c.format.set(text, entry)
	})
	if !errors.Is(err, errChanged) {
		t.Errorf("a file that changes each time: %v", err)
	}
}

func TestTheEnvironmentGoesIntoTheEntry(t *testing.T) {
	t.Parallel()
	with := entry
	with.Command = `C:\Program Files\blendtray "x".exe`
	with.Env = map[string]string{"BLENDTRAY_HOME": `D:\home`}
	for _, c := range All {
		file := filepath.Join(t.TempDir(), "file")
		if _, err := c.Install(file, with); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if changed, err := c.Install(file, with); err != nil || changed {
			t.Errorf("%s, once more: %v, %v", c.Name, changed, err)
		}
		var all map[string]map[string]struct {
			Command string
			Env     map[string]string
		}
		text := []byte(read(t, file))
		var err error
		if c.Name == "codex" {
			err = toml.Unmarshal(text, &all)
		} else {
			err = json.Unmarshal(text, &all)
		}
		for _, table := range all {
			got := table["blendtray"]
			if err != nil || got.Command != with.Command || got.Env["BLENDTRAY_HOME"] != `D:\home` {
				t.Errorf("%s: %v: %s", c.Name, err, text)
			}
		}
	}
}

func TestFoldersOfOtherSystemsAndVariables(t *testing.T) {
	t.Parallel()
	at := Places{Home: "/h", Config: "/c", Env: func(name string) string {
		return map[string]string{"CODEX_HOME": "/codex", "CLAUDE_CONFIG_DIR": "/claude"}[name]
	}}
	for name, want := range map[string]string{
		"codex": "/codex/config.toml", "claude-code": "/claude/.claude.json",
		"claude-desktop": "/c/Claude/claude_desktop_config.json", "vscode": "/c/Code/User/mcp.json",
		"cursor": "/h/.cursor/mcp.json", "gemini": "/h/.gemini/settings.json",
	} {
		if got, err := client(t, name).File(at, ""); err != nil || filepath.ToSlash(got) != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := Find("emacs"); err == nil || !strings.Contains(err.Error(), "claude-code") {
		t.Errorf("%v", err)
	}
}

// Whatever a file is, it is either refused, or changed so that the entry is there and everything else
// is as before, and taken out again.
func FuzzJSON(f *testing.F) {
	for _, x := range kept {
		f.Add([]byte(x.before))
	}
	f.Add([]byte(`{"mcpServers": {"a": {} , "blendtray": {}}, "b": 1 }`))
	f.Add([]byte(`{"mcpServers": { "blendtray": {} , "a": {}} }`))
	f.Fuzz(func(t *testing.T, text []byte) {
		format := jsonFormat{table: "mcpServers", typed: true}
		after, err := format.set(text, entry)
		if err != nil {
			return
		}
		if !strings.Contains(string(after), "/opt/b/blendtray") {
			t.Fatalf("the entry is not in %q", after)
		}
		again, err := format.set(after, entry)
		if err != nil || string(again) != string(after) {
			t.Fatalf("once more, %v: %q becomes %q", err, after, again)
		}
		if _, err := hujson.Parse([]byte(strings.TrimPrefix(string(after), byteOrderMark))); err != nil {
			t.Fatal(err)
		}
		without, err := format.remove(after, entry.Name)
		if err != nil {
			t.Fatalf("%v: %q", err, after)
		}
		// Not every program reads what VS Code reads.
		if json.Valid(text) && (!json.Valid(after) || !json.Valid(without)) {
			t.Fatalf("%q is JSON, and %q or %q is not", text, after, without)
		}
	})
}
