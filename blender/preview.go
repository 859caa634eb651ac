package blender

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// previewTime is how long a preview may take, and largeTime how long a large one. The add-on does not draw
// a scene that is too large, so these limits are for delays that the add-on can't foresee.
const (
	previewTime = 30 * time.Second
	largeTime   = 90 * time.Second
)

// SmallPreview is the longer side of a preview of which nobody says how large it is, in pixels.
const SmallPreview = 480

// Drawing is how a preview is drawn.
type Drawing struct {
	// Engine is "cycles", or "workbench" or "eevee", which need a display or a GPU; or "picture", which is
	// what the run has rendered last, made small.
	Engine string
	// Size is the longer side in pixels; 0 is [SmallPreview].
	Size int
	// View is "camera", or "front", "right", "top" or "three-quarter", which show all; "" is "camera".
	View string
	// Left is true for a picture of the scene that an isolated run has left, also after other runs have
	// looked at the scene. A fleet looks at it.
	Left bool
}

// previewCode makes the add-on draw the scene. A scene that can't be drawn is no error of the
// script.
const previewCode = `import sys
from tcp_echo import preview
try:
    path, engine, size, view = sys.argv[-4:]
    preview.render(path, engine, int(size), view)
except preview.NoPreview as why:
    result = str(why)
`

// ErrNoPreview is returned when there is no scene to make a picture of.
var ErrNoPreview = errors.New("no preview")

// Preview makes Blender write a small picture of the scene, as the last run left it, to path as a JPEG
// file; that scene is not changed. Preview fails with [ErrNoPreview] when
// the Blender that executed the last run is gone, or when the scene has nothing to see or too much.
// Runs wait until the preview is done, 30 s at most, or 90 s for a large one or one by Eevee; then Blender is asked to stop the preview, and
// killed if it does not.
func (s *Supervisor) Preview(ctx context.Context, path string, how Drawing) error {
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slot }()
	size, limit := cmp.Or(how.Size, SmallPreview), previewTime
	if size > SmallPreview || how.Engine == "eevee" { // without a GPU, Eevee needs long for the first picture
		limit = largeTime
	}
	out, ok, err := s.beside(ctx, Request{
		ID: "preview", Code: []byte(previewCode), Name: "<preview>", Scene: "keep",
		Args: []string{path, how.Engine, strconv.Itoa(size), cmp.Or(how.View, "camera")}, TimeLimit: limit,
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
