package engine

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"blendtray/api"
	"blendtray/watcher"
)

// A helper is a module that scripts import and that is no script itself. When a helper has other bytes
// than those that the last run of a script has imported, the script is stale, and runs again as its
// folder says. A watcher of its own watches the files of helpers, because that of scripts leaves out
// what is no script.

const (
	// helperQuiet is for how long no helper must be saved before stale scripts run, so that a
	// script runs once after several helpers were saved together; helperMost is the longest wait.
	helperQuiet = 250 * time.Millisecond
	helperMost  = 2 * time.Second
)

// imported is what the last run of a script has imported.
type imported struct {
	folder string            // the watched folder of the script
	files  map[string]string // the hashes of the bytes that were loaded, by path
}

// helper is the file of a module as it is now.
type helper struct {
	hash string
	from origin
}

// helpers is what is known of helpers.
type helpers struct {
	// watched are the paths of all files that are helpers. The watcher asks for it with locks held.
	watched atomic.Pointer[map[string]bool]
	// again gets a signal when there may be other helpers, stale when scripts may have become stale.
	again, stale chan struct{}

	// Engine.mu guards the following fields.

	imports map[string]imported // by the path of the script
	now     map[string]helper   // by path
	watcher Watcher             // nil before there was a helper
	waiting map[string][]string // the stale scripts that wait for a person, by folder
}

func newHelpers() helpers {
	return helpers{
		again: make(chan struct{}, 1), stale: make(chan struct{}, 1),
		imports: map[string]imported{}, now: map[string]helper{}, waiting: map[string][]string{},
	}
}

// watches reports whether a file is a helper.
func (h *helpers) watches(path string) bool {
	all := h.watched.Load()
	return all != nil && (*all)[path]
}

// recordImportsLocked writes down what a run has imported that has ended by itself. It needs turn.
func (e *Engine) recordImportsLocked(j *job) {
	if j.run.Folder == "" || !j.isFile || j.run.State != api.Succeeded && j.run.State != api.Failed || j.run.StartedAt == nil {
		return
	}
	if j.run.OnFarm() && j.imports == nil {
		return // the farm does not know what it has imported
	}
	e.mu.Lock()
	old := e.helpers.imports[j.run.Script]
	files := map[string]string{}
	for _, one := range j.imports {
		if path := e.watchedNameLocked(one[0]); path != j.run.Script {
			files[path] = one[1]
		}
	}
	e.mu.Unlock()
	if old.folder == j.run.Folder && maps.Equal(old.files, files) || old.folder == "" && len(files) == 0 {
		poke(e.helpers.stale) // a helper may have been saved while the script was running
		return
	}
	e.setImportsLocked(j.run.Script, imported{j.run.Folder, files})
	poke(e.helpers.again)
	poke(e.helpers.stale)
}

// setImportsLocked notes and writes down what the last run of a script has imported. It needs turn.
func (e *Engine) setImportsLocked(script string, now imported) {
	e.mu.Lock()
	e.helpers.imports[script] = now
	if len(now.files) == 0 {
		delete(e.helpers.imports, script)
	}
	e.mu.Unlock()
	if err := e.store.setImports(script, now); err != nil {
		e.log.Warn("cannot write down what a script imports", "script", script, "error", err)
	}
}

// watchedNameLocked returns the path of a file below the watched folder that leads to it, where a
// script names the file by another path. It needs mu.
func (e *Engine) watchedNameLocked(path string) string {
	for _, f := range e.folders {
		if rest, ok := strings.CutPrefix(path, f.real+string(filepath.Separator)); ok && f.real != "" {
			return filepath.Join(f.policy.Path, rest)
		}
	}
	return path
}

// isHelper reports whether a file that scripts of a folder import is a helper: it is no script of the
// folder, or it belongs to a package.
func isHelper(f api.WatchSettings, path string) bool {
	if !watcher.IsScript(f, path) {
		return true
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(path), "__init__.py"))
	return err == nil
}

