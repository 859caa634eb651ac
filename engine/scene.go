package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

const (
	// keptCopies is how long copies of scenes are kept of which nobody named the file.
	keptCopies = 7 * 24 * time.Hour
	// lookedAt is how many of the newest runs are looked at for those that have left a scene.
	lookedAt = 1000
	// largePreview is the size of a picture of a scene that a person asks for, in pixels.
	largePreview = 1280
)

// saverName is what the history calls the code that saves a scene.
const saverName = "<copy of the scene>"

// saver saves a copy of the scene; it leaves no names behind for the code that follows.
const saver = `__import__("bpy").ops.wm.save_as_mainfile(filepath=__import__("sys").argv[-1], copy=True)
`

// SaveScene saves a copy of the scene that a run has left, and returns the copy with the program that
// has made it. It fails with [api.ErrSceneGone] when the Blender that had the scene is gone or another
// run came after, unless the request has the run made again; with [api.ErrNoScene] when the run leaves
// no scene; and with [api.ErrBad] when the request makes no sense.
func (e *Engine) SaveScene(ctx context.Context, req api.SceneRequest) (api.SavedScene, error) {
	if req.File != "" && (!filepath.IsAbs(req.File) || !strings.EqualFold(filepath.Ext(req.File), ".blend")) {
		return api.SavedScene{}, fmt.Errorf("%w: file: %q is not the absolute path of a .blend", api.ErrBad, req.File)
	}
	left := e.leftIn() // before the run is looked for: what comes after it is noticed
	run, err := e.leftBy(ctx, req.Run)
	// Made again, a run of a session would change what a session of that name has now.
	if errors.Is(err, api.ErrSceneGone) && req.Again && run.ID != "" && run.Session == "" {
		if err = checkCopy(req.File); err == nil {
			run, err = e.Retry(ctx, run.ID)
		}
		if err == nil {
			run, err = e.awaitEnd(ctx, run.ID)
		}
		if err == nil {
			left = e.leftIn()
			run, err = e.leftBy(ctx, run.ID)
		}
	}
	if err == nil {
		err = checkCopy(req.File)
	}
	if err != nil {
		return api.SavedScene{}, err
	}
	saved := api.SavedScene{File: req.File}
	for _, b := range e.Status().Blenders {
		if b.Name == blenderOf(run) {
			saved.Program = b.Path
		}
	}
	if saved.File == "" {
		if saved.File, err = e.copyFile(run); err != nil {
			return api.SavedScene{}, err
		}
	}
	if run.Session != "" {
		_, err = e.DoInSession(ctx, api.SessionRequest{Session: run.Session, Operation: api.SessionSave, File: saved.File, Client: req.Client})
	} else {
		err = e.saveScene(ctx, run, left[blenderOf(run)], saved.File, req.Client)
	}
	saved.Run = run
	saved.Run.Output = ""
	return saved, err
}

// checkCopy fails when a copy of a scene is to have a name, and there is no folder for it.
func checkCopy(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return fmt.Errorf("%w: file: there is no folder %s", api.ErrBad, filepath.Dir(file))
	}
	return nil
}

