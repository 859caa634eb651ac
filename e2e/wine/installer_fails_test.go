//go:build wine

package wine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The exit codes of an installer that could not write its files, and of one that could not replace a file, as
// much of 1603 as Linux tells.
const (
	unwritten = 82
	failed    = 1603 & 0xff
)

// holding has a program of Windows hold a file open, so that nobody can move the file until release is called.
func (m *machine) holding(file string) (release func()) {
	m.t.Helper()
	holder := filepath.Join(m.t.TempDir(), "hold.exe")
	compile(m.t, holder, "standin/hold.c")
	cmd, log := m.command(context.Background(), windows(file))
	cmd.Args[1] = holder
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.eventually("the file is held", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "held")
	})
	return func() {
		stdin.Close()
		_ = cmd.Wait() // the file is free, however it ended
	}
}

// compile makes a program for Windows from a file in C.
func compile(t testing.TB, program, source string) {
	t.Helper()
	if out, err := exec.Command("x86_64-w64-mingw32-gcc", "-Wall", "-municode", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// onFullDisk runs an installer that can't write a file of more than some megabytes, and returns how it ended.
func (m *machine) onFullDisk(installer string, args ...string) int {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-c", `trap "" XFSZ; ulimit -f 16000; exec wine "$@"`, "bash", installer, "/S"}, args...)...)
	cmd.Env = m.environment
	_ = cmd.Run() // the exit code says how it went
	return cmd.ProcessState.ExitCode()
}

func TestTheInstallerTakesBackWhatItCantFinish(t *testing.T) {
	first, later := installers(t)
	m := newMachine(t)
	here := m.ofUser()
	t.Cleanup(func() { m.runProgram(filepath.Join(here.folder, "uninstall.exe"), "/S") }) // fails when all went well

	if code := m.onFullDisk(first); code != unwritten {
		t.Errorf("on a full disk it ends with %d", code)
	}
	here.wantsNothing()

	m.install(first, "/NOPATH")
	here.wants("0.1.0")
	engine, log := m.command(context.Background(), "serve")
	engine.Args[1] = here.program()
	m.serving, m.log = engine, log
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	m.eventually("the engine answers", func() bool { return here.engine() != "" })

	for _, c := range []struct {
		name  string
		fails func() int
		code  int
		ended bool // whether the engine was ended and started again
	}{
		{"on a full disk", func() int { return m.onFullDisk(later) }, unwritten, false},
		{"where nothing can be written", func() int {
			return m.runProgram(later, "/S", `/D=Z:\proc\blendtray`).code
		}, unwritten, false},
		{"while the last of its files is in use", func() int {
			defer m.holding(filepath.Join(here.folder, "uninstall.exe"))()
			return m.runProgram(later, "/S").code
		}, failed, true},
		{"while the program is in use", func() int {
			defer m.holding(filepath.Join(here.folder, "blendtray.exe"))()
			return m.runProgram(later, "/S").code
		}, failed, true},
	} {
		before := here.engine()
		if code := c.fails(); code != c.code {
			t.Errorf("%s it ends with %d", c.name, code)
		}
		here.wants("0.1.0")
		m.eventually(c.name+" the engine still answers", func() bool {
			now := here.engine()
			return now != "" && (now != before) == c.ended
		})
		if status := m.runProgram(here.program(), "status").out; !strings.Contains(status, "version 0.1.0") {
			t.Errorf("%s the engine is %s", c.name, status)
		}
		if t.Failed() {
			t.FailNow()
		}
	}

	// An installer that was cut off has left a mark and only some files.
	old := filepath.Join(here.folder, ".old")
	if r := m.runProgram("taskkill.exe", "/F", "/PID", here.engine()); r.code != 0 {
		t.Fatalf("the engine does not end: %s", r.out)
	}
	cut := func() {
		t.Helper()
		m.eventually("no program runs", func() bool { return len(here.running()) == 0 })
		if err := os.Mkdir(old, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(old, "unfinished"), []byte("blendtray.exe\nblendtrayw.exe\nadded.txt"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"blendtray.exe", "blendtrayw.exe"} {
			if err := os.Rename(filepath.Join(here.folder, name), filepath.Join(old, name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"blendtray.exe", "added.txt"} {
			if err := os.WriteFile(filepath.Join(here.folder, name), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut()
	if code := m.onFullDisk(later); code != unwritten {
		t.Errorf("on a full disk it ends with %d", code)
	}
	here.wants("0.1.0")
	cut()
	m.install(later)
	here.wants("0.2.0")

	// Whoever wanted no command in PATH still wants none.
	if path := here.path(); strings.Contains(path, "Blendtray") {
		t.Errorf("PATH is %s", path)
	}
	here.uninstall("/FORGET")
	if _, err := os.Stat(filepath.Join(m.home, "runs.db")); err != nil {
		t.Errorf("a home that is named has gone, too: %v", err)
	}
}
