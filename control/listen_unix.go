//go:build unix

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Listen makes the socket at path, which [Prepare] returned, for this user alone, and returns
// its listener.
//
// Listen makes the folder of the socket if it is missing. The folder must belong to this user
// and gets mode 0700, which keeps others out on every system at every moment. The socket gets
// its mode under another name and is then moved into place, so that nobody ever sees it without
// that mode. Listen replaces what a dead engine left there; when a live engine listens there, it
// fails with [ErrInUse].
func Listen(path string) (net.Listener, error) {
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// Only the holder of this lock may replace the socket. The system releases the lock when its
	// holder dies. The lock file stays: without it two engines could hold the lock.
	lock := flock.New(path + ".lock")
	if ok, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	} else if !ok {
		return nil, fmt.Errorf("listen on %s: %w", path, ErrInUse)
	}
	l, err := listenLocked(path)
	if err != nil {
		lock.Unlock() // nothing was done under the lock
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &listener{UnixListener: l, path: path, unlock: lock.Unlock}, nil
}

func listenLocked(path string) (*net.UnixListener, error) {
	// The lock says that nobody listens; on a file system without locks an answer shows
	// otherwise.
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, ErrInUse
	}
	fresh := filepath.Join(filepath.Dir(path), ".new.sock") // no longer than the final name
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the listener would unlink the temporary name, which the socket no longer has
	err = os.Chmod(fresh, 0o600)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// privateFolder makes dir, or checks that dir belongs to this user. It closes a folder of this
// user that others may enter. It fails when somebody else owns dir.
func privateFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		// Above the socket's own folder only the per-user folder in the temporary folder has to
		// be checked: its owner could exchange the folder below.
		if d != dir && filepath.Base(d) != userFolderName() {
			continue
		}
		if err := checkPrivate(d); err != nil {
			return err
		}
	}
	return nil
}

func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user", dir)
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// listener lets this user's connections through and closes all others. Its Close removes the
// socket.
type listener struct {
	*net.UnixListener
	path   string
	unlock func() error
	once   sync.Once
	err    error
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		// The modes keep others out already; the system's answer is a second check.
		if uid, err := peerUID(c); err == nil && uid == os.Getuid() {
			return c, nil
		}
		c.Close() // a stranger gets no answer
	}
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

func (l *listener) Close() error {
	l.once.Do(func() {
		// The socket is removed before the lock is released, while the name can only be this
		// engine's.
		err := os.Remove(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		l.err = errors.Join(l.UnixListener.Close(), err, l.unlock())
	})
	return l.err
}

// dial returns a connection to the engine at path. It makes sure that the engine is this user's:
// in a temporary folder somebody else might have put a socket of that name. It fails when the
// engine is not this user's or does not answer.
func dial(ctx context.Context, path string) (net.Conn, error) {
	if folder := userFolder(path); strange(folder) {
		return nil, fmt.Errorf("%s belongs to another user: %w", folder, fs.ErrNotExist)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uid, err := peerUID(c.(*net.UnixConn))
	if err == nil && uid != os.Getuid() {
		err = fmt.Errorf("%s is held by another user (id %d)", path, uid)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// nobodyThere reports whether err, from dial, means that no engine runs.
func nobodyThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
