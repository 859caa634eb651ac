package home

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWarningsAreShownAndEverythingIsWrittenDown(t *testing.T) {
	t.Parallel()
	paths := Paths{Log: t.TempDir()}
	var warned []string
	logs := OpenLogs(paths, func(text string) { warned = append(warned, text) })
	logs.Logger.Info("a folder is watched", "path", "/a")
	logs.Logger.With("folder", "/b").Warn("it can't be watched", "error", "no space")
	if _, err := logs.Blender.Write([]byte("Blender 4.2\n")); err != nil {
		t.Error(err)
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
	if text, err := os.ReadFile(paths.BlenderLog()); err != nil || string(text) != "Blender 4.2\n" {
		t.Errorf("Blender's log holds %q, %v", text, err)
	}
}
