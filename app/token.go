package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// readToken is the token that clients of Blender's port have to show, from its file, which is
// made the first time. It stays the same from one start to the next, so that a program of the
// user's own can read it there; the file is for that user alone. One that others could read is
// replaced: nobody knows who has.
func readToken(paths Paths) (string, error) {
	file := tokenFile(paths)
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if token := strings.TrimSpace(string(text)); len(token) >= 16 && !openToOthers(file) {
		return token, nil
	}
	// Moved into place, so that nobody reads half.
	token, fresh := rand.Text(), file+".new"
	if err := os.WriteFile(fresh, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the token: %w", err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return "", fmt.Errorf("write the token: %w", err)
	}
	return token, nil
}

// openToOthers tells whether others than its owner may read a file, as far as its mode says:
// on Windows a file in the user's folder is the user's.
func openToOthers(file string) bool {
	info, err := os.Stat(file)
	return err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
