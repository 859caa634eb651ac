//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

func TestASettingThatIsChangedHoldsAtOnceAndKeepsComments(t *testing.T) {
	t.Parallel()
	p := started(t, "# mine\n[runs]\nhistory = 50 # few")
	before := p.waitReady().Blenders[0]
	if r := p.call("settings", "runs.timeout", "2s"); r.code != 0 || r.stdout != "runs.timeout is 2s\n" {
		t.Fatalf("settings: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	text, err := os.ReadFile(p.config)
	if err != nil || !strings.HasPrefix(string(text), "# mine\n[runs]\nhistory = 50 # few\ntimeout = \"2s\"\n") {
		t.Errorf("the file that --config named is\n%s%v", text, err)
	}
	if _, err := os.Stat(filepath.Join(p.home, "settings.toml")); err == nil {
		t.Error("the home has got a file of settings, too")
	}
	if run := p.lastOf(p.save("loop.py", "while True:\n    pass\n")); run.State != api.TimedOut || run.TimeLimitSeconds != 2 {
		t.Errorf("a script that loops ended as %s, with a limit of %v s", run.State, run.TimeLimitSeconds)
	}
	if now := p.waitReady().Blenders[0]; now.PID != before.PID {
		t.Logf("Blender was replaced: %d, %d", before.PID, now.PID)
	}

	// A folder is watched as soon as the command has ended.
	more := t.TempDir()
	if r := p.call("folder", "add", more, "--scene", "keep", "--timeout", "1h"); r.code != 0 {
		t.Fatalf("folder add: exit %d, %s", r.code, r.stderr)
	}
	script := filepath.Join(more, "a.py")
	if err := os.WriteFile(script, []byte("result = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if run := p.lastOf(script); run.State != api.Succeeded || run.Scene != "keep" || run.TimeLimitSeconds != 3600 {
		t.Errorf("the run in the new folder: %+v", run)
	}

	// A change in the file holds without a command to the engine.
	p.configure("[runs]\ntimeout = \"7m\"\n")
	p.eventually("the new time limit holds", func() bool {
		return strings.TrimSpace(p.call("settings", "runs.timeout").stdout) == "7m"
	})
	if run := p.lastOf(p.save("b.py", "result = 1\n")); run.TimeLimitSeconds != 7*60 {
		t.Errorf("the time limit is %v s", run.TimeLimitSeconds)
	}
	p.configure("[runs]\ntimeout = \"soon\"\n")
	p.eventually("the mistake is told", func() bool {
		s, ok := p.status()
		return ok && strings.Contains(s.Settings.Error, p.config+":2:") && s.Settings.Line == 2
	})
	if run := p.lastOf(p.save("c.py", "result = 1\n")); run.TimeLimitSeconds != 7*60 {
		t.Errorf("with wrong settings the time limit is %v s", run.TimeLimitSeconds)
	}
}
