package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"blendtray/app/fault"
)

// holder is who holds the lock of the engine, as it wrote it down.
type holder struct {
	PID    int       `json:"pid"`
	Since  time.Time `json:"since"`
	Socket string    `json:"socket"`
}

// lockEngine makes this process the engine of this user and home, or says which one is. The
// system releases the lock when the process ends, however it ends.
func lockEngine(paths Paths, socket string) (unlock func(), err error) {
	path := filepath.Join(paths.State, "engine.lock")
	// Who it is stands in a file beside it: Windows lets nobody read a locked one.
	whoPath := filepath.Join(paths.State, "engine.json")
	lock := flock.New(path)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		return nil, heldBy(whoPath)
	}
	data, err := json.Marshal(holder{os.Getpid(), time.Now().UTC().Truncate(time.Second), socket})
	if err == nil {
		err = os.WriteFile(whoPath, append(data, '\n'), 0o600)
	}
	if err != nil {
		lock.Unlock() // it was not used
		return nil, fmt.Errorf("write down who holds the lock: %w", err)
	}
	return func() {
		// In this order, so that nobody reads of an engine that is gone. What fails here
		// ends with the process.
		_ = os.Remove(whoPath)
		_ = lock.Unlock()
	}, nil
}

// readHolder reads who wrote itself down as the engine; it may be dead.
func readHolder(whoPath string) (who holder, err error) {
	data, err := os.ReadFile(whoPath)
	if err == nil {
		err = json.Unmarshal(data, &who)
	}
	return who, err
}

// heldBy words who holds the lock.
func heldBy(whoPath string) error {
	const hint = "`blendtray status` shows it; end it first, or give this one another BLENDTRAY_HOME"
	who, err := readHolder(whoPath)
	if err != nil {
		return fault.New(fault.Failed, hint, "an engine runs already (it has just been started: %v)", err)
	}
	return fault.New(fault.Failed, hint, "an engine runs already: process %d, since %s, on %s",
		who.PID, moment(who.Since, time.Now()), who.Socket)
}

// engineLocked tells whether some process is the engine of this user and home just now.
func engineLocked(paths Paths) bool {
	lock := flock.New(filepath.Join(paths.State, "engine.lock"))
	ok, err := lock.TryLock()
	if ok {
		_ = lock.Unlock() // nothing was done under it
	}
	return !ok && err == nil
}
