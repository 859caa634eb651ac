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
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// KeptPreviews is how many pictures the engine keeps, of the newest runs; a picture has about 20
// KB.
const KeptPreviews = 1000

// previewFile returns the path for the picture of a run, or "" when the engine makes no
// pictures. Two runs never share a path, even when the history was begun anew.
func (e *Engine) previewFile(r api.Run) string {
	if e.cfg.PreviewDir == "" {
		return ""
	}
	return filepath.Join(e.cfg.PreviewDir, fmt.Sprintf("%s-%x.jpg", r.ID, r.QueuedAt.UnixNano()))
}

// liveFile returns the path for the picture of a run that renders, which is kept as long as the run is
// running, or "" when the engine makes no pictures.
func (e *Engine) liveFile(r api.Run) string {
	if file := e.previewFile(r); file != "" {
		return strings.TrimSuffix(file, ".jpg") + ".live.jpg"
	}
	return ""
}

// drawLive has Blender make a thumbnail of a picture that a run has rendered, under a temporary name, and
// then renames it.
func (e *Engine) drawLive(ctx context.Context, run api.Run, picture, file string) error {
	if err := os.MkdirAll(e.cfg.PreviewDir, 0o700); err != nil {
		return err
	}
	program, err := e.programOf(ctx, run)
	if err != nil {
		return err
	}
	half := strings.TrimSuffix(file, ".jpg") + ".part"
	defer os.Remove(half) // it was renamed, or never made
	if err := e.cfg.Thumbnails.Make(ctx, program, picture, half, false); err != nil {
		return err
	}
	return os.Rename(half, file)
}

// withPreview returns the run with the path of its picture, if the picture exists.
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

// drawPreview starts the drawing of a picture of what a run left, unless pictures are off or another
// run waits. The picture of a run that renders frames is its last frame, made small. It does not wait
// for the picture: the next isolated run has another Blender.
func (w *worker) drawPreview(ctx context.Context, j *job) {
	e := w.engine
	e.mu.Lock()
	with, r, b, waited := e.runs.Preview, j.run, w.blender, j.execution != nil && j.waited
	e.mu.Unlock()
	file := e.previewFile(r)
	what, wanted := with.String(), with != api.PreviewOff
	if r.Render != nil {
		what, wanted = "picture", true // the last picture is there, and is only made small
	}
	if !wanted || file == "" || r.State != api.Succeeded && r.State != api.Failed || waited || e.hasWaiting(w) {
		return
	}
	w.drawing.Go(func() {
		if err := e.makePreview(ctx, b, r.ID, file, blender.Drawing{Engine: what}); err != nil {
			if !errors.Is(err, blender.ErrNoPreview) && ctx.Err() == nil {
				e.log.Warn("there is no preview", "run", r.ID, "error", err)
			}
			return
		}
		if _, err := e.lookUp(ctx, r.ID); errors.Is(err, api.ErrNotFound) {
			_ = os.Remove(file) // the run was deleted while its picture was made
			return
		}
		r := e.withPreview(r)
		e.hub.publish(api.Event{Kind: api.KindPreview, ID: r.ID, Run: &r})
		e.prunePreviews(file)
	})
}

// makePreview draws a picture under a temporary name and then renames it, so that nobody sees
// half a picture.
func (e *Engine) makePreview(ctx context.Context, b Blender, run, file string, how blender.Drawing) error {
	if err := os.MkdirAll(e.cfg.PreviewDir, 0o700); err != nil {
		return err
	}
	half := strings.TrimSuffix(file, ".jpg") + ".part"
	defer os.Remove(half) // it was renamed, or never made
	if err := b.Preview(ctx, run, half, how); err != nil {
		return err
	}
	return os.Rename(half, file)
}

// unfinished is how old a picture has to be of which a crash has left a half: a younger half may be in the
// making.
const unfinished = time.Hour

// prunePreviews removes the pictures of old runs and the unfinished pictures that a crash left, but not
// the picture made, which somebody has just asked for.
func (e *Engine) prunePreviews(made string) {
	entries, err := os.ReadDir(e.cfg.PreviewDir)
	if err != nil || len(entries) <= KeptPreviews {
		return // the next call tries again
	}
	type picture struct {
		name string
		at   int64
	}
	pinned, err := e.store.pinnedRuns()
	if err != nil {
		return // as above
	}
	var all []picture
	most := KeptPreviews
	for _, entry := range entries {
		name := entry.Name()
		run, at, _ := strings.Cut(name, "-")
		switch {
		case pinned[run]:
			continue
		case name == filepath.Base(made):
			most--
			continue
		case filepath.Ext(name) == ".part":
			if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > unfinished {
				all = append(all, picture{name: name})
			}
			continue
		}
		// A picture of a run that renders and one that a person has asked for have more after the time.
		at, _, _ = strings.Cut(at, ".")
		queued, err := strconv.ParseInt(at, 16, 64)
		if err != nil || filepath.Ext(name) != ".jpg" {
			queued = 0
		}
		all = append(all, picture{name, queued})
	}
	slices.SortFunc(all, func(a, b picture) int { return cmp.Compare(b.at, a.at) })
	for _, old := range all[min(most, len(all)):] {
		// The next call meets again what can't be removed now.
		_ = os.Remove(filepath.Join(e.cfg.PreviewDir, old.name))
	}
}
