//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/packaging"
)

// login is a user's session with a systemd manager of its own, as on a machine that was booted with
// systemd.
type login struct {
	t       testing.TB
	home    string
	env     []string
	manager *exec.Cmd
}

// serviceStatus is what `blendtray service status --json` prints.
type serviceStatus struct {
	Installed, Enabled bool
	State              string
	PID                int
	Path, Text, Error  string
	Program            string
}

func newLogin(t testing.TB) *login {
	t.Helper()
	// This folder tells programs that the machine runs systemd. A user's manager needs no more.
	if err := os.MkdirAll("/run/systemd/system", 0o755); err != nil {
		t.Fatalf("the folder that shows that systemd is there can't be made: %v", err)
	}
	l := &login{t: t, home: t.TempDir()}
	runtime, err := os.MkdirTemp("", "run-") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "DBUS_") && !strings.HasPrefix(v, "BLENDTRAY_") {
			l.env = append(l.env, v)
		}
	}
	// In a chroot, such as one for building packages, systemctl would do nothing.
	l.env = append(l.env, "HOME="+l.home, "XDG_RUNTIME_DIR="+runtime, "SYSTEMD_IGNORE_CHROOT=1")
	l.boot()
	t.Cleanup(l.halt)
	return l
}

// boot starts the user's systemd, which starts the services of a login.
func (l *login) boot() {
	l.t.Helper()
	l.manager = exec.Command("/lib/systemd/systemd", "--user")
	l.manager.Env = l.env
	if err := l.manager.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.eventually("systemd answers", func() bool {
		out, _ := l.command("systemctl", "--user", "is-system-running").Output()
		state := strings.TrimSpace(string(out))
		return state == "running" || state == "degraded"
	})
}

// halt ends the user's systemd and all its services, as a shutdown does.
func (l *login) halt() {
	if l.manager == nil {
		return
	}
	_ = l.command("systemctl", "--user", "exit").Run() // if this fails, the signal ends it
	_ = l.manager.Process.Signal(syscall.SIGTERM)
	_ = l.manager.Wait()
	l.manager = nil
}

func (l *login) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = l.env, l.home
	return cmd
}

func (l *login) call(args ...string) (code int, text string) {
	l.t.Helper()
	out, err := l.command(binary, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	} else if err != nil {
		l.t.Fatal(err)
	}
	return 0, string(out)
}

func (l *login) must(args ...string) string {
	l.t.Helper()
	code, text := l.call(args...)
	if code != 0 {
		l.t.Fatalf("blendtray %s ends with %d:\n%s", strings.Join(args, " "), code, text)
	}
	return text
}

func (l *login) status() (st serviceStatus) {
	l.t.Helper()
	out, err := l.command(binary, "service", "status", "--json").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	if err := json.Unmarshal(out, &st); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
	return st
}

