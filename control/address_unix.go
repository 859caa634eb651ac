//go:build unix

package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// maxSocketPath is the longest path of a unix socket on every system: sun_path has 104 bytes
// on macOS and the BSDs (108 on Linux), one of them for the zero at the end.
const maxSocketPath = 103

const socketName = "control.sock"

// Address is where the engine listens whose files lie in the absolute folder dir: a socket in
// dir itself, or, when its path would be longer than a socket's may be, in
// <temporary folder>/blendtray-<user id>/<hash of dir>.
func Address(dir string) (string, error) {
	return shortAddress(dir, os.TempDir())
}

func shortAddress(dir, temp string) (string, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	below := filepath.Join(fmt.Sprintf("blendtray-%d", os.Getuid()), hex.EncodeToString(sum[:8]), socketName)
	// The temporary folder may itself be a long one; every unix has /tmp.
	for _, temp := range []string{temp, "/tmp"} {
		if path := filepath.Join(temp, below); len(path) <= maxSocketPath {
			return path, nil
		}
	}
	return "", fmt.Errorf("no place for a socket: %s is too long a path", dir)
}
