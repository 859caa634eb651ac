package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
)

type openCmd struct {
	ID   string `arg:"" optional:"" name:"run" help:"The run whose scene it is. Default: the last one."`
	Save string `placeholder:"FILE" help:"Only save the copy as this .blend, and open nothing."`
}

func (openCmd) Help() string {
	return `Saves a copy of the scene that the last run left, and opens the copy in Blender, with a window. Only the last run has left its scene; an earlier run is run again first:

    blendtray open
    blendtray open --save result.blend
    blendtray retry ID && blendtray open`
}

func (c *openCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	if c.Save == "" {
		if err := needWindow(); err != nil {
			return err
		}
		program, file, err := openScene(e, client, paths, c.ID)
		if err == nil {
			e.note("%s is opened by %s", file, program)
		}
		return err
	}
	file, err := filepath.Abs(c.Save)
	if err != nil {
		return err
	}
	if !strings.EqualFold(filepath.Ext(file), ".blend") {
		return fault.New(fault.Usage, "", "--save: the name of %s does not end in .blend", c.Save)
	}
	run, err := leftBy(e, client, c.ID)
	if err == nil {
		err = saveScene(e, client, run, file)
	}
	if err == nil {
		e.note("made %s", oneLine(file))
	}
	return err
}

// keptCopies is how long copies of scenes are kept that were opened.
const keptCopies = 7 * 24 * time.Hour

// openScene saves a copy of the scene that a run left, for "" the last run, and opens the copy in a
// Blender with a window, which stays when this program ends. It returns the program and the copy.
// It fails when the scene is not there any more, or no Blender can be started.
func openScene(ctx context.Context, client *control.Client, paths home.Paths, id string) (program, file string, err error) {
	run, err := leftBy(ctx, client, id)
	if err != nil {
		return "", "", err
	}
	st, err := client.Status(ctx)
	if err != nil {
		return "", "", err
	}
	for _, b := range st.Blenders {
		if b.Name == blenderOf(run) {
			program = b.Path
		}
	}
	if program == "" {
		return "", "", fault.New(fault.Failed, "`blendtray start "+blenderOf(run)+"` starts it", "it is not known yet which Blender is used")
	}
	dir := paths.Opened()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("make the folder of the copy: %w", err)
	}
	forgetCopies(dir)
	name := strings.TrimSuffix(filepath.Base(run.Script), filepath.Ext(run.Script))
	if !filepath.IsAbs(run.Script) {
		name = "scene"
	}
	file = filepath.Join(dir, fmt.Sprintf("%s-%s.blend", name, run.ID))
	if err := saveScene(ctx, client, run, file); err != nil {
		return "", "", err
	}
	if err := startDetached(program, file); err != nil {
		return "", "", err
	}
	return program, file, nil
}

// forgetCopies removes the copies that nobody has written for a long time.
func forgetCopies(dir string) {
	all, _ := filepath.Glob(filepath.Join(dir, "*.blend*")) // the pattern is right
	for _, file := range all {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > keptCopies {
			_ = os.Remove(file) // it is tried again the next time
		}
	}
}

// saverName is what the history calls the code that saves a scene.
const saverName = "<copy of the scene>"

// saver saves a copy of the scene; it leaves no names behind for the code that follows.
const saver = `__import__("bpy").ops.wm.save_as_mainfile(filepath=__import__("sys").argv[-1], copy=True)
`

// errGone is why the scene of an earlier run can't be looked at.
var errGone = errors.New("the scene is gone")

// leftBy returns the run with an id, or for "" the last run, if its scene is still there to look at.
func leftBy(ctx context.Context, client *control.Client, id string) (api.Run, error) {
	if id != "" {
		run, err := client.Run(ctx, id)
		if err != nil {
			return run, err
		}
		if !run.State.Final() {
			return run, fault.New(fault.Failed, "", "run %s is %s", id, run.State)
		}
	}
	runs, err := client.Runs(ctx, api.Filter{Limit: maxRuns})
	if err != nil {
		return api.Run{}, err
	}
	st, err := client.Status(ctx)
	if err != nil {
		return api.Run{}, err
	}
	return sceneOf(runs, st, id, time.Now())
}

