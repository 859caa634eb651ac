//go:build unix

package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestThePortOfABlenderIsForTheUserAloneAndGoesWithIt(t *testing.T) {
	t.Parallel()
	paths := Paths{Data: filepath.Join(t.TempDir(), "da[t]a")}
	first, err := paths.OpenDoor("default", 7, 4000, "first")
	if err != nil {
		t.Fatal(err)
	}
	file := paths.DoorFile("default")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, %v", info.Mode(), err)
	}
	if d, err := ReadDoor(file); err != nil || d.PID != 7 || d.Port != 4000 || d.Token != "first" || d.Started == 0 {
		t.Errorf("%+v, %v", d, err)
	}
	second, err := paths.OpenDoor("default", 8, 4000, "second")
	if err != nil {
		t.Fatal(err)
	}
	first() // late: the next Blender is there already
	if d, err := ReadDoor(file); err != nil || d.Token != "second" {
		t.Errorf("after the end of the first: %+v, %v", d, err)
	}
	second()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end of the second: %v", err)
	}
}

func TestWhatAKilledEngineHasLeftIsRemoved(t *testing.T) {
	t.Parallel()
	paths := Paths{Data: filepath.Join(t.TempDir(), "da[t]a")}
	if err := paths.CloseDoors(); err != nil {
		t.Errorf("with nothing there: %v", err)
	}
	if _, err := paths.OpenDoor("../other", 7, 4000, "token"); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(paths.Data, "token")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := paths.CloseDoors(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(paths.Ports()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the token file of old versions is left")
	}
}
