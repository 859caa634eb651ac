package engine

import (
	"database/sql"
	"fmt"
	"os"
)

// prune deletes a few of the oldest ended runs while the history has more ended runs than runs,
// and a few of the oldest outputs while they have more bytes than output. Waiting and running
// runs stay, and so do pinned runs, which do not count. Of the last run of a script stays which bytes
// it ran, with what is known of the script: that tells whether a save is new. prune reports whether
// more is left to delete.
func (s *store) prune(runs int, output int64) (more bool, err error) {
	s.mu.Lock()
	tooMany, tooMuch := s.ended-s.pinned-runs, s.output > output
	s.mu.Unlock()
	if tooMany > 0 {
		n, err := s.pruneRuns(min(tooMany, pruneStep))
		if err != nil {
			return false, err
		}
		more = n > 0 && tooMany > n
	}
	if tooMuch {
		n, err := s.pruneOutputs()
		if err != nil {
			return false, err
		}
		more = more || n > 0
	}
	return more, nil
}

func (s *store) pruneRuns(limit int) (n int, err error) {
	gone, err := s.deleteRuns("pinned = 0", nil, limit)
	return len(gone), err
}

func (s *store) pruneOutputs() (n int, err error) {
	var freed int64
	err = s.tx(func() error {
		st, err := s.preparedLocked(`DELETE FROM outputs WHERE run IN
			(SELECT run FROM outputs WHERE run NOT IN (SELECT id FROM runs WHERE pinned = 1) ORDER BY run LIMIT ?) RETURNING size`)
		if err != nil {
			return err
		}
		rows, err := st.Query(pruneStep)
		if err != nil {
			return err
		}
		sizes, err := collect(rows, func(rows *sql.Rows) (size int64, err error) { return size, rows.Scan(&size) })
		for _, size := range sizes {
			freed += size
		}
		n = len(sizes)
		return err
	})
	if err == nil {
		s.count(0, -freed)
	}
	return n, err
}

// touch writes without changing anything. It fails when the database can't be written.
func (s *store) touch() error { return s.tx(s.touchLocked) }

// touchLocked writes without changing anything, within a transaction. It needs mu.
func (s *store) touchLocked() error {
	_, err := s.exec(fmt.Sprintf("PRAGMA user_version = %d", len(schema)))
	return err
}

// checkpoint takes the log over into the database file and flushes both to the disk, so that the next
// write begins the log anew. It uses a connection of its own, so that writing continues meanwhile; only
// what was written meanwhile is taken over while nothing else is written. Else a log into which
// something is always being written would never begin anew, and grow for ever. The log goes on for
// as long as somebody reads the database in the state before.
func (s *store) checkpoint() error {
	for range 2 { // the second takes over what was written during the first, so that little is left
		if err := s.takeOver(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil // closing takes the log over
	}
	if err := s.takeOver(); err != nil {
		return err
	}
	return s.storageError(s.inTx(s.touchLocked))
}

// takeOver takes what is in the log now over into the database file, as far as nobody reads a state
// before that.
func (s *store) takeOver() error {
	_, err := s.reader.Exec("PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

// logSize returns the size of the log beside the database, in bytes.
func (s *store) logSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// scriptsByAge returns the paths of all scripts that are known, the one first that was not saved for
// the longest time.
func (s *store) scriptsByAge() ([]string, error) {
	rows, err := s.reader.Query(`SELECT path FROM scripts ORDER BY taken_at`)
	if err != nil {
		return nil, s.readError(err)
	}
	all, err := collect(rows, func(rows *sql.Rows) (path string, err error) { return path, rows.Scan(&path) })
	return all, s.readError(err)
}

// forgetScripts deletes what is known of scripts.
func (s *store) forgetScripts(paths []string) error {
	return s.tx(func() error {
		for _, path := range paths {
			if _, err := s.exec(`DELETE FROM scripts WHERE path = ?`, path); err != nil {
				return err
			}
			if _, err := s.exec(`DELETE FROM imports WHERE script = ?`, path); err != nil {
				return err
			}
		}
		return nil
	})
}
