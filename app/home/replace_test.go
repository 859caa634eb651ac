package home

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestAFileIsReplacedAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "settings.toml")
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || string(text) != want {
			t.Errorf("the file holds %q, %v, and not %q", text, err, want)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
			t.Errorf("the folder has %v, %v", all, err)
		}
	}
	if err := Replace(file, []byte("first"), 0o640, nil); err != nil {
		t.Fatal(err)
	}
	holds("first")
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	forbidden := errors.New("another program has changed it")
	if err := Replace(file, []byte("second"), 0o640, func() error { return forbidden }); !errors.Is(err, forbidden) {
		t.Errorf("a change that is forbidden: %v", err)
	}
	holds("first")
	if err := Replace(file, []byte("third"), 0o640, func() error { return nil }); err != nil {
		t.Error(err)
	}
	holds("third")
}
