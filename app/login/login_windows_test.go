package login

import (
	"os/exec"
	"strings"
	"testing"
)

// reg changes the registry as a user's other programs do.
func reg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("reg.exe", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("reg %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestAutostartIsAValueOfTheRunKey(t *testing.T) {
	login, err := New()
	if err != nil {
		t.Fatal(err)
	}
	wants := func(what string, want bool) {
		t.Helper()
		if on, err := login.Enabled(); err != nil || on != want {
			t.Errorf("%s: %v, %v", what, on, err)
		}
	}
	set := func(on bool) {
		t.Helper()
		if err := login.Set(on); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { _ = login.Set(false) }) // said above where it fails
	wants("at first", false)
	set(true)
	wants("set", true)
	if out := reg(t, "query", `HKCU\`+runKey, "/v", runName); !strings.Contains(out, ".exe") {
		t.Errorf("the registry has %s", out)
	}
	reg(t, "add", `HKCU\`+approvedKey, "/v", runName, "/t", "REG_BINARY", "/d", "030000000000000000000000", "/f")
	wants("switched off in the task manager", false)
	set(true)
	wants("set again", true)
	reg(t, "delete", `HKCU\`+runKey, "/v", runName, "/f")
	wants("removed by another", false)
	set(false)
	wants("off", false)
}
