//go:build wine

package wine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheInstallerForAllUsersLooksAfterTheServiceOfTheMachine(t *testing.T) {
	first, later := installers(t)
	m := newMachine(t)
	homes := m.useUsualHome()
	here := m.in("Program Files/Blendtray", "HKLM")
	m.install(first, "/ALLUSERS")
	t.Cleanup(func() { m.runProgram(filepath.Join(here.folder, "uninstall.exe"), "/S", "/FORGET") }) // fails when all went well
	here.wants("0.1.0")
	if !strings.Contains(here.path(), `C:\Program Files\Blendtray`) {
		t.Errorf("PATH of the machine is %s", here.path())
	}
	if user := m.ofUser(); strings.Contains(user.path(), "Blendtray") || len(user.shortcuts()) > 0 {
		t.Errorf("the user has %s, %v", user.path(), user.shortcuts())
	}

	if r := m.runProgram(here.program(), "service", "install", "--system", "--user", "LocalSystem"); r.code != 0 {
		t.Fatalf("the service: %s", r.out)
	}
	answers := func(of installed, version string) {
		t.Helper()
		m.eventually("the service answers as version "+version, func() bool {
			return strings.Contains(m.runProgram(of.program(), "status").out, "version "+version)
		})
	}
	answers(here, "0.1.0")
	run := m.startGatedRun(here.program())
	m.eventually("the run is running", func() bool { return strings.Contains(run.text(), "begun") })
	m.upgradeAcross(run, later, "/ALLUSERS")
	here.wants("0.2.0")
	answers(here, "0.2.0")
	serviceIs := func(of installed, code int, state string) {
		t.Helper()
		if r := m.runProgram(of.program(), "service", "status", "--system"); r.code != code || !strings.Contains(r.out, state) {
			t.Errorf("the service is %d, %s, not %s", r.code, r.out, state)
		}
	}
	serviceIs(here, 0, "running")
	if runs := m.runProgram(here.program(), "runs").out; !strings.Contains(runs, "succeeded") || strings.Contains(runs, "interrupted") {
		t.Errorf("the runs are %s", runs)
	}

	// A refused downgrade does not even stop the service.
	before := here.engine()
	if r := m.runProgram(first, "/S", "/ALLUSERS"); r.code != 1638&0xff {
		t.Errorf("a downgrade ends with %d", r.code)
	}
	here.wants("0.2.0")
	if now := here.engine(); now != before {
		t.Errorf("the engine was %s and is %s", before, now)
	}
	m.install(first, "/ALLUSERS", "/DOWNGRADE")
	here.wants("0.1.0")
	answers(here, "0.1.0")

	// A service that is stopped stays so, and starts the program that has moved.
	if r := m.runProgram(here.program(), "service", "stop", "--system"); r.code != 0 {
		t.Errorf("the service does not stop: %s", r.out)
	}
	m.install(later, "/ALLUSERS", `/D=C:\moved`)
	elsewhere := m.in("moved", "HKLM")
	t.Cleanup(func() { m.runProgram(filepath.Join(elsewhere.folder, "uninstall.exe"), "/S") })
	elsewhere.wants("0.2.0")
	serviceIs(elsewhere, 3, "stopped")
	if r := m.runProgram(elsewhere.program(), "service", "start", "--system"); r.code != 0 {
		t.Errorf("the service does not start: %s", r.out)
	}
	answers(elsewhere, "0.2.0")
	if left := here.running(); len(left) > 0 {
		t.Errorf("the service still starts the program before: %v", left)
	}

	// What the service of LocalSystem keeps on a real Windows.
	system := filepath.Join(prefix, "drive_c/windows/system32/config/systemprofile/AppData/Local/blendtray")
	if err := os.MkdirAll(system, 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere.uninstall("/FORGET")
	if path := elsewhere.path(); strings.Contains(path, "moved") {
		t.Errorf("PATH is still %s", path)
	}
	m.wants(3, []string{"service", "status", "--system"}, "not installed")
	own := m.ofUser().folder // …/AppData/Local/Programs/Blendtray
	for _, home := range append(homes, system) {
		if home != system && filepath.Dir(home) != filepath.Dir(filepath.Dir(own)) {
			continue // of another user
		}
		m.eventually(home+" is gone", func() bool {
			_, err := os.Stat(home)
			return os.IsNotExist(err)
		})
	}
}
