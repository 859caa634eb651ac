package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// fakeThumbnailer writes the path of the file as its thumbnail, but of files with the name bad.exr.
type fakeThumbnailer struct {
	mu   sync.Mutex
	made []string
}

func (f *fakeThumbnailer) Make(_ context.Context, program, from, to string, movie bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, fmt.Sprint(filepath.Base(from), " ", movie, " ", program))
	if filepath.Base(from) == "bad.exr" {
		return fmt.Errorf("%w: it can't be read", blender.ErrNoThumbnail)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func (f *fakeThumbnailer) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.made)
}

// makes has each run of a house succeed with these outputs.
func (h *house) makes(outputs ...string) {
	h.b.do = func(_ context.Context, _ blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Started(time.Now())
		return blender.Outcome{Verdict: blender.Succeeded, Version: "3.4.1", Outputs: outputs}, nil
	}
}

func TestAThumbnailIsMadeOnceAndOutlivesItsFile(t *testing.T) {
	t.Parallel()
	made, dir := &fakeThumbnailer{}, t.TempDir()
	kept := filepath.Join(dir, "thumbnails")
	h := open(t, func(c *Config) { c.Thumbnails, c.ThumbnailDir = made, kept })
	h.serve()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h.makes(file("a.exr", "first"), file("b.mp4", "movie"), file("c.blend", ""), file("bad.exr", ""), filepath.Join(dir, "gone.png"), file("late.tif", "x"))
	first := h.ended(h.submit("x = 1").ID)
	ctx := t.Context()
	shows := func(run string, output int, want string) {
		t.Helper()
		if text, err := h.Thumbnail(ctx, run, output); err != nil || string(text) != want {
			t.Errorf("output %d of run %s: %q, %v, want %q", output, run, text, err, want)
		}
	}
	shows(first.ID, 0, "first")
	shows(first.ID, 0, "first")
	shows(first.ID, 1, "movie")
	if got := made.all(); len(got) != 2 || got[0][:11] != "a.exr false" || got[1][:10] != "b.mp4 true" {
		t.Errorf("made were %q", got)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "late.tif"), later, later); err != nil {
		t.Fatal(err)
	}
	for _, output := range []int{2, 3, 4, 5, 6, -1} {
		if _, err := h.Thumbnail(ctx, first.ID, output); !errors.Is(err, api.ErrNoThumbnail) {
			t.Errorf("output %d: %v", output, err)
		}
	}
	if _, err := h.Thumbnail(ctx, "99", 0); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no run: %v", err)
	}

	// The next run writes over the file. The thumbnail of the first run stays what it was.
	h.makes(file("a.exr", "second"))
	second := h.ended(h.submit("x = 2").ID)
	shows(second.ID, 0, "second")
	shows(first.ID, 0, "first")
	if err := os.Remove(filepath.Join(dir, "a.exr")); err != nil {
		t.Fatal(err)
	}
	shows(second.ID, 0, "second")
	if err := h.DeleteRun(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(kept); err != nil || len(left) != 1 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestThumbnailsAreKeptWherePreviewsAreWantedAndNotWithoutEnd(t *testing.T) {
	t.Parallel()
	made, dir := &fakeThumbnailer{}, t.TempDir()
	kept := filepath.Join(dir, "thumbnails")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for i := range KeptThumbnails {
		path := filepath.Join(kept, fmt.Sprintf("0-1-%d.jpg", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, func(c *Config) {
		c.Thumbnails, c.ThumbnailDir, c.PreviewDir, c.Runs.Preview = made, kept, filepath.Join(dir, "previews"), api.PreviewCycles
	})
	h.serve()
	path := filepath.Join(dir, "a.png")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.makes(path, filepath.Join(dir, "a.blend"))
	run := h.ended(h.submit("x = 1").ID)
	eventually(t, "a thumbnail is made", func() bool { _, err := os.Stat(h.thumbnailFile(run, 0)); return err == nil })
	h.stop() // waits for it
	entries, err := os.ReadDir(kept)
	if err != nil || len(entries) != KeptThumbnails {
		t.Errorf("%d thumbnails are kept, %v", len(entries), err)
	}
	if text, err := os.ReadFile(h.thumbnailFile(run, 0)); err != nil || string(text) != "first" {
		t.Errorf("the thumbnail: %q, %v", text, err)
	}
}
