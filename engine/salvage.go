package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// salvaged says what was saved from a damaged database.
type salvaged struct {
	runs, waiting int
	// whole is true when no run is missing, and what is known of scripts was saved, too. Otherwise
	// that is left behind: a script whose run is lost would count as seen.
	whole bool
}

// String returns what was saved as a part of a sentence.
func (s salvaged) String() string {
	if s.whole {
		return fmt.Sprintf("all its %d runs were saved, %d of them waiting", s.runs, s.waiting)
	}
	return fmt.Sprintf("%d of its runs were saved, %d of them waiting; the scripts that are there now are only noted", s.runs, s.waiting)
}

// salvage copies from a damaged database what can be read of it: runs with their source and output,
// and what is known of scripts and folders. The damaged file itself is left as it is.
func (s *store) salvage(damaged string) (saved salvaged, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// SQLite changes the files that it opens, so it is given copies.
	temp := s.path + ".salvage"
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(temp + suffix) // the next attempt overwrites what stays
		}
	}()
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(temp+suffix, damaged+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return saved, err
		}
	}
	migrateCopy(temp)
	ctx := context.Background()
	if _, err := s.conn.ExecContext(ctx, "ATTACH ? AS old", temp); err != nil {
		return saved, err
	}
	defer func() {
		_, detachErr := s.conn.ExecContext(ctx, "DETACH old")
		err = errors.Join(err, detachErr)
	}()
	ids, whole := s.salvageIDs(ctx)
	for _, id := range ids {
		if err := s.salvageRun(ctx, id); err != nil {
			whole = false
			continue
		}
		saved.runs++
	}
	// The numbers go on where they were, so that none is used twice. It fails when they can't be read.
	_, _ = s.conn.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = max(seq, (SELECT seq FROM old.sqlite_sequence WHERE name = 'runs')) WHERE name = 'runs'`)
	if whole {
		_, err := s.conn.ExecContext(ctx, `BEGIN; INSERT OR IGNORE INTO main.scripts SELECT * FROM old.scripts;
			INSERT OR IGNORE INTO main.folders SELECT * FROM old.folders; COMMIT`)
		if err != nil {
			_, _ = s.conn.ExecContext(ctx, "ROLLBACK") // it fails when SQLite has rolled back by itself
		}
		saved.whole = err == nil
	}
	err = s.conn.QueryRowContext(ctx, `SELECT count(*) FROM main.runs WHERE state IN ('queued', 'running')`).Scan(&saved.waiting)
	return saved, err
}

// migrateCopy brings the copy of a damaged database to today's form, as far as that goes.
func migrateCopy(path string) {
	db, err := openDB(path)
	if err != nil {
		return
	}
	defer db.Close()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = (&store{conn: conn}).migrate(ctx) // without it, nothing of an older form can be copied
}

// salvageIDs returns the ids of the runs that can be found in the attached database, and whether
// these are all. It looks from both ends of the table, and in the index of the scripts.
func (s *store) salvageIDs(ctx context.Context) (ids []int64, whole bool) {
	seen := map[int64]bool{}
	for i, query := range []string{
		`SELECT id FROM old.runs NOT INDEXED ORDER BY id`,
		`SELECT id FROM old.runs NOT INDEXED ORDER BY id DESC`,
		`SELECT id FROM old.runs INDEXED BY runs_of_script`,
	} {
		rows, err := s.conn.QueryContext(ctx, query)
		if err != nil {
			continue
		}
		for rows.Next() {
			var id int64
			if rows.Scan(&id) == nil {
				seen[id] = true
			}
		}
		err = errors.Join(rows.Err(), rows.Close())
		if i == 0 && err == nil {
			whole = true
			break
		}
	}
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, whole
}

// salvageRun copies a run. It fails when the run or its source can't be read; a run whose output
// can't be read is copied without.
func (s *store) salvageRun(ctx context.Context, id int64) error {
	if _, err := s.conn.ExecContext(ctx, `INSERT OR IGNORE INTO main.codes
		SELECT * FROM old.codes WHERE hash = (SELECT hash FROM old.runs WHERE id = ?)`, id); err != nil {
		return err
	}
	res, err := s.conn.ExecContext(ctx, `INSERT INTO main.runs SELECT * FROM old.runs WHERE id = ?`, id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, sql.ErrNoRows)
	}
	_, _ = s.conn.ExecContext(ctx, `INSERT OR IGNORE INTO main.outputs SELECT * FROM old.outputs WHERE run = ?`, id)
	return nil
}

// copyFile copies a file for its owner alone.
func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
