package watcher

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Settling on Linux depends on knowing when a writer closes a file. fsnotify does not report
// that, and it cannot be drained. So the watcher reads inotify directly.

const inotifyMask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_CREATE | unix.IN_MODIFY |
	unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF | unix.IN_ATTRIB |
	unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK

// inotify is the source on Linux.
type inotify struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
	hint hintFunc
	done sync.WaitGroup

	reading sync.Mutex // held while events are read and handed on, so that they stay in order
	closed  bool
	buf     []byte

	mu    sync.Mutex
	paths map[int32][]string // a folder may have several paths
	ids   map[string]int32
}

func newSource(h hintFunc) (source, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("start inotify: %w", err)
	}
	file := os.NewFile(uintptr(fd), "inotify")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close() // it was never used
		return nil, fmt.Errorf("start inotify: %w", err)
	}
	n := &inotify{
		file: file, raw: raw, fd: fd, hint: h, buf: make([]byte, 64<<10),
		paths: map[int32][]string{}, ids: map[string]int32{},
	}
	n.done.Go(n.read)
	return n, nil
}

func (n *inotify) name() string { return methodInotify }
func (n *inotify) exact() bool  { return true }

func (n *inotify) add(dir string) (fresh bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, err := unix.InotifyAddWatch(n.fd, dir, inotifyMask)
	if err != nil {
		return false, os.NewSyscallError("inotify_add_watch", err)
	}
	wd := int32(id)
	old, ok := n.ids[dir]
	if ok && old != wd {
		n.dropLocked(dir)
	}
	n.ids[dir] = wd
	if !slices.Contains(n.paths[wd], dir) {
		n.paths[wd] = append(n.paths[wd], dir)
	}
	return !ok || old != wd, nil
}

func (n *inotify) remove(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropLocked(dir)
}

// dropLocked forgets a path of a watch, and removes the watch with its last path. It needs mu.
func (n *inotify) dropLocked(dir string) {
	wd, ok := n.ids[dir]
	if !ok {
		return
	}
	delete(n.ids, dir)
	rest := slices.DeleteFunc(n.paths[wd], func(p string) bool { return p == dir })
	if len(rest) > 0 {
		n.paths[wd] = rest
		return
	}
	delete(n.paths, wd)
	// This fails when the folder is gone, and with it the watch.
	_, _ = unix.InotifyRmWatch(n.fd, uint32(wd))
}

func (n *inotify) read() {
	err := n.raw.Read(func(uintptr) bool {
		n.drain()
		n.reading.Lock()
		defer n.reading.Unlock()
		return n.closed // false: wait until there is more
	})
	n.reading.Lock()
	closed := n.closed
	n.reading.Unlock()
	if err != nil && !closed {
		n.hint(hintBroken, "", time.Now())
	}
}

func (n *inotify) close() {
	n.reading.Lock()
	n.closed = true
	n.reading.Unlock()
	_ = n.file.Close() // ends the reader; there is nothing to lose
	n.done.Wait()
}

func (n *inotify) drain() {
	n.reading.Lock()
	defer n.reading.Unlock()
	for !n.closed {
		size, err := unix.Read(n.fd, n.buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || size <= 0 {
			return // EAGAIN: everything is read
		}
		n.dispatchLocked(n.buf[:size])
		if size < len(n.buf)-unix.SizeofInotifyEvent-unix.NAME_MAX-1 {
			return // the buffer had room for another event, so there was none
		}
	}
}

// dispatchLocked hands on the hints of a buffer of events. It needs reading.
func (n *inotify) dispatchLocked(buf []byte) {
	now := time.Now()
	for len(buf) >= unix.SizeofInotifyEvent {
		ev := (*unix.InotifyEvent)(unsafe.Pointer(&buf[0]))
		end := unix.SizeofInotifyEvent + int(ev.Len)
		name, _, _ := bytes.Cut(buf[unix.SizeofInotifyEvent:end], []byte{0})
		n.dispatchEventLocked(ev.Wd, ev.Mask, string(name), now)
		buf = buf[end:]
	}
}

// dispatchEventLocked hands on the hints of one event. It needs reading.
func (n *inotify) dispatchEventLocked(wd int32, mask uint32, name string, now time.Time) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		n.hint(hintLost, "", now)
		return
	}
	n.mu.Lock()
	dirs := slices.Clone(n.paths[wd])
	if mask&unix.IN_IGNORED != 0 {
		for _, dir := range dirs {
			delete(n.ids, dir)
		}
		delete(n.paths, wd)
	}
	n.mu.Unlock()
	h, ok := hintOf(mask)
	if !ok {
		return
	}
	for _, dir := range dirs {
		path := dir
		if name != "" {
			path = join(dir, name)
		}
		n.hint(h, path, now)
	}
}

// hintOf returns the hint for an event, and false when the event means nothing. An event has one
// kind, to which the system may add IN_ISDIR.
func hintOf(mask uint32) (hint, bool) {
	isDir := mask&unix.IN_ISDIR != 0
	switch {
	case mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
		return hintSelf, true
	case isDir && mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0:
		return hintFolder, true
	case isDir && mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		return hintFolderOff, true
	case isDir:
		return 0, false
	case mask&(unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) != 0:
		return hintClosed, true
	case mask&unix.IN_CREATE != 0:
		return hintCreated, true
	case mask&unix.IN_MODIFY != 0:
		return hintChanged, true
	case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		return hintGone, true
	case mask&unix.IN_ATTRIB != 0:
		return hintRights, true
	}
	return 0, false
}

// watchError returns what a person can do about a watch that the system refused, or "".
func watchError(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "too many folders are watched on this system, so some are polled; raise the limit: " +
			"sysctl fs.inotify.max_user_watches=1048576"
	case errors.Is(err, unix.EMFILE):
		return "too many programs watch folders, so they are polled; raise the limit: " +
			"sysctl fs.inotify.max_user_instances=1024"
	}
	return ""
}
