package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/watcher"
)

// insert holds a run and everything that is written down in the same transaction.
type insert struct {
	job  *job
	code []byte
	// replaces is the queued run whose place the new run takes, or nil.
	replaces *job
	// path and stamp, when path is not "", are the script and what is known of it from now on.
	path  string
	stamp watcher.Stamp
	// sent is when the run is about to be sent, or the zero time for a run that waits.
	sent time.Time
	// reserved: the job has its id already; see [store.reserve].
	reserved bool
	// last is the run as it has ended, or nil.
	last *api.Run
}

// reserve gives a job an id, under which the run is written down later, and its place. The id is never
// given again, unless the process ends before.
func (s *store) reserve(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	j.id, j.place = s.last, s.last
	j.run.ID = formatID(j.id)
}

// insert writes a run down as queued and sets its id and its place.
func (s *store) insert(in insert) error {
	if err := s.tx(func() error { return s.insertLocked(in) }); err != nil {
		return err
	}
	if in.replaces != nil {
		s.count(1, 0)
	}
	return nil
}

// insertRunning writes a run down as about to be sent, and sets its id and its place. It calls begin
// when the id is set, before anything of the run is in the database. It calls besides at the end of
// the transaction.
func (s *store) insertRunning(in insert, at time.Time, begin func(), besides func() error) error {
	in.sent = at
	return s.tx(func() error {
		if err := s.insertLocked(in); err != nil {
			return err
		}
		begin()
		return besides()
	})
}

// record writes down a run that was made and has ended without an engine, with its output.
func (s *store) record(in insert, out kept) error {
	err := s.tx(func() error {
		if err := s.insertLocked(in); err != nil {
			return err
		}
		if err := s.finishLocked(in.job.id, &in.job.run); err != nil {
			return err
		}
		return s.endLocked(in.job.id, out, false)
	})
	if err == nil {
		s.count(1, int64(len(out.text)))
	}
	return err
}

// adopt writes down a run with an id that the engine before has given, under that id.
func (s *store) adopt(in insert) error {
	err := s.tx(func() error { return s.insertLocked(in) })
	if err == nil {
		s.mu.Lock()
		s.last = max(s.last, in.job.id)
		s.mu.Unlock()
	}
	return err
}

// insertEnded writes down a run that has ended, as in.last says, with its output, and whether a save of the
// same bytes is to run again.
func (s *store) insertEnded(in insert, out kept, again bool) error {
	err := s.tx(func() error {
		if err := s.insertLocked(in); err != nil {
			return err
		}
		return s.endLocked(in.job.id, out, again)
	})
	if err == nil {
		s.count(1, int64(len(out.text)))
	}
	return err
}

// endLocked writes down within a transaction what has no place in the row of a run: its output, and
// whether a save of the same bytes is to run again. It needs mu.
func (s *store) endLocked(id int64, out kept, again bool) error {
	if again {
		if _, err := s.exec(`UPDATE runs SET again = 1 WHERE id = ?`, id); err != nil {
			return err
		}
	}
	if out.text == "" {
		return nil
	}
	return s.putOutput(id, out)
}

