package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

func TestAPreviewBelongsToItsRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "previews")
	h := open(t, func(c *Config) { c.Runs.Preview, c.PreviewDir = api.PreviewCycles, dir })
	// What a longer life than this test's has left, and what a crash left half done.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range KeptPreviews {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%x.jpg", i, i+1)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	longAgo := time.Now().Add(-2 * unfinished)
	half := filepath.Join(dir, "7-8.part")
	if err := errors.Join(os.WriteFile(half, nil, 0o600), os.Chtimes(half, longAgo, longAgo)); err != nil {
		t.Fatal(err)
	}
	h.serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.b.do = succeed
	first := h.submit("x = 1")
	isPreview := func(ev api.Event) bool { return ev.Kind == api.KindPreview }
	ev := await(t, sub, "the preview", isPreview)
	if ev.ID != first.ID || ev.Run == nil || ev.Run.Preview == "" || filepath.Dir(ev.Run.Preview) != dir {
		t.Fatalf("the event %+v", ev)
	}
	if text, err := os.ReadFile(ev.Run.Preview); err != nil || string(text) != "cycles" {
		t.Errorf("the picture: %q, %v", text, err)
	}
	if got := h.run(first.ID).Preview; got != ev.Run.Preview {
		t.Errorf("the run has the preview %q", got)
	}
	runs, err := h.Runs(context.Background(), api.Filter{})
	if err != nil || runs[0].Preview != ev.Run.Preview {
		t.Errorf("the list has %+v, %v", runs, err)
	}

	h.SetRuns(api.RunSettings{Preview: api.PreviewOff})
	second := h.ended(h.submit("x = 2").ID)
	h.ended(h.submit("x = 2").ID) // what is made of the second one was decided before
	h.SetRuns(api.RunSettings{Preview: api.PreviewWorkbench})
	third := h.submit("x = 3")
	await(t, sub, "the next preview", func(ev api.Event) bool { return isPreview(ev) && ev.ID == third.ID })
	if got := h.run(second.ID).Preview; got != "" {
		t.Errorf("a preview %s that was not asked for", got)
	}
	h.stop()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != KeptPreviews {
		t.Errorf("%d pictures are kept, %v", len(entries), err)
	}
	for _, old := range []string{"0-1.jpg", "7-8.part"} {
		if _, err := os.Stat(filepath.Join(dir, old)); err == nil {
			t.Errorf("%s is still there", old)
		}
	}
}

func TestAFullFolderOfPicturesLosesTheOldestAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := open(t, func(c *Config) { c.PreviewDir = dir })
	for i := range KeptPreviews {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%x.jpg", i, i+0x1000)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A picture that a render shows, one that is in the making, one that was asked for of a new run, and
	// one that has just been asked for of the oldest run of all.
	others := []string{"5000-5000.live.jpg", "5001-5001.part", "5001-5001.cycles-camera-1280.part", "5002-5002.cycles-camera-1280.jpg", "9-2.eevee-top-600.jpg"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.prunePreviews(filepath.Join(dir, "9-2.eevee-top-600.jpg"))
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("it was removed: %v", err)
		}
	}
	for i, want := range []bool{false, false, false, true} {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%d-%x.jpg", i, i+0x1000))); (err == nil) != want {
			t.Errorf("the picture of run %d is there: %v", i, err == nil)
		}
	}
}

func TestThePictureOfARenderIsSeenWhileTheRenderGoesOn(t *testing.T) {
	t.Parallel()
	made, dir := &fakeThumbnailer{}, t.TempDir()
	previews := filepath.Join(dir, "previews")
	h := open(t, func(c *Config) {
		c.Thumbnails, c.ThumbnailDir, c.PreviewDir = made, filepath.Join(dir, "thumbnails"), previews
	})
	h.serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	run := h.submit("x = 1")
	c := h.call()
	viewer := c.sink.(blender.Viewer)
	sees := func(what, want, text string) {
		t.Helper()
		ev := await(t, sub, what, func(ev api.Event) bool { return ev.Kind == api.KindPreview })
		if !ev.Live || ev.ID != run.ID || ev.Run == nil || ev.Run.Preview != want || ev.Run.State != api.Running {
			t.Errorf("%s: the event %+v", what, ev)
		}
		if got := h.run(run.ID).Preview; got != want {
			t.Errorf("%s: the run has the picture %q", what, got)
		}
		if got, err := os.ReadFile(want); text != "" && (err != nil || string(got) != text) {
			t.Errorf("%s: it is %q, %v", what, got, err)
		}
	}
	frame := filepath.Join(dir, "0001.png")
	viewer.Rendered(frame) // seen as it is, which costs the render nothing
	sees("the first frame", frame, "")
	if err := os.WriteFile(frame, []byte("no JPEG"), 0o600); err != nil {
		t.Fatal(err)
	}
	if picture, err := h.Preview(ctx, run.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the picture of the run is what its script has written: %q, %v", picture, err)
	}
	other := filepath.Join(dir, "0002.exr")
	if err := os.WriteFile(other, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	viewer.Rendered(other) // Blender makes a picture of it
	live := h.liveFile(h.run(run.ID))
	sees("the second frame", live, "second")
	if picture, err := h.Preview(ctx, run.ID); err != nil || string(picture) != "second" {
		t.Errorf("the small picture: %q, %v", picture, err)
	}
	viewer.Rendered(filepath.Join(dir, "a.mp4")) // is not complete
	viewer.Rendered(filepath.Join(dir, "a.txt"))
	c.finish(blender.Succeeded)
	if got := h.ended(run.ID).Preview; got != "" {
		t.Errorf("after the run its picture is %q", got)
	}
	viewer.Rendered(frame) // comes too late
	eventually(t, "nothing of it is left", func() bool {
		left, err := os.ReadDir(previews)
		return err == nil && len(left) == 0
	})
	if got := h.run(run.ID).Preview; got != "" || len(made.all()) != 1 {
		t.Errorf("after the run its picture is %q, and made were %q", got, made.all())
	}
}

func TestNoRunWaitsForAPreviewThatHasNotBegun(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Runs.Preview, c.PreviewDir = api.PreviewCycles, t.TempDir() })
	h.serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	first := h.submit("x = 1")
	c := h.call()
	second := h.submit("x = 2")
	c.finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	if ev := await(t, sub, "a preview", func(ev api.Event) bool { return ev.Kind == api.KindPreview }); ev.ID != second.ID {
		t.Errorf("the preview is of run %s", ev.ID)
	}
	if got := h.run(first.ID).Preview; got != "" {
		t.Errorf("the first run has the preview %q", got)
	}
}
