package engine

import (
	"database/sql"
	"encoding/json"
	"time"

	"blendtray/api"
	"blendtray/watcher"
)

// lastRun is the newest run of a watched script; retries count too.
type lastRun struct {
	id      int64
	hash    string
	state   api.State
	started bool
	again   bool // a save of the same bytes is to run again
	// rewritten is true when the run itself has saved its script since.
	rewritten bool
}

// ran reports whether the bytes have had their run or will have it: the run waits, is running or
// ended by itself. A run that was cancelled, was interrupted or never began does not count, nor does
// a run whose Blender somebody has killed.
func (l lastRun) ran() bool {
	if l.rewritten {
		return false
	}
	switch l.state {
	case api.Cancelled, api.Interrupted:
		return false
	case api.Failed:
		return l.started // else there was no Blender for it
	case api.Crashed:
		return l.started && !l.again
	}
	return true
}

// lastRuns returns the last run of every script that was saved in a watched folder, by the
// script's path. A run that was deleted from the history has no id.
func (s *store) lastRuns() (map[string]lastRun, error) {
	rows, err := s.reader.Query(`SELECT path, ran, ran_id FROM scripts WHERE ran <> '' OR ran_id > 0`)
	if err != nil {
		return nil, s.readError(err)
	}
	all, known := map[string]lastRun{}, map[string]int64{}
	_, err = collect(rows, func(rows *sql.Rows) (l lastRun, err error) {
		var script string
		var id int64
		err = rows.Scan(&script, &l.hash, &id)
		if l.state = api.Succeeded; l.hash != "" { // or any that counts as ran
			all[script] = l
		}
		known[script] = id
		return l, err
	})
	if err != nil {
		return nil, s.readError(err)
	}
	// With max() SQLite takes the other columns from the row with the maximum.
	rows, err = s.reader.Query(`SELECT script, max(id), hash, state, started_at IS NOT NULL, again
		FROM runs WHERE folder <> '' GROUP BY script`)
	if err != nil {
		return nil, s.readError(err)
	}
	_, err = collect(rows, func(rows *sql.Rows) (l lastRun, err error) {
		var script, state string
		err = rows.Scan(&script, &l.id, &l.hash, &state, &l.started, &l.again)
		if l.state = api.State(state); l.id > known[script] { // newer runs were deleted otherwise
			all[script] = l
		}
		return l, err
	})
	return all, s.readError(err)
}

// stamps returns everything that is known of scripts, by path.
func (s *store) stamps() (map[string]watcher.Stamp, error) {
	rows, err := s.reader.Query(`SELECT path, size, mtime, hash, changed, inode, born FROM scripts`)
	if err != nil {
		return nil, s.readError(err)
	}
	all := map[string]watcher.Stamp{}
	_, err = collect(rows, func(rows *sql.Rows) (st watcher.Stamp, err error) {
		var path string
		var mtime, inode int64
		err = rows.Scan(&path, &st.Size, &mtime, &st.Hash, &st.Changed, &inode, &st.Born)
		st.ModTime, st.Inode = time.Unix(0, mtime), uint64(inode) // SQLite has no unsigned numbers
		all[path] = st
		return st, err
	})
	return all, s.readError(err)
}

// knownFolders returns the folders that were scanned to the end, with their shapes and with the file
// systems on which they were.
func (s *store) knownFolders() (map[string]string, map[string]watcher.Places, error) {
	rows, err := s.reader.Query(`SELECT path, shape, places FROM folders`)
	if err != nil {
		return nil, nil, s.readError(err)
	}
	all, places := map[string]string{}, map[string]watcher.Places{}
	_, err = collect(rows, func(rows *sql.Rows) (path string, err error) {
		var shape, text string
		if err := rows.Scan(&path, &shape, &text); err != nil {
			return "", err
		}
		var at watcher.Places
		if json.Unmarshal([]byte(text), &at) == nil { // what can't be read is not known
			places[path] = at
		}
		all[path] = shape
		return path, nil
	})
	return all, places, s.readError(err)
}

func (s *store) addFolder(path, shape string, places watcher.Places) error {
	at, err := json.Marshal(places)
	if err != nil {
		return err
	}
	return s.tx(func() error {
		_, err := s.exec(`INSERT INTO folders (path, shape, places) VALUES (?, ?, ?)
			ON CONFLICT (path) DO UPDATE SET shape = excluded.shape, places = excluded.places`, path, shape, string(at))
		return err
	})
}

func (s *store) forgetFolder(path string) error {
	return s.tx(func() error {
		_, err := s.exec(`DELETE FROM folders WHERE path = ?`, path)
		return err
	})
}

// imports returns what the last runs of scripts have imported, by the script's path.
func (s *store) imports() (map[string]imported, error) {
	rows, err := s.reader.Query(`SELECT script, folder, path, hash FROM imports`)
	if err != nil {
		return nil, s.readError(err)
	}
	all := map[string]imported{}
	_, err = collect(rows, func(rows *sql.Rows) (string, error) {
		var script, folder, path, hash string
		err := rows.Scan(&script, &folder, &path, &hash)
		if all[script].files == nil {
			all[script] = imported{folder, map[string]string{}}
		}
		all[script].files[path] = hash
		return path, err
	})
	return all, s.readError(err)
}

// setImports writes down what the last run of a script has imported.
func (s *store) setImports(script string, now imported) error {
	return s.tx(func() error {
		if _, err := s.exec(`DELETE FROM imports WHERE script = ?`, script); err != nil {
			return err
		}
		for path, hash := range now.files {
			if _, err := s.exec(`INSERT INTO imports (script, folder, path, hash) VALUES (?, ?, ?, ?)`, script, now.folder, path, hash); err != nil {
				return err
			}
		}
		return nil
	})
}
