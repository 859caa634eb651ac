package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Claim says that one engine watches a folder. Each engine of a user makes a claim for each of its
// folders, whatever its home is, so that no save is run twice. A claim is a locked file outside the
// folder, named after what the folder is and not after its path; the system unlocks it when the
// process ends.
type Claim struct {
	parts []claimPart
	dir   string
	info  os.FileInfo // the folder when it was claimed
}

// claimPart is a claim in one of the places for claims: the locked file, and who has locked it.
type claimPart struct {
	lock *flock.Flock
	note string
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
		return fmt.Sprintf("it is the folder %s by another name, under which it is watched already", e.by.Path)
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

// claimFolder claims a folder in all places, so that engines which know only some of the places
// find the claim. A place where no claim can be made does no harm when there is another.
func claimFolder(places []string, home, dir string, recursive bool) (*Claim, error) {
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
	c := &Claim{dir: dir, info: info}
	var failed error
	for _, place := range places {
		part, err := claimIn(place, claimName(info, real), own)
		if _, claimed := errors.AsType[*ClaimedError](err); claimed {
			c.Release()
			return nil, err
		}
		if err != nil {
			failed = err
			continue
		}
		c.parts = append(c.parts, part)
	}
	if len(c.parts) == 0 {
		return nil, failed
	}
	return c, nil
}

// claimIn makes the claim own in one place.
func claimIn(place, name string, own claimNote) (claimPart, error) {
	lock, note := filepath.Join(place, name+".lock"), filepath.Join(place, name+".json")
	held, err := lockFile(lock)
	for try := 0; errors.Is(err, ErrHeld) && try < 5; try++ {
		// Another engine may be looking whether the claim of a dead process was left.
		time.Sleep(10 * time.Millisecond)
		held, err = lockFile(lock)
	}
	if errors.Is(err, ErrHeld) {
		by := readClaim(note)
		return claimPart{}, &ClaimedError{own: by.PID == own.PID, by: by, path: own.Path}
	}
	if err != nil {
		return claimPart{}, err
	}
	part := claimPart{lock: held, note: note}
	text, err := json.Marshal(own)
	if err == nil {
		err = os.WriteFile(note, text, 0o600)
	}
	if err != nil {
		part.release()
		return claimPart{}, fmt.Errorf("write down who watches %s: %w", own.Path, err)
	}
	if by, ok := overlapping(place, note, own); ok {
		part.release()
		return claimPart{}, &ClaimedError{by: by, path: own.Path}
	}
	return part, nil
}

// overlapping returns the claim of another process for a folder above own's folder, or in it. It
// removes the claims of processes that were killed.
func overlapping(places, note string, own claimNote) (claimNote, bool) {
	notes, err := Entries(places, ".json")
	if err != nil {
		return claimNote{}, false // what can't be read claims nothing
	}
	for _, other := range notes {
		by := readClaim(other)
		if other == note || by.PID == 0 || by.PID == own.PID {
			continue
		}
		left, err := lockFile(strings.TrimSuffix(other, ".json") + ".lock")
		switch {
		case err == nil: // its process was killed
			claimPart{lock: left, note: other}.release()
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

// Current reports whether the claim is for what lies at its path now, and is still to be found: the
// system may remove old files from a folder for temporary files.
func (c *Claim) Current() bool {
	info, err := os.Stat(c.dir)
	if err != nil || !os.SameFile(info, c.info) {
		return false
	}
	return slices.ContainsFunc(c.parts, claimPart.isThere)
}

// isThere reports whether the locked file is the file that others find.
func (p claimPart) isThere() bool {
	locked, err1 := p.lock.Stat()
	there, err2 := os.Stat(p.lock.Path())
	return err1 == nil && err2 == nil && os.SameFile(locked, there)
}

// Release ends the claim.
func (c *Claim) Release() {
	for _, part := range c.parts {
		part.release()
	}
}

func (p claimPart) release() {
	// The files are removed while they are locked: who locks them next finds that they are gone.
	// What fails here ends with the process.
	if !p.isThere() {
		_ = p.lock.Unlock()
		return // what is there is another claim
	}
	_ = os.Remove(p.note)
	_ = os.Remove(p.lock.Path())
	_ = p.lock.Unlock()
	_ = os.Remove(p.lock.Path()) // Windows removes no open file
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
