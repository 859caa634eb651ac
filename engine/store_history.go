package engine

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// condition is what a filter asks of runs, as SQL. Each part chooses ids by an index alone, because
// the rows of runs are long: a filter over ten thousand runs reads some hundred pages, not all.
type condition struct {
	parts []string
	args  []any
}

// usualStates are the states that every run has that ends well. The other states have an index of their
// own, runs_failed.
var usualStates = []api.State{api.Queued, api.Running, api.Succeeded}

// conditionOf returns the condition of a filter; before, unless it is 0, is the id before which the
// runs are.
func conditionOf(f api.Filter, before int64) (c condition) {
	by := func(index, where string, args ...any) {
		c.parts = append(c.parts, "id IN (SELECT id FROM runs INDEXED BY "+index+" WHERE "+where+")")
		c.args = append(c.args, args...)
	}
	if f.Script != "" {
		by("runs_of_script", "folded = ? AND script = ?", strings.ToLower(f.Script), f.Script)
	}
	if f.Name != "" {
		by("runs_of_script", "instr(folded, ?) > 0", strings.ToLower(f.Name))
	}
	if f.Folder != "" {
		by("runs_folder", "folder <> '' AND folder = ?", f.Folder)
	}
	if f.Client != "" {
		by("runs_client", "client <> '' AND client = ?", f.Client)
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = string(state)
		}
		index, where := "runs_moments", ""
		if !slices.ContainsFunc(f.States, func(state api.State) bool { return slices.Contains(usualStates, state) }) {
			index, where = "runs_failed", "state <> 'queued' AND state <> 'running' AND state <> 'succeeded' AND "
		}
		by(index, where+"state IN (?"+strings.Repeat(", ?", len(states)-1)+")", states...)
	}
	if !f.Since.IsZero() {
		by("runs_moments", "queued_at >= ?", moment(f.Since))
	}
	if !f.Until.IsZero() {
		by("runs_moments", "queued_at < ?", moment(f.Until))
	}
	if f.Pinned {
		by("runs_pinned", "pinned = 1")
	}
	if before > 0 {
		c.parts, c.args = append(c.parts, "id < ?"), append(c.args, before)
	}
	return c
}

