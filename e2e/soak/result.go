//go:build linux

package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// result is what became of the saves.
type result struct {
	seed              uint64
	saves, runs       int
	byOther           int // saves by another user
	deaths            map[string]int
	cutOff            int // runs that had begun when the engine or Blender died
	lost, twice, torn []string
	orphans, stuck    []string
	cold, recoveries  []time.Duration
	kept              string // where everything lies when something is wrong
}

// bad returns how much is wrong.
func (r *result) bad() int {
	return len(r.lost) + len(r.twice) + len(r.torn) + len(r.orphans) + len(r.stuck)
}

// retold returns the source of a script with another token.
func retold(code []byte, old, token string) []byte {
	return bytes.ReplaceAll(code, []byte(old), []byte(token))
}

// compare compares what was saved with what has run. The engine has ended.
func (p *place) compare() (*result, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "runs.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(`SELECT id, script, hash, state, coalesce(error, '') LIKE '%did not take the run%', length(code) FROM runs JOIN codes USING (hash) ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &result{}
	p.mu.Lock()
	defer p.mu.Unlock()
	known := map[string]*save{}
	for _, s := range p.saved {
		known[s.hash] = s
	}
	cut := map[string]bool{}
	ran := map[string]string{} // the last state by the hash of the source
	for rows.Next() {
		var id int64
		var size int
		var script, hash, state string
		var refused bool
		if err := rows.Scan(&id, &script, &hash, &state, &refused, &size); err != nil {
			return nil, err
		}
		r.runs++
		s := known[hash]
		if s == nil {
			r.torn = append(r.torn, fmt.Sprintf("run %d of %s: %d bytes that nobody has saved as a whole (%s)", id, script, size, state))
			continue
		}
		ran[hash] = state
		switch {
		case state == "queued" || state == "running":
			r.stuck = append(r.stuck, fmt.Sprintf("run %d of %s is %s", id, script, state))
		case !p.done[s.token] && !refused && (state == "interrupted" || state == "crashed"):
			// The history says so. Blender may have died between what it writes down before the first
			// line and what the script writes in its first lines.
			r.cutOff++
			cut[s.token] = true
		case state == "failed" || p.torn[s.token] || state == "succeeded" && !p.done[s.token]:
			r.torn = append(r.torn, fmt.Sprintf("run %d of %s has %s, saved by %s", id, script, state, s.how))
		}
	}
	for token, n := range p.begun {
		if n > 1 {
			r.twice = append(r.twice, fmt.Sprintf("%s has begun %d times: %+v", token, n, p.saved[token]))
		}
	}
	r.saves = len(p.saved)
	for _, s := range p.saved {
		if p.others != "" && filepath.Dir(s.path) == p.others {
			r.byOther++
		}
	}
	for path, s := range p.latest {
		if p.begun[s.token] == 0 && !cut[s.token] {
			r.lost = append(r.lost, fmt.Sprintf("%s, saved by %s at %s: its run is %q", path, s.how, s.at.Format("15:04:05.000"), ran[s.hash]))
		}
	}
	return r, rows.Err()
}

// print prints the table.
func (r *result) print(to io.Writer) {
	for _, list := range [][]string{r.lost, r.twice, r.torn, r.orphans, r.stuck} {
		for _, text := range list[:min(len(list), 20)] {
			fmt.Fprintln(to, "soak: wrong:", text)
		}
	}
	deaths := 0
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	fmt.Fprintln(w)
	line("seed", r.seed)
	line("saves", r.saves)
	line("  by another user", r.byOther)
	line("runs", r.runs)
	for _, name := range slices.Sorted(maps.Keys(r.deaths)) {
		deaths += r.deaths[name]
		line("  "+name, r.deaths[name])
	}
	line("deaths", deaths)
	line("runs cut off", r.cutOff)
	line("lost", len(r.lost))
	line("twice", len(r.twice))
	line("torn", len(r.torn))
	line("orphans", len(r.orphans))
	line("stuck", len(r.stuck))
	line("recovery p50", quantile(r.recoveries, 50))
	line("recovery p99", quantile(r.recoveries, 99))
	line("a cold start p50", quantile(r.cold, 50))
	_ = w.Flush() // the terminal may be gone
	if r.kept != "" {
		fmt.Fprintln(to, "soak: everything is in", r.kept)
	}
}

// quantile returns the time below which n of a hundred lie.
func quantile(times []time.Duration, n int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, len(sorted)*n/100)].Round(time.Millisecond)
}
