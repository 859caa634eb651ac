package blender

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gofrs/flock"
)

// tempFolder is the folder for the temporary files and the crash reports of one Blender process.
// Its owner holds the lock of the file beside it, PATH.lock, for as long as the process lives. A
// process that gets that lock knows that the owner is gone, and may remove the folder and the file.
type tempFolder struct {
	path string
	lock *flock.Flock
}

const lockEnding = ".lock"

// newTempFolder makes a locked folder in dir, which exists, and returns it. It fails when the
// folder can't be made or locked.
func newTempFolder(dir string) (*tempFolder, error) {
	const attempts = 100
	for range attempts {
		t := &tempFolder{path: filepath.Join(dir, randomHex(4))}
		// A folder that is not locked would be taken for the folder of an owner that is gone.
		t.lock = flock.New(t.path+lockEnding, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		locked, err := t.lock.TryLock()
		switch {
		case err != nil:
			return nil, fmt.Errorf("lock Blender's folder for temporary files: %w", err)
		case !locked:
			continue
		}
		if _, err := os.Stat(t.path + lockEnding); err != nil {
			_ = t.lock.Unlock() // another process sweeps, and removed the file before its lock was held
			continue
		}
		if err := os.Mkdir(t.path, 0o700); err != nil {
			t.remove()
			return nil, fmt.Errorf("make Blender's folder for temporary files: %w", err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("make Blender's folder for temporary files: none of %d stayed in %s", attempts, dir)
}

// note writes down the text by which a later engine finds the process and its descendants.
func (t *tempFolder) note(text string) {
	if text != "" {
		_ = os.WriteFile(t.path+lockEnding, []byte(text), 0o600) // without the text the processes are not found
	}
}

// remove removes the folder of a process that is gone. What can't be removed is left for a later
// sweep.
func (t *tempFolder) remove() {
	gone := os.RemoveAll(t.path) == nil
	if gone {
		_ = os.Remove(t.path + lockEnding) // Windows refuses while the file is open
	}
	_ = t.lock.Unlock() // the file is closed in any case
	if gone {
		_ = os.Remove(t.path + lockEnding) // except on Windows, the file is gone already
	}
}

// sweepTempFolders removes the folders in dir whose owners are gone, and ends the processes that
// the Blenders of these owners have left running.
func sweepTempFolders(dir string) {
	locks, err := filepath.Glob(filepath.Join(escapedPattern(dir), "*"+lockEnding))
	if err != nil {
		return // the pattern is always right
	}
	for _, path := range locks {
		t := &tempFolder{path: strings.TrimSuffix(path, lockEnding), lock: flock.New(path, flock.SetFlag(os.O_RDWR))}
		if locked, err := t.lock.TryLock(); err == nil && locked {
			note, _ := os.ReadFile(path) // there is no note on Windows
			killKinOf(string(note))
			t.remove()
		}
	}
}

// escapedPattern returns a pattern for [filepath.Glob] that matches only path.
func escapedPattern(path string) string {
	if os.PathSeparator == '\\' {
		return path // Windows has no escapes in patterns, so a path with a bracket is not swept
	}
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// removeSession removes the folder that Blender has named as its own for temporary files, because a
// Blender that was killed could not remove it. It does nothing when the folder's name is not that
// of such a folder: where Blender can't make its own, it names a folder that others use, too.
func removeSession(path string) {
	info, err := os.Lstat(filepath.Clean(path))
	if err == nil && info.IsDir() && filepath.IsAbs(path) && sessionName.MatchString(filepath.Base(path)) {
		_ = os.RemoveAll(path) // what is left lies in the user's folder for temporary files
	}
}

// sessionName is what Blender calls its own folder for temporary files, in BKE_tempdir_init.
var sessionName = regexp.MustCompile(`^blender_[A-Za-z0-9]{6}$`)
