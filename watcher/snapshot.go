package watcher

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// youth is how old a file's time must be for an equal time to mean an unchanged file: some
// file systems count in steps of 2 s.
const youth = 2 * time.Second

var (
	errNoScript = errors.New("not a regular file")
	errChanged  = errors.New("changed while it was read")
)

// snapshot is the state of a file at one moment.
type snapshot struct {
	size   int64
	mtime  time.Time
	ctime  int64 // ns; 0 where the system has none
	id     fileID
	born   int64 // when the file was made, in ns; 0 where the system does not say
	hash   [sha256.Size]byte
	at     time.Time     // when the snapshot was taken
	since  time.Time     // when the file was first seen in this state
	waited time.Duration // how long the watcher waited until the file had settled
	absent bool          // before it there was no file of its name: see [Save.New]
	unread bool          // the file could not be read
	scan   bool          // unread, and found by a full look: it was not saved while it was watched
	barred bool          // unread, because a folder on the way to the file refuses: nothing is known of the file
	young  bool          // mtime is too near to at to prove anything
}

// fileID identifies a file on one machine, where the system has such numbers.
type fileID struct{ dev, ino uint64 }

// snapshotOf returns a snapshot without a hash, taken at the time at.
func snapshotOf(fi fs.FileInfo, at time.Time) snapshot {
	s := snapshot{size: fi.Size(), mtime: fi.ModTime(), at: at, since: at}
	s.id, s.ctime = identity(fi)
	s.young = at.Sub(s.mtime) < youth // a time in the future is no proof either
	return s
}

// clockStep is how far the times of files may be behind the clock of programs.
const clockStep = 50 * time.Millisecond

// savedAt returns when the file was last written, made or put in its place, as far as the system
// says. A copier may give a file an old time of modification.
func (s snapshot) savedAt() time.Time {
	if changed := time.Unix(0, s.ctime); s.ctime != 0 && changed.After(s.mtime) {
		return changed
	}
	return s.mtime
}

// sameFile compares what can be known without reading the file.
func (s snapshot) sameFile(m snapshot) bool {
	return s.size == m.size && s.mtime.Equal(m.mtime) && s.ctime == m.ctime && s.id == m.id
}

// sameWrite reports whether two snapshots show the same file, which was not written in between as far
// as its times say. Its owner and its rights may differ.
func (s snapshot) sameWrite(m snapshot) bool {
	return s.size == m.size && s.mtime.Equal(m.mtime) && s.id == m.id
}

func (s snapshot) same(m snapshot) bool { return s.sameFile(m) && s.hash == m.hash }

// trusted reports whether a file that still has the size, times and id of s is unchanged, without
// reading it. Both the file's own time and the time since it was first seen in this state must be
// old enough: the clock of a file server may differ.
func (s snapshot) trusted() bool { return !s.young && s.at.Sub(s.since) >= youth }

func (s snapshot) stamp() Stamp {
	stamp := Stamp{
		Size: s.size, ModTime: s.mtime, Hash: hex.EncodeToString(s.hash[:]),
		Changed: s.ctime, Inode: s.id.ino, Born: s.born,
	}
	if s.young {
		stamp.ModTime = time.Time{}
	}
	return stamp
}

// fits reports whether a file that still has the stamp is unchanged, without reading it.
func (s snapshot) fits(stamp Stamp) bool {
	return stamp.Size == s.size && stamp.ModTime.Equal(s.mtime) && stamp.Changed == s.ctime &&
		(stamp.Inode == s.id.ino || s.id.ino == 0)
}

// openScript opens a regular file for reading, and reports whether it can be written by other names
// than path. It fails with errNoScript for anything else, and never blocks. For a regular file that may
// not be opened fi is what the file was before.
func openScript(path string) (f *os.File, fi fs.FileInfo, linked bool, err error) {
	if fi, linked, err = statScript(path); err != nil {
		return nil, nil, linked, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, linked, errNoScript // not even opened: opening a device can have effects
	}
	if f, err = openShared(path); err != nil {
		return nil, fi, linked, err
	}
	if fi, err = f.Stat(); err == nil && !fi.Mode().IsRegular() {
		err = errNoScript
	}
	if err != nil {
		_ = f.Close() // read only
		return nil, nil, linked, err
	}
	return f, fi, linked, nil
}

// statScript is os.Stat, and reports whether the file can be written by other names than path: path
// is a symbolic link, whose target need not be there, or the file has several names. It may be while
// a folder on the way to it refuses access.
func statScript(path string) (fi fs.FileInfo, linked bool, err error) {
	if fi, err = os.Lstat(path); err != nil {
		return nil, errors.Is(err, fs.ErrPermission), err
	}
	if fi.Mode()&fs.ModeSymlink == 0 {
		return fi, hardLinks(fi) > 1, nil
	}
	fi, err = os.Stat(path)
	return fi, true, err
}

// read returns the whole of f and its snapshot; fi is what f was when it was opened. It fails
// with errChanged when f changed meanwhile.
func read(f *os.File, fi fs.FileInfo) ([]byte, snapshot, error) {
	code := make([]byte, fi.Size()+1)
	n, err := io.ReadFull(io.NewSectionReader(f, 0, int64(len(code))), code)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, snapshot{}, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, snapshot{}, err
	}
	at := time.Now()
	s := snapshotOf(after, at)
	switch {
	case !s.sameFile(snapshotOf(fi, at)):
		return nil, snapshot{}, errChanged
	case int64(n) != fi.Size():
		return nil, snapshot{}, errNoScript // as in /proc, where sizes mean nothing
	}
	code = code[:n:n]
	s.born = bornAt(f, after)
	s.hash = sha256.Sum256(code)
	return code, s, nil
}
