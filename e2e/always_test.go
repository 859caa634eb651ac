//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"blendtray/packaging"
)

// systemctl runs systemctl for the user of the login.
func (l *login) systemctl(args ...string) string {
	l.t.Helper()
	out, err := l.command("systemctl", append([]string{"--user"}, args...)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("systemctl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// unitOf returns the text of the user's unit for the program of the tests.
func unitOf(t testing.TB) string {
	t.Helper()
	text, err := packaging.Systemd(packaging.Service{Program: binary})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Not parallel: two systemd managers of one user are in each other's way.
func TestAServiceIsBackWhateverItDiedOf(t *testing.T) {
	l := newLogin(t)
	unit := filepath.Join(l.home, ".config", "systemd", "user", "blendtray.service")
	l.must("service", "install")
	// Scripts may copy folders with a set-gid bit, which RestrictSUIDSGID would forbid.
	l.must("run", "-c", `import os, shutil, tempfile
with tempfile.TemporaryDirectory() as top:
    os.mkdir(top + "/a")
    os.chmod(top + "/a", 0o2775)
    shutil.copytree(top + "/a", top + "/b")
    assert os.stat(top + "/b").st_mode & 0o2000`)

	back := func(from string, die func(pid int)) {
		t.Helper()
		before := l.status()
		die(before.PID)
		l.eventually("the engine is back from "+from, func() bool {
			now := l.status()
			if strings.Contains(now.Error, "settings") || now.State == "failed" {
				t.Fatalf("after %s the service is %+v", from, now)
			}
			return now.State == "running" && now.PID != before.PID
		})
		if out := l.must("status"); !strings.Contains(out, "engine") {
			t.Errorf("after %s the engine says\n%s", from, out)
		}
	}
	send := func(signal syscall.Signal) func(pid int) {
		return func(pid int) {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGABRT, syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGQUIT} {
		back(unix.SignalName(signal), send(signal))
	}
	// Without room for memory Go's runtime panics; a panic of the program ends in the same way.
	back("a panic", func(pid int) {
		if err := unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: 1, Max: 1}, nil); err != nil {
			t.Fatal(err)
		}
		run := l.command(binary, "run", "-")
		run.Stdin = strings.NewReader("#" + strings.Repeat("x", 16<<20))
		_ = run.Run() // the engine dies of it
	})
	// The watchdog of the unit takes a minute; a drop-in makes that shorter.
	if err := os.MkdirAll(unit+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unit+".d", "short.conf"), []byte("[Service]\nWatchdogSec=10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.systemctl("daemon-reload")
	l.must("service", "restart")
	back("standing still", send(syscall.SIGSTOP))

	// Wrong settings are the one end that stays.
	settings := filepath.Join(l.home, ".config", "blendtray", "settings.toml")
	if err := os.MkdirAll(filepath.Dir(settings), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte("[blender]\npaht = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(l.status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.eventually("it stays away with wrong settings", func() bool { return l.status().State == "failed" })
	if st := l.status(); !strings.Contains(st.Error, "its settings are wrong") {
		t.Errorf("it is %+v", st)
	}
}

// A service that is started while another engine runs, as that of a tray may, waits for its end.
func TestAServiceTakesThePlaceOfAnEngineThatEnds(t *testing.T) {
	l := newLogin(t)
	l.must("service", "install")
	l.must("service", "stop")
	other := l.command(binary, "serve")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	l.eventually("the other engine answers", func() bool { code, _ := l.call("status"); return code == 0 })
	if code, text := l.call("service", "start"); code != 1 || !strings.Contains(text, "an engine runs already") {
		t.Errorf("service start: %d, %s", code, text)
	}
	l.systemctl("start", "--no-block", "blendtray.service")
	l.eventually("systemd starts the service", func() bool { return l.status().State == "starting" && l.status().PID != 0 })
	waits := l.status().PID
	if err := other.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	l.eventually("the service has taken its place", func() bool { return l.status().State == "running" })
	if now := l.status().PID; now != waits {
		t.Errorf("systemd had to start it again: process %d, then %d", waits, now)
	}
}

// before returns the unit of an earlier version.
func before(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../packaging/testdata/before/systemd-user.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), `"/usr/bin/blendtray"`, `"`+binary+`"`)
}

func TestAUnitThatIsInstalledAlreadyIsMended(t *testing.T) {
	l := newLogin(t)
	unit := filepath.Join(l.home, ".config", "systemd", "user", "blendtray.service")
	l.must("service", "install")
	age := func(text string) {
		t.Helper()
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.systemctl("daemon-reload")
	}
	mended := func() bool {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(string(text), "=2 78") && strings.Contains(string(text), "OOMPolicy=continue\n")
	}
	holds := func() {
		t.Helper()
		l.eventually("systemd has read the mended unit", func() bool {
			said := l.systemctl("show", "blendtray.service", "-p", "RestartPreventExitStatus,OOMPolicy,NeedDaemonReload")
			return strings.Contains(said, "RestartPreventExitStatus=78\n") && strings.Contains(said, "OOMPolicy=continue") && strings.Contains(said, "NeedDaemonReload=no")
		})
	}

	age(before(t))
	if _, text := l.call("service", "status"); !strings.Contains(text, "outdated") || !strings.Contains(text, "`blendtray service install` writes it anew") {
		t.Errorf("of an old unit the status says\n%s", text)
	}
	if _, text := l.call("doctor"); !strings.Contains(text, "earlier version") {
		t.Errorf("of an old unit the doctor says\n%s", text)
	}
	l.must("service", "restart")
	if !mended() {
		t.Error("service restart leaves the unit as it was")
	}
	holds()

	// Without a command: the engine mends the unit when systemd has started it. What a person has
	// changed stays.
	age(strings.Replace(before(t), "RestartSec=2\n", "RestartSec=1\n", 1))
	was := l.status().PID
	if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.eventually("the engine has mended its unit", mended)
	holds()
	if text, _ := os.ReadFile(unit); !strings.Contains(string(text), "RestartSec=1\n") {
		t.Errorf("the unit has lost what a person changed:\n%s", text)
	}

	// An engine that systemd has not started from this unit leaves the unit alone.
	l.must("service", "stop")
	old := before(t)
	age(old)
	engine := l.command(binary, "serve", "--exit-after-runs", "1")
	engine.Env = append(engine.Env, "NOTIFY_SOCKET="+filepath.Join(l.home, "nobody"))
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	l.eventually("the other engine answers", func() bool { code, _ := l.call("run", "-c", "1"); return code == 0 })
	if err := engine.Wait(); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(unit); string(text) != old {
		t.Errorf("another engine has changed the unit:\n%s", text)
	}
}

func TestAUnitThatSystemctlHasEnabledIsUninstalled(t *testing.T) {
	l := newLogin(t)
	// As a package has it: in another folder, and without our mark.
	unit := filepath.Join(l.home, ".local", "share", "systemd", "user", "blendtray.service")
	if err := os.MkdirAll(filepath.Dir(unit), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unit, []byte(strings.Replace(unitOf(t), packaging.Mark, "A package's", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	l.systemctl("daemon-reload")
	l.systemctl("enable", "--now", "blendtray.service")
	st := l.status()
	if st.State != "running" || !st.Enabled {
		t.Fatalf("enabled by systemctl it is %+v", st)
	}
	l.must("service", "uninstall")
	if alive(st.PID) {
		t.Error("its engine is still there")
	}
	if now := l.status(); now.Enabled || now.State != "stopped" {
		t.Errorf("uninstalled it is %+v", now)
	}
	if left := l.files(filepath.Join(l.home, ".config", "systemd")); len(left) != 0 {
		t.Errorf("left is %q", left)
	}
	if _, err := os.Stat(unit); err != nil {
		t.Errorf("the package's file: %v", err)
	}
	if code, text := l.call("service", "uninstall"); code != 3 || !strings.Contains(text, "belongs to a package") {
		t.Errorf("uninstalled twice: %d, %s", code, text)
	}
	// Its file is gone, and its link is there still.
	l.systemctl("enable", "blendtray.service")
	if err := os.Remove(unit); err != nil {
		t.Fatal(err)
	}
	l.systemctl("daemon-reload")
	l.must("service", "uninstall")
	if left := l.files(filepath.Join(l.home, ".config", "systemd")); len(left) != 0 {
		t.Errorf("left is %q", left)
	}
	if out, err := exec.Command("pgrep", "-f", l.home).Output(); err == nil && len(out) > 0 {
		for _, pid := range strings.Fields(string(out)) {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			if strings.Contains(string(line), "serve") {
				t.Errorf("process %s is left: %q", pid, line)
			}
		}
	}
}