func (l *login) eventually(what string, holds func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			_, text := l.call("service", "status") // it may not answer yet
			l.t.Fatalf("waited in vain until %s; of the service is said: %s", what, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// files returns all files below a folder.
func (l *login) files(dir string) (all []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	return all
}

// Not parallel to the next test: two systemd managers of one user are in each other's way.
func TestAServiceOfTheUserLivesAsLongAsItIsInstalled(t *testing.T) {
	l := newLogin(t)
	folder := filepath.Join(l.home, "scripts & more")
	settings := filepath.Join(l.home, ".config", "blendtray", "settings.toml")
	for _, dir := range []string{folder, filepath.Dir(settings)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(settings, fmt.Appendf(nil, "[[folder]]\npath = %q\n", folder), 0o600); err != nil {
		t.Fatal(err)
	}
	runs := 0
	saveRuns := func() {
		t.Helper()
		runs++
		name := fmt.Sprintf("save_%d.py", runs)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("import bpy, os\nprint('notify' in str(os.environ).lower())\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l.eventually(name+" has run", func() bool {
			_, text := l.call("runs", "--json")
			return strings.Contains(text, name) && strings.Count(text, `"state": "succeeded"`) == runs
		})
	}

	if code, text := l.call("service", "status"); code != 3 || !strings.Contains(text, "not installed") {
		t.Errorf("before it is installed: %d, %s", code, text)
	}
	if code, text := l.call("service", "start"); code != 3 || !strings.Contains(text, "`blendtray service install` installs it") {
		t.Errorf("start of what is not installed: %d, %s", code, text)
	}
	l.must("service", "install")
	st := l.status()
	// systemd says that the service is active only after the engine has said that it is ready.
	if st.State != "running" || !st.Enabled || st.PID == 0 || st.Program != binary {
		t.Errorf("installed: %+v", st)
	}
	l.eventually("Blender is ready, in the words of systemd", func() bool {
		return strings.Contains(l.status().Text, " ready, 0 waiting, 1 folders")
	})
	saveRuns()
	if text := l.must("runs", "show", "1"); !strings.Contains(text, "False") {
		t.Errorf("scripts are told how to speak to systemd:\n%s", text)
	}

	// Installing the service again does no harm, and updates it.
	l.must("service", "install")
	if again := l.status(); again.State != "running" || again.PID == st.PID {
		t.Errorf("installed again: %+v", again)
	}

	// A killed engine is started again.
	st = l.status()
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.eventually("it is there again", func() bool {
		now := l.status()
		return now.State == "running" && now.PID != st.PID
	})
	saveRuns()

	// As after a reboot of the machine.
	l.halt()
	l.boot()
	l.eventually("it runs after a reboot", func() bool { return l.status().State == "running" })
	saveRuns()

	// systemctl reload has the engine read its settings again.
	more := filepath.Join(l.home, "more")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "[[folder]]\npath = %q\n[[folder]]\npath = %q\n", folder, more), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := l.command("systemctl", "--user", "reload", "blendtray.service").CombinedOutput(); err != nil {
		t.Errorf("reload: %v, %s", err, out)
	}
	if text := l.must("status"); !strings.Contains(text, more) {
		t.Errorf("after a reload it is\n%s", text)
	}

	// The watchdog replaces an engine that stands still. That takes a minute, so this only checks
	// that the watchdog is on and has had a sign of life.
	out, err := l.command("systemctl", "--user", "show", "blendtray.service", "-p", "WatchdogUSec,WatchdogTimestampMonotonic").Output()
	if err != nil || !strings.Contains(string(out), "WatchdogUSec=1min") || strings.Contains(string(out), "Monotonic=0") {
		t.Errorf("the watchdog: %v, %s", err, out)
	}

	l.must("service", "stop")
	if st := l.status(); st.State != "stopped" || !st.Enabled {
		t.Errorf("stopped: %+v", st)
	}
	if code, _ := l.call("status"); code != 3 {
		t.Errorf("its engine still answers")
	}
	l.must("service", "start")
	st = l.status()
	l.must("service", "uninstall")
	if left := l.files(filepath.Join(l.home, ".config", "systemd")); len(left) != 0 {
		t.Errorf("left is %q", left)
	}
	if alive(st.PID) {
		t.Error("the engine is still there")
	}
	for _, pid := range processesWith(t, l.home) {
		line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		t.Errorf("process %s is left: %q", pid, line)
	}
	if code, text := l.call("service", "uninstall"); code != 3 {
		t.Errorf("uninstalled twice: %d, %s", code, text)
	}
}

func TestAServiceThatCannotStartSaysWhy(t *testing.T) {
	l := newLogin(t)
	unit := filepath.Join(l.home, ".config", "systemd", "user", "blendtray.service")
	settings := filepath.Join(l.home, ".config", "blendtray", "settings.toml")
	for _, dir := range []string{filepath.Dir(unit), filepath.Dir(settings)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}

	// Somebody's own unit stays.
	mine := "[Service]\nExecStart=/bin/true\n"
	if err := os.WriteFile(unit, []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"install", "uninstall"} {
		if code, text := l.call("service", what); code != 1 || !strings.Contains(text, "not written by") {
			t.Errorf("%s over another's unit: %d, %s", what, code, text)
		}
	}
	if text, _ := os.ReadFile(unit); string(text) != mine {
		t.Errorf("it is now %s", text)
	}
	if err := os.Remove(unit); err != nil {
		t.Fatal(err)
	}

	// Wrong settings are reported before anything is written. A service whose settings become wrong
	// later reports them, too.
	wrong := func() {
		if err := os.WriteFile(settings, []byte("[blender]\npaht = 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wrong()
	if code, text := l.call("service", "install"); code != 78 || !strings.Contains(text, "did you mean path?") {
		t.Errorf("with wrong settings: %d, %s", code, text)
	}
	if _, err := os.Stat(unit); err == nil {
		t.Error("a unit was written")
	}
	if err := os.Remove(settings); err != nil {
		t.Fatal(err)
	}
	l.must("service", "install")
	wrong()
	if code, text := l.call("service", "restart"); code != 1 || !strings.Contains(text, "its settings are wrong") || !strings.Contains(text, "journalctl --user") {
		t.Errorf("restart with wrong settings: %d, %s", code, text)
	}
	if st := l.status(); st.State != "failed" || !strings.Contains(st.Error, "its settings are wrong") {
		t.Errorf("it is %+v", st)
	}
	if code, text := l.call("doctor"); code != 1 || !strings.Contains(text, "wrong  service") {
		t.Errorf("the doctor: %d, %s", code, text)
	}
	l.must("service", "uninstall")
	if st := l.status(); st.State != "not installed" {
		t.Errorf("removed: %+v", st)
	}

	// Without a systemd manager.
	if err := os.Remove(settings); err != nil {
		t.Fatal(err)
	}
	l.halt()
	if code, text := l.call("service", "install"); code != 1 || !strings.Contains(text, "no systemd manager answers") || !strings.Contains(text, "hint: ") {
		t.Errorf("without a manager: %d, %s", code, text)
	}
	if _, err := os.Stat(unit); err == nil {
		t.Error("a unit is left")
	}
}

func TestAServiceOfTheMachineRunsAsTheUserItNames(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test starts a service as another user, so it must run as root; CI does")
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"service", "install", "--system"}, 2, "needs to know whose scripts it runs"},
		{[]string{"service", "install", "--user", "ada"}, 2, "add --system"},
		{[]string{"service", "install", "--system", "--user", "../x"}, 2, "no name of a user"},
		{[]string{"service", "install", "--system", "--user", "nobody-like-this"}, 1, ""},
	} {
		out, err := exec.Command(binary, c.args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: %v, %s", c.args, err, out)
		}
	}

	// The unit as it would be installed, but for a user that every machine has.
	const name = "daemon"
	who, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	id := int(number)
	text, err := packaging.Systemd(packaging.Service{Program: binary, User: name})
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "blendtray-"+name+".service")
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || bytes.Contains(out, []byte(filepath.Base(unit))) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=60", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])

	// The command of the unit, as that user and with the unit's environment.
	home, runtime := t.TempDir(), t.TempDir()
	for _, dir := range []string{home, runtime} {
		if err := os.Chown(dir, id, id); err != nil {
			t.Fatal(err)
		}
		openTo(t, filepath.Dir(dir))
	}
	openTo(t, filepath.Dir(binary))
	as := func(runtime string, args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "USER=" + name, "XDG_RUNTIME_DIR=" + runtime}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}}
		return cmd
	}
	serve := as(runtime, "serve")
	var said bytes.Buffer
	serve.Stdout, serve.Stderr = &said, &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("the engine ended with %v:\n%s", err, said.String())
		}
	}()
	// That user's commands find the engine from a login, which has another runtime folder.
	elsewhere := t.TempDir()
	if err := os.Chown(elsewhere, id, id); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	deadline := time.Now().Add(patience)
	for {
		answer, err = as(elsewhere, "run", "-c", "import os; print(os.getuid())").Output()
		if err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil || strings.TrimSpace(string(answer)) != strconv.Itoa(id) {
		t.Errorf("from a login: %v, %s", err, answer)
	}
	// Root has other files and finds no engine. With the engine's address it is refused.
	root := exec.Command(binary, "status")
	root.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+runtime)
	if out, err := root.CombinedOutput(); err == nil || !strings.Contains(string(out), "held by another user") {
		t.Errorf("root is told %v, %s", err, out)
	}
	// The engine refuses root, too, which does not ask who listens there.
	conn, err := net.Dial("unix", filepath.Join(runtime, "blendtray", "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /status HTTP/1.1\r\nHost: b\r\n\r\n")
	if answer, err := io.ReadAll(conn); len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("root is answered with %q, %v", answer, err)
	}
}

