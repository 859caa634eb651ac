package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/app/home"
)

func TestAnEngineEndsWhoseHistoryWasRemovedOrReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := home.LockEngine(home.Paths{State: dir}, "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	write := func(path string) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	database := filepath.Join(dir, "runs.db")
	if err := newGuard(lock, database).lost(); err != nil {
		t.Errorf("of a history that was not there nothing is known: %v", err)
	}
	write(database)
	g := newGuard(lock, database)
	write(database) // as SQLite does, over the same file
	if err := g.lost(); err != nil {
		t.Error(err)
	}
	other := filepath.Join(dir, "other.db")
	write(other)
	if err := os.Rename(other, database); err != nil {
		t.Fatal(err)
	}
	if err := g.lost(); err == nil || !strings.Contains(err.Error(), "was removed or replaced") {
		t.Errorf("replaced: %v", err)
	}
	if err := os.Remove(database); err != nil {
		t.Fatal(err)
	}
	if err := g.lost(); err == nil {
		t.Error("removed: nothing is lost")
	}
}
