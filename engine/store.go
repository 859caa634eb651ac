package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"blendtray/api"
)

// store is the database. It has a connection that writes and a few connections that only read,
// so that a long list never keeps a run waiting.
//
// The database is in WAL mode with synchronous=NORMAL: a commit reaches the operating system,
// not the disk, which takes some 0.05 ms where a flush takes several. So nothing is lost when
// the engine is killed or crashes. When the power fails, the commits since the last checkpoint
// may be lost, all from some moment on, never a part of a commit: runs of the last seconds are
// missing or appear as interrupted, and a script that was saved in those seconds may run once
// more at the next start. The file stays sound.
type store struct {
	path   string
	writer *sql.DB
	reader *sql.DB

	mu     sync.Mutex // guards the writing connection, one transaction at a time
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	ended  int   // ended runs in the database
	pinned int   // runs in the database that are pinned
	output int64 // bytes of output in the database
	// last is the largest id that a run has had. The next run has the next id: no id is used twice. After
	// a start, last is the id of the newest run in the database, or the id that was written down when runs
	// were deleted, whichever is larger.
	last int64
	// codes has hashes of sources that are in the database, for runs of the same source.
	codes map[string]bool
	// commits counts the transactions that were written, which the tests look at.
	commits int

	closed atomic.Bool
}

// busyWait is how long a statement waits for another program's lock, in milliseconds.
const busyWait = 2000

// keptLog is how many bytes of the log beside the database stay on the disk when the log begins anew.
const keptLog = 32 << 20

// mostCodes is how many hashes of sources the store remembers.
const mostCodes = 256

// quickCheck is the size up to which each start looks through the whole file: 22 MiB took 20 ms,
// read from the page cache. Larger files are looked through only after an error.
const quickCheck = 64 << 20

// openStore opens or makes the database at path. It returns the store and notes, which are
// sentences for a person.
func openStore(path string) (s *store, notes []string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the folder of the run history: %w", err)
	}
	info, statErr := os.Stat(path)
	empty := statErr == nil && info.Size() == 0
	s, err = tryOpen(path)
	if err == nil && empty {
		notes = append(notes, fmt.Sprintf("the run history %s was an empty file, so a new one was begun; runs that it had are lost, and the scripts that are there now are only noted", path))
	}
	if damaged(err) {
		aside, moveErr := moveAside(path)
		if moveErr != nil {
			return nil, nil, fmt.Errorf("the run history %s is damaged (%w) and cannot be moved aside: %w", path, err, moveErr)
		}
		note := fmt.Sprintf("the run history was damaged (%v): it is kept as %s and a new one was begun", err, aside)
		if s, err = tryOpen(path); err == nil {
			saved, salvageErr := s.salvage(aside)
			if salvageErr != nil {
				note += fmt.Sprintf("; not all was looked at (%v)", salvageErr)
			}
			notes = append(notes, fmt.Sprintf("%s; %s", note, saved))
			err = s.recount()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the run history %s: %w", path, err)
	}
	return s, notes, nil
}

func tryOpen(path string) (*store, error) {
	// SQLite gives the files beside this file the same mode, so the mode is set before SQLite
	// opens the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	s := &store{path: path, stmts: map[string]*sql.Stmt{}, codes: map[string]bool{}}
	if err := s.open(info.Size()); err != nil {
		// Closing can't lose what opening did not finish.
		_ = s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) open(size int64) error {
	ctx := context.Background()
	var err error
	// Checkpoints flush the disk, so the engine does them when it is quiet and not in the middle
	// of a commit: see checkpoint.
	if s.writer, err = openDB(s.path, "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		"wal_autocheckpoint(0)", fmt.Sprintf("journal_size_limit(%d)", keptLog)); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if s.conn, err = s.writer.Conn(ctx); err != nil {
		return err
	}
	_, marked := os.Stat(s.suspectMark())
	if marked == nil || size <= quickCheck {
		var verdict string
		if err := s.conn.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return &damage{verdict}
		}
		if err := os.Remove(s.suspectMark()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.reader, err = openDB(s.path, "query_only(1)"); err != nil {
		return err
	}
	s.reader.SetMaxOpenConns(4)
	s.reader.SetMaxIdleConns(4)
	return s.recount()
}

// recount counts what pruning looks at, and finds the largest id.
func (s *store) recount() error {
	return s.conn.QueryRowContext(context.Background(), `SELECT
		(SELECT count(*) FROM runs INDEXED BY runs_moments WHERE state NOT IN ('queued', 'running')),
		(SELECT coalesce(sum(size), 0) FROM outputs),
		(SELECT count(*) FROM runs WHERE pinned = 1),
		max((SELECT coalesce(max(id), 0) FROM runs), (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'runs'))`).
		Scan(&s.ended, &s.output, &s.pinned, &s.last)
}

func openDB(path string, pragmas ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(abs)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // C:/… in a URI
	}
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyWait)}}
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: name, RawQuery: q.Encode()}).String())
}

// moveAside renames a damaged database and the files beside it, and returns the new name of the
// database.
func moveAside(path string) (string, error) {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	for _, suffix := range []string{"-wal", "-shm", suspectSuffix} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// damage is the error with the text that quick_check returned.
type damage struct{ text string }

func (d *damage) Error() string { return strings.ReplaceAll(d.text, "\n", "; ") }

// suspect leaves a mark that has the next start look through the whole file.
func (s *store) suspect() {
	if err := os.WriteFile(s.suspectMark(), nil, 0o600); err != nil {
		return // the next start finds the damage when it reads the damaged part
	}
}

const suspectSuffix = "-suspect"

func (s *store) suspectMark() string { return s.path + suspectSuffix }

func (s *store) isClosed() bool { return s.closed.Load() }

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	return errors.Join(errs...)
}

// tx calls fn in a transaction of the writing connection and returns the error of fn or of the
// transaction. The transaction is not tied to any caller's context: a client that goes away must
// not leave in doubt whether its run was written.
func (s *store) tx(fn func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.inTx(fn)
	if err != nil {
		return s.storageError(err)
	}
	return nil
}

func (s *store) inTx(fn func() error) error {
	if s.isClosed() {
		return api.ErrStopping
	}
	if _, err := s.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	last := s.last
	err := fn()
	if err == nil {
		_, err = s.exec("COMMIT")
		s.commits++
	}
	if err != nil {
		// SQLite may have rolled back by itself, and then ROLLBACK fails. A transaction that
		// stayed open would show at the next BEGIN.
		_, _ = s.exec("ROLLBACK")
		s.last = last
		clear(s.codes)
	}
	return err
}

// preparedLocked returns the prepared statement for query on the writing connection. It needs
// mu.
func (s *store) preparedLocked(query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

func (s *store) exec(query string, args ...any) (sql.Result, error) {
	st, err := s.preparedLocked(query)
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}
