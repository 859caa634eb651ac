package engine

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

// claimsEvery is how often the engine looks whether its claims still fit, and whether it may claim
// now what it could not claim before.
const claimsEvery = pulse.Slow

// Claim is the right to watch a folder, which one engine has at a time.
type Claim interface {
	// Current reports whether the claim is for the folder that lies at its path now.
	Current() bool
	Release()
}

// claimLocked makes, keeps and releases claims so that they fit the folders. A folder that another
// engine watches is not watched, and its status says why. Of one folder under two names, the name
// that comes first in the settings is claimed. It needs arranging.
func (e *Engine) claimLocked() {
	if e.cfg.Claim == nil {
		return
	}
	e.mu.Lock()
	folders, order := e.folders, e.order
	e.mu.Unlock()
	for path, c := range e.claims {
		f := folders[path]
		if f == nil || f.policy.Recursive != c.recursive || !c.Current() {
			c.Release()
			delete(e.claims, path)
		}
	}
	for _, path := range order {
		f := folders[path]
		c, have := e.claims[path]
		if !have {
			c = e.claimFolderLocked(path, f)
		}
		e.mu.Lock()
		f.claim = c.Claim
		e.mu.Unlock()
	}
}

// claimed is a claim, and what it was made for.
type claimed struct {
	Claim
	recursive bool
}

// claimFolderLocked claims a folder. It returns no claim when the folder can't be claimed, and says so when
// that is new. It needs arranging.
func (e *Engine) claimFolderLocked(path string, f *folder) claimed {
	made, err := e.cfg.Claim(path, f.policy.Recursive)
	if err == nil {
		c := claimed{made, f.policy.Recursive}
		e.claims[path] = c
		e.refuse(path, f, "", "")
		return c
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // it is claimed when it is there
		e.refuse(path, f, "", "")
	case errors.Is(err, ErrClaimed):
		e.refuse(path, f, err.Error(), "")
	default:
		e.refuse(path, f, "", err.Error())
	}
	return claimed{}
}

// refuse notes why a folder is not watched, or why it is watched without a claim, and says so when
// that is new.
func (e *Engine) refuse(path string, f *folder, refused, unclaimed string) {
	e.mu.Lock()
	newRefusal, newTrouble := refused != "" && f.refused == "", unclaimed != "" && unclaimed != f.unclaimed
	f.refused, f.unclaimed = refused, unclaimed
	e.mu.Unlock()
	if newRefusal {
		e.log.Warn("a folder is not watched", "path", path, "why", refused)
	}
	if newTrouble {
		e.log.Warn("a folder can't be claimed, so another engine might watch it, too", "path", path, "error", unclaimed)
	}
}

// claimForSave claims a folder in which a script was saved, unless it is claimed: the folder may have
// come into being a moment ago. It returns false when the save must not be taken now.
func (e *Engine) claimForSave(path string) bool {
	if e.cfg.Claim == nil {
		return true
	}
	e.mu.Lock()
	f := e.folders[path]
	var c Claim
	if f != nil {
		c = f.claim
	}
	e.mu.Unlock()
	if f == nil || c != nil && c.Current() {
		return true
	}
	// Who has arranging may be waiting for the watcher, which waits for this save.
	if !e.arranging.TryLock() {
		return false
	}
	defer e.arranging.Unlock()
	e.claimLocked()
	e.mu.Lock()
	f = e.folders[path]
	refused := f != nil && f.refused != ""
	e.mu.Unlock()
	if refused {
		poke(e.reclaim) // the watcher is to leave the folder
	}
	return !refused
}

// keepClaims looks after the claims until ctx ends, and then releases them.
func (e *Engine) keepClaims(ctx context.Context) {
	tick := time.NewTimer(pulse.Until(claimsEvery))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.renewClaims()
			tick.Reset(pulse.Until(claimsEvery))
		case <-e.reclaim:
			e.renewClaims()
		case <-ctx.Done():
			e.releaseClaims()
			return
		}
	}
}

// renewClaims makes the claims fit the folders, and the watched folders the claims.
func (e *Engine) renewClaims() {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	e.claimLocked()
	allowed := e.allowedFolders()
	if slices.Equal(pathsOf(allowed), e.offered) {
		return
	}
	if err := e.offerLocked(allowed); err != nil {
		e.log.Warn("cannot change the watched folders", "error", err)
	}
	e.hub.publish(api.Event{Kind: api.KindFolders})
}

// offerLocked has the watcher watch folders. It needs arranging.
func (e *Engine) offerLocked(folders []api.WatchSettings) error {
	err := e.watcher.SetFolders(folders)
	if err == nil {
		e.offered = pathsOf(folders)
	}
	return err
}

func pathsOf(folders []api.WatchSettings) (paths []string) {
	for _, f := range folders {
		paths = append(paths, f.Path)
	}
	return paths
}

func (e *Engine) releaseClaims() {
	e.arranging.Lock()
	defer e.arranging.Unlock()
	for path, c := range e.claims {
		c.Release()
		delete(e.claims, path)
	}
}

// allowedFolders returns the folders that the engine may watch, in their order.
func (e *Engine) allowedFolders() []api.WatchSettings {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []api.WatchSettings{}
	for _, path := range e.order {
		if f := e.folders[path]; f.refused == "" {
			all = append(all, f.policy.WatchSettings)
		}
	}
	return all
}

// folderStatuses returns how each folder is watched, those among them that another engine watches.
func (e *Engine) folderStatuses() []api.FolderStatus {
	watched := e.watcher.Status()
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []api.FolderStatus{}
	for _, path := range e.order {
		if f := e.folders[path]; f.refused != "" {
			all = append(all, api.FolderStatus{Path: path, Error: f.refused, Waiting: []api.WaitingScript{}, Stale: []string{}})
		}
	}
	for i := range watched {
		watched[i].Stale = append([]string{}, e.helpers.waiting[watched[i].Path]...)
		if f := e.folders[watched[i].Path]; f != nil && f.noBlender != "" {
			watched[i].Error = strings.TrimPrefix(watched[i].Error+"\n"+f.noBlender, "\n")
		}
		if f := e.folders[watched[i].Path]; f != nil && f.policy.Farm {
			if why := e.farmTroubleLocked(f.policy.Blender); why != "" {
				watched[i].Error = strings.TrimPrefix(watched[i].Error+"\n"+why, "\n")
			}
		}
	}
	if len(all) == 0 {
		return append(all, watched...)
	}
	return append(watched, all...)
}
