//go:build wine

package wine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; it is generous because a busy machine is not a fault.
const patience = 6 * time.Minute

// What scripts/test-windows.sh has made, and the program under test, built once.
var (
	blender = os.Getenv("WINDOWS_BLENDER")
	python  = os.Getenv("WINDOWS_PYTHON")
	version = os.Getenv("WINDOWS_BLENDER_VERSION")
	prefix  = os.Getenv("WINEPREFIX")
	program string
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if blender == "" || python == "" || version == "" || prefix == "" {
		fmt.Fprintln(os.Stderr, "these tests are for `make test-windows`")
		return 1
	}
	dir, err := os.MkdirTemp("", "blendtray-wine-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "blendtray.exe")
	build := exec.Command("go", "build", "-trimpath", "-tags", "headless", "-o", program, "blendtray")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build blendtray.exe: %v\n%s", err, out)
		return 1
	}
	// All programs of Wine use the display of its first process.
	os.Setenv("DISPLAY", "")
	if windowed != "" {
		display, end, err := screen()
		if err != nil {
			panic(err)
		}
		defer end()
		os.Setenv("DISPLAY", display)
	}
	// Wine ends with its last process, and its next process is like a restart of the machine.
	machine := exec.Command("wine", "cmd.exe")
	keep, err := machine.StdinPipe()
	if err == nil {
		err = machine.Start()
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	keep.Close()
	_ = machine.Wait()
	return code
}

// windows returns a path as Windows programs see it.
func windows(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }

// machine is one home with a watched folder.
type machine struct {
	t            testing.TB
	home, folder string
	environment  []string
	serving      *exec.Cmd
	log          string // the file to which serve prints
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{t: t, home: filepath.Join(t.TempDir(), "home"), folder: t.TempDir()}
	m.environment = append(os.Environ(), "BLENDTRAY_HOME="+windows(m.home), "WINEDEBUG=-all",
		"BLENDTRAY_BLENDER_START_TIMEOUT=5m") // Wine is slow on a busy machine
	return m
}

type result struct {
	code int
	out  string
}

// run calls the program and waits for its end. The program prints to a file, because processes that
// Wine itself starts meanwhile would hold a pipe open.
func (m *machine) run(args ...string) result {
	m.t.Helper()
	return m.runProgram(program, args...)
}

// runProgram is run for another program.
func (m *machine) runProgram(path string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd, log := m.command(ctx, args...)
	cmd.Args[1] = path
	_ = cmd.Run() // the exit code says how it went
	text, err := os.ReadFile(log)
	if err != nil {
		m.t.Fatal(err)
	}
	if ctx.Err() != nil {
		m.t.Fatalf("%v does not end:\n%s", args, text)
	}
	return result{cmd.ProcessState.ExitCode(), string(text)}
}

func (m *machine) command(ctx context.Context, args ...string) (cmd *exec.Cmd, log string) {
	m.t.Helper()
	file, err := os.CreateTemp(m.t.TempDir(), "out")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { file.Close() })
	cmd = exec.CommandContext(ctx, "wine", append([]string{program}, args...)...)
	cmd.Env = m.environment
	cmd.Stdout, cmd.Stderr = file, file
	return cmd, file.Name()
}

// wants calls the program, and fails unless the program ends with code and prints all texts.
func (m *machine) wants(code int, args []string, texts ...string) string {
	m.t.Helper()
	r := m.run(args...)
	if r.code != code {
		m.t.Errorf("%q ends with %d, not %d:\n%s", args, r.code, code, r.out)
	}
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			m.t.Errorf("%q does not print %q:\n%s", args, text, r.out)
		}
	}
	return r.out
}

// serve starts the engine and waits until its Blender is ready.
func (m *machine) serve() {
	m.t.Helper()
	m.serving, m.log = m.command(context.Background(), "serve", "--blender", windows(blender), "--folder", windows(m.folder))
	if err := m.serving.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(m.kill)
	m.eventually("Blender is ready", func() bool { return strings.Contains(m.said(), "ready: Blender "+version) })
}

