package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"blendtray/api"
)

// folder is a watched folder; its fields are guarded by Engine.mu.
type folder struct {
	policy api.FolderSettings
	// shape says which files in it count; known is the shape of the last scan that was
	// finished, "" when there was none.
	shape, known string
	noted        int  // scripts that the present scan noted and did not run
	missed       bool // something of the present scan could not be written down
}

// fresh tells whether it is watched for the first time.
func (f *folder) fresh() bool { return f.known == "" }

// checkFolder finds what is wrong with a folder and fills in what it leaves out.
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
	return nil
}

// shapeOf says which files of a folder are scripts.
func shapeOf(p api.WatchSettings) (string, error) {
	b, err := json.Marshal([]any{p.Recursive, p.Include, p.Exclude})
	return string(b), err
}

// adoptFolders makes these the engine's folders. One that is not among them any more is
// forgotten: should it come back, it is watched for the first time, and what changed in it
// meanwhile does not run.
func (e *Engine) adoptFolders(policies []api.FolderSettings) error {
	known, err := e.store.knownFolders()
	if err != nil {
		return err
	}
	folders := map[string]*folder{}
	for _, p := range policies {
		if err := checkFolder(&p); err != nil {
			return err
		}
		if folders[p.Path] != nil {
			return fmt.Errorf("%w: folder %s is named twice", api.ErrBad, p.Path)
		}
		f := &folder{policy: p, known: known[p.Path]}
		if f.shape, err = shapeOf(p.WatchSettings); err != nil {
			return err
		}
		folders[p.Path] = f
	}
	for path := range known {
		if folders[path] == nil {
			if err := e.store.forgetFolder(path); err != nil {
				return err
			}
		}
	}
	e.mu.Lock()
	e.folders = folders
	e.mu.Unlock()
	return nil
}

func watcherFolders(policies []api.FolderSettings) []api.WatchSettings {
	all := make([]api.WatchSettings, 0, len(policies))
	for _, p := range policies {
		all = append(all, p.WatchSettings)
	}
	return all
}

// SetFolders changes what is watched. Runs that were queued before keep what their folder
// said then.
func (e *Engine) SetFolders(policies []api.FolderSettings) error {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.turn.Lock()
	err := e.adoptFolders(policies)
	e.turn.Unlock()
	if err != nil {
		return err
	}
	// turn is free: the watcher may be in the middle of a save that waits for it.
	if err := e.watcher.SetFolders(watcherFolders(policies)); err != nil {
		return fmt.Errorf("watch folders: %w", err)
	}
	e.hub.publish(api.Event{Kind: api.KindFolders})
	return nil
}

// PauseWatching stops or resumes the making of runs from saves. The watcher decides what
// becomes of saves in between.
func (e *Engine) PauseWatching(paused bool) {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.mu.Lock()
	changed := e.paused != paused
	e.paused = paused
	e.mu.Unlock()
	if !changed {
		return
	}
	e.watcher.Pause(paused)
	e.hub.publish(api.Event{Kind: api.KindFolders})
	if paused {
		e.note("watching is paused: saves do not run")
	} else {
		e.note("watching goes on")
	}
}

// scanned is called by the watcher when it has looked at everything in a folder. Only now
// the folder is known: a first scan that is cut off begins anew, and still runs nothing.
func (e *Engine) scanned(path string) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	f := e.folders[path]
	if f == nil {
		e.mu.Unlock()
		return
	}
	noted, missed, done := f.noted, f.missed, f.known == f.shape
	f.noted, f.missed = 0, false
	e.mu.Unlock()
	if noted > 0 {
		e.note(fmt.Sprintf("%s: %d scripts were there already and are only noted; save one to run it", path, noted))
	}
	if missed || done {
		return
	}
	if err := e.store.addFolder(path, f.shape); err != nil {
		if !errors.Is(err, api.ErrStopping) {
			e.warn(fmt.Sprintf("%s: cannot write down that it was looked through, it will be again: %v", path, err))
			poke(e.retries)
		}
		return
	}
	e.mu.Lock()
	f.known = f.shape
	e.mu.Unlock()
}
