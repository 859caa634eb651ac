package engine

import (
	"database/sql"
	"fmt"
	"os"
)

// prune deletes a few of the oldest ended runs while the history has more ended runs than runs,
// and a few of the oldest outputs while they have more bytes than output. Waiting and running
// runs stay. Of the last run of a script stays which bytes it ran, with what is known of the
// script: that tells whether a save is new. prune reports whether more is left to delete.
func (s *store) prune(runs int, output int64) (more bool, err error) {
	s.mu.Lock()
	tooMany, tooMuch := s.ended-runs, s.output > output
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
	var freed int64
	err = s.tx(func() error {
		st, err := s.preparedLocked(`SELECT id, hash, coalesce((SELECT size FROM outputs WHERE run = id), 0), script,
				folder <> '' AND id = (SELECT max(id) FROM runs n WHERE n.folder <> '' AND n.folded = r.folded AND n.script = r.script),
				state, started_at IS NOT NULL, again
			FROM runs r WHERE state NOT IN ('queued', 'running') ORDER BY id LIMIT ?`)
		if err != nil {
			return err
		}
		rows, err := st.Query(limit)
		if err != nil {
			return err
		}
		type old struct {
			lastRun
			size   int64
			script string
			last   bool
		}
		all, err := collect(rows, func(rows *sql.Rows) (o old, err error) {
			return o, rows.Scan(&o.id, &o.hash, &o.size, &o.script, &o.last, &o.state, &o.started, &o.again)
		})
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.last {
				ran := ""
				if o.ran() {
					ran = o.hash
				}
				if _, err := s.exec(`UPDATE scripts SET ran = ? WHERE path = ?`, ran, o.script); err != nil {
					return err
				}
			}
			if _, err := s.exec(`DELETE FROM runs WHERE id = ?`, o.id); err != nil {
				return err
			}
			if _, err := s.exec(`DELETE FROM codes WHERE hash = ? AND NOT EXISTS
				(SELECT 1 FROM runs WHERE runs.hash = codes.hash)`, o.hash); err != nil {
				return err
			}
			freed += o.size
		}
		n = len(all)
		return nil
	})
	if err == nil {
		s.count(-n, -freed)
	}
	return n, err
}

func (s *store) pruneOutputs() (n int, err error) {
	var freed int64
	err = s.tx(func() error {
		st, err := s.preparedLocked(`DELETE FROM outputs WHERE run IN (SELECT run FROM outputs ORDER BY run LIMIT ?) RETURNING size`)
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
func (s *store) touch() error {
	return s.tx(func() error {
		_, err := s.exec(fmt.Sprintf("PRAGMA user_version = %d", len(schema)))
		return err
	})
}

// checkpoint takes the log over into the database file and flushes both to the disk. It uses a
// connection of its own, so that writing continues meanwhile.
func (s *store) checkpoint() error {
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