// copyFile returns the path for a copy of the scene of a run, and removes the copies that nobody has
// written for a long time.
func (e *Engine) copyFile(run api.Run) (string, error) {
	dir := e.cfg.SceneDir
	if dir == "" {
		return "", fmt.Errorf("%w: file: say where the copy is to be", api.ErrBad)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of the copy: %w", err)
	}
	all, _ := os.ReadDir(dir) // what can't be read is tried again the next time
	for _, entry := range all {
		info, err := entry.Info()
		if err == nil && strings.Contains(entry.Name(), ".blend") && time.Since(info.ModTime()) > keptCopies {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // as above
		}
	}
	name := "scene"
	if filepath.IsAbs(run.Script) {
		name = strings.TrimSuffix(filepath.Base(run.Script), filepath.Ext(run.Script))
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%s.blend", name, run.ID)), nil
}

// saveScene has the Blender in which a run has left its scene save a copy of the scene as file. left is
// the isolated run that ended last there: when another comes after, nothing is saved.
func (e *Engine) saveScene(ctx context.Context, run api.Run, left, file, client string) error {
	saved, _, err := e.submit(ctx, api.Submission{
		Code: []byte(saver), Name: saverName, Args: []string{file}, Scene: "keep", Client: client, Blender: blenderOf(run), Left: left,
	}, false, func(string) {})
	if err == nil {
		saved, err = e.awaitEnd(ctx, saved.ID)
	}
	why, isGone := "", false
	if saved.Error != nil && saved.Error.Type == api.Refused {
		why, isGone = strings.CutPrefix(saved.Error.Message, api.LeftGone)
	}
	switch {
	case err != nil:
		return err
	case isGone:
		return fmt.Errorf("%w: %s", api.ErrSceneGone, why)
	case saved.State != api.Succeeded:
		return fmt.Errorf("%w: the scene of run %s can't be saved: %s", api.ErrNoScene, run.ID, whyNot(saved))
	}
	return nil
}

// leftBy returns the run with an id, or for "" the last run, if its scene is still there to look at. With
// [api.ErrSceneGone] it returns the run all the same, where it is known which.
func (e *Engine) leftBy(ctx context.Context, id string) (api.Run, error) {
	var asked api.Run
	if id != "" {
		run, err := e.Run(ctx, id)
		switch {
		case err != nil:
			return run, err
		case !run.State.Final():
			return run, fmt.Errorf("%w: run %s is %s", api.ErrNotEnded, id, run.State)
		}
		asked = run
		switch {
		case run.Session != "":
			return run, e.stillInSession(run)
		case !leavesScene(&run):
			return run, noScene(id)
		}
	}
	runs, err := e.Runs(ctx, api.Filter{Limit: lookedAt})
	if err != nil {
		return api.Run{}, err
	}
	if id != "" && !slices.ContainsFunc(runs, func(r api.Run) bool { return r.ID == id }) {
		return asked, fmt.Errorf("%w: %d runs came after run %s", api.ErrSceneGone, lookedAt, id)
	}
	run, err := sceneOf(runs, e.Status(), id, time.Now())
	if err != nil && id != "" {
		run = asked
	}
	return run, err
}

// stillInSession returns nil when the session of a run is there and has been since the run. Else it
// fails with [api.ErrSceneGone].
func (e *Engine) stillInSession(run api.Run) error {
	s, err := e.Session(run.Session)
	switch {
	case errors.Is(err, api.ErrNoSession):
		return fmt.Errorf("%w: the session %s has ended since run %s", api.ErrSceneGone, run.Session, run.ID)
	case err != nil:
		return err
	case run.FinishedAt == nil || run.FinishedAt.Before(s.BegunAt):
		return fmt.Errorf("%w: the session %s has begun anew since run %s", api.ErrSceneGone, run.Session, run.ID)
	}
	return nil
}

// leavesScene reports whether a run is of the kind that leaves its scene where other runs can look at it.
func leavesScene(r *api.Run) bool {
	return !r.InOpenBlender() && !r.OnFarm() && r.Session == "" && r.Script != saverName && r.Isolation != api.IsolateScene &&
		(r.Folder == "" || r.Isolation != api.IsolateKeep)
}

// noScene returns the error that says that a run has left no scene.
func noScene(id string) error {
	return fmt.Errorf("%w: run %s has left no scene that can be looked at", api.ErrNoScene, id)
}

// gone returns an error that says that the scene of run id is gone, because the run after came later.
func gone(after, id string) error {
	return fmt.Errorf("%w: run %s came after run %s", api.ErrSceneGone, after, id)
}

// leftIn returns the isolated run that ended last in each Blender that is there.
func (e *Engine) leftIn() map[string]string { return leftIn(e.Status()) }

func leftIn(st api.Status) map[string]string {
	left := map[string]string{}
	for _, p := range st.Processes {
		if p.Left != "" {
			left[cmp.Or(p.Blender, api.DefaultBlender)] = p.Left
		}
	}
	return left
}

// sceneOf chooses from runs, the newest first, the run with an id, or for "" the last run. It fails
// when the Blender that has the run's scene is not there in the status st of the engine.
func sceneOf(runs []api.Run, st api.Status, id string, now time.Time) (api.Run, error) {
	var asked *api.Run
	left := leftIn(st)
	with := -1 // the run with the id
	if id != "" {
		with = slices.IndexFunc(runs, func(r api.Run) bool { return r.ID == id })
	}
	for i := range runs {
		r := &runs[i]
		if with >= 0 && blenderOf(*r) != blenderOf(runs[with]) {
			continue // it was executed elsewhere
		}
		if r.StartedAt == nil || !leavesScene(r) {
			continue // it has left nothing where other runs look
		}
		last := left[blenderOf(*r)]
		if last != "" && r.ID != last && r.ID != id && r.Isolation != api.IsolateKeep {
			continue // it ended before, or is still running
		}
		if last != "" && r.ID != last && r.Isolation != api.IsolateKeep {
			return api.Run{}, gone(last, id)
		}
		if asked == nil && (id == "" || r.ID == id) {
			asked = r
		}
		if r.Isolation != api.IsolateKeep {
			if asked == nil {
				return api.Run{}, gone(r.ID, id)
			}
			break
		}
	}
	switch {
	case asked == nil && id == "":
		return api.Run{}, fmt.Errorf("%w: nothing has run yet", api.ErrNoScene)
	case asked == nil:
		return api.Run{}, noScene(id)
	case asked.State == api.Crashed:
		return *asked, fmt.Errorf("%w: run %s has crashed Blender, and the scene went with it", api.ErrNoScene, asked.ID)
	case asked.State == api.Interrupted:
		return *asked, fmt.Errorf("%w: run %s was interrupted, and the scene went with its Blender", api.ErrSceneGone, asked.ID)
	}
	began := now.Add(-time.Duration(st.Engine.UptimeSeconds * float64(time.Second)))
	isThere := slices.ContainsFunc(st.Processes, func(p api.ProcessStatus) bool {
		return p.Use == "left" && cmp.Or(p.Blender, api.DefaultBlender) == blenderOf(*asked)
	})
	if !isThere || asked.FinishedAt != nil && asked.FinishedAt.Before(began) {
		return *asked, fmt.Errorf("%w: the Blender in which run %s left it has ended", api.ErrSceneGone, asked.ID)
	}
	return *asked, nil
}

// blenderOf returns the name of the Blender that has executed a run.
func blenderOf(r api.Run) string { return cmp.Or(r.Blender, api.DefaultBlender) }

// PreviewScene makes a picture of the scene that a run has left, and returns its path; the scene is not
// changed. It fails with [api.ErrSceneGone] when the scene is not there any more, with [api.ErrNoScene] when
// there is nothing to see or too much, or the run was not isolated, and with [api.ErrBad] when the request
// makes no sense.
func (e *Engine) PreviewScene(ctx context.Context, req api.PreviewRequest) (api.ScenePreview, error) {
	how := blender.Drawing{
		Engine: cmp.Or(req.Engine, api.PreviewEngines[0]), Size: cmp.Or(req.Size, largePreview), View: cmp.Or(req.View, api.PreviewViews[0]),
		Left: true,
	}
	switch {
	case !slices.Contains(api.PreviewEngines, how.Engine):
		return api.ScenePreview{}, fmt.Errorf("%w: engine: %q is none of %s", api.ErrBad, req.Engine, strings.Join(api.PreviewEngines, ", "))
	case !slices.Contains(api.PreviewViews, how.View):
		return api.ScenePreview{}, fmt.Errorf("%w: view: %q is none of %s", api.ErrBad, req.View, strings.Join(api.PreviewViews, ", "))
	case how.Size < api.MinPreview || how.Size > api.MaxPreview:
		return api.ScenePreview{}, fmt.Errorf("%w: size: %d is not %d to %d", api.ErrBad, req.Size, api.MinPreview, api.MaxPreview)
	}
	left := e.leftIn() // before the run is looked for: what comes after it is noticed
	run, err := e.leftBy(ctx, req.Run)
	if err != nil {
		return api.ScenePreview{}, err
	}
	run.Output = ""
	e.mu.Lock()
	w := e.workerLocked(blenderOf(run))
	e.mu.Unlock()
	file := e.previewFile(run)
	if w == nil || file == "" {
		return api.ScenePreview{}, fmt.Errorf("%w: this engine makes no pictures", api.ErrNoScene)
	}
	from := run.ID
	if last := left[blenderOf(run)]; last != "" && run.Session == "" {
		from = last // the run has only looked at what that one left
	}
	e.mu.Lock()
	b := w.blender
	e.mu.Unlock()
	file = fmt.Sprintf("%s.%s-%s-%d.jpg", strings.TrimSuffix(file, ".jpg"), how.Engine, how.View, how.Size)
	switch err := e.makePreview(ctx, b, from, file, how); {
	case errors.Is(err, blender.ErrNoPreview):
		return api.ScenePreview{}, fmt.Errorf("%w: %w", api.ErrNoScene, err)
	case err != nil:
		return api.ScenePreview{}, err
	}
	e.prunePreviews(file)
	return api.ScenePreview{Run: run, File: file}, nil
}
