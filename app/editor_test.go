//go:build !headless

package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

func TestTheEditorOfAPersonIsUsed(t *testing.T) {
	t.Parallel()
	has := func(all ...string) func(string) (string, error) {
		return func(program string) (string, error) {
			for _, one := range all {
				if one == program {
					return "/bin/" + program, nil
				}
			}
			return "", errors.New("it is not there")
		}
	}
	const path = "/srv/my script.py"
	for _, c := range []struct {
		chosen, visual string
		line           int
		look           func(string) (string, error)
		want           string
	}{
		// The setting goes before everything else.
		{"code --goto {file}:{line}", "vim", 4, has("kate"), "code|--goto|/srv/my script.py:4"},
		{"code --goto {file}:{line}", "", 0, has(), "code|--goto|/srv/my script.py:1"},
		{"'/opt/my editor'", "", 4, has(), "/opt/my editor|/srv/my script.py"},
		// $VISUAL is told the line where it is known how.
		{"", "code --wait", 4, has(), "code|--wait|--goto|/srv/my script.py:4"},
		{"", "/usr/bin/kate", 7, has("code"), "/usr/bin/kate|--line|7|/srv/my script.py"},
		{"", "mine -x", 7, has("code"), "mine|-x|/srv/my script.py"},
		{"", "kate", 0, has(), "kate|--line|1|/srv/my script.py"},
		// An editor that needs a terminal gets one, and is left out where there is none.
		{"", "vim", 4, has("xterm", "konsole"), "konsole|-e|vim|+4|/srv/my script.py"},
		{"", "emacs -nw", 4, has("xterm"), "xterm|-e|emacs|-nw|+4|/srv/my script.py"},
		{"", "/usr/bin/vim.basic", 4, has("xterm"), "xterm|-e|/usr/bin/vim.basic|+4|/srv/my script.py"},
		{"", "view", 4, has("xterm"), "xterm|-e|view|+4|/srv/my script.py"},
		{"", "emacsclient -t", 4, has("xterm"), "xterm|-e|emacsclient|-t|+4|/srv/my script.py"},
		{"", "emacsclient --tty", 4, has("xterm"), "xterm|-e|emacsclient|--tty|+4|/srv/my script.py"},
		{"", "emacs --no-window-system", 4, has("xterm"), "xterm|-e|emacs|--no-window-system|+4|/srv/my script.py"},
		{"", "mine -t", 4, has("xterm"), "mine|-t|/srv/my script.py"},
		{"", "Code.cmd", 4, has(), "Code.cmd|--goto|/srv/my script.py:4"},
		{"", "nano", 4, has("gedit"), "/bin/gedit|/srv/my script.py|+4"},
		{"", "it's wrong", 4, has("gedit"), "/bin/gedit|/srv/my script.py|+4"},
		// Without both, an editor that is there shows the line.
		{"", "", 4, has("kate", "zed", "emacs"), "/bin/zed|/srv/my script.py:4"},
		{"", " ", 4, has("emacs"), ""},
		{"", "", 0, has("kate"), ""},
	} {
		got := strings.Join(editorFor(api.Command(c.chosen), c.visual, path, c.line, c.look), "|")
		if got != c.want {
			t.Errorf("with %q, $VISUAL %q and line %d it is %s, want %s", c.chosen, c.visual, c.line, got, c.want)
		}
	}
}

func TestTheNameOfAFileIsNoCommandOfABatchFile(t *testing.T) {
	t.Parallel()
	look := func(program string) (string, error) {
		if program == "code" {
			return "/programs/bin/code.CMD", nil
		}
		return "", errors.New("it is not there")
	}
	for _, c := range []struct {
		program, path string
		want          bool
	}{
		{"code", "/scripts/a&calc.py", true},
		{"code", "/scripts/100%.py", true},
		{"my.bat", "/scripts/a^b.py", true},
		{"code", "/scripts/my script (2).py", false},
		{"code.exe", "/scripts/a&b.py", false},
		{"kate", "/scripts/a&b.py", false},
	} {
		if got := breaksBatch(c.program, c.path, look); got != c.want {
			t.Errorf("%s with %s: %v", c.program, c.path, got)
		}
	}
}

func TestAnEditorThatCannotBeStartedNamesItsSetting(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.py")
	if err := editFile("none", file, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := editFile(api.Command(filepath.Join(t.TempDir(), "none")), file, 1); err == nil || !strings.Contains(err.Error(), "window.editor") {
		t.Errorf("an editor that is not there: %v", err)
	}
}
