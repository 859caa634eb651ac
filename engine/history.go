package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

const (
	// defaultLast and maxLast are how many runs of each script [Engine.Scripts] returns.
	defaultLast = 10
	maxLast     = 50
)

// Scripts returns the scripts of the runs that match f, at most f.Limit of them (0 is 20), the script
// with the newest run first, each with its last runs of those that match; 0 is 10 runs.
func (e *Engine) Scripts(ctx context.Context, f api.Filter, last int) ([]api.ScriptRuns, error) {
	f, before, err := limited(f)
	if err != nil {
		return nil, err
	}
	if last <= 0 {
		last = defaultLast
	}
	e.writeLaterNow()
	scripts, err := e.store.scripts(ctx, f, before, min(last, maxLast))
	if err == nil {
		e.markAwaiting(scripts)
	}
	return scripts, err
}

// markAwaiting notes which of the runs wait for a machine of the farm; the database does not know that.
func (e *Engine) markAwaiting(scripts []api.ScriptRuns) {
	e.mu.Lock()
	defer e.mu.Unlock()
	awaiting := map[string]bool{}
	for _, j := range e.running {
		if j.run.AwaitsMachine() {
			awaiting[j.run.ID] = true
		}
	}
	for _, s := range scripts {
		for i := range s.Last {
			v := &s.Last[i]
			v.AwaitsMachine = v.State == api.Running && awaiting[v.ID]
		}
	}
}

// limited returns a filter with a limit, and the id before which runs are listed, or 0. It fails with
// [api.ErrBad] when that is no id.
func limited(f api.Filter) (api.Filter, int64, error) {
	if f.Limit <= 0 {
		f.Limit = defaultList
	}
	f.Limit = min(f.Limit, maxList)
	if f.Before == "" {
		return f, 0, nil
	}
	before, ok := parseID(f.Before)
	if !ok {
		return f, 0, fmt.Errorf("%w: before: %q is not the id of a run", api.ErrBad, f.Before)
	}
	return f, before, nil
}

// Pin has the history keep a run however old it gets, or ends that, and returns the run.
func (e *Engine) Pin(ctx context.Context, id string, on bool) (api.Run, error) {
	n, ok := parseID(id)
	if !ok {
		return api.Run{}, fmt.Errorf("%w: %q", api.ErrNotFound, id)
	}
	e.turn.Lock() // a run that ends meanwhile is written down with what it has in memory
	defer e.turn.Unlock()
	if err := e.writeLaterLocked(); err != nil {
		return api.Run{}, err
	}
	if err := e.store.pin(n, on); err != nil {
		return api.Run{}, err
	}
	e.mu.Lock()
	if j := e.liveLocked(n); j != nil {
		j.run.Pinned = on
	}
	e.mu.Unlock()
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return api.Run{}, err
	}
	// A run event would tell of an end that is long past.
	e.hub.publish(api.Event{Kind: api.KindHistory, ID: id})
	poke(e.tidy)
	return e.withPreview(j.run), nil
}

// DeleteRun deletes a run from the history, a pinned run, too, with its output and its picture. It
// fails with [api.ErrNotEnded] when the run waits or is running.
func (e *Engine) DeleteRun(ctx context.Context, id string) error {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return err
	}
	gone, err := e.deleteRuns("id = ?", []any{j.id}, 1)
	switch {
	case err != nil:
		return err
	case len(gone) == 0:
		return fmt.Errorf("%w: cancel run %s first, or wait for its end", api.ErrNotEnded, id)
	}
	e.removePreviews(gone)
	e.hub.publish(api.Event{Kind: api.KindHistory, ID: id})
	return nil
}

// ClearRuns deletes the runs that match f, whatever its limit, but those that are pinned, wait or are
// running. It returns how many it has deleted, also with an error.
func (e *Engine) ClearRuns(ctx context.Context, f api.Filter) (n int, err error) {
	f, before, err := limited(f)
	if err != nil {
		return 0, err
	}
	// What comes meanwhile stays.
	if now := time.Now(); f.Until.IsZero() || f.Until.After(now) {
		f.Until = now
	}
	c := conditionOf(f, before)
	c.parts = append(c.parts, "pinned = 0")
	defer func() {
		if n > 0 {
			e.hub.publish(api.Event{Kind: api.KindHistory})
			poke(e.tidy)
		}
	}()
	for ctx.Err() == nil { // others have their turn between two steps
		gone, err := e.deleteRuns(c.clause()[len("WHERE "):], c.args, pruneStep)
		if err != nil {
			return n, err
		}
		e.removePreviews(gone)
		if n += len(gone); len(gone) < pruneStep {
			return n, nil
		}
	}
	return n, ctx.Err()
}

// deleteRuns deletes runs as store.deleteRuns does, but those that the engine has not done with: whose
// end is not told yet or not written down, or which are to be repeated.
func (e *Engine) deleteRuns(where string, args []any, limit int) ([]deleted, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	if err := e.writeLaterLocked(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	kept, err := json.Marshal(slices.AppendSeq([]int64{}, maps.Keys(e.unsaved)))
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	where = "(" + where + ") AND id NOT IN (SELECT value FROM json_each(?))"
	return e.store.deleteRuns(where, append(slices.Clone(args), string(kept)), limit)
}

// removePreviews removes the pictures of runs that were deleted, and the thumbnails of what these runs have
// made. Of what can't be removed now, the oldest are removed when there are too many.
func (e *Engine) removePreviews(gone []deleted) {
	if len(gone) == 0 {
		return
	}
	runs := map[string]bool{}
	for _, d := range gone {
		runs[fmt.Sprintf("%s-%x", formatID(d.id), d.queuedAt)] = true
	}
	for _, dir := range []string{e.cfg.PreviewDir, e.cfg.ThumbnailDir} {
		entries, _ := os.ReadDir(dir) // there may be no pictures
		for _, entry := range entries {
			name := entry.Name()
			id, rest, _ := strings.Cut(name, "-")
			// A dot follows in the name of a preview, and a dash in the name of a thumbnail.
			at, _, _ := strings.Cut(rest, ".")
			at, _, _ = strings.Cut(at, "-")
			if filepath.Ext(name) == ".jpg" && runs[id+"-"+at] {
				_ = os.Remove(filepath.Join(dir, name))
			}
		}
	}
}
