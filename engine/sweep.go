package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// sweepAfter is by how many the known scripts must have grown before the engine looks again
	// which of them are gone.
	sweepAfter = 1000
	// sweepStep is how many scripts are forgotten in one transaction.
	sweepStep = 500
)

// sweepScripts forgets scripts that are gone, or whose folder is not watched any more, beyond as
// many as the history keeps runs; it begins with those that were not saved for the longest time.
// What is gone may come back, as on a drive, and then it is known. Only the keeper calls it.
func (e *Engine) sweepScripts() {
	most := int(e.runSettings().History)
	e.mu.Lock()
	known, roots := len(e.stamps), e.order
	e.mu.Unlock()
	if known <= most || known < e.swept+sweepAfter {
		return
	}
	paths, err := e.store.scriptsByAge()
	if err != nil {
		e.log.Warn("cannot look which scripts are gone, will try again later", "error", err)
		return
	}
	gone := slices.DeleteFunc(paths, func(path string) bool { return watchedBy(roots, path) && !isMissing(path) })
	for step := range slices.Chunk(gone[:max(0, len(gone)-most)], sweepStep) {
		if err := e.forgetScripts(step); err != nil {
			e.log.Warn("cannot forget scripts that are gone, will try again later", "error", err)
			return
		}
	}
	e.mu.Lock()
	e.swept = len(e.stamps)
	e.mu.Unlock()
}

// forgetScripts forgets scripts, unless a run of them waits or is running.
func (e *Engine) forgetScripts(paths []string) error {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return e.queue.saved(path) != nil || runs(e.running, path)
	})
	e.mu.Unlock()
	if err := e.store.forgetScripts(paths); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, path := range paths {
		delete(e.stamps, path)
		delete(e.last, path)
		delete(e.helpers.imports, path)
	}
	return nil
}

// watchedBy reports whether a path lies in one of the folders.
func watchedBy(folders []string, path string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return strings.HasPrefix(path, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
	})
}

func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
