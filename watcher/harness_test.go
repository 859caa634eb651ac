package watcher

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"blendtray/api"
)

// patience is how long a test waits for what must happen; only a failure takes that long.
const patience = 20 * time.Second

type ctx = context.Context

// harness is a watcher that serves, and everything that it has reported.
type harness struct {
	t testing.TB
	w *Watcher

	mu       sync.Mutex
	saves    []Save
	saving   bool
	refuse   func(Save) bool // returns whether a save is not taken
	refusals int
	overlaps bool
	scanned  []string
	changed  []api.FolderStatus
}

// set changes the configuration and the options before the watcher serves.
type set func(*Config, *options)

// watch starts a watcher on folders and ends it with the test. It returns when the watcher has
// scanned the folders that exist.
func watch(t testing.TB, folders []api.WatchSettings, sets ...set) *harness {
	t.Helper()
	h := newHarness(t, folders, sets...)
	h.serve()
	return h
}

// newHarness makes a watcher that does not serve yet.
func newHarness(t testing.TB, folders []api.WatchSettings, sets ...set) *harness {
	t.Helper()
	h := &harness{t: t}
	cfg := Config{Folders: folders, Save: h.save, Scanned: h.scan, Changed: h.change, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	var unused options
	for _, s := range sets {
		s(&cfg, &unused)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		s(&cfg, &w.opts)
	}
	h.w = w
	return h
}

// serve starts the watcher and waits until it has scanned the folders that exist.
func (h *harness) serve() (stop func()) {
	h.t.Helper()
	end := serve(h.t, h.w)
	stop = sync.OnceFunc(func() {
		end()
		if h.overlaps {
			h.t.Error("two callbacks ran at the same time")
		}
	})
	h.t.Cleanup(stop)
	for _, f := range h.w.cfg.Folders {
		if _, err := os.Stat(f.Path); err == nil {
			h.until("the first scan of "+f.Path, func() bool { return slices.Contains(h.scanned, f.Path) })
		}
	}
	return stop
}

func (h *harness) enter() {
	h.mu.Lock()
	h.overlaps = h.overlaps || h.saving
	h.saving = true
	h.mu.Unlock()
}

func (h *harness) save(_ context.Context, s Save) (taken bool) {
	h.enter()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saving = false
	if h.refuse != nil && h.refuse(s) {
		h.refusals++
		return false
	}
	h.saves = append(h.saves, s)
	return true
}

func (h *harness) scan(folder string) {
	h.enter()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scanned = append(h.scanned, folder)
	h.saving = false
}

func (h *harness) change(all []api.FolderStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = all
}

// until waits until ok returns true; ok is called with the harness's mu held.
func (h *harness) until(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		yes := ok()
		h.mu.Unlock()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s did not come; saves: %s; status: %+v", what, h.list(), h.w.Status())
		}
	}
}

func (h *harness) list() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.saves {
		all = append(all, s.Path+"="+string(s.Code))
	}
	return shortened(all)
}

// savesLocked returns the saves of one path so far. It needs mu.
func (h *harness) savesLocked(path string) (all []Save) {
	for _, s := range h.saves {
		if s.Path == path {
			all = append(all, s)
		}
	}
	return all
}

// wants waits until the newest save of a path has these bytes, and returns all saves of the path.
func (h *harness) wants(path, code string) (all []Save) {
	h.t.Helper()
	h.until(path+" with the bytes wanted", func() bool {
		all = h.savesLocked(path)
		return len(all) > 0 && string(all[len(all)-1].Code) == code
	})
	return all
}

// settle waits until the watcher has dealt with everything that happened before.
func (h *harness) settle() {
	h.t.Helper()
	w := h.w
	h.until("rest", func() bool {
		w.mu.Lock()
		src := w.src
		w.mu.Unlock()
		if src != nil {
			src.drain()
		}
		return w.atRest()
	})
}

// atRest reports whether a watcher has nothing to look through, to examine or to hand on.
func (w *Watcher) atRest() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	busy := len(w.dirty) > 0 || len(w.arrivals) > 0 || w.roots || w.rescan || w.regroup || len(w.scanned) > 0 || w.looking || w.delivering
	for _, f := range w.folders {
		busy = busy || f.problem == "" && (f.needsScan || f.scanning || f.announce)
	}
	return !busy
}

// once waits until the watcher is at rest, and fails unless a path has exactly one save. It
// returns that save.
func (h *harness) once(path, code string) Save {
	h.t.Helper()
	h.wants(path, code)
	h.settle()
	h.mu.Lock()
	all := h.savesLocked(path)
	h.mu.Unlock()
	if len(all) != 1 {
		h.t.Fatalf("%s was handed on %d times, want once: %q", path, len(all), h.list())
	}
	return all[0]
}

// nothing waits until the watcher is at rest, and fails if a path has a save.
func (h *harness) nothing(path string) {
	h.t.Helper()
	h.settle()
	h.mu.Lock()
	all := h.savesLocked(path)
	h.mu.Unlock()
	if len(all) != 0 {
		h.t.Errorf("%s was handed on: %q", path, all[0].Code)
	}
}

func (h *harness) forget() {
	h.settle()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saves = nil
}

func write(t testing.TB, path, code string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func recursive(path string) []api.WatchSettings {
	return []api.WatchSettings{{Path: path, Recursive: true}}
}

// serve starts a watcher and returns a function that ends it, which may be called twice.
func serve(t testing.TB, w *Watcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve returned %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve did not end with its context")
		}
	})
	t.Cleanup(stop)
	return stop
}

// TestAWatcherThatLooksThroughAFolderIsNotAtRest checks what settle waits for: in a look that takes long
// nothing may be marked for a while.
func TestAWatcherThatLooksThroughAFolderIsNotAtRest(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	inside, leave := make(chan struct{}), make(chan struct{})
	var first sync.Once
	h := watch(t, recursive(root), func(_ *Config, o *options) {
		o.isRemote = func(dir string) bool {
			if filepath.Base(dir) == "new" {
				first.Do(func() { close(inside); <-leave })
			}
			return false
		}
	})
	write(t, filepath.Join(root, "new", "a.py"), "a")
	<-inside
	if h.w.atRest() {
		t.Error("at rest while a folder is looked through")
	}
	close(leave)
	h.once(filepath.Join(root, "new", "a.py"), "a")
}

// TestAWatcherThatHandsOnASaveIsNotAtRest checks what settle waits for: the entry of a save is gone
// before Save is called.
func TestAWatcherThatHandsOnASaveIsNotAtRest(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	saving, done := make(chan struct{}), make(chan struct{})
	h := watch(t, recursive(root), func(c *Config, _ *options) {
		take := c.Save
		c.Save = func(ctx ctx, s Save) bool {
			close(saving)
			<-done
			return take(ctx, s)
		}
	})
	write(t, filepath.Join(root, "a.py"), "a")
	<-saving
	if h.w.atRest() {
		t.Error("at rest while a save is handed on")
	}
	close(done)
	h.once(filepath.Join(root, "a.py"), "a")
}
