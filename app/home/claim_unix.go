//go:build unix

package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// claims returns the folders of the claims of this user, and makes them. They do not depend on the
// environment, so that a service and a login share them. The runtime folder is there only while the
// user is logged in, so claims lie in the folder for temporary files, too.
func claims() ([]string, error) {
	uid := os.Getuid()
	return claimPlaces(filepath.Join("/tmp", fmt.Sprintf("blendtray-%d", uid)), fmt.Sprintf("/run/user/%d", uid))
}

// claimPlaces returns the folders of claims in temp, which it makes, and in the runtime folder
// session, when that is there. It fails when there is neither.
func claimPlaces(temp, session string) (places []string, err error) {
	dirs := []string{temp}
	if ownFolder(session) {
		dirs = append(dirs, filepath.Join(session, "blendtray"))
	}
	var errs []error
	for _, dir := range dirs {
		watched := filepath.Join(dir, "watched")
		err := ownDir(dir)
		if err == nil {
			err = ownDir(watched)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		places = append(places, watched)
	}
	if len(places) == 0 {
		return nil, errors.Join(errs...)
	}
	return places, nil
}

// ownDir makes a folder unless it is there. It fails when it is somebody else's.
func ownDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("make the folder of the claims: %w", err)
	}
	if !ownFolder(dir) {
		return fmt.Errorf("%s belongs to somebody else", dir)
	}
	return nil
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
