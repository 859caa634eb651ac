package engine

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"blendtray/api"
)

// storageError returns an error that says in a sentence why the database failed and what to do.
// SQLite's error stays in the chain.
func (s *store) storageError(err error) error {
	if err == nil {
		return nil
	}
	if s.isClosed() {
		return api.ErrStopping
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
		why = "it is damaged, restart the engine: the file is then moved aside, and what can be read of it is saved in a new one"
	default:
		return fmt.Errorf("%w in %s: %w", api.ErrStorage, s.path, err)
	}
	return fmt.Errorf("%w in %s: %s (%w)", api.ErrStorage, s.path, why, err)
}

// inShort returns in a few words why the database can't be written, for a line of a menu.
func inShort(err error) string {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_FULL:
		return "the disk is full"
	case sqlite3.SQLITE_READONLY:
		return "the run history is read-only"
	case sqlite3.SQLITE_IOERR:
		return "the disk reports an error"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another program holds the run history"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the run history is damaged"
	}
	return err.Error()
}

// sqliteCode returns SQLite's extended result code in err, or 0 when err holds no such code.
func sqliteCode(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// damaged reports whether err means that the file is not a sound database.
func damaged(err error) bool {
	var found *damage
	if errors.As(err, &found) {
		return true
	}
	c := sqliteCode(err) & 0xff
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}
