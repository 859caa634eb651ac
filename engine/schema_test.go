package engine

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// openedStore opens the store at path for the test.
func openedStore(t *testing.T, path string) *store {
	t.Helper()
	s, notes, err := openStore(path)
	if err != nil || len(notes) > 0 {
		t.Fatalf("%q, %v", notes, err)
	}
	t.Cleanup(func() { _ = s.close() }) // a test that closes the store has looked at the error
	return s
}

// added writes down a run with a source and returns its id.
func added(t *testing.T, s *store, code string) int64 {
	t.Helper()
	j := &job{run: api.Run{
		Script: "code", SHA256: "hash of " + code, Args: []string{}, Source: api.FromCommand, State: api.Queued, QueuedAt: time.Now(),
	}}
	if err := s.insert(insert{job: j, code: []byte(code)}); err != nil {
		t.Fatal(err)
	}
	return j.id
}

// finished writes down that a run has succeeded.
func finished(t *testing.T, s *store, id int64) {
	t.Helper()
	if err := s.finish(id, &api.Run{State: api.Succeeded}, kept{}, false); err != nil {
		t.Fatal(err)
	}
}

func deletedAll(t *testing.T, s *store) {
	t.Helper()
	if _, err := s.deleteRuns("1", nil, 100); err != nil {
		t.Fatal(err)
	}
}

// reopened closes a store and opens it again.
func reopened(t *testing.T, s *store) *store {
	t.Helper()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	return openedStore(t, s.path)
}

func TestADatabaseOfEachOldFormIsBroughtToTodays(t *testing.T) {
	t.Parallel()
	for form := 1; form < len(schema); form++ {
		t.Run(fmt.Sprint("form ", form), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			db, err := openDB(path, "journal_mode(WAL)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			old := strings.Join(schema[:form], "") + fmt.Sprintf("PRAGMA user_version = %d;", form)
			for id, state := range map[int]string{3: "succeeded", 5: "failed", 6: "running", 7: "queued", 9: "succeeded"} {
				old += fmt.Sprintf(`INSERT OR IGNORE INTO codes VALUES ('hash', 'x');
					INSERT INTO runs (id, script, folded, is_file, dir, hash, scene, args, time_limit, source, folder, retry_of, state, queued_at)
					VALUES (%d, 'a', 'a', 0, '', 'hash', '', '[]', 0, 'command', '', 0, '%s', %d);`, id, state, 1000+id)
			}
			if _, err := db.Exec(old + "DELETE FROM runs WHERE id = 9"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s := openedStore(t, path)
			if id := added(t, s, "x"); id != 10 {
				t.Errorf("the next run has number %d", id)
			}
			for state, want := range map[api.State]string{api.Succeeded: "3", api.Failed: "5", api.Running: "6", api.Queued: "10 7", api.Crashed: ""} {
				jobs, err := s.list(context.Background(), api.Filter{States: []api.State{state}, Limit: 9}, 0)
				var got []string
				for _, j := range jobs {
					got = append(got, j.run.ID)
				}
				if err != nil || strings.Join(got, " ") != want {
					t.Errorf("%s are %v, %v, want %s", state, got, err, want)
				}
			}
			if s.ended != 2 {
				t.Errorf("%d runs have ended", s.ended)
			}
			var verdict string
			if err := s.reader.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
				t.Errorf("%s, %v", verdict, err)
			}
		})
	}
}

func TestNoNumberOfARunIsUsedTwice(t *testing.T) {
	t.Parallel()
	s := openedStore(t, filepath.Join(t.TempDir(), "runs.db"))
	for want := int64(1); want <= 2; want++ {
		id := added(t, s, "x")
		if id != want {
			t.Fatalf("a run has number %d, want %d", id, want)
		}
		finished(t, s, id)
	}
	deletedAll(t, s)
	if id := added(t, s, "x"); id != 3 {
		t.Errorf("after the newest run was deleted, a run has number %d", id)
	}
	finished(t, s, 3)
	deletedAll(t, s)
	s = reopened(t, s)
	if id := added(t, s, "x"); id != 4 {
		t.Errorf("after a start with no runs, a run has number %d", id)
	}
	s = reopened(t, s)
	if id := added(t, s, "x"); id != 5 {
		t.Errorf("after a start with runs, a run has number %d", id)
	}
}

func TestARunThatCouldNotBeWrittenDownLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := openedStore(t, filepath.Join(t.TempDir(), "runs.db"))
	j := &job{run: api.Run{SHA256: "hash of x", Args: []string{}, QueuedAt: time.Now()}}
	err := s.insertRunning(insert{job: j, code: []byte("x")}, time.Now(), func() {}, func() error { return api.ErrBusy })
	if err == nil {
		t.Fatal("no error")
	}
	if id := added(t, s, "x"); id != 1 { // with its source, too
		t.Errorf("the next run has number %d", id)
	}
	if code, err := s.code(context.Background(), 1); err != nil || string(code) != "x" {
		t.Errorf("its source is %q, %v", code, err)
	}
}

func TestASourceIsThereAgainAfterItsRunsWereDeleted(t *testing.T) {
	t.Parallel()
	s := openedStore(t, filepath.Join(t.TempDir(), "runs.db"))
	for range 2 {
		finished(t, s, added(t, s, "x"))
		finished(t, s, added(t, s, "x"))
		deletedAll(t, s)
	}
	for i := range 2 * mostCodes { // more than the store remembers
		added(t, s, fmt.Sprint(i))
	}
	id := added(t, s, "x")
	if code, err := s.code(context.Background(), id); err != nil || string(code) != "x" {
		t.Errorf("its source is %q, %v", code, err)
	}
	if len(s.codes) > mostCodes {
		t.Errorf("%d hashes are remembered", len(s.codes))
	}
}

// A page that is written costs more than what is written into it. Of 500 runs each 10 or so need a new page of a
// table or an index, which changes other pages, too.
func TestARunChangesFewPages(t *testing.T) {
	t.Parallel()
	s := openedStore(t, filepath.Join(t.TempDir(), "runs.db"))
	const runs, frame = 500, 4096 + 24
	var size int64
	before := added(t, s, "x")
	for i := range runs + 100 {
		if i == 100 {
			size = s.logSize()
		}
		id := added(t, s, "x")
		err := s.setRunning(id, time.Now(), func() error {
			return s.finishLocked(before, &api.Run{State: api.Succeeded})
		})
		if err != nil {
			t.Fatal(err)
		}
		before = id
	}
	if pages := float64(s.logSize()-size) / frame / runs; pages > 8 {
		t.Errorf("a run changes %.1f pages", pages)
	}
}

// SQLite makes such a table for a list of three or more constants in the condition of an index.
func TestAChangeOfAStateMakesNoTableInMemory(t *testing.T) {
	t.Parallel()
	s := openedStore(t, filepath.Join(t.TempDir(), "runs.db"))
	rows, err := s.reader.Query(`EXPLAIN UPDATE runs SET state = 'running' WHERE id = 1`)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := collect(rows, func(rows *sql.Rows) (step string, err error) {
		var other any
		return step, rows.Scan(&other, &step, &other, &other, &other, &other, &other, &other)
	})
	if err != nil || !slices.Contains(steps, "IdxInsert") || slices.Contains(steps, "OpenEphemeral") {
		t.Errorf("%q, %v", steps, err)
	}
}