// insertLocked does the work of insert within a transaction. It needs mu.
func (s *store) insertLocked(in insert) error {
	j := in.job
	args, err := jsonOr("[]", j.run.Args, j.run.Args != nil && len(j.run.Args) == 0)
	if err != nil {
		return fmt.Errorf("%w: args: %w", api.ErrBad, err)
	}
	var place any
	if in.replaces != nil {
		place = in.replaces.place
	}
	limits, err := jsonOr("{}", j.run.Limits, j.run.Limits == (api.Limits{}))
	if err != nil {
		return fmt.Errorf("%w: limits: %w", api.ErrBad, err)
	}
	render, err := jsonOrNull(j.run.Render, j.run.Render == nil)
	if err != nil {
		return fmt.Errorf("%w: render: %w", api.ErrBad, err)
	}
	retryOf, _ := parseID(j.run.RetryOf)
	writtenBy, _ := parseID(j.run.WrittenBy)
	state, started, attempts := string(api.Queued), any(nil), 0
	if !in.sent.IsZero() {
		state, started, attempts = string(api.Running), in.sent.UnixNano(), 1
	}
	if err := s.putCodeLocked(j.run.SHA256, in.code); err != nil {
		return err
	}
	end, err := endOf(in.last)
	if err != nil {
		return err
	}
	if in.last != nil {
		state, started = end.state, end.started
	}
	id := j.id
	if !in.reserved {
		id = s.last + 1
	}
	_, err = s.exec(`INSERT INTO runs (id, place, script, folded, is_file, dir, hash, scene, args,
			time_limit, source, folder, retry_of, queued_at, key, client, origin, blender, isolation,
			leftover, limits, repeats, written_by, chain, session,
			render, echo, confined, attempts,
			state, started_at, reason, finished_at, seconds, output_bytes, error, result, outputs, blender_version, exit_code)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, place, j.run.Script, strings.ToLower(j.run.Script), j.isFile, j.dir, j.run.SHA256, j.run.Scene, args,
		int64(j.limit), string(j.run.Source), j.run.Folder, retryOf, j.run.QueuedAt.UnixNano(),
		j.run.Key, j.run.Client, j.run.Origin, j.run.Blender, j.run.Isolation.String(), j.run.Leftover.String(), limits,
		j.repeats, writtenBy, j.chain.len(), j.run.Session,
		render, j.echo, j.confined, attempts,
		state, started, end.reason, end.finished, end.seconds, end.outputBytes, end.failure, end.result, end.outputs, end.version, end.exitCode)
	if err != nil {
		return err
	}
	if !in.reserved {
		s.last, j.id, j.place = id, id, id
		j.run.ID = formatID(id)
	}
	if in.replaces != nil {
		j.place = in.replaces.place
		if _, err := s.exec(`UPDATE runs SET state = ?, reason = ?, finished_at = ? WHERE id = ?`,
			string(api.Cancelled), replacedBy(j.id), j.run.QueuedAt.UnixNano(), in.replaces.id); err != nil {
			return err
		}
	}
	if in.path != "" {
		return s.stamp(in.path, in.stamp)
	}
	return nil
}

// putCodeLocked writes down a source within a transaction, unless the database has that source. It needs mu.
func (s *store) putCodeLocked(hash string, code []byte) error {
	if s.codes[hash] {
		return nil
	}
	if _, err := s.exec(`INSERT OR IGNORE INTO codes (hash, code) VALUES (?, ?)`, hash, blob(code)); err != nil {
		return err
	}
	if len(s.codes) >= mostCodes {
		clear(s.codes)
	}
	s.codes[hash] = true
	return nil
}

// count updates the numbers that pruning looks at.
func (s *store) count(ended int, output int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended += ended
	s.output += output
}

// blob returns b, or an empty slice for nil, so that SQLite does not store an empty script as
// NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func replacedBy(id int64) string { return fmt.Sprintf("replaced by %d", id) }

// stamp writes down within a transaction what is known of a script.
func (s *store) stamp(path string, st watcher.Stamp) error {
	_, err := s.exec(`INSERT INTO scripts (path, size, mtime, hash, taken_at, changed, inode, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime = excluded.mtime,
			hash = excluded.hash, taken_at = excluded.taken_at,
			changed = excluded.changed, inode = excluded.inode, born = excluded.born`,
		path, st.Size, st.ModTime.UnixNano(), st.Hash, time.Now().UnixNano(), st.Changed, int64(st.Inode), st.Born)
	return err
}

// noteStamp writes down what is known of a script that does not run.
func (s *store) noteStamp(path string, st watcher.Stamp) error {
	return s.tx(func() error { return s.stamp(path, st) })
}

// noteCarried writes down what is known of a script that was renamed: its stamp, and the bytes of its
// last run, or "".
func (s *store) noteCarried(path string, st watcher.Stamp, ran string) error {
	return s.tx(func() error {
		if err := s.stamp(path, st); err != nil {
			return err
		}
		_, err := s.exec(`UPDATE scripts SET ran = ?, ran_id = (SELECT coalesce(max(id), 0) FROM runs) WHERE path = ?`, ran, path)
		return err
	})
}

// noteRan writes down the bytes of the last run of a script, or "", where the history has that run
// under another path.
func (s *store) noteRan(path, ran string) error {
	return s.tx(func() error {
		_, err := s.exec(`UPDATE scripts SET ran = ? WHERE path = ?`, ran, path)
		return err
	})
}

// setRunning writes down that a run is about to be sent. It calls besides at the beginning of the
// transaction.
func (s *store) setRunning(id int64, at time.Time, besides func() error) error {
	return s.tx(func() error {
		if err := besides(); err != nil {
			return err
		}
		return s.startLocked(id, at)
	})
}

// startLocked does the work of setRunning within a transaction. It needs mu.
func (s *store) startLocked(id int64, at time.Time) error {
	_, err := s.exec(`UPDATE runs SET state = ?, started_at = ?, attempts = attempts + 1 WHERE id = ?`,
		string(api.Running), at.UnixNano(), id)
	return err
}

// setQueued writes down that a run waits again, after so many repeats.
func (s *store) setQueued(id int64, repeats int32) error {
	return s.tx(func() error { return s.queueLocked(id, repeats) })
}

// queueLocked does the work of setQueued within a transaction. It needs mu.
func (s *store) queueLocked(id int64, repeats int32) error {
	_, err := s.exec(`UPDATE runs SET state = ?, started_at = NULL, reason = '', output_bytes = 0, repeats = ? WHERE id = ?`,
		string(api.Queued), repeats, id)
	return err
}

// setBlender writes down in which Blender a queued run is to be executed.
func (s *store) setBlender(id int64, name string) error {
	return s.tx(func() error {
		_, err := s.exec(`UPDATE runs SET blender = ? WHERE id = ?`, name, id)
		return err
	})
}

// setRendered writes down which frames of a run are there. The run has begun, so that it was sent does
// not count any more.
func (s *store) setRendered(id int64, r rendered) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.tx(func() error {
		_, err := s.exec(`UPDATE runs SET rendered = ?, attempts = 0 WHERE id = ?`, string(text), id)
		return err
	})
}

// setOutput writes down what a current run has printed so far: n bytes, of which out is kept.
func (s *store) setOutput(id, n int64, out kept) error {
	return s.tx(func() error {
		if _, err := s.exec(`UPDATE runs SET output_bytes = ? WHERE id = ?`, n, id); err != nil {
			return err
		}
		return s.putOutput(id, out)
	})
}

// putOutput writes down the kept output of a run within a transaction.
func (s *store) putOutput(id int64, out kept) error {
	_, err := s.exec(`INSERT OR REPLACE INTO outputs (run, size, text, cut_at, cut) VALUES (?, ?, ?, ?, ?)`,
		id, len(out.text), out.text, out.at, out.cut)
	return err
}

// finish writes down how a run ended, with the kept output, and whether a save of the same bytes is
// to run again. It may be called again for the same run.
func (s *store) finish(id int64, r *api.Run, out kept, again bool) error {
	err := s.tx(func() error {
		if err := s.finishLocked(id, r); err != nil {
			return err
		}
		return s.endLocked(id, out, again)
	})
	if err == nil {
		s.count(1, int64(len(out.text)))
	}
	return err
}

// finishLocked does the work of finish within a transaction. It needs mu.
func (s *store) finishLocked(id int64, r *api.Run) error {
	end, err := endOf(r)
	if err != nil {
		return err
	}
	_, err = s.exec(`UPDATE runs SET state = ?, reason = ?, started_at = ?, finished_at = ?, seconds = ?,
			output_bytes = ?, error = ?, result = ?, outputs = ?, blender_version = ?, exit_code = ? WHERE id = ?`,
		end.state, end.reason, end.started, end.finished, end.seconds,
		end.outputBytes, end.failure, end.result, end.outputs, end.version, end.exitCode, id)
	return err
}

// end is how a run has ended, as the columns of the database have it; the zero value is a run that has not.
type end struct {
	state, reason, version             string
	started, finished                  any
	seconds                            float64
	outputBytes                        int64
	failure, result, outputs, exitCode any
}

// endOf returns the columns of a run that has ended, or of nil for a run that has not. It fails when a part
// can't be made JSON.
func endOf(r *api.Run) (e end, err error) {
	if r == nil {
		return end{}, nil
	}
	e = end{
		state: string(r.State), reason: r.Reason, version: r.BlenderVersion, started: nanos(r.StartedAt), finished: nanos(r.FinishedAt),
		seconds: r.Seconds, outputBytes: r.OutputBytes, exitCode: r.ExitCode,
	}
	if e.failure, err = jsonOrNull(r.Error, r.Error == nil); err != nil {
		return end{}, err
	}
	if e.result, err = jsonOrNull(r.Result, len(r.Result) == 0); err != nil {
		return end{}, err
	}
	e.outputs, err = jsonOrNull(r.Outputs, len(r.Outputs) == 0)
	return e, err
}

func jsonOrNull(v any, null bool) (any, error) {
	if null {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// jsonOr returns v as JSON, or usual, where is says that usual is that JSON.
func jsonOr(usual string, v any, is bool) (string, error) {
	if is {
		return usual, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func nanos(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixNano()
}

func timeOf(n sql.NullInt64) *time.Time {
	if !n.Valid {
		return nil
	}
	t := time.Unix(0, n.Int64).UTC()
	return &t
}

// inState chooses the runs of a state without a look at the long rows of the other runs.
const inState = `id IN (SELECT id FROM runs INDEXED BY runs_moments WHERE state = ?)`

// left returns the runs that were running when the last engine ended, oldest first.
func (s *store) left() ([]*job, error) {
	return s.jobs(context.Background(), `WHERE `+inState+` ORDER BY id`, string(api.Running))
}

// interrupt writes down that a run was interrupted at a time, for a reason. With again, that run is
// written down in the same transaction: it repeats the interrupted run.
func (s *store) interrupt(id int64, at time.Time, reason string, again *insert) error {
	err := s.tx(func() error {
		_, err := s.exec(`UPDATE runs SET state = ?, reason = ?, finished_at = max(?, started_at) WHERE id = ?`,
			string(api.Interrupted), reason, at.UnixNano(), id)
		if err != nil || again == nil {
			return err
		}
		return s.insertLocked(*again)
	})
	if err == nil {
		s.count(1, 0)
	}
	return err
}

func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) (all []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

const runColumns = `id, coalesce(place, id), script, is_file, dir, hash, scene, args, time_limit, source, folder,
	retry_of, state, reason, queued_at, started_at, finished_at, seconds, output_bytes, error, result, outputs, blender_version,
	key, client, origin, blender, isolation, exit_code, leftover, limits, attempts, repeats, written_by, chain, session,
	render, rendered, pinned, echo, confined`

// scanJob returns the job in a row of runColumns.
func scanJob(rows *sql.Rows) (*job, error) {
	var (
		j                        = &job{}
		r                        = &j.run
		args, state, source      string
		isolation                string
		leftover, limits         string
		limit, retryOf, queuedAt int64
		writtenBy                int64
		chained                  int
		started, finished        sql.NullInt64
		failure, result, outputs sql.NullString
		render, frames           sql.NullString
	)
	if err := rows.Scan(&j.id, &j.place, &r.Script, &j.isFile, &j.dir, &r.SHA256, &r.Scene, &args, &limit, &source,
		&r.Folder, &retryOf, &state, &r.Reason, &queuedAt, &started, &finished, &r.Seconds, &r.OutputBytes,
		&failure, &result, &outputs, &r.BlenderVersion, &r.Key, &r.Client, &r.Origin, &r.Blender, &isolation, &r.ExitCode,
		&leftover, &limits, &j.attempts, &j.repeats, &writtenBy, &chained, &r.Session,
		&render, &frames, &r.Pinned, &j.echo, &j.confined); err != nil {
		return nil, err
	}
	r.ID, r.RetryOf, r.WrittenBy = formatID(j.id), formatID(retryOf), formatID(writtenBy)
	if chained > 0 { // the names of its scripts are forgotten with the engine
		j.chain = &chain{length: chained, began: time.Unix(0, queuedAt), sure: true}
	}
	r.State, r.Source = api.State(state), api.Source(source)
	r.QueuedAt = time.Unix(0, queuedAt).UTC()
	r.StartedAt, r.FinishedAt = timeOf(started), timeOf(finished)
	if err := r.Isolation.UnmarshalText([]byte(isolation)); err != nil {
		return nil, fmt.Errorf("isolation of run %d: %w", j.id, err)
	}
	if err := r.Leftover.UnmarshalText([]byte(leftover)); err != nil {
		return nil, fmt.Errorf("leftover of run %d: %w", j.id, err)
	}
	if err := json.Unmarshal([]byte(limits), &r.Limits); err != nil {
		return nil, fmt.Errorf("limits of run %d: %w", j.id, err)
	}
	j.limit = time.Duration(limit)
	r.TimeLimitSeconds = j.limit.Seconds()
	r.Args, r.Outputs = []string{}, []string{}
	if err := json.Unmarshal([]byte(args), &r.Args); err != nil {
		return nil, fmt.Errorf("args of run %d: %w", j.id, err)
	}
	if failure.Valid {
		r.Error = &api.ScriptError{}
		if err := json.Unmarshal([]byte(failure.String), r.Error); err != nil {
			return nil, fmt.Errorf("error of run %d: %w", j.id, err)
		}
	}
	if result.Valid {
		r.Result = json.RawMessage(result.String)
	}
	if outputs.Valid {
		if err := json.Unmarshal([]byte(outputs.String), &r.Outputs); err != nil {
			return nil, fmt.Errorf("outputs of run %d: %w", j.id, err)
		}
	}
	if render.Valid {
		r.Render = &api.Render{}
		if err := json.Unmarshal([]byte(render.String), r.Render); err != nil {
			return nil, fmt.Errorf("render of run %d: %w", j.id, err)
		}
	}
	if frames.Valid {
		if err := json.Unmarshal([]byte(frames.String), &j.rendered); err != nil {
			return nil, fmt.Errorf("frames of run %d: %w", j.id, err)
		}
	}
	return j, nil
}

// queued returns the waiting runs, in their order.
func (s *store) queued() ([]*job, error) {
	return s.jobs(context.Background(), `WHERE `+inState+` ORDER BY coalesce(place, id), id`, string(api.Queued))
}

func (s *store) jobs(ctx context.Context, where string, args ...any) ([]*job, error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT "+runColumns+" FROM runs "+where, args...)
	if err != nil {
		return nil, s.readError(err)
	}
	all, err := collect(rows, scanJob)
	return all, s.readError(err)
}

func (s *store) get(ctx context.Context, id int64) (*job, error) {
	all, err := s.jobs(ctx, "WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: %d", api.ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// outputOf returns the kept output of a run.
func (s *store) outputOf(ctx context.Context, id int64) (out kept, err error) {
	err = s.reader.QueryRowContext(ctx, "SELECT text, cut_at, cut FROM outputs WHERE run = ?", id).Scan(&out.text, &out.at, &out.cut)
	if errors.Is(err, sql.ErrNoRows) {
		return kept{}, nil
	}
	return out, s.readError(err)
}

// byKey returns the run that was made with a client's key, or nil.
func (s *store) byKey(ctx context.Context, key string) (*job, error) {
	all, err := s.jobs(ctx, "WHERE key = ?", key)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func (s *store) code(ctx context.Context, id int64) (code []byte, err error) {
	err = s.reader.QueryRowContext(ctx, "SELECT code FROM runs JOIN codes USING (hash) WHERE id = ?", id).Scan(&code)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %d", api.ErrNotFound, id)
	}
	return blob(code), s.readError(err)
}

// before returns the id of the run before j of the same script, or 0. Code that is no file has only a
// name, which different code may share: it is the same script in the same session.
func (s *store) before(ctx context.Context, j *job) (id int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT id FROM runs WHERE folded = ? AND script = ? AND id < ?
			AND (is_file OR session = ?) ORDER BY id DESC LIMIT 1`,
		strings.ToLower(j.run.Script), j.run.Script, j.id, j.run.Session).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, s.readError(err)
}

func (s *store) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case s.isClosed():
		return api.ErrStopping
	case damaged(err):
		s.suspect()
		return fmt.Errorf("the run history %s is damaged, restart the engine: the file is then moved aside, and what can be read of it is saved in a new one (%w)", s.path, err)
	}
	return fmt.Errorf("read the run history %s: %w", s.path, err)
}
