package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Door is how other programs of the user reach a Blender of the engine: the content of its file in
// [Paths.Ports]. Token is new at each start of that Blender.
type Door struct {
	PID   int    `json:"pid"`
	Port  int    `json:"port"`
	Token string `json:"token"`
	// Started is when the Blender began to listen, in seconds since 1970.
	Started float64 `json:"started"`
}

// OpenDoor writes the file of a Blender that listens on a port, and returns a function that removes
// the file. Only the user can read it.
func (p Paths) OpenDoor(blender string, pid, port int, token string) (remove func(), err error) {
	if err := os.MkdirAll(p.Ports(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the ports: %w", err)
	}
	text, err := json.Marshal(Door{pid, port, token, float64(time.Now().UnixMilli()) / 1000})
	if err != nil {
		return nil, err
	}
	file := p.DoorFile(blender)
	if err := Replace(file, append(text, '\n'), 0o600, nil); err != nil {
		return nil, fmt.Errorf("write the port and the token of Blender: %w", err)
	}
	return func() {
		// The Blender that came after it may have written the file anew.
		if now, err := ReadDoor(file); err == nil && now.Token == token {
			_ = os.Remove(file) // somebody else has removed it
		}
	}, nil
}

// ReadDoor returns the content of a file that [Paths.OpenDoor] has written.
func ReadDoor(file string) (Door, error) {
	var d Door
	text, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// CloseDoors removes the files of all Blenders of an engine: what a killed engine has left, and the
// token file of versions before the first release.
func (p Paths) CloseDoors() error {
	files, err := Entries(p.Ports(), ".json")
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range append(files, filepath.Join(p.Data, "token")) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// OpenToOthers tells whether other users than its owner may read a file, as far as the file's
// mode says. On Windows it returns false: a file in the user's folder is for the user alone. For
// a file that can't be examined it returns true.
func OpenToOthers(file string) bool {
	info, err := os.Stat(file)
	return err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
