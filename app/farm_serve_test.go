package app

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The key of the administrator may lie in a file that is taken away afterwards.
func TestTheKeyOfTheAdministratorIsTakenFromItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "drive", "administrator.key")
	if _, err := administratorKey(path, false); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("without the file: %v", err)
	}
	made, err := administratorKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v: %v", info, err)
	}
	for _, create := range []bool{false, true} {
		if key, err := administratorKey(path, create); err != nil || key.Seed() != made.Seed() {
			t.Errorf("it is another key: %v", err)
		}
	}
}
