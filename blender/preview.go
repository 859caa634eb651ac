package blender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// previewTime is how long a preview may take. The add-on does not draw a scene that is too large,
// so this limit is for delays that the add-on can't foresee.
const previewTime = 30 * time.Second

// previewCode makes the add-on draw the scene. A scene that can't be drawn is no error of the
// script.
const previewCode = `import sys
from tcp_echo import preview
try:
    preview.render(*sys.argv[-2:])
except preview.NoPreview as why:
    result = str(why)
`

// ErrNoPreview is returned when there is no scene to make a picture of.
var ErrNoPreview = errors.New("no preview")

// Preview makes Blender write a small picture of the scene, as the last run left it, to path as a JPEG
// file; that scene is not changed. The engine is "cycles" or "workbench", which needs a display or a
// GPU; or "picture", which is what the run has rendered last. Preview fails with [ErrNoPreview] when
// the Blender that executed the last run is gone, or when the scene has nothing to see or too much.
// Runs wait until the preview is done, 30 s at most; then Blender is asked to stop the preview, and
// killed if it does not.
func (s *Supervisor) Preview(ctx context.Context, path, engine string) error {
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slot }()
	out, ok, err := s.beside(ctx, Request{
		ID: "preview", Code: []byte(previewCode), Name: "<preview>", Args: []string{path, engine}, Scene: "keep",
		TimeLimit: previewTime,
	}, 0)
	if err == nil && !ok {
		return fmt.Errorf("%w: the Blender of the run is gone", ErrNoPreview)
	}
	var why string
	switch {
	case err != nil:
		return err
	case out.Verdict != Succeeded && out.Error != nil:
		return fmt.Errorf("draw a preview: %s: %s", out.Error.Type, out.Error.Message)
	case out.Verdict != Succeeded:
		return fmt.Errorf("draw a preview: it %s", out.Verdict)
	case len(out.Result) > 0 && json.Unmarshal(out.Result, &why) == nil:
		return fmt.Errorf("%w: %s", ErrNoPreview, why)
	}
	return nil
}