// What only the engine and Blender know stands in one file, and nothing listens to the network.
func TestTheTokenIsInItsFileAloneAndNothingListensToOtherMachines(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := started(t, fmt.Sprintf("[blender]\nport = %d\n", port))
	var status api.Status
	p.eventually("the Blender for others listens", func() bool {
		status, _ = p.status()
		return len(status.Blenders) > 0 && status.Blenders[0].Port == port
	})
	p.lastOf(p.save("ran.py", "print('ran')\n"))
	token := p.token()
	pids := []int{status.Engine.PID}
	for _, process := range status.Processes {
		pids = append(pids, process.PID)
	}
	if len(pids) < 3 {
		t.Errorf("there are only the processes %v", pids)
	}
	files := []string{}
	for _, pid := range pids {
		files = append(files, fmt.Sprintf("/proc/%d/cmdline", pid), fmt.Sprintf("/proc/%d/environ", pid))
	}
	err := filepath.WalkDir(p.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && path != filepath.Join(p.home, "ports", "default.json") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		// A Blender that waited for ran.py is gone, with its files.
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(token)) {
			t.Errorf("the token is in %s", file)
		}
	}
	if strings.Contains(p.printed(), token) {
		t.Error("serve has printed the token")
	}

	sockets := map[string]bool{}
	for _, pid := range pids {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil {
				sockets[to] = true
			}
		}
	}
	var listens []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // this machine has no IPv6
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && sockets["socket:["+f[9]+"]"] && (f[3] == "0A" || strings.Contains(table, "udp")) {
				listens = append(listens, f[1])
			}
		}
	}
	if want := fmt.Sprintf("0100007F:%04X", port); len(listens) != 1 || listens[0] != want {
		t.Errorf("there are the listeners %q, want %s alone", listens, want)
	}
}

