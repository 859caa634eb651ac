package engine

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"blendtray/api"
)

// claimsEvery is how often the engine looks whether its claims still fit, and whether it may claim
// now what it could not claim before.
const claimsEvery = 5 * time.Second

// Claim is the right to watch a folder, which one engine has at a time.
type Claim interface {
	// Current reports whether the claim is for the folder that lies at its path now.
	Current() bool
	Release()
}

// claimLocked makes, keeps and releases claims so that they fit the folders, and returns whether
// another set of folders is to be watched. A folder that another engine watches is not watched, and
// its status says why. It needs arranging.
func (e *Engine) claimLocked() (changed bool) {
	if e.cfg.Claim == nil {
		return false
	}
	e.mu.Lock()
	folders := e.folders
	e.mu.Unlock()
	for path, c := range e.claims {
		f := folders[path]
		if f == nil || !c.Current() {
			c.Release()
			delete(e.claims, path)
		}
	}
	for path, f := range folders {
		if e.claims[path] != nil {
			continue
		}
		c, err := e.cfg.Claim(path, f.policy.Recursive)
		refused := ""
		switch {
		case err == nil:
			e.claims[path] = c
		case errors.Is(err, fs.ErrNotExist): // it is claimed when it is there
		case errors.Is(err, ErrClaimed):
			refused = err.Error()
		default:
			e.log.Warn("a folder can't be claimed, so another engine might watch it, too", "path", path, "error", err)
		}
		e.mu.Lock()
		if (f.refused == "") != (refused == "") {
			changed = true
			if refused != "" {
				e.log.Warn("a folder is not watched", "path", path, "why", refused)
			}
		}
		f.refused = refused
		e.mu.Unlock()
	}
	return changed
}

// keepClaims looks after the claims until ctx ends, and then releases them.
func (e *Engine) keepClaims(ctx context.Context) {
	tick := time.NewTicker(claimsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
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
	if !e.claimLocked() {
		return
	}
	if err := e.watcher.SetFolders(e.allowedFolders()); err != nil {
		e.log.Warn("cannot change the watched folders", "error", err)
	}
	e.hub.publish(api.Event{Kind: api.KindFolders})
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
			all = append(all, api.FolderStatus{Path: path, Error: f.refused, Waiting: []api.WaitingScript{}})
		}
	}
	if len(all) == 0 {
		return append(all, watched...)
	}
	return append(watched, all...)
}
