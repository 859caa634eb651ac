package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"blendtray/control"
)

// Holder is the process that holds the lock of the engine, as that process wrote itself down.
type Holder struct {
	PID    int       `json:"pid"`
	Since  time.Time `json:"since"`
	Socket string    `json:"socket"`
}

// ErrHeld is the error for a lock that another process holds.
var ErrHeld = errors.New("another process holds the lock")

// EngineRunsError is the error of [LockEngine] when another process is the engine.
type EngineRunsError struct {
	// Holder is the other process, if Err is nil.
	Holder Holder
	// Err says why the holder is not known: the other process has only just started.
	Err error
}

func (e *EngineRunsError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("an engine runs already (it has just been started: %v)", e.Err)
	}
	return fmt.Sprintf("an engine runs already: process %d on %s", e.Holder.PID, e.Holder.Socket)
}

func (e *EngineRunsError) Unwrap() error { return ErrHeld }

// EngineLock is the lock that makes a process the engine of a user and home.
type EngineLock struct {
	paths Paths
	lock  *flock.Flock
}

// LockEngine makes this process the engine of this user and home, and writes down that the
// engine answers on socket. It fails with an [EngineRunsError] when another process is the
// engine. The system releases the lock when the process ends, however it ends.
func LockEngine(p Paths, socket string) (*EngineLock, error) {
	l := flock.New(p.engineLock())
	err := tryLock(l)
	if errors.Is(err, ErrHeld) {
		holder, err := readHolder(p.engineHolder())
		return nil, &EngineRunsError{holder, err}
	}
	if err != nil {
		return nil, err
	}
	if err := writeHolder(p.engineHolder(), socket); err != nil {
		_ = l.Unlock() // nothing was done under the lock
		return nil, fmt.Errorf("write down who holds the lock: %w", err)
	}
	return &EngineLock{p, l}, nil
}

// Unlock ends the lock.
func (l *EngineLock) Unlock() {
	// In this order, so that nobody reads of an engine that has ended. Both end with the
	// process, so an error here changes nothing.
	if !l.Lost() {
		_ = os.Remove(l.paths.engineHolder())
	}
	_ = l.lock.Unlock()
}

// Lost reports whether the file of the lock is gone, or another is in its place, as when somebody
// has removed the home: another process may be the engine then.
func (l *EngineLock) Lost() bool {
	locked, err := l.lock.Stat()
	if err != nil {
		return false // nothing is known
	}
	there, err := os.Stat(l.lock.Path())
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(locked, there)
}

// NoteFarmServer writes down where this process, which has the lock of [LockFarmServer], serves its farm.
func NoteFarmServer(p Paths, address string) error {
	return writeHolder(p.FarmServer()+".holder", address)
}

// LockFarmServer makes this process the only server of the farm whose streams lie in the home, and writes down that it is
// about to listen on an address. It fails with an error that is [ErrHeld] and says which process is the
// server, when another is.
func LockFarmServer(p Paths, address string) (unlock func(), err error) {
	file := p.FarmServer() + ".lock"
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	release, err := lock(file)
	if errors.Is(err, ErrHeld) {
		holder, err := readHolder(p.FarmServer() + ".holder")
		if err != nil {
			return nil, fmt.Errorf("%w: a process that has just been started serves the farm of this home", ErrHeld)
		}
		return nil, fmt.Errorf("%w: process %d serves the farm of this home on %s, since %s",
			ErrHeld, holder.PID, holder.Socket, holder.Since.Local().Format(time.DateTime))
	}
	if err != nil {
		return nil, err
	}
	if err := NoteFarmServer(p, address); err != nil {
		_ = release() // nothing was done under the lock
		return nil, fmt.Errorf("write down who serves the farm: %w", err)
	}
	return func() {
		_ = os.Remove(p.FarmServer() + ".holder") // who reads it sees that nobody has the lock
		_ = release()                             // it ends with the process
	}, nil
}

// LockTray makes this process the tray of this user and home. It fails with [ErrHeld] when
// another process is the tray. The system releases the lock when the process ends.
func LockTray(p Paths) (unlock func() error, err error) { return lock(p.trayLock()) }

// LockFlamenco makes this process the only worker of this user and home for a manager of Flamenco. It
// fails with [ErrHeld] when another process is.
func LockFlamenco(p Paths, manager string) (unlock func() error, err error) {
	return lock(p.Flamenco(manager) + ".lock")
}

// lock locks a file, or fails with ErrHeld when another process has locked it.
func lock(file string) (release func() error, err error) {
	l := flock.New(file)
	if err := tryLock(l); err != nil {
		return nil, err
	}
	return l.Unlock, nil
}

// tryLock locks a file, or fails with ErrHeld when it is locked already.
func tryLock(l *flock.Flock) error {
	ok, err := l.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.Path(), err)
	}
	if !ok {
		return ErrHeld
	}
	return nil
}

// EngineRuns tells whether some process is the engine of this user and home now.
func EngineRuns(p Paths) bool {
	release, err := lock(p.engineLock())
	if err != nil {
		return errors.Is(err, ErrHeld)
	}
	_ = release() // nothing was done under the lock
	return false
}

// writeHolder writes down in a file that this process holds a lock, and where it answers.
func writeHolder(file, address string) error {
	data, err := json.Marshal(Holder{os.Getpid(), time.Now().UTC().Truncate(time.Second), address})
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

// readHolder reads which process wrote itself down in a file as the holder of a lock. That process may be dead.
func readHolder(file string) (holder Holder, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &holder)
	}
	return holder, err
}

// EngineAddress returns the address at which to ask the engine of this user and home. It is
// the address on which this process would listen if it were the engine or, when there is no
// socket at that address, the address that the engine wrote down: a service may have another
// runtime folder than a login.
func EngineAddress(p Paths) (string, error) {
	address, err := control.Address(p.Runtime)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(address); err == nil {
		return address, nil
	}
	if holder, err := readHolder(p.engineHolder()); err == nil && holder.Socket != "" {
		if _, err := os.Lstat(holder.Socket); err == nil {
			return holder.Socket, nil // the client checks which user listens there
		}
	}
	return address, nil
}
