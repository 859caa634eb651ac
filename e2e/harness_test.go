//go:build linux

// Package e2e tests the whole program as its users meet it: the real binary, a real Blender, and
// real files that are saved in real folders. What one room can test by itself is tested there.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// patience bounds every wait; it is generous because a busy machine is not a fault.
const patience = 90 * time.Second

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Setenv("LANGUAGE", "en") // the tests read what the tray says
	dir, err := os.MkdirTemp("", "blendtray-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "blendtray")
	build := exec.Command("go", "build", "-tags", "headless", "-o", binary, "blendtray")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build blendtray: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// program is one `blendtray serve`, on a home of its own.
type program struct {
	t      testing.TB
	home   string
	folder string // the watched folder
	config string
	env    []string // more variables, for it and its calls
	cmd    *exec.Cmd

	mu   sync.Mutex
	said bytes.Buffer // what the program has printed
}

// newProgram prepares a home, a watched folder and settings, and starts nothing. The text settings
// goes before the folder's table.
func newProgram(t testing.TB, settings string) *program {
	t.Helper()
	p := &program{t: t, home: filepath.Join(t.TempDir(), "home"), folder: t.TempDir()}
	p.config = filepath.Join(t.TempDir(), "settings.toml")
	text := fmt.Sprintf("%s\n[[folder]]\npath = %q\n", settings, p.folder)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// processesWith returns the ids of the processes whose command line matches a pattern.
func processesWith(t testing.TB, pattern string) []string {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", "--", pattern).Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: no process matches
		t.Fatalf("pgrep %s: %v", pattern, err)
	}
	return strings.Fields(string(out))
}

// started returns a program that serves and whose Blender is ready.
func started(t testing.TB, settings string) *program {
	t.Helper()
	p := newProgram(t, settings)
	p.start()
	p.waitReady()
	return p
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = p.command("serve", "--config", p.config)
	p.cmd.Stdout = lockedWriter{p}
	p.cmd.Stderr = lockedWriter{p}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			// A run that does not end is of no interest any more.
			hurry := time.AfterFunc(3*time.Second, func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
			_ = p.cmd.Wait() // the tests that care about the exit wait themselves
			hurry.Stop()
		}
		if p.t.Failed() {
			p.t.Logf("blendtray serve printed:\n%s", p.printed())
		}
	})
}

// command returns a call of the program with this home.
func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Dir = p.folder
	return cmd
}

// result is how a call of the program ended, and what it printed.
type result struct {
	code           int
	stdout, stderr string
}

// call runs the program to its end, as a person would at a terminal.
func (p *program) call(args ...string) result {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("blendtray %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// status returns `blendtray status --json`; ok is false when no engine answers.
func (p *program) status() (s api.Status, ok bool) {
	p.t.Helper()
	r := p.call("status", "--json")
	if r.code != 0 {
		return s, false
	}
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
		p.t.Fatalf("status --json is no JSON: %v\n%s", err, r.stdout)
	}
	return s, true
}

// waitReady waits until Blender is ready for runs, and returns the status then.
func (p *program) waitReady() api.Status {
	p.t.Helper()
	var last api.Status
	p.eventually("Blender is ready", func() bool {
		s, ok := p.status()
		last = s
		return ok && len(s.Blenders) == 1 && s.Blenders[0].State == api.BlenderReady
	})
	return last
}

// eventually waits until a condition holds.
func (p *program) eventually(what string, holds func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited %s in vain until %s; serve printed:\n%s", patience, what, p.printed())
		}
		time.Sleep(20 * time.Millisecond) // between two requests, where no event can be waited for
	}
}

// save puts a script into the watched folder as an editor would, by rename, and returns its
// path.
func (p *program) save(name, code string) string {
	p.t.Helper()
	return p.saveIn(p.folder, name, code)
}

// saveIn does in another folder what save does.
func (p *program) saveIn(folder, name, code string) string {
	p.t.Helper()
	path := filepath.Join(folder, name)
	temp := filepath.Join(folder, "."+name+".tmp")
	if err := os.WriteFile(temp, []byte(code), 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// runs returns `blendtray runs --json`, newest first.
func (p *program) runs(args ...string) []api.Run {
	p.t.Helper()
	r := p.call(append([]string{"runs", "--json", "-n", "1000"}, args...)...)
	if r.code != 0 {
		p.t.Fatalf("blendtray runs: exit %d, %s", r.code, r.stderr)
	}
	var runs []api.Run
	if err := json.Unmarshal([]byte(r.stdout), &runs); err != nil {
		p.t.Fatalf("runs --json is no JSON: %v\n%s", err, r.stdout)
	}
	return runs
}

// show returns `blendtray runs show ID --json`.
func (p *program) show(id string) api.Run {
	p.t.Helper()
	r := p.call("runs", "show", id, "--json")
	var run api.Run
	if err := json.Unmarshal([]byte(r.stdout), &run); err != nil {
		p.t.Fatalf("runs show %s --json: exit %d, %v\n%s%s", id, r.code, err, r.stdout, r.stderr)
	}
	return run
}

// lastOf waits until the newest run of a script has ended, and returns it with its output.
func (p *program) lastOf(path string) api.Run {
	p.t.Helper()
	var found string
	p.eventually("a run of "+path+" has ended", func() bool {
		for _, run := range p.runs() {
			if run.Script == path {
				found = run.ID
				return run.State.Final()
			}
		}
		return false
	})
	return p.show(found)
}

// runJSON returns what `blendtray run --json …` prints, and its exit code.
func (p *program) runJSON(args ...string) (api.Run, int) {
	p.t.Helper()
	r := p.call(append([]string{"run", "--json"}, args...)...)
	var run api.Run
	if err := json.Unmarshal([]byte(r.stdout), &run); err != nil {
		p.t.Fatalf("run --json: exit %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	return run, r.code
}

func (p *program) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

type lockedWriter struct{ p *program }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.said.Write(b)
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// peakMemory returns the largest resident size that a process has had, in bytes.
func peakMemory(t testing.TB, pid int) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("process %d does not tell its peak memory", pid)
	return 0
}

// connect opens a plain connection to Blender's port, which closes with the test.
func (p *program) connect(port int) net.Conn {
	p.t.Helper()
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// socket returns the address at which the engine says that it listens.
func (p *program) socket() string {
	p.t.Helper()
	for line := range strings.Lines(p.printed()) {
		if _, address, ok := strings.Cut(line, ", on "); ok {
			return strings.TrimSpace(address)
		}
	}
	p.t.Fatalf("serve does not say where it listens:\n%s", p.printed())
	return ""
}

// token returns the token that Blender's port demands.
func (p *program) token() string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.home, "ports", "default.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var door struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(text, &door); err != nil || door.Token == "" {
		p.t.Fatalf("%s: %v", text, err)
	}
	return door.Token
}
