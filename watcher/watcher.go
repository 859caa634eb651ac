// Package watcher turns folders into settled saves.
//
// A [Watcher] watches folders and calls back once for each script that is saved in them,
// with the saved bytes, when nobody is writing the script any more. Events of the system are
// hints; the disk is the truth. The watcher does not decide whether a save becomes a run: that
// is the engine's part.
package watcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

// Stamp is what the watcher's owner writes down about a file.
type Stamp struct {
	Size int64
	// ModTime is the file's modification time, or the zero time when the file was so young that
	// a later save could bear the same time. A scan does not read a file again when it still
	// has the stamp; the zero time makes sure that it does.
	ModTime time.Time
	// Hash is the SHA-256 of the file's bytes in lower-case hex.
	Hash string
	// Changed is when the file's inode last changed, in ns since 1970, which no program can set. Inode
	// and Born, the time of its making, identify the file. They are 0 where the system or a file
	// server does not say.
	Changed int64
	Inode   uint64
	Born    int64
}

// Save is a script whose bytes have settled on disk.
type Save struct {
	// Folder is the Path of the watched folder, and Path the script's absolute path.
	Folder, Path string
	// Code is the file's bytes, and Stamp the stamp of exactly these bytes.
	Code  []byte
	Stamp Stamp
	// Scan is true when a full scan found the script, and false when the script was saved while
	// its folder was watched or waited for.
	Scan bool
	// First is true when the scan was the first look at what lies there, whenever that came: a
	// drive was mounted, or another folder has the path, or a folder was refused until now, and no
	// script in it is known. It is also true for a script that was there when a scan came, and could
	// not be read or was refused until now.
	First bool
	// New is true when there was no file of this name for 2 s before, and this is not the file that
	// was there.
	New bool
	// From is the path under which the file with these bytes was handed on or found before it, or a
	// folder that it is in, was renamed; it is "" for all other files.
	From string
	// Seen is when the event that led to this save arrived, for latency figures.
	Seen time.Time
}

// The methods of [FolderStatus].
const (
	methodInotify  = "inotify"
	methodFsnotify = "fsnotify"
	methodPoll     = "poll"
)

// Config is what a [Watcher] is made from. Only Save is required.
type Config struct {
	Folders []api.WatchSettings
	// Known returns the stamp that was written down for a path, and false when there is none.
	// A full scan (at the start, after [Watcher.Rescan] or an overflow) does not read a file
	// whose stamp still fits, and hands on only what differs.
	Known func(path string) (Stamp, bool)
	// Only, if given, says which files count, in place of the patterns of the folders and of the names
	// that are never scripts. It is called with locks held.
	Only func(path string) bool
	// Own, if given, are the absolute paths of the folders of the engine's own files. No file in them is a
	// script, and they can't be watched. They do not hold for a watcher with Only.
	Own []string
	// Save is called with each settled save, one call at a time. The file is read just before
	// the call. Saves of one path that come during a call become one save: the newest. Save
	// returns whether the save was taken. A save that was not taken counts as not seen: the file
	// is examined again after a moment, and handed on again.
	Save func(ctx context.Context, s Save) (taken bool)
	// Scanned is called after each full scan of a folder, when Save has returned for everything
	// that the scan found. Scanned and Save are never called at the same time.
	Scanned func(folder string)
	// Places returns what Placed was last called with for a folder, or nil. If a folder lies on another
	// file system now, a full scan of it is a first look, unless a script in it is known.
	Places func(folder string) Places
	// Placed is called right before Scanned when the file systems on which a folder lies have changed.
	Placed func(folder string, now Places)
	// Changed is called with the statuses of all folders when one of them has changed.
	Changed func([]api.FolderStatus)
	// Logger receives what the watcher does not do, and why. With nil, nothing is logged.
	Logger *slog.Logger
	// MaxFileBytes is the size above which a file is reported and not read. 0 means
	// [api.MaxCode].
	MaxFileBytes int64
}

// Watcher turns folders into settled saves; make one with [New].
type Watcher struct {
	cfg  Config
	log  *slog.Logger
	opts options
	own  []string // cfg.Own, without links

	work chan struct{} // wakes the deliverer
	wake chan struct{} // wakes the walker

	mu        sync.Mutex
	serving   bool
	paused    bool
	folders   []*folder
	dirs      map[string]*dir
	byID      map[fileID]string // the paths of dirs
	src       source            // nil while there is none
	exact     bool              // src reports when a writer closes a file
	rescan    bool              // all folders are to be scanned in full
	regroup   bool              // folders were set: dirs may belong to other folders now
	broken    bool              // src has ended by itself
	roots     bool              // the folders' roots are to be checked
	arrivals  map[string]look   // folders to look through
	gone      map[fileID]gone
	early     map[string]snapshot  // scripts that scans have found and that were not read since
	left      map[string]time.Time // when names of scripts disappeared
	forgot    time.Time            // when the oldest of both were forgotten
	troubles  map[cause]string     // what is wrong, in sentences for the status
	noSource  string               // why there is no source, for the status
	finds     []find               // what full looks have found and not marked yet
	turn      string               // the folder whose watch was the last to be checked
	dirty     map[string]*entry
	marked    uint64
	visits    uint64 // full scans so far
	queue     queue
	examining *entry // the entry that the deliverer has in hand
	// looking and delivering are set while the walker makes looks and while the deliverer has something in
	// hand. Only tests read them, to know when a watcher is at rest.
	looking, delivering bool
	scanned             []string
	published           []api.FolderStatus
}

