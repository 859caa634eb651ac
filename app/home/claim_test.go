//go:build unix

package home

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFolderHasOneEngine(t *testing.T) {
	t.Parallel()
	places, root := t.TempDir(), t.TempDir()
	dir, link := filepath.Join(root, "a"), filepath.Join(root, "link")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	c, err := claimFolder(places, "/home/1", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	var claimed *ClaimedError
	if _, err := claimFolder(places, "/home/1", link, true); !errors.As(err, &claimed) || !strings.Contains(err.Error(), "the folder "+dir+" by another name") {
		t.Errorf("by another name: %v", err)
	}
	if _, err := claimFolder(places, "/home/1", filepath.Join(root, "none"), true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	// Another process writes itself down.
	if err := os.WriteFile(c.note, []byte(`{"pid": 1, "home": "/home/2", "path": "/x/a", "real": "`+readClaim(c.note).Real+`", "recursive": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := claimFolder(places, "/home/1", dir, true); !errors.As(err, &claimed) || !strings.Contains(err.Error(), "another engine watches it (/x/a, process 1, home /home/2)") {
		t.Errorf("by another engine: %v", err)
	}
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, overlap := range []string{below, root} {
		if _, err := claimFolder(places, "/home/1", overlap, true); !errors.As(err, &claimed) {
			t.Errorf("%s: %v", overlap, err)
		}
	}
	if other, err := claimFolder(places, "/home/1", root, false); err != nil {
		t.Errorf("the folder above alone: %v", err)
	} else {
		other.Release()
	}
	left := filepath.Join(places, "1-1.json") // of a process that was killed
	if err := os.WriteFile(left, []byte(`{"pid": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := claimFolder(places, "/home/1", root, false); err != nil {
		t.Error(err)
	} else {
		other.Release()
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("the claim of a dead process stays")
	}
	if !c.Current() {
		t.Error("the claim is for another folder")
	}
	c.Release()
	if left, err := os.ReadDir(places); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if c, err = claimFolder(places, "/home/1", dir, true); err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if c.Current() {
		t.Error("another folder at its path counts as claimed")
	}
}
