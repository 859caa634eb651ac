package service

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/app/fault"
	"blendtray/packaging"
)

func TestWhyAProcessEndedIsToldBySystemdsResult(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		result, code string
		want         Failure
		says         string
	}{
		{"", "", "", ""},
		{"success", "0", "", ""},
		{"exit-code", "1", EndedWithCode, "its process ended with exit code 1"},
		{"exit-code", "2", Killed, "crashed or was killed"},
		{"exit-code", "78", SettingsRefused, "its settings are wrong"},
		{"exit-code", "203", ProgramNotStarted, "its program can't be started"},
		{"exit-code", "226", NotPrepared, "systemd can't prepare its process (exit code 226)"},
		{"exit-code", "254", EndedWithCode, "exit code 254"},
		{"signal", "9", Killed, "crashed or was killed"},
		{"core-dump", "11", Killed, "crashed or was killed"},
		{"oom-kill", "9", OutOfMemory, "memory ran out"},
		{"timeout", "15", TookTooLong, "in time"},
		{"watchdog", "6", NoSignOfLife, "stood still"},
		{"start-limit-hit", "1", FailedTooOften, "too often"},
		{"resources", "0", EndedOtherwise, "its process ended: resources"},
	} {
		is := map[string]string{"Result": x.result, "ExecMainStatus": x.code}
		failure, facts := endOf(is)
		if failure != x.want {
			t.Errorf("%s %s is %q, want %q", x.result, x.code, failure, x.want)
		}
		m := &systemd{}
		if _, says := m.end(is); !strings.Contains(says, x.says) || strings.Contains(says, "{") {
			t.Errorf("%s %s with %v says %q", x.result, x.code, facts, says)
		}
		if failure != "" {
			if _, hint := fault.Explain(m.fail(failure, nil, facts...)); hint == "" || strings.Contains(hint, "{") {
				t.Errorf("%s hints %q", failure, hint)
			}
		}
	}
}

func TestWhatSystemctlPrintsIsNamed(t *testing.T) {
	t.Parallel()
	ofUser, ofMachine := &systemd{}, &systemd{Spec: Spec{System: true, User: "ada"}}
	for said, want := range map[string]Failure{
		"Failed to connect to bus: No medium found":                           NoUserManager,
		"Failed to start blendtray.service: Unit blendtray.service is masked": Masked,
		"Failed to enable unit: Access denied":                                NotAllowed,
		"Unit blendtray.service not loaded.":                                  ManagerFailed,
	} {
		if got := ofUser.refusal(said); got != want {
			t.Errorf("%q is %s, want %s", said, got, want)
		}
	}
	if got := ofMachine.refusal("System has not been booted with systemd as init system"); got != NoSystemManager {
		t.Errorf("of the machine it is %s", got)
	}
}

func TestAUnitIsReplacedOnlyIfItIsOurs(t *testing.T) {
	t.Parallel()
	m := &systemd{dir: t.TempDir()}
	if exists, err := m.fileExists(); exists || err != nil {
		t.Errorf("no unit: %v, %v", exists, err)
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(m.file(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("# " + packaging.Mark + "\n[Service]\n")
	if exists, err := m.fileExists(); !exists || err != nil {
		t.Errorf("our unit: %v, %v", exists, err)
	}
	put("[Service]\n")
	if _, err := m.fileExists(); !errors.Is(err, Foreign) || !strings.Contains(err.Error(), m.file()) {
		t.Errorf("another's unit: %v", err)
	}
	if err := os.Remove(m.file()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, m.file()); err != nil {
		t.Fatal(err)
	}
	_, err := m.fileExists()
	if _, hint := fault.Explain(err); !errors.Is(err, Masked) || !strings.Contains(hint, "`systemctl --user unmask blendtray.service`") {
		t.Errorf("a masked unit: %v, %s", err, hint)
	}
	m.dir = filepath.Join(m.dir, m.unit()) // no folder
	if _, err := m.fileExists(); !errors.Is(err, FileFailed) {
		t.Errorf("a unit that can't be read: %v", err)
	}
}

// It is not parallel, because it sets the PATH in which systemctl is looked for.
func TestWithoutAManagerAServiceWithoutAFileIsNotInstalled(t *testing.T) {
	programs := t.TempDir()
	const says = "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(programs, "systemctl"), []byte(says), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	for failure, spec := range map[Failure]Spec{NoUserManager: {}, NoSystemManager: {System: true, User: "ada"}} {
		m := &systemd{Spec: spec, dir: t.TempDir()}
		st, err := m.Status()
		if err != nil || st.State != Missing || st.Installed || st.Name != m.unit() {
			t.Errorf("nothing is installed: %+v, %v", st, err)
		}
		if err := os.WriteFile(m.file(), []byte("# "+packaging.Mark+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if st, err := m.Status(); !errors.Is(err, failure) {
			t.Errorf("a unit is there: %+v, %v", st, err)
		}
	}
}
