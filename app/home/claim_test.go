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
	c, err := claimFolder([]string{places}, "/home/1", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	var claimed *ClaimedError
	if _, err := claimFolder([]string{places}, "/home/1", link, true); !errors.As(err, &claimed) || !strings.Contains(err.Error(), "the folder "+dir+" by another name") {
		t.Errorf("by another name: %v", err)
	}
	if _, err := claimFolder([]string{places}, "/home/1", filepath.Join(root, "none"), true); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	// Another process writes itself down.
	if err := os.WriteFile(c.parts[0].note, []byte(`{"pid": 1, "home": "/home/2", "path": "/x/a", "real": "`+readClaim(c.parts[0].note).Real+`", "recursive": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := claimFolder([]string{places}, "/home/1", dir, true); !errors.As(err, &claimed) || !strings.Contains(err.Error(), "another engine watches it (/x/a, process 1, home /home/2)") {
		t.Errorf("by another engine: %v", err)
	}
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, overlap := range []string{below, root} {
		if _, err := claimFolder([]string{places}, "/home/1", overlap, true); !errors.As(err, &claimed) {
			t.Errorf("%s: %v", overlap, err)
		}
	}
	if other, err := claimFolder([]string{places}, "/home/1", root, false); err != nil {
		t.Errorf("the folder above alone: %v", err)
	} else {
		other.Release()
	}
	left := filepath.Join(places, "1-1.json") // of a process that was killed
	if err := os.WriteFile(left, []byte(`{"pid": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := claimFolder([]string{places}, "/home/1", root, false); err != nil {
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
	if c, err = claimFolder([]string{places}, "/home/1", dir, true); err != nil {
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

func TestClaimsAreFoundWithAndWithoutALogin(t *testing.T) {
	t.Parallel()
	temp, session, dir := filepath.Join(t.TempDir(), "temp"), t.TempDir(), t.TempDir()
	places := func(session string) []string {
		all, err := claimPlaces(temp, session)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	without, with := places(filepath.Join(session, "none")), places(session)
	if len(without) != 1 || len(with) != 2 {
		t.Fatal(without, with)
	}
	var claimed *ClaimedError
	for _, order := range [][2][]string{{without, with}, {with, without}, {with, with}} {
		c, err := claimFolder(order[0], "/home/1", dir, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := claimFolder(order[1], "/home/2", dir, true); !errors.As(err, &claimed) {
			t.Errorf("%v after %v: %v", order[1], order[0], err)
		}
		c.Release()
		for _, place := range with {
			if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		}
	}
	// Somebody else's folder in the place for temporary files takes nothing away.
	if err := os.RemoveAll(temp); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(session, temp); err != nil {
		t.Fatal(err)
	}
	if all := places(session); len(all) != 1 || all[0] != with[1] {
		t.Errorf("places %v", all)
	}
	if _, err := claimPlaces(temp, temp); err == nil {
		t.Error("claims without a place")
	}
}

func TestAClaimWhoseFilesWereRemovedIsNotCurrent(t *testing.T) {
	t.Parallel()
	places, dir := t.TempDir(), t.TempDir()
	c, err := claimFolder([]string{places}, "/home/1", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.parts[0].lock.Path()); err != nil {
		t.Fatal(err)
	}
	if c.Current() {
		t.Error("it counts as found")
	}
	other, err := claimFolder([]string{places}, "/home/2", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	c.Release()
	if !other.Current() || readClaim(other.parts[0].note).Home != "/home/2" {
		t.Error("the end of the old claim has ended the new claim")
	}
}
