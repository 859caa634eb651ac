//go:build unix

package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSocketPath is the longest path of a unix socket on every system: sun_path has 104 bytes
// on macOS and the BSDs (108 on Linux), one of them for the zero at the end.
const maxSocketPath = 103

const socketName = "control.sock"

// pointerName is the file in an engine's folder that names the folder of the socket, when a
// stranger has taken the names of all others.
const pointerName = "control.folder"

// Address returns the address of the engine whose files lie in the absolute folder dir: the path
// of a socket in dir itself or, when that path would be too long for a socket, in <temporary
// folder>/blendtray-<user id>/<hash of dir>. Where another user has taken that name, it is in the
// folder that [Prepare] has made. It fails when no place has a path that is short enough.
func Address(dir string) (string, error) { return addressIn(dir, temporaryFolders()) }

// Prepare returns the address on which an engine whose files lie in the absolute folder dir is to
// listen: the address that [Address] returns or, where another user has taken its name, an address in
// a new folder of this user, which Address returns from then on. Prepare fails as Address does, and
// when that folder can't be made.
func Prepare(dir string) (string, error) { return prepareIn(dir, temporaryFolders()) }

// temporaryFolders returns where a short path for a socket is looked for. The user's temporary
// folder may itself have a long path; every unix has /tmp.
func temporaryFolders() []string { return []string{os.TempDir(), "/tmp"} }

func addressIn(dir string, temps []string) (string, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	taken := ""
	for _, path := range shortPaths(dir, temps) {
		if !strange(userFolder(path)) {
			return path, nil
		}
		taken = path
	}
	if text, err := os.ReadFile(filepath.Join(dir, pointerName)); err == nil {
		if folder := strings.TrimSpace(string(text)); filepath.IsAbs(folder) && owned(folder) {
			return filepath.Join(folder, socketName), nil
		}
	}
	if taken != "" {
		return taken, nil // no engine of this user is there, which [dial] says
	}
	return "", fmt.Errorf("no place for a socket: %s is too long a path", dir)
}

func prepareIn(dir string, temps []string) (string, error) {
	path, err := addressIn(dir, temps)
	if err != nil || !strange(userFolder(path)) {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, temp := range temps {
		var folder string
		if folder, err = os.MkdirTemp(temp, userFolderName()+"-"); err != nil {
			continue
		}
		path = filepath.Join(folder, socketName)
		if len(path) > maxSocketPath {
			_ = os.Remove(folder) // made a moment ago
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, pointerName), []byte(folder+"\n"), 0o600); err != nil {
			_ = os.Remove(folder)
			return "", err
		}
		return path, nil
	}
	return "", fmt.Errorf("no place for a socket: other users have taken the names: %w", err)
}

// shortPaths returns the paths of the socket in temporary folders that are short enough.
func shortPaths(dir string, temps []string) (paths []string) {
	sum := sha256.Sum256([]byte(dir))
	below := filepath.Join(userFolderName(), hex.EncodeToString(sum[:8]), socketName)
	for _, temp := range temps {
		if path := filepath.Join(temp, below); len(path) <= maxSocketPath {
			paths = append(paths, path)
		}
	}
	return paths
}

// userFolderName is the name of the folder of this user in a temporary folder.
func userFolderName() string { return fmt.Sprintf("blendtray-%d", os.Getuid()) }

// userFolder returns the folder of this user in a temporary folder that a socket's path goes
// through, or "".
func userFolder(path string) string {
	if folder := filepath.Dir(filepath.Dir(path)); filepath.Base(folder) == userFolderName() {
		return folder
	}
	return ""
}

// strange reports whether something of another user, or that is no folder, has a path. It is false
// for a path where nothing is, and for "".
func strange(path string) bool {
	if path == "" {
		return false
	}
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist) && !owned(path)
}

// owned reports whether a path is a folder of this user, and no link to one.
func owned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}
