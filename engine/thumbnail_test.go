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
	// wait, where it is there, is called before a thumbnail is made.
	wait func(ctx context.Context, from string) error
}

func (f *fakeThumbnailer) Make(ctx context.Context, program, from, to string, movie bool) error {
	if f.wait != nil {
		if err := f.wait(ctx, from); err != nil {
			return err
		}
	}
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
	kept := filepath.Join(dir, "thumb[nail]s")
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

func TestThumbnailsThatNobodyHasAskedForDoNotPileUp(t *testing.T) {
	t.Parallel()
	begun, made, dir := make(chan string, 100), &fakeThumbnailer{}, t.TempDir()
	made.wait = func(ctx context.Context, from string) error {
		begun <- from
		<-ctx.Done()
		return ctx.Err()
	}
	h := open(t, func(c *Config) {
		c.Thumbnails, c.ThumbnailDir, c.PreviewDir, c.Runs.Preview = made, filepath.Join(dir, "thumbnails"), filepath.Join(dir, "previews"), api.PreviewCycles
	})
	h.serve()
	path := filepath.Join(dir, "a.png")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.makes(path)
	for i := range 2 * maxKeepers {
		h.ended(h.submit(fmt.Sprint("x = ", i)).ID)
	}
	for range maxKeepers {
		<-begun
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, err := h.Thumbnail(ctx, "1", 0)
		over <- err
	}()
	<-begun // what is asked for is made all the same
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("what was asked for: %v", err)
	}
	// A Blender that nobody wants any more does not wait for them.
	for _, w := range h.allWorkers() {
		w.retire()
		eventually(t, "no thumbnail waits", func() bool { return len(h.keepers) == 0 })
	}
	if n := len(begun); n != 0 {
		t.Errorf("%d more have begun", n)
	}
}

func TestAFileThatIsWrittenOverWhileItsThumbnailIsMadeHasNone(t *testing.T) {
	t.Parallel()
	made, dir := &fakeThumbnailer{}, t.TempDir()
	made.wait = func(_ context.Context, from string) error { return os.WriteFile(from, []byte("the next"), 0o600) }
	h := open(t, func(c *Config) { c.Thumbnails, c.ThumbnailDir = made, filepath.Join(dir, "thumbnails") })
	h.serve()
	path := filepath.Join(dir, "a.exr")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.makes(path)
	run := h.ended(h.submit("x = 1").ID)
	if text, err := h.Thumbnail(t.Context(), run.ID, 0); !errors.Is(err, api.ErrNoThumbnail) {
		t.Errorf("%q, %v", text, err)
	}
	if left, err := os.ReadDir(h.cfg.ThumbnailDir); err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}
