package engine

import (
	"context"
	"fmt"
)

// schema holds the steps from an empty database to today's form. PRAGMA user_version counts the
// finished steps. A released step is never changed; a change of the form is a new step.
var schema = []string{`
CREATE TABLE codes (
	hash TEXT PRIMARY KEY,   -- SHA-256, lower-case hex
	code BLOB NOT NULL
);
CREATE TABLE runs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	place INTEGER,           -- where in the queue, as the id of the run it replaced; null: its own id
	script TEXT NOT NULL,    -- path or name
	folded TEXT NOT NULL,    -- the same in lower case, to be searched
	is_file INTEGER NOT NULL,
	dir TEXT NOT NULL,
	hash TEXT NOT NULL REFERENCES codes (hash),
	scene TEXT NOT NULL,
	args TEXT NOT NULL,      -- JSON
	time_limit INTEGER NOT NULL,  -- this and all times: nanoseconds, since 1970 UTC
	source TEXT NOT NULL,
	folder TEXT NOT NULL,
	retry_of INTEGER NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL DEFAULT '',
	queued_at INTEGER NOT NULL,
	started_at INTEGER,      -- while it runs: when it was sent
	finished_at INTEGER,
	seconds REAL NOT NULL DEFAULT 0,
	output_bytes INTEGER NOT NULL DEFAULT 0,
	error TEXT,              -- JSON, as result
	result TEXT,
	outputs TEXT,            -- JSON
	blender_version TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_state ON runs (state, id);
CREATE INDEX runs_hash ON runs (hash);
CREATE INDEX runs_script ON runs (script, id) WHERE folder <> '';
CREATE TABLE outputs (
	run INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
	size INTEGER NOT NULL,
	text TEXT NOT NULL
);
CREATE TABLE scripts (
	path TEXT PRIMARY KEY,
	size INTEGER NOT NULL,
	mtime INTEGER NOT NULL,
	hash TEXT NOT NULL,
	taken_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE folders (
	path TEXT PRIMARY KEY,   -- a folder that was scanned to the end
	shape TEXT NOT NULL      -- which files in it were looked at: JSON
) WITHOUT ROWID;
`, `
ALTER TABLE runs ADD COLUMN key TEXT NOT NULL DEFAULT '';      -- the client's, or ''
ALTER TABLE runs ADD COLUMN client TEXT NOT NULL DEFAULT '';   -- who asked for the run
ALTER TABLE runs ADD COLUMN origin TEXT NOT NULL DEFAULT '';   -- the machine on which it was made
ALTER TABLE runs ADD COLUMN isolation TEXT NOT NULL DEFAULT 'scene';
UPDATE runs SET isolation = 'keep' WHERE scene = 'keep';
ALTER TABLE runs ADD COLUMN blender TEXT NOT NULL DEFAULT '';  -- the Blender that it asks for, or ''
ALTER TABLE runs ADD COLUMN session TEXT NOT NULL DEFAULT '';  -- the session in which it goes on, or ''
ALTER TABLE runs ADD COLUMN echo INTEGER NOT NULL DEFAULT 0;        -- 1: the value of its last expression is shown
ALTER TABLE runs ADD COLUMN confined INTEGER NOT NULL DEFAULT 0;    -- 1: its session begins in a confined Blender
ALTER TABLE runs ADD COLUMN exit_code INTEGER;
ALTER TABLE runs ADD COLUMN leftover TEXT NOT NULL DEFAULT 'blender';
ALTER TABLE runs ADD COLUMN limits TEXT NOT NULL DEFAULT '{}'; -- JSON
ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;    -- how often it was sent
ALTER TABLE runs ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;     -- how often it was repeated by itself
ALTER TABLE runs ADD COLUMN again INTEGER NOT NULL DEFAULT 0;       -- 1: a save of its bytes runs again
ALTER TABLE runs ADD COLUMN written_by INTEGER NOT NULL DEFAULT 0;  -- the run that wrote the script
ALTER TABLE runs ADD COLUMN chain INTEGER NOT NULL DEFAULT 0;       -- so many runs in a row wrote a script
ALTER TABLE runs ADD COLUMN render TEXT;                            -- JSON: what it renders, or null
ALTER TABLE runs ADD COLUMN rendered TEXT;                          -- JSON: which frames of that are there
ALTER TABLE scripts ADD COLUMN ran TEXT NOT NULL DEFAULT '';   -- the bytes of its last run, which was deleted
ALTER TABLE scripts ADD COLUMN ran_id INTEGER NOT NULL DEFAULT 0;  -- older runs of its path say nothing of it
ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;      -- 1: the history keeps it
DROP INDEX runs_script;
CREATE INDEX runs_folder ON runs (folder, id) WHERE folder <> '';
CREATE INDEX runs_client ON runs (client, id) WHERE client <> '';
CREATE INDEX runs_queued ON runs (queued_at, id);
CREATE INDEX runs_pinned ON runs (id) WHERE pinned = 1;
CREATE INDEX runs_of_script ON runs (folded, script, id);
CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key <> '';
ALTER TABLE scripts ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;  -- the change of the inode; 0: unknown
ALTER TABLE scripts ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scripts ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folders ADD COLUMN places TEXT NOT NULL DEFAULT '{}';  -- the file systems it lies on: JSON
ALTER TABLE outputs ADD COLUMN cut_at INTEGER NOT NULL DEFAULT 0;  -- where in text
ALTER TABLE outputs ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;     -- so many bytes are missing
CREATE TABLE imports (     -- what the last run of a script has imported from watched folders
	script TEXT NOT NULL,
	folder TEXT NOT NULL,    -- the script's
	path TEXT NOT NULL,
	hash TEXT NOT NULL,      -- of the bytes that were loaded
	PRIMARY KEY (script, path)
) WITHOUT ROWID;
`, `
-- Each index and each table that a run changes is a page that the run writes. The state of a run that ends well
-- changes in the index of moments alone, whose last page each new run changes anyway.
DROP INDEX runs_state;
DROP INDEX runs_queued;
CREATE INDEX runs_moments ON runs (queued_at, state);
-- For a list of three states SQLite would make a table in memory for each change of a run.
CREATE INDEX runs_failed ON runs (state, id) WHERE state <> 'queued' AND state <> 'running' AND state <> 'succeeded';
-- SQLite writes each new id of an AUTOINCREMENT into sqlite_sequence. The store counts the ids itself, and writes
-- the largest id there when it deletes runs: see store.last. To take the word away is a change of the text alone.
PRAGMA writable_schema = 1;
UPDATE sqlite_schema SET sql = replace(sql, ' AUTOINCREMENT', '') WHERE name = 'runs';
PRAGMA writable_schema = RESET;
INSERT INTO sqlite_sequence (name, seq) SELECT 'runs', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'runs');
`}

// migrate brings the database to today's form, each step in a transaction of its own. It fails
// when a step fails or a newer version made the database.
func (s *store) migrate(ctx context.Context) error {
	var version int
	if err := s.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schema) {
		return fmt.Errorf("it was written by a newer Blendtray (form %d, this one knows %d): "+
			"install that version again, or move the file away to begin a new history", version, len(schema))
	}
	for ; version < len(schema); version++ {
		step := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", schema[version], version+1)
		if _, err := s.conn.ExecContext(ctx, step); err != nil {
			// The error above matters; without an open transaction ROLLBACK fails too.
			_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
			return fmt.Errorf("bring it to form %d: %w", version+1, err)
		}
	}
	return nil
}
