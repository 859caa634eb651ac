//go:build unix && !darwin

package home

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARuntimeFolderOfSomebodyElseIsNotUsed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	runtime, state := t.TempDir(), t.TempDir()
	t.Setenv("BLENDTRAY_HOME", "")
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	t.Setenv("XDG_STATE_HOME", state)
	p, err := Find()
	if err != nil || p.Runtime != filepath.Join(runtime, "blendtray") {
		t.Errorf("in a folder of this user: %s, %v", p.Runtime, err)
	}
	if err := os.Chown(runtime, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	p, err = Find()
	if err != nil || !strings.HasPrefix(p.Runtime, state) {
		t.Errorf("in a folder of somebody else: %s, %v", p.Runtime, err)
	}
}

// Whoever owns a folder of the program could exchange the add-on in it.
func TestAFolderOfTheProgramThatSomebodyElseMadeIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	for _, name := range []string{"data", "state", "log", "run", "cache", "cache/blenders"} {
		dir := t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		p := Paths{Config: dir, Data: in("data"), State: in("state"), Log: in("log"), Runtime: in("run"), Cache: in("cache")}
		if err := errors.Join(os.MkdirAll(in(name), 0o777), os.Chown(in(name), 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		if err := p.Make(); err == nil || !strings.Contains(err.Error(), in(name)+" belongs to another user") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
