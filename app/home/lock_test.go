package home

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"blendtray/control"
)

func TestOneProcessServesTheFarmAndSaysWhere(t *testing.T) {
	t.Parallel()
	paths := Paths{Data: t.TempDir()}
	unlock, err := LockFarmServer(paths, "0.0.0.0:4222")
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockFarmServer(paths, "0.0.0.0:4223")
	if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("process %d serves the farm of this home on 0.0.0.0:4222", os.Getpid())) {
		t.Errorf("the second server: %v", err)
	}
	unlock()
	if unlock, err = LockFarmServer(paths, "0.0.0.0:4223"); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestOneProcessIsTheEngineAndSaysWhere(t *testing.T) {
	t.Parallel()
	paths := Paths{State: t.TempDir(), Runtime: t.TempDir()}
	socket := t.TempDir() // anything that is there
	if EngineRuns(paths) {
		t.Error("an engine runs before the first start")
	}
	lock, err := LockEngine(paths, socket)
	if err != nil {
		t.Fatal(err)
	}
	if !EngineRuns(paths) {
		t.Error("the engine that holds the lock does not run")
	}
	_, err = LockEngine(paths, "/elsewhere")
	var other *EngineRunsError
	if !errors.As(err, &other) || !errors.Is(err, ErrHeld) {
		t.Fatalf("the second engine: %v", err)
	}
	if other.Err != nil || other.Holder.PID != os.Getpid() || other.Holder.Socket != socket || other.Holder.Since.IsZero() {
		t.Errorf("the second engine: %+v", other)
	}
	// The engine does not listen in this runtime folder, but has written down where it does.
	if address, err := EngineAddress(paths); err != nil || address != socket {
		t.Errorf("the engine is at %s, %v, and not at %s", address, err, socket)
	}
	lock.Unlock()
	if EngineRuns(paths) {
		t.Error("the engine runs after the end")
	}
	own, err := control.Address(paths.Runtime)
	if address, err2 := EngineAddress(paths); err != nil || err2 != nil || address != own {
		t.Errorf("without an engine the address is %s, %v, and not %s, %v", address, err2, own, err)
	}
}

func TestAnEngineThatHasJustStartedIsNamedWithoutItsProcess(t *testing.T) {
	t.Parallel()
	paths := Paths{State: t.TempDir()}
	lock, err := LockEngine(paths, "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if err := os.Remove(paths.engineHolder()); err != nil {
		t.Fatal(err)
	}
	var other *EngineRunsError
	if _, err := LockEngine(paths, "/s"); !errors.As(err, &other) || !errors.Is(other.Err, os.ErrNotExist) {
		t.Errorf("the second engine: %v", err)
	}
}

func TestOneProcessIsTheTray(t *testing.T) {
	t.Parallel()
	paths := Paths{State: t.TempDir()}
	unlock, err := LockTray(paths)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockTray(paths); !errors.Is(err, ErrHeld) {
		t.Errorf("the second tray: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	unlock, err = LockTray(paths)
	if err != nil {
		t.Fatalf("after the end of the first tray: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestAnEngineNoticesThatItsHomeIsGone(t *testing.T) {
	t.Parallel()
	paths := Paths{State: t.TempDir()}
	lock, err := LockEngine(paths, "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if lock.Lost() {
		t.Error("the lock is lost from the beginning")
	}
	if err := os.Remove(paths.engineLock()); err != nil {
		t.Fatal(err)
	}
	if !lock.Lost() {
		t.Error("a lock without a file holds")
	}
	other, err := LockEngine(paths, "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Unlock()
	if !lock.Lost() || other.Lost() {
		t.Error("the second engine has the lock, and the first has lost it")
	}
}
