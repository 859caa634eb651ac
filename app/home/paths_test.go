package home

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestEverythingLiesBelowTheHomeThatIsNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BLENDTRAY_HOME", dir)
	p, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		p.SettingsFile(), p.Database(), p.DoorFile("default"), p.OpenBlenders(), p.EngineLog(), p.BlenderLog("a"), p.ServiceLog(),
		p.Tray(), p.Blenders(), p.Previews(), p.Thumbnails(), p.Reference(), p.ThumbnailBlender(), p.engineLock(), p.engineHolder(), p.trayLock(),
	} {
		if rel, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(rel) || rel == "." {
			t.Errorf("%s does not lie below %s", path, dir)
		}
	}
}

func TestTheFoldersAreClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := Paths{
		Config: dir, Data: filepath.Join(dir, "data"), State: filepath.Join(dir, "state"),
		Log: filepath.Join(dir, "state", "log"), Runtime: filepath.Join(dir, "run"), Cache: filepath.Join(dir, "cache"),
	}
	if err := os.Mkdir(p.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, open := range []string{p.State, p.Cache} {
		if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o722)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Make(); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{p.Data, p.State, p.Log, p.Runtime, p.Cache} {
		info, err := os.Stat(folder)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", folder, info.Mode())
		}
	}
}
