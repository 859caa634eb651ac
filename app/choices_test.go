//go:build !headless

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/app/home"
	"blendtray/tray"
)

func settingsHost(t *testing.T, text string) (h *trayHost, file string) {
	t.Helper()
	dir := t.TempDir()
	h = &trayHost{paths: home.Paths{Config: dir}}
	file = h.paths.SettingsFile()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h, file
}

func valueOf(t *testing.T, all []tray.Setting, key string) string {
	t.Helper()
	for _, s := range all {
		if s.Key == key {
			return s.Value
		}
	}
	t.Fatalf("%s is not offered", key)
	return ""
}

func TestTheWindowChangesSettingsAndKeepsComments(t *testing.T) {
	t.Parallel()
	h, file := settingsHost(t, "# mine\n[runs]\ntimeout = \"5m\" # long\n")
	for _, c := range []struct{ key, value, shown string }{
		{"runs.preview", "workbench", "workbench"},
		{"tray.notify", "all", "all"},
		{"runs.timeout", " 90s ", "1m30s"},
		{"runs.history", "500", "500"},
		{"blender.factory_startup", "false", "false"},
		{"blender.max_memory", "1.5GiB", "1536MiB"},
		{"blender.max_memory", "none", "none"},
		{"blender.max_runs", "20", "20"},
		{"blender.cancel_grace", "500ms", "500ms"},
	} {
		if err := h.ChangeSetting(c.key, c.value); err != nil {
			t.Errorf("%s = %s: %v", c.key, c.value, err)
		}
		all, err := h.Settings()
		if err != nil {
			t.Fatal(err)
		}
		if got := valueOf(t, all, c.key); got != c.shown {
			t.Errorf("%s = %s is shown as %q", c.key, c.value, got)
		}
	}
	before, _ := os.ReadFile(file)
	for key, value := range map[string]string{
		"runs.timeout": "soon", "runs.history": "-1", "runs.preview": "eevee", "blender.factory_startup": "perhaps", "no.such": "1",
	} {
		if err := h.ChangeSetting(key, value); err == nil {
			t.Errorf("%s = %s is taken", key, value)
		}
	}
	after, _ := os.ReadFile(file)
	if string(before) != string(after) {
		t.Errorf("what was refused has changed the file:\n%s", after)
	}
	// The defaults leave nothing behind.
	for key, value := range map[string]string{"runs.preview": "off", "runs.timeout": "none", "tray.notify": ""} {
		if err := h.ChangeSetting(key, value); err != nil {
			t.Error(err)
		}
	}
	after, _ = os.ReadFile(file)
	for _, gone := range []string{"preview", "timeout =", "notify"} {
		if strings.Contains(string(after), gone) {
			t.Errorf("%s is still in it:\n%s", gone, after)
		}
	}
	if !strings.HasPrefix(string(after), "# mine\n") {
		t.Errorf("the comment is gone:\n%s", after)
	}
}

func TestTheWindowChangesAFolder(t *testing.T) {
	t.Parallel()
	h, file := settingsHost(t, "[[folder]]\npath = \"scripts\" # mine\n")
	path := filepath.Join(filepath.Dir(file), "scripts")
	for _, c := range []struct{ key, value string }{
		{"scene", "keep"}, {"on_busy", "cancel"}, {"recursive", "false"}, {"timeout", "10s"},
	} {
		if err := h.ChangeFolder(path, c.key, c.value); err != nil {
			t.Errorf("%s: %v", c.key, err)
		}
		all, err := h.FolderSettings(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := valueOf(t, all, c.key); got != c.value {
			t.Errorf("%s is shown as %q", c.key, got)
		}
	}
	if err := h.ChangeFolder(path, "scene", "picture.png"); err == nil {
		t.Error("a picture is taken for a scene")
	}
	if err := h.ChangeFolder(path, "scene", "fresh"); err != nil {
		t.Error(err)
	}
	if _, err := h.FolderSettings("/elsewhere"); err == nil || !strings.Contains(err.Error(), "--folder") {
		t.Errorf("a folder of the command line: %v", err)
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "# mine") || strings.Contains(string(text), "scene") {
		t.Errorf("the file:\n%s", text)
	}
}
