package watcher

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// rig is a [harness] on a folder of its own. Its methods take scripts by their names.
type rig struct {
	*harness
	dir string
}

// prepare makes a rig whose watcher does not serve yet.
func prepare(t testing.TB, sets ...set) *rig {
	t.Helper()
	// The temporary folder's path may lead through a link on some systems.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{newHarness(t, recursive(dir), sets...), dir}
}

// start makes a rig and waits until its folder was scanned.
func start(t testing.TB, sets ...set) *rig {
	t.Helper()
	r := prepare(t, sets...)
	r.serve()
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *rig) mkdir(name string) {
	r.t.Helper()
	if err := os.MkdirAll(r.path(name), 0o777); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(name, text string) { r.t.Helper(); write(r.t, r.path(name), text) }

// gets waits until the newest save of a script has these bytes.
func (r *rig) gets(name, text string) { r.t.Helper(); r.wants(r.path(name), text) }

// texts returns the bytes of all saves of a script so far, in order.
func (r *rig) texts(name string) (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.savesLocked(r.path(name)) {
		all = append(all, string(s.Code))
	}
	return all
}

// wantTexts waits until the watcher is at rest, and compares all saves of a script.
func (r *rig) wantTexts(name string, want ...string) {
	r.t.Helper()
	r.settle()
	if got := r.texts(name); !slices.Equal(got, want) {
		r.t.Errorf("%s was handed on with %q, want %q", name, shortened(got), shortened(want))
	}
}

func shortened(texts []string) (all []string) {
	for _, s := range texts {
		if len(s) > 40 {
			s = s[:40] + "…"
		}
		all = append(all, s)
	}
	return all
}
