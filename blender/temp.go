package blender

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gofrs/flock"
)

// tempFolder is where one Blender process has its temporary files and its crash reports. Its owner
// holds the lock of the file beside it, PATH.lock, for as long as the process lives. Whoever gets
// that lock knows that the owner is gone, and may remove both.
type tempFolder struct {
	path string
	lock *flock.Flock
}

const lockEnding = ".lock"

// newTempFolder makes a folder in dir, which exists.
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

// note writes down by what a later engine can find the process and its descendants.
func (t *tempFolder) note(text string) {
	if text != "" {
		_ = os.WriteFile(t.path+lockEnding, []byte(text), 0o600) // without it they are not found
	}
}

// remove removes the folder, whose process is gone. What can't be removed is left to a sweep.
func (t *tempFolder) remove() {
	gone := os.RemoveAll(t.path) == nil
	if gone {
		_ = os.Remove(t.path + lockEnding) // Windows refuses while the file is open
	}
	_ = t.lock.Unlock() // the file is closed in any case
	if gone {
		_ = os.Remove(t.path + lockEnding) // it is gone already but on Windows
	}
}

// sweepTempFolders removes the folders in dir whose owners are gone, and ends what the Blenders of
// these owners have left running.
func sweepTempFolders(dir string) {
	locks, err := filepath.Glob(filepath.Join(escapedPattern(dir), "*"+lockEnding))
	if err != nil {
		return // no pattern is left that could be wrong
	}
	for _, path := range locks {
		t := &tempFolder{path: strings.TrimSuffix(path, lockEnding), lock: flock.New(path, flock.SetFlag(os.O_RDWR))}
		if locked, err := t.lock.TryLock(); err == nil && locked {
			note, _ := os.ReadFile(path) // there is none on Windows
			killKinOf(string(note))
			t.remove()
		}
	}
}

// escapedPattern returns the pattern for [filepath.Glob] that stands for a path alone.
func escapedPattern(path string) string {
	if os.PathSeparator == '\\' {
		return path // nothing can be escaped there; a path with a bracket is not swept
	}
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// removeSession removes the folder that a Blender named as its own for temporary files, if
// it has such a folder's name: a Blender that was killed could not do it.
func removeSession(path string) {
	if filepath.IsAbs(path) && strings.HasPrefix(filepath.Base(path), "blender_") {
		_ = os.RemoveAll(path) // whatever is left lies where the user wants temporary files
	}
}
