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

// Address returns the address of the engine whose files lie in the absolute folder dir: the path
// of a socket in dir itself or, when that path would be too long for a socket, in <temporary
// folder>/blendtray-<user id>/<hash of dir>.
func Address(dir string) (string, error) {
	return shortAddress(dir, os.TempDir())
}

func shortAddress(dir, temp string) (string, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	below := filepath.Join(fmt.Sprintf("blendtray-%d", os.Getuid()), hex.EncodeToString(sum[:8]), socketName)
	// The temporary folder may itself have a long path; every unix has /tmp.
	for _, temp := range []string{temp, "/tmp"} {
		if path := filepath.Join(temp, below); len(path) <= maxSocketPath {
			return path, nil
		}
	}
	return "", fmt.Errorf("no place for a socket: %s is too long a path", dir)
}
