package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Claim says that one engine watches a folder. Each engine of a user makes a claim for each of its
// folders, whatever its home is, so that no save is run twice. A claim is a locked file outside the
// folder, named after what the folder is and not after its path; the system unlocks it when the
// process ends.
type Claim struct {
	lock *flock.Flock
	note string
	dir  string
	info os.FileInfo // the folder when it was claimed
}

// claimNote is what a claim says to others.
type claimNote struct {
	PID       int    `json:"pid"`
	Home      string `json:"home"`
	Path      string `json:"path"` // as the settings name it
	Real      string `json:"real"` // without links
	Recursive bool   `json:"recursive"`
}

// ClaimedError is the error of [ClaimFolder] when a folder is watched already.
type ClaimedError struct {
	own  bool
	by   claimNote
	path string
}

func (e *ClaimedError) Error() string {
	switch {
	case e.own:
		return fmt.Sprintf("it is the folder %s by another name, and is watched by that", e.by.Path)
	case e.by.PID == 0:
		return "another engine watches it; two engines would run each save twice"
	}
	return fmt.Sprintf("another engine watches it (%s, process %d, home %s); two engines would run each save twice", e.by.Path, e.by.PID, e.by.Home)
}

// ClaimFolder claims a folder for the engine of a home. It fails with a [ClaimedError] when another
// engine of this user watches the folder, one above it or one in it, or when this process has the
// folder under another path; with [os.ErrNotExist] when there is no such folder; and with another
// error when claims can't be made here.
func ClaimFolder(p Paths, dir string, recursive bool) (*Claim, error) {
	places, err := claims()
	if err != nil {
		return nil, err
	}
	return claimFolder(places, p.Data, dir, recursive)
}

func claimFolder(places, home, dir string, recursive bool) (*Claim, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	_ = os.SameFile(info, info) // Windows reads only now what identifies the folder
	own := claimNote{os.Getpid(), home, dir, real, recursive}
	name := claimName(info, real)
	lock, note := filepath.Join(places, name+".lock"), filepath.Join(places, name+".json")
	held, err := lockFile(lock)
	for try := 0; errors.Is(err, ErrHeld) && try < 5; try++ {
		// Another engine may be looking whether the claim of a dead process was left.
		time.Sleep(10 * time.Millisecond)
		held, err = lockFile(lock)
	}
	if errors.Is(err, ErrHeld) {
		by := readClaim(note)
		return nil, &ClaimedError{own: by.PID == own.PID, by: by, path: dir}
	}
	if err != nil {
		return nil, err
	}
	c := &Claim{lock: held, note: note, dir: dir, info: info}
	text, err := json.Marshal(own)
	if err == nil {
		err = os.WriteFile(note, text, 0o600)
	}
	if err != nil {
		c.Release()
		return nil, fmt.Errorf("write down who watches %s: %w", dir, err)
	}
	if by, ok := overlapping(places, note, own); ok {
		c.Release()
		return nil, &ClaimedError{by: by, path: dir}
	}
	return c, nil
}

// overlapping returns the claim of another process for a folder above own's folder, or in it. It
// removes the claims of processes that were killed.
func overlapping(places, note string, own claimNote) (claimNote, bool) {
	notes, err := filepath.Glob(filepath.Join(places, "*.json"))
	if err != nil {
		return claimNote{}, false // the pattern is right
	}
	for _, other := range notes {
		by := readClaim(other)
		if other == note || by.PID == 0 || by.PID == own.PID {
			continue
		}
		left, err := lockFile(strings.TrimSuffix(other, ".json") + ".lock")
		switch {
		case err == nil: // its process was killed
			(&Claim{lock: left, note: other}).Release()
		case !errors.Is(err, ErrHeld):
		case by.Recursive && isIn(own.Real, by.Real), own.Recursive && isIn(by.Real, own.Real):
			return by, true
		}
	}
	return claimNote{}, false
}

// isIn reports whether path lies below folder.
func isIn(path, folder string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
}

// Current reports whether the claim is for what lies at its path now.
func (c *Claim) Current() bool {
	info, err := os.Stat(c.dir)
	return err == nil && os.SameFile(info, c.info)
}

// Release ends the claim.
func (c *Claim) Release() {
	// The files are removed while they are locked: who locks them next finds that they are gone.
	// What fails here ends with the process.
	_ = os.Remove(c.note)
	_ = os.Remove(c.lock.Path())
	_ = c.lock.Unlock()
	_ = os.Remove(c.lock.Path()) // Windows removes no open file
}

// lockFile locks a file that others may remove when they unlock it. It fails with [ErrHeld] when
// another process, or this one, has locked the file.
func lockFile(path string) (*flock.Flock, error) {
	for {
		l := flock.New(path)
		if err := tryLock(l); err != nil {
			return nil, err
		}
		locked, err1 := l.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(locked, there) {
			return l, nil
		}
		_ = l.Unlock() // it was removed meanwhile
	}
}

// readClaim reads a claim; its process may not have written it yet, or be dead.
func readClaim(note string) (by claimNote) {
	text, err := os.ReadFile(note)
	if err == nil {
		_ = json.Unmarshal(text, &by) // then it says nothing
	}
	return by
}
