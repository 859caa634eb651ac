package watcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// rig is a watcher at work on a folder of its own, and a record of what it handed on.
type rig struct {
	t   *testing.T
	dir string // the first folder
	cfg Config
	w   *Watcher

	mu       sync.Mutex
	saves    []Save
	scanned  []string
	statuses []FolderStatus
	known    map[string]Stamp
	news     chan struct{} // closed and replaced when something above changes
	stop     func()
	during   func(Save) // called in Save
}

// prepare makes a rig whose watcher does not serve yet.
func prepare(t *testing.T, setup ...func(*rig)) *rig {
	t.Helper()
	// The temporary folder's path may lead through a link on some systems.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, known: map[string]Stamp{}, news: make(chan struct{}), stop: func() {}}
	r.cfg = Config{
		Folders: []Folder{{Path: dir, Recursive: true}},
		Save: func(_ context.Context, s Save) {
			if r.during != nil {
				r.during(s)
			}
			r.change(func() { r.saves = append(r.saves, s) })
		},
		Scanned: func(path string) { r.change(func() { r.scanned = append(r.scanned, path) }) },
		Changed: func(st []FolderStatus) { r.change(func() { r.statuses = st }) },
	}
	for _, s := range setup {
		s(r)
	}
	if r.w, err = New(r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// start makes a rig and waits until its first folder, if it is there, was scanned.
func start(t *testing.T, setup ...func(*rig)) *rig {
	t.Helper()
	r := prepare(t, setup...)
	r.serve()
	return r
}

// adjusted starts a rig with other options.
func adjusted(t *testing.T, change func(*options), setup ...func(*rig)) *rig {
	t.Helper()
	r := prepare(t, setup...)
	change(&r.w.opts)
	r.serve()
	return r
}

func (r *rig) serve() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.w.Serve(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Serve: %v", err)
		}
	})
	r.t.Cleanup(r.stop)
	if len(r.cfg.Folders) == 0 {
		return
	}
	if _, err := os.Stat(r.cfg.Folders[0].Path); err == nil {
		r.until("the first scan", func() bool { return slices.Contains(r.scanned, r.cfg.Folders[0].Path) })
	}
}

// remembering has the watcher asked and told of stamps, as the engine does it.
func remembering(r *rig) {
	r.cfg.Known = func(path string) (Stamp, bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		st, ok := r.known[path]
		return st, ok
	}
	save := r.cfg.Save
	r.cfg.Save = func(ctx context.Context, s Save) {
		r.mu.Lock()
		r.known[s.Path] = s.Stamp
		r.mu.Unlock()
		save(ctx, s)
	}
}

func (r *rig) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.news)
	r.news = make(chan struct{})
}

// until waits for a condition on the record, which it may read.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		ok, news := cond(), r.news
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-deadline:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("waited in vain for %s; handed on: %v; scanned: %v; status: %+v", what, brief(r.saves), r.scanned, r.w.Status())
		}
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *rig) mkdir(name string) {
	r.t.Helper()
	if err := os.MkdirAll(r.path(name), 0o777); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o666); err != nil {
		r.t.Fatal(err)
	}
}

// of gives the saves of one script so far.
func (r *rig) of(name string) (all []Save) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ofLocked(name)
}

func (r *rig) ofLocked(name string) (all []Save) {
	for _, s := range r.saves {
		if s.Path == r.path(name) {
			all = append(all, s)
		}
	}
	return all
}

// gets waits until a script was handed on with these bytes, and gives that save.
func (r *rig) gets(name, text string) (got Save) {
	r.t.Helper()
	r.until(fmt.Sprintf("%s with %q", name, shorten(text)), func() bool {
		for _, s := range r.ofLocked(name) {
			if string(s.Code) == text {
				got = s
				return true
			}
		}
		return false
	})
	checkSave(r.t, got)
	return got
}

// getsCount waits until a script was handed on n times.
func (r *rig) getsCount(name string, n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("save %d of %s", n, name), func() bool { return len(r.ofLocked(name)) >= n })
}

// drained waits until all that was saved before is dealt with: a script that is saved last
// has come, and nothing is left.
func (r *rig) drained() {
	r.t.Helper()
	r.mu.Lock()
	name := fmt.Sprintf("last%d.py", len(r.saves))
	r.mu.Unlock()
	dir := r.cfg.Folders[0].Path
	if err := os.WriteFile(filepath.Join(dir, name), []byte("last\n"), 0o666); err != nil {
		r.t.Fatal(err)
	}
	r.until(name, func() bool {
		return slices.ContainsFunc(r.saves, func(s Save) bool { return s.Path == filepath.Join(dir, name) })
	})
	eventually(r.t, "nothing is left to be looked at", func() bool {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		return len(r.w.dirty) == 0 && len(r.w.arrivals) == 0
	})
}

// texts gives what was handed on of a script, in order.
func (r *rig) texts(name string) (all []string) {
	for _, s := range r.of(name) {
		all = append(all, string(s.Code))
	}
	return all
}

func (r *rig) wantTexts(name string, want ...string) {
	r.t.Helper()
	if got := r.texts(name); !slices.Equal(got, want) {
		r.t.Errorf("%s was handed on with %q, want %q", name, got, want)
	}
}

// checkSave finds what does not fit together in a save.
func checkSave(t *testing.T, s Save) {
	t.Helper()
	sum := sha256.Sum256(s.Code)
	if s.Stamp.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("%s: the hash is not that of the bytes", s.Path)
	}
	if s.Stamp.Size != int64(len(s.Code)) {
		t.Errorf("%s: size %d of %d bytes", s.Path, s.Stamp.Size, len(s.Code))
	}
	if s.Seen.IsZero() || !strings.HasPrefix(s.Path, s.Folder) {
		t.Errorf("odd save: %+v", s)
	}
}

// eventually polls for what gives no sign.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func brief(saves []Save) (all []string) {
	for _, s := range saves[max(0, len(saves)-20):] {
		all = append(all, fmt.Sprintf("%s=%q scan=%v", filepath.Base(s.Path), shorten(string(s.Code)), s.Scan))
	}
	return all
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
