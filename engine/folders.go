package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"blendtray/api"
	"blendtray/watcher"
)

// folder is a watched folder; its fields are guarded by Engine.mu.
type folder struct {
	policy api.FolderSettings
	// shape says which files in the folder are scripts. known is the shape of the last finished
	// scan, or "" before the first finished scan.
	shape, known string
	// bared are the folders whose scripts it has only since its shape is another, where those are all.
	bared     []string
	refused   string // why the folder is not watched, though the settings name it
	claim     Claim  // nil while it is not claimed
	unclaimed string // why it is watched although it can't be claimed
	real      string // the path without links, where it is another path
	noted     int    // scripts that the current scan noted and did not run
	// places are the file systems that it lies on, as the watcher has seen them. placed is set when
	// they are not written down yet.
	places    watcher.Places
	placed    bool
	blender   string // the name of the Blender that executes its runs; "" before that is known
	noBlender string // why its runs have no Blender
}

// fresh reports whether the folder is watched for the first time.
func (f *folder) fresh() bool { return f.known == "" }

// checkFolder replaces the missing settings of a folder with their defaults. It fails with
// [api.ErrBad] when a setting is wrong.
func checkFolder(p *api.FolderSettings) error {
	if p.Path == "" || !filepath.IsAbs(p.Path) || filepath.Clean(p.Path) != p.Path {
		return fmt.Errorf("%w: folder %q is not an absolute, clean path", api.ErrBad, p.Path)
	}
	if p.Scene == "" {
		p.Scene = "fresh"
	}
	if err := checkScene(p.Scene); err != nil {
		return fmt.Errorf("%w: folder %s: %w", api.ErrBad, p.Path, err)
	}
	if _, err := isolationOf(p.Isolation, p.Scene, api.IsolateProcess); err != nil {
		return fmt.Errorf("folder %s: %w", p.Path, err)
	}
	if p.Farm {
		if err := noFarmThere(api.Run{Scene: p.Scene, Render: p.Render()}); err != nil {
			return fmt.Errorf("folder %s: %w", p.Path, err)
		}
	}
	return nil
}

// shape is what decides which files of a folder are scripts: its settings, and which folders in it are
// watched folders of their own, whose scripts are not the folder's.
type shape struct {
	recursive        bool
	include, exclude []string
	inner            []string // paths; those with /** at the end take the folders in them along
}

// shapeOf returns the shape of a folder among all watched folders.
func shapeOf(p api.WatchSettings, all []api.FolderSettings) shape {
	s := shape{p.Recursive, p.Include, p.Exclude, []string{}}
	for _, other := range all {
		if p.Recursive && other.Path != p.Path && watchedBy([]string{p.Path}, other.Path) {
			inner := other.Path
			if other.Recursive {
				inner += "/**"
			}
			s.inner = append(s.inner, inner)
		}
	}
	slices.Sort(s.inner)
	return s
}

// String returns a text for the shape. Equal shapes have equal texts.
func (s shape) String() string {
	b, _ := json.Marshal([]any{s.recursive, s.include, s.exclude, s.inner}) // texts can't fail
	return string(b)
}

// bared returns the folders whose scripts a folder left out while known, a text, was its shape, and has with the
// shape s. It reports false when the settings differ, so that any script may have been left out. A text of an
// earlier version has no inner folders.
func (s shape) bared(known string) (paths []string, ok bool) {
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(known), &parts); err != nil || len(parts) < 3 {
		return nil, false
	}
	settings, _ := json.Marshal([]any{s.recursive, s.include, s.exclude}) // texts can't fail
	if before, _ := json.Marshal(parts[:3]); string(before) != string(settings) {
		return nil, false
	}
	var inner []string
	if len(parts) > 3 && json.Unmarshal(parts[3], &inner) != nil {
		return nil, false
	}
	for _, path := range inner {
		if !slices.Contains(s.inner, path) && !slices.Contains(s.inner, path+"/**") {
			paths = append(paths, strings.TrimSuffix(path, "/**"))
		}
	}
	return paths, true
}