// keepHelpers watches helpers and runs the scripts that have become stale, until ctx ends.
func (e *Engine) keepHelpers(ctx context.Context) {
	var watching group
	defer func() {
		watching.cancel()
		watching.wait(stopLimit)
	}()
	var first time.Time // when the first signal came that was not followed yet
	var due <-chan time.Time
	poke(e.helpers.again)
	poke(e.helpers.stale) // those that were stale when the last engine ended
	for {
		select {
		case <-e.helpers.again:
			e.watchHelpers(&watching)
		case <-e.helpers.stale:
			if due == nil {
				first = time.Now()
			}
			due = time.After(max(0, min(helperQuiet, helperMost-time.Since(first))))
		case <-due:
			due = nil
			e.settleStale(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// watchHelpers has the watcher of helpers watch what scripts import now.
func (e *Engine) watchHelpers(watching *group) {
	type wanted struct {
		folder api.WatchSettings
		path   string
	}
	var all []wanted
	e.mu.Lock()
	for _, one := range e.helpers.imports {
		f := e.folders[one.folder]
		if f == nil || f.refused != "" || f.policy.OnHelper == api.OnHelperOff {
			continue
		}
		for path := range one.files {
			all = append(all, wanted{f.policy.WatchSettings, path})
		}
	}
	w, paused := e.helpers.watcher, e.paused
	e.mu.Unlock()
	files, dirs := map[string]bool{}, map[string]api.WatchSettings{}
	for _, one := range all {
		if files[one.path] || !isHelper(one.folder, one.path) {
			continue
		}
		files[one.path] = true
		if !watcher.IsScript(one.folder, one.path) { // else the watcher of scripts tells of it
			dir := one.folder
			dir.Path, dir.Recursive, dir.Include, dir.Exclude = filepath.Dir(one.path), false, nil, nil
			dirs[dir.Path] = dir
		}
	}
	before := e.helpers.watched.Swap(&files)
	poke(e.helpers.stale) // one of them may have been saved before it was known as a helper
	if w == nil && len(dirs) == 0 {
		return
	}
	var folders []api.WatchSettings
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		folders = append(folders, dirs[dir])
	}
	if w == nil {
		var err error
		w, err = e.cfg.NewWatcher(watcher.Config{Folders: folders, Only: e.helpers.watches, Save: e.helperSaved, Logger: e.log})
		if err != nil {
			e.log.Warn("cannot watch the modules that scripts import", "error", err)
			return
		}
		e.mu.Lock()
		e.helpers.watcher = w
		e.mu.Unlock()
		w.Pause(paused)
		watching.start(func(ctx context.Context) { e.keepUp(ctx, "the watcher of modules", w.Serve) })
		return
	}
	if err := w.SetFolders(folders); err != nil {
		e.log.Warn("cannot watch the modules that scripts import", "error", err)
	}
	for path := range files {
		if before == nil || !(*before)[path] {
			w.Rescan() // what the new ones are now
			return
		}
	}
}

// helperSaved notes a helper that was saved or found; the watcher of helpers calls it.
func (e *Engine) helperSaved(ctx context.Context, s watcher.Save) (taken bool) {
	if ctx.Err() != nil {
		return false
	}
	s.Folder = "" // that of the watcher of helpers is none of the engine's
	e.mu.Lock()
	for path := range e.folders {
		if watchedBy([]string{path}, s.Path) && len(path) > len(s.Folder) {
			s.Folder = path
		}
	}
	e.mu.Unlock()
	e.turn.Lock()
	defer e.turn.Unlock()
	e.noteHelperLocked(s, e.originLocked(s))
	return true
}

// noteHelperLocked notes a file that was saved, if it is a helper. It needs turn.
func (e *Engine) noteHelperLocked(s watcher.Save, from origin) {
	if !e.helpers.watches(s.Path) {
		return
	}
	e.mu.Lock()
	e.helpers.now[s.Path] = helper{s.Stamp.Hash, from}
	e.mu.Unlock()
	poke(e.helpers.stale)
}

// helperNowLocked returns the file of a helper as it is now, with the hash "" where that is not known.
// A helper that is a script of its folder, such as in a package, is known from its last save. It needs
// mu.
func (e *Engine) helperNowLocked(path string) helper {
	if h := e.helpers.now[path]; h.hash != "" {
		return h
	}
	return helper{hash: e.stamps[path].Hash}
}

// staleScript is a script whose helpers have changed since its last run.
type staleScript struct {
	path   string
	folder string
	policy api.FolderSettings
	stamp  watcher.Stamp
	files  []string // the helpers that have changed, sorted
}

// staleLocked returns what makes a script stale, and whether the script may run again: its last run
// has ended by itself, and none waits or is running. It needs mu.
func (e *Engine) staleLocked(script string) (s staleScript, ok bool) {
	one := e.helpers.imports[script]
	f := e.folders[one.folder]
	if f == nil || f.refused != "" || f.policy.OnHelper == api.OnHelperOff {
		return s, false
	}
	s = staleScript{path: script, folder: one.folder, policy: f.policy}
	for path, hash := range one.files {
		if now := e.helperNowLocked(path); now.hash != "" && now.hash != hash && e.helpers.watches(path) {
			s.files = append(s.files, path)
		}
	}
	slices.Sort(s.files)
	l := e.last[script]
	s.stamp, ok = e.stamps[script]
	ended := l.state == api.Succeeded || l.state == api.Failed && l.started
	return s, ok && len(s.files) > 0 && ended && l.hash == s.stamp.Hash && e.queue.saved(script) == nil && !runs(e.running, script)
}

// allStale returns the stale scripts that may run again, by path.
func (e *Engine) allStale() (all []staleScript) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.paused || e.stopping {
		return nil
	}
	for _, script := range slices.Sorted(maps.Keys(e.helpers.imports)) {
		if s, ok := e.staleLocked(script); ok {
			all = append(all, s)
		}
	}
	return all
}

// settleStale runs the stale scripts whose folders say so, and notes those that wait for a person.
func (e *Engine) settleStale(ctx context.Context) {
	waiting := map[string][]string{}
	for _, s := range e.allStale() {
		if s.policy.OnHelper == api.OnHelperAsk {
			waiting[s.folder] = append(waiting[s.folder], s.path)
			continue
		}
		if _, err := e.runStale(ctx, s); err != nil && ctx.Err() == nil {
			e.warn(fmt.Sprintf("%s does not run again yet although %s has changed: %v", s.path, filepath.Base(s.files[0]), err))
			poke(e.retries) // which has the scripts looked at again
		}
	}
	e.mu.Lock()
	changed := !maps.EqualFunc(waiting, e.helpers.waiting, slices.Equal[[]string])
	old := e.helpers.waiting
	e.helpers.waiting = waiting
	e.mu.Unlock()
	if !changed {
		return
	}
	for folder, scripts := range waiting {
		if len(scripts) > len(old[folder]) {
			e.note(fmt.Sprintf("%s: modules of %s have changed; `blendtray retry --stale` runs what is stale", folder, namesOf(scripts)))
		}
	}
	e.hub.publish(api.Event{Kind: api.KindFolders})
}

// RunStale queues the scripts that wait for a person because modules that they import have changed,
// and returns their runs.
func (e *Engine) RunStale(ctx context.Context) ([]api.Run, error) {
	all := []api.Run{}
	for _, s := range e.allStale() {
		run, err := e.runStale(ctx, s)
		if err != nil {
			return all, err
		}
		if run != nil {
			all = append(all, *run)
		}
	}
	poke(e.helpers.stale) // fewer wait now
	return all, nil
}

// runStale queues a stale script, whose helpers then count as imported, and returns the run. It
// returns nil when nothing is queued: the script is another one by now, and its own save runs, or its
// own last run has written the helpers. It fails when the run can't be written down.
func (e *Engine) runStale(ctx context.Context, s staleScript) (*api.Run, error) {
	code, err := os.ReadFile(s.path)
	if err != nil || hashOf(code) != s.stamp.Hash {
		return nil, nil // it is gone, or about to be saved
	}
	chosen := e.chooseForSave(ctx, s.folder, code)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	now, ok := e.staleLocked(s.path)
	if !ok || now.stamp.Hash != s.stamp.Hash {
		e.mu.Unlock()
		return nil, nil
	}
	one := e.helpers.imports[s.path]
	files := maps.Clone(one.files)
	var from origin
	own := true
	for _, path := range now.files {
		h := e.helperNowLocked(path)
		files[path] = h.hash
		if h.from.itself(s.path) {
			continue
		}
		own = false
		if h.from.by != nil && (from.by == nil || h.from.by.chain.len() > from.by.chain.len()) {
			from = h.from
		}
	}
	e.mu.Unlock()
	changed := namesOf(now.files)
	if own {
		e.setImportsLocked(s.path, imported{one.folder, files})
		e.note(fmt.Sprintf("%s has changed %s itself, and is not run again", s.path, changed))
		return nil, nil
	}
	e.note(fmt.Sprintf("%s runs again, because %s has changed", s.path, changed))
	save := watcher.Save{Folder: s.folder, Path: s.path, Code: code, Stamp: now.stamp, Seen: time.Now()}
	if err := e.runSaveLocked(save, now.policy, from, chosen, api.FromModule); err != nil {
		return nil, err
	}
	e.setImportsLocked(s.path, imported{one.folder, files})
	e.mu.Lock()
	defer e.mu.Unlock()
	if j := e.queue.saved(s.path); j != nil {
		r := e.snapshotLocked(j)
		return &r, nil
	}
	return nil, nil
}

// namesOf returns the names of a few files, and how many more there are.
func namesOf(paths []string) string {
	const most = 5
	var names []string
	for _, path := range paths[:min(len(paths), most)] {
		names = append(names, filepath.Base(path))
	}
	text := strings.Join(names, ", ")
	if n := len(paths) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// carryImportsLocked notes that a script that was renamed imports what it has imported. It needs
// turn.
func (e *Engine) carryImportsLocked(from, to, folder string) {
	e.mu.Lock()
	one, ok := e.helpers.imports[from]
	e.mu.Unlock()
	if ok {
		e.setImportsLocked(to, imported{folder, one.files})
		poke(e.helpers.again)
	}
}
