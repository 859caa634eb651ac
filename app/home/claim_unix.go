//go:build unix

package home

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// claims returns the folder of the claims of this user, and makes it. It does not depend on the
// environment, so that a service and a login share it.
func claims() (string, error) {
	uid := os.Getuid()
	dir := filepath.Join("/tmp", fmt.Sprintf("blendtray-%d", uid))
	if session := fmt.Sprintf("/run/user/%d", uid); ownFolder(session) {
		dir = filepath.Join(session, "blendtray")
	}
	for _, d := range []string{dir, filepath.Join(dir, "watched")} {
		if err := os.Mkdir(d, 0o700); err != nil && !os.IsExist(err) {
			return "", fmt.Errorf("make the folder of the claims: %w", err)
		}
		if !ownFolder(d) {
			return "", fmt.Errorf("%s belongs to somebody else", d)
		}
	}
	return filepath.Join(dir, "watched"), nil
}

// ownFolder reports whether a path is a folder of this user, and no link.
func ownFolder(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}

// claimName returns the name of the claim for a folder.
func claimName(info os.FileInfo, _ string) string {
	st := info.Sys().(*syscall.Stat_t) // always, on these systems
	return fmt.Sprintf("%d-%d", uint64(st.Dev), uint64(st.Ino))
}
