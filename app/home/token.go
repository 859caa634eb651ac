package home

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// MinToken is how many characters a token has at least.
const MinToken = 16

// Token returns the token that clients of Blender's port have to show. It reads the token from
// its file, and makes the file the first time. The token stays the same from one start to the
// next, so that another program of the user can read the file; nobody else may. When others
// could read the file, Token replaces the token, because nobody knows who has read it.
func Token(p Paths) (string, error) {
	file := p.TokenFile()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if token := strings.TrimSpace(string(text)); len(token) >= MinToken && !OpenToOthers(file) {
		return token, nil
	}
	token := rand.Text()
	if err := Replace(file, []byte(token+"\n"), 0o600, nil); err != nil {
		return "", fmt.Errorf("write the token: %w", err)
	}
	return token, nil
}

// OpenToOthers tells whether other users than its owner may read a file, as far as the file's
// mode says. On Windows it returns false: a file in the user's folder is for the user alone. For
// a file that can't be examined it returns true.
func OpenToOthers(file string) bool {
	info, err := os.Stat(file)
	return err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
