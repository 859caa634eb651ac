//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// configure writes other settings; text goes before the folder's table.
func (p *program) configure(text string, folders ...string) {
	p.t.Helper()
	for _, dir := range append([]string{p.folder}, folders...) {
		text += fmt.Sprintf("\n[[folder]]\npath = %q\n", dir)
	}
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestSettingsThatAreReadAgainHold(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	other := t.TempDir()
	const script = "import bpy\nprint('given', bpy.app.debug_value == 7)\n"
	if run := p.lastOf(p.save("a.py", script)); run.TimeLimitSeconds != 0 {
		t.Errorf("at first the time limit is %v s", run.TimeLimitSeconds)
	}
	p.waitReady()

	p.configure("[runs]\ntimeout = \"7m\"\n[blender]\nargs = [\"--debug-value\", \"7\"]\n", other)
	if r := p.call("reload"); r.code != 0 || !strings.Contains(r.stdout, other) {
		t.Fatalf("reload: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	run := p.lastOf(p.save("b.py", script))
	if run.TimeLimitSeconds != 7*60 {
		t.Errorf("then the time limit is %v s", run.TimeLimitSeconds)
	}
	if text := p.call("runs", "show", run.ID).stdout; !strings.Contains(text, "given True") {
		t.Errorf("the next run's Blender lacks its arguments:\n%s", text)
	}
	if err := os.WriteFile(filepath.Join(other, "c.py"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	p.lastOf(filepath.Join(other, "c.py"))

	// An error in the settings is reported and changes nothing, and Blender can still be started.
	p.configure("[blender]\npaht = 1\n")
	if r := p.call("reload"); r.code != 78 || !strings.Contains(r.stderr, "did you mean path?") || !strings.Contains(r.stderr, "the settings before still hold") {
		t.Errorf("reload of wrong settings: exit %d, %s", r.code, r.stderr)
	}
	if r := p.call("restart"); r.code != 0 {
		t.Fatalf("restart with wrong settings: exit %d, %s", r.code, r.stderr)
	}
	if status, _ := p.status(); len(status.Folders) != 2 {
		t.Errorf("watched are %+v", status.Folders)
	}

	p.configure("[blender]\nargs = [\"--debug-value\", \"7\"]\n")
	if r := p.call("restart"); r.code != 0 {
		t.Fatalf("restart: exit %d, %s", r.code, r.stderr)
	}
	run = p.lastOf(p.save("d.py", script))
	if text := p.call("runs", "show", run.ID).stdout; !strings.Contains(text, "given True") {
		t.Errorf("a new Blender has not its arguments:\n%s", text)
	}
}

func TestABlenderThatIsNamedInTheSettingsIsStarted(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "[blender]\npath = \"/nonexistent/blender\"\n")
	p.start()
	p.eventually("the status says failed", func() bool {
		s, ok := p.status()
		return ok && s.Blenders[0].State == api.BlenderFailed
	})
	if s, _ := p.status(); s.Blenders[0].Source != api.SourceChosen {
		t.Errorf("it is %+v", s.Blenders[0])
	}
	p.configure("[blender]\npath = \"blender\"\n")
	if r := p.call("start"); r.code != 0 {
		t.Fatalf("start: exit %d, %s", r.code, r.stderr)
	}
	if run := p.lastOf(p.save("a.py", "result = 1")); run.State != api.Succeeded {
		t.Errorf("the run: %+v", run)
	}
}
