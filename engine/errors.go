package engine

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What callers decide on; errors of the engine wrap one of them where it applies.
var (
	// ErrNotFound: there is no run with that id.
	ErrNotFound = errors.New("no such run")
	// ErrEnded: the run has ended and can't be cancelled any more.
	ErrEnded = errors.New("the run has ended")
	// ErrNotEnded: the run has not ended and can't be retried yet.
	ErrNotEnded = errors.New("the run has not ended")
	// ErrStopping: the engine is ending or has ended.
	ErrStopping = errors.New("the engine is stopping")
	// ErrBad: what was asked for makes no sense as it stands.
	ErrBad = errors.New("bad request")
	// ErrTooLarge: the script is larger than a run may be.
	ErrTooLarge = errors.New("the script is too large")
	// ErrStorage: it could not be written down, and therefore was not done.
	ErrStorage = errors.New("cannot write the run down")
)

// storageError says in a sentence why the database did not do what it was asked, and what
// to do. The error that came from SQLite stays in the chain.
func (s *store) storageError(err error) error {
	if err == nil {
		return nil
	}
	if s.isClosed() {
		return ErrStopping
	}
	var why string
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL:
		why = "the disk is full, free some room and try again"
	case sqlite3.SQLITE_READONLY:
		why = "it is read-only, make it writable and try again"
	case sqlite3.SQLITE_IOERR:
		why = "the disk reports an error, look whether it is full or damaged"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		why = "another program holds it, close that one and try again"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		s.suspect()
		why = "it is damaged, restart the engine: the file is then moved aside and a new one begun"
	default:
		return fmt.Errorf("%w in %s: %w", ErrStorage, s.path, err)
	}
	return fmt.Errorf("%w in %s: %s (%w)", ErrStorage, s.path, why, err)
}

// sqliteCode is SQLite's extended result code in err, 0 when there is none.
func sqliteCode(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// damaged tells whether err says that the file is not a sound database.
func damaged(err error) bool {
	var found *damage
	if errors.As(err, &found) {
		return true
	}
	c := sqliteCode(err) & 0xff
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}