// adoptFolders makes policies the engine's folders. It forgets a folder that is not among them
// any more: should the folder come back, it is watched for the first time, and the changes of
// the meantime do not run. adoptFolders fails when a policy is wrong or the database does.
func (e *Engine) adoptFolders(policies []api.FolderSettings) error {
	known, places, err := e.store.knownFolders()
	if err != nil {
		return err
	}
	folders := map[string]*folder{}
	var order []string
	for _, p := range policies {
		if err := checkFolder(&p); err != nil {
			return err
		}
		if folders[p.Path] != nil {
			return fmt.Errorf("%w: folder %s is named twice", api.ErrBad, p.Path)
		}
		f := &folder{policy: p, known: known[p.Path], places: places[p.Path]}
		now := shapeOf(p.WatchSettings, policies)
		if f.shape = now.String(); f.known != f.shape {
			var same bool
			if f.bared, same = now.bared(f.known); same && len(f.bared) == 0 {
				f.known, f.placed = f.shape, true
			}
		}
		if real, err := filepath.EvalSymlinks(p.Path); err == nil && real != p.Path {
			f.real = real
		}
		folders[p.Path] = f
		order = append(order, p.Path)
	}
	for path := range known {
		if folders[path] == nil {
			if err := e.store.forgetFolder(path); err != nil {
				return err
			}
		}
	}
	e.mu.Lock()
	for path, f := range folders {
		if old := e.folders[path]; old != nil {
			f.refused, f.claim, f.unclaimed = old.refused, old.claim, old.unclaimed
			if old.placed {
				f.places, f.placed = old.places, true
			}
			if old.policy.Blender == f.policy.Blender && old.policy.Farm == f.policy.Farm {
				f.blender, f.noBlender = old.blender, old.noBlender
			}
		}
	}
	e.folders, e.order = folders, order
	e.mu.Unlock()
	return nil
}

// scenesLocked returns the .blend files with which the isolated runs begin of the folders whose runs
// a worker executes, sorted. It needs mu.
func (e *Engine) scenesLocked(w *worker) []string {
	var scenes []string
	for _, f := range e.folders {
		if e.workerLocked(cmp.Or(f.blender, f.policy.Blender)) != w {
			continue
		}
		isolation, err := isolationOf(f.policy.Isolation, f.policy.Scene, e.runs.Isolation)
		if err == nil && isolation == api.IsolateProcess && filepath.IsAbs(f.policy.Scene) {
			scenes = append(scenes, f.policy.Scene)
		}
	}
	slices.Sort(scenes)
	return slices.Compact(scenes)
}

// watchedDirs returns the folders of which a journal says what a run writes there.
func (e *Engine) watchedDirs() (dirs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for path, f := range e.folders {
		dirs = append(dirs, path)
		if f.real != "" {
			dirs = append(dirs, f.real)
		}
	}
	return dirs
}

// SetFolders replaces the watched folders. Runs that are queued already keep the old settings of
// their folder. SetFolders fails with [api.ErrBad] when a setting is wrong.
func (e *Engine) SetFolders(policies []api.FolderSettings) error {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.turn.Lock()
	err := e.adoptFolders(policies)
	e.turn.Unlock()
	if err != nil {
		return err
	}
	// turn is free here: the watcher may be in the middle of a save that waits for turn.
	e.claimLocked()
	if err := e.offerLocked(e.allowedFolders()); err != nil {
		return fmt.Errorf("watch folders: %w", err)
	}
	e.expect()
	poke(e.arrange)
	poke(e.helpers.again)
	poke(e.helpers.stale)
	e.hub.publish(api.Event{Kind: api.KindFolders})
	return nil
}

// PauseWatching stops or resumes the making of runs from saves. The watcher decides what becomes
// of saves during the pause.
func (e *Engine) PauseWatching(paused bool) {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.mu.Lock()
	changed := e.paused != paused
	e.paused = paused
	modules := e.helpers.watcher
	e.mu.Unlock()
	if !changed {
		return
	}
	e.watcher.Pause(paused)
	if modules != nil {
		modules.Pause(paused)
	}
	poke(e.helpers.stale)
	e.hub.publish(api.Event{Kind: api.KindFolders})
	if paused {
		e.note("watching is paused: saves do not run")
	} else {
		e.note("watching goes on")
	}
}

// scanned records that the watcher has looked at everything in a folder; the watcher calls it.
// Only now the folder is known: a first scan that is cut off begins anew, and still runs
// nothing.
func (e *Engine) scanned(path string) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	f := e.folders[path]
	if f == nil {
		e.mu.Unlock()
		return
	}
	noted, done, places := f.noted, f.known == f.shape && !f.placed, f.places
	f.noted = 0
	e.mu.Unlock()
	switch {
	case noted == 1:
		e.note(path + ": 1 script was there already and is only noted; save it to run it")
	case noted > 1:
		e.note(fmt.Sprintf("%s: %d scripts were there already and are only noted; save one to run it", path, noted))
	}
	if done {
		return
	}
	if err := e.store.addFolder(path, f.shape, places); err != nil {
		if !errors.Is(err, api.ErrStopping) {
			e.warn(fmt.Sprintf("%s: cannot write down that it was looked through, it will be again: %v", path, err))
			poke(e.retries)
		}
		return
	}
	e.mu.Lock()
	f.known, f.placed = f.shape, false
	e.mu.Unlock()
}

// placesOf returns the file systems on which a folder was when it was last looked through; the watcher
// calls it.
func (e *Engine) placesOf(path string) watcher.Places {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.folders[path]; f != nil {
		return f.places
	}
	return nil
}

// placed takes the file systems on which a folder is; the watcher calls it before scanned, which writes
// them down.
func (e *Engine) placed(path string, now watcher.Places) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.folders[path]; f != nil {
		f.places, f.placed = now, true
	}
}