func (m *machine) said() string {
	text, err := os.ReadFile(m.log)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// kill ends the engine as a crash would. It may be called again.
func (m *machine) kill() {
	_ = m.serving.Process.Signal(syscall.SIGKILL)
	_ = m.serving.Wait()
}

func (m *machine) save(name, code string) {
	m.t.Helper()
	fresh := filepath.Join(m.t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(fresh, []byte(code), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(m.folder, name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) eventually(what string, is func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			said := ""
			if m.log != "" {
				said = m.said()
			}
			m.t.Fatalf("%s: not seen. It printed:\n%s", what, said)
		}
	}
}

// processes returns the ids, on Linux, of the processes with mark in their command line.
func processes(t testing.TB, mark string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range all {
		text, err := os.ReadFile(path)
		var pid int
		if _, bad := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil && bad == nil && strings.Contains(string(text), mark) {
			found = append(found, pid)
		}
	}
	return found
}

// blenders returns the ids of the Blenders of this home.
func (m *machine) blenders() []int { return processes(m.t, windows(m.home)+`\cache`) }

func TestASavedScriptRuns(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.save("made.py", "print('hello', __file__)\nimport os\nresult = os.name\n")
	m.eventually("it has run", func() bool { return strings.Contains(m.said(), "result \"nt\"") })
	if want := "hello " + windows(m.folder) + `\made.py`; !strings.Contains(m.said(), want) {
		t.Errorf("it did not print %q:\n%s", want, m.said())
	}
	// The script is written in place in two steps, as a copier does it.
	path := filepath.Join(m.folder, "slow.py")
	if err := os.WriteFile(path, []byte("print('whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(" at last')\n"); err != nil {
		t.Fatal(err)
	}
	file.Close()
	m.eventually("the other one has run", func() bool { return strings.Contains(m.said(), "whole at last") })
	if err := os.Mkdir(filepath.Join(m.folder, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.save("below/deep.py", "print('from below')\n")
	m.eventually("one in a new folder has run", func() bool { return strings.Contains(m.said(), "from below") })
	m.wants(0, []string{"runs"}, "made.py", "slow.py", "deep.py", "succeeded")
}

func TestCommandsReachTheEngine(t *testing.T) {
	m := newMachine(t)
	m.serve()
	m.wants(0, []string{"status"}, "ready: Blender "+version, windows(m.folder))
	var status map[string]any
	if err := json.Unmarshal([]byte(m.wants(0, []string{"status", "--json"})), &status); err != nil {
		t.Error(err)
	}
	m.wants(0, []string{"run", "-c", "print('käse', 6 * 7)"}, "käse 42")
	m.wants(1, []string{"run", "-c", "1 / 0"}, "ZeroDivisionError")
	m.wants(1, []string{"serve"}, "an engine runs already")

	// A cancel reaches a run that sleeps.
	long, _ := m.command(context.Background(), "run", "-c", "import time; print('here'); time.sleep(1000)")
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	m.eventually("it runs", func() bool { return strings.Contains(m.said(), "| here") })
	m.wants(0, []string{"cancel", "3"})
	_ = long.Wait()
	m.eventually("it is cancelled", func() bool { return strings.Contains(m.said(), "cancelled") })

	// A crash costs only its own run.
	before := m.blenders()
	m.wants(5, []string{"run", "-c", "import os; os._exit(7)"}, "ended Blender, with exit code 7")
	m.wants(0, []string{"run", "-c", "print('alive')"}, "alive")
	if after := m.blenders(); len(after) == 0 || slices.Equal(before, after) {
		t.Errorf("the Blenders were %v and are %v", before, after)
	}

	m.wants(0, []string{"stop"}, "stopped")
	if left := m.blenders(); len(left) != 0 {
		t.Errorf("after stop there is %v", left)
	}
	m.wants(0, []string{"start"}, "ready")
	m.wants(0, []string{"restart"}, "ready")
	m.wants(0, []string{"doctor"}, "right  token", "right  engine", `answers on \\.\pipe\blendtray-S-1-`, "right  folder")
}

func TestNothingIsLeftOfAnEngineThatIsKilled(t *testing.T) {
	m := newMachine(t)
	m.serve()
	// A script that ignores the end of its supervisor has started a process.
	mark := "blendtray-grandchild-" + filepath.Base(filepath.Dir(m.home))
	long, _ := m.command(context.Background(), "run", "-c", `
import subprocess, sys, time
child = subprocess.Popen([r"`+windows(python)+`", "-c", "import time; time.sleep(1000)", "`+mark+`"])
print("started")
while True:
    try: time.sleep(1000)
    except BaseException: pass
`)
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	m.eventually("it runs", func() bool { return strings.Contains(m.said(), "| started") })
	if len(m.blenders()) != 1 || len(processes(t, "time.sleep(1000)\x00"+mark)) != 1 {
		t.Fatalf("there is no Blender with a child: %v, %v", m.blenders(), processes(t, mark))
	}
	m.kill()
	_ = long.Wait()
	m.eventually("Blender and its child are gone", func() bool {
		return len(m.blenders()) == 0 && len(processes(t, "time.sleep(1000)\x00"+mark)) == 0
	})
	m.serve()
	m.wants(0, []string{"runs"}, "interrupted")
	m.wants(0, []string{"run", "-c", "print('alive')"}, "alive")
}

// useUsualHome gives the machine the home of every program that names none, with settings, and returns
// its folders: those of the users. Wine's service control manager gives services no environment of their
// own, so that a service has this home.
func (m *machine) useUsualHome() (folders []string) {
	m.t.Helper()
	m.environment = append(os.Environ(), "WINEDEBUG=-all", "BLENDTRAY_HOME=")
	homes, err := filepath.Glob(filepath.Join(prefix, "drive_c", "users", "*", "AppData", "Local"))
	if err != nil || len(homes) == 0 {
		m.t.Fatalf("%v, %v", homes, err)
	}
	for _, dir := range homes {
		dir = filepath.Join(dir, "blendtray")
		if err := os.RemoveAll(dir); err != nil {
			m.t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			m.t.Fatal(err)
		}
		settings := fmt.Sprintf("[blender]\npath = '%s'\n[[folder]]\npath = '%s'\n", windows(blender), windows(m.folder))
		if err := os.WriteFile(filepath.Join(dir, "settings.toml"), []byte(settings), 0o600); err != nil {
			m.t.Fatal(err)
		}
		folders = append(folders, dir)
	}
	return folders
}

func TestServiceOfTheMachine(t *testing.T) {
	m := newMachine(t)
	m.useUsualHome()
	m.wants(3, []string{"service", "status", "--system"}, "not installed")
	m.wants(2, []string{"service", "install", "--system"}, "does not run as LocalSystem unless --user LocalSystem says so")
	t.Cleanup(func() { m.run("service", "uninstall", "--system") })
	m.wants(0, []string{"service", "install", "--system", "--user", "LocalSystem"}, "Blendtray running", "LocalSystem", "with the machine")
	ready := func() bool { return strings.Contains(m.run("status").out, "ready: Blender "+version) }
	m.eventually("its Blender is ready", ready)
	m.wants(0, []string{"run", "-c", "print('in the service')"}, "in the service")
	m.wants(0, []string{"service", "install", "--system", "--user", "LocalSystem"}, "running")
	m.wants(0, []string{"service", "stop", "--system"}, "stopped")
	m.wants(0, []string{"service", "stop", "--system"}, "stopped")
	m.wants(3, []string{"status"}, "no engine answers")
	m.wants(0, []string{"service", "start", "--system"}, "running")
	m.wants(0, []string{"service", "start", "--system"}, "running")
	m.eventually("it is ready again", ready)
	m.save("saved.py", "print('saved')\n")
	m.eventually("a save runs", func() bool { return strings.Contains(m.run("runs").out, "saved.py") })
	m.wants(0, []string{"service", "uninstall", "--system"}, "not installed")
	m.wants(3, []string{"service", "status", "--system"}, "not installed")
	m.eventually("no engine answers", func() bool { // a program that is asked while the engine ends may end with it under Wine
		r := m.run("status")
		return r.code == 3 && strings.Contains(r.out, "no engine answers")
	})
}

func TestServiceOfTheUserSaysWhatIsMissing(t *testing.T) {
	m := newMachine(t)
	// Wine's Task Scheduler accepts tasks and forgets them.
	m.wants(1, []string{"service", "install"}, "Task Scheduler", "start the tray at login instead")
	m.wants(3, []string{"service", "status"}, "not installed")
	m.wants(3, []string{"service", "uninstall"}, "not installed")
}

func TestStartAtLoginIsInTheRegistry(t *testing.T) {
	m := newMachine(t)
	tests := filepath.Join(t.TempDir(), "login.test.exe")
	build := exec.Command("go", "test", "-c", "-tags", "headless", "-o", tests, "blendtray/app/login")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const name = "TestAutostartIsAValueOfTheRunKey"
	r := m.runProgram(tests, "-test.v", "-test.run", name)
	// The exit code does not count: Wine does not let the program remove itself.
	if !strings.Contains(r.out, "--- PASS: "+name) {
		t.Errorf("it ends with %d:\n%s", r.code, r.out)
	}
}
