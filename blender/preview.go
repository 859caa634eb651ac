package blender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"blendtray/api"
)

// previewTime is how long a preview may take. The add-on draws no scene that is too large, so
// this is for what it can't foresee.
const previewTime = 30 * time.Second

// previewCode has the add-on draw the scene. What can't be drawn is no error of the script.
const previewCode = `import sys
from tcp_echo import preview
try:
    preview.render(*sys.argv[-2:])
except preview.NoPreview as why:
    result = str(why)
`

// ErrNoPreview is returned where there is no scene to make a picture of.
var ErrNoPreview = errors.New("no preview")

// Preview has Blender write a small picture of the scene as the last run left it to path, a
// JPEG file, and changes nothing in that scene. The engine is "cycles" or "workbench", which
// needs something that draws: a display or a GPU. It fails with [ErrNoPreview] when the
// Blender that did the last run is gone, or the scene has nothing to see or too much. Runs
// wait until it is done, 30 s at most; after that Blender is asked to stop it, and killed if
// it does not.
func (s *Supervisor) Preview(ctx context.Context, path, engine string) error {
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slot }()
	s.mu.Lock()
	inst, ready := s.current, s.status.State == api.BlenderReady
	s.mu.Unlock()
	if inst == nil || !ready {
		return fmt.Errorf("%w: Blender does not run any more", ErrNoPreview)
	}
	run := newActiveRun(fmt.Sprintf("%d:preview", inst.session.Welcome.Session), discard{})
	inst.mu.Lock()
	fresh := inst.runs == 0
	if !fresh {
		inst.active = run
	}
	inst.mu.Unlock()
	if fresh {
		return fmt.Errorf("%w: it is another Blender than that of the run", ErrNoPreview)
	}
	out, err := inst.execute(ctx, run, Request{
		ID: "preview", Code: []byte(previewCode), Name: "<preview>", Args: []string{path, engine}, Scene: "keep",
		TimeLimit: previewTime,
	})
	run.close()
	inst.mu.Lock()
	inst.active = nil
	inst.mu.Unlock()
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
