//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The clients of others are pinned in scripts/, and `make test` installs them.
const (
	pythonClients = "../build/mcp"
	inspector     = "../build/inspector/node_modules/.bin/mcp-inspector"
)

func TestThePythonClientsWork(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	url, token := p.agentsAddress()
	script, err := filepath.Abs("testdata/agent.py")
	if err != nil {
		t.Fatal(err)
	}
	for version, newest := range map[string]string{"1": "2025-11-25", "2": "2026-07-28"} {
		python, err := filepath.Abs(pythonClients + version + "/bin/python")
		if err == nil {
			_, err = os.Stat(python)
		}
		if err != nil {
			t.Fatalf("`make build/mcp%s` installs the client of this test: %v", version, err)
		}
		for _, how := range [][]string{{"pipe", binary}, {"http", url, token}} {
			cmd := exec.Command(python, append([]string{script}, how...)...)
			cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "all is well") || !strings.Contains(string(out), "revision "+newest) {
				t.Errorf("mcp %s.x over %s: %v\n%s", version, how[0], err, out)
			}
		}
	}
}

// The inspector is the client in TypeScript.
func TestTheInspectorWorks(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs(inspector)
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Logf("not tested: the client in TypeScript, because npm is not there (%v)", err)
		return
	}
	p := started(t, "")
	for _, x := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"--method", "tools/list"}, "run_python"},
		{[]string{"--method", "tools/call", "--tool-name", "run_python", "--tool-arg", "code=print(6 * 7)"}, "42"},
		{[]string{"--method", "resources/list"}, "blendtray://status"},
		{[]string{"--method", "resources/templates/list"}, "runs/{id}/code"},
		{[]string{"--method", "prompts/list"}, "turntable"},
	} {
		cmd := exec.Command(program, append([]string{"--cli", binary, "mcp", "-e", "BLENDTRAY_HOME=" + p.home}, x.arguments...)...)
		cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
		out, err := cmd.Output()
		if err != nil || !json.Valid(out) || !strings.Contains(string(out), x.want) {
			t.Errorf("%v: %v\n%s", x.arguments, err, out)
		}
	}
}
