package home

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWarningsAreShownAndEverythingIsWrittenDown(t *testing.T) {
	t.Parallel()
	paths := Paths{Log: filepath.Join(t.TempDir(), "lo[g]s")}
	var warned []string
	logs := OpenLogs(paths, func(text string) { warned = append(warned, text) })
	logs.Logger.Info("a folder is watched", "path", "/a")
	logs.Logger.With("folder", "/b").Warn("it can't be watched", "error", "no space")
	for _, name := range []string{"default", "second", "4.5", "default"} {
		if _, err := logs.Blender(name).Write([]byte("Blender " + name + "\n")); err != nil {
			t.Error(err)
		}
	}
	logs.Close()

	if want := []string{"it can't be watched (folder: /b, error: no space)"}; !slices.Equal(warned, want) {
		t.Errorf("the warnings are %q", warned)
	}
	if !logs.Warned("it can't be watched") || logs.Warned("it can't be watched") || logs.Warned("a folder is watched") {
		t.Error("a warning is not known once")
	}
	text, err := os.ReadFile(paths.EngineLog())
	if err != nil || !strings.Contains(string(text), "a folder is watched") || !strings.Contains(string(text), "no space") {
		t.Errorf("the engine's log holds %q, %v", text, err)
	}
	for name, want := range map[string]string{"": "Blender default\nBlender default\n", "second": "Blender second\n", "4.5": "Blender 4.5\n"} {
		if text, err := os.ReadFile(paths.BlenderLog(name)); err != nil || string(text) != want {
			t.Errorf("the log of %q holds %q, %v", name, text, err)
		}
	}
	// A log that was put aside is no log of a Blender.
	for _, full := range []string{"blender-2026-01-02T10-00-00.000-size.log", "blender.second-2026-01-02T10-00-00.000-size.log"} {
		if err := os.WriteFile(filepath.Join(paths.Log, full), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if names := paths.BlenderLogs(); !slices.Equal(names, []string{"default", "4.5", "second"}) {
		t.Errorf("there are the logs of %q", names)
	}
}