// gone returns an error that says that the scene of run id is gone, because the run after came later.
func gone(after, id string) error {
	return fault.New(fault.Failed, "run it again (`blendtray retry "+id+"`), then open what it leaves",
		"%w: run %s came after run %s", errGone, after, id)
}

// sceneOf chooses from runs, the newest first, the run with an id, or for "" the last run. It fails
// when the Blender that has the run's scene is not there in the status st of the engine.
func sceneOf(runs []api.Run, st api.Status, id string, now time.Time) (api.Run, error) {
	var asked *api.Run
	left := map[string]string{} // of each Blender that is there, the isolated run that ended last
	for _, p := range st.Processes {
		if p.Left != "" {
			left[cmp.Or(p.Blender, api.DefaultBlender)] = p.Left
		}
	}
	with := -1 // the run with the id
	if id != "" {
		with = slices.IndexFunc(runs, func(r api.Run) bool { return r.ID == id })
	}
	for i := range runs {
		r := &runs[i]
		if with >= 0 && blenderOf(*r) != blenderOf(runs[with]) {
			continue // it was executed elsewhere
		}
		if r.StartedAt == nil || r.InOpenBlender() || r.Session != "" || r.Script == saverName || r.Isolation == api.IsolateScene ||
			r.Folder != "" && r.Isolation == api.IsolateKeep {
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
		return api.Run{}, fault.New(fault.Failed, "", "nothing has run yet")
	case asked == nil:
		return api.Run{}, fault.New(fault.Failed, "", "run %s has left no scene that can be looked at", id)
	case asked.State == api.Crashed:
		return *asked, fault.New(fault.Failed, "", "run %s has crashed Blender, and the scene went with it", asked.ID)
	case asked.State == api.Interrupted:
		return *asked, fault.New(fault.Failed, "", "run %s was interrupted, and the scene went with its Blender", asked.ID)
	}
	began := now.Add(-time.Duration(st.Engine.UptimeSeconds * float64(time.Second)))
	isThere := slices.ContainsFunc(st.Processes, func(p api.ProcessStatus) bool {
		return p.Use == "left" && cmp.Or(p.Blender, api.DefaultBlender) == blenderOf(*asked)
	})
	if !isThere || asked.FinishedAt != nil && asked.FinishedAt.Before(began) {
		return *asked, fault.New(fault.Failed, "run it again (`blendtray retry "+asked.ID+"`), then open what it leaves",
			"%w: the Blender in which run %s left it has ended", errGone, asked.ID)
	}
	return *asked, nil
}

// blenderOf returns the name of the Blender that has executed a run.
func blenderOf(r api.Run) string { return cmp.Or(r.Blender, api.DefaultBlender) }

// saveScene has the Blender in which a run has left its scene save a copy of the scene as file.
func saveScene(ctx context.Context, client *control.Client, run api.Run, file string) error {
	var saved api.Run
	for ev, err := range client.SubmitAndFollow(ctx, api.Submission{
		Code: []byte(saver), Name: saverName, Args: []string{file}, Scene: "keep", Client: "blendtray open",
		Blender: blenderOf(run),
	}) {
		if err != nil {
			return err
		}
		if ev.Kind == api.KindRun && ev.Run != nil {
			saved = *ev.Run
		}
	}
	if saved.State != api.Succeeded {
		return fault.New(fault.Failed, "`blendtray runs show "+saved.ID+"` says more",
			"the scene of run %s can't be saved%s", run.ID, because(saved))
	}
	return nil
}

// firstMoments is how long a Blender is watched that was started with a window: what ends in this
// time has not opened.
const firstMoments = 2 * time.Second

// startDetached starts a program that stays when this program and its terminal end. It fails when
// the program ends with an error at once.
func startDetached(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // Wait prevents a zombie
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
		}
	case <-time.After(firstMoments):
	}
	return nil
}
