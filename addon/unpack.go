package addon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Unpack makes the folder dir hold the add-on exactly as it is embedded and returns the
// path of the launcher in it. Files that are right are left alone, others are replaced, and
// what does not belong in dir/tcp_echo is removed; everything else in dir is not touched.
//
// A file is never seen half-written, and several processes may unpack the same version at
// once. dir and its parents are created where they are missing, open to the user alone.
func Unpack(dir string) (launcher string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("unpack the add-on: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tcp_echo"), 0o700); err != nil {
		return "", fmt.Errorf("unpack the add-on: %w", err)
	}
	wanted := map[string]bool{}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		wanted[filepath.FromSlash(name)] = true
		return ensureFile(filepath.Join(dir, filepath.FromSlash(name)), content)
	})
	if err == nil {
		err = removeOthers(dir, "tcp_echo", wanted)
	}
	if err != nil {
		return "", fmt.Errorf("unpack the add-on: %w", err)
	}
	return filepath.Join(dir, "launcher.py"), nil
}

// ensureFile makes path a plain file with this content that only the user can read.
func ensureFile(path string, content []byte) error {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().IsRegular() && info.Size() == int64(len(content)) {
			there, err := os.ReadFile(path)
			if err == nil && bytes.Equal(there, content) {
				return restrict(path, info)
			}
		}
		if info.IsDir() {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	// CreateTemp makes it 0600.
	temp, err := os.CreateTemp(filepath.Dir(path), ".unpack-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = replace(temp.Name(), path, content)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // the error that is reported came before it
	}
	return err
}

// replace renames temp to path. Windows refuses while somebody reads the old file; another
// process that unpacks may have put the same content there meanwhile.
func replace(temp, path string, content []byte) error {
	err := os.Rename(temp, path)
	if err == nil {
		return nil
	}
	if there, readErr := os.ReadFile(path); readErr == nil && bytes.Equal(there, content) {
		return os.Remove(temp)
	}
	return err
}

// restrict takes away what others may do with a file, where there is something to take.
func restrict(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// removeOthers removes what lies in dir/sub and is not wanted: modules of other versions,
// whose byte-code or names could be imported. Temporary files of a process that unpacks
// at the same time are left to it.
func removeOthers(dir, sub string, wanted map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := filepath.Join(sub, entry.Name())
		if wanted[name] || isFreshTemp(entry) {
			continue
		}
		err := os.RemoveAll(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isFreshTemp tells whether an entry is the temporary file of an Unpack that is at work, as
// far as its age tells; one that was killed leaves its file, which goes a minute later.
func isFreshTemp(entry fs.DirEntry) bool {
	if !strings.HasPrefix(entry.Name(), ".unpack-") {
		return false
	}
	info, err := entry.Info()
	return err != nil || time.Since(info.ModTime()) < time.Minute
}