// openTo lets every user pass through a folder of the test.
func openTo(t testing.TB, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// A second user of the machine is refused at the port, and can't read the files.
func TestAnotherUserHasNoOtherWayIn(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test changes its user, so it must run as root; CI does")
	}
	port := freePort(t)
	p := started(t, fmt.Sprintf("[blender]\nport = %d\n", port))
	p.eventually("the Blender for others listens", func() bool {
		status, ok := p.status()
		return ok && status.Blenders[0].Port == port
	})
	p.save("ran.py", "print('secret')\n")
	p.eventually("it has run", func() bool { r := p.runs(); return len(r) == 1 && r[0].State.Final() })
	openTo(t, p.home)
	never := filepath.Join(t.TempDir(), "never")
	openTo(t, filepath.Dir(never))
	if err := os.Chmod(filepath.Dir(never), 0o777); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`
import glob, json, os, socket, sys
opened = []
for path in glob.glob(%q + "/**", recursive=True) + [os.path.join(%q, n) for n in ("ports/default.json", "runs.db", "runs.db-wal", "log/engine.log", "run/control.sock")]:
    try:
        if os.path.isfile(path):
            open(path, "rb").read()
            opened.append(path)
    except OSError:
        pass
answers = []
code = "open(%%r, 'w')" %% %q
for message in ({"code": code}, {"code": code, "token": "guess"}):
    s = socket.create_connection(("127.0.0.1", %d), 20)
    s.sendall(json.dumps(message).encode())
    s.shutdown(socket.SHUT_WR)
    answers.append(json.loads(b"".join(iter(lambda: s.recv(65536), b"")) or b"{}").get("response"))
try:
    socket.socket(socket.AF_UNIX).connect(%q)
except OSError as error:
    answers.append(type(error).__name__)
print(json.dumps([opened, answers]))
`, p.home, p.home, never, port, p.socket())
	cmd := exec.Command("/usr/bin/python3", "-c", script)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got [2][]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(got[0]) != 0 {
		t.Errorf("another user reads %q", got[0])
	}
	if want := "error error PermissionError"; strings.Join(got[1], " ") != want {
		t.Errorf("it meets %q, want %s", got[1], want)
	}
	if _, err := os.Stat(never); err == nil {
		t.Error("its code has run")
	}
}

// A second user who has taken Blender's port learns nothing, and keeps down nothing but the Blender
// that should listen there.
func TestAnotherUserOnBlendersPortLearnsNothing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test changes its user, so it must run as root; CI does")
	}
	port := freePort(t)
	thief := exec.Command("/usr/bin/python3", "-u", "-c", fmt.Sprintf(`
import socket
listener = socket.create_server(("127.0.0.1", %d))
print("listening", flush=True)
while True:
    peer, _ = listener.accept()
    peer.settimeout(5)
    try:
        print("got", peer.recv(65536), flush=True)
    except OSError:
        pass
`, port))
	thief.Dir = "/"
	thief.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	file := filepath.Join(t.TempDir(), "heard")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	thief.Stdout, thief.Stderr = out, out
	heard := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	if err := thief.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = thief.Process.Kill() // it does not end by itself
		_ = thief.Wait()         // killed
	})
	p := started(t, fmt.Sprintf("[blender]\nport = %d\n", port))
	p.eventually("it listens", func() bool { return strings.Contains(heard(), "listening") })
	p.eventually("the status says that the port is taken", func() bool {
		status, ok := p.status()
		return ok && strings.Contains(status.Blenders[0].Reason, fmt.Sprintf("port %d of 127.0.0.1 is taken", port))
	})
	if run, code := p.runJSON("--isolation", "process", "-c", "result = 1"); code != 0 {
		t.Errorf("another run: %+v", run)
	}
	// What a Blender with a window has left when it was killed, and whose id another process has.
	windows := filepath.Join(p.home, "windows")
	if err := os.MkdirAll(windows, 0o700); err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	ticks := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[19]
	stale := fmt.Sprintf(`{"pid": %d, "port": %d, "token": "the-secret", "started": %d, "ticks": %s}`, os.Getpid(), port, time.Now().Unix(), ticks)
	if err := os.WriteFile(filepath.Join(windows, "1.json"), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := p.command("run", "--attach", "-c", "print('mine')").CombinedOutput(); err == nil {
		t.Errorf("run --attach: %s", out)
	}
	if got := heard(); strings.Contains(got, "got b'\\x") || strings.Contains(got, "the-secret") {
		t.Errorf("the other user has heard %s", got)
	}
}
