// Package watcher turns folders into settled saves.
//
// A [Watcher] is given folders and calls back once for each script that was saved in them,
// with the bytes that were saved, when nobody is writing them any more. Events of the
// system are hints; the disk is the truth. It does not decide whether a save becomes a run:
// that is the engine's part.
package watcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"blendtray/api"
)

// Stamp is what is known of a file that was seen before.
type Stamp struct {
	Size int64
	// ModTime is the zero time when the file was so young that another save could bear the
	// same time. A scan trusts a stamp whose size and time are the file's, so it reads that
	// file again instead.
	ModTime time.Time
	// Hash is the SHA-256 of its bytes in lower-case hex.
	Hash string
}

// Save is a script whose bytes have settled on disk.
type Save struct {
	// Folder is the Path of the folder it was found in, Path the script's absolute path.
	Folder, Path string
	// Code is the file's bytes, and Stamp says of exactly these bytes what is to be kept.
	Code  []byte
	Stamp Stamp
	// Scan is true when a scan found it (at the start, after an overflow, by polling of a
	// new folder) and false when it was saved while being watched.
	Scan bool
	// Seen is when the event arrived that led to this save, for latency figures.
	Seen time.Time
}

// The methods of [FolderStatus].
const (
	methodInotify  = "inotify"
	methodFsnotify = "fsnotify"
	methodPoll     = "poll"
)

// Config is what a [Watcher] is made from. Only Save must be given.
type Config struct {
	Folders []api.WatchSettings
	// Known returns what was written down of a path, so that a full scan (at the start, after
	// [Watcher.Rescan] or an overflow) need not read it, and hands on only what differs.
	Known func(path string) (Stamp, bool)
	// Save is called with each settled save, one call at a time. The file is read just before
	// the call. While it takes its time, saves of one path become one: the newest.
	Save func(ctx context.Context, s Save)
	// Scanned is called after each full scan of a folder, when Save has returned for all that
	// it found. It and Save are never called at the same time.
	Scanned func(folder string)
	// Changed is called when the status of a folder has changed.
	Changed func([]api.FolderStatus)
	// Logger is told what is not done and why; nil: nobody is.
	Logger *slog.Logger
	// MaxFileBytes is the size over which a file is reported and not read; 0 is
	// [api.MaxCode].
	MaxFileBytes int64
}

// Watcher turns folders into settled saves; make one with [New].
type Watcher struct {
	cfg  Config
	log  *slog.Logger
	opts options

	work chan struct{} // pokes the deliverer
	wake chan struct{} // pokes the walker

	mu        sync.Mutex
	serving   bool
	paused    bool
	folders   []*folder
	dirs      map[string]*dir
	src       source // nil while there is none
	exact     bool   // src tells of closes
	rescan    bool   // all folders are to be scanned in full
	regroup   bool   // folders were set: dirs may belong to others now
	broken    bool   // src has ended by itself
	roots     bool   // the folders' roots are to be looked at
	arrivals  map[string]struct{}
	dirty     map[string]*entry
	marked    uint64
	visits    uint64 // full scans so far
	queue     queue
	looking   *entry // the one the deliverer has in hand
	scanned   []string
	published []api.FolderStatus
}

// options are what tests change.
type options struct {
	adaptive   bool                                // don't ask who has a file open
	newSource  func(hint hintFunc) (source, error) // nil: the system's best
	pollEvery  time.Duration                       // for folders that don't say
	checkEvery time.Duration                       // how often roots are looked at
	retryEvery time.Duration                       // the same while one is missing
	isRemote   func(dir string) bool               // nil: ask the system
}

// New makes a watcher, which watches nothing before [Watcher.Serve]. It fails when a folder's
// path is not absolute and clean, or a pattern is wrong; a folder need not exist.
func New(cfg Config) (*Watcher, error) {
	if cfg.Save == nil {
		return nil, errors.New("a watcher needs a Save to call")
	}
	if cfg.MaxFileBytes == 0 {
		cfg.MaxFileBytes = api.MaxCode
	}
	w := &Watcher{
		cfg: cfg, log: cfg.Logger,
		opts: options{
			newSource: newSource, pollEvery: time.Second, checkEvery: 5 * time.Second,
			retryEvery: 500 * time.Millisecond, isRemote: IsRemote,
		},
		work: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.clear()
	if err := w.SetFolders(cfg.Folders); err != nil {
		return nil, err
	}
	return w, nil
}

// clear makes everything as before Serve; mu is held or nobody else is there.
func (w *Watcher) clear() {
	w.dirs, w.dirty, w.arrivals = map[string]*dir{}, map[string]*entry{}, map[string]struct{}{}
	w.queue, w.looking, w.scanned, w.src = nil, nil, nil, nil
	w.rescan, w.regroup, w.broken, w.roots = false, false, false, false
	for i, f := range w.folders {
		w.folders[i] = newFolder(f.WatchSettings)
	}
}

// Serve watches until ctx ends, and then returns nil. It may be called again after that.
func (w *Watcher) Serve(ctx context.Context) error {
	w.mu.Lock()
	if w.serving {
		w.mu.Unlock()
		return errServing
	}
	w.serving = true
	w.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { w.deliver(ctx) })
	both.Go(func() { w.walk(ctx) })
	both.Wait()

	w.mu.Lock()
	src := w.src
	w.src = nil
	w.mu.Unlock()
	if src != nil {
		src.close() // outside mu, which its reader may be waiting for
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear()
	w.serving = false
	return nil
}

// SetFolders makes these the watched folders. Those that stay as they were are left alone;
// the others are scanned in full. It fails, and changes nothing, as [New] does.
func (w *Watcher) SetFolders(folders []api.WatchSettings) error {
	if err := check(folders); err != nil {
		return fmt.Errorf("watch folders: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.folders
	w.folders = make([]*folder, 0, len(folders))
	changed := false
	for _, want := range folders {
		i := slices.IndexFunc(old, func(f *folder) bool { return equal(f.WatchSettings, want) })
		if i >= 0 {
			w.folders = append(w.folders, old[i])
			continue
		}
		want.Include, want.Exclude = slices.Clone(want.Include), slices.Clone(want.Exclude)
		w.folders = append(w.folders, newFolder(want))
		changed = true
	}
	var gone []*folder
	for _, f := range old {
		if !slices.Contains(w.folders, f) {
			f.removed, changed = true, true
			gone = append(gone, f)
		}
	}
	if !changed {
		return nil
	}
	w.regroup = true
	w.forget(func(e *entry) bool { return e.folder.removed })
	// Folders may lie in each other: what belonged to one may now belong to another.
	for _, f := range w.folders {
		for _, g := range slices.Concat(w.folders, gone) {
			if f != g && (g.removed || g.needsScan) {
				if _, in := below(f.Path, g.Path); in {
					f.needsScan = true
				}
			}
		}
	}
	poke(w.wake)
	return nil
}

// Status tells how each folder is being watched, in the order they were given.
func (w *Watcher) Status() []api.FolderStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses()
}

func (w *Watcher) statuses() []api.FolderStatus {
	method := ""
	if w.src != nil {
		method = w.src.name()
	}
	all := make([]api.FolderStatus, len(w.folders))
	for i, f := range w.folders {
		all[i] = f.status(method)
	}
	return all
}

// Pause holds back all saves from the moment it returns, but for one that is being handed on
// just then, or lets them go: after a pause each path that was saved in it is handed on once.
func (w *Watcher) Pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
	poke(w.work)
}

// Rescan scans all folders in full: what differs from what Known tells is handed on.
func (w *Watcher) Rescan() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rescan = true
	poke(w.wake)
}