// moment returns a time as the database has it, in nanoseconds since 1970. Times that are too early or
// too late for that are the first and the last.
func moment(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// clause returns the condition with WHERE before it, or "" where it chooses all runs.
func (c condition) clause() string {
	if len(c.parts) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(c.parts, " AND ")
}

// listQuery returns what follows FROM runs to list at most limit runs, the newest first, and the
// arguments.
func listQuery(f api.Filter, before int64) (query string, args []any) {
	c := conditionOf(f, before)
	query, args = c.clause()+" ORDER BY id DESC LIMIT ?", append(c.args, f.Limit)
	if len(c.parts) > 1 || len(c.parts) == 1 && before == 0 {
		// Only the rows that are listed are read whole.
		query = "WHERE id IN (SELECT id FROM runs " + query + ") ORDER BY id DESC"
	}
	return query, args
}

// list returns the runs that match f, newest first.
func (s *store) list(ctx context.Context, f api.Filter, before int64) ([]*job, error) {
	query, args := listQuery(f, before)
	return s.jobs(ctx, query, args...)
}

// scriptsQuery returns the query for the ids of the runs that match f, with their scripts, in the
// order of the scripts.
func scriptsQuery(f api.Filter, before int64) (query string, args []any) {
	c := conditionOf(f, before)
	return "SELECT script, id FROM runs INDEXED BY runs_of_script " + c.clause() + " ORDER BY folded, script, id", c.args
}

// scripts returns the scripts of the runs that match f, at most f.Limit of them, the script with the
// newest run first, each with its last runs.
func (s *store) scripts(ctx context.Context, f api.Filter, before int64, last int) ([]api.ScriptRuns, error) {
	query, args := scriptsQuery(f, before)
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.readError(err)
	}
	type group struct {
		script string
		ids    []int64 // all of them, the oldest first
	}
	var groups []*group
	_, err = collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var script string
		var id int64
		err := rows.Scan(&script, &id)
		if n := len(groups); n == 0 || groups[n-1].script != script {
			groups = append(groups, &group{script: script})
		}
		g := groups[len(groups)-1]
		g.ids = append(g.ids, id)
		return struct{}{}, err
	})
	if err != nil {
		return nil, s.readError(err)
	}
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(b.ids[len(b.ids)-1], a.ids[len(a.ids)-1]) })
	groups = groups[:min(len(groups), f.Limit)]
	all := make([]api.ScriptRuns, len(groups))
	for i, g := range groups {
		all[i] = api.ScriptRuns{Script: g.script, Runs: len(g.ids)}
		newest := slices.Clone(g.ids[max(0, len(g.ids)-last):])
		slices.Reverse(newest)
		if all[i].Last, all[i].Folder, err = s.verdicts(ctx, newest); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// verdicts returns what is seen of runs with these ids in a list, and the folder of the first.
func (s *store) verdicts(ctx context.Context, ids []int64) (all []api.Verdict, folder string, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT id, state, queued_at, seconds, pinned, folder FROM runs
		WHERE id IN (?`+strings.Repeat(", ?", len(ids)-1)+`) ORDER BY id DESC`, args...)
	if err != nil {
		return nil, "", s.readError(err)
	}
	all, err = collect(rows, func(rows *sql.Rows) (v api.Verdict, err error) {
		var id, queued int64
		var of string
		err = rows.Scan(&id, &v.State, &queued, &v.Seconds, &v.Pinned, &of)
		if v.ID, v.QueuedAt = formatID(id), time.Unix(0, queued).UTC(); id == ids[0] {
			folder = of
		}
		return v, err
	})
	return all, folder, s.readError(err)
}

// pin writes down whether the history keeps a run for good. It changes nothing for a run that is not
// there.
func (s *store) pin(id int64, on bool) error {
	changed := int64(0)
	err := s.tx(func() error {
		res, err := s.exec(`UPDATE runs SET pinned = ? WHERE id = ? AND pinned <> ?`, on, id, on)
		if err == nil {
			changed, err = res.RowsAffected()
		}
		return err
	})
	if err == nil && changed > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pinned--; on {
			s.pinned += 2
		}
	}
	return err
}

// deleted is a run that was deleted, as far as its files need it.
type deleted struct{ id, queuedAt int64 }

// deleteRuns deletes the oldest runs that have ended and for which where holds, at most limit. It
// keeps which bytes the last run of a script had, with what is known of the script.
func (s *store) deleteRuns(where string, args []any, limit int) (gone []deleted, err error) {
	var freed int64
	pinned := 0
	err = s.tx(func() error {
		st, err := s.preparedLocked(`SELECT id, hash, coalesce((SELECT size FROM outputs WHERE run = id), 0), script,
				folder <> '' AND id = (SELECT max(id) FROM runs n WHERE n.folder <> '' AND n.folded = r.folded AND n.script = r.script),
				state, started_at IS NOT NULL, again, queued_at, pinned
			FROM runs r WHERE state NOT IN ('queued', 'running') AND (` + where + `) ORDER BY id LIMIT ?`)
		if err != nil {
			return err
		}
		rows, err := st.Query(append(slices.Clone(args), limit)...)
		if err != nil {
			return err
		}
		type old struct {
			lastRun
			size, queuedAt int64
			script         string
			last, pinned   bool
		}
		all, err := collect(rows, func(rows *sql.Rows) (o old, err error) {
			return o, rows.Scan(&o.id, &o.hash, &o.size, &o.script, &o.last, &o.state, &o.started, &o.again, &o.queuedAt, &o.pinned)
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
				if _, err := s.exec(`UPDATE scripts SET ran = ?, ran_id = ? WHERE path = ? AND ran_id < ?`, ran, o.id, o.script, o.id); err != nil {
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
			if freed += o.size; o.pinned {
				pinned++
			}
			gone = append(gone, deleted{o.id, o.queuedAt})
		}
		clear(s.codes)
		if len(gone) == 0 {
			return nil
		}
		_, err = s.exec(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'runs'`, s.last)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended -= len(gone)
	s.output -= freed
	s.pinned -= pinned
	return gone, nil
}

// pinnedRuns returns the ids of the runs that are pinned.
func (s *store) pinnedRuns() (map[string]bool, error) {
	rows, err := s.reader.Query(`SELECT id FROM runs WHERE pinned = 1`)
	if err != nil {
		return nil, s.readError(err)
	}
	all := map[string]bool{}
	_, err = collect(rows, func(rows *sql.Rows) (id int64, err error) {
		err = rows.Scan(&id)
		all[formatID(id)] = true
		return id, err
	})
	return all, s.readError(err)
}

// setPlace writes down where in the queue a run is.
func (s *store) setPlace(id, place int64) error {
	return s.tx(func() error {
		_, err := s.exec(`UPDATE runs SET place = ? WHERE id = ?`, place, id)
		return err
	})
}
