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

// look is what a file was when it was looked at.
type look struct {
	size   int64
	mtime  time.Time
	ctime  int64 // ns; 0 where the system has none
	id     fileID
	hash   [sha256.Size]byte
	at     time.Time     // when it was looked at
	since  time.Time     // when it was first seen to be like this
	waited time.Duration // how long two looks were apart
	young  bool          // its time is too near to prove anything
	held   bool          // it was open for writing, but stable
	tail   bool          // it does not end with a line feed
}

// fileID tells files of one system apart where the system has such a number.
type fileID struct{ dev, ino uint64 }

func lookOf(fi fs.FileInfo, at time.Time) look {
	l := look{size: fi.Size(), mtime: fi.ModTime(), at: at, since: at}
	l.id, l.ctime = identity(fi)
	l.young = at.Sub(l.mtime) < youth // a time in the future is no proof either
	return l
}

// sameFile compares what can be known without reading.
func (l look) sameFile(m look) bool {
	return l.size == m.size && l.mtime.Equal(m.mtime) && l.ctime == m.ctime && l.id == m.id
}

func (l look) same(m look) bool { return l.sameFile(m) && l.hash == m.hash }

// trusted tells whether a file that looks like l is unchanged without being read. Besides
// its own time, the time since it was first seen so must be enough: the clock of a file
// server may be another one.
func (l look) trusted() bool { return !l.young && l.at.Sub(l.since) >= youth }

func (l look) stamp() Stamp {
	s := Stamp{Size: l.size, ModTime: l.mtime, Hash: hex.EncodeToString(l.hash[:])}
	if l.young {
		s.ModTime = time.Time{}
	}
	return s
}

// openScript opens a regular file for reading and never blocks on anything else.
func openScript(path string) (*os.File, fs.FileInfo, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, nil, errNoScript // not even opened: opening a device can do something
	}
	f, err := openShared(path)
	if err != nil {
		return nil, nil, err
	}
	if fi, err = f.Stat(); err == nil && !fi.Mode().IsRegular() {
		err = errNoScript
	}
	if err != nil {
		_ = f.Close() // read only
		return nil, nil, err
	}
	return f, fi, nil
}

// read reads the whole of f, which was fi when it was opened, and finds out whether it
// changed meanwhile.
func read(f *os.File, fi fs.FileInfo) ([]byte, look, error) {
	code := make([]byte, fi.Size()+1)
	n, err := io.ReadFull(io.NewSectionReader(f, 0, int64(len(code))), code)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, look{}, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, look{}, err
	}
	at := time.Now()
	l := lookOf(after, at)
	switch {
	case !l.sameFile(lookOf(fi, at)):
		return nil, look{}, errChanged
	case int64(n) != fi.Size():
		return nil, look{}, errNoScript // as in /proc, where sizes mean nothing
	}
	code = code[:n:n]
	l.hash = sha256.Sum256(code)
	l.tail = n > 0 && code[n-1] != '\n'
	return code, l, nil
}
