package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"blendtray/api"
	"blendtray/blender"
)

// KeptPreviews is how many pictures are kept, those of the newest runs: 20 KB each, about.
const KeptPreviews = 1000

// previewFile is where the picture of a run lies if there is one, or "". Two runs never share
// one, also when the history was begun anew.
func (e *Engine) previewFile(r api.Run) string {
	if e.cfg.PreviewDir == "" {
		return ""
	}
	return filepath.Join(e.cfg.PreviewDir, fmt.Sprintf("%s-%x.jpg", r.ID, r.QueuedAt.UnixNano()))
}

// withPreview is a run that says where its picture lies.
func (e *Engine) withPreview(r api.Run) api.Run {
	if !r.State.Final() {
		return r
	}
	if file := e.previewFile(r); file != "" {
		if _, err := os.Lstat(file); err == nil {
			r.Preview = file
		}
	}
	return r
}

// drawPreview has a picture made of what a run left, unless something else is to be done. It does
// not wait for the picture: the next run has another Blender, or waits for it there.
func (w *worker) drawPreview(ctx context.Context, j *job) {
	e := w.engine
	e.mu.Lock()
	with, r, b := e.runs.Preview, j.run, w.blender
	e.mu.Unlock()
	file := e.previewFile(r)
	if with == api.PreviewOff || file == "" || r.State != api.Succeeded && r.State != api.Failed || e.hasWork(w) {
		return
	}
	w.drawing.Go(func() {
		if err := e.makePreview(ctx, b, file, with.String()); err != nil {
			if !errors.Is(err, blender.ErrNoPreview) && ctx.Err() == nil {
				e.log.Warn("there is no preview", "run", r.ID, "error", err)
			}
			return
		}
		r := e.withPreview(r)
		e.hub.publish(api.Event{Kind: api.KindPreview, ID: r.ID, Run: &r})
		e.prunePreviews()
	})
}

// makePreview has a picture drawn beside its place, so that nobody sees half of one.
func (e *Engine) makePreview(ctx context.Context, b Blender, file, with string) error {
	if err := os.MkdirAll(e.cfg.PreviewDir, 0o700); err != nil {
		return err
	}
	half := strings.TrimSuffix(file, ".jpg") + ".part"
	defer os.Remove(half) // renamed, or never made
	if err := b.Preview(ctx, half, with); err != nil {
		return err
	}
	return os.Rename(half, file)
}

// prunePreviews removes the pictures of runs that are long past, and what a crash left half
// done.
func (e *Engine) prunePreviews() {
	entries, err := os.ReadDir(e.cfg.PreviewDir)
	if err != nil || len(entries) <= KeptPreviews {
		return // another time
	}
	type picture struct {
		name string
		at   int64
	}
	var all []picture
	for _, entry := range entries {
		name := entry.Name()
		stem, extension := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
		_, at, ok := strings.Cut(stem, "-")
		queued, err := strconv.ParseInt(at, 16, 64)
		if !ok || err != nil || extension != ".jpg" {
			queued = 0
		}
		all = append(all, picture{name, queued})
	}
	slices.SortFunc(all, func(a, b picture) int { return cmp.Compare(b.at, a.at) })
	for _, old := range all[KeptPreviews:] {
		// What can't be removed now will be met again.
		_ = os.Remove(filepath.Join(e.cfg.PreviewDir, old.name))
	}
}
