//go:build linux

package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replace puts a copy of the program at path, as packages do: beside the file, and then in its place.
func replace(t *testing.T, path string) {
	t.Helper()
	from, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Not parallel: see [TestAServiceOfTheUserLivesAsLongAsItIsInstalled].
func TestAServiceGoesOnWithANewProgramWhenItsRunHasEnded(t *testing.T) {
	l := newLogin(t)
	program := filepath.Join(l.home, "blendtray")
	replace(t, program)
	if out, err := l.command(program, "service", "install").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before := l.status()
	script, gate := filepath.Join(l.home, "long.py"), filepath.Join(l.home, "gate")
	code := "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists(" + `"` + gate + `"` + "):\n    time.sleep(0.05)\nprint('done')\n"
	if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	run := l.command(program, "run", script)
	var out strings.Builder
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	l.eventually("the run is running", func() bool {
		_, text := l.call("runs", "--state", "running")
		return strings.Contains(text, "long.py")
	})

	replace(t, program)
	l.eventually("the status tells of the new program", func() bool {
		_, text := l.call("status")
		return strings.Contains(text, "outdated: the program of the engine was replaced")
	})
	if code, text := l.call("doctor"); code == 0 || !strings.Contains(text, "wrong  engine     the program of the engine was replaced") {
		t.Errorf("the doctor says %d\n%s", code, text)
	}
	if now := l.status(); now.PID != before.PID {
		t.Errorf("the engine ended during the run: %+v", now)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil || !strings.Contains(out.String(), "done") {
		t.Errorf("the run ended with %v:\n%s", err, out.String())
	}
	l.eventually("the new program runs", func() bool {
		now := l.status()
		return now.State == "running" && now.PID != before.PID && now.PID != 0
	})
	if text := l.must("status"); strings.Contains(text, "outdated") {
		t.Errorf("of the new engine is said\n%s", text)
	}
	if text := l.must("runs"); !strings.Contains(text, "succeeded") || strings.Contains(text, "interrupted") {
		t.Errorf("the runs are\n%s", text)
	}
	l.must("service", "uninstall")
}
