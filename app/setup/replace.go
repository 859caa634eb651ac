package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A version replaces the version before as a whole or not at all. The installer writes the files of the new
// version into a folder beside the old files, so that a full disk is noticed while the old version still
// works. Then the files change their places by renames, and a rename that fails takes back those before it.
// A mark lies there until the change holds: an installer that finds the mark of a change that was cut off
// takes that change back first.
const (
	newFiles = ".new"       // the folder of the files that are to come
	oldFiles = ".old"       // the folder of the files that have gone
	mark     = "unfinished" // lies in oldFiles and names the files that change, each on a line
)

// renameTime is how long a rename is tried: a virus scanner has a new file open for a moment.
const renameTime = 3 * time.Second

// prepare makes a folder ready for new files: it takes back a change that was cut off, and removes what
// earlier changes have left. It fails when the files before can't come back, and where nothing can be
// written.
func prepare(folder string) error {
	if err := restore(folder); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(folder, newFiles), 0o755)
}

// replace puts the new files of a folder into the places of the old files. When it fails, the folder is as
// it was before.
func replace(folder string) error {
	err := func() error {
		entries, err := os.ReadDir(filepath.Join(folder, newFiles))
		if err != nil {
			return err
		}
		names := make([]string, len(entries))
		for i, entry := range entries {
			names[i] = entry.Name()
		}
		if err := os.MkdirAll(filepath.Join(folder, oldFiles), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(markOf(folder), []byte(strings.Join(names, "\n")), 0o600); err != nil {
			return err
		}
		for _, name := range names {
			if err := swap(folder, name); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(fmt.Errorf("replace the files in %s: %w", folder, err), restore(folder))
	}
	return nil
}

// swap puts one new file into the place of the old file, if there is an old file.
func swap(folder, name string) error {
	place := filepath.Join(folder, name)
	if err := rename(place, filepath.Join(folder, oldFiles, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return rename(filepath.Join(folder, newFiles, name), place)
}

// restore takes back a change that does not hold, removes what changes have left, and removes the folder when
// it is empty then. It fails when a file before can't come back; then the mark stays.
func restore(folder string) error {
	text, err := os.ReadFile(markOf(folder))
	if err == nil {
		for name := range strings.SplitSeq(string(text), "\n") {
			err = errors.Join(err, swapBack(folder, name))
		}
		if err != nil {
			return fmt.Errorf("put the files before back into %s: %w", folder, err)
		}
	}
	hold(folder)
	_ = os.Remove(folder) // it fails for a folder that is not empty
	return nil
}

// swapBack takes back a swap of one file, however much of it has happened.
func swapBack(folder, name string) error {
	if name == "" {
		return nil
	}
	place := filepath.Join(folder, name)
	err := rename(filepath.Join(folder, oldFiles, name), place)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(filepath.Join(folder, newFiles, name)); err == nil {
		return nil // its turn had not come
	}
	if err := os.Remove(place); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// hold makes a change final, and removes what it has left. A program that runs still keeps its file, which
// the next change removes.
func hold(folder string) {
	_ = os.Remove(markOf(folder)) // there may be none
	_ = removeAll(filepath.Join(folder, oldFiles))
	_ = removeAll(filepath.Join(folder, newFiles))
}

// removeAll removes a folder with all that is in it, as far as it can, and fails with what stays. It does what
// os.RemoveAll does, which Wine 8 does not know how to do.
func removeAll(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if entry.IsDir() {
			err = errors.Join(err, removeAll(path))
		} else {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return errors.Join(err, os.Remove(folder))
}

func markOf(folder string) string { return filepath.Join(folder, oldFiles, mark) }

// rename is os.Rename, tried for a while where another program has the file open.
func rename(from, to string) error {
	const sharingViolation = syscall.Errno(32) // of Windows
	for deadline := time.Now().Add(renameTime); ; time.Sleep(50 * time.Millisecond) {
		err := os.Rename(from, to)
		busy := errors.Is(err, fs.ErrPermission) || errors.Is(err, sharingViolation)
		if !busy || time.Now().After(deadline) {
			return err
		}
	}
}
