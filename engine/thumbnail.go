package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// KeptThumbnails is how many thumbnails of outputs the engine keeps, those that were made last; each has
// about 60 KB.
const KeptThumbnails = 2000

// sameFile is how much later than the end of a run its output may seem to be written: clocks of file
// systems differ.
const sameFile = 2 * time.Second

// Thumbnailer makes small pictures of images and movies; *blender.Thumbnailer implements it.
type Thumbnailer interface {
	// Make has the Blender at program write a JPEG of a file. It fails with [blender.ErrNoThumbnail]
	// when that can't be done with this file.
	Make(ctx context.Context, program, from, to string, movie bool) error
}

// thumbnailFile returns the path for the thumbnail of an output of a run.
func (e *Engine) thumbnailFile(r api.Run, output int) string {
	return filepath.Join(e.cfg.ThumbnailDir, fmt.Sprintf("%s-%x-%d.jpg", r.ID, r.QueuedAt.UnixNano(), output))
}

// Thumbnail returns a small picture of the output of a run with an index, a JPEG file. Blender makes it
// when it is asked for, and the engine keeps it: so it still shows what the run has made when the file is
// gone or was written over. Thumbnail fails with [api.ErrNotFound] when there is no such run, and with
// [api.ErrNoThumbnail] when there is no such output, or no picture in it, or the file has changed since
// the run.
func (e *Engine) Thumbnail(ctx context.Context, id string, output int) ([]byte, error) {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return nil, err
	}
	run := j.run
	switch {
	case output < 0 || output >= len(run.Outputs):
		return nil, fmt.Errorf("%w: run %s has %d outputs", api.ErrNoThumbnail, id, len(run.Outputs))
	case e.cfg.Thumbnails == nil || e.cfg.ThumbnailDir == "":
		return nil, fmt.Errorf("%w: this engine makes none", api.ErrNoThumbnail)
	}
	from := run.Outputs[output]
	kind := api.PictureKindOf(from)
	if kind == api.NoPicture {
		return nil, fmt.Errorf("%w: %s is no picture", api.ErrNoThumbnail, from)
	}
	file := e.thumbnailFile(run, output)
	made, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return made, err
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", api.ErrNoThumbnail, err)
	case run.FinishedAt != nil && info.ModTime().After(run.FinishedAt.Add(sameFile)):
		return nil, fmt.Errorf("%w: %s was written over since run %s", api.ErrNoThumbnail, from, id)
	}
	if err := e.makeThumbnail(ctx, run, from, file, info, kind == api.MoviePicture); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// keptOutputs is of how many outputs of a run thumbnails are made without being asked for.
const keptOutputs = 4

// maxKeepers is of how many runs thumbnails are made, or wait to be made, without being asked for.
const maxKeepers = 8

// keepThumbnails starts to make thumbnails of the first pictures that a run has made, where pictures of
// runs are wanted: the next run of the script mostly writes over the files. Nothing waits for it. While thumbnails of many runs wait to be made, those of
// the run are left out: they are made when somebody asks for them.
func (w *worker) keepThumbnails(ctx context.Context, j *job) {
	e := w.engine
	e.mu.Lock()
	wanted, run := e.runs.Preview != api.PreviewOff && e.cfg.Thumbnails != nil, j.run
	e.mu.Unlock()
	if !wanted || !run.State.Final() {
		return
	}
	var pictures []int
	for i, path := range run.Outputs {
		if api.PictureKindOf(path) != api.NoPicture && len(pictures) < keptOutputs {
			pictures = append(pictures, i)
		}
	}
	if len(pictures) == 0 {
		return
	}
	select {
	case e.keepers <- struct{}{}:
	default:
		return
	}
	w.keeping.Go(func() {
		defer func() { <-e.keepers }()
		for _, i := range pictures {
			if _, err := e.Thumbnail(ctx, run.ID, i); err != nil && ctx.Err() == nil {
				e.log.Info("there is no thumbnail", "run", run.ID, "output", run.Outputs[i], "error", err)
			}
		}
	})
}

// makeThumbnail has Blender make a thumbnail under a temporary name and then renames it. It fails with
// [api.ErrNoThumbnail] when the file has changed since info was read.
func (e *Engine) makeThumbnail(ctx context.Context, run api.Run, from, file string, info fs.FileInfo, movie bool) error {
	if err := os.MkdirAll(e.cfg.ThumbnailDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the thumbnails: %w", err)
	}
	program, err := e.programOf(ctx, run)
	if err != nil {
		return err
	}
	half, err := os.CreateTemp(e.cfg.ThumbnailDir, "*.part")
	if err != nil {
		return fmt.Errorf("make a thumbnail: %w", err)
	}
	half.Close()                 // Blender writes it
	_ = os.Remove(half.Name())   // as above
	defer os.Remove(half.Name()) // it was renamed, or never made
	switch err = e.cfg.Thumbnails.Make(ctx, program, from, half.Name(), movie); {
	case errors.Is(err, blender.ErrNoThumbnail):
		return fmt.Errorf("%w: %w", api.ErrNoThumbnail, err)
	case err != nil:
		return err
	}
	now, err := os.Stat(from)
	if err != nil || !os.SameFile(now, info) || !now.ModTime().Equal(info.ModTime()) || now.Size() != info.Size() {
		return fmt.Errorf("%w: %s was written over meanwhile", api.ErrNoThumbnail, from)
	}
	if err := os.Rename(half.Name(), file); err != nil {
		return fmt.Errorf("keep a thumbnail: %w", err)
	}
	e.pruneThumbnails()
	return nil
}

// programOf returns the path of the Blender that has executed a run, or of the default Blender where it
// is not known.
func (e *Engine) programOf(ctx context.Context, run api.Run) (string, error) {
	path := ""
	for i, b := range e.Status().Blenders {
		if b.Path != "" && (b.Name == blenderOf(run) || i == 0) && b.Kind == api.BlenderOwn {
			path = b.Path
		}
	}
	if path != "" || e.cfg.ChooseBlender == nil {
		return path, nil
	}
	e.mu.Lock()
	chosen := e.base.Path
	e.mu.Unlock()
	found, err := e.cfg.ChooseBlender(ctx, chosen)
	if err != nil {
		return "", fmt.Errorf("%w: %w", api.ErrNoThumbnail, err)
	}
	return found.Path, nil
}

// pruneThumbnails removes the oldest thumbnails where there are too many.
func (e *Engine) pruneThumbnails() {
	entries, err := os.ReadDir(e.cfg.ThumbnailDir)
	if err != nil || len(entries) <= KeptThumbnails {
		return // the next call tries again
	}
	type kept struct {
		name string
		at   time.Time
	}
	var all []kept
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			all = append(all, kept{entry.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.name, b.name)) })
	for _, old := range all[min(KeptThumbnails, len(all)):] {
		_ = os.Remove(filepath.Join(e.cfg.ThumbnailDir, old.name)) // the next call meets it again
	}
}
