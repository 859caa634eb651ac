package addon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Unpack writes the embedded add-on into the folder dir and returns the path of the launcher
// there. It leaves files with the right content alone and replaces the others. It removes what
// does not belong in dir/tcp_echo, and leaves everything else in dir alone.
//
// No process sees a half-written file, and several processes may unpack the same version at
// once. Unpack makes dir and its parents where they are missing, for the user alone. It fails as
// [PrivateFolder] does.
func Unpack(dir string) (launcher string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("unpack the add-on: %w", err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "tcp_echo")} {
		if err := PrivateFolder(folder); err != nil {
			return "", fmt.Errorf("unpack the add-on: %w", err)
		}
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

// PrivateFolder makes a folder, and its parents where they are missing, for files that Blender executes.
// It takes the right to write from others, and fails for a folder of another user than this user and root.
func PrivateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !trustedOwner(info):
		return fmt.Errorf("%s belongs to another user, who could have code run as you", dir)
	case info.Mode().Perm()&0o022 == 0:
		return nil
	}
	if err := os.Chmod(dir, info.Mode().Perm()&^0o022); err != nil {
		return fmt.Errorf("others may write to %s and could have code run as you; its owner has to take that right away (chmod go-w): %w", dir, err)
	}
	return nil
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
			if err := removeAll(path); err != nil {
				return err
			}
		}
	}
	// CreateTemp makes the file with mode 0600.
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

// replace renames temp to path. Windows refuses to while another process reads the old file. That
// is no error when another process has unpacked the same content meanwhile.
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

// restrict removes the permissions of other users from a file.
func restrict(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// removeOthers removes the files in dir/sub that are not wanted: modules of other versions,
// which Python could import. It leaves the temporary files of a process that unpacks at the same
// time.
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
		err := removeAll(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isFreshTemp returns whether an entry is a temporary file of Unpack, not older than a minute. An
// older one was left by a process that was killed.
func isFreshTemp(entry fs.DirEntry) bool {
	if !strings.HasPrefix(entry.Name(), ".unpack-") {
		return false
	}
	info, err := entry.Info()
	return err != nil || time.Since(info.ModTime()) < time.Minute
}

// removeAll is os.RemoveAll. Some file systems, and Wine, do not know what Go asks for to remove a tree;
// they are asked for one file after the other.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	var all []string
	if filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}) != nil {
		return err
	}
	for _, one := range slices.Backward(all) { // what is in a folder before the folder
		if removed := os.Remove(one); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
