//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Agents whose sessions are confined work as others do, and get nothing out of the engine that a script
// names to it.
func TestTheSessionsOfAgentsAreConfined(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	p := started(t, fmt.Sprintf("[mcp]\nworkspace = %q\nconfine = true\n", work))
	a := p.agentOnAPipe()
	const words = "the secret of the engine"
	secret := filepath.Join(p.home, "secret.jpg")
	if err := os.WriteFile(secret, []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	never := func(what string, res *sdk.CallToolResult) {
		t.Helper()
		for _, c := range res.Content {
			if picture, ok := c.(*sdk.ImageContent); ok && strings.Contains(string(picture.Data), words) {
				t.Errorf("%s: the picture is a file of the engine", what)
			}
		}
		if strings.Contains(textIn(res), words) {
			t.Errorf("%s: %s", what, textIn(res))
		}
	}

	a.says(false, "scene_summary", nil, "Cube") // begins the session
	a.says(false, "run_python", args{"code": fmt.Sprintf(`
import os
for path in (%q, %q):
    try:
        open(path, "a").write("changed") # in a /tmp of its own, if at all
    except OSError:
        pass
open(os.path.join(%q, "mine.txt"), "w").write("hello")
import tcp_echo; tcp_echo.add_output(%q); tcp_echo.add_output(os.path.join(%q, "mine.txt"))
os.symlink(%q, os.path.join(%q, "link.txt")); tcp_echo.add_output(os.path.join(%q, "link.txt"))
os.mkfifo(os.path.join(%q, "pipe"))`, secret, filepath.Join(p.home, "new"), work, secret, work, secret, work, work, work)})
	if text, err := os.ReadFile(secret); err != nil || string(text) != words {
		t.Errorf("a file of the engine has %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(p.home, "new")); err == nil {
		t.Error("a file was made in the home of the engine")
	}
	a.picture(a.says(false, "render_preview", args{"size": 64}))
	a.picture(a.says(false, "run_python", args{"code": "pass", "preview": true}))

	run := runOf(a.says(false, "run_python", args{"code": fmt.Sprintf("import tcp_echo\nfor name in (%q, %q, %q, %q): tcp_echo.add_output(name)",
		secret, filepath.Join(work, "link.txt"), filepath.Join(work, "pipe"), filepath.Join(work, "mine.txt"))}))
	read := 0
	for n := range 4 {
		got, err := a.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: fmt.Sprintf("blendtray://runs/%s/outputs/%d", run, n)})
		if err != nil {
			continue
		}
		for _, c := range got.Contents {
			if strings.Contains(c.Text+string(c.Blob), words) {
				t.Errorf("output %d is a file of the engine", n)
			}
			if c.Text == "hello" {
				read++
			}
		}
	}
	if read != 1 {
		t.Error("the file in the workspace can't be read")
	}

	// A script that changes the add-on names another file than the engine has named.
	a.says(false, "run_python", args{"checkpoint": false, "code": fmt.Sprintf(`
import tcp_echo.looks
tcp_echo.looks.picture = lambda request: {"file": %q, "views": ["front"]}`, secret)})
	never("another file", a.says(true, "render_preview", nil))
	a.says(false, "run_python", args{"checkpoint": false, "code": fmt.Sprintf(`
import os, tcp_echo.looks
def picture(request):
    os.symlink(%q, request["file"])
    return {"file": request["file"], "views": ["front"]}
tcp_echo.looks.picture = picture`, secret)})
	never("a link", a.says(true, "render_preview", nil))

	a.says(true, "run_python", args{"code": "pass", "scene": "fresh"}, "mcp.confine")
	if r := p.call("run", "--session", "free", "-c", "1"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	a.says(true, "scene_summary", args{"session": "free"}, "is not confined")
	a.says(true, "run_python", args{"session": "free", "code": "pass", "checkpoint": false}, "is not confined")
}

// A workspace in which the folders of the engine lie has no walls.
func TestNoSessionIsConfinedToTheFoldersOfTheEngine(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	for _, key := range [][]string{{"mcp.workspace", filepath.Dir(p.home)}, {"mcp.confine", "true"}} {
		if r := p.call(append([]string{"settings"}, key...)...); r.code != 0 {
			t.Fatal(r.stderr)
		}
	}
	a := p.agentOnAPipe()
	a.says(true, "run_python", args{"code": "pass"}, "which it must not see")
}