// options holds what only tests change.
type options struct {
	adaptive   bool                                // do not ask who has a file open
	newSource  func(hint hintFunc) (source, error) // nil: use the system's best source
	pollEvery  time.Duration                       // for folders that name no interval
	checkEvery time.Duration                       // how often roots are checked
	retryEvery time.Duration                       // how often while a root is missing
	// reportAfter is how long a script must wait for its writer before the status says so.
	reportAfter time.Duration
	holderEvery time.Duration         // how often the status asks again who the writer is
	isRemote    func(dir string) bool // nil: ask the system
}

// New returns a watcher, which watches nothing before [Watcher.Serve]. It fails when a folder's
// path is not absolute and clean, or when a pattern is wrong. A folder need not exist.
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
			newSource: newSource, pollEvery: time.Second, checkEvery: pulse.Slow,
			retryEvery: 500 * time.Millisecond, isRemote: IsRemote,
			reportAfter: 30 * time.Second, holderEvery: 10 * time.Second,
		},
		work: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	if cfg.Only == nil {
		w.own = realPaths(cfg.Own)
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.clearLocked()
	if err := w.SetFolders(cfg.Folders); err != nil {
		return nil, err
	}
	return w, nil
}

// clearLocked resets the watcher to its state before Serve. It needs mu, except in New.
func (w *Watcher) clearLocked() {
	w.dirs, w.dirty, w.arrivals = map[string]*dir{}, map[string]*entry{}, map[string]look{}
	w.byID, w.troubles, w.noSource = map[fileID]string{}, map[cause]string{}, ""
	w.gone, w.left, w.early = map[fileID]gone{}, map[string]time.Time{}, map[string]snapshot{}
	w.queue, w.examining, w.scanned, w.src, w.finds = nil, nil, nil, nil, nil
	w.rescan, w.regroup, w.broken, w.roots = false, false, false, false
	for i, f := range w.folders {
		w.folders[i] = newFolder(f.WatchSettings, w.cfg.Only)
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
		src.close() // without mu, for which the source's reader may be waiting
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clearLocked()
	w.serving = false
	return nil
}

// SetFolders replaces the watched folders. Folders that stay as they were are left alone; the
// others are scanned in full. It fails as [New] does, and then changes nothing.
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
		w.folders = append(w.folders, newFolder(want, w.cfg.Only))
		changed = true
	}
	var gone []*folder
	for _, f := range old {
		if !slices.Contains(w.folders, f) {
			f.removed, changed = true, true
			gone = append(gone, f)
			w.inheritLocked(f)
		}
	}
	if !changed {
		return nil
	}
	w.regroup = true
	w.forgetLocked(func(e *entry) bool { return e.folder.removed })
	// Folders may lie in each other: a file of one folder may now belong to another.
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

// Status returns how each folder is being watched, in the order of the folders.
func (w *Watcher) Status() []api.FolderStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statusesLocked()
}

func (w *Watcher) statusesLocked() []api.FolderStatus {
	method := ""
	if w.src != nil {
		method = w.src.name()
	}
	troubles := w.troublesLocked()
	all := make([]api.FolderStatus, len(w.folders))
	for i, f := range w.folders {
		var wrong [kinds]string
		if of := troubles[f]; of != nil {
			wrong = *of
		}
		if w.noSource != "" && f.unwatched > 0 {
			wrong[notWatched] = w.noSource
		}
		all[i] = f.statusLocked(method, wrong[:])
		all[i].Waiting, all[i].Note = w.waitingLocked(f), w.noteLocked(f)
	}
	return all
}

// noteLocked returns what is special about how f is watched. It needs mu.
func (w *Watcher) noteLocked(f *folder) string {
	return lines(w.linksNoteLocked(f), f.twinsNoteLocked())
}

// lines returns those of some texts that are not empty, each in a line.
func lines(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), "\n")
}

// Pause(true) holds back all saves from the moment it returns, except a save that is being
// handed on just then. Pause(false) ends the pause: each path that was saved during the pause
// is handed on once.
func (w *Watcher) Pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = paused
	poke(w.work)
}

// Rescan scans all folders in full and hands on each script that differs from what Known returns.
func (w *Watcher) Rescan() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rescan = true
	poke(w.wake)
}
