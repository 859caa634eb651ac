//go:build unix && !darwin

package home

import (
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
