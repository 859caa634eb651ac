//go:build unix

package addon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever may write to the folder of the add-on could exchange it between two starts of Blender.
func TestUnpackWritesIntoNoFolderThatOthersMayChange(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test gives a folder away, so it must run as root; CI does")
	}
	for _, name := range []string{"addon", "addon/tcp_echo"} {
		top := t.TempDir()
		dir, theirs := filepath.Join(top, "addon"), filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(theirs, 0o700), os.Chmod(theirs, 0o777)); err != nil {
			t.Fatal(err)
		}
		unpack(t, dir)
		if info, err := os.Stat(theirs); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
		if err := os.Chown(theirs, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if _, err := Unpack(dir); err == nil || !strings.Contains(err.Error(), theirs+" belongs to another user") {
			t.Errorf("%s of another user: %v", name, err)
		}
	}
}
