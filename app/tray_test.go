//go:build !headless

package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTrayInstallsAndRemovesTheAddOn(t *testing.T) {
	scripts := t.TempDir()
	t.Setenv("BLENDER_USER_SCRIPTS", scripts)
	t.Setenv("BLENDER_USER_CONFIG", t.TempDir())
	h := &trayHost{}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	found := h.Blenders(ctx, "")
	if len(found) == 0 || found[0].Trouble != "" {
		t.Fatalf("found are %+v", found)
	}
	b := found[0]
	if b.HasAddOn || b.AddOn != "not installed" {
		t.Errorf("before, the add-on is %q", b.AddOn)
	}
	b, err := h.SetAddOn(ctx, b, true)
	if err != nil {
		t.Fatal(err)
	}
	if !b.HasAddOn || !strings.HasPrefix(b.AddOn, "installed, version ") {
		t.Errorf("afterwards it is %q", b.AddOn)
	}
	if b, err = h.SetAddOn(ctx, b, false); err != nil || b.HasAddOn {
		t.Errorf("removed, it is %q: %v", b.AddOn, err)
	}
	// One that somebody else has put there is left alone.
	theirs := filepath.Join(scripts, "addons", "tcp_echo", "__init__.py")
	if err := os.MkdirAll(filepath.Dir(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("# theirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = h.SetAddOn(ctx, b, true); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("theirs is replaced, or nothing says how: %v", err)
	}
	if text, err := os.ReadFile(theirs); err != nil || string(text) != "# theirs\n" {
		t.Errorf("theirs is now %q: %v", text, err)
	}
}
